//! Who is there.
//!
//! A verdict of death is advisory: it may be wrong, for nobody can tell dead from slow. Whoever acts
//! on one does so through the [`crate::Directory`], with an epoch, so that a wrong one costs a moved
//! call and never two owners.

use async_trait::async_trait;

use crate::{Error, Feed, NodeId};

/// A node as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: NodeId,
    /// Grows with every start of the node.
    pub incarnation: u64,
    /// What it says about itself (addresses, region, capacity, version), in its owner's words.
    pub facts: Vec<u8>,
}

/// What became of a node, or of our sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEvent {
    /// It is there: for the first time, or again after `Suspect` or `Down`.
    Up(Node),
    /// Its facts are others now.
    Changed(Node),
    /// How much of what it can take is taken, in thousandths: told when it changes, and behind `Up` unless
    /// nothing is.
    Load(NodeId, u16),
    /// Silent for 1.5 s: give it nothing new.
    Suspect(NodeId),
    /// Take over what it had.
    Down(NodeId, Down),
    /// Whoever was there when the watch began has been told.
    Synced,
    /// We hear nothing, not even ourselves, or everybody fell silent at once: whatever is known stays
    /// as it is until `Sighted`.
    Blind,
    Sighted,
}

/// Why a node is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// It said so.
    Left,
    /// Nothing was heard for 3 s.
    Silent,
    /// A later start of the same node is there.
    Replaced,
}

/// Who is there, for one node of the cluster.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Makes this node known to the others; it beats by itself from now on.
    ///
    /// # Errors
    /// `Unavailable` when the facts could not be left, `Invalid` when it has joined already.
    async fn join(&self, facts: Vec<u8>) -> Result<Box<dyn Membership>, Error>;

    /// Begins to watch: those who are there, `Synced`, then changes, per node in order.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    async fn watch(&self) -> Result<Box<dyn Feed<NodeEvent>>, Error>;
}

/// This node among the others. Dropped without [`Membership::leave`] it falls silent, as a process
/// that dies.
#[async_trait]
pub trait Membership: Send + Sync {
    /// As whom it has joined.
    fn node(&self) -> Node;

    /// Says something else about this node; known to the others within a beat.
    ///
    /// # Errors
    /// When it could not be left; it is tried again with later beats.
    async fn update(&self, facts: Vec<u8>) -> Result<(), Error>;

    /// Says with every beat how much of what this node can take is taken, in thousandths.
    fn set_load(&self, load: u16);

    /// Goes in order: the others are told at once.
    async fn leave(self: Box<Self>);
}
