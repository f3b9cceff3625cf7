//! What a process that stands by does with people: it hands their connections on to the one that leads.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use node::Relay;
use service::listen::{Connection, Elsewhere, Handed};
use storage::Leader;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// How long people wait while nobody leads: another takes the place within some four seconds.
const HOLD: Duration = Duration::from_secs(10);
/// Between two attempts to reach the leader.
const PAUSE: Duration = Duration::from_millis(200);
/// How long somebody may take to read that nobody answers.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
const NOBODY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 36\r\nConnection: close\r\n\r\n\
    no process of this server leads now\n";

/// Who leads, as far as it is known.
#[derive(Debug, Clone)]
pub(super) enum Leads {
    Nobody,
    Another(Leader),
    /// What it serves is handed to it here.
    ThisProcess(mpsc::Sender<Handed>),
}

pub(super) struct Front {
    relay: Relay,
    leads: watch::Receiver<Leads>,
}

/// Where a connection goes.
enum Way {
    There {
        stream: Box<node::Outgoing>,
        epoch: i64,
    },
    Here(mpsc::Sender<Handed>),
}

impl Front {
    pub(super) fn new(relay: Relay, leads: watch::Receiver<Leads>) -> Self {
        Self { relay, leads }
    }

    async fn hand_on(&self, mut connection: Connection, from: SocketAddr) {
        let mut leads = self.leads.clone();
        let until = Instant::now() + HOLD;
        match timeout_at(until, self.find_way(&mut leads, from)).await {
            Ok(Way::Here(hand)) => {
                // Nobody takes it: this process stops, and the connection ends.
                let _ = hand.send((Box::new(connection), from)).await;
            }
            Ok(Way::There { mut stream, epoch }) => {
                let is_over = |now: &Leads| !matches!(now, Leads::Another(at) if at.epoch == epoch);
                tokio::select! {
                    // However one of the two ends, both do.
                    _ = copy_bidirectional(&mut connection, &mut *stream) => {}
                    // The one before may be frozen, and would never say so.
                    _ = leads.wait_for(is_over) => {}
                }
            }
            Err(_) => {
                let told = async {
                    connection.write_all(NOBODY).await?;
                    connection.shutdown().await?;
                    let mut ignored = [0; 1024];
                    while connection.read(&mut ignored).await? > 0 {}
                    Ok::<(), std::io::Error>(())
                };
                // However it ends, the connection is closed.
                let _ = timeout(TOLD_WITHIN, told).await;
            }
        }
    }

    /// Finds whoever leads, now or soon; does not end before.
    async fn find_way(&self, leads: &mut watch::Receiver<Leads>, from: SocketAddr) -> Way {
        loop {
            let known = leads.borrow_and_update().clone();
            match known {
                Leads::ThisProcess(hand) => return Way::Here(hand),
                Leads::Another(at) => match self.reach(&at, from).await {
                    Ok(stream) => {
                        let (stream, epoch) = (Box::new(stream), at.epoch);
                        return Way::There { stream, epoch };
                    }
                    Err(why) => {
                        tracing::debug!(
                            leader = at.node,
                            why,
                            "the process that leads is not reached"
                        );
                    }
                },
                Leads::Nobody => {}
            }
            // Another may lead meanwhile.
            if let Ok(Err(_)) = timeout(PAUSE, leads.changed()).await {
                // Whoever knew has ended, and so does this connection.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn reach(&self, at: &Leader, from: SocketAddr) -> Result<node::Outgoing, String> {
        let node = node::NodeId::new(&at.node).map_err(|error| error.to_string())?;
        let connected = self.relay.connect(&node, &at.address, from).await;
        connected.map_err(|error| error.to_string())
    }
}

impl Elsewhere for Front {
    fn take(
        self: Arc<Self>,
        connection: Connection,
        from: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { self.hand_on(connection, from).await })
    }
}
