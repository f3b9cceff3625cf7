//! People's connections, handed on from the node that they reached to the one that answers them: TCP, TLS
//! 1.3, both sides known by their papers.
//!
//! In: a connection of somebody, and where they come from. Out, at the other node: the same connection and
//! the same address, as if they had reached it themselves.
//! Before the first byte of theirs goes one line, the PROXY protocol's version 1 (haproxy.org, proxy-protocol,
//! 2.1), which says the address.
//! Not here: which node answers.

mod header;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use rustls::pki_types::ServerName;
use service::listen::Handed;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use crate::tls::{IdentityError, Papers};

const PROTOCOL: &[u8] = b"parley-relay/1";
/// Longest time for a connection, its handshake and its first line.
const PATIENCE: Duration = Duration::from_secs(5);
/// Handshakes at once; others wait in the system's queue.
const GREETED_AT_ONCE: usize = 64;
/// A node needs some milliseconds. Whoever is slower than this gives way to those who wait, or a few who
/// say nothing would keep everybody out.
const UNDISTURBED: Duration = Duration::from_millis(500);
/// After a connection could not be accepted: there are no descriptors, most likely.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a connection cannot be handed on.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("its address `{address}`: {why}")]
    Reach { address: String, why: io::Error },
    #[error("its certificate: {0}")]
    Certificate(io::Error),
    #[error("no answer within 5 s")]
    Silent,
}

/// A connection to the node that answers.
pub type Outgoing = client::TlsStream<TcpStream>;

/// This node, for handing on and for taking.
#[derive(Clone)]
pub struct Relay {
    site: String,
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

impl Relay {
    /// By the papers in this folder. Returns who this node is, too.
    ///
    /// # Errors
    /// When the papers are of no use for this.
    pub fn of_papers(papers: &Path) -> Result<(NodeId, Self), IdentityError> {
        let read = Papers::read(papers, PROTOCOL)?;
        let relay = Self {
            site: read.site,
            connector: TlsConnector::from(Arc::new(read.client)),
            acceptor: TlsAcceptor::from(Arc::new(read.server)),
        };
        Ok((read.node, relay))
    }

    /// A connection to another node for somebody who comes from `from`.
    ///
    /// # Errors
    /// When that node cannot be reached, or is another than it should be.
    pub async fn connect(
        &self,
        node: &NodeId,
        address: &str,
        from: SocketAddr,
    ) -> Result<Outgoing, RelayError> {
        let connect = async {
            let reach = |why| RelayError::Reach {
                address: address.to_owned(),
                why,
            };
            let stream = TcpStream::connect(address).await.map_err(reach)?;
            stream.set_nodelay(true).map_err(reach)?;
            let name = ServerName::try_from(node.dns_name(&self.site));
            let name = name.map_err(|error| RelayError::Certificate(io::Error::other(error)))?;
            let connected = self.connector.connect(name, stream).await;
            let mut stream = connected.map_err(RelayError::Certificate)?;
            let line = header::write(from);
            stream.write_all(line.as_bytes()).await.map_err(reach)?;
            Ok(stream)
        };
        timeout(PATIENCE, connect)
            .await
            .unwrap_or(Err(RelayError::Silent))
    }

    /// Gives what other nodes hand on at this listener to `taken`, while [`Entrance::run`] runs.
    #[must_use]
    pub fn entrance(&self, listener: TcpListener, taken: mpsc::Sender<Handed>) -> Entrance {
        Entrance {
            listener,
            acceptor: self.acceptor.clone(),
            taken,
        }
    }
}

/// Where other nodes hand connections on.
pub struct Entrance {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    taken: mpsc::Sender<Handed>,
}

impl std::fmt::Debug for Entrance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entrance")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

impl Entrance {
    /// Runs until it is dropped. Once nobody takes what comes, nobody is let in.
    pub async fn run(self) {
        let mut hall = Hall::default();
        let mut greetings = tokio::task::JoinSet::new();
        loop {
            while greetings.try_join_next().is_some() {}
            let Some(place) = hall.place().await else {
                break;
            };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.taken.closed() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection of another node was not accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (acceptor, taken) = (self.acceptor.clone(), self.taken.clone());
            let asked_to_leave = hall.enter();
            greetings.spawn(async move {
                let relayed = tokio::select! {
                    relayed = timeout(PATIENCE, greet(stream, &acceptor)) => {
                        relayed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                    }
                    _ = asked_to_leave => Err(io::Error::other("others waited behind it")),
                };
                drop(place);
                match relayed {
                    // Nobody takes it: this node stops, and the connection ends.
                    Ok(relayed) => drop(taken.send(relayed).await),
                    Err(error) => {
                        tracing::debug!(%error, "somebody called as a node and was not let in");
                    }
                }
            });
        }
        drop(self.listener);
        std::future::pending().await
    }
}

/// Who is being greeted.
struct Hall {
    places: Arc<Semaphore>,
    /// The oldest first, some of them greeted by now.
    guests: VecDeque<Guest>,
}

struct Guest {
    since: Instant,
    /// Closed once they were greeted.
    leave: oneshot::Sender<()>,
}

impl Default for Hall {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(GREETED_AT_ONCE)),
            guests: VecDeque::new(),
        }
    }
}

impl Hall {
    /// Waits for a place; when there is none, the oldest guest gives way.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        self.guests.retain(|guest| !guest.leave.is_closed());
        let free = Arc::clone(&self.places).acquire_owned();
        tokio::pin!(free);
        if let Some(oldest) = self.guests.front() {
            let disturbed_at = oldest.since + UNDISTURBED;
            tokio::select! {
                biased;
                place = &mut free => return place.ok(),
                () = sleep_until(disturbed_at) => {}
            }
            if let Some(oldest) = self.guests.pop_front() {
                // It may have been greeted just now.
                let _ = oldest.leave.send(());
            }
        }
        free.await.ok()
    }

    fn enter(&mut self) -> oneshot::Receiver<()> {
        let (leave, asked) = oneshot::channel();
        let since = Instant::now();
        self.guests.push_back(Guest { since, leave });
        asked
    }
}

async fn greet(stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Handed> {
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    let from = header::read(&mut stream).await?;
    Ok((Box::new(stream), from))
}

#[cfg(test)]
mod tests;
