//! Who calls whom: the node whose name comes first, and it calls again when the connection is over.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::NodeId;
use quinn::{Connection, Endpoint};
use service::supervise::End;
use tokio::sync::Semaphore;

use super::wire::{Streams, read_message, write_message};
use super::{Mesh, unspecified};
use crate::{Others, State};

/// Longest wait for a connection, and for the first word on it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Handshakes at once of those who call; others are to call again.
const GREETED_AT_ONCE: usize = 32;
/// Between two calls to a node that does not answer: doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Mesh {
    /// Keeps calling everybody whom this node is to call.
    pub(super) async fn call_everybody(self) {
        let mut others = self.0.place.follow();
        let called = Arc::new(Mutex::new(BTreeSet::new()));
        loop {
            let now = others.borrow_and_update().clone();
            for (node, _) in to_call(&now, &self.0.identity.node) {
                self.begin_calling(node, &called);
            }
            if others.changed().await.is_err() {
                return;
            }
        }
    }

    /// Begins to call a node, unless that has begun already.
    fn begin_calling(&self, node: NodeId, called: &Arc<Mutex<BTreeSet<NodeId>>>) {
        if !held(called).insert(node.clone()) {
            return;
        }
        let (called, done) = (Arc::clone(called), node.clone());
        let over = move |_: &End| {
            held(&called).remove(&done);
        };
        let mesh = self.clone();
        let call = async move { mesh.keep_calling(&node).await };
        self.0.tasks.one_of("connection to a node", call, over);
    }

    /// Calls a node whenever there is no connection, for as long as it is to be called.
    async fn keep_calling(&self, node: &NodeId) {
        let mut pause = FIRST_PAUSE;
        loop {
            let others = self.0.place.others();
            let wanted = to_call(&others, &self.0.identity.node);
            let Some((_, address)) = wanted.into_iter().find(|(one, _)| one == node) else {
                return;
            };
            let called = tokio::time::timeout(PATIENCE, self.call(node, &address)).await;
            match called.unwrap_or_else(|_| Err("no answer".to_owned())) {
                Ok(streams) => {
                    pause = FIRST_PAUSE;
                    self.live(node.clone(), streams).await;
                }
                Err(why) => {
                    if pause == FIRST_PAUSE {
                        tracing::warn!(
                            %node, address, why,
                            "no connection to a node, it is called again; if its certificate is refused, its \
                             papers are older than such connections: `parley cluster add-node` makes new ones"
                        );
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn call(&self, node: &NodeId, address: &str) -> Result<Streams, String> {
        let found = tokio::net::lookup_host(address).await;
        let mut found = found.map_err(|error| error.to_string())?;
        let address = found.next().ok_or("its name has no address")?;
        let from = SocketAddr::new(unspecified(address.is_ipv6()), 0);
        let endpoint = Endpoint::client(from).map_err(|error| error.to_string())?;
        let name = self.0.identity.name_of(node);
        let connecting = endpoint.connect_with(self.0.identity.client(), address, &name);
        let connecting = connecting.map_err(|error| error.to_string())?;
        let connection = connecting.await.map_err(|error| error.to_string())?;
        let opened = connection.open_bi().await;
        let (mut outgoing, mut incoming) = opened.map_err(|error| error.to_string())?;
        let own = self.0.identity.node.as_str();
        let greeted = write_message(&mut outgoing, own.as_bytes()).await;
        greeted.ok_or("it closed the connection")?;
        let answered = read_message(&mut incoming).await;
        if answered.as_deref() != Some(node.as_str().as_bytes()) {
            return Err("it did not say who it is".to_owned());
        }
        Ok(Streams {
            connection,
            outgoing,
            incoming,
        })
    }

    /// Lets other nodes in, for as long as this one lives.
    pub(super) async fn answer(self, listening: Endpoint) {
        let greeted = Arc::new(Semaphore::new(GREETED_AT_ONCE));
        while let Some(incoming) = listening.accept().await {
            // Whoever only claims an address costs one datagram and nothing else.
            if !incoming.remote_address_validated() {
                let _retried = incoming.retry();
                continue;
            }
            let Ok(place) = Arc::clone(&greeted).try_acquire_owned() else {
                incoming.refuse();
                continue;
            };
            let mesh = self.clone();
            let meet = async move {
                let met = tokio::time::timeout(PATIENCE, mesh.greet(incoming)).await;
                drop(place);
                match met.unwrap_or_else(|_| Err("it said nothing".to_owned())) {
                    Ok((node, streams)) => mesh.live(node, streams).await,
                    Err(why) => tracing::warn!(why, "somebody called as a node and was not let in"),
                }
            };
            let over = |_: &End| {};
            self.0.tasks.one_of("connection to a node", meet, over);
        }
    }

    async fn greet(&self, incoming: quinn::Incoming) -> Result<(NodeId, Streams), String> {
        let connection: Connection = incoming.await.map_err(|error| error.to_string())?;
        let accepted = connection.accept_bi().await;
        let (mut outgoing, mut incoming) = accepted.map_err(|error| error.to_string())?;
        let name = read_message(&mut incoming).await;
        let name = name.and_then(|name| String::from_utf8(name).ok());
        let node = name.as_deref().and_then(|name| NodeId::new(name).ok());
        let node = node.ok_or("it did not say who it is")?;
        if !self.0.identity.is(&connection, &node) {
            return Err(format!("its certificate is not that of `{node}`"));
        }
        let own = self.0.identity.node.as_str();
        let answered = write_message(&mut outgoing, own.as_bytes()).await;
        answered.ok_or("it closed the connection")?;
        let streams = Streams {
            connection,
            outgoing,
            incoming,
        };
        Ok((node, streams))
    }
}

fn held(called: &Mutex<BTreeSet<NodeId>>) -> MutexGuard<'_, BTreeSet<NodeId>> {
    called.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whom this node is to call, and where.
fn to_call(others: &Others, own: &NodeId) -> Vec<(NodeId, String)> {
    let nodes = others.nodes.iter();
    let wanted = nodes.filter(|(node, other)| *node > own && other.state != State::Left);
    wanted
        .filter_map(|(node, other)| {
            let facts = other.facts.as_ref()?;
            let address = facts.links.clone();
            (!address.is_empty()).then(|| (node.clone(), address))
        })
        .collect()
}
