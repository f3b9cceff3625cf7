//! How much one session may say: a token bucket.

use std::time::Instant;

/// Actions per second that a session may send for long; more starves the others' turn.
const ACTIONS_PER_SECOND: f64 = 10.0;
/// Actions a session may send at once: a join brings a burst of candidates.
const BURST: f64 = 100.0;

/// Tokens of one session.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    tokens: f64,
    counted_at: Instant,
}

impl Allowance {
    pub(crate) fn full(now: Instant) -> Self {
        Self {
            tokens: BURST,
            counted_at: now,
        }
    }

    /// Takes one token; false when there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.counted_at).as_secs_f64();
        self.tokens = (self.tokens + gained * ACTIONS_PER_SECOND).min(BURST);
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

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs one instant to begin with"
    )]
    fn test_start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_burst_is_followed_by_ten_a_second() {
        let start = test_start();
        let mut allowance = Allowance::full(start);
        let at_once = (0..200).filter(|_| allowance.take(start)).count();
        let later = start + Duration::from_secs(1);
        let after_a_second = (0..200).filter(|_| allowance.take(later)).count();
        assert_eq!((at_once, after_a_second), (100, 10));
    }
}
