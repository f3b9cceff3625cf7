//! Relayed addresses of this node: for participants that cannot reach it and have no relay of
//! their own.
//!
//! In: a session that joined, the addresses of its participant. Out: the relayed address, for the
//! participant to be told; datagrams between the relay and the node's own media port.
//! A relayed peer reaches the media port from a local socket of its own, as if through address
//! translation: shards know nothing of relays, and nothing is added to their way of a packet.
//! `message` of `stun` has the bytes, `allocation` the protocol, `relay` the sockets.
//! Only UDP to the TURN server: where that is blocked, a relay at this end helps nobody.

mod allocation;
mod credentials;
mod relay;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use prometheus::IntGauge;
use rtcd_core::SessionKey;
use service::Tasks;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, Sender};
use tracing::{info, warn};

use crate::config::{IceServerKind, RtcConfig, TurnConfig};
use crate::control::ShardEvent;

pub use allocation::{Allocation, Event};
pub use credentials::Credentials;

/// Relayed addresses at once, each with a socket of ours; further sessions do without.
const MOST_RELAYS: usize = 4096;
/// Peer addresses that may wait for a relay to take them.
const QUEUE_LEN: usize = 32;

/// The servers, and what is needed to make use of them.
#[derive(Debug)]
pub(crate) struct Relays {
    servers: Arc<[Server]>,
    config: TurnConfig,
    /// Where datagrams of relayed peers go.
    media: SocketAddr,
    events: Sender<ShardEvent>,
    places: Arc<Semaphore>,
    in_use: IntGauge,
    tasks: Tasks,
}

/// A TURN server, with its own credentials where the operator has written some.
#[derive(Debug, Clone)]
struct Server {
    url: String,
    credentials: Option<Credentials>,
}

/// The relayed address of one session; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    peers: mpsc::Sender<IpAddr>,
}

impl Relays {
    /// Returns `None` when no TURN server can be used; says why when there are some.
    pub(crate) fn new(
        config: &RtcConfig,
        listening: &[SocketAddr],
        events: Sender<ShardEvent>,
        in_use: IntGauge,
        tasks: &Tasks,
    ) -> Option<Self> {
        let written = config
            .ice_servers
            .iter()
            .filter(|server| server.kind == IceServerKind::Turn);
        let servers: Arc<[Server]> = written
            .flat_map(|server| {
                let credentials = (!server.username.is_empty()).then(|| Credentials {
                    username: server.username.clone(),
                    password: server.credential.clone(),
                });
                server.urls.iter().map(move |url| Server {
                    url: url.clone(),
                    credentials: credentials.clone(),
                })
            })
            .filter(|server| is_udp(&server.url))
            .collect();
        let has_some = config
            .ice_servers
            .iter()
            .any(|server| server.kind == IceServerKind::Turn);
        let Some(turn) = config.turn.clone() else {
            if has_some {
                warn!("TURN servers are skipped: rtc.turn.static_auth_secret is not set");
            }
            return None;
        };
        if servers.is_empty() {
            if has_some {
                warn!("TURN servers are skipped: none in rtc.ice_servers is `turn:` over UDP");
            }
            return None;
        }
        let loopback = listening.iter().find(|address| address.ip().is_loopback());
        let media = *loopback.or(listening.first())?;
        info!(
            servers = servers.len(),
            "sessions are offered relayed addresses"
        );
        Some(Self {
            servers,
            config: turn,
            media,
            events,
            places: Arc::new(Semaphore::new(MOST_RELAYS)),
            in_use,
            tasks: tasks.clone(),
        })
    }

    /// Begins to get a relayed address for a session; `ShardEvent::Relayed` follows when it is had.
    pub(crate) fn open(&self, key: &SessionKey) -> Option<Relay> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            warn!(sessionID = %key.session, "no relayed address: {MOST_RELAYS} are in use");
            return None;
        };
        let own = Credentials::short_lived(
            &self.config.static_auth_secret,
            key.session.as_str(),
            SystemTime::now(),
            self.config.credentials_expiration,
        );
        let servers: Vec<(String, Credentials)> = self
            .servers
            .iter()
            .map(|server| {
                let credentials = server.credentials.as_ref().unwrap_or(&own);
                (server.url.clone(), credentials.clone())
            })
            .collect();
        let (peers, receiver) = mpsc::channel(QUEUE_LEN);
        let (media, events, key) = (self.media, self.events.clone(), key.clone());
        let in_use = self.in_use.clone();
        in_use.inc();
        let work = async move { relay::run(&key, servers, media, receiver, &events).await };
        self.tasks.one_of("relay", work, move |_| {
            in_use.dec();
            drop(place);
        });
        Some(Relay { peers })
    }
}

impl Relay {
    /// Lets through the address of a participant's candidate.
    pub(crate) fn permit_candidate(&self, line: &str) {
        self.permit(address_of(line));
    }

    /// Lets through the addresses of all candidates in a participant's description.
    pub(crate) fn permit_description(&self, sdp: &str) {
        self.permit(addresses_in(sdp));
    }

    fn permit(&self, peers: impl IntoIterator<Item = IpAddr>) {
        for peer in peers {
            // A full queue holds more addresses than are let through.
            let _ = self.peers.try_send(peer);
        }
    }
}

/// Renders a relayed address as a `candidate:..` line.
pub(crate) fn candidate(relayed: SocketAddr) -> String {
    // The lowest priority there is: everything else is better.
    let (ip, port) = (relayed.ip(), relayed.port());
    format!("candidate:relay 1 udp 16777215 {ip} {port} typ relay raddr 0.0.0.0 rport 0")
}

fn is_udp(url: &str) -> bool {
    url.starts_with("turn:") && !url.ends_with("?transport=tcp")
}

/// Finds the addresses of a participant's candidates; names of mDNS are not resolved.
fn addresses_in(sdp: &str) -> impl Iterator<Item = IpAddr> {
    sdp.lines()
        .filter_map(|line| address_of(line.strip_prefix("a=")?))
}

/// `candidate:FOUNDATION COMPONENT udp PRIORITY ADDRESS PORT typ ..`
fn address_of(candidate: &str) -> Option<IpAddr> {
    let mut words = candidate.strip_prefix("candidate:")?.split_whitespace();
    let transport = words.nth(2)?;
    let address = words.nth(1)?.parse().ok()?;
    transport.eq_ignore_ascii_case("udp").then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_participants_addresses_are_found() {
        let found = |line: &str| address_of(line).map(|address| address.to_string());
        let line = "candidate:1 1 UDP 99 192.0.2.1 5000 typ host";
        assert_eq!(found(line).as_deref(), Some("192.0.2.1"));
        for nothing in [
            "",
            "candidate:1 1 tcp 9 192.0.2.1 9 typ host tcptype active",
            "candidate:1 1 udp 9 abc.local 5000 typ host",
            "candidate:1",
        ] {
            assert_eq!(found(nothing), None, "{nothing}");
        }
        let sdp = "v=0\r\na=candidate:1 1 udp 9 192.0.2.1 1 typ host\r\n\
            a=candidate:2 1 udp 9 2001:db8::1 1 typ srflx\r\n";
        let all: Vec<String> = addresses_in(sdp)
            .map(|address| address.to_string())
            .collect();
        assert_eq!(all, ["192.0.2.1", "2001:db8::1"]);
    }

    #[test]
    fn a_relayed_address_is_told_as_candidates_are() {
        let told = candidate("203.0.113.1:50000".parse().unwrap());
        assert_eq!(address_of(&told), Some("203.0.113.1".parse().unwrap()));
        assert!(told.contains(" 50000 typ relay "));
    }
}
