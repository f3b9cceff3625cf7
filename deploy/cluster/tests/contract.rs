//! The engine of one process does what every engine does. Time is virtual: it passes when all wait.

use async_trait::async_trait;
use cluster::contract::Stage;
use cluster::memory::World;
use cluster::{Engine, NodeId};

struct Memory(World);

#[async_trait]
impl Stage for Memory {
    async fn engine(&self, node: &str) -> Engine {
        self.0.engine(&NodeId::new(node).expect("a node's name"))
    }
}

async fn memory() -> Memory {
    Memory(World::new())
}

cluster::contract!(memory, tokio::test(start_paused = true));
