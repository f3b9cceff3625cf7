//! Packets of one RTP stream in order: waits a while for the missing, then names them lost.
//!
//! In: packets in order of arrival, time. Out: packets in order of sequence number, losses in
//! between. Pure.
//! Invariant: what comes out rises strictly in sequence number; nothing waits longer than `hold`.

use std::collections::BTreeMap;
use std::time::Duration;

/// Packets that may wait; above it the oldest gap is given up at once.
const MAX_WAITING: usize = 2048;
/// A jump of the sequence number beyond this is a new start, not a loss.
const NEW_START: u64 = 3000;

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered<T> {
    Packet(T),
    /// So many packets are missing here.
    Lost(u64),
}

/// The buffer of one stream.
#[derive(Debug)]
pub struct JitterBuffer<T> {
    hold: Duration,
    waiting: BTreeMap<u64, (Duration, T)>,
    next: Option<u64>,
}

impl<T> JitterBuffer<T> {
    /// Makes a buffer that waits `hold` for a missing packet.
    #[must_use]
    pub fn new(hold: Duration) -> Self {
        Self {
            hold,
            waiting: BTreeMap::new(),
            next: None,
        }
    }

    /// Adds a packet that arrived at `now` (any clock that does not run backwards). Late and
    /// repeated packets are dropped.
    pub fn push(&mut self, now: Duration, seq_no: u64, packet: T) {
        let is_late = self.next.is_some_and(|next| seq_no < next);
        if is_late {
            if self.next.is_some_and(|next| next - seq_no > NEW_START) {
                // The sender began anew with a lower number.
                self.waiting.clear();
                self.next = None;
            } else {
                return;
            }
        }
        self.waiting.entry(seq_no).or_insert((now, packet));
    }

    /// Takes the next thing that is due at `now`.
    pub fn pop(&mut self, now: Duration) -> Option<Ordered<T>> {
        let (&first, (arrived, _)) = self.waiting.first_key_value()?;
        let next = match self.next {
            Some(next) => next,
            // Packets that overtook the very first one get the same patience.
            None if now.saturating_sub(*arrived) >= self.hold || self.is_full() => first,
            None => return None,
        };
        if first == next {
            self.next = Some(first.saturating_add(1));
            return self
                .waiting
                .pop_first()
                .map(|(_, (_, packet))| Ordered::Packet(packet));
        }
        if now.saturating_sub(*arrived) < self.hold && !self.is_full() {
            return None;
        }
        self.next = Some(first);
        match first.saturating_sub(next) {
            missing if missing > NEW_START => self.pop(now),
            missing => Some(Ordered::Lost(missing)),
        }
    }

    /// Takes what is left, without waiting.
    pub fn finish(&mut self) -> Vec<Ordered<T>> {
        std::iter::from_fn(|| self.pop(Duration::MAX)).collect()
    }

    fn is_full(&self) -> bool {
        self.waiting.len() > MAX_WAITING
    }
}

#[cfg(test)]
mod tests {
    use super::Ordered::{Lost, Packet};
    use super::*;

    const HOLD: Duration = Duration::from_millis(200);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn run(arrivals: &[(u64, u64)]) -> Vec<Ordered<u64>> {
        let mut buffer = JitterBuffer::new(HOLD);
        let mut out = Vec::new();
        for &(at, seq_no) in arrivals {
            buffer.push(ms(at), seq_no, seq_no);
            out.extend(std::iter::from_fn(|| buffer.pop(ms(at))));
        }
        out.extend(buffer.finish());
        out
    }

    #[test]
    fn reordered_and_repeated_packets_come_out_once_in_order() {
        let out = run(&[(0, 5), (20, 7), (25, 6), (30, 6), (40, 8), (300, 9)]);
        assert_eq!(out, [5, 6, 7, 8, 9].map(Packet));
    }

    #[test]
    fn the_missing_are_named_after_the_hold_and_their_late_arrival_is_dropped() {
        let out = run(&[(0, 1), (210, 2), (220, 5), (425, 6), (430, 3), (450, 7)]);
        assert_eq!(
            out,
            [
                Packet(1),
                Packet(2),
                Lost(2),
                Packet(5),
                Packet(6),
                Packet(7)
            ]
        );
    }

    #[test]
    fn a_packet_that_overtook_the_first_one_does_not_swallow_it() {
        assert_eq!(run(&[(0, 2), (10, 1), (300, 3)]), [1, 2, 3].map(Packet));
    }

    #[test]
    fn a_far_jump_is_a_new_start_in_both_directions() {
        let out = run(&[
            (0, 1),
            (300, 2),
            (320, 90_000),
            (540, 90_001),
            (560, 7),
            (800, 8),
        ]);
        assert_eq!(out, [1, 2, 90_000, 90_001, 7, 8].map(Packet));
    }

    #[test]
    fn a_long_gap_does_not_let_the_buffer_grow_without_end() {
        let mut buffer = JitterBuffer::new(ms(1_000_000));
        buffer.push(ms(0), 0, 0);
        for seq_no in 2..5000u64 {
            buffer.push(ms(1), seq_no, seq_no);
            while buffer.pop(ms(1)).is_some() {}
            assert!(buffer.waiting.len() <= MAX_WAITING + 1);
        }
    }
}
