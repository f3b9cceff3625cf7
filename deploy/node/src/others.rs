//! Who is there, as this node sees it: the registry's news, added up. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::{Down, NodeEvent, NodeId};
use tokio::time::Instant;

use crate::Facts;

/// Whoever has gone is remembered for so long, for the eyes of administrators.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// How this node sees the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It has not joined yet, for this reason.
    Joining(String),
    /// What is told is true, within seconds.
    Clear,
    /// It hears nobody; what it knew stays.
    Blind,
}

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Up,
    /// Silent for a moment: give it nothing new.
    Suspect,
    /// It said that it goes.
    Left,
    /// It fell silent.
    Silent,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// `None`: it says nothing that this version understands.
    pub facts: Option<Facts>,
    pub state: State,
    /// Since when it is in this state.
    pub since: Instant,
    /// How much of what it can take is taken, in thousandths.
    pub load: u16,
}

impl Other {
    /// Whether it may be given something new.
    #[must_use]
    pub fn takes_more(&self) -> bool {
        let is_draining = self.facts.as_ref().is_none_or(|facts| facts.draining);
        self.state == State::Up && !is_draining
    }
}

/// All nodes that this one knows, itself too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Others {
    pub sight: Sight,
    pub nodes: BTreeMap<NodeId, Other>,
}

impl Others {
    pub(crate) fn nobody(why: &str) -> Self {
        Self {
            sight: Sight::Joining(why.to_owned()),
            nodes: BTreeMap::new(),
        }
    }

    /// A watch began: who is there is told anew.
    pub(crate) fn begin(&mut self) {
        self.sight = Sight::Clear;
    }

    pub(crate) fn take(&mut self, event: NodeEvent, now: Instant) {
        match event {
            NodeEvent::Up(node) => {
                let other = Other {
                    facts: Facts::decode(&node.facts),
                    state: State::Up,
                    since: now,
                    load: 0, // another one is told next
                };
                self.nodes.insert(node.id, other);
            }
            NodeEvent::Changed(node) => {
                if let Some(known) = self.nodes.get_mut(&node.id) {
                    known.facts = Facts::decode(&node.facts);
                }
            }
            NodeEvent::Load(id, load) => {
                if let Some(known) = self.nodes.get_mut(&id) {
                    known.load = load;
                }
            }
            NodeEvent::Suspect(id) => self.turn(&id, State::Suspect, now),
            NodeEvent::Down(id, Down::Left) => self.turn(&id, State::Left, now),
            // The later start is told as up.
            NodeEvent::Down(id, Down::Silent | Down::Replaced) => {
                self.turn(&id, State::Silent, now);
            }
            NodeEvent::Synced => {}
            NodeEvent::Blind => self.sight = Sight::Blind,
            NodeEvent::Sighted => self.sight = Sight::Clear,
        }
        self.nodes.retain(|_, other| {
            let is_gone = matches!(other.state, State::Left | State::Silent);
            !is_gone || now.duration_since(other.since) < REMEMBERED
        });
    }

    fn turn(&mut self, id: &NodeId, state: State, now: Instant) {
        if let Some(known) = self.nodes.get_mut(id) {
            known.state = state;
            known.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use cluster::Node;

    use super::*;
    use crate::{Kind, Report};

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn node(name: &str, draining: bool) -> Node {
        let facts = Facts {
            kind: Kind::Media,
            version: "1".to_owned(),
            url: String::new(),
            links: String::new(),
            draining,
            stands_by: false,
            report: Report::default(),
        };
        Node {
            id: id(name),
            incarnation: 1,
            facts: facts.encode(),
        }
    }

    #[test]
    fn who_comes_goes_and_says_something_else_is_known() {
        let now = Instant::now();
        let mut others = Others::nobody("not yet");
        others.begin();
        others.take(NodeEvent::Up(node("a", false)), now);
        others.take(NodeEvent::Load(id("a"), 250), now);
        assert!(others.nodes[&id("a")].takes_more());
        assert_eq!(others.nodes[&id("a")].load, 250);
        others.take(NodeEvent::Changed(node("a", true)), now);
        assert!(!others.nodes[&id("a")].takes_more());
        others.take(NodeEvent::Up(node("b", false)), now);
        others.take(NodeEvent::Load(id("b"), 900), now);
        others.take(NodeEvent::Suspect(id("b")), now);
        assert!(!others.nodes[&id("b")].takes_more());
        others.take(NodeEvent::Up(node("b", false)), now);
        assert!(others.nodes[&id("b")].takes_more());
        assert_eq!(others.nodes[&id("b")].load, 0, "it may be a later start");
        others.take(NodeEvent::Blind, now);
        assert_eq!(
            (others.sight.clone(), others.nodes.len()),
            (Sight::Blind, 2)
        );
        others.take(NodeEvent::Sighted, now);
        others.take(NodeEvent::Down(id("b"), Down::Silent), now);
        assert_eq!(others.nodes[&id("b")].state, State::Silent);
        // An hour later nobody needs to see it any more.
        others.take(NodeEvent::Synced, now + REMEMBERED);
        assert_eq!(others.nodes.keys().collect::<Vec<_>>(), [&id("a")]);
    }
}
