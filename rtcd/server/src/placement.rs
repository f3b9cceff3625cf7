//! Which shard takes a session, and which legs of a call are joined by links.
//!
//! In: sessions that come and go, legs that other nodes have. Out: a shard, and links to make or break.
//! A call stays on one shard until it has `leg_sessions` sessions there, then it spreads to the
//! least busy shard that has no leg of it yet. Every two legs of a call are joined directly, wherever
//! they are: a track crosses each link once and is never relayed further.
//! Not here: sending anything (`control`).
//! Invariant: pure; a leg exists exactly while it has a session.

use std::collections::{BTreeMap, BTreeSet};

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

/// A connection to another node. A later one to the same node is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeSerial(pub(crate) u32);

/// A leg of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FarLeg {
    pub(crate) node: NodeSerial,
    pub(crate) shard: u8,
}

impl FarLeg {
    /// The link to it, of whichever leg here and of whichever call: a leg tells its links apart, and
    /// needs no more.
    pub(crate) fn link(self) -> LinkId {
        LinkId(1 << 63 | u64::from(self.node.0) << 8 | u64::from(self.shard))
    }
}

/// A link between a leg here and one of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FarLink {
    pub(crate) here: ShardId,
    pub(crate) there: FarLeg,
}

/// Where a session goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) shard: ShardId,
    /// What follows when the session opens a new leg.
    pub(crate) opened: Option<Joints>,
}

/// The links of one leg.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Joints {
    pub(crate) links: Vec<Link>,
    pub(crate) far: Vec<FarLink>,
}

#[derive(Debug, Default)]
struct Call {
    /// Sessions of each leg.
    legs: BTreeMap<ShardId, usize>,
    links: Vec<Link>,
    /// Legs of other nodes.
    far: BTreeSet<FarLeg>,
}

impl Call {
    /// The links that join a leg here to those of other nodes.
    fn far_links(&self, here: ShardId) -> Vec<FarLink> {
        let far = self.far.iter();
        far.map(|there| FarLink {
            here,
            there: *there,
        })
        .collect()
    }

