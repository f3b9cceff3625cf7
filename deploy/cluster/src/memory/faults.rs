//! What goes wrong, by plan: single faults of the next operations, a rate of them by a seed, and nodes
//! that are cut off.
//!
//! In: a test's plan. Out: what meets an operation. Without a plan nothing is drawn and nothing waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::feed::lock;
use crate::{Error, NodeId};

/// What a fault can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    Get,
    Create,
    Swap,
    Remove,
    Submit,
    /// Anything that is said about a job that was lent.
    Acknowledge,
    Publish,
    Request,
    Beat,
    Facts,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It takes so long; then it goes as ever.
    Delay(Duration),
    /// A message, beat or acknowledgement does not arrive; of anything else: `Unknown`, and it did not
    /// happen.
    Drop,
    /// No answer comes, and it happened nevertheless.
    Unknown,
    /// Somebody else was first.
    Conflict,
    /// It did not happen.
    Unavailable,
    /// A read of `Recent` gives the value before the last.
    Stale,
}

/// How an operation is to end before or after it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    Nothing,
    /// It does not happen, and this is said.
    Instead(Fate),
    /// It happens, and no answer comes.
    After,
    /// An old value is read.
    Stale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Unknown,
    Conflict,
    Unavailable,
}

impl Fate {
    pub(super) fn error(self) -> Error {
        match self {
            Self::Unknown => Error::Unknown,
            Self::Conflict => Error::Conflict { current: None },
            Self::Unavailable => Error::Unavailable,
        }
    }
}

/// The plan. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Whether there ever was a plan.
    is_used: AtomicBool,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    next: BTreeMap<Operation, VecDeque<Fault>>,
    cut: BTreeSet<NodeId>,
    /// A draw's state, and the share of operations in thousandths that meet a fault.
    chance: Option<(u64, u64)>,
}

impl Faults {
    /// The next operation of this kind meets this; several wait for as many.
    pub fn next(&self, operation: Operation, fault: Fault) {
        self.shared.is_used.store(true, Ordering::SeqCst);
        let mut plan = lock(&self.shared.plan);
        plan.next.entry(operation).or_default().push_back(fault);
    }

    /// From now on this share of operations (in thousandths) meets a fault, drawn by the seed: delays,
    /// lost answers, lost leaders, lost messages, and stale reads.
    pub fn rate(&self, seed: u64, per_thousand: u64) {
        self.shared.is_used.store(true, Ordering::SeqCst);
        lock(&self.shared.plan).chance = (per_thousand > 0).then_some((seed | 1, per_thousand));
    }

    /// A node hears nothing, not even itself, and nobody hears it; or is back.
    pub fn blind(&self, node: &NodeId, is_cut: bool) {
        self.shared.is_used.store(true, Ordering::SeqCst);
        let mut plan = lock(&self.shared.plan);
        if is_cut {
            plan.cut.insert(node.clone());
        } else {
            plan.cut.remove(node);
        }
    }

    pub(super) fn is_cut(&self, node: &NodeId) -> bool {
        self.shared.is_used.load(Ordering::SeqCst) && lock(&self.shared.plan).cut.contains(node)
    }

    /// Keeps old values for stale reads.
    pub(super) fn is_used(&self) -> bool {
        self.shared.is_used.load(Ordering::SeqCst)
    }

    /// What meets an operation; its delay has passed when this returns.
    pub(super) async fn meet(&self, operation: Operation) -> Met {
        let (met, delay) = self.draw(operation);
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        met
    }

    /// As `meet`, for what never waits: a delay is no fault there.
    pub(super) fn meet_now(&self, operation: Operation) -> Met {
        self.draw(operation).0
    }

    fn draw(&self, operation: Operation) -> (Met, Option<Duration>) {
        if !self.is_used() {
            return (Met::Nothing, None);
        }
        let mut plan = lock(&self.shared.plan);
        let planned = plan.next.get_mut(&operation).and_then(VecDeque::pop_front);
        match planned.or_else(|| plan.by_chance()) {
            None => (Met::Nothing, None),
            Some(Fault::Delay(delay)) => (Met::Nothing, Some(delay)),
            Some(Fault::Drop) => (Met::Instead(Fate::Unknown), None),
            Some(Fault::Unknown) => (Met::After, None),
            Some(Fault::Conflict) => (Met::Instead(Fate::Conflict), None),
            Some(Fault::Unavailable) => (Met::Instead(Fate::Unavailable), None),
            Some(Fault::Stale) => (Met::Stale, None),
        }
    }
}

impl Plan {
    fn by_chance(&mut self) -> Option<Fault> {
        let (state, share) = self.chance.as_mut()?;
        // xorshift: any even spread does.
        let mut draw = || {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            *state >> 8
        };
        if draw() % 1000 >= *share {
            return None;
        }
        Some(match draw() % 5 {
            0 => Fault::Delay(Duration::from_millis(draw() % 300)),
            1 => Fault::Drop,
            2 => Fault::Unknown,
            3 => Fault::Unavailable,
            _ => Fault::Stale,
        })
    }
}
