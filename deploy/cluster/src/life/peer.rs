//! What a watcher knows of one node.

use std::time::{Duration, Instant};

use proto::cluster::Facts;

use crate::{Node, NodeId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It beats; what it says about itself has not been read.
    Heard,
    Up,
    Suspect,
    /// Dead or left.
    Gone,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) incarnation: u64,
    /// Of this incarnation only.
    pub(super) facts: Option<(Facts, Vec<u8>)>,
    /// When it was last heard, or when our sight returned.
    pub(super) heard: Instant,
    pub(super) stage: Stage,
    /// It said that it goes: no late beat brings this start back.
    pub(super) has_left: bool,
    pub(super) load: u16,
}

impl Peer {
    pub(super) fn new(incarnation: u64, now: Instant) -> Self {
        Self {
            incarnation,
            facts: None,
            heard: now,
            stage: Stage::Heard,
            has_left: false,
            load: 0,
        }
    }

    /// Whether it has been called up and not down since.
    pub(super) fn is_there(&self) -> bool {
        matches!(self.stage, Stage::Up | Stage::Suspect)
    }

    pub(super) fn is_heard(&self, now: Instant, within: Duration) -> bool {
        now.saturating_duration_since(self.heard) < within
    }

    pub(super) fn wants_facts(&self, edition: u32) -> bool {
        self.facts
            .as_ref()
            .is_none_or(|(known, _)| known.edition < edition)
    }

    pub(super) fn node(&self, id: &NodeId) -> Option<Node> {
        let (_, body) = self.facts.as_ref()?;
        Some(Node {
            id: id.clone(),
            incarnation: self.incarnation,
            facts: body.clone(),
        })
    }
}
