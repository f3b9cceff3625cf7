//! What nodes need of each other, as four small traits, and the engine of a single process.
//!
//! - [`Registry`]: who is there, who has gone, and how loaded each is.
//! - [`Directory`]: small records that change by compare-and-swap: who owns a call.
//! - [`Queue`]: jobs for whoever has room; each attempt begun once.
//! - [`Bus`]: news to everybody who listens, questions to whoever answers.
//!
//! Two engines stand behind them: [`memory`], the default, and a server between machines in a crate of
//! its own. What both must do is written once, as tests (`contract`); what both decide in the same way
//! is here, without I/O: [`life`] (who is dead) and [`claim`] (who may begin a job).
//!
//! Invariant: an engine holds only what can be rebuilt. Media and running calls never wait for one.
//! Invariant: no word of any engine is in this crate.

pub mod bus;
pub mod claim;
#[cfg(feature = "contract")]
pub mod contract;
mod counters;
pub mod directory;
mod error;
mod feed;
pub mod life;
pub mod members;
pub mod memory;
pub mod name;
pub mod queue;
pub mod registry;
pub mod workers;

use std::sync::Arc;

pub use bus::{Bus, Call, Delivery};
pub use counters::{Counters, Figure};
pub use directory::{Change, Directory, Read, Revision, Versioned};
pub use error::{CallError, Error};
pub use feed::Feed;
pub use name::{NodeId, Pattern, Topic};
pub use queue::{DeadJob, Job, JobState, Lease, Queue, Submitted};
pub use registry::{Down, Membership, Node, NodeEvent, Registry};

/// All four of one node, on the same engine.
#[derive(Clone)]
pub struct Engine {
    /// Who this is.
    pub node: NodeId,
    pub registry: Arc<dyn Registry>,
    pub directory: Arc<dyn Directory>,
    pub queue: Arc<dyn Queue>,
    pub bus: Arc<dyn Bus>,
    pub counters: Arc<Counters>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
