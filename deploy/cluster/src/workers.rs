//! The queue of any engine: deliveries that an engine hands out, and records that say who has begun.
//!
//! In: a [`Post`], which is all that an engine has to give, and a [`Directory`] for the records. Out:
//! [`Queue`]. The rule is `claim`'s; here it is carried out.
//! Invariant: a job is in a worker's hands only once its claim is written, and out of the queue only
//! once its end is.

mod lease;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proto::cluster::{Claim, ClaimState, DeadLetter, Turn, decode, encode};
use tokio::time::Instant;

use crate::claim::{Decision, decide};
use crate::counters::Figure;
use crate::directory::{Directory, Read, Revision, write_through};
use crate::name::{check_body, check_token};
use crate::queue::MOST_STARTS;
use crate::{Counters, DeadJob, Error, Feed, Job, JobState, Lease, Queue, Submitted};
use lease::Held;

/// What an engine gives to a queue.
#[async_trait]
pub trait Post: Send + Sync + 'static {
    /// Adds a job, unless one of its id is there.
    ///
    /// # Errors
    /// `Full` when too many are there.
    async fn submit(&self, job: Job) -> Result<Submitted, Error>;

    /// Waits for a job that nobody has given a sign of for a lease, and lends it for another.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    async fn next(&self, wait: Duration) -> Result<Option<Box<dyn Parcel>>, Error>;

    /// Puts a job with the dead; the same id again is the same.
    ///
    /// # Errors
    /// When it may not have been.
    async fn bury(&self, id: &str, letter: Vec<u8>) -> Result<(), Error>;

    /// The letters of the dead, from the oldest.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    async fn dead(&self) -> Result<Box<dyn Feed<Vec<u8>>>, Error>;
}

/// A job as it was lent.
#[async_trait]
pub trait Parcel: Send + Sync {
    fn job(&self) -> &Job;

    fn turn(&self) -> Turn;

    /// Borrows it for another lease.
    ///
    /// # Errors
    /// When it may not have been.
    async fn extend(&self) -> Result<(), Error>;

    /// Has it lent to somebody after this time.
    ///
    /// # Errors
    /// When it may not be; it then is after the lease.
    async fn give_back(&self, after: Duration) -> Result<(), Error>;

    /// Takes it out of the queue.
    ///
    /// # Errors
    /// When it may not have been; it is then lent again.
    async fn take_out(&self) -> Result<(), Error>;
}

/// The queue of one node.
#[derive(Clone)]
pub struct Workers {
    post: Arc<dyn Post>,
    claims: Arc<dyn Directory>,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

impl Workers {
    /// `claims` holds nothing but the records of jobs, by their ids.
    #[must_use]
    pub fn new(post: Arc<dyn Post>, claims: Arc<dyn Directory>, counters: Arc<Counters>) -> Self {
        Self {
            post,
            claims,
            counters,
        }
    }

