//! Connections between the nodes of a cluster, without the servers between them: QUIC, TLS 1.3, both
//! sides known by their papers.
//!
//! In: who is there (`Place`). Out: one connection to each node that has an address for it; what is said
//! over it arrives in order (`Wire::say`), media arrives soon or not at all (`Wire::send`).
//! Of two nodes the one whose name comes first calls the other, again and again for as long as both are
//! there. Connections stay when the servers between the nodes are away.
//! Not here: what nodes say to each other.

mod calling;
mod figures;
mod identity;
mod thread;
mod wire;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cluster::NodeId;
use quinn::Endpoint;
use service::{Restarts, Tasks};

pub use wire::Wire;

use crate::Place;
use crate::tls::IdentityError;
use identity::Identity;
use thread::OwnThread;

/// What is done with connections to other nodes.
pub trait Meets: Send + Sync + 'static {
    /// There is a connection to a node. What is made is dropped when it is over.
    fn met(&self, wire: &Arc<Wire>) -> Box<dyn Hears>;
}

/// What is done with what one node says.
pub trait Hears: Send + 'static {
    /// Something that was said, in order.
    fn said(&mut self, message: &[u8]);
    /// Media; some of it may have been lost.
    fn sent(&mut self, datagram: &[u8]);
    /// Whether nothing more can be taken of what is said: the other node waits then.
    fn is_full(&self) -> bool {
        false
    }
}

/// Why there can be no connections.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("listen for other nodes at UDP port {port} (`cluster.link_address`): {why}")]
    Listen { port: u16, why: std::io::Error },
    #[error("start the thread of the connections to other nodes: {0}")]
    Thread(std::io::Error),
}

/// The connections of this node. Clones are the same.
#[derive(Clone)]
pub struct Mesh(Arc<Shared>);

struct Shared {
    place: Place,
    identity: Identity,
    meets: Box<dyn Meets>,
    wires: Mutex<BTreeMap<NodeId, Arc<Wire>>>,
    next_serial: AtomicU32,
    tasks: Tasks,
    thread: OwnThread,
}

impl std::fmt::Debug for Mesh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mesh")
            .field("wires", &*self.0.wires())
            .finish_non_exhaustive()
    }
}

impl Mesh {
    /// Listens for other nodes at a UDP port of every address, and begins to call them. `own_host` is
    /// where they reach this one: its family is listened at.
    ///
    /// # Errors
    /// When the papers are of no use for this, or the port is taken.
    pub fn start(
        place: &Place,
        papers: &Path,
        (own_host, port): (&str, u16),
        meets: impl Meets,
        tasks: &Tasks,
    ) -> Result<Self, MeshError> {
        let identity = Identity::of_papers(papers)?;
        let is_v6 = own_host
            .trim_matches(['[', ']'])
            .parse::<Ipv6Addr>()
            .is_ok();
        let address = SocketAddr::new(unspecified(is_v6), port);
        let thread = OwnThread::start(tasks).map_err(MeshError::Thread)?;
        let handle = thread.handle.clone();
        let _own = handle.enter();
        let listening = Endpoint::server(identity.server(), address);
        let listening = listening.map_err(|why| MeshError::Listen { port, why })?;
        let mesh = Self(Arc::new(Shared {
            place: place.clone(),
            identity,
            meets: Box::new(meets),
            wires: Mutex::default(),
            next_serial: AtomicU32::new(1),
            tasks: tasks.clone(),
            thread,
        }));
        let answering = mesh.clone();
        tasks.must_live("other nodes that call", async move {
            answering.answer(listening).await;
        });
        let caller = mesh.clone();
        let call = move || caller.clone().call_everybody();
        tasks.restarted("calls to other nodes", call, Restarts::default());
        Ok(mesh)
    }

    /// Those that are there now.
    #[must_use]
    pub fn wires(&self) -> Vec<Arc<Wire>> {
        self.0.wires().values().cloned().collect()
    }

    /// Ends all connections, when this node goes.
    pub fn end(&self) {
        for wire in self.wires() {
            wire.end("this node goes");
        }
    }

    /// Lives a connection to its end. A later one to the same node takes the place of an earlier.
    async fn live(&self, node: NodeId, streams: wire::Streams) {
        let serial = self.0.next_serial.fetch_add(1, Ordering::Relaxed);
        let (wire, reading) = wire::open(node.clone(), serial, streams);
        let earlier = self.0.wires().insert(node.clone(), Arc::clone(&wire));
        if let Some(earlier) = earlier {
            earlier.end("another connection took its place");
        }
        tracing::info!(%node, address = %wire.address(), "connected to a node");
        let hears = {
            let _rest = self.0.thread.rest.enter();
            self.0.meets.met(&wire)
        };
        let why = reading.run(hears).await;
        tracing::warn!(%node, %why, "the connection to a node is over");
        self.0
            .wires()
            .retain(|_, known| known.serial() != wire.serial());
    }
}

impl Shared {
    fn wires(&self) -> MutexGuard<'_, BTreeMap<NodeId, Arc<Wire>>> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every address of a family.
fn unspecified(is_v6: bool) -> IpAddr {
    if is_v6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}

#[cfg(test)]
mod tests;
