//! How often this node hashes a key: an even rate, and a queue of bounded length.
//!
//! Invariant: nobody waits longer than `LONGEST_WAIT`; who would is refused at once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Hashes a second for each CPU. Higher: more CPU for somebody who guesses.
const PER_CPU: u32 = 12;
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Too many are waiting already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// Spaces hashes.
#[derive(Debug)]
pub(super) struct Limiter {
    interval: Duration,
    next_free: Mutex<Option<Instant>>,
}

impl Limiter {
    pub(super) fn for_cpus(cpus: usize) -> Self {
        let rate = u32::try_from(cpus.max(1))
            .unwrap_or(u32::MAX)
            .saturating_mul(PER_CPU);
        Self {
            interval: Duration::from_secs(1) / rate,
            next_free: Mutex::new(None),
        }
    }

    /// Waits for a turn.
    pub(super) async fn wait(&self) -> Result<(), TooMany> {
        let wait = self.reserve(Instant::now())?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Takes the next free turn and returns how far away it is.
    fn reserve(&self, now: Instant) -> Result<Duration, TooMany> {
        let mut next_free = self
            .next_free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let turn = next_free.map_or(now, |next| next.max(now));
        let wait = turn.saturating_duration_since(now);
        if wait > LONGEST_WAIT {
            return Err(TooMany);
        }
        *next_free = Some(turn + self.interval);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_turns_and_refuses_those_beyond_ten_seconds() {
        let limiter = Limiter::for_cpus(1);
        let now = Instant::now();
        assert_eq!(limiter.reserve(now), Ok(Duration::ZERO));
        assert_eq!(limiter.reserve(now), Ok(Duration::from_secs(1) / 12));
        let granted = (0..1000).filter(|_| limiter.reserve(now).is_ok()).count();
        assert_eq!(granted, 119);
        assert_eq!(limiter.reserve(now), Err(TooMany));
        assert!(limiter.reserve(now + Duration::from_secs(1)).is_ok());
    }
}
