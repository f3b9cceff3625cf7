//! What a shard must be told: where it can be reached, and how long it waits.

use std::net::SocketAddr;
use std::time::Duration;

use crate::io::Transport;

/// An address participants can send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostCandidate {
    pub transport: Transport,
    /// What participants are told: the external address where there is 1:1 NAT.
    pub advertised: SocketAddr,
    /// The local address datagrams arrive at, as the shell names it in `Input::Datagram`.
    pub local: SocketAddr,
}

impl HostCandidate {
    /// A candidate without address translation.
    #[must_use]
    pub const fn plain(transport: Transport, address: SocketAddr) -> Self {
        Self {
            transport,
            advertised: address,
            local: address,
        }
    }
}

/// Addresses and time limits of a shard. The defaults are those of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreConfig {
    /// In the order they are offered. Without any, nobody can connect.
    pub candidates: Vec<HostCandidate>,
    /// From join to the participant's first offer.
    pub first_offer_timeout: Duration,
    /// From our offer to its answer; afterwards the lock is released and the offer made again.
    pub answer_timeout: Duration,
    /// How long a participant may hold the signalling lock.
    pub lock_lease: Duration,
    /// From the first answer, or from a loss of connection, to giving the session up.
    pub ice_timeout: Duration,
    /// Shortest time between two keyframe requests for one RTP stream.
    pub keyframe_gap: Duration,
    /// Packets kept per outgoing video stream to answer NACKs.
    pub nack_buffer: usize,
}

impl Default for CoreConfig {
    fn default() -> Self {
        Self {
            candidates: Vec::new(),
            first_offer_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            lock_lease: Duration::from_secs(12),
            ice_timeout: Duration::from_secs(30),
            keyframe_gap: Duration::from_secs(1),
            nack_buffer: 256,
        }
    }
}

impl CoreConfig {
    /// Returns the advertised address of the local address a datagram arrived at.
    pub(crate) fn advertised(&self, transport: Transport, local: SocketAddr) -> SocketAddr {
        self.candidates
            .iter()
            .find(|candidate| candidate.transport == transport && candidate.local == local)
            .map_or(local, |candidate| candidate.advertised)
    }

    /// Returns the local address behind an advertised one.
    pub(crate) fn local(&self, transport: Transport, advertised: SocketAddr) -> SocketAddr {
        self.candidates
            .iter()
            .find(|candidate| {
                candidate.transport == transport && candidate.advertised == advertised
            })
            .map_or(advertised, |candidate| candidate.local)
    }
}
