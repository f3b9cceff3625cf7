//! What the host, the bot and the job service ask of jobs.

use proto::id::{JobId, UserId};

use super::{Job, JobFailure, JobKind, JobView};
use crate::call::Call;
use crate::conversation::Conversation;
use crate::io::Moment;
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
}

/// What a bot says about its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStatus {
    Started,
    Failed {
        /// In the bot's words.
        reason: String,
    },
}

/// Why a bot's report was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatusError {
    NoCall,
    NoJob,
    OtherJob,
    Ended,
    AlreadyStarted,
}

impl Call {
    /// Starts recording (and transcribing, captioning where enabled). Returns the recording's state
    /// and id; the job service's answer comes later.
    ///
    /// # Errors
    /// When recording is not possible here, `by` is not the host, or one runs already.
    pub fn start_recording(
        &mut self,
        by: &UserId,
        at: Moment,
    ) -> Result<(JobId, JobView), RecordingError> {
        let call = self.hosted(by)?;
        if call.jobs.recording.as_ref().is_some_and(Job::is_open) {
            return Err(RecordingError::InProgress);
        }
        let job = call.request_job(JobKind::Recording, by, at);
        // What an earlier recording of the same call left behind.
        call.jobs.transcribing = None;
        call.jobs.captioning = None;
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
            JobStatus::Started if !job.is_open() => return Err(JobStatusError::Ended),
            JobStatus::Started if job.start_at_ms > 0 => {
                return Err(JobStatusError::AlreadyStarted);
            }
            JobStatus::Started => {
                let started = |job: &mut Job| job.start_at_ms = at.unix_ms;
                call.change_job(kind, started);
                if kind == JobKind::Transcribing {
                    call.change_job(JobKind::Captioning, started);
                }
            }
        }
        Ok(())
    }

    /// The running call, if recording is possible here and `by` is its host.
    fn hosted(&mut self, by: &UserId) -> Result<&mut Conversation, RecordingError> {
        if !self.features().recordings {
            return Err(RecordingError::Disabled);
        }
        if !self.features().job_service {
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
        answer: Result<String, String>,
        at: Moment,
    ) {
        let features = self.setting.features.clone();
        let Some(kind) = self.jobs.bot_job(id).map(|job| job.kind) else {
            return;
        };
        let service_id = match answer {
            Ok(service_id) => service_id,
            Err(reason) => {
                return self.fail_job(kind, JobFailure::NotTaken { kind, reason }, at);
            }
        };
        let Some(job) = self.jobs.get_mut(kind) else {
            return;
        };
        job.service_id = service_id;
        let (open, creator) = (job.is_open(), job.creator.clone());
        self.out.store(Record::Job(job.record(&self.id)));
        if !open {
            return;
        }
        if kind == JobKind::Recording && features.transcriptions {
            self.request_job(JobKind::Transcribing, &creator, at);
            if features.captions {
                let job = Job::new(JobKind::Captioning, &creator, at);
                self.announce_job(&job);
                self.jobs.captioning = Some(job);
            }
            return;
        }
        self.note_jobs();
    }
}
