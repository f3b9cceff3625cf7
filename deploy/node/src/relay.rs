//! People's connections, handed on from the node that they reached to the one that answers them: TCP, TLS
//! 1.3, both sides known by their papers.
//!
//! In: a connection of somebody, and where they come from. Out, at the other node: the same connection and
//! the same address, as if they had reached it themselves.
//! Before the first byte of theirs goes one line, the PROXY protocol's version 1 (haproxy.org, proxy-protocol,
//! 2.1), which says the address.
//! Not here: which node answers.

mod header;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use rustls::pki_types::ServerName;
use service::listen::{Handed, Strangers};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use crate::tls::{IdentityError, Papers};

const PROTOCOL: &[u8] = b"parley-relay/1";
/// Longest time for a connection, its handshake and its first line.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who has not shown yet that they are a node. A node needs some milliseconds for that; of too many who take
/// longer the oldest gives way, so that those who say nothing keep nobody out.
const MOST_STRANGERS: usize = 256;
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
        let strangers = Strangers::new(MOST_STRANGERS);
        let mut greetings = tokio::task::JoinSet::new();
        loop {
            while greetings.try_join_next().is_some() {}
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
            let (stranger, gives_way) = strangers.admit();
            greetings.spawn(async move {
                let relayed = tokio::select! {
                    relayed = timeout(PATIENCE, greet(stream, &acceptor)) => {
                        relayed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                    }
                    () = gives_way.wait() => Err(io::Error::other("too many came behind it")),
                };
                drop(stranger);
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

async fn greet(stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Handed> {
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    let from = header::read(&mut stream).await?;
    Ok((Box::new(stream), from))
}

#[cfg(test)]
mod tests;
