//! Rates: how much may come at once, and how much for long. The one token bucket of the house.
//!
//! In: a rate, who takes, what the time is. Out: yes, or how long until the next one.
//! Not here: what a refusal looks like.
//! Invariant: of `Buckets` only those that are not full are remembered, beyond a bound.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Takers remembered by `Buckets`; beyond it, those whose buckets are full again are forgotten.
const REMEMBERED: usize = 10_000;

/// A rate, and how much of it may be used at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub burst: f64,
    pub per_second: f64,
}

impl Rate {
    #[must_use]
    pub const fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second }
    }
}

/// A bucket of tokens that fills with time.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: Rate,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// Begins full.
    #[must_use]
    pub const fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            tokens: rate.burst,
            at: now,
        }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let pause = (1.0 - self.tokens) / self.rate.per_second;
        Err(Duration::try_from_secs_f64(pause).unwrap_or(Duration::MAX))
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + gained * self.rate.per_second).min(self.rate.burst);
    }
}

/// A bucket for each taker.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Takes one of this taker's tokens.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&self, who: &K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, bucket| {
                bucket.fill(now);
                bucket.tokens < self.rate.burst
            });
        }
        let fresh = || Bucket::new(self.rate, now);
        buckets.entry(who.clone()).or_insert_with(fresh).take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::new(20.0, 1.0);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_taken_and_then_so_much_a_second() {
        let (buckets, now) = (Buckets::new(RATE), Instant::now());
        let taken = |who, at| (0..100).filter(|_| buckets.take(&who, at).is_ok()).count();
        assert_eq!((taken("anna", now), taken("ben", now)), (20, 20));
        assert_eq!(taken("anna", now + 7 * SECOND), 7);
        assert_eq!(taken("anna", now + 3600 * SECOND), 20);
        assert_eq!(taken("anna", now), 0, "time that goes back gives nothing");
    }

    #[test]
    fn who_is_refused_is_told_when_to_come_again() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Rate::new(1.0, 0.5), now);
        assert_eq!(bucket.take(now), Ok(()));
        assert_eq!(bucket.take(now), Err(2 * SECOND));
        assert_eq!(bucket.take(now + SECOND), Err(SECOND));
        assert_eq!(bucket.take(now + 2 * SECOND), Ok(()));
        let mut never = Bucket::new(Rate::new(0.0, 0.0), now);
        assert_eq!(never.take(now), Err(Duration::MAX));
    }

    #[test]
    fn who_stopped_is_forgotten() {
        let (buckets, now) = (Buckets::new(RATE), Instant::now());
        for number in 0..REMEMBERED {
            buckets.take(&number, now).unwrap();
        }
        buckets.take(&REMEMBERED, now + 2 * SECOND).unwrap();
        assert_eq!(buckets.buckets.lock().unwrap().len(), 1);
    }
}
