//! What the host, the bot and the job service ask of jobs.

use std::collections::BTreeMap;

use proto::calls::{JobKind, JobState};
use proto::id::{ChannelId, JobId, UserId};

use super::Job;
use crate::call::Call;
use crate::calls::Calls;
use crate::io::{Features, Moment, Record};

/// Why recording was not started or stopped; the texts are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    #[error("recordings are not enabled")]
    Disabled,
    #[error("job service is not initialized")]
    NoJobService,
    #[error("no call ongoing")]
    NoCall,
    #[error("no permissions to record")]
    NotHost,
    #[error("recording already in progress")]
    InProgress,
    #[error("no recording in progress")]
    NotInProgress,
}

/// What a bot says about its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStatus {
    Started,
    Failed { err: String },
}

/// Why a bot's report was refused; the texts are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JobStatusError {
    #[error("no call ongoing")]
    NoCall,
    #[error("no job ongoing")]
    NoJob,
    #[error("invalid job ID")]
    OtherJob,
    #[error("job has ended")]
    Ended,
    #[error("job has already started")]
    AlreadyStarted,
}

impl Calls {
    /// Starts recording (and transcribing, captioning where enabled). Returns the recording's state
    /// and id; the job service's answer comes later.
    ///
    /// # Errors
    /// When recording is not possible here, `by` is not the host, or one runs already.
    pub fn start_recording(
        &mut self,
        channel: &ChannelId,
        by: &UserId,
        at: Moment,
    ) -> Result<(JobId, JobState), RecordingError> {
        let call = check_host(&self.features, &mut self.calls, channel, by)?;
        if call.jobs.recording.as_ref().is_some_and(Job::is_open) {
            return Err(RecordingError::InProgress);
        }
        let job = call.request_job(&mut self.out, JobKind::Recording, by, at);
        // What an earlier recording of the same call left behind.
        call.jobs.transcribing = None;
        call.jobs.captioning = None;
        Ok((job.id.clone(), job.state()))
    }

    /// Stops recording and what runs beside it.
    ///
    /// # Errors
    /// When recording is not possible here, `by` is not the host, or none runs.
    pub fn stop_recording(
        &mut self,
        channel: &ChannelId,
        by: &UserId,
        at: Moment,
    ) -> Result<JobState, RecordingError> {
        let call = check_host(&self.features, &mut self.calls, channel, by)?;
        if !call.jobs.recording.as_ref().is_some_and(Job::is_open) {
            return Err(RecordingError::NotInProgress);
        }
        call.stop_jobs(&mut self.out, at);
        call.jobs
            .recording
            .as_ref()
            .map(Job::state)
            .ok_or(RecordingError::NotInProgress)
    }

    /// Takes a bot's report about its job.
    ///
    /// # Errors
    /// When there is no such job, or it cannot start any more.
    pub fn report_job(
        &mut self,
        channel: &ChannelId,
        id: &JobId,
        kind: JobKind,
        status: JobStatus,
        at: Moment,
    ) -> Result<(), JobStatusError> {
        let call = self.calls.get_mut(channel).ok_or(JobStatusError::NoCall)?;
        let job = call
            .jobs
            .get_mut(kind)
            .as_ref()
            .ok_or(JobStatusError::NoJob)?;
        if job.id != *id {
            return Err(JobStatusError::OtherJob);
        }
        match status {
            JobStatus::Failed { err } => call.fail_job(&mut self.out, kind, err, at),
            JobStatus::Started if !job.is_open() => return Err(JobStatusError::Ended),
            JobStatus::Started if job.start_at_ms > 0 => {
                return Err(JobStatusError::AlreadyStarted);
            }
            JobStatus::Started => {
                let started = |job: &mut Job| job.start_at_ms = at.unix_ms;
                call.change_job(&mut self.out, kind, started);
                if kind == JobKind::Transcribing {
                    call.change_job(&mut self.out, JobKind::Captioning, started);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn handle_job_answered(
        &mut self,
        channel: &ChannelId,
        id: &JobId,
        answer: Result<String, String>,
        at: Moment,
    ) {
        let (transcriptions, captions) = (self.features.transcriptions, self.features.captions);
        let Some(call) = self.calls.get_mut(channel) else {
            return;
        };
        let Some(kind) = call.jobs.bot_job(id).map(|job| job.kind) else {
            return;
        };
        let service_id = match answer {
            Ok(service_id) => service_id,
            Err(err) => {
                let name = kind.as_str();
                let err = format!("failed to create {name} job: {err}");
                return call.fail_job(&mut self.out, kind, err, at);
            }
        };
        let Some(job) = call.jobs.get_mut(kind) else {
            return;
        };
        job.service_id = service_id;
        let (open, creator) = (job.is_open(), job.creator.clone());
        self.out.store(Record::Job(job.record(&call.id)));
        if !open {
            return;
        }
        if kind == JobKind::Recording && transcriptions {
            call.request_job(&mut self.out, JobKind::Transcribing, &creator, at);
            if captions {
                let job = Job::new(JobKind::Captioning, &creator, at);
                call.announce_job(&mut self.out, &job);
                call.jobs.captioning = Some(job);
            }
            return;
        }
        call.note_jobs(&mut self.out);
    }
}

fn check_host<'a>(
    features: &Features,
    calls: &'a mut BTreeMap<ChannelId, Call>,
    channel: &ChannelId,
    by: &UserId,
) -> Result<&'a mut Call, RecordingError> {
    if !features.recordings {
        return Err(RecordingError::Disabled);
    }
    if !features.job_service {
        return Err(RecordingError::NoJobService);
    }
    let call = calls.get_mut(channel).filter(|call| call.post.is_some());
    let call = call.ok_or(RecordingError::NoCall)?;
    if call.host.as_ref() != Some(by) {
        return Err(RecordingError::NotHost);
    }
    Ok(call)
}
