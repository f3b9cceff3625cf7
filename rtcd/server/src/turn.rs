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
use proto::rtcd::{IceCandidate, RtcKind, RtcMessage, SessionDescription};
use rtcd_core::SessionKey;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, UnboundedSender};
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
    events: UnboundedSender<ShardEvent>,
    places: Arc<Semaphore>,
    in_use: IntGauge,
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
        events: UnboundedSender<ShardEvent>,
        in_use: IntGauge,
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
        tokio::spawn(async move {
            relay::run(&key, servers, media, receiver, &events).await;
            in_use.dec();
            drop(place);
        });
        Some(Relay { peers })
    }
}

impl Relay {
    /// Lets through the addresses that a participant's message names.
    pub(crate) fn permit(&self, message: &RtcMessage) {
        for peer in addresses_in(message) {
            // A full queue holds more addresses than are let through.
            let _ = self.peers.try_send(peer);
        }
    }
}

/// Renders a relayed address as the message that tells a participant.
pub(crate) fn candidate(relayed: SocketAddr) -> Vec<u8> {
    // The lowest priority there is: everything else is better.
    let (ip, port) = (relayed.ip(), relayed.port());
    let text =
        format!("candidate:relay 1 udp 16777215 {ip} {port} typ relay raddr 0.0.0.0 rport 0");
    IceCandidate::local(text).to_wrapped_json().into_bytes()
}

fn is_udp(url: &str) -> bool {
    url.starts_with("turn:") && !url.ends_with("?transport=tcp")
}

/// Finds the addresses of a participant's candidates; names of mDNS are not resolved.
fn addresses_in(message: &RtcMessage) -> Vec<IpAddr> {
    match message.kind {
        RtcKind::Ice => IceCandidate::from_json(&message.data)
            .ok()
            .and_then(|candidate| address_of(&candidate.candidate))
            .into_iter()
            .collect(),
        RtcKind::Sdp => SessionDescription::from_json(&message.data)
            .map(|description| {
                let lines = description.sdp.lines();
                lines
                    .filter_map(|line| address_of(line.strip_prefix("a=")?))
                    .collect()
            })
            .unwrap_or_default(),
        RtcKind::Mute
        | RtcKind::Unmute
        | RtcKind::ScreenOn
        | RtcKind::ScreenOff
        | RtcKind::VoiceOn
        | RtcKind::VoiceOff
        | RtcKind::VideoOn
        | RtcKind::VideoOff => Vec::new(),
    }
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
    use proto::id::SessionId;

    use super::*;

    fn found(kind: RtcKind, data: &str) -> Vec<String> {
        let session = SessionId::parse("s").unwrap();
        let message = RtcMessage::for_session(&session, kind, data.as_bytes().to_vec());
        addresses_in(&message)
            .iter()
            .map(IpAddr::to_string)
            .collect()
    }

    #[test]
    fn a_participants_addresses_are_found() {
        let bare = r#"{"candidate":"candidate:1 1 UDP 99 192.0.2.1 5000 typ host","sdpMid":"0"}"#;
        assert_eq!(found(RtcKind::Ice, bare), ["192.0.2.1"]);
        for nothing in [
            r#"{"candidate":""}"#,
            r#"{"candidate":"candidate:1 1 tcp 9 192.0.2.1 9 typ host tcptype active"}"#,
            r#"{"candidate":"candidate:1 1 udp 9 abc.local 5000 typ host"}"#,
            "{",
        ] {
            assert!(found(RtcKind::Ice, nothing).is_empty(), "{nothing}");
        }
        let sdp = r#"{"type":"offer","sdp":"v=0\r\na=candidate:1 1 udp 9 192.0.2.1 1 typ host\r\na=candidate:2 1 udp 9 2001:db8::1 1 typ srflx\r\n"}"#;
        assert_eq!(found(RtcKind::Sdp, sdp), ["192.0.2.1", "2001:db8::1"]);
        assert!(found(RtcKind::Mute, bare).is_empty());
    }

    #[test]
    fn a_relayed_address_is_told_as_candidates_are() {
        let told = candidate("203.0.113.1:50000".parse().unwrap());
        let text = String::from_utf8(told).unwrap();
        assert!(text.contains("\"type\":\"candidate\""), "{text}");
        let candidate = IceCandidate::from_json(text.as_bytes()).unwrap().candidate;
        assert_eq!(address_of(&candidate), Some("203.0.113.1".parse().unwrap()));
        assert!(candidate.contains(" 50000 typ relay "));
    }
}
