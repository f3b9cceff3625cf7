//! A job in the hands of the worker that has begun it: every sign and every end is a compare-and-swap of
//! its own claim, so that who has lost the job learns it there.

use std::time::Duration;

use async_trait::async_trait;
use proto::cluster::{Claim, ClaimState, encode};

use super::{Parcel, Workers};
use crate::claim::{buried, signed};
use crate::directory::{Revision, write_through};
use crate::name::check_body;
use crate::queue::MOST_STARTS;
use crate::{Error, Job, Lease};

pub(super) struct Held {
    workers: Workers,
    parcel: Box<dyn Parcel>,
    claim: Claim,
    revision: Revision,
}

impl Held {
    pub(super) fn new(
        workers: Workers,
        parcel: Box<dyn Parcel>,
        claim: Claim,
        revision: Revision,
    ) -> Self {
        Self {
            workers,
            parcel,
            claim,
            revision,
        }
    }

    async fn write(&mut self, state: ClaimState, body: &[u8]) -> Result<(), Error> {
        let next = signed(&self.claim, state);
        let letter = encode(&next, body);
        let claims = &*self.workers.claims;
        let id = &self.parcel.job().id;
        let written = write_through(claims, id, Some(self.revision), &letter).await;
        self.revision = self.workers.counters.ended(written)?;
        self.claim = next;
        Ok(())
    }

    /// Takes it out of the queue. Should that not come through, whoever is lent it next finds its end in
    /// the record and takes it out.
    async fn take_out(&self) {
        if let Err(error) = self.parcel.take_out().await {
            tracing::debug!(%error, job = self.parcel.job().id, "a job that is over will be lent once more");
        }
    }

    async fn bury(mut self: Box<Self>, reason: &str) -> Result<(), Error> {
        let claim = buried(&self.claim, reason);
        let job = self.parcel.job();
        let buried = self.workers.bury(job, &claim, Some(self.revision)).await;
        self.workers.counters.ended(buried)?;
        self.claim = claim;
        self.take_out().await;
        Ok(())
    }
}

#[async_trait]
impl Lease for Held {
    fn job(&self) -> &Job {
        self.parcel.job()
    }

    fn start(&self) -> u32 {
        self.claim.start
    }

    async fn extend(&mut self) -> Result<(), Error> {
        // First the loan, so that it does not run out over the record.
        let extended = self.parcel.extend().await;
        self.write(ClaimState::Running, b"").await?;
        extended
    }

    async fn done(mut self: Box<Self>, result: Vec<u8>) -> Result<(), Error> {
        check_body(&result)?;
        self.write(ClaimState::Done, &result).await?;
        self.take_out().await;
        Ok(())
    }

    async fn retry(mut self: Box<Self>, after: Duration) -> Result<(), Error> {
        if self.claim.start >= MOST_STARTS {
            let reason = format!("given back {} times", self.claim.start);
            return self.bury(&reason).await;
        }
        self.write(ClaimState::Returned, b"").await?;
        if let Err(error) = self.parcel.give_back(after).await {
            tracing::debug!(%error, job = self.parcel.job().id, "a job that was given back waits for its lease");
        }
        Ok(())
    }

    async fn fail(self: Box<Self>, reason: &str) -> Result<(), Error> {
        self.bury(reason).await
    }
}
