//! From where each account was signed in to: there its owner is waited for, strangers are not.
//!
//! Kept in memory: after a restart everybody is a stranger once more, or shows a device's mark.
//! Invariant: bounded; the place that was not used for longest is forgotten first.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::embedded::place::Place;

/// Pairs of account and place that are remembered, 50 bytes each.
const REMEMBERED: usize = 20_000;

#[derive(Debug, Default)]
pub(in crate::embedded) struct KnownPlaces {
    hasher: RandomState,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    last_visits: HashMap<u64, u64>,
    visits: VecDeque<(u64, u64)>,
    number: u64,
}

impl KnownPlaces {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::embedded) fn contain(&self, account: &str, place: Place) -> bool {
        let key = self.hasher.hash_one((account, place));
        self.places().last_visits.contains_key(&key)
    }

    /// Notes that the right password came from there.
    pub(in crate::embedded) fn add(&self, account: &str, place: Place) {
        let key = self.hasher.hash_one((account, place));
        let mut places = self.places();
        places.number += 1;
        let number = places.number;
        places.last_visits.insert(key, number);
        places.visits.push_back((key, number));
        while places.visits.len() > REMEMBERED {
            let Some((key, number)) = places.visits.pop_front() else {
                return;
            };
            if places.last_visits.get(&key) == Some(&number) {
                places.last_visits.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_not_used_for_longest_is_forgotten_first() {
        let known = KnownPlaces::default();
        let place = |number: u32| Place::V4(number.to_be_bytes());
        known.add("anna", place(0));
        known.add("ben", place(0));
        assert!(known.contain("anna", place(0)) && !known.contain("anna", place(1)));
        known.add("anna", place(0));
        let others = u32::try_from(REMEMBERED).unwrap() - 1;
        for number in 0..others {
            known.add("carl", place(number));
        }
        assert!(known.contain("anna", place(0)));
        assert!(!known.contain("ben", place(0)));
        known.add("dora", place(0));
        assert!(!known.contain("anna", place(0)));
        assert!(known.places().visits.len() <= REMEMBERED);
    }
}
