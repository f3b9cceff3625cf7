//! Jobs of one process, lent with a time limit.
//!
//! As with a real engine an acknowledgement of an early delivery counts: who may begin and end a job is
//! not decided here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use proto::cluster::Turn;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::faults::{Faults, Met, Operation};
use crate::feed::{Found, Inbox, lock};
use crate::queue::{LEASE, MOST_JOBS};
use crate::workers::{Parcel, Post};
use crate::{Error, Feed, Job, Submitted};

/// The dead that are kept; the oldest go.
const MOST_DEAD: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// By the order in which they came.
    jobs: BTreeMap<u64, Waiting>,
    dead: Vec<(String, Vec<u8>)>,
    mourners: Vec<Weak<Inbox<Vec<u8>>>>,
}

#[derive(Debug)]
struct Waiting {
    job: Job,
    deliveries: u64,
    /// When it is lent next.
    free_at: Instant,
}

impl Shared {
    /// The first job that is free, lent; or when one will be.
    fn lend(&self, now: Instant) -> Result<(Job, Turn), Option<Instant>> {
        let mut state = lock(&self.state);
        let free = state.jobs.iter_mut().find(|(_, job)| job.free_at <= now);
        if let Some((message, waiting)) = free {
            waiting.deliveries += 1;
            waiting.free_at = now + LEASE;
            let turn = Turn {
                message: *message,
                delivery: waiting.deliveries,
            };
            return Ok((waiting.job.clone(), turn));
        }
        Err(state.jobs.values().map(|job| job.free_at).min())
    }
}

#[derive(Debug)]
pub(super) struct Office {
    shared: Arc<Shared>,
    faults: Faults,
}

impl Office {
    pub(super) fn new(shared: Arc<Shared>, faults: Faults) -> Self {
        Self { shared, faults }
    }
}

#[async_trait]
impl Post for Office {
    async fn submit(&self, job: Job) -> Result<Submitted, Error> {
        let met = self.faults.meet(Operation::Submit).await;
        if let Met::Instead(fate) = met {
            return Err(fate.error());
        }
        let mut state = lock(&self.shared.state);
        let is_there = state.jobs.values().any(|waiting| waiting.job.id == job.id);
        if !is_there {
            if state.jobs.len() >= MOST_JOBS {
                return Err(Error::Full);
            }
            state.last += 1;
            let message = state.last;
            let waiting = Waiting {
                job,
                deliveries: 0,
                free_at: Instant::now(),
            };
            state.jobs.insert(message, waiting);
        }
        drop(state);
        self.shared.changed.notify_waiters();
        match (met, is_there) {
            (Met::After, _) => Err(Error::Unknown),
            (_, true) => Ok(Submitted::Duplicate),
            (_, false) => Ok(Submitted::New),
        }
    }

    async fn next(&self, wait: Duration) -> Result<Option<Box<dyn Parcel>>, Error> {
        let end = Instant::now() + wait;
        loop {
            let changed = self.shared.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // Before looking, so that what is added meanwhile is not missed.
            changed.as_mut().enable();
            let now = Instant::now();
            let free_at = match self.shared.lend(now) {
                Ok((job, turn)) => {
                    return Ok(Some(Box::new(Lent {
                        shared: Arc::clone(&self.shared),
                        faults: self.faults.clone(),
                        job,
                        turn,
                    })));
                }
                Err(free_at) => free_at,
            };
            if now >= end {
                return Ok(None);
            }
            let until = free_at.map_or(end, |free_at| free_at.min(end));
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    async fn bury(&self, id: &str, letter: Vec<u8>) -> Result<(), Error> {
        let mut state = lock(&self.shared.state);
        if state.dead.iter().any(|(dead, _)| dead == id) {
            return Ok(());
        }
        state.dead.push((id.to_owned(), letter.clone()));
        if state.dead.len() > MOST_DEAD {
            state.dead.remove(0);
        }
        state.mourners.retain(|mourner| {
            let Some(mourner) = mourner.upgrade() else {
                return false;
            };
            mourner.put(letter.clone());
            true
        });
        Ok(())
    }

    async fn dead(&self) -> Result<Box<dyn Feed<Vec<u8>>>, Error> {
        let inbox = Inbox::new(MOST_DEAD * 2);
        let mut state = lock(&self.shared.state);
        for (_, letter) in &state.dead {
            inbox.put(letter.clone());
        }
        state.mourners.push(Arc::downgrade(&inbox));
        Ok(Box::new(Mourning { inbox }))
    }
}

struct Mourning {
    inbox: Arc<Inbox<Vec<u8>>>,
}

#[async_trait]
impl Feed<Vec<u8>> for Mourning {
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.inbox.take().await {
                Found::One(letter) => return Some(letter),
                Found::Lost(count) => tracing::warn!(count, "dead jobs were not looked at in time"),
            }
        }
    }
}

struct Lent {
    shared: Arc<Shared>,
    faults: Faults,
    job: Job,
    turn: Turn,
}

impl Lent {
    async fn acknowledge(&self, change: impl FnOnce(&mut State) + Send) -> Result<(), Error> {
        let met = self.faults.meet(Operation::Acknowledge).await;
        if let Met::Instead(fate) = met {
            return Err(fate.error());
        }
        change(&mut lock(&self.shared.state));
        self.shared.changed.notify_waiters();
        if met == Met::After {
            return Err(Error::Unknown);
        }
        Ok(())
    }

    async fn free_after(&self, after: Duration) -> Result<(), Error> {
        let Turn { message, delivery } = self.turn;
        self.acknowledge(|state| {
            if let Some(waiting) = state.jobs.get_mut(&message)
                && waiting.deliveries == delivery
            {
                waiting.free_at = Instant::now() + after;
            }
        })
        .await
    }
}

#[async_trait]
impl Parcel for Lent {
    fn job(&self) -> &Job {
        &self.job
    }

    fn turn(&self) -> Turn {
        self.turn
    }

    async fn extend(&self) -> Result<(), Error> {
        self.free_after(LEASE).await
    }

    async fn give_back(&self, after: Duration) -> Result<(), Error> {
        self.free_after(after).await
    }

    async fn take_out(&self) -> Result<(), Error> {
        let message = self.turn.message;
        self.acknowledge(|state| {
            state.jobs.remove(&message);
        })
        .await
    }
}
