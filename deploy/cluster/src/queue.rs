//! Jobs for whoever has room. At least once, and each attempt begun by one worker only.
//!
//! What no engine can give is exactly one execution over a crash: a worker that dies leaves a job
//! half done, and the next begins it as a further attempt.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Error, Feed};

/// Without a sign of its worker a job goes to another after this: more than twice the longest election
/// of an engine, so that an election does not look like a dead worker.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often a worker gives a sign.
pub const EXTEND: Duration = Duration::from_secs(5);
/// Starts after which nobody begins a job any more.
pub const MOST_STARTS: u32 = 5;
/// Jobs that wait or run at most.
pub const MOST_JOBS: usize = 10_000;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// One token, used once: a second job of the same id is the first.
    pub id: String,
    pub body: Vec<u8>,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    New,
    /// It waits or runs already.
    Duplicate,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Somebody has begun it for the `start`th time, and may have died over it.
    Running {
        worker: String,
        start: u32,
    },
    /// Given back; it waits to be begun again.
    Returned {
        start: u32,
    },
    Done {
        result: Vec<u8>,
    },
    Dead {
        reason: String,
    },
}

/// A job that nobody could do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadJob {
    pub job: Job,
    pub starts: u32,
    /// Who tried last.
    pub worker: String,
    pub reason: String,
}

/// Jobs that wait.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Adds a job. By its id it is the same job however often it is added, so that after `Unknown` it is
    /// added again.
    ///
    /// # Errors
    /// `Full` when [`MOST_JOBS`] are there.
    async fn submit(&self, job: Job) -> Result<Submitted, Error>;

    /// Waits for a job, to be called when there is room for one; `None` when none came. What comes is
    /// begun: nobody else has this attempt.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    async fn take(&self, worker: &str, wait: Duration) -> Result<Option<Box<dyn Lease>>, Error>;

    /// How far a job is that somebody has begun; `None` when nobody has.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    async fn state(&self, id: &str) -> Result<Option<JobState>, Error>;

    /// The jobs that nobody could do, from the oldest that is kept.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    async fn dead(&self) -> Result<Box<dyn Feed<DeadJob>>, Error>;
}

/// A job in the hands of the worker that has begun it. Dropped without an end it goes to another after
/// [`LEASE`].
#[async_trait]
pub trait Lease: Send {
    fn job(&self) -> &Job;

    /// The how manieth start this is, from 1.
    fn start(&self) -> u32;

    /// Gives a sign, each [`EXTEND`].
    ///
    /// # Errors
    /// `Conflict` when another has the job by now: stop at once. Anything else: go on, try again.
    async fn extend(&mut self) -> Result<(), Error>;

    /// Ends it with a result that [`Queue::state`] gives.
    ///
    /// # Errors
    /// `Conflict` when another has the job by now: nothing counts that this worker did.
    async fn done(self: Box<Self>, result: Vec<u8>) -> Result<(), Error>;

    /// Gives it back; whoever takes it after this time begins it again. The last start that is allowed
    /// ends it instead.
    ///
    /// # Errors
    /// As `done`.
    async fn retry(self: Box<Self>, after: Duration) -> Result<(), Error>;

    /// Ends it without a result, for good.
    ///
    /// # Errors
    /// As `done`.
    async fn fail(self: Box<Self>, reason: &str) -> Result<(), Error>;
}
