//! Who may hash next: a few at once, a bounded queue behind them, nobody before a known person.
//!
//! In: requests for a slot, each with its lane and its place. Out: a slot, or `Busy` at once.
//! Lanes are served strictly in order, so that a flood of made-up names waits for every person
//! there is; within a lane places take turns, so that one place cannot fill it.
//! Invariant: at most `slots` slots exist; who waits is bounded per lane; a slot given back goes to
//! the next one or is free, also when whoever waited has gone.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::embedded::place::Place;

/// In what order people are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) enum Lane {
    /// Signed in already, or the right password came from this device or place before.
    Known,
    /// An account of this server.
    Account,
    /// Nobody of this server.
    Stranger,
}

/// How many may wait in each lane. At 20 ms a hash a full queue is served in about two seconds.
const WAITING: [usize; 3] = [64, 64, 32];

/// The queue is full: come back in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) struct Busy;

#[derive(Debug)]
pub(super) struct Queue {
    slots: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    lanes: [Waiting; 3],
}

/// Those who wait in one lane.
#[derive(Debug, Default)]
struct Waiting {
    by_place: HashMap<Place, VecDeque<oneshot::Sender<Slot>>>,
    /// Places with somebody waiting, the next one first.
    turns: VecDeque<Place>,
    count: usize,
}

/// The right to hash one password; given on when dropped.
#[derive(Debug)]
pub(super) struct Slot(Option<Arc<Queue>>);

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.pass_on();
        }
    }
}

impl Queue {
    pub(super) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self {
            slots,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot, or is refused at once when too many wait already.
    pub(super) async fn slot(self: &Arc<Self>, lane: Lane, place: Place) -> Result<Slot, Busy> {
        let receiver = {
            let mut state = self.state();
            if state.running < self.slots {
                state.running += 1;
                return Ok(Slot(Some(self.clone())));
            }
            let (sender, receiver) = oneshot::channel();
            let lanes = state.lanes.iter_mut().zip(WAITING);
            // there is a lane for each of the enum's, in its order
            let (waiting, most) = lanes.into_iter().nth(lane as usize).ok_or(Busy)?;
            waiting.admit(place, sender, most)?;
            receiver
        };
        // the sender is dropped for whoever has to make room
        receiver.await.map_err(|_| Busy)
    }

    fn pass_on(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state();
                match state.lanes.iter_mut().find_map(Waiting::next) {
                    Some(next) => next,
                    None => {
                        state.running -= 1;
                        return;
                    }
                }
            };
            match next.send(Slot(Some(self.clone()))) {
                Ok(()) => return,
                // that one has gone: the slot must not free itself a second time
                Err(mut slot) => drop(slot.0.take()),
            }
        }
    }
}

impl Waiting {
    fn admit(
        &mut self,
        place: Place,
        sender: oneshot::Sender<Slot>,
        capacity: usize,
    ) -> Result<(), Busy> {
        if self.count >= capacity {
            self.forget_gone();
        }
        if self.count >= capacity {
            self.make_room_for(place)?;
        }
        let line = self.by_place.entry(place).or_default();
        if line.is_empty() {
            self.turns.push_back(place);
        }
        line.push_back(sender);
        self.count += 1;
        Ok(())
    }

    /// Sends away the last one of the longest line, if that line is longer than the newcomer's.
    fn make_room_for(&mut self, newcomer: Place) -> Result<(), Busy> {
        let own = self.by_place.get(&newcomer).map_or(0, VecDeque::len);
        let longest = self.by_place.values_mut().max_by_key(|line| line.len());
        let Some(line) = longest.filter(|line| line.len() > own + 1) else {
            return Err(Busy);
        };
        drop(line.pop_back());
        self.count -= 1;
        Ok(())
    }

    fn forget_gone(&mut self) {
        for line in self.by_place.values_mut() {
            line.retain(|sender| !sender.is_closed());
        }
        self.by_place.retain(|_, line| !line.is_empty());
        self.turns.retain(|place| self.by_place.contains_key(place));
        self.count = self.by_place.values().map(VecDeque::len).sum();
    }

