//! Keyframe requests towards a publisher: merged and spaced.
//!
//! In: requests of subscribers (PLI and FIR alike), of links, and of new subscriptions. Out: at
//! most one request per stream and gap.
//! Invariant: a request is never lost, only delayed.
//! See: RFC 4585 6.3.1 (PLI), RFC 5104 4.3.1 (FIR).

use std::time::{Duration, Instant};

/// Spaces the requests for one RTP stream.
#[derive(Debug, Default)]
pub(crate) struct KeyframeGate {
    last: Option<Instant>,
    pending: bool,
}

impl KeyframeGate {
    /// Asks for a keyframe; true when the request goes out now.
    pub(crate) fn request(&mut self, now: Instant, gap: Duration) -> bool {
        self.pending = true;
        self.poll(now, gap)
    }

    /// True when a remembered request goes out now.
    pub(crate) fn poll(&mut self, now: Instant, gap: Duration) -> bool {
        let due = self.pending && self.deadline(gap).is_none_or(|at| now >= at);
        if due {
            self.pending = false;
            self.last = Some(now);
        }
        due
    }

    /// When to call `poll` again.
    pub(crate) fn deadline(&self, gap: Duration) -> Option<Instant> {
        self.last.filter(|_| self.pending).map(|last| last + gap)
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
            .filter(|ms| gate.request(start + Duration::from_millis(*ms), GAP))
            .collect::<Vec<_>>();
        assert_eq!(sent, [0, 1000, 2000]);
    }

    #[test]
    fn a_suppressed_request_is_remembered() {
        let start = test_epoch();
        let mut gate = KeyframeGate::default();
        assert!(gate.request(start, GAP));
        assert_eq!(gate.deadline(GAP), None);
        assert!(!gate.request(start + GAP / 2, GAP));
        assert_eq!(gate.deadline(GAP), Some(start + GAP));
        assert!(!gate.poll(start + GAP / 2, GAP));
        assert!(gate.poll(start + GAP, GAP));
        assert!(!gate.poll(start + GAP * 3, GAP));
    }
}
