//! Spreads what one receiver is sent of video over time.
//!
//! In: packets as they are admitted, the estimate of the receiver's network, time. Out: whether a
//! packet may leave now, and those that may by now. A keyframe of sixty packets that leaves as one
//! burst fills the queue of the slowest hop on its way; voices then wait behind it, or are lost.
//! What fits into the burst that is always allowed leaves at once and costs a comparison; the
//! rest waits and leaves in slices. Voices are never asked about here.
//! Invariants: order is kept; what waits is bounded; nothing waits longer than `DRAINED_WITHIN`, and
//! a slice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How much faster than the estimate, and than what is sent on average, video leaves. Lower: a keyframe
/// is later. Higher: it comes closer to a burst, and to the queue in front of the slowest hop.
const HEADROOM: f64 = 2.5;
/// Slowest pace, in bit/s. Lower: the first picture of a newcomer, of whose network nothing is known
/// yet, is later. Higher: too much for a slow line.
const SLOWEST: f64 = 1_500_000.0;
/// A pace that is kept for so long may leave at once. Lower: pictures of ordinary size are cut into
/// slices, which costs a system call each. Higher: voices wait that much longer.
const BURST: Duration = Duration::from_millis(40);
/// What may leave at once whatever the pace, in bytes: eight packets.
const SMALLEST_BURST: f64 = 10_000.0;
/// Longest time packets wait, whatever the estimate. Lower: large keyframes are bursts again. Higher:
/// they are late.
const DRAINED_WITHIN: Duration = Duration::from_millis(500);
/// Time between two slices. Lower: more wake-ups. Higher: larger slices.
const SLICE: Duration = Duration::from_millis(5);
/// Most packets that wait; a picture of 600 kB. Lower: large screens are cut off. Higher: more memory
/// for a receiver that cannot follow.
const MOST_WAITING: usize = 512;

/// What waits for one receiver, and how much may leave.
#[derive(Debug)]
pub(crate) struct Pacer<T> {
    /// Bytes that may leave now; below zero by the last packet at most, and by repetitions.
    credit: f64,
    /// When `credit` was reckoned.
    reckoned: Option<Instant>,
    /// Bytes of the last second, those included that wait.
    offered: f64,
    /// Bytes per second that empty the queue in time.
    least: f64,
    waiting: VecDeque<(usize, T)>,
    waiting_bytes: usize,
}

impl<T> Default for Pacer<T> {
    fn default() -> Self {
        Self {
            credit: 0.0,
            reckoned: None,
            offered: 0.0,
            least: 0.0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of one receiver's queue are far below 2^52"
)]
impl<T> Pacer<T> {
    /// Whether a packet may leave now; then it counts as sent. `estimate`: bit/s of the network.
    pub(crate) fn admits(&mut self, now: Instant, estimate: Option<f64>, bytes: usize) -> bool {
        self.offered += bytes as f64;
        if !self.waiting.is_empty() {
            return false;
        }
        self.reckon(now, estimate);
        let admitted = self.credit > 0.0;
        if admitted {
            self.credit -= bytes as f64;
        }
        admitted
    }

    /// Counts what left without being asked about: a repetition.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.credit = (self.credit - bytes as f64).max(-SMALLEST_BURST);
    }

