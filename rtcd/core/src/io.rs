//! The complete list of what enters and leaves a shard.
//!
//! A shard owns **legs**: a leg is the part of one call that lives on this shard. Two legs of the
//! same call, on other shards, nodes or at partner organisations, are joined by **links**. The core
//! sees a link only as `Input::Linked` and `Output::Linked`; the shell knows what kind it is
//! (in-process queue, node connection, border connection).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::{CallId, GroupId, SessionId, UserId};

use crate::config::HostCandidate;
use crate::egress::MediaBatch;
use crate::media::{Codec, Layer, LayerSet, TrackKind};

/// A call within its tenant. Another tenant's call of the same id is another call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey {
    pub group: GroupId,
    pub call: CallId,
}

/// A session within its tenant. Another tenant's session id behaves as unknown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    pub group: GroupId,
    pub session: SessionId,
}

/// How a datagram travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    Udp,
    /// Passive ICE-TCP with RFC 4571 framing; the shell frames and unframes.
    Tcp,
}

/// One end of a link as this shard knows it; the shell maps it to a queue or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What one session brings to `join`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    pub key: SessionKey,
    pub call: CallId,
    pub user: UserId,
    /// For logs only.
    pub channel: Option<String>,
    pub av1_support: bool,
    pub dialect: Dialect,
    /// Where this participant can reach the node; `None`: at `CoreConfig::candidates`.
    pub candidates: Option<Arc<[HostCandidate]>>,
}

/// How a participant negotiates: which negotiator it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// One connection for both directions, with a signalling lock and a media map on its data channel.
    Calls {
        /// Our offers go over the data channel instead of to the calls server.
        offers_over_channel: bool,
    },
}

/// An offer or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub kind: DescriptionKind,
    pub sdp: String,
}

/// Which side of an exchange a description is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DescriptionKind {
    Offer,
    Answer,
}

/// What is asked for one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Describe(Description),
    /// A description came that cannot be read.
    DescribeUnreadably,
    /// Switches the voice off or on.
    Mute(bool),
    /// The track of this `MediaStream` is a screen.
    ScreenOn {
        stream: String,
    },
    ScreenOff,
    /// The track of this `MediaStream` is a camera.
    CameraOn {
        stream: String,
    },
}

/// What a participant is told by the one who asked for its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    Describe(Description),
    /// An address we are reached at, as a `candidate:..` line.
    Candidate(String),
}

/// Everything that can happen to a shard.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram, or one unframed TCP message. `destination` is the local address it arrived at.
    Datagram {
        transport: Transport,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &'a [u8],
    },
    /// A TCP connection ended: nothing more can be sent there.
    TcpClosed {
        source: SocketAddr,
    },
    Join(JoinRequest),
    Leave(SessionKey),
    Control {
        key: SessionKey,
        request: Request,
    },
    /// Joins the leg of `call` on this shard to another leg. Both ends are told.
    LinkUp {
        call: CallKey,
        link: LinkId,
    },
    LinkDown {
        call: CallKey,
        link: LinkId,
    },
    /// A message of the leg at the other end of `link`.
    Linked {
        call: CallKey,
        link: LinkId,
        message: LinkMessage,
    },
    /// Time has passed: fire what is due at `now`.
    Timeout,
}

/// Every effect a shard asks for.
#[derive(Debug)]
pub enum Output {
    Transmit {
        transport: Transport,
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    },
    /// Media, sealed, to be sent now. Give the batch back with `Shard::recycle`.
    Media(MediaBatch),
    /// STUN requests for this ICE name are for this shard from now on; told before the participant
    /// learns the name, and never taken back: see `Shard::knows_ufrag`.
    Named { ufrag: String },
    /// Something for the participant.
    Signal { key: SessionKey, signal: Signal },
    /// Voice activity changed.
    Voice { key: SessionKey, speaking: bool },
    /// The session is gone; last output about it, exactly once.
    Closed {
        key: SessionKey,
        call: CallId,
        reason: CloseReason,
    },
    /// The leg of `call` on this shard has panicked: its links are gone with it. Told after what
    /// became of its sessions.
    LegLost { call: CallKey },
    /// A message for the leg at the other end of `link`.
    Linked {
        call: CallKey,
        link: LinkId,
        message: LinkMessage,
    },
    /// Something to observe in a histogram; counters are read from `Counters`.
    Measured(Measurement),
    /// Drained. Call again with `Input::Timeout` at this instant, or earlier with another input.
    Timeout(Instant),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    Left,
    IceFailed,
    DtlsFailed,
    NoFirstOffer,
    BadFirstOffer,
    /// The participant closed its connection (DTLS close).
    PeerClosed,
    Panicked,
}

