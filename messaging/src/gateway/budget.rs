//! How much a client may send: one budget for every frame, whatever is in it.
//!
//! Each socket has a budget of its own and shares one with the person's other sockets, so that
//! opening more of them, or opening them again, does not help. What is beyond the budget is not
//! carried out; who goes on all the same loses the socket.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::rate::{self, Bucket};

/// A rate, and how much of it may be used at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub burst: u32,
    pub per_second: u32,
}

/// What clients may send, and what is kept for them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Frames of one socket.
    pub socket: Rate,
    /// Frames of all sockets of one person together.
    pub person: Rate,
    /// Frames beyond that which are answered with a refusal before the socket is closed.
    pub refusals: Rate,
    /// How many times as much bots may send: one speaks for a whole call's captions.
    pub bot_factor: u32,
    /// Connections of one person, attached or kept. The oldest kept one makes room for a new one.
    pub connections_per_person: usize,
    /// Bytes of events kept for one person, sent and unsent together; the largest single event is kept
    /// in any case. Lower: who is behind or away loses events sooner, and reads everything anew.
    pub kept_bytes_per_person: usize,
}

/// Seconds' worth of frames that may come at once.
const BURST: u32 = 4;

impl Default for Limits {
    fn default() -> Self {
        Self {
            // above what calls allow a session themselves
            socket: Rate::per_second(50),
            person: Rate::per_second(200),
            refusals: Rate {
                burst: 400,
                per_second: 5,
            },
            bot_factor: 20,
            connections_per_person: 256,
            kept_bytes_per_person: 8 * 1024 * 1024,
        }
    }
}

impl Rate {
    /// A rate of which a few seconds' worth may come at once.
    #[must_use]
    pub fn per_second(per_second: u32) -> Self {
        Self {
            burst: per_second.saturating_mul(BURST),
            per_second,
        }
    }

    fn times(self, factor: u32) -> Self {
        Self {
            burst: self.burst.saturating_mul(factor),
            per_second: self.per_second.saturating_mul(factor),
        }
    }
}

impl From<Rate> for rate::Rate {
    fn from(rate: Rate) -> Self {
        Self::new(rate.burst.into(), rate.per_second.into())
    }
}

/// The budget that all sockets of a person share.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Option<Bucket>>);

impl Shared {
    fn spend(&self, rate: Rate, now: Instant) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket
            .get_or_insert_with(|| Bucket::new(rate.into(), now))
            .take(now)
            .is_ok()
    }
}

/// What may be done with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    CarryOut,
    Refuse,
    /// Too many have been refused.
    Close,
}

/// What one socket may still send.
#[derive(Debug)]
pub(super) struct Budget {
    own: Bucket,
    refusals: Bucket,
    person: Rate,
}

impl Budget {
    pub(super) fn new(limits: &Limits, is_bot: bool, now: Instant) -> Self {
        let factor = if is_bot { limits.bot_factor } else { 1 };
        Self {
            own: Bucket::new(limits.socket.times(factor).into(), now),
            refusals: Bucket::new(limits.refusals.into(), now),
            person: limits.person.times(factor),
        }
    }

    pub(super) fn judge(&mut self, shared: &Shared, now: Instant) -> Verdict {
        if self.own.take(now).is_ok() && shared.spend(self.person, now) {
            Verdict::CarryOut
        } else if self.refusals.take(now).is_ok() {
            Verdict::Refuse
        } else {
            Verdict::Close
        }
    }
}

/// Lets one of many equal log lines through per period, with the number of those left out.
#[derive(Debug, Default)]
pub(super) struct Sampler(Mutex<(Option<Instant>, u64)>);

/// How long a sampler is silent after a line.
const SILENCE: Duration = Duration::from_secs(10);

impl Sampler {
    /// `Some(left_out)` when a line may be written now.
    pub(super) fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, left_out) = &mut *state;
        if last.is_some_and(|last| now.saturating_duration_since(last) < SILENCE) {
            *left_out += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn carried_out(budget: &mut Budget, shared: &Shared, now: Instant) -> usize {
        let frames = (0..1000).map(|_| budget.judge(shared, now));
        frames
            .filter(|verdict| *verdict == Verdict::CarryOut)
            .count()
    }

    #[test]
    fn a_client_may_hurry_for_a_moment_and_not_for_long() {
        let (limits, now) = (Limits::default(), Instant::now());
        let (mut budget, shared) = (Budget::new(&limits, false, now), Shared::default());
        assert_eq!(carried_out(&mut budget, &shared, now), 200);
        assert_eq!(carried_out(&mut budget, &shared, now + SECOND), 50);
    }

    #[test]
    fn more_sockets_of_one_person_do_not_help() {
        let (limits, now) = (Limits::default(), Instant::now());
        let shared = Shared::default();
        let all: usize = (0..60)
            .map(|_| carried_out(&mut Budget::new(&limits, false, now), &shared, now))
            .sum();
        assert_eq!(all, 800);
        let mut another = Budget::new(&limits, false, now);
        assert_eq!(carried_out(&mut another, &Shared::default(), now), 200);
    }

    #[test]
    fn who_goes_on_after_many_refusals_is_closed() {
        let (limits, now) = (Limits::default(), Instant::now());
        let (mut budget, shared) = (Budget::new(&limits, false, now), Shared::default());
        let verdicts: Vec<Verdict> = (0..601).map(|_| budget.judge(&shared, now)).collect();
        let count = |wanted| {
            verdicts
                .iter()
                .filter(|verdict| **verdict == wanted)
                .count()
        };
        assert_eq!((count(Verdict::Refuse), count(Verdict::Close)), (400, 1));
        assert_eq!(verdicts.last(), Some(&Verdict::Close));
    }

    #[test]
    fn a_bot_speaks_for_many() {
        let (limits, now) = (Limits::default(), Instant::now());
        let mut bot = Budget::new(&limits, true, now);
        assert_eq!(carried_out(&mut bot, &Shared::default(), now), 1000);
    }

    #[test]
    fn a_flood_of_log_lines_becomes_one_line_and_a_number() {
        let (sampler, now) = (Sampler::default(), Instant::now());
        assert_eq!(sampler.pass(now), Some(0));
        for _ in 0..500 {
            assert_eq!(sampler.pass(now + SECOND), None);
        }
        assert_eq!(sampler.pass(now + SILENCE), Some(500));
    }
}
