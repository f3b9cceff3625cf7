//! The engine of one process: no server, no network, and in tests any number of nodes that share it,
//! with the faults of a real one by plan.
//!
//! In: the names of nodes. Out: an [`Engine`] for each. What is kept is gone with the process.

mod bus;
pub mod faults;
mod post;
mod pulse;
mod records;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::members::Members;
use crate::workers::Workers;
use crate::{Counters, Engine, NodeId};
pub use faults::{Fault, Faults, Operation};

/// What the nodes of one process have between them. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct World {
    faults: Faults,
    pulse: Arc<pulse::Shared>,
    directory: Arc<records::Shared>,
    claims: Arc<records::Shared>,
    post: Arc<post::Shared>,
    bus: Arc<bus::Shared>,
}

impl World {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What goes wrong in this world; nothing, until it is told.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The engine of one node.
    #[must_use]
    pub fn engine(&self, node: &NodeId) -> Engine {
        let counters = Arc::new(Counters::default());
        let records = |shared: &Arc<records::Shared>| {
            let records = records::Records::new(
                Arc::clone(shared),
                self.faults.clone(),
                Arc::clone(&counters),
            );
            Arc::new(records)
        };
        let post = post::Office::new(Arc::clone(&self.post), self.faults.clone());
        let claims = records(&self.claims);
        let queue = Workers::new(Arc::new(post), claims, Arc::clone(&counters));
        let pulse = pulse::Heart::new(Arc::clone(&self.pulse), node.clone(), self.faults.clone());
        let registry = Members::new(Arc::new(pulse), node.clone(), Arc::clone(&counters));
        let bus = bus::Wires::new(
            Arc::clone(&self.bus),
            node.clone(),
            self.faults.clone(),
            Arc::clone(&counters),
        );
        Engine {
            node: node.clone(),
            registry: Arc::new(registry),
            directory: records(&self.directory),
            queue: Arc::new(queue),
            bus: Arc::new(bus),
            counters,
        }
    }
}
