//! When a leader is given up. Pure: looks and the time come in.
//!
//! Invariant: silence counts only while one looks. A database that was away, or a process that was frozen
//! itself, has seen nothing, and begins to wait anew.

use storage::Leader;
use tokio::time::Instant;

use super::{BEAT, PATIENCE, SILENCE};

/// What a look showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody leads.
    Leads(Leader),
    /// Nobody leads, or whoever did is silent: its place may be taken.
    Vacant(Leader),
    /// Nothing was seen.
    Unknown,
}

/// What was seen last.
#[derive(Debug, Default)]
pub(super) struct Silence {
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    leader: Leader,
    /// Since when nothing has changed.
    since: Instant,
    /// The last look.
    looked: Instant,
}

impl Silence {
    /// `read`: what the row says, if it could be read.
    pub(super) fn look(&mut self, now: Instant, read: Option<Leader>) -> Verdict {
        let Some(leader) = read else {
            self.seen = None;
            return Verdict::Unknown;
        };
        if leader.address.is_empty() {
            return Verdict::Vacant(leader);
        }
        let longest_gap = BEAT + PATIENCE;
        let since = match &self.seen {
            Some(seen)
                if seen.leader == leader
                    && now.saturating_duration_since(seen.looked) <= longest_gap =>
            {
                seen.since
            }
            Some(_) | None => now,
        };
        self.seen = Some(Seen {
            leader: leader.clone(),
            since,
            looked: now,
        });
        if now.saturating_duration_since(since) >= SILENCE {
            return Verdict::Vacant(leader);
        }
        Verdict::Leads(leader)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn leader(epoch: i64, beat: i64) -> Leader {
        Leader {
            epoch,
            beat,
            node: "a".to_owned(),
            address: "a:1".to_owned(),
            key_mark: String::new(),
        }
    }

    /// Looks every half second at what `read` gives; says after how many looks the place is vacant.
    fn vacant_after(
        silence: &mut Silence,
        begin: Instant,
        mut read: impl FnMut(u32) -> Option<Leader>,
    ) -> Option<u32> {
        (0..100).find(|&n| {
            let verdict = silence.look(begin + BEAT * n, read(n));
            matches!(verdict, Verdict::Vacant(_))
        })
    }

    #[test]
    fn a_leader_that_is_heard_stays_and_a_silent_one_is_given_up_after_three_seconds() {
        let now = Instant::now();
        let heard = |n: u32| Some(leader(1, i64::from(n / 2)));
        assert_eq!(vacant_after(&mut Silence::default(), now, heard), None);
        let silent = |n: u32| Some(leader(1, i64::from(n.min(10))));
        let given_up = vacant_after(&mut Silence::default(), now, silent);
        assert_eq!(given_up, Some(16), "six looks after the last beat");
    }

    #[test]
    fn a_place_that_was_left_in_order_is_vacant_at_once() {
        let mut left = leader(4, 9);
        left.address.clear();
        let verdict = Silence::default().look(Instant::now(), Some(left.clone()));
        assert_eq!(verdict, Verdict::Vacant(left));
    }

    #[test]
    fn silence_counts_only_while_one_looks() {
        let now = Instant::now();
        let mut silence = Silence::default();
        // The database is away after five looks, for two: whoever leads has time anew.
        let away = |n: u32| (n != 5 && n != 6).then(|| leader(1, 0));
        assert_eq!(vacant_after(&mut silence, now, away), Some(7 + 6));
        // This process was frozen, and so, perhaps, was the leader.
        let mut silence = Silence::default();
        silence.look(now, Some(leader(1, 0)));
        let later = now + Duration::from_secs(60);
        let verdict = silence.look(later, Some(leader(1, 0)));
        assert_eq!(verdict, Verdict::Leads(leader(1, 0)));
        assert_eq!(
            vacant_after(&mut silence, later, |_| Some(leader(1, 0))),
            Some(6)
        );
    }
}
