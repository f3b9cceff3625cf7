//! What the host, the bot and the job service ask of jobs.

use proto::id::{JobId, UserId};

use super::{Job, JobFailure, JobKind, JobView};
use crate::call::Call;
use crate::conversation::Conversation;
use crate::io::{JobTaken, Moment};
use crate::record::Record;

/// Why recording was not started or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingError {
    Disabled,
    NoJobService,
    NoCall,
    NotHost,
    InProgress,
    NotInProgress,
    AlreadyPaused,
    NotPaused,
}

/// What a bot says about its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStatus {
    Started,
    Failed {
        /// In the bot's words.
        reason: String,
    },
    /// It ended too early, and what was taken until then will come.
    CutOff {
        reason: String,
    },
    /// It failed, and nothing will come of it.
    Lost {
        reason: String,
    },
    /// Nothing is taken until it has resumed.
    Paused,
    Resumed,
    /// How much is made after the end, in per cent.
    Progress(u8),
}

/// Why a bot's report was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatusError {
    NoCall,
    NoJob,
    OtherJob,
    Ended,
    AlreadyStarted,
    NotStarted,
    NotEnded,
}

impl Call {
    /// Starts recording (and transcribing, captioning where enabled). Returns the recording's state
    /// and id; the job service's answer comes later. `no_speech`: why nothing would come of
    /// transcribing, where that is known; it is told instead of asked for.
    ///
    /// # Errors
    /// When recording is not possible here, `by` is not the host, or one runs already.
    pub fn start_recording(
        &mut self,
        by: &UserId,
        no_speech: Option<String>,
        at: Moment,
    ) -> Result<(JobId, JobView), RecordingError> {
        let call = self.hosted(by)?;
        if call.jobs.recording.as_ref().is_some_and(Job::is_open) {
            return Err(RecordingError::InProgress);
        }
        call.jobs.further = 0;
        let job = call.request_recording(by, no_speech, at);
        Ok((job.id.clone(), job.view()))
    }

    /// Stops recording and what runs beside it.
    ///
    /// # Errors
    /// When recording is not possible here, `by` is not the host, or none runs.
    pub fn stop_recording(&mut self, by: &UserId, at: Moment) -> Result<JobView, RecordingError> {
        let call = self.hosted(by)?;
        if !call.jobs.recording.as_ref().is_some_and(Job::is_open) {
            return Err(RecordingError::NotInProgress);
        }
        call.stop_jobs(at);
        let stopped = call.jobs.recording.as_ref().map(Job::view);
        stopped.ok_or(RecordingError::NotInProgress)
    }

    /// Takes a bot's report about its job.
    ///
    /// # Errors
    /// When there is no such job, or it cannot start any more.
    pub fn report_job(
        &mut self,
        id: &JobId,
        kind: JobKind,
        status: JobStatus,
        at: Moment,
    ) -> Result<(), JobStatusError> {
        let call = self.any_mut().ok_or(JobStatusError::NoCall)?;
        let job = call.jobs.get_mut(kind).as_ref();
        let job = job.ok_or(JobStatusError::NoJob)?;
        if job.id != *id {
            return Err(JobStatusError::OtherJob);
        }
        match status {
            JobStatus::Failed { reason } => call.fail_job(kind, JobFailure::Told(reason), at),
            JobStatus::CutOff { reason } => call.fail_job(kind, JobFailure::CutOff(reason), at),
            JobStatus::Lost { reason } => call.fail_job(kind, JobFailure::Lost(reason), at),
            JobStatus::Started if !job.is_open() => return Err(JobStatusError::Ended),
            JobStatus::Started if job.start_at_ms > 0 => {
                return Err(JobStatusError::AlreadyStarted);
            }
            JobStatus::Paused => return call.note_pause(kind, true, at),
            JobStatus::Resumed => return call.note_pause(kind, false, at),
            JobStatus::Progress(percent) => return call.note_progress(kind, percent),
            JobStatus::Started => {
                let started = |job: &mut Job| job.start(at);
                call.change_job(kind, started);
                if kind == JobKind::Transcribing {
                    call.change_job(JobKind::Captioning, started);
                }
            }
        }
        Ok(())
    }

    /// The running call, if recording is possible here and `by` is its host.
    pub(super) fn hosted(&mut self, by: &UserId) -> Result<&mut Conversation, RecordingError> {
        if !self.features().recordings {
            return Err(RecordingError::Disabled);
        }
        if self.features().job_services == 0 {
            return Err(RecordingError::NoJobService);
        }
        let call = self.running_mut().ok_or(RecordingError::NoCall)?;
        if call.host.as_ref() != Some(by) {
            return Err(RecordingError::NotHost);
        }
        Ok(call)
    }
}

impl Conversation {
    pub(crate) fn handle_job_answered(
        &mut self,
        id: &JobId,
        answer: Result<JobTaken, String>,
        at: Moment,
    ) {
        let transcriptions = self.setting.features.transcriptions;
        let Some(kind) = self.jobs.bot_job(id).map(|job| job.kind) else {
            return;
        };
        let taken = match answer {
            Ok(taken) => taken,
            Err(reason) => {
                // The recording goes on without: the post names both before it says so.
                if kind == JobKind::Transcribing {
                    self.note_jobs();
                }
                return self.fail_job(kind, JobFailure::NotTaken { kind, reason }, at);
            }
        };
        let Some(job) = self.jobs.get_mut(kind) else {
            return;
        };
        job.taken_as(taken, at);
        let (open, creator) = (job.is_open(), job.creator.clone());
        self.out.store(Record::Job(job.record(&self.id)));
        if !open {
            return;
        }
        if kind == JobKind::Recording && transcriptions {
            return match self.jobs.no_speech.take() {
                Some(why) => self.do_without_transcript(&creator, why, at),
                None => self.request_transcript(&creator, at),
            };
        }
        self.note_jobs();
    }

    fn request_transcript(&mut self, creator: &UserId, at: Moment) {
        let is_paused = self
            .jobs
            .recording
            .as_ref()
            .is_some_and(|job| job.pause_wanted);
        self.request_job(JobKind::Transcribing, creator, at);
        if let Some(job) = self.jobs.transcribing.as_mut().filter(|_| is_paused) {
            job.pause_wanted = true;
            let record = job.record(&self.id);
            self.out.store(Record::Job(record));
        }
        if self.setting.features.captions {
            let job = Job::new(JobKind::Captioning, creator, at);
            self.announce_job(&job);
            self.jobs.captioning = Some(job);
        }
    }

    /// Says why there will be none, to everybody and at once, instead of promising one.
    fn do_without_transcript(&mut self, creator: &UserId, why: String, at: Moment) {
        let job = |kind| Some(Job::new(kind, creator, at));
        self.jobs.transcribing = job(JobKind::Transcribing);
        if self.setting.features.captions {
            self.jobs.captioning = job(JobKind::Captioning);
        }
        self.note_jobs();
        self.fail_job(JobKind::Transcribing, JobFailure::NoSpeech(why), at);
    }
}
