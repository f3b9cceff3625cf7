//! How many wrong passwords are accepted, from whom and for whom.
//!
//! In: an attempt, counted before its password is looked at. Out: a reservation, or how long to
//! wait. What turns out right gives its reservation back; what is dropped stays counted, so that
//! many attempts at once are many attempts and a sender who hangs up has tried.
//! Invariant: bounded memory; when full, the oldest counts are forgotten first, never all.
//! See: OWASP ASVS 2.2.1; OWASP *slow down online guessing with device cookies*.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::embedded::place::Place;

/// For how long an attempt counts.
pub(in crate::embedded) const WINDOW: Duration = Duration::from_secs(300);
/// Wrong passwords for one account from one place, from one device, or in one session.
const PER_PAIR: u32 = 10;
/// Wrong passwords for one account from all places that it was never used from.
const PER_ACCOUNT: u32 = 100;
/// Wrong passwords from one place for accounts that exist; apart from it, for names that do not:
/// inventing names cannot use up what people at the same place need.
const PER_PLACE: u32 = 100;
/// New accounts that strangers make from one place.
const REGISTRATIONS: u32 = 50;
/// Counts kept. One attempt makes at most three, each costs 64 bytes: a server that hashes sixty
/// passwords a second cannot be made to forget anything within a window.
const REMEMBERED: usize = 60_000;

/// What attempts are counted by. `account` is an id, or the name that was made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::embedded) enum Key<'a> {
    Session(&'a str),
    Device(&'a str),
    Pair { account: &'a str, place: Place },
    Account(&'a str),
    People(Place),
    Inventions(Place),
    Registration(Place),
}

impl Key<'_> {
    fn limit(&self) -> u32 {
        match self {
            Self::Session(_) | Self::Device(_) | Self::Pair { .. } => PER_PAIR,
            Self::Account(_) => PER_ACCOUNT,
            Self::People(_) | Self::Inventions(_) => PER_PLACE,
            Self::Registration(_) => REGISTRATIONS,
        }
    }
}

#[derive(Debug, Default)]
pub(in crate::embedded) struct Guesses {
    hasher: RandomState,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    by_key: HashMap<u64, Count>,
    /// Keys in the order in which their counts began; a count that was taken back leaves a stale
    /// entry.
    begun: VecDeque<(u64, Count)>,
    born: u64,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    /// Tells a count from an earlier one under the same key.
    number: u64,
    attempts: u32,
    since: Instant,
}

/// An attempt that has been counted.
#[derive(Debug)]
#[must_use = "an attempt stays counted unless it is given back"]
pub(in crate::embedded) struct Reservation<'a> {
    guesses: &'a Guesses,
    keys: Vec<u64>,
}

impl Guesses {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an attempt under every key, unless one of them is used up: then tells how long that
    /// lasts and counts nothing.
    pub(in crate::embedded) fn reserve(
        &self,
        keys: &[Key<'_>],
        now: Instant,
    ) -> Result<Reservation<'_>, Duration> {
        let mut counts = self.counts();
        counts.forget_old(now);
        for key in keys {
            if let Some(wait) = counts.wait(self.hasher.hash_one(key), key.limit(), now) {
                return Err(wait);
            }
        }
        let keys: Vec<u64> = keys.iter().map(|key| self.hasher.hash_one(key)).collect();
        for key in &keys {
            counts.add(*key, now);
        }
        drop(counts);
        Ok(Reservation {
            guesses: self,
            keys,
        })
    }

    /// For how long no further attempt is accepted under this key, if so.
    pub(in crate::embedded) fn wait(&self, key: &Key<'_>, now: Instant) -> Option<Duration> {
        self.counts()
            .wait(self.hasher.hash_one(key), key.limit(), now)
    }

    /// Forgets what was counted under this key.
    pub(in crate::embedded) fn clear(&self, key: &Key<'_>) {
        self.counts().by_key.remove(&self.hasher.hash_one(key));
    }
}

impl Reservation<'_> {
    /// Takes the attempt back: it was right, or its password was never looked at.
    pub(in crate::embedded) fn give_back(self) {
        let mut counts = self.guesses.counts();
        for key in &self.keys {
            if let Entry::Occupied(mut entry) = counts.by_key.entry(*key) {
                entry.get_mut().attempts = entry.get().attempts.saturating_sub(1);
                if entry.get().attempts == 0 {
                    entry.remove();
                }
            }
        }
    }
}

