//! Recording, transcribing and captioning: from the host's request to the end.
//!
//! ```text
//! (none) --host starts--> requested --bot reports started--> running --stop--> ended
//!                             |                                 |
//!                             +--refused, failed, 60 s----------+--bot left, failed--> ended
//! ```
//! The end of recording ends transcribing; a transcript may fail alone, and the recording goes on.
//! A bot that vanishes, or loses its media, may be followed by another; if none comes in time, the job has
//! failed. Where there are several job services, a recording that fails so goes on as a further one
//! (`further`), for somebody wanted it.
//! Captioning has no process of its own and follows transcribing.
//! Invariants: an ended job never runs again; a new request makes new jobs; transcribing never
//! outlives recording.

mod commands;
mod further;
mod job;
mod pause;

use std::time::Instant;

use proto::id::{ConnId, JobId, SessionId, UserId};

use crate::conversation::Conversation;
use crate::io::{JobRequest, Moment, Output, PostEdit};
use crate::news::{News, To};
use crate::record::Record;

pub use commands::{JobStatus, JobStatusError, RecordingError};
pub(crate) use job::Job;
pub use job::{JobFailure, JobKind, JobView};

/// The jobs of one call, the newest of each kind.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) recording: Option<Job>,
    pub(crate) transcribing: Option<Job>,
    pub(crate) captioning: Option<Job>,
    /// Why nothing would come of transcribing, known when the recording was asked for.
    no_speech: Option<String>,
    /// How often the recording that was wanted went on as a further one.
    further: u32,
}

impl Jobs {
    /// The job a bot came for.
    pub(crate) fn bot_job(&self, id: &JobId) -> Option<&Job> {
        [&self.recording, &self.transcribing]
            .into_iter()
            .flatten()
            .find(|job| job.id == *id)
    }