    /// The first of the place whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<Slot>> {
        let place = self.turns.pop_front()?;
        let line = self.by_place.get_mut(&place)?;
        let next = line.pop_front()?;
        self.count -= 1;
        if line.is_empty() {
            self.by_place.remove(&place);
        } else {
            self.turns.push_back(place);
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    fn place(number: u8) -> Place {
        Place::V4([192, 0, 2, number])
    }

    /// Somebody who waits, and notes its name when served.
    struct Waiters {
        queue: Arc<Queue>,
        served: Arc<Mutex<Vec<String>>>,
        refused: Arc<AtomicUsize>,
    }

    impl Waiters {
        fn new() -> Self {
            Self {
                queue: Queue::new(1),
                served: Arc::default(),
                refused: Arc::default(),
            }
        }

        async fn wait(&self, lane: Lane, place: Place, name: impl Into<String>) -> JoinHandle<()> {
            let (queue, served) = (self.queue.clone(), self.served.clone());
            let (refused, name) = (self.refused.clone(), name.into());
            let task = tokio::spawn(async move {
                match queue.slot(lane, place).await {
                    Ok(_slot) => served.lock().unwrap().push(name),
                    Err(Busy) => {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            yield_now().await;
            task
        }
    }

    #[tokio::test]
    async fn known_people_come_first_then_accounts_then_strangers_and_places_take_turns() {
        let waiters = Waiters::new();
        let slot = waiters.queue.slot(Lane::Stranger, place(0)).await.unwrap();
        let mut tasks = Vec::new();
        for (lane, from, name) in [
            (Lane::Stranger, 1, "stranger"),
            (Lane::Account, 1, "flood 1"),
            (Lane::Account, 1, "flood 2"),
            (Lane::Account, 1, "flood 3"),
            (Lane::Account, 2, "other place"),
            (Lane::Known, 1, "known"),
        ] {
            tasks.push(waiters.wait(lane, place(from), name).await);
        }
        drop(slot);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(
            *waiters.served.lock().unwrap(),
            [
                "known",
                "flood 1",
                "other place",
                "flood 2",
                "flood 3",
                "stranger"
            ]
        );
        assert_eq!(waiters.queue.state().running, 0);
    }

    #[tokio::test]
    async fn a_full_lane_refuses_at_once_and_makes_room_for_another_place() {
        let waiters = Waiters::new();
        let slot = waiters.queue.slot(Lane::Stranger, place(0)).await.unwrap();
        let mut tasks = Vec::new();
        for number in 0..WAITING[2] + 10 {
            let name = format!("flood {number}");
            tasks.push(waiters.wait(Lane::Stranger, place(1), name).await);
        }
        assert_eq!(waiters.refused.load(Ordering::Relaxed), 10);
        tasks.push(waiters.wait(Lane::Stranger, place(2), "other place").await);
        yield_now().await;
        assert_eq!(waiters.refused.load(Ordering::Relaxed), 11);
        drop(slot);
        for task in tasks {
            task.await.unwrap();
        }
        let served = waiters.served.lock().unwrap();
        assert_eq!(served.len(), WAITING[2]);
        assert_eq!(served[1], "other place");
        assert!(!served.contains(&format!("flood {}", WAITING[2] - 1)));
    }

    #[tokio::test]
    async fn who_goes_away_keeps_no_slot_and_no_room() {
        let waiters = Waiters::new();
        let slot = waiters.queue.slot(Lane::Stranger, place(0)).await.unwrap();
        for _ in 0..WAITING[2] {
            let task = waiters.wait(Lane::Stranger, place(1), "gone").await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        let task = waiters.wait(Lane::Stranger, place(1), "here").await;
        drop(slot);
        task.await.unwrap();
        assert_eq!(*waiters.served.lock().unwrap(), ["here"]);
        assert_eq!(waiters.queue.state().running, 0);
    }
}