    fn is_over(&self) -> bool {
        self.legs.is_empty() && self.far.is_empty()
    }
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
        let call = self.calls.get(call);
        call.is_some_and(|call| !call.legs.is_empty())
    }

    /// Returns the shards that have a leg of a call.
    pub(crate) fn legs_of(&self, call: &CallKey) -> Vec<ShardId> {
        let call = self.calls.get(call);
        call.map(|call| call.legs.keys().copied().collect())
            .unwrap_or_default()
    }

    /// Returns how many sessions of a call are on this node.
    pub(crate) fn sessions_of(&self, call: &CallKey) -> usize {
        let call = self.calls.get(call);
        call.map_or(0, |call| call.legs.values().sum())
    }

    /// Whether another node has a leg of a call.
    pub(crate) fn is_at(&self, call: &CallKey, node: NodeSerial) -> bool {
        let call = self.calls.get(call);
        call.is_some_and(|call| call.far.iter().any(|leg| leg.node == node))
    }

    /// Returns the calls that have a session on this node.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &CallKey> {
        let here = self.calls.iter().filter(|(_, call)| !call.legs.is_empty());
        here.map(|(key, _)| key)
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
        let opened = (!call.legs.contains_key(&shard)).then(|| {
            let mut links = Vec::new();
            for other in call.legs.keys() {
                links.push(Link {
                    id: LinkId(self.next_link),
                    ends: [*other, shard],
                });
                self.next_link += 1;
            }
            call.links.extend(&links);
            let far = call.far_links(shard);
            Joints { links, far }
        });
        *call.legs.entry(shard).or_default() += 1;
        if let Some(load) = self.loads.get_mut(shard.0) {
            *load += 1;
        }
        Placed { shard, opened }
    }

    /// Another node has these legs of a call, and no others. Returns the links to break and those to
    /// make.
    pub(crate) fn far_legs(
        &mut self,
        key: &CallKey,
        node: NodeSerial,
        shards: impl IntoIterator<Item = u8>,
    ) -> (Vec<FarLink>, Vec<FarLink>) {
        let now: BTreeSet<FarLeg> = shards
            .into_iter()
            .map(|shard| FarLeg { node, shard })
            .collect();
        let call = self.calls.entry(key.clone()).or_default();
        let before: BTreeSet<FarLeg> = call
            .far
            .iter()
            .filter(|leg| leg.node == node)
            .copied()
            .collect();
        call.far.retain(|leg| leg.node != node || now.contains(leg));
        call.far.extend(&now);
        let joined = |legs: Vec<FarLeg>| -> Vec<FarLink> {
            let here = call.legs.keys();
            here.flat_map(|here| {
                legs.iter().map(|there| FarLink {
                    here: *here,
                    there: *there,
                })
            })
            .collect()
        };
        let broken = joined(before.difference(&now).copied().collect());
        let made = joined(now.difference(&before).copied().collect());
        if call.is_over() {
            self.calls.remove(key);
        }
        (broken, made)
    }

    /// Another node has gone. Returns the links to break, by call.
    pub(crate) fn far_node_went(&mut self, node: NodeSerial) -> Vec<(CallKey, Vec<FarLink>)> {
        let shared = self.calls.iter().filter(|(_, call)| {
            let mut far = call.far.iter();
            far.any(|leg| leg.node == node)
        });
        let keys: Vec<CallKey> = shared.map(|(key, _)| key.clone()).collect();
        let broken = keys.into_iter().map(|key| {
            let (broken, _) = self.far_legs(&key, node, []);
            (key, broken)
        });
        broken.collect()
    }

    /// The links of a leg here to those of other nodes.
    pub(crate) fn far_links(&self, key: &CallKey, here: ShardId) -> Vec<FarLink> {
        let call = self.calls.get(key);
        call.filter(|call| call.legs.contains_key(&here))
            .map(|call| call.far_links(here))
            .unwrap_or_default()
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
    pub(crate) fn remove(&mut self, key: &CallKey, shard: ShardId) -> Option<Joints> {
        let call = self.calls.get_mut(key)?;
        let sessions = call.legs.get_mut(&shard)?;
        *sessions -= 1;
        if let Some(load) = self.loads.get_mut(shard.0) {
            *load = load.saturating_sub(1);
        }
        if *sessions > 0 {
            return None;
        }
        call.legs.remove(&shard);
        let links = call
            .links
            .extract_if(.., |link| link.ends.contains(&shard))
            .collect();
        let far = call.far_links(shard);
        if call.is_over() {
            self.calls.remove(key);
        }
        Some(Joints { links, far })
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
            .filter_map(|placed| placed.opened.as_ref())
            .flat_map(|opened| &opened.links)
            .map(|link| link.ends.map(|shard| shard.0))
            .collect();
        assert_eq!(links, [[0, 1], [0, 2], [1, 2]]);
    }

    #[test]
    fn a_leg_without_sessions_loses_its_links() {
        let mut placement = Placement::new(2, 1);
        let first = placement.place(&call("a"));
        let second = placement.place(&call("a"));
        assert_eq!(placement.remove(&call("a"), second.shard), second.opened);
        assert!(placement.has_call(&call("a")));
        let none = Some(Joints::default());
        assert_eq!(placement.remove(&call("a"), first.shard), none);
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
    fn legs_of_other_nodes_are_joined_with_every_leg_here_while_they_last() {
        let mut placement = Placement::new(2, 1);
        let key = call("a");
        let [near, far] = [1, 2].map(NodeSerial);
        let joins = |here, node, shard| FarLink {
            here: ShardId(here),
            there: FarLeg { node, shard },
        };
        // Known before anybody here is in the call.
        assert_eq!(placement.far_legs(&key, near, [0]), (vec![], vec![]));
        assert!(!placement.has_call(&key), "a call elsewhere is none here");
        let opened = placement.place(&key).opened.unwrap();
        assert_eq!(opened.far, [joins(0, near, 0)]);
        let opened = placement.place(&key).opened.unwrap();
        assert_eq!(
            (opened.links.len(), opened.far),
            (1, vec![joins(1, near, 0)])
        );
        assert_eq!(placement.place(&key).opened, None);
        let made = vec![joins(0, far, 3), joins(1, far, 3)];
        assert_eq!(placement.far_legs(&key, far, [3]), (vec![], made));
        let changed = placement.far_legs(&key, near, [1]);
        let expected = (
            vec![joins(0, near, 0), joins(1, near, 0)],
            vec![joins(0, near, 1), joins(1, near, 1)],
        );
        assert_eq!(changed, expected);
        assert_eq!(placement.far_legs(&key, near, [1]), (vec![], vec![]));
        let gone = placement.far_node_went(near);
        assert_eq!(
            gone,
            [(key.clone(), vec![joins(0, near, 1), joins(1, near, 1)])]
        );
        let ended = placement.remove(&key, ShardId(1)).unwrap();
        assert_eq!(ended.far, [joins(1, far, 3)]);
        assert_ne!(
            joins(0, far, 3).there.link(),
            joins(0, near, 3).there.link()
        );
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