impl Counts {
    fn wait(&self, key: u64, limit: u32, now: Instant) -> Option<Duration> {
        let count = self.by_key.get(&key)?;
        let left = WINDOW.checked_sub(now.saturating_duration_since(count.since))?;
        (count.attempts >= limit && !left.is_zero()).then_some(left)
    }

    fn add(&mut self, key: u64, now: Instant) {
        let count = match self.by_key.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.born += 1;
                let fresh = Count {
                    number: self.born,
                    attempts: 0,
                    since: now,
                };
                self.begun.push_back((key, fresh));
                entry.insert(fresh)
            }
        };
        count.attempts += 1;
    }

    /// Counts that were taken back never push out counts that stand.
    fn forget_old(&mut self, now: Instant) {
        while let Some((key, begun)) = self.begun.front().copied() {
            let stands = self.is_same(key, begun);
            let is_over = now.saturating_duration_since(begun.since) >= WINDOW;
            if stands && !is_over && self.by_key.len() <= REMEMBERED {
                break;
            }
            self.begun.pop_front();
            if stands {
                self.by_key.remove(&key);
            }
        }
        if self.begun.len() > 2 * REMEMBERED {
            let mut begun = std::mem::take(&mut self.begun);
            begun.retain(|(key, count)| self.is_same(*key, *count));
            self.begun = begun;
        }
    }

    fn is_same(&self, key: u64, begun: Count) -> bool {
        let count = self.by_key.get(&key);
        count.is_some_and(|count| count.number == begun.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u32) -> Place {
        Place::V4(number.to_be_bytes())
    }

    fn pair(account: &str) -> Key<'_> {
        Key::Pair {
            account,
            place: place(1),
        }
    }

    #[test]
    fn attempts_count_before_they_are_judged_and_only_right_ones_are_given_back() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        // all at once, none judged yet
        let mut open: Vec<_> = (0..20)
            .filter_map(|_| guesses.reserve(&[pair("anna")], now).ok())
            .collect();
        assert_eq!(open.len(), 10);
        open.pop().unwrap().give_back();
        assert!(guesses.reserve(&[pair("anna")], now).is_ok());
        let later = now + Duration::from_secs(299);
        let wait = guesses.reserve(&[pair("anna")], later).unwrap_err();
        assert_eq!(wait, Duration::from_secs(1));
        drop(open);
        assert!(guesses.reserve(&[pair("anna")], later).is_err());
        assert!(guesses.reserve(&[pair("ben")], later).is_ok());
        assert!(guesses.reserve(&[pair("anna")], now + WINDOW).is_ok());
    }

    #[test]
    fn a_refused_attempt_counts_nowhere() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for _ in 0..PER_PAIR {
            let _ = guesses.reserve(&[pair("anna")], now).unwrap();
        }
        for _ in 0..PER_PLACE {
            assert!(
                guesses
                    .reserve(&[Key::People(place(1)), pair("anna")], now)
                    .is_err()
            );
        }
        assert_eq!(guesses.wait(&Key::People(place(1)), now), None);
    }

    #[test]
    fn a_full_table_forgets_the_oldest_first_and_nothing_else() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for _ in 0..PER_PAIR {
            let _ = guesses.reserve(&[pair("old")], now).unwrap();
        }
        let later = now + Duration::from_secs(1);
        for _ in 0..PER_PAIR {
            let _ = guesses.reserve(&[pair("anna")], later).unwrap();
        }
        for number in 1..u32::try_from(REMEMBERED).unwrap() {
            let _ = guesses
                .reserve(&[Key::Inventions(place(number))], later)
                .unwrap();
        }
        assert!(guesses.reserve(&[pair("old")], later).is_ok());
        assert_eq!(
            guesses.wait(&pair("anna"), later),
            Some(WINDOW),
            "one was too many"
        );
        let counts = guesses.counts();
        assert!(
            counts.by_key.len() <= REMEMBERED + 1,
            "{}",
            counts.by_key.len()
        );
    }

    #[test]
    fn attempts_that_are_taken_back_push_nobody_out_and_leave_nothing_behind() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let standing = guesses.reserve(&[pair("anna")], now).unwrap();
        for number in 0..u32::try_from(REMEMBERED).unwrap() * 3 {
            let key = Key::Inventions(place(number));
            guesses.reserve(&[key], now).unwrap().give_back();
        }
        let counts = guesses.counts();
        assert_eq!(counts.by_key.len(), 1);
        assert!(
            counts.begun.len() <= 2 * REMEMBERED + 1,
            "{}",
            counts.begun.len()
        );
        drop((counts, standing));
    }
}
