//! A recording that pauses and goes on: wanted by the host, true when the bot says so.
//!
//! ```text
//! running --host pauses--> pause wanted --bot reports--> paused
//!    ^                          |                           |
//!    +------bot reports------resume wanted <--host resumes--+
//! ```
//! A transcript pauses with its recording: what was said in between is nowhere. People are told what
//! the bot says, for until then it takes everything.
//! Invariant: a bot that comes anew hears what is wanted, so that nothing is taken in a pause.

use proto::id::{JobId, UserId};

use super::{Job, JobKind, JobStatusError, JobView, RecordingError};
use crate::call::Call;
use crate::conversation::Conversation;
use crate::io::Moment;
use crate::news::{News, To};
use crate::record::Record;

impl Call {
    /// Asks the bots to take nothing for a while. That they do, they report.
    ///
    /// # Errors
    /// When recording is not possible here, `by` is not the host, none runs, or a pause was asked for.
    pub fn pause_recording(&mut self, by: &UserId) -> Result<JobView, RecordingError> {
        self.hosted(by)?.want_pause(true)
    }

    /// Asks the bots to go on.
    ///
    /// # Errors
    /// When recording is not possible here, `by` is not the host, none runs, or no pause was asked for.
    pub fn resume_recording(&mut self, by: &UserId) -> Result<JobView, RecordingError> {
        self.hosted(by)?.want_pause(false)
    }
}

impl Conversation {
    fn want_pause(&mut self, wanted: bool) -> Result<JobView, RecordingError> {
        let recording = self.jobs.recording.as_ref().filter(|job| job.is_running());
        let recording = recording.ok_or(RecordingError::NotInProgress)?;
        match (recording.pause_wanted, wanted) {
            (true, true) => return Err(RecordingError::AlreadyPaused),
            (false, false) => return Err(RecordingError::NotPaused),
            (true, false) | (false, true) => {}
        }
        for kind in [JobKind::Recording, JobKind::Transcribing] {
            let Some(job) = self.jobs.get_mut(kind).as_mut().filter(|job| job.is_open()) else {
                continue;
            };
            job.pause_wanted = wanted;
            let (id, record) = (job.id.clone(), job.record(&self.id));
            self.out.store(Record::Job(record));
            self.tell_of_pause(id, wanted);
        }
        let recording = self.jobs.recording.as_ref().map(Job::view);
        recording.ok_or(RecordingError::NotInProgress)
    }

    fn tell_of_pause(&mut self, job: JobId, wanted: bool) {
        let news = if wanted {
            News::JobPause(job)
        } else {
            News::JobResume(job)
        };
        self.out.tell(To::Bot, news);
    }

    /// What a bot did not hear while it was away.
    pub(super) fn remind_bot(&mut self, kind: JobKind) {
        let job = self.jobs.get_mut(kind).as_ref();
        let Some(job) = job.filter(|job| job.is_open()) else {
            return;
        };
        if job.pause_wanted || job.paused_at_ms > 0 {
            let (id, wanted) = (job.id.clone(), job.pause_wanted);
            self.tell_of_pause(id, wanted);
        }
    }

    /// The bot of a job says that it pauses, or that it goes on.
    pub(super) fn note_pause(
        &mut self,
        kind: JobKind,
        paused: bool,
        at: Moment,
    ) -> Result<(), JobStatusError> {
        let job = self.jobs.get_mut(kind).as_ref();
        let job = job.ok_or(JobStatusError::NoJob)?;
        if !job.is_open() {
            return Err(JobStatusError::Ended);
        }
        if !job.is_running() {
            return Err(JobStatusError::NotStarted);
        }
        // Said again by a bot that did not hear our answer.
        if paused == (job.paused_at_ms > 0) {
            return Ok(());
        }
        let since = if paused { at.unix_ms } else { 0 };
        self.change_job(kind, |job| job.paused_at_ms = since);
        if kind == JobKind::Transcribing {
            self.change_job(JobKind::Captioning, |job| job.paused_at_ms = since);
        }
        Ok(())
    }

    /// How much is made of what comes of an ended job. Not kept: the bot says more in a moment.
    pub(super) fn note_progress(
        &mut self,
        kind: JobKind,
        percent: u8,
    ) -> Result<(), JobStatusError> {
        let job = self.jobs.get_mut(kind).as_mut();
        let job = job.ok_or(JobStatusError::NoJob)?;
        if job.is_open() {
            return Err(JobStatusError::NotEnded);
        }
        if job.advance(percent) {
            let news = News::Job(job.view());
            self.tell_participants(news);
        }
        Ok(())
    }
}
