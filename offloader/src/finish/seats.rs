//! Who gets a tile when there are more people than tiles.
//!
//! In: everybody, who speaks, when each was heard last. Out: who is shown, in order.
//! As long as all have a tile they stand in the order in which they came, and nobody moves. After
//! that whoever speaks without a tile takes that of the one not heard for longest.
//! Invariant: nobody who speaks is without a tile while somebody silent has one.

use std::collections::BTreeMap;

use super::plan::Person;

/// Who has which tile.
#[derive(Debug)]
pub struct Seats {
    most: usize,
    /// Ids, by tile.
    taken: Vec<String>,
    /// When each was heard last.
    heard: BTreeMap<String, i64>,
}

impl Seats {
    /// Of so many tiles.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(2),
            taken: Vec::new(),
            heard: BTreeMap::new(),
        }
    }

    /// Notes who is heard.
    pub fn hear(&mut self, id: &str, t_ms: i64) {
        self.heard.insert(id.to_owned(), t_ms);
    }

    /// Gives tiles at a time. The last one is left to those who have none, if there are any.
    pub fn give<'a>(
        &mut self,
        people: &'a [Person],
        speaks: impl Fn(&str) -> bool,
    ) -> Vec<&'a Person> {
        if people.len() <= self.most {
            self.taken = people.iter().map(|person| person.id.clone()).collect();
            return people.iter().collect();
        }
        let find = |id: &str| people.iter().find(|person| person.id == id);
        self.taken.retain(|id| find(id).is_some());
        let mut waiting: Vec<&Person> = people
            .iter()
            .filter(|person| !self.taken.contains(&person.id))
            .collect();
        // Stable: within these in the order in which they came.
        waiting.sort_by_key(|person| {
            let heard = self.heard.get(&person.id).map_or(i64::MAX, |at| -at);
            (!speaks(&person.id), !person.hand_up, heard)
        });
        self.make_room();
        let mut waiting = waiting.into_iter();
        let free = self.most - 1 - self.taken.len();
        let seated = waiting.by_ref().take(free).map(|person| person.id.clone());
        self.taken.extend(seated);
        for person in waiting.filter(|person| speaks(&person.id)) {
            self.replace(person, |id| {
                (speaks(id), find(id).is_some_and(|person| person.hand_up))
            });
        }
        self.taken.iter().filter_map(|id| find(id)).collect()
    }

    /// Takes tiles away from those not heard for longest, until one is free for the others.
    fn make_room(&mut self) {
        while self.taken.len() >= self.most {
            let Some(index) = self.least_heard(|_| (false, false)) else {
                return;
            };
            self.taken.remove(index);
        }
    }

    fn replace(&mut self, person: &Person, needs: impl Fn(&str) -> (bool, bool)) {
        let silent = |index: &usize| self.taken.get(*index).is_some_and(|id| !needs(id).0);
        let index = self.least_heard(&needs).filter(silent);
        if let Some(seat) = index.and_then(|index| self.taken.get_mut(index)) {
            seat.clone_from(&person.id);
        }
    }

    /// The tile that can be spared first; of equal ones the last.
    fn least_heard(&self, needs: impl Fn(&str) -> (bool, bool)) -> Option<usize> {
        let tiles = self.taken.iter().enumerate();
        let first = tiles.min_by_key(|(index, id)| {
            let heard = self.heard.get(*id).copied().unwrap_or(i64::MIN);
            (needs(id), heard, std::cmp::Reverse(*index))
        });
        first.map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(count: usize) -> Vec<Person> {
        let person = |n: usize| Person {
            id: format!("p{n}"),
            name: format!("Person {n}"),
            muted: false,
            hand_up: n == 30,
        };
        (0..count).map(person).collect()
    }

    fn ids(seated: &[&Person]) -> Vec<String> {
        seated.iter().map(|person| person.id.clone()).collect()
    }

    #[test]
    fn where_all_have_a_tile_nobody_moves() {
        let mut seats = Seats::new(24);
        let people = people(24);
        let before = ids(&seats.give(&people, |_| false));
        seats.hear("p20", 5);
        assert_eq!(ids(&seats.give(&people, |id| id == "p20")), before);
        assert_eq!(before.len(), 24);
    }

    #[test]
    fn among_forty_whoever_speaks_is_seen_and_the_others_stay_where_they_are() {
        let mut seats = Seats::new(24);
        let people = people(40);
        let first = ids(&seats.give(&people, |_| false));
        assert_eq!(first.len(), 23);
        assert!(first.contains(&"p30".to_owned()), "whose hand is up");
        let mut before = first;
        for (t_ms, speaker) in (0..).zip([39, 38, 3, 37, 36, 35, 34, 39, 38, 33, 31, 32, 29, 28]) {
            let id = format!("p{speaker}");
            seats.hear(&id, t_ms);
            let now = ids(&seats.give(&people, |other| other == id));
            assert!(now.contains(&id), "{id}");
            let moved = before.iter().zip(&now).filter(|(a, b)| a != b).count();
            assert!(moved <= 1, "{before:?} {now:?}");
            assert!(now.contains(&"p30".to_owned()));
            before = now;
        }
        // All who spoke are still there: the silent made room.
        assert!(before.contains(&"p39".to_owned()) && before.contains(&"p28".to_owned()));
    }

    #[test]
    fn a_crowd_that_speaks_at_once_fills_all_tiles_and_one_that_goes_makes_room() {
        let mut seats = Seats::new(4);
        let all = people(9);
        seats.give(&all, |_| false);
        let crowd = ids(&seats.give(&all, |id| id != "p0" && id != "p1"));
        assert!(
            !crowd.contains(&"p0".to_owned()) && crowd.len() == 3,
            "{crowd:?}"
        );
        assert_eq!(seats.give(&all[3..7], |_| false).len(), 4);
        assert_eq!(seats.give(&all, |_| false).len(), 3);
        assert_eq!(seats.give(&[], |_| false).len(), 0);
    }
}
