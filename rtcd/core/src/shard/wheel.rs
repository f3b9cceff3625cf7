//! Timers of a shard: a wheel of short slots.
//!
//! In: instants and who is due then. Out: everybody whose slot has passed. Rounding up to a slot is
//! what makes it cheap: thousands of sessions that each want to be woken a few times per second are
//! woken together.
//! Invariant: nobody is woken early; nobody is forgotten; what is due at once is due at once.

use std::time::{Duration, Instant};

/// Length of a slot. Longer: fewer wake-ups, but retransmissions of handshakes are later.
const SLOT: Duration = Duration::from_millis(5);
const SLOTS: usize = 1024;
const WORDS: usize = SLOTS / 64;

/// Remembers who is due when.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    start: Instant,
    /// Slots since `start` that have passed.
    passed: u64,
    /// By slot modulo `SLOTS`; an entry of a later turn of the wheel stays.
    slots: Vec<Vec<(u64, T)>>,
    /// Which slots hold anything, a bit each.
    filled: [u64; WORDS],
    at_once: Vec<T>,
    len: usize,
}

impl<T> Wheel<T> {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            passed: 0,
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            filled: [0; WORDS],
            at_once: Vec::new(),
            len: 0,
        }
    }

    /// Entries, those included whose reason is gone.
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// `who` is due at `at`.
    pub(super) fn schedule(&mut self, now: Instant, at: Instant, who: T) {
        self.len += 1;
        if at <= now {
            self.at_once.push(who);
            return;
        }
        let slot = self.slot_after(at).max(self.passed + 1);
        let (place, word, bit) = place(slot);
        if let (Some(entries), Some(word)) = (self.slots.get_mut(place), self.filled.get_mut(word))
        {
            entries.push((slot, who));
            *word |= bit;
        }
    }

    /// Moves everybody who is due at `now` into `due`.
    pub(super) fn take_due(&mut self, now: Instant, due: &mut Vec<T>) {
        let before = due.len();
        due.append(&mut self.at_once);
        let until = self.slots_before(now);
        // After a long pause every slot is looked at once.
        let first = (self.passed + 1).max(until.saturating_sub(SLOTS as u64 - 1));
        for slot in first..=until {
            let (place, word, bit) = place(slot);
            let Some(word) = self.filled.get_mut(word).filter(|word| **word & bit != 0) else {
                continue;
            };
            let Some(entries) = self.slots.get_mut(place) else {
                continue;
            };
            let passed = entries.extract_if(.., |(at, _)| *at <= until);
            due.extend(passed.map(|(_, who)| who));
            if entries.is_empty() {
                *word &= !bit;
                // One busy moment must not be paid for by every slot for ever.
                *entries = Vec::new();
            }
        }
        self.passed = self.passed.max(until);
        self.len -= due.len() - before;
    }

    /// When to ask again; perhaps for nobody, once per turn of the wheel.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        if !self.at_once.is_empty() {
            return Some(now);
        }
        let first = self.passed + 1;
        let (place, start_word, _) = place(first);
        let skipped = place % 64;
        for turn in 0..=WORDS {
            let index = (start_word + turn) % WORDS;
            let mut word = self.filled.get(index).copied().unwrap_or_default();
            if turn == 0 {
                word &= u64::MAX << skipped;
            } else if turn == WORDS {
                word &= !(u64::MAX << skipped);
            }
            if word != 0 {
                let ahead = turn * 64 + usize::try_from(word.trailing_zeros()).ok()? - skipped;
                let slot = first + u64::try_from(ahead).ok()?;
                return Some(self.start + SLOT * u32::try_from(slot).ok()?);
            }
        }
        None
    }

    /// The first slot that ends at or after an instant.
    fn slot_after(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        whole_slots(since + SLOT - Duration::from_nanos(1))
    }

    /// The last slot that has ended.
    fn slots_before(&self, now: Instant) -> u64 {
        whole_slots(now.saturating_duration_since(self.start))
    }
}

fn whole_slots(since: Duration) -> u64 {
    u64::try_from(since.as_nanos() / SLOT.as_nanos()).unwrap_or(u64::MAX)
}

/// Where a slot is: its place, its word, and its bit in the word.
fn place(slot: u64) -> (usize, usize, u64) {
    let place = usize::try_from(slot % SLOTS as u64).unwrap_or(0);
    (place, place / 64, 1 << (place % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::session::test_epoch;

    fn at(milliseconds: u64) -> Instant {
        test_epoch() + Duration::from_millis(milliseconds)
    }

    fn due(wheel: &mut Wheel<u32>, milliseconds: u64) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.take_due(at(milliseconds), &mut due);
        due
    }

    #[test]
    fn everybody_is_due_at_the_end_of_their_slot() {
        let mut wheel = Wheel::new(at(0));
        wheel.schedule(at(0), at(12), 1);
        wheel.schedule(at(0), at(15), 2);
        wheel.schedule(at(0), at(16), 3);
        wheel.schedule(at(0), at(0), 4);
        assert_eq!(wheel.next(at(0)), Some(at(0)));
        assert_eq!(due(&mut wheel, 0), [4]);
        assert_eq!(wheel.next(at(0)), Some(at(15)));
        assert!(due(&mut wheel, 14).is_empty());
        assert_eq!(due(&mut wheel, 15), [1, 2]);
        assert_eq!(wheel.next(at(15)), Some(at(20)));
        assert_eq!(due(&mut wheel, 1000), [3]);
        assert_eq!((wheel.next(at(1000)), wheel.len()), (None, 0));
    }

    #[test]
    fn far_ahead_is_more_than_one_turn_of_the_wheel() {
        let mut wheel = Wheel::new(at(0));
        wheel.schedule(at(0), at(30_000), 1);
        for milliseconds in (0..30_000).step_by(700) {
            assert!(due(&mut wheel, milliseconds).is_empty());
            assert!(
                wheel
                    .next(at(milliseconds))
                    .is_some_and(|next| next <= at(30_000))
            );
        }
        assert_eq!(due(&mut wheel, 30_000), [1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nobody_is_early_and_nobody_is_forgotten(
            steps in prop::collection::vec((0..900u64, prop::collection::vec(0..20_000u64, 0..4)), 1..60),
        ) {
            let mut wheel = Wheel::new(at(0));
            let mut waiting = BTreeMap::new();
            let (mut now, mut name) = (0, 0);
            for (passed, scheduled) in steps {
                now += passed;
                for who in due(&mut wheel, now) {
                    let wanted = waiting.remove(&who).unwrap();
                    prop_assert!(wanted <= now, "{wanted} came at {now}");
                }
                prop_assert!(waiting.values().all(|wanted| wanted + 5 > now));
                for after in scheduled {
                    name += 1;
                    waiting.insert(name, now + after);
                    wheel.schedule(at(now), at(now + after), name);
                }
                prop_assert_eq!(wheel.len(), waiting.len());
                let soonest = waiting.values().min().copied();
                let next = wheel.next(at(now));
                prop_assert_eq!(next.is_some(), soonest.is_some());
                if let (Some(next), Some(soonest)) = (next, soonest) {
                    prop_assert!(next < at(soonest + 5).max(at(now + 5)), "woken too late");
                }
            }
        }
    }
}
