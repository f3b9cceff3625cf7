//! Which node takes a session.
//!
//! In: how loaded this node and the others are, and who has a part of the call. Out: this node, another,
//! or none. A call stays where it is while there is room, then goes where another part of it is, and only
//! then to a node that has none: the fewer nodes, the fewer times each of its tracks crosses.
//! Not here: what follows from it (`control`).
//! Invariant: pure.

use crate::placement::NodeSerial;

/// A node this loaded takes no call that it has not yet, in thousandths of what it can take.
const FULL_FOR_NEW: u16 = 600;
/// A node this loaded takes nothing new.
const FULL: u16 = 800;

/// This node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own {
    pub(crate) is_draining: bool,
    /// In thousandths of what it can take.
    pub(crate) load: u16,
    /// Sessions of the call that are here.
    pub(crate) sessions: usize,
}

/// Another node that takes something new.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) node: NodeSerial,
    pub(crate) load: u16,
    /// It has a part of the call.
    pub(crate) has_leg: bool,
}

/// Where a session goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Here,
    There(NodeSerial),
}

/// Chooses. `most` is how many sessions of one call this node takes; 0: as many as it can. `random` gives
/// a number below its argument. Where nobody has room it is this node: it may say no.
pub(crate) fn choose(
    own: Own,
    most: usize,
    others: &[Candidate],
    mut random: impl FnMut(usize) -> usize,
) -> Choice {
    let limit = if own.sessions > 0 { FULL } else { FULL_FOR_NEW };
    let is_within = most == 0 || own.sessions < most;
    if !own.is_draining && is_within && own.load < limit {
        return Choice::Here;
    }
    let with_leg = others
        .iter()
        .filter(|other| other.has_leg && other.load < FULL)
        .min_by_key(|other| other.load);
    if let Some(other) = with_leg {
        return Choice::There(other.node);
    }
    let fresh: Vec<&Candidate> = others
        .iter()
        .filter(|other| !other.has_leg && other.load < FULL_FOR_NEW)
        .collect();
    // The better of two: the best of all would be chosen by everybody at once.
    let two = (!fresh.is_empty()).then(|| [random(fresh.len()), random(fresh.len())]);
    let better = two
        .iter()
        .flatten()
        .filter_map(|index| fresh.get(*index))
        .min_by_key(|other| other.load);
    if let Some(other) = better {
        return Choice::There(other.node);
    }
    // Everybody is full; whoever goes away, or has as many as it may, takes nothing as long as anybody
    // else is there.
    let least = others.iter().min_by_key(|other| other.load);
    match least {
        Some(other) if own.is_draining || !is_within || other.load < own.load => {
            Choice::There(other.node)
        }
        Some(_) | None => Choice::Here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Own = Own {
        is_draining: false,
        load: 100,
        sessions: 0,
    };

    fn node(serial: u32, load: u16, has_leg: bool) -> Candidate {
        Candidate {
            node: NodeSerial(serial),
            load,
            has_leg,
        }
    }

    fn chosen(own: Own, most: usize, others: &[Candidate]) -> Choice {
        // The first and the last, in turn.
        let mut turn = 0;
        choose(own, most, others, |below| {
            turn += 1;
            if turn % 2 == 1 { 0 } else { below - 1 }
        })
    }

    const fn there(serial: u32) -> Choice {
        Choice::There(NodeSerial(serial))
    }

    #[test]
    fn a_call_stays_here_while_there_is_room_and_then_goes_where_it_is_already() {
        let others = [node(1, 0, false), node(2, 500, true), node(3, 400, true)];
        assert_eq!(chosen(OWN, 0, &others), Choice::Here);
        let busy = Own { load: 700, ..OWN };
        assert_eq!(chosen(busy, 0, &others), there(3));
        let running = Own {
            sessions: 5,
            ..busy
        };
        assert_eq!(chosen(running, 0, &others), Choice::Here);
        assert_eq!(
            chosen(running, 5, &others),
            there(3),
            "its limit is reached"
        );
        let full = Own {
            load: 800,
            ..running
        };
        assert_eq!(chosen(full, 0, &others), there(3));
    }

    #[test]
    fn a_new_node_is_the_better_of_two() {
        let others = [node(1, 300, false), node(2, 0, false), node(3, 200, false)];
        let draining = Own {
            is_draining: true,
            ..OWN
        };
        assert_eq!(chosen(draining, 0, &others), there(3));
        let full = [node(1, 650, false), node(2, 500, false)];
        assert_eq!(chosen(draining, 0, &full), there(2), "60 % is enough");
    }

    #[test]
    fn where_nobody_has_room_the_least_loaded_has_it_and_whoever_drains_only_alone() {
        let others = [node(1, 850, true), node(2, 700, false)];
        let full = Own { load: 900, ..OWN };
        assert_eq!(chosen(full, 0, &others), there(2));
        let less = Own { load: 650, ..OWN };
        assert_eq!(chosen(less, 0, &others), Choice::Here);
        let draining = Own {
            is_draining: true,
            ..less
        };
        assert_eq!(chosen(draining, 0, &others), there(2));
        assert_eq!(chosen(draining, 0, &[]), Choice::Here);
        let enough = Own {
            sessions: 5,
            ..less
        };
        assert_eq!(chosen(enough, 5, &others), there(2));
        assert_eq!(chosen(enough, 6, &others), Choice::Here);
    }
}
