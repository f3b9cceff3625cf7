//! Who may use the processor inside the speech process: captions before transcripts.
//!
//! In: threads with a request. Out: one of a fixed number of workers, or the news that the request
//! was shed.
//! Not here: how a request is answered (`engine`).
//! Invariant: at most as many windows run at once as there are workers; a transcript waits at most
//! [`STARVED`] for captions, and is never shed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::watch::Run;
use super::wire::Purpose;

/// A transcript that waited this long goes before captions: a busy node must finish its jobs too.
const STARVED: Duration = Duration::from_secs(10);

/// Workers and those who wait for one.
#[derive(Debug)]
pub(super) struct Pool<W> {
    caption_limit: usize,
    state: Mutex<State<W>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<W> {
    /// Idle workers for captions only.
    captions: Vec<W>,
    /// Idle workers for both.
    shared: Vec<W>,
    /// Caption tickets, oldest first.
    waiting: VecDeque<u64>,
    shed: BTreeSet<u64>,
    /// Tickets that have a worker.
    busy: BTreeMap<u64, Run>,
    next_ticket: u64,
}

/// Where a worker came from and goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shelf {
    Captions,
    Shared,
}

impl<W> Pool<W> {
    pub(super) fn new(captions: Vec<W>, shared: Vec<W>, caption_limit: usize) -> Self {
        let state = State {
            captions,
            shared,
            waiting: VecDeque::new(),
            shed: BTreeSet::new(),
            busy: BTreeMap::new(),
            next_ticket: 0,
        };
        Self {
            caption_limit: caption_limit.max(1),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Waits for a worker and uses it. `None` when newer captions took the place of this one.
    pub(super) fn use_worker<R>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&mut W) -> R,
    ) -> Option<R> {
        let mut lent = match purpose {
            Purpose::Captions => self.for_caption()?,
            Purpose::Transcript => self.for_transcript(),
        };
        lent.worker.as_mut().map(work)
    }

    /// Whether a window is being recognised that will not end.
    pub(super) fn is_stuck(&self) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        state.busy.values_mut().any(|run| run.is_stuck(now))
    }

    fn for_caption(&self) -> Option<Lent<'_, W>> {
        let mut state = self.lock();
        let ticket = state.ticket();
        state.waiting.push_back(ticket);
        if state.waiting.len() > self.caption_limit
            && let Some(oldest) = state.waiting.pop_front()
        {
            state.shed.insert(oldest);
            self.changed.notify_all();
        }
        loop {
            if state.shed.remove(&ticket) {
                return None;
            }
            if state.waiting.front() == Some(&ticket) {
                let own = state.captions.pop().map(|worker| (worker, Shelf::Captions));
                let found = own.or_else(|| Some((state.shared.pop()?, Shelf::Shared)));
                if let Some((worker, shelf)) = found {
                    state.waiting.pop_front();
                    self.changed.notify_all();
                    return Some(self.lend(state, ticket, worker, shelf));
                }
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn for_transcript(&self) -> Lent<'_, W> {
        let begun = Instant::now();
        let mut state = self.lock();
        let ticket = state.ticket();
        loop {
            if (state.waiting.is_empty() || begun.elapsed() > STARVED)
                && let Some(worker) = state.shared.pop()
            {
                return self.lend(state, ticket, worker, Shelf::Shared);
            }
            let waited = self.changed.wait_timeout(state, Duration::from_secs(1));
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lend(
        &self,
        mut state: MutexGuard<'_, State<W>>,
        ticket: u64,
        worker: W,
        shelf: Shelf,
    ) -> Lent<'_, W> {
        // By the thread that will do the work.
        state.busy.insert(ticket, Run::begin());
        Lent {
            pool: self,
            ticket,
            shelf,
            worker: Some(worker),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // Nothing here panics half-way through a change, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> State<W> {
    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }
}

/// A worker that goes back when this is dropped, also by a panic.
struct Lent<'a, W> {
    pool: &'a Pool<W>,
    ticket: u64,
    shelf: Shelf,
    worker: Option<W>,
}

impl<W> Drop for Lent<'_, W> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.busy.remove(&self.ticket);
        if let Some(worker) = self.worker.take() {
            match self.shelf {
                Shelf::Captions => state.captions.push(worker),
                Shelf::Shared => state.shared.push(worker),
            }
        }
        drop(state);
        self.pool.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn wait_until(condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition() {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
    }

    #[test]
    fn captions_go_first_and_the_oldest_is_shed() {
        let pool: Pool<()> = Pool::new(vec![], vec![()], 2);
        let (order, done) = mpsc::channel();
        thread::scope(|scope| {
            let (release, held) = mpsc::channel::<()>();
            let holder = &pool;
            scope.spawn(move || holder.use_worker(Purpose::Transcript, |()| held.recv()));
            wait_until(|| pool.lock().shared.is_empty());
            let ask = |purpose, name: &'static str| {
                let (pool, order) = (&pool, order.clone());
                scope.spawn(move || {
                    let answer = pool.use_worker(purpose, |()| order.send(name).unwrap());
                    answer.unwrap_or_else(|| order.send("shed").unwrap());
                });
            };
            ask(Purpose::Transcript, "transcript");
            for (count, name) in [(1, "first"), (2, "second")] {
                ask(Purpose::Captions, name);
                wait_until(|| pool.lock().waiting.len() == count);
            }
            ask(Purpose::Captions, "third");
            assert_eq!(done.recv().unwrap(), "shed");
            release.send(()).unwrap();
            let rest: Vec<_> = (0..3).map(|_| done.recv().unwrap()).collect();
            assert_eq!(rest, ["second", "third", "transcript"]);
        });
        assert!(pool.lock().busy.is_empty() && !pool.is_stuck());
    }

    #[test]
    fn a_caption_worker_serves_no_transcript() {
        let pool = Pool::new(vec!["captions"], vec!["shared"], 2);
        let both = pool.use_worker(Purpose::Transcript, |one| {
            let other = pool.use_worker(Purpose::Captions, |other| *other);
            (*one, other)
        });
        assert_eq!(both, Some(("shared", Some("captions"))));
    }

    #[test]
    fn a_worker_comes_back_after_a_panic() {
        let pool = Pool::new(vec![], vec![1], 2);
        let work = std::panic::AssertUnwindSafe(|| {
            pool.use_worker(Purpose::Captions, |_| panic!("as planned"))
        });
        assert!(std::panic::catch_unwind(work).is_err());
        assert_eq!(
            pool.use_worker(Purpose::Captions, |worker| *worker),
            Some(1)
        );
    }
}
