//! Who may run: so many jobs, so many of one client, and no more work than the machine has cores for.
//!
//! In: jobs that want a place. Out: a place at once, a place after a while, or none.
//! Not here: what a job costs (`cost`), what is said to whoever gets no place (`jobs`).
//! Invariant: whoever waits is let in in the order of coming, except past those whose client has its
//! share; a job that is too large for the machine runs when it is alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::cost::Cores;
use crate::metrics::Metrics;

/// Requests that wait at the same time; more are refused at once.
const MOST_WAITING: usize = 64;

/// What may run at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) jobs: usize,
    pub(super) jobs_per_client: usize,
    pub(super) cores: Cores,
}

/// A job that wants a place.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) id: String,
    pub(super) tenant: String,
    pub(super) cost: Cores,
}

/// Hears when its job shall stop.
pub(super) type Stopped = watch::Receiver<bool>;

/// All places of a service.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    metrics: Metrics,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    running: BTreeMap<String, Running>,
    waiting: VecDeque<(Candidate, oneshot::Sender<Stopped>)>,
    is_closed: bool,
}

#[derive(Debug)]
struct Running {
    tenant: String,
    cost: Cores,
    stop: watch::Sender<bool>,
}

impl Admission {
    #[must_use]
    pub(super) fn new(limits: Limits, metrics: Metrics) -> Self {
        Self {
            limits,
            metrics,
            places: Mutex::default(),
        }
    }

    /// Takes a place, after at most `patience`; `None` when there was none.
    pub(super) async fn enter(&self, candidate: Candidate, patience: Duration) -> Option<Stopped> {
        let id = candidate.id.clone();
        let admitted = {
            let mut places = self.places();
            if places.is_closed {
                return None;
            }
            let (admit, mut admitted) = oneshot::channel();
            places.waiting.push_back((candidate, admit));
            self.let_in(&mut places);
            if let Ok(stopped) = admitted.try_recv() {
                return Some(stopped);
            }
            if patience.is_zero() || places.waiting.len() > MOST_WAITING {
                places.waiting.retain(|(waiting, _)| waiting.id != id);
                self.count(&places);
                return None;
            }
            admitted
        };
        // Whoever asked may give up meanwhile, and this future with it.
        let mut place = Unclaimed(Some((self, id)));
        let stopped = tokio::time::timeout(patience, admitted).await.ok()?.ok()?;
        place.0 = None;
        Some(stopped)
    }

    /// Gives a job of an earlier run the place it had, whatever the limits.
    pub(super) fn take_up(&self, candidate: Candidate) -> Stopped {
        let mut places = self.places();
        let stopped = places.run(candidate);
        self.count(&places);
        stopped
    }

    /// Frees a place, or gives up waiting for one.
    pub(super) fn leave(&self, id: &str) {
        let mut places = self.places();
        places.running.remove(id);
        places.waiting.retain(|(waiting, _)| waiting.id != id);
        self.let_in(&mut places);
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        let mut places = self.places();
        places.is_closed = true;
        places.waiting.clear();
        self.count(&places);
    }

    #[must_use]
    pub(super) fn is_closed(&self) -> bool {
        self.places().is_closed
    }

    #[must_use]
    pub(super) fn is_running(&self, id: &str) -> bool {
        self.places().running.contains_key(id)
    }

    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.places().running.is_empty()
    }

    /// Asks every job to end its capture.
    pub(super) fn stop_all(&self) {
        for job in self.places().running.values() {
            job.stop.send_replace(true);
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn let_in(&self, places: &mut Places) {
        while let Some(next) = places.next(self.limits) {
            let Some((candidate, admit)) = places.waiting.remove(next) else {
                break;
            };
            let id = candidate.id.clone();
            let stopped = places.run(candidate);
            if admit.send(stopped).is_err() {
                places.running.remove(&id);
            }
        }
        self.count(places);
    }

    fn count(&self, places: &Places) {
        let figure = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.jobs_running.set(figure(places.running.len()));
        self.metrics.jobs_waiting.set(figure(places.waiting.len()));
        self.metrics.cores_promised.set(places.cost().as_f64());
    }
}

impl Places {
    fn cost(&self) -> Cores {
        self.running.values().map(|job| job.cost).sum()
    }

    fn run(&mut self, candidate: Candidate) -> Stopped {
        let (stop, stopped) = watch::channel(false);
        let Candidate { id, tenant, cost } = candidate;
        self.running.insert(id, Running { tenant, cost, stop });
        stopped
    }

    /// Who of those that wait may run now. Only a client's own share is a reason to let others pass:
    /// what is large would otherwise never find its place.
    fn next(&self, limits: Limits) -> Option<usize> {
        let has_share = |tenant: &str| {
            let own = self.running.values().filter(|job| job.tenant == tenant);
            own.count() < limits.jobs_per_client
        };
        let (next, (candidate, _)) = self
            .waiting
            .iter()
            .enumerate()
            .find(|(_, (candidate, _))| has_share(&candidate.tenant))?;
        let fits = self.running.is_empty() || self.cost() + candidate.cost <= limits.cores;
        (fits && self.running.len() < limits.jobs).then_some(next)
    }
}

/// A place, or one in the queue, that is given back unless somebody takes it.
struct Unclaimed<'a>(Option<(&'a Admission, String)>);

impl Drop for Unclaimed<'_> {
    fn drop(&mut self) {
        if let Some((admission, id)) = self.0.take() {
            admission.leave(&id);
        }
    }
}

#[cfg(test)]
mod tests;
