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

mod commands;

use std::time::Instant;

use proto::calls::event::{JobNews, JobStop};
use proto::calls::{Event, JobKind, JobState};
use proto::id::{CallId, ConnId, JobId, UserId};

use crate::JOB_START_LIMIT;
use crate::announce::Outbox;
use crate::call::Call;
use crate::call::session::Session;
use crate::io::{JobRecord, JobRequest, Moment, Output, PostEdit, Record};

pub use commands::{JobStatus, JobStatusError, RecordingError};

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

impl Job {
    pub(super) fn new(kind: JobKind, creator: &UserId, at: Moment) -> Self {
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

    pub(super) fn is_open(&self) -> bool {
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
    pub(super) fn announce_job(&self, out: &mut Outbox, job: &Job) {
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

    pub(super) fn change_job(
        &mut self,
        out: &mut Outbox,
        kind: JobKind,
        change: impl FnOnce(&mut Job),
    ) {
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
    pub(super) fn fail_job(&mut self, out: &mut Outbox, kind: JobKind, err: String, at: Moment) {
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
}

impl Call {
    pub(super) fn request_job(
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
    pub(super) fn note_jobs(&mut self, out: &mut Outbox) {
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
