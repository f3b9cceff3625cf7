//! What a shard must be told: where it can be reached, and how long it waits.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

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

/// What time it is, for sender reports. The core has no clock of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    at: Instant,
    ntp: u64,
}

impl WallClock {
    /// At `at` it was `since_1900` after the first of January 1900, the era of NTP (RFC 5905 6).
    #[must_use]
    pub fn new(at: Instant, since_1900: Duration) -> Self {
        let fraction = (u64::from(since_1900.subsec_nanos()) << 32) / 1_000_000_000;
        let ntp = (since_1900.as_secs() << 32).wrapping_add(fraction);
        Self { at, ntp }
    }

    /// Returns the NTP time: seconds in the upper half, their fraction in the lower.
    pub(crate) fn ntp(&self, now: Instant) -> u64 {
        let passed = Self::new(self.at, now.saturating_duration_since(self.at));
        self.ntp.wrapping_add(passed.ntp)
    }
}

/// Addresses and time limits of a shard. The defaults are those of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreConfig {
    /// In the order they are offered, to sessions that bring none of their own. Without any, nobody
    /// can connect.
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
    /// Voices forwarded at once in a call, the loudest; 0 for all.
    pub max_speakers: usize,
    /// Lasting silence is not forwarded.
    pub drop_silence: bool,
    /// None: sender reports count from the start of the shard.
    pub clock: Option<WallClock>,
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
            max_speakers: 0,
            drop_silence: true,
            clock: None,
        }
    }
}

/// Returns the advertised address of the local address a datagram arrived at.
pub(crate) fn advertised(
    candidates: &[HostCandidate],
    transport: Transport,
    local: SocketAddr,
) -> SocketAddr {
    candidates
        .iter()
        .find(|candidate| candidate.transport == transport && candidate.local == local)
        .map_or(local, |candidate| candidate.advertised)
}

/// Returns the local address behind an advertised one.
pub(crate) fn local(
    candidates: &[HostCandidate],
    transport: Transport,
    advertised: SocketAddr,
) -> SocketAddr {
    candidates
        .iter()
        .find(|candidate| candidate.transport == transport && candidate.advertised == advertised)
        .map_or(advertised, |candidate| candidate.local)
}
