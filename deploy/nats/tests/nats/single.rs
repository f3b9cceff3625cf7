//! Debian's server alone, one copy: the whole contract, over mutual TLS and with the least rights, as an
//! administrator gets them.

use async_trait::async_trait;
use cluster::Engine;
use cluster::contract::Stage;

use crate::servers::{House, debian};

/// Whoever appears in the contract.
const NODES: [&str; 6] = ["n0", "n1", "n2", "n3", "looker", "other"];

#[async_trait]
impl Stage for House {
    async fn engine(&self, node: &str) -> Engine {
        Self::engine(self, node).await
    }
}

async fn single() -> House {
    let started = tokio::task::spawn_blocking(|| House::start(&debian(), 1, &NODES));
    started.await.unwrap()
}

cluster::contract!(single, tokio::test(flavor = "multi_thread"));
