//! Keyframe requests towards a publisher: merged and spaced.
//!
//! In: requests of subscribers (PLI and FIR alike), of links, and of new subscriptions. Out: at
//! most one request per stream and gap.
//! Invariant: a request is never lost, only delayed, or answered by a keyframe that comes anyway.
//! See: RFC 4585 6.3.1 (PLI), RFC 5104 4.3.1 (FIR).

use std::time::{Duration, Instant};

/// Repairs in a row after which they come more seldom.
const FREE_REPAIRS: u32 = 5;
/// The most a repair waits, in gaps.
const LONGEST_WAIT: u32 = 4;

/// Why a keyframe is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Somebody has no picture yet: a late joiner, or a change of layer.
    Picture,
    /// Somebody lost part of one.
    Repair,
}

/// Spaces the requests for one RTP stream.
///
/// Keyframes are large: where viewers lose packets all the time, one each second would take the
/// place of the picture for everybody. Repairs that never end come ever more seldom; who has no
/// picture yet never waits longer than the gap.
#[derive(Debug, Default)]
pub(crate) struct KeyframeGate {
    last: Option<Instant>,
    pending: Option<Need>,
    /// Repairs in a row, each as soon as it was allowed.
    repairs: u32,
}

impl KeyframeGate {
    /// Asks for a keyframe; returns what for when the request goes out now.
    pub(crate) fn request(&mut self, now: Instant, gap: Duration, need: Need) -> Option<Need> {
        if self.pending != Some(Need::Picture) {
            self.pending = Some(need);
        }
        self.poll(now, gap)
    }

    /// Returns what a remembered request is for that goes out now.
    pub(crate) fn poll(&mut self, now: Instant, gap: Duration) -> Option<Need> {
        if self.deadline(gap).is_some_and(|at| now < at) {
            return None;
        }
        let need = self.pending.take()?;
        if need == Need::Repair {
            let is_in_a_row = self
                .last
                .is_some_and(|last| now < last + gap * (self.gaps() + 1));
            self.repairs = if is_in_a_row { self.repairs + 1 } else { 0 };
        }
        self.last = Some(now);
        Some(need)
    }

    /// A keyframe passed: whoever was waiting has it.
    pub(crate) const fn answered(&mut self) {
        self.pending = None;
    }

    /// When to call `poll` again.
    pub(crate) fn deadline(&self, gap: Duration) -> Option<Instant> {
        let gaps = match self.pending? {
            Need::Picture => 1,
            Need::Repair => self.gaps(),
        };
        Some(self.last? + gap * gaps)
    }

    /// Gaps between two repairs now.
    fn gaps(&self) -> u32 {
        (self.repairs / FREE_REPAIRS + 1).min(LONGEST_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;

    const GAP: Duration = Duration::from_secs(1);

    #[test]
    fn a_storm_of_requests_becomes_one_per_second() {
        let start = test_epoch();
        let mut gate = KeyframeGate::default();
        let sent = (0..3000u64)
            .filter(|ms| {
                gate.request(start + Duration::from_millis(*ms), GAP, Need::Repair)
                    .is_some()
            })
            .collect::<Vec<_>>();
        assert_eq!(sent, [0, 1000, 2000]);
    }

    #[test]
    fn endless_repairs_come_more_seldom_and_late_joiners_do_not_wait() {
        let start = test_epoch();
        let mut gate = KeyframeGate::default();
        let at = |ms| start + Duration::from_millis(ms);
        let sent: Vec<u64> = (0..60_000)
            .filter(|ms| gate.request(at(*ms), GAP, Need::Repair).is_some())
            .collect();
        assert_eq!(sent[..5], [0, 1000, 2000, 3000, 4000]);
        assert!(sent.len() < 25, "{sent:?}");
        assert!(sent.windows(2).all(|pair| pair[1] - pair[0] <= 4000));
        let last = *sent.last().unwrap();
        assert!(gate.request(at(last + 1000), GAP, Need::Picture).is_some());
        assert!(gate.request(at(last + 1001), GAP, Need::Repair).is_none());
        assert!(gate.poll(at(last + 2000), GAP).is_none());
        assert!(gate.poll(at(last + 5000), GAP).is_some());
    }

    #[test]
    fn a_keyframe_answers_a_remembered_request() {
        let start = test_epoch();
        let mut gate = KeyframeGate::default();
        assert!(gate.request(start, GAP, Need::Repair).is_some());
        assert!(gate.request(start + GAP / 2, GAP, Need::Repair).is_none());
        gate.answered();
        assert!(gate.poll(start + GAP, GAP).is_none());
        assert!(gate.request(start + GAP, GAP, Need::Repair).is_some());
    }

    #[test]
    fn a_suppressed_request_is_remembered() {
        let start = test_epoch();
        let mut gate = KeyframeGate::default();
        assert!(gate.request(start, GAP, Need::Repair).is_some());
        assert_eq!(gate.deadline(GAP), None);
        assert!(gate.request(start + GAP / 2, GAP, Need::Repair).is_none());
        assert_eq!(gate.deadline(GAP), Some(start + GAP));
        assert!(gate.poll(start + GAP / 2, GAP).is_none());
        assert!(gate.poll(start + GAP, GAP).is_some());
        assert!(gate.poll(start + GAP * 3, GAP).is_none());
    }
}
