//! Which shard takes a session, and which legs of a call are joined by links.
//!
//! In: sessions that come and go. Out: a shard, and links to make or break.
//! A call stays on one shard until it has `leg_sessions` sessions there, then it spreads to the
//! least busy shard that has no leg of it yet. Every two legs of a call are joined directly: a
//! track crosses each link once and is never relayed further.
//! Not here: sending anything (`control`).
//! Invariant: pure; a leg exists exactly while it has a session.

use std::collections::BTreeMap;

use rtcd_core::{CallKey, LinkId};

/// A shard of this node, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ShardId(pub(crate) usize);

/// A link between legs of one call on two shards. Both ends know it by the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) ends: [ShardId; 2],
}

/// Where a session goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) shard: ShardId,
    /// To be made, because the session opens a new leg.
    pub(crate) links: Vec<Link>,
}

#[derive(Debug, Default)]
struct Call {
    /// Sessions of each leg.
    legs: BTreeMap<ShardId, usize>,
    links: Vec<Link>,
}

/// All calls of the node and where they are.
#[derive(Debug)]
pub(crate) struct Placement {
    leg_sessions: usize,
    /// Sessions of each shard.
    loads: Vec<usize>,
    calls: BTreeMap<CallKey, Call>,
    next_link: u64,
}

impl Placement {
    /// Starts empty. `shards` is at least 1.
    pub(crate) fn new(shards: usize, leg_sessions: usize) -> Self {
        Self {
            leg_sessions: leg_sessions.max(1),
            loads: vec![0; shards.max(1)],
            calls: BTreeMap::new(),
            next_link: 1,
        }
    }

    /// Whether the call has a session on this node.
    pub(crate) fn has_call(&self, call: &CallKey) -> bool {
        self.calls.contains_key(call)
    }

    /// Returns how many legs all calls have together.
    pub(crate) fn legs(&self) -> usize {
        self.calls.values().map(|call| call.legs.len()).sum()
    }

    /// Finds a shard for a new session and counts it there.
    pub(crate) fn place(&mut self, key: &CallKey) -> Placed {
        let call = self.calls.entry(key.clone()).or_default();
        let smallest_leg = call.legs.iter().min_by_key(|(_, sessions)| **sessions);
        let without_leg = self
            .loads
            .iter()
            .enumerate()
            .map(|(index, load)| (ShardId(index), *load))
            .filter(|(shard, _)| !call.legs.contains_key(shard))
            .min_by_key(|(_, load)| *load);
        let shard = match (smallest_leg, without_leg) {
            (Some((shard, sessions)), _) if *sessions < self.leg_sessions => *shard,
            (_, Some((shard, _))) | (Some((&shard, _)), None) => shard,
            (None, None) => ShardId(0),
        };
        let mut links = Vec::new();
        if !call.legs.contains_key(&shard) {
            for other in call.legs.keys() {
                links.push(Link {
                    id: LinkId(self.next_link),
                    ends: [*other, shard],
                });
                self.next_link += 1;
            }
            call.links.extend(&links);
        }
        *call.legs.entry(shard).or_default() += 1;
        if let Some(load) = self.loads.get_mut(shard.0) {
            *load += 1;
        }
        Placed { shard, links }
    }

    /// The leg of a call on this shard has lost its links. Returns those to break at their other ends,
    /// and those to make instead, if the leg has sessions again.
    pub(crate) fn relink(&mut self, key: &CallKey, shard: ShardId) -> (Vec<Link>, Vec<Link>) {
        let Some(call) = self.calls.get_mut(key) else {
            return (Vec::new(), Vec::new());
        };
        let broken: Vec<Link> = call
            .links
            .extract_if(.., |link| link.ends.contains(&shard))
            .collect();
        let mut made = Vec::new();
        for link in &broken {
            made.push(Link {
                id: LinkId(self.next_link),
                ends: link.ends,
            });
            self.next_link += 1;
        }
        call.links.extend(&made);
        (broken, made)
    }