    pub(crate) fn get_mut(&mut self, kind: JobKind) -> &mut Option<Job> {
        match kind {
            JobKind::Recording => &mut self.recording,
            JobKind::Transcribing => &mut self.transcribing,
            JobKind::Captioning => &mut self.captioning,
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Job> {
        let Self {
            recording,
            transcribing,
            captioning,
            no_speech: _,
            further: _,
        } = self;
        [recording, transcribing, captioning].into_iter().flatten()
    }

    /// The bot on this connection is asked to begin anew.
    pub(crate) fn note_move(&mut self, connection: &ConnId) {
        let mut jobs = self.all_mut();
        if let Some(job) = jobs.find(|job| job.bot_connection.as_ref() == Some(connection)) {
            job.note_move();
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [&self.recording, &self.transcribing]
            .into_iter()
            .flatten()
            .filter_map(Job::deadline)
            .min()
    }
}

impl Conversation {
    /// Tells everybody, and the disk, how a job stands.
    fn announce_job(&mut self, job: &Job) {
        self.out.store(Record::Job(job.record(&self.id)));
        let news = News::Job(job.view());
        if self.people().next().is_some() {
            self.tell_participants(news);
        } else {
            self.out.tell(To::Room, news);
        }
    }

    fn change_job(&mut self, kind: JobKind, change: impl FnOnce(&mut Job)) {
        let Some(job) = self.jobs.get_mut(kind) else {
            return;
        };
        change(job);
        let job = job.clone();
        self.announce_job(&job);
    }

    /// Ends every open job and sends its bot away.
    pub(crate) fn stop_jobs(&mut self, at: Moment) {
        self.stop_with(JobKind::Recording, at);
    }

    /// Ends a job and those that mean nothing without it, as far as they are open.
    pub(crate) fn stop_with(&mut self, kind: JobKind, at: Moment) {
        let ending: &[JobKind] = match kind {
            JobKind::Recording => &[
                JobKind::Recording,
                JobKind::Transcribing,
                JobKind::Captioning,
            ],
            JobKind::Transcribing | JobKind::Captioning => {
                &[JobKind::Transcribing, JobKind::Captioning]
            }
        };
        for &kind in ending {
            let Some(job) = self.jobs.get_mut(kind).as_mut().filter(|job| job.is_open()) else {
                continue;
            };
            job.end(at);
            let job = job.clone();
            if kind != JobKind::Captioning {
                self.out.tell(To::Bot, News::JobStop(job.id.clone()));
            }
            self.announce_job(&job);
        }
    }

    /// Ends a job with a reason people can read, and those that mean nothing without it.
    pub(crate) fn fail_job(&mut self, kind: JobKind, failure: JobFailure, at: Moment) {
        if let Some(job) = self.jobs.get_mut(kind) {
            job.failure = Some(failure.clone());
        }
        self.say_that_nothing_comes(kind, &failure);
        let was_open = self.jobs.get_mut(kind).as_ref().is_some_and(Job::is_open);
        let further = self.wanted_further(kind, &failure);
        if kind == JobKind::Transcribing
            && let Some(captioning) = &mut self.jobs.captioning
        {
            captioning.failure = Some(failure);
        }
        if was_open {
            self.stop_with(kind, at);
        } else {
            self.change_job(kind, |_| {});
        }
        if let Some(wanted) = further {
            self.go_on_further(wanted, at);
        }
    }

    /// In the call's thread: whoever comes later looks there.
    fn say_that_nothing_comes(&mut self, kind: JobKind, failure: &JobFailure) {
        let job = self.jobs.get_mut(kind).as_ref().map(|job| job.id.clone());
        let (Some(job), Some(post)) = (job, self.post.clone()) else {
            return;
        };
        if let Some(edit) = failure.in_the_thread(kind, job) {
            self.out.push(Output::EditPost { post, edit });
        }
    }

    pub(crate) fn fail_late_jobs(&mut self, at: Moment) {
        for kind in [JobKind::Recording, JobKind::Transcribing] {
            let job = self.jobs.get_mut(kind).as_ref();
            let Some(job) = job.filter(|job| job.is_late(at.now)) else {
                continue;
            };
            let failure = if job.is_running() {
                JobFailure::BotVanished(kind)
            } else {
                JobFailure::BotDidNotCome(kind)
            };
            self.fail_job(kind, failure, at);
        }
    }

    pub(crate) fn bot_joined(&mut self, job: &JobId, connection: &ConnId) {
        let Some(kind) = self.jobs.bot_job(job).map(|job| job.kind) else {
            return;
        };
        if let Some(job) = self.jobs.get_mut(kind) {
            job.has_bot(connection);
            self.out.store(Record::Job(job.record(&self.id)));
        }
        // The transcribing bot must learn of a recording that runs already.
        if let Some(recording) = self.jobs.recording.clone() {
            self.announce_job(&recording);
        }
        self.remind_bot(kind);
    }

    /// A bot whose media is gone is asked to begin anew, and the job goes on without it meanwhile.
    pub(crate) fn ask_bot_to_begin_anew(&mut self, bot: &SessionId, at: Moment) {
        let bot = self.sessions.get(bot).filter(|session| session.is_bot);
        let Some((connection, session)) = bot.map(|bot| (bot.connection.clone(), bot.id.clone()))
        else {
            return;
        };
        let mut jobs = self.jobs.all_mut();
        let its =
            jobs.find(|job| job.is_running() && job.bot_connection == Some(connection.clone()));
        if let Some(job) = its {
            job.await_another(at);
            self.out
                .tell_connection(&connection, News::MediaMoves { session });
        }
    }

    pub(crate) fn bot_moved(&mut self, previous: &ConnId, now_at: &ConnId) {
        let mut moved = Vec::new();
        for job in self.jobs.all_mut() {
            if job.bot_connection.as_ref() == Some(previous) {
                job.has_bot(now_at);
                self.out.store(Record::Job(job.record(&self.id)));
                moved.push(job.kind);
            }
        }
        for kind in moved {
            self.remind_bot(kind);
        }
    }

    /// Asks for a recording; what belongs to it is asked for when it was taken.
    fn request_recording(&mut self, by: &UserId, no_speech: Option<String>, at: Moment) -> Job {
        let job = self.request_job(JobKind::Recording, by, at);
        // What an earlier recording of the same call left behind.
        self.jobs.transcribing = None;
        self.jobs.captioning = None;
        self.jobs.no_speech = no_speech;
        job
    }

    fn request_job(&mut self, kind: JobKind, creator: &UserId, at: Moment) -> Job {
        let job = Job::new(kind, creator, at);
        self.announce_job(&job);
        if let Some(post) = self.post.clone() {
            let id = job.id.clone();
            self.out.push(Output::RequestJob(JobRequest {
                job: id,
                kind,
                post,
                is_further: self.jobs.further > 0,
            }));
        }
        *self.jobs.get_mut(kind) = Some(job.clone());
        job
    }

    /// Every service has accepted: the post names the jobs, and people see the state again.
    fn note_jobs(&mut self) {
        let Some(recording) = self.jobs.recording.clone() else {
            return;
        };
        if let Some(post) = self.post.clone() {
            let transcribing = self.jobs.transcribing.as_ref().map(|job| job.id.clone());
            let edit = PostEdit::Jobs {
                recording: recording.id.clone(),
                transcribing,
            };
            self.out.push(Output::EditPost { post, edit });
        }
        self.announce_job(&recording);
    }
}