    /// Carries out the rule for one parcel; a lease when the job is begun.
    async fn begin(
        &self,
        worker: &str,
        parcel: Box<dyn Parcel>,
    ) -> Result<Option<Box<dyn Lease>>, Error> {
        let id = parcel.job().id.clone();
        let found = self.claims.get(&id, Read::Latest).await?;
        let at = found.as_ref().map(|found| found.revision);
        let record = match &found {
            Some(found) => Some(read_claim(&found.value)?.0),
            None => None,
        };
        let nonce = proto::id::new_id();
        match decide(record.as_ref(), parcel.turn(), worker, &nonce, MOST_STARTS) {
            Decision::Start(claim) => {
                let written = write_through(&*self.claims, &id, at, &encode(&claim, b"")).await;
                match written {
                    Ok(revision) => {
                        if claim.start > 1 {
                            self.counters.add(Figure::Redelivered, 1);
                        }
                        let held = Held::new(self.clone(), parcel, claim, revision);
                        Ok(Some(Box::new(held)))
                    }
                    // Somebody else has this job.
                    Err(Error::Conflict { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Decision::Finished => {
                parcel.take_out().await?;
                Ok(None)
            }
            Decision::Bury(claim) => {
                let is_written = record.as_ref() == Some(&claim);
                self.bury(parcel.job(), &claim, at.filter(|_| !is_written))
                    .await?;
                parcel.take_out().await?;
                Ok(None)
            }
            Decision::Lost => Ok(None),
        }
    }

    /// Writes that a job is dead (unless that is written: no revision), and puts it with the dead.
    async fn bury(&self, job: &Job, claim: &Claim, at: Option<Revision>) -> Result<(), Error> {
        if at.is_some() {
            write_through(&*self.claims, &job.id, at, &encode(claim, b"")).await?;
            self.counters.add(Figure::Dead, 1);
            tracing::warn!(
                job = job.id,
                starts = claim.start,
                "a job is dead: nobody begins it any more"
            );
        }
        let ClaimState::Dead { reason } = &claim.state else {
            return Err(Error::Invalid("only what is dead is buried"));
        };
        let letter = DeadLetter {
            job: job.id.clone(),
            starts: claim.start,
            worker: claim.worker.clone(),
            reason: reason.clone(),
        };
        self.post.bury(&job.id, encode(&letter, &job.body)).await
    }
}

#[async_trait]
impl Queue for Workers {
    async fn submit(&self, job: Job) -> Result<Submitted, Error> {
        check_token(&job.id)?;
        check_body(&job.body)?;
        self.counters.ended(self.post.submit(job).await)
    }

    async fn take(&self, worker: &str, wait: Duration) -> Result<Option<Box<dyn Lease>>, Error> {
        check_token(worker)?;
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let next = self.post.next(left).await;
            let Some(parcel) = self.counters.ended(next)? else {
                return Ok(None);
            };
            // What cannot be begun now is lent again after its lease.
            let begun = self.begin(worker, parcel).await;
            if let Some(lease) = self.counters.ended(begun)? {
                return Ok(Some(lease));
            }
        }
    }

    async fn state(&self, id: &str) -> Result<Option<JobState>, Error> {
        check_token(id)?;
        let Some(found) = self.claims.get(id, Read::Latest).await? else {
            return Ok(None);
        };
        let (claim, result) = read_claim(&found.value)?;
        Ok(Some(match claim.state {
            ClaimState::Running => JobState::Running {
                worker: claim.worker,
                start: claim.start,
            },
            ClaimState::Returned => JobState::Returned { start: claim.start },
            ClaimState::Done => JobState::Done {
                result: result.to_vec(),
            },
            ClaimState::Dead { reason } => JobState::Dead { reason },
        }))
    }

    async fn dead(&self) -> Result<Box<dyn Feed<DeadJob>>, Error> {
        let letters = self.post.dead().await?;
        Ok(Box::new(Dead { letters }))
    }
}

fn read_claim(letter: &[u8]) -> Result<(Claim, &[u8]), Error> {
    decode(letter).map_err(|error| {
        tracing::error!(%error, "the record of a job is not one of ours");
        Error::Invalid("the record of a job is not one of ours")
    })
}

struct Dead {
    letters: Box<dyn Feed<Vec<u8>>>,
}

#[async_trait]
impl Feed<DeadJob> for Dead {
    async fn next(&mut self) -> Option<DeadJob> {
        loop {
            let letter = self.letters.next().await?;
            match decode::<DeadLetter>(&letter) {
                Ok((head, body)) => {
                    return Some(DeadJob {
                        job: Job {
                            id: head.job,
                            body: body.to_vec(),
                        },
                        starts: head.starts,
                        worker: head.worker,
                        reason: head.reason,
                    });
                }
                Err(error) => tracing::warn!(%error, "what lies with the dead jobs is none"),
            }
        }
    }
}