/// What became of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JoinOutcome {
    Connected,
    /// It ended before.
    Closed(CloseReason),
}

impl JoinOutcome {
    /// Returns the metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Closed(CloseReason::Left) => "left",
            Self::Closed(CloseReason::IceFailed) => "ice_failed",
            Self::Closed(CloseReason::DtlsFailed) => "dtls_failed",
            Self::Closed(CloseReason::NoFirstOffer) => "no_first_offer",
            Self::Closed(CloseReason::BadFirstOffer) => "bad_first_offer",
            Self::Closed(CloseReason::PeerClosed) => "peer_closed",
            Self::Closed(CloseReason::Panicked) => "panicked",
        }
    }
}

/// One observation, named after its metric in the shell.
#[derive(Debug, Clone, PartialEq)]
pub enum Measurement {
    /// From a join to what became of it, once per join.
    Join {
        group: GroupId,
        outcome: JoinOutcome,
        took: Duration,
    },
    /// Join to connected.
    ConnectionTime {
        group: GroupId,
        took: Duration,
    },
    /// First answer to data channel open.
    DataChannelOpenTime {
        group: GroupId,
        took: Duration,
    },
    LockGrabTime {
        group: GroupId,
        took: Duration,
    },
    LockHeldTime {
        group: GroupId,
        took: Duration,
    },
    ClientLossRate {
        group: GroupId,
        ratio: f64,
    },
    ClientRoundTrip {
        group: GroupId,
        took: Duration,
    },
    ClientJitter {
        group: GroupId,
        took: Duration,
    },
}

/// What legs of one call tell each other. Tracks keep the publisher's session id as their owner, so
/// that a listener's track id and media map name the person and never the link.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkMessage {
    /// This end is there, and knows nothing of the other yet. It is answered with everything that is
    /// published there; `is_answer`: it was an answer itself. Whichever end is there later, both
    /// know everything after one exchange, and what was said before does not matter.
    Greeting {
        is_answer: bool,
    },
    /// A track exists; sent to a new link for every track, and when one appears.
    TrackPublished {
        track: LinkedTrack,
    },
    TrackEnded {
        track: LinkedTrackId,
    },
    /// Forwarding of a voice track is switched off or on.
    TrackMuted {
        track: LinkedTrackId,
        muted: bool,
    },
    /// A layer has come or gone: these are there now.
    Layers {
        track: LinkedTrackId,
        alive: LayerSet,
    },
    /// Viewers behind the link need these layers, and no others (travels towards the publisher).
    LayersWanted {
        track: LinkedTrackId,
        layers: LayerSet,
    },
    /// One packet, plain RTP. The payload is shared, not copied per link.
    Rtp {
        track: LinkedTrackId,
        layer: Layer,
        packet: LinkedPacket,
    },
    /// A viewer behind the link needs a keyframe (travels towards the publisher, merged).
    KeyframeWanted {
        track: LinkedTrackId,
        layer: Layer,
        /// It has a picture, and lost part of it.
        is_repair: bool,
    },
    /// Packets of video were lost on the link (travels towards the publisher): they are sent again, if
    /// they are still there.
    Missing {
        track: LinkedTrackId,
        layer: Layer,
        /// The first number.
        first: u64,
        count: u64,
    },
    /// The call's presenter, or none.
    Presenter {
        session: Option<SessionId>,
    },
}

/// Names a track within its call: the publisher and a number of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkedTrackId {
    pub publisher: SessionId,
    pub number: u32,
}

/// What a leg must know of a track to offer it to its own listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedTrack {
    pub id: LinkedTrackId,
    pub kind: TrackKind,
    pub codec: Codec,
    pub muted: bool,
    /// Those that are there.
    pub layers: LayerSet,
}

/// One media packet between legs.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkedPacket {
    /// Unwrapped sequence number.
    pub seq_no: u64,
    /// RTP timestamp in the codec's clock.
    pub timestamp: u32,
    pub marker: bool,
    /// RFC 6464 level, 0 loud to 127 silent.
    pub audio_level: Option<u8>,
    pub payload: std::sync::Arc<[u8]>,
}
