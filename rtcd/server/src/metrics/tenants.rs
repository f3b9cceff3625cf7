//! Tenants' ids as labels: for as long as the tenant is here, and a while longer.
//!
//! In: a tenant's connections and sessions as they come and go. Out: which tenants have been away for so
//! long that what was measured of them is no longer told. Anybody who may register could leave a new
//! id here with every connection.
//! Invariant: bounded by who is here, `MOST_AWAY`, and what may register in `KEPT_FOR`.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use proto::id::GroupId;

/// How long a tenant's values are told after it has gone: several scrapes.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
/// Most tenants that are away and still told of; the one that is away for longest goes first.
const MOST_AWAY: usize = 256;

/// Who is here, and who was.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    /// Connections and sessions of each.
    here: HashMap<GroupId, usize>,
    /// Oldest first.
    away: VecDeque<(Instant, GroupId)>,
}

impl Tenants {
    pub(super) fn came(&mut self, group: &GroupId) {
        let count = self.here.entry(group.clone()).or_default();
        *count += 1;
        if *count == 1 {
            self.away.retain(|(_, away)| away != group);
        }
    }

    /// Takes a connection or session away. Returns the tenants to be forgotten.
    pub(super) fn went(&mut self, group: &GroupId, now: Instant) -> Vec<GroupId> {
        if let Some(count) = self.here.get_mut(group) {
            *count -= 1;
            if *count == 0 {
                self.here.remove(group);
                self.away.push_back((now, group.clone()));
            }
        }
        self.forgotten(now)
    }

    fn forgotten(&mut self, now: Instant) -> Vec<GroupId> {
        let mut forgotten = Vec::new();
        while let Some((at, _)) = self.away.front() {
            let is_old = now.saturating_duration_since(*at) >= KEPT_FOR;
            if !is_old && self.away.len() <= MOST_AWAY {
                break;
            }
            forgotten.extend(self.away.pop_front().map(|(_, group)| group));
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: usize) -> GroupId {
        GroupId::parse(format!("g{number}")).unwrap()
    }

    #[test]
    fn who_is_here_is_kept_and_who_was_for_a_while() {
        let mut tenants = Tenants::default();
        let start = Instant::now();
        tenants.came(&group(0));
        tenants.came(&group(0));
        tenants.came(&group(1));
        assert_eq!(tenants.went(&group(1), start), []);
        assert_eq!(tenants.went(&group(0), start + KEPT_FOR), [group(1)]);
        assert_eq!(tenants.here.len(), 1, "one of two connections is left");
        // Back in time.
        assert_eq!(tenants.went(&group(0), start + KEPT_FOR), []);
        tenants.came(&group(0));
        tenants.came(&group(2));
        let later = start + 3 * KEPT_FOR;
        assert_eq!(tenants.went(&group(2), later), []);
    }

    #[test]
    fn a_crowd_of_names_is_forgotten() {
        let mut tenants = Tenants::default();
        let now = Instant::now();
        let mut forgotten = 0;
        for number in 0..10_000 {
            tenants.came(&group(number));
            forgotten += tenants.went(&group(number), now).len();
        }
        assert_eq!(forgotten, 10_000 - MOST_AWAY);
        assert_eq!((tenants.here.len(), tenants.away.len()), (0, MOST_AWAY));
    }
}
