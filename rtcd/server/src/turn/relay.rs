//! The sockets of one relayed address.
//!
//! In: TURN servers, addresses to let through. Out: datagrams between the TURN server and the media
//! port. Each peer has a local socket of its own, so that the media port tells peers apart.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use rtcd_core::SessionKey;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinSet;
use tracing::{debug, info};

use super::allocation::{Allocation, Event};
use super::credentials::Credentials;
use crate::control::ShardEvent;
use crate::stun;
use crate::udp::MAX_DATAGRAM;

/// Peers of one session that are served.
const MOST_PEERS: usize = 16;
/// Datagrams of the media port that may wait to be wrapped; further ones are lost.
const QUEUE_LEN: usize = 256;
/// Room for a datagram and what TURN puts around it.
const BUFFER_LEN: usize = MAX_DATAGRAM + 64;

/// Serves a session until its `peers` end. Servers are asked in their order.
pub(super) async fn run(
    key: &SessionKey,
    servers: Vec<(String, Credentials)>,
    media: SocketAddr,
    mut peers: mpsc::Receiver<IpAddr>,
    events: &Sender<ShardEvent>,
) {
    // Known to whichever server helps.
    let mut permitted = Vec::new();
    for (url, credentials) in servers {
        let mut relay = match Open::new(&url, credentials, media).await {
            Ok(relay) => relay,
            Err(error) => {
                let error = format!("{error:#}");
                info!(server = url, error, "TURN server of no help");
                continue;
            }
        };
        let tell = |address| {
            let (key, events) = (key.clone(), events.clone());
            // Told once in the life of a relay, and not waited for: datagrams go on. Nobody listens
            // only when the node stops.
            tokio::spawn(async move { events.send(ShardEvent::Relayed { key, address }).await });
        };
        match relay.serve(&mut peers, &mut permitted, tell).await {
            Ok(()) => return,
            Err(error) => {
                let error = format!("{error:#}");
                info!(sessionID = %key.session, server = url, error, "no relayed address");
                // One that was told cannot be replaced.
                if relay.is_told {
                    return;
                }
            }
        }
    }
}

/// A datagram of the media port for a peer.
type ForPeer = (SocketAddr, Vec<u8>);

struct Open {
    server: UdpSocket,
    allocation: Allocation,
    media: SocketAddr,
    peers: HashMap<SocketAddr, Arc<UdpSocket>>,
    /// End with this.
    readers: JoinSet<()>,
    for_peers: (mpsc::Sender<ForPeer>, mpsc::Receiver<ForPeer>),
    is_told: bool,
}

impl Open {
    async fn new(url: &str, credentials: Credentials, media: SocketAddr) -> anyhow::Result<Self> {
        let address = stun::resolve(url, true).await?;
        let server = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
            .await
            .context("bind a socket for the TURN server")?;
        server
            .connect(address)
            .await
            .with_context(|| format!("reach {address}"))?;
        Ok(Self {
            server,
            allocation: Allocation::new(credentials, Instant::now()),
            media,
            peers: HashMap::new(),
            readers: JoinSet::new(),
            for_peers: mpsc::channel(QUEUE_LEN),
            is_told: false,
        })
    }

    /// Carries datagrams until `peers` ends (fine) or the relayed address is lost (an error).
    async fn serve(
        &mut self,
        peers: &mut mpsc::Receiver<IpAddr>,
        permitted: &mut Vec<IpAddr>,
        tell: impl Fn(SocketAddr),
    ) -> anyhow::Result<()> {
        for peer in permitted.iter() {
            self.allocation.permit(*peer, Instant::now());
        }
        let mut buffer = vec![0; BUFFER_LEN];
        loop {
            self.send_all().await?;
            let deadline = self
                .allocation
                .deadline()
                .map(tokio::time::Instant::from_std);
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = self.server.recv(&mut buffer) => {
                    let len = received.context("read from the TURN server")?;
                    let datagram = buffer.get(..len).unwrap_or_default();
                    self.allocation.handle(datagram, Instant::now());
                }
                Some((peer, data)) = self.for_peers.1.recv() => {
                    let wrapped = self.allocation.wrap(peer, &data, Instant::now());
                    // An ICMP answer to something sent earlier; timers deal with it.
                    let _ = self.server.send(&wrapped).await;
                }
                peer = peers.recv() => match peer {
                    Some(peer) => {
                        self.allocation.permit(peer, Instant::now());
                        if permitted.len() < MOST_PEERS {
                            permitted.push(peer);
                        }
                    }
                    None => {
                        self.allocation.release();
                        return self.send_all().await;
                    }
                },
                () = due => self.allocation.tick(Instant::now()),
            }
            while let Some(event) = self.allocation.take_event() {
                match event {
                    Event::Relayed(address) => {
                        self.is_told = true;
                        tell(address);
                    }
                    Event::Data { peer, data } => self.deliver(peer, &data).await?,
                    Event::Over(why) => anyhow::bail!(why),
                }
            }
        }
    }

    async fn send_all(&mut self) -> anyhow::Result<()> {
        while let Some(datagram) = self.allocation.take_transmit() {
            self.server
                .send(&datagram)
                .await
                .context("send to the TURN server")?;
        }
        Ok(())
    }

    /// Brings a peer's datagram to the media port.
    async fn deliver(&mut self, peer: SocketAddr, data: &[u8]) -> anyhow::Result<()> {
        let socket = match self.peers.get(&peer) {
            Some(socket) => Arc::clone(socket),
            None if self.peers.len() >= MOST_PEERS => {
                debug!("a relayed address has too many peers");
                return Ok(());
            }
            None => self.open_peer(peer).await?,
        };
        // Refused only while the media port is gone.
        let _ = socket.send(data).await;
        Ok(())
    }

    async fn open_peer(&mut self, peer: SocketAddr) -> anyhow::Result<Arc<UdpSocket>> {
        let near: IpAddr = match self.media.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let socket = UdpSocket::bind((near, 0))
            .await
            .context("bind a socket for a relayed peer")?;
        socket
            .connect(self.media)
            .await
            .context("reach the media port")?;
        let socket = Arc::new(socket);
        self.peers.insert(peer, Arc::clone(&socket));
        let (reading, for_peers) = (Arc::clone(&socket), self.for_peers.0.clone());
        self.readers.spawn(async move {
            let mut buffer = vec![0; MAX_DATAGRAM];
            while let Ok(len) = reading.recv(&mut buffer).await {
                let data = buffer.get(..len).unwrap_or_default().to_vec();
                // Full: lost like any datagram.
                let _ = for_peers.try_send((peer, data));
            }
        });
        Ok(socket)
    }
}
