//! What a process that stands by does with people: it hands their connections on to the one that leads.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use node::Relay;
use service::listen::{Connection, Elsewhere};
use storage::Leader;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::sync::watch;
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

pub(super) struct Front {
    relay: Relay,
    leader: watch::Receiver<Option<Leader>>,
}

impl Front {
    pub(super) fn new(relay: Relay, leader: watch::Receiver<Option<Leader>>) -> Self {
        Self { relay, leader }
    }

    async fn hand_on(&self, mut connection: Connection, from: SocketAddr) {
        let mut leader = self.leader.clone();
        let until = Instant::now() + HOLD;
        let connected = timeout_at(until, self.connect(&mut leader, from)).await;
        let Ok((mut there, epoch)) = connected else {
            let told = async {
                connection.write_all(NOBODY).await?;
                connection.shutdown().await?;
                let mut ignored = [0; 1024];
                while connection.read(&mut ignored).await? > 0 {}
                Ok::<(), std::io::Error>(())
            };
            // However it ends, the connection is closed.
            let _ = timeout(TOLD_WITHIN, told).await;
            return;
        };
        let is_another = |now: &Option<Leader>| now.as_ref().is_some_and(|now| now.epoch != epoch);
        tokio::select! {
            // However one of the two ends, both do.
            _ = copy_bidirectional(&mut connection, &mut there) => {}
            // The one before may be frozen, and would never say so.
            _ = leader.wait_for(is_another) => {}
        }
    }

    /// Reaches whoever leads, now or soon; does not end before.
    async fn connect(
        &self,
        leader: &mut watch::Receiver<Option<Leader>>,
        from: SocketAddr,
    ) -> (node::Outgoing, i64) {
        loop {
            let known = leader.wait_for(Option::is_some).await;
            let Some(at) = known.ok().and_then(|known| known.clone()) else {
                // Whoever told who leads has gone: this process leads, or ends.
                return std::future::pending().await;
            };
            match self.reach(&at, from).await {
                Ok(there) => return (there, at.epoch),
                Err(why) => {
                    tracing::debug!(
                        leader = at.node,
                        why,
                        "the process that leads is not reached"
                    );
                    // Another may lead meanwhile.
                    let _ = timeout(PAUSE, leader.changed()).await;
                }
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
