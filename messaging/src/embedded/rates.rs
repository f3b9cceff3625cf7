//! How much one person may write: a burst, and so much a minute for long.
//!
//! In: a person and what an action costs. Out: yes, or when to come back.
//! Not here: who may write where (`access`), frames of a WebSocket.
//! Invariant: memory is bounded; who is forgotten had a full allowance.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::id::UserId;

use super::fault::Fault;

/// A burst is what may be written in this many seconds.
const BURST_SECONDS: f64 = 20.0;
/// People remembered; beyond it, those whose allowance is full again are forgotten.
const REMEMBERED: usize = 10_000;

#[derive(Debug)]
pub(super) struct Rates {
    per_second: f64,
    spent: Mutex<HashMap<UserId, (f64, Instant)>>,
}

impl Rates {
    /// `per_minute` is what one person may write for long; 0 for no limit.
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_second: f64::from(per_minute) / 60.0,
            spent: Mutex::default(),
        }
    }

    /// Takes one action off the person's allowance.
    pub(super) fn take(&self, person: &UserId, now: Instant) -> Result<(), Fault> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let burst = self.per_second * BURST_SECONDS;
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let still_spent = |(spent, since): &(f64, Instant)| {
            let passed = now.saturating_duration_since(*since).as_secs_f64();
            (spent - passed * self.per_second).max(0.0)
        };
        if spent.len() >= REMEMBERED {
            spent.retain(|_, entry| still_spent(entry) > 0.0);
        }
        let before = spent.get(person).map_or(0.0, still_spent);
        let after = before + 1.0;
        if after > burst {
            let pause = Duration::from_secs_f64((after - burst) / self.per_second);
            let text = "you write faster than this server takes: wait a moment";
            return Err(Fault::too_many(text).after(pause));
        }
        spent.insert(person.clone(), (after, now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_so_much_a_minute() {
        let (rates, now) = (Rates::new(60), Instant::now());
        let anna = UserId::parse("anna").unwrap();
        let ben = UserId::parse("ben").unwrap();
        let taken = |person, at| (0..100).filter(|_| rates.take(person, at).is_ok()).count();
        assert_eq!(taken(&anna, now), 20);
        assert_eq!(taken(&ben, now), 20);
        assert_eq!(taken(&anna, now + Duration::from_secs(7)), 7);
        assert_eq!(taken(&anna, now + Duration::from_secs(3600)), 20);
        let unlimited = Rates::new(0);
        assert!((0..1000).all(|_| unlimited.take(&anna, now).is_ok()));
    }

    #[test]
    fn people_who_stopped_writing_are_forgotten() {
        let (rates, now) = (Rates::new(60), Instant::now());
        for number in 0..REMEMBERED {
            let person = UserId::parse(format!("p{number}")).unwrap();
            rates.take(&person, now).unwrap();
        }
        let late = UserId::parse("late").unwrap();
        rates.take(&late, now + Duration::from_secs(2)).unwrap();
        assert_eq!(rates.spent.lock().unwrap().len(), 1);
    }
}
