//! Recording, transcribing and captioning: from the host's request to the end.
//!
//! ```text
//! (none) --host starts--> requested --bot reports started--> running --stop--> ended
//!                             |                                 |
//!                             +--refused, failed, 60 s----------+--bot left, failed--> ended
//! ```
//! Recording and transcribing are coupled: the end of one ends the other. Captioning has no
//! process of its own and follows transcribing.
//! Invariant: an ended job never runs again; a new request makes new jobs.

use std::time::Instant;

use proto::calls::event::{JobNews, JobStop};
use proto::calls::{Event, JobKind, JobState};
use proto::id::{CallId, ChannelId, ConnId, JobId, UserId};

use crate::JOB_START_LIMIT;
use crate::announce::Outbox;
use crate::call::Call;
use crate::call::session::Session;
use crate::calls::Calls;
use crate::io::{JobRecord, JobRequest, Moment, Output, PostEdit, Record};

/// The jobs of one call, the newest of each kind.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) recording: Option<Job>,
    pub(crate) transcribing: Option<Job>,
    pub(crate) captioning: Option<Job>,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) kind: JobKind,
    pub(crate) creator: UserId,
    pub(crate) init_at_ms: i64,
    pub(crate) start_at_ms: i64,
    pub(crate) end_at_ms: i64,
    pub(crate) err: String,
    pub(crate) service_id: String,
    pub(crate) bot_connection: Option<ConnId>,
    /// When it has failed unless its bot reported that it runs.
    start_until: Instant,
}

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

impl Job {
    fn new(kind: JobKind, creator: &UserId, at: Moment) -> Self {
        Self {
            id: JobId::random(),
            kind,
            creator: creator.clone(),
            init_at_ms: at.unix_ms,
            start_at_ms: 0,
            end_at_ms: 0,
            err: String::new(),
            service_id: String::new(),
            bot_connection: None,
            start_until: at.now + JOB_START_LIMIT,
        }
    }

    pub(crate) fn restored(record: JobRecord, at: Moment) -> Self {
        Self {
            id: record.id,
            kind: record.kind,
            creator: record.creator,
            init_at_ms: record.init_at_ms,
            start_at_ms: record.start_at_ms,
            end_at_ms: record.end_at_ms,
            err: record.err,
            service_id: record.service_id,
            bot_connection: record.bot_connection,
            start_until: at.now + JOB_START_LIMIT,
        }
    }

    pub(crate) fn state(&self) -> JobState {
        JobState {
            kind: self.kind,
            init_at: self.init_at_ms,
            start_at: self.start_at_ms,
            end_at: self.end_at_ms,
            err: self.err.clone(),
        }
    }

    fn record(&self, call: &CallId) -> JobRecord {
        JobRecord {
            id: self.id.clone(),
            call: call.clone(),
            kind: self.kind,
            creator: self.creator.clone(),
            init_at_ms: self.init_at_ms,
            start_at_ms: self.start_at_ms,
            end_at_ms: self.end_at_ms,
            err: self.err.clone(),
            service_id: self.service_id.clone(),
            bot_connection: self.bot_connection.clone(),
        }
    }

    fn is_open(&self) -> bool {
        self.end_at_ms == 0
    }

    fn is_late(&self, now: Instant) -> bool {
        self.is_open() && self.start_at_ms == 0 && self.start_until <= now
    }
}

impl Jobs {
    /// The job a bot came for.
    pub(crate) fn bot_job(&self, id: &JobId) -> Option<&Job> {
        [&self.recording, &self.transcribing]
            .into_iter()
            .flatten()
            .find(|job| job.id == *id)
    }

    fn get_mut(&mut self, kind: JobKind) -> &mut Option<Job> {
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
        } = self;
        [recording, transcribing, captioning].into_iter().flatten()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [&self.recording, &self.transcribing]
            .into_iter()
            .flatten()
            .filter(|job| job.is_open() && job.start_at_ms == 0)
            .map(|job| job.start_until)
            .min()
    }
}

impl Call {
    /// Tells everybody, and the disk, how a job stands.
    fn announce_job(&self, out: &mut Outbox, job: &Job) {
        out.store(Record::Job(job.record(&self.id)));
        let news = Event::CallJobState(JobNews {
            channel: self.channel.clone(),
            state: job.state(),
        });
        if self.people().next().is_some() {
            self.to_participants(out, &news);
        } else {
            out.tell_channel(&self.channel, news);
        }
    }

    fn change_job(&mut self, out: &mut Outbox, kind: JobKind, change: impl FnOnce(&mut Job)) {
        let Some(job) = self.jobs.get_mut(kind) else {
            return;
        };
        change(job);
        let job = job.clone();
        self.announce_job(out, &job);
    }

    /// Ends every open job and sends its bot away.
    pub(crate) fn stop_jobs(&mut self, out: &mut Outbox, at: Moment) {
        let open: Vec<JobKind> = self
            .jobs
            .all_mut()
            .filter(|job| job.is_open())
            .map(|job| job.kind)
            .collect();
        for kind in open {
            let Some(job) = self.jobs.get_mut(kind) else {
                continue;
            };
            job.end_at_ms = at.unix_ms;
            let job = job.clone();
            if kind != JobKind::Captioning {
                let stop = JobStop {
                    job_id: job.id.clone(),
                };
                out.tell_bot(&self.channel, Event::JobStop(stop));
            }
            self.announce_job(out, &job);
        }
    }

