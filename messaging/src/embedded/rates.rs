//! How much one person may write: a burst, and so much a minute for long.
//!
//! In: a person. Out: yes, or when to come back.
//! Not here: who may write where (`access`), frames of a WebSocket.

use std::time::Instant;

use proto::id::UserId;

use super::fault::Fault;
use crate::rate::{Buckets, Rate};

/// A burst is what may be written in this many seconds.
const BURST_SECONDS: f64 = 20.0;

/// `None`: no limit.
#[derive(Debug)]
pub(super) struct Rates(Option<Buckets<UserId>>);

impl Rates {
    /// `per_minute` is what one person may write for long; 0 for no limit.
    pub(super) fn new(per_minute: u32) -> Self {
        let per_second = f64::from(per_minute) / 60.0;
        let rate = Rate::new((per_second * BURST_SECONDS).max(1.0), per_second);
        Self((per_minute > 0).then(|| Buckets::new(rate)))
    }

    /// Takes one action off the person's allowance.
    pub(super) fn take(&self, person: &UserId, now: Instant) -> Result<(), Fault> {
        let Some(buckets) = &self.0 else {
            return Ok(());
        };
        buckets.take(person, now).map_err(|pause| {
            Fault::too_many("you write faster than this server takes: wait a moment").after(pause)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_so_much_a_minute() {
        let now = Instant::now();
        let anna = UserId::parse("anna").unwrap();
        for (per_minute, at_once, after_a_minute) in [(60, 20, 20), (1, 1, 1), (0, 100, 100)] {
            let rates = Rates::new(per_minute);
            let taken = |at| (0..100).filter(|_| rates.take(&anna, at).is_ok()).count();
            let got = (taken(now), taken(now + Duration::from_secs(61)));
            assert_eq!(got, (at_once, after_a_minute), "{per_minute}");
        }
    }
}