    /// Whether there is no room for another packet.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING
    }

    /// Lets a packet wait that was not admitted.
    pub(crate) fn push(&mut self, bytes: usize, packet: T) {
        self.waiting.push_back((bytes, packet));
        self.waiting_bytes += bytes;
        let needed = self.waiting_bytes as f64 / DRAINED_WITHIN.as_secs_f64();
        self.least = self.least.max(needed);
    }

    /// Returns the next packet that may leave by now.
    pub(crate) fn next(&mut self, now: Instant, estimate: Option<f64>) -> Option<T> {
        if self.waiting.is_empty() {
            return None;
        }
        self.reckon(now, estimate);
        if self.credit <= 0.0 {
            return None;
        }
        let (bytes, packet) = self.waiting.pop_front()?;
        self.credit -= bytes as f64;
        self.waiting_bytes -= bytes;
        if self.waiting.is_empty() {
            self.least = 0.0;
        }
        Some(packet)
    }

    /// Lets go of packets that nobody waits for any more.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&T) -> bool) {
        self.waiting.retain(|(_, packet)| is_wanted(packet));
        self.waiting_bytes = self.waiting.iter().map(|(bytes, _)| bytes).sum();
    }

    /// When to ask for the next packet, if any waits. Timers are rounded up to slices, so half of
    /// one is the next one.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let reckoned = self.reckoned.filter(|_| !self.waiting.is_empty())?;
        Some(reckoned + SLICE / 2)
    }

    fn reckon(&mut self, now: Instant, estimate: Option<f64>) {
        let passed = self.reckoned.replace(now).map(|at| {
            let passed = now.saturating_duration_since(at);
            passed.as_secs_f64()
        });
        self.offered *= 1.0 - passed.unwrap_or_default().min(1.0);
        let estimated = HEADROOM * estimate.unwrap_or_default().max(8.0 * self.offered);
        let pace = (estimated.max(SLOWEST) / 8.0).max(self.least);
        let most = (pace * BURST.as_secs_f64()).max(SMALLEST_BURST);
        self.credit = match passed {
            Some(passed) => (self.credit + pace * passed).min(most),
            None => most,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;

    const PACKET: usize = 1200;

    /// Offers a picture of so many packets; returns after how many ms each of them leaves.
    fn leaves(packets: usize, estimate: Option<f64>) -> Vec<u64> {
        let start = test_epoch();
        let mut pacer = Pacer::default();
        let mut left = Vec::new();
        for packet in 0..packets {
            if pacer.admits(start, estimate, PACKET) {
                left.push(0);
            } else {
                pacer.push(PACKET, packet);
            }
        }
        let mut ms = 0;
        while pacer.deadline().is_some() {
            ms += 5;
            let now = start + Duration::from_millis(ms);
            while pacer.next(now, estimate).is_some() {
                left.push(ms);
            }
        }
        left
    }

    #[test]
    fn a_keyframe_leaves_in_slices_at_a_multiple_of_the_estimate() {
        // 25 Mbit/s are 125 kB in 40 ms: a keyframe of 72 kB is no burst there.
        assert!(leaves(60, Some(10e6)).iter().all(|ms| *ms == 0));
        // 5 Mbit/s: 25 kB at once, then 3.1 kB each 5 ms.
        let left = leaves(60, Some(2e6));
        assert_eq!(left.len(), 60);
        assert_eq!(left.iter().filter(|ms| **ms == 0).count(), 21);
        let most = left.chunk_by(|a, b| a == b).skip(1).map(<[u64]>::len).max();
        assert!(most <= Some(3), "{left:?}");
        assert!((60..=85).contains(left.last().unwrap()), "{left:?}");
    }

    #[test]
    fn nothing_waits_for_ever_whatever_the_estimate() {
        for packets in [60, 400, MOST_WAITING] {
            let last = *leaves(packets, Some(250_000.0)).last().unwrap();
            assert!((200..=510).contains(&last), "{packets} packets: {last} ms");
        }
    }

    #[test]
    fn a_picture_of_ordinary_size_leaves_at_once() {
        assert!(leaves(8, None).iter().all(|ms| *ms == 0));
    }

    #[test]
    fn repetitions_are_paid_for_by_what_follows() {
        let now = test_epoch();
        let mut pacer = Pacer::<()>::default();
        assert!(pacer.admits(now, None, PACKET));
        pacer.spend(50_000);
        assert!(!pacer.admits(now, None, PACKET));
        assert!(pacer.admits(now + Duration::from_millis(60), None, PACKET));
    }

    #[test]
    fn there_is_an_end_to_waiting() {
        let now = test_epoch();
        let mut pacer = Pacer::default();
        for number in 0..MOST_WAITING {
            assert!(!pacer.is_full());
            pacer.push(PACKET, number);
        }
        assert!(pacer.is_full());
        pacer.retain(|number| number % 2 == 0);
        assert!(!pacer.is_full());
        assert_eq!(pacer.waiting_bytes, MOST_WAITING / 2 * PACKET);
        assert_eq!(pacer.next(now, None), Some(0));
    }
}
