//! Sequence numbers as receivers see them.
//!
//! `Compactor`, one per incoming RTP stream: packets that are deliberately not forwarded (a muted
//! voice, padding) leave no hole, so receivers see no loss. `Placement`, one per subscription:
//! where the stream stands in the receiver's own numbering, and how a change of simulcast layer
//! continues it.
//! Invariant: the outgoing number of a packet never changes, however late it comes, and no number
//! is given twice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Removed stretches remembered for packets that come late.
const MAX_SPANS: usize = 16;

/// Maps incoming sequence numbers to a sequence without the removed packets.
#[derive(Debug, Default)]
pub(crate) struct Compactor {
    highest: Option<u64>,
    /// Packets removed so far.
    removed: u64,
    /// Removed stretches, oldest first: first and last number.
    spans: VecDeque<(u64, u64)>,
    /// Numbers below this are too old to place.
    oldest: u64,
}

impl Compactor {
    /// Returns the outgoing number of a packet that is forwarded; `None` when it is too late.
    pub(crate) fn forward(&mut self, seq_no: u64) -> Option<u64> {
        let highest = self.highest.unwrap_or_default();
        if self.highest.is_none() || seq_no > highest {
            self.highest = Some(seq_no);
            return Some(seq_no - self.removed);
        }
        if seq_no < self.oldest || self.spans.iter().any(|(a, b)| (*a..=*b).contains(&seq_no)) {
            return None;
        }
        let later = self.spans.iter().filter(|(first, _)| *first > seq_no);
        let removed_later: u64 = later.map(|(first, last)| last - first + 1).sum();
        seq_no.checked_sub(self.removed - removed_later)
    }

    /// Returns the first number that is missing before a packet and how many are; `None`: none is, or
    /// nothing came before.
    pub(crate) fn gap_before(&self, seq_no: u64) -> Option<(u64, u64)> {
        let first = self.highest? + 1;
        let count = seq_no.checked_sub(first)?;
        (count > 0).then_some((first, count))
    }

    /// Takes note of a packet that is not forwarded, and of the unseen ones just before it.
    pub(crate) fn skip(&mut self, seq_no: u64) {
        let Some(highest) = self.highest else {
            self.highest = Some(seq_no);
            self.oldest = seq_no;
            return;
        };
        // A late one leaves its hole: its neighbours are numbered already.
        if seq_no <= highest {
            return;
        }
        self.highest = Some(seq_no);
        self.removed += seq_no - highest;
        match self.spans.back_mut() {
            Some((_, last)) if *last == highest => *last = seq_no,
            Some(_) | None => self.spans.push_back((highest + 1, seq_no)),
        }
        if self.spans.len() > MAX_SPANS
            && let Some((_, last)) = self.spans.pop_front()
        {
            self.oldest = last + 1;
        }
    }
}

/// The first number given to a receiver: low, because the SRTP rollover counter of a receiver that
/// misses the first packets starts at zero too, and above zero, so that the packets just before the
/// first one seen can be placed.
const FIRST_OUT: u64 = 1000;

/// Where an incoming stream stands in one receiver's numbering.
#[derive(Debug, Clone, Default)]
pub(crate) struct Placement {
    /// Incoming number and timestamp that `out_base` and `out_time_base` stand for.
    base: Option<(u64, u32)>,
    out_base: u64,
    out_time_base: u32,
    /// Nothing below this belongs to the current stream.
    out_floor: u64,
    last_out: u64,
    last_time: u32,
    last_at: Option<Instant>,
}

impl Placement {
    /// Returns the receiver's number and timestamp of a packet; `None` when it cannot be placed.
    pub(crate) fn place(&mut self, now: Instant, seq_no: u64, time: u32) -> Option<(u64, u32)> {
        let (base, base_time) = *self.base.get_or_insert_with(|| {
            if self.last_at.is_none() {
                self.out_base = FIRST_OUT;
                self.out_time_base = time;
            }
            (seq_no, time)
        });
        let out = (self.out_base + seq_no).checked_sub(base)?;
        if out < self.out_floor {
            return None;
        }
        let out_time = self
            .out_time_base
            .wrapping_add(time.wrapping_sub(base_time));
        if out > self.last_out || self.last_at.is_none() {
            self.last_out = out;
            self.last_time = out_time;
            self.last_at = Some(now);
        }
        Some((out, out_time))
    }

    /// Continues with another stream (a layer, a resumed source): the next packet placed follows
    /// the last one directly, its timestamp advanced by the time that passed.
    pub(crate) fn switch(&mut self, now: Instant, clock_rate: u32) {
        let Some(last_at) = self.last_at else {
            return;
        };
        self.base = None;
        self.out_base = self.last_out + 1;
        self.out_floor = self.out_base;
        let passed = now
            .saturating_duration_since(last_at)
            .max(Duration::from_millis(1));
        let ticks = passed.as_millis() * u128::from(clock_rate) / 1000;
        let ticks = u32::try_from(ticks & u128::from(u32::MAX)).unwrap_or_default();
        self.out_time_base = self.last_time.wrapping_add(ticks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;
    use proptest::prelude::*;

    #[test]
    fn a_muted_stretch_is_no_loss() {
        let mut compactor = Compactor::default();
        assert_eq!(compactor.forward(10), Some(10));
        for muted in 11..=60 {
            compactor.skip(muted);
        }
        assert_eq!(compactor.forward(61), Some(11));
        assert_eq!(compactor.forward(63), Some(13));
        // 62 comes late, 9 comes from before the mute, 30 was muted.
        assert_eq!(compactor.forward(62), Some(12));
        assert_eq!(compactor.forward(9), Some(9));
        assert_eq!(compactor.forward(30), None);
    }

    #[test]
    fn a_real_loss_stays_a_loss() {
        let mut compactor = Compactor::default();
        assert_eq!(compactor.forward(1), Some(1));
        assert_eq!(compactor.forward(5), Some(5));
    }

    #[test]
    fn a_switch_continues_number_and_time() {
        let start = test_epoch();
        let mut placement = Placement::default();
        assert_eq!(placement.place(start, 50_000, 777), Some((1000, 777)));
        assert_eq!(placement.place(start, 50_001, 3777), Some((1001, 3777)));
        assert_eq!(placement.place(start, 49_999, 0), Some((999, 0)));
        let later = start + Duration::from_millis(100);
        placement.switch(later, 90_000);
        assert_eq!(placement.place(later, 7, 1_000_000), Some((1002, 12_777)));
        assert_eq!(placement.place(later, 8, 1_003_000), Some((1003, 15_777)));
        // A packet from before the switch point of the new stream has no place.
        assert_eq!(placement.place(later, 6, 997_000), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn numbers_are_never_given_twice(
            steps in prop::collection::vec((0u64..6, any::<bool>()), 1..400),
        ) {
            let mut compactor = Compactor::default();
            let mut given = std::collections::BTreeMap::new();
            let mut highest = 1000u64;
            let mut seen = std::collections::BTreeSet::new();
            for (step, forward) in steps {
                // Mostly forwards, now and then up to three back.
                let seq_no = if step == 5 { highest - 3 } else { highest + step };
                highest = highest.max(seq_no);
                if !seen.insert(seq_no) {
                    continue;
                }
                if !forward {
                    compactor.skip(seq_no);
                } else if let Some(out) = compactor.forward(seq_no) {
                    prop_assert_eq!(given.insert(out, seq_no), None);
                }
            }
            // Order is kept.
            let order: Vec<_> = given.values().copied().collect();
            prop_assert!(order.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
