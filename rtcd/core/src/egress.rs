//! Media on its way to one participant, under keys that str0m negotiated.
//!
//! In: packets of tracks, the participant's RTCP, the address str0m sends to. Out: sealed packets in
//! a `MediaBatch`, and what the participant reports (`Feedback`).
//! str0m keeps ICE, DTLS, SDP, data channels, and receiving. It seals RTCP of its own under the same
//! key, so who owns which number matters:
//!
//! **Why a nonce never repeats.** The nonce of a packet is a function of its SSRC and number (GCM:
//! RFC 7714 8.1, 9.1; AES-CM: RFC 3711 4.1.1), RTP and RTCP have different session keys, and so have
//! the two directions. So it is enough that no (SSRC, number) is sealed twice with different bytes:
//! 1. str0m seals RTP only for streams in its table, RTCP only with a sender of that table, its own
//!    default SSRC, or `PROBE_SSRC`. Our SSRCs are in none of these: descriptions name ours instead
//!    of str0m's (`session::description`), `SsrcRange` never gives one of str0m's out, and
//!    `Egress::owns` is asked for every stream str0m makes later.
//! 2. Each of our SSRCs is given out once in the life of the DTLS session (`SsrcRange`), to one
//!    `EgressStream`, which is not `Clone` and dies with its subscription.
//! 3. A stream seals an RTP number at most once: `Replay` says so before, not after. An RTCP index
//!    only rises.
//! 4. A packet that is sent again is made from the same record and the same payload, so it is the
//!    same packet to the byte: `SentLog`.
//! 5. A new DTLS session has new keys, a new `Session` and a new `Egress`. An ICE restart keeps all.
//!
//! See: RFC 3711 9.1 (what happens otherwise).

mod batch;
mod feedback;
mod sent;
mod ssrc;
mod stream;

use std::net::SocketAddr;
use std::time::Instant;

use rtcd_srtp::{Half, Halves, Profile, rtcp};

pub use batch::{MediaBatch, MediaGroup};
pub(crate) use feedback::Feedback;
pub(crate) use sent::SentRecord;
pub(crate) use ssrc::SsrcRange;
pub(crate) use stream::{EgressStream, Extensions, Outgoing};

use crate::bandwidth::TransportLog;
use crate::config::WallClock;
use crate::io::Transport;
use feedback::Replays;

/// The longest payload that is sent, in bytes; a longer one would not pass common tunnels whole. Refused
/// before it is numbered: `leg::forward`.
pub(crate) const MAX_PAYLOAD: usize = 1300;
/// Sender and subject of the empty request that makes str0m show where it sends to.
pub(crate) const PROBE_SSRC: u32 = 1;

/// How a participant is reached: as str0m chose among the checked addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) transport: Transport,
    /// Our local address.
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

/// Everything that one participant's outgoing streams share.
#[derive(Debug)]
pub(crate) struct Egress {
    send: Half,
    receive: Half,
    path: Option<Path>,
    /// str0m lost the other end: nothing is sent until it is back.
    paused: bool,
    clock: WallClock,
    pub(crate) ssrcs: SsrcRange,
    replays: Replays,
    /// What was numbered transport-wide, for the bandwidth estimate; from the first such packet on.
    pub(crate) transport: Option<Box<TransportLog>>,
    plain: Vec<u8>,
}

impl Egress {
    pub(crate) fn new(halves: Halves, clock: WallClock) -> Self {
        Self {
            send: halves.send,
            receive: halves.receive,
            path: None,
            paused: false,
            clock,
            ssrcs: SsrcRange::random(),
            replays: Replays::default(),
            transport: None,
            plain: Vec::new(),
        }
    }

    pub(crate) const fn profile(&self) -> Profile {
        self.send.profile()
    }

    /// str0m sent something other than STUN there.
    pub(crate) const fn follow(&mut self, path: Path) {
        self.path = Some(path);
    }

    pub(crate) const fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Where packets go now; `None` while the participant is not reachable.
    fn reachable(&self) -> Option<Path> {
        self.path.filter(|_| !self.paused)
    }

    /// Reads a sealed RTCP packet of the participant; false when it is not authentic or was seen.
    pub(crate) fn read_feedback(
        &mut self,
        now: Instant,
        packet: &[u8],
        found: &mut Vec<Feedback>,
    ) -> bool {
        let Some(index) = self.receive.open_rtcp(packet, &mut self.plain) else {
            return false;
        };
        let sender = self.plain.get(4..).and_then(|rest| rest.first_chunk());
        let sender = sender.map_or(0, |bytes| u32::from_be_bytes(*bytes));
        if !self.replays.accept(sender, index) {
            return false;
        }
        let (ssrcs, transport) = (&self.ssrcs, &mut self.transport);
        rtcp::read(&self.plain, |message| {
            feedback::sort(now, message, ssrcs, transport, found);
        });
        true
    }

    /// Says goodbye for streams that end with the session.
    pub(crate) fn goodbye(&self, streams: &mut [&mut EgressStream], batch: &mut MediaBatch) {
        for stream in streams {
            stream.goodbye(self, batch);
        }
    }
}
