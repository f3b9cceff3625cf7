//! How much one incoming stream brings.

use std::time::{Duration, Instant};

/// Averaged over so long: a slide with little motion sends in bursts.
const WINDOW: Duration = Duration::from_secs(3);

/// Measures the rate of one stream.
#[derive(Debug, Default)]
pub(crate) struct RateMeter {
    from: Option<Instant>,
    bytes: u32,
    last: Option<f64>,
}

impl RateMeter {
    pub(crate) fn count(&mut self, now: Instant, bytes: usize) {
        let from = *self.from.get_or_insert(now);
        let passed = now.saturating_duration_since(from);
        if passed >= WINDOW {
            self.last = Some(f64::from(self.bytes) * 8.0 / passed.as_secs_f64());
            self.from = Some(now);
            self.bytes = 0;
        }
        self.bytes = self
            .bytes
            .saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Returns the rate of the last whole window in bit/s.
    pub(crate) const fn bits_per_second(&self) -> Option<f64> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;

    #[test]
    fn a_rate_is_known_after_one_window() {
        let mut meter = RateMeter::default();
        for packet in 0..50u32 {
            meter.count(test_epoch() + Duration::from_millis(100) * packet, 1000);
            let known = meter.bits_per_second();
            assert_eq!(known.is_some(), packet >= 30);
            assert!(known.is_none_or(|rate| (rate - 80_000.0).abs() < 1.0));
        }
    }
}