    /// Ends a job with a reason people can read, and its siblings with it.
    fn fail_job(&mut self, out: &mut Outbox, kind: JobKind, err: String, at: Moment) {
        if let Some(job) = self.jobs.get_mut(kind) {
            job.err.clone_from(&err);
        }
        let was_open = self.jobs.get_mut(kind).as_ref().is_some_and(Job::is_open);
        if kind == JobKind::Transcribing
            && let Some(captioning) = &mut self.jobs.captioning
        {
            captioning.err = err;
        }
        if was_open {
            self.stop_jobs(out, at);
        } else {
            self.change_job(out, kind, |_| {});
        }
    }

    pub(crate) fn fail_late_jobs(&mut self, out: &mut Outbox, at: Moment) {
        for kind in [JobKind::Recording, JobKind::Transcribing] {
            if self
                .jobs
                .get_mut(kind)
                .as_ref()
                .is_some_and(|job| job.is_late(at.now))
            {
                let name = kind.as_str();
                let err =
                    format!("failed to start {name} job: timed out waiting for bot to join call");
                self.fail_job(out, kind, err, at);
            }
        }
    }

    pub(crate) fn bot_joined(&mut self, out: &mut Outbox, job: &JobId, connection: &ConnId) {
        let Some(kind) = self.jobs.bot_job(job).map(|job| job.kind) else {
            return;
        };
        if let Some(job) = self.jobs.get_mut(kind) {
            job.bot_connection = Some(connection.clone());
            out.store(Record::Job(job.record(&self.id)));
        }
        // The transcribing bot must learn of a recording that runs already.
        if let Some(recording) = self.jobs.recording.clone() {
            self.announce_job(out, &recording);
        }
    }

    pub(crate) fn bot_moved(&mut self, out: &mut Outbox, previous: &ConnId, now_at: &ConnId) {
        let call = self.id.clone();
        for job in self.jobs.all_mut() {
            if job.bot_connection.as_ref() == Some(previous) {
                job.bot_connection = Some(now_at.clone());
                out.store(Record::Job(job.record(&call)));
            }
        }
    }

    /// The bot went away: its job is over, and so is the sibling.
    pub(crate) fn bot_left(&mut self, out: &mut Outbox, bot: &Session, at: Moment) {
        let job = bot.job.as_ref().and_then(|id| self.jobs.bot_job(id));
        if job.is_some_and(Job::is_open) {
            self.stop_jobs(out, at);
        }
    }

    pub(crate) fn restored(
        stored: crate::io::RestoredCall,
        bot: &UserId,
        at: Moment,
        grace: std::time::Duration,
    ) -> Self {
        let call = stored.call;
        let mut jobs = Jobs::default();
        for record in stored.jobs {
            let kind = record.kind;
            *jobs.get_mut(kind) = Some(Job::restored(record, at));
        }
        let sessions = stored.sessions.into_iter().map(|record| {
            let session = Session {
                is_bot: record.user == *bot,
                id: record.id,
                user: record.user,
                login: record.login,
                connection: record.connection,
                join_at_ms: record.join_at_ms,
                unmuted: record.unmuted,
                raised_hand_ms: record.raised_hand_ms,
                video: record.video,
                job: record.job,
                lost_until: Some(at.now + grace),
                removed_until: None,
                allowance: crate::limit::Allowance::full(at.now),
            };
            (session.id.clone(), session)
        });
        let sessions: std::collections::BTreeMap<_, _> = sessions.collect();
        Self {
            id: call.id,
            channel: call.channel,
            title: call.title,
            start_at_ms: call.start_at_ms,
            owner: call.owner,
            host: call.host,
            host_locked: call.host_locked,
            post: call.post,
            thread: call.thread,
            presenter: call
                .presenter
                .filter(|presenter| sessions.contains_key(presenter)),
            sessions,
            participants: call.participants,
            dismissed: call.dismissed,
            media: call.media,
            jobs,
            waiting: Vec::new(),
            ends_until: None,
        }
    }
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

impl Call {
    fn request_job(
        &mut self,
        out: &mut Outbox,
        kind: JobKind,
        creator: &UserId,
        at: Moment,
    ) -> Job {
        let job = Job::new(kind, creator, at);
        self.announce_job(out, &job);
        if let Some(post) = self.post.clone() {
            let (channel, id) = (self.channel.clone(), job.id.clone());
            out.push(Output::RequestJob(JobRequest {
                channel,
                job: id,
                kind,
                post,
            }));
        }
        *self.jobs.get_mut(kind) = Some(job.clone());
        job
    }

    /// Every service has accepted: the post names the jobs, and people see the state again.
    fn note_jobs(&mut self, out: &mut Outbox) {
        let Some(recording) = self.jobs.recording.clone() else {
            return;
        };
        if let Some(post) = self.post.clone() {
            let transcribing = self.jobs.transcribing.as_ref().map(|job| job.id.clone());
            let edit = PostEdit::Jobs {
                recording: recording.id.clone(),
                transcribing,
            };
            out.push(Output::EditPost { post, edit });
        }
        self.announce_job(out, &recording);
    }
}

fn check_host<'a>(
    features: &crate::io::Features,
    calls: &'a mut std::collections::BTreeMap<ChannelId, Call>,
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