    /// Takes a session away and returns the links to break, if its leg ends with it.
    pub(crate) fn remove(&mut self, key: &CallKey, shard: ShardId) -> Vec<Link> {
        let Some(call) = self.calls.get_mut(key) else {
            return Vec::new();
        };
        let Some(sessions) = call.legs.get_mut(&shard) else {
            return Vec::new();
        };
        *sessions -= 1;
        if let Some(load) = self.loads.get_mut(shard.0) {
            *load = load.saturating_sub(1);
        }
        if *sessions > 0 {
            return Vec::new();
        }
        call.legs.remove(&shard);
        let broken: Vec<Link> = call
            .links
            .extract_if(.., |link| link.ends.contains(&shard))
            .collect();
        if call.legs.is_empty() {
            self.calls.remove(key);
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use proto::id::{CallId, GroupId};

    use super::*;

    fn call(name: &str) -> CallKey {
        CallKey {
            group: GroupId::parse("g").unwrap(),
            call: CallId::parse(name).unwrap(),
        }
    }

    #[test]
    fn small_calls_stay_together_and_spread_over_shards() {
        let mut placement = Placement::new(2, 10);
        for _ in 0..3 {
            assert_eq!(placement.place(&call("a")).shard, ShardId(0));
        }
        assert_eq!(placement.place(&call("b")).shard, ShardId(1));
        assert_eq!(placement.place(&call("c")).shard, ShardId(1));
        assert_eq!(placement.legs(), 3);
    }

    #[test]
    fn a_big_call_spreads_and_its_legs_are_all_linked() {
        let mut placement = Placement::new(3, 2);
        let placed: Vec<Placed> = (0..7).map(|_| placement.place(&call("a"))).collect();
        let shards: Vec<usize> = placed.iter().map(|placed| placed.shard.0).collect();
        assert_eq!(shards, [0, 0, 1, 1, 2, 2, 0]);
        let links: Vec<[usize; 2]> = placed
            .iter()
            .flat_map(|placed| &placed.links)
            .map(|link| link.ends.map(|shard| shard.0))
            .collect();
        assert_eq!(links, [[0, 1], [0, 2], [1, 2]]);
    }

    #[test]
    fn a_leg_without_sessions_loses_its_links() {
        let mut placement = Placement::new(2, 1);
        let first = placement.place(&call("a"));
        let second = placement.place(&call("a"));
        assert_eq!(placement.remove(&call("a"), second.shard), second.links);
        assert!(placement.has_call(&call("a")));
        assert_eq!(placement.remove(&call("a"), first.shard), []);
        assert!(!placement.has_call(&call("a")));
        assert_eq!(placement.loads, [0, 0]);
    }

    #[test]
    fn a_leg_that_was_lost_is_linked_anew() {
        let mut placement = Placement::new(3, 1);
        for _ in 0..3 {
            placement.place(&call("a"));
        }
        let (broken, made) = placement.relink(&call("a"), ShardId(1));
        let ids = |links: &[Link]| links.iter().map(|link| link.id.0).collect::<Vec<_>>();
        assert_eq!((ids(&broken), ids(&made)), (vec![1, 3], vec![4, 5]));
        assert!(made.iter().all(|link| link.ends.contains(&ShardId(1))));
        // And once more, with the links there are now.
        let (broken, _) = placement.relink(&call("a"), ShardId(0));
        assert_eq!(ids(&broken), [2, 4]);
        assert_eq!(placement.relink(&call("b"), ShardId(0)), (vec![], vec![]));
    }

    #[test]
    fn calls_of_two_tenants_with_one_id_are_two_calls() {
        let mut placement = Placement::new(1, 1);
        placement.place(&call("a"));
        let other = CallKey {
            group: GroupId::parse("h").unwrap(),
            ..call("a")
        };
        assert!(!placement.has_call(&other));
    }
}
