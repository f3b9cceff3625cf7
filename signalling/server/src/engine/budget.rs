//! How much one connection may say: a token bucket.

use std::time::Instant;

/// Frames per second that a connection may send for long; more is the sender's own loss.
const FRAMES_PER_SECOND: f64 = 10.0;
/// Frames a connection may send at once: a join brings a burst of candidates.
const BURST: f64 = 100.0;

/// Tokens of one connection.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    tokens: f64,
    counted_at: Instant,
}

impl Budget {
    pub(super) fn full(now: Instant) -> Self {
        Self {
            tokens: BURST,
            counted_at: now,
        }
    }

    /// Takes one token; false when there is none.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.counted_at).as_secs_f64();
        self.tokens = (self.tokens + gained * FRAMES_PER_SECOND).min(BURST);
        self.counted_at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_followed_by_ten_a_second() {
        let start = Instant::now();
        let mut budget = Budget::full(start);
        let at_once = (0..200).filter(|_| budget.take(start)).count();
        let later = start + Duration::from_secs(1);
        let after_a_second = (0..200).filter(|_| budget.take(later)).count();
        assert_eq!((at_once, after_a_second), (100, 10));
    }
}
