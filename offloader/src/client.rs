//! A bot in a call, as any client is: signalling over the messaging WebSocket, media over WebRTC.
//!
//! In: an order to join (`JoinOrder`) and commands. Out: one stream of `CallEvent`s, media
//! included, that ends with exactly one `Closed`.
//! Boundary: nothing outside this folder knows the protocol or str0m. A client for another kind of
//! call server makes the same `CallHandle`; tests make one from two channels.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::calls::JobKind;
use proto::calls::action::{CaptionLine, MetricName};
use proto::id::{ChannelId, JobId, SessionId, UserId};
use proto::redact::Secret;
use proto::rtcd::TrackType;
use tokio::sync::{mpsc, watch};

pub mod bot;
mod peer;
mod session;
mod socket;
pub mod tracks;

pub use session::join;

/// Events that may wait for the capture; above it the client stops reading media.
pub const EVENT_QUEUE: usize = 4096;

/// Where to join and as whom.
#[derive(Debug, Clone)]
pub struct JoinOrder {
    /// `http://host[:port]` or `https://`.
    pub site_url: String,
    pub channel: ChannelId,
    pub job: JobId,
    pub token: Secret,
    /// A WebSocket that cannot be opened again for this long ends the session.
    pub patience: Duration,
    /// Pictures in AV1 are of use: whoever says so is sent them instead of VP8 where a screen comes in both.
    pub av1: bool,
    /// True when nobody would follow who goes: then one does not go when asked to begin anew elsewhere.
    pub alone: watch::Receiver<bool>,
}

/// The patience of a worker.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Names a track for the time of one client; never used twice.
pub type TrackKey = u32;

/// What a packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coding {
    /// Opus on a track of sound, VP8 on one of pictures.
    #[default]
    Usual,
    /// Pictures in AV1.
    Av1,
}

/// One RTP packet of a track.
#[derive(Debug, Clone)]
pub struct MediaPacket {
    /// When it came off the network.
    pub arrived: Instant,
    /// Unwrapped sequence number.
    pub seq_no: u64,
    /// Unwrapped RTP timestamp in the track's clock: 48 kHz for sound, 90 kHz for pictures.
    pub time: u64,
    /// Last packet of a picture.
    pub marker: bool,
    pub coding: Coding,
    /// One Opus packet, or what RTP says of a piece of a picture and the piece. Empty when a sender tried
    /// how much the network carries: nothing is missing then.
    pub payload: Arc<[u8]>,
}

/// What happens in the call.
#[derive(Debug, Clone)]
pub enum CallEvent {
    /// The join was accepted; the session's id.
    Joined {
        session: SessionId,
    },
    /// Media can flow.
    Connected {
        remote: Option<SocketAddr>,
    },
    TrackAdded {
        track: TrackKey,
        kind: TrackType,
        owner: SessionId,
    },
    TrackEnded {
        track: TrackKey,
    },
    Packet {
        track: TrackKey,
        packet: MediaPacket,
    },
    UserJoined {
        user: UserId,
        session: SessionId,
    },
    UserLeft {
        session: SessionId,
    },
    Muted {
        session: SessionId,
        muted: bool,
    },
    /// A hand went up or down.
    Hand {
        session: SessionId,
        raised: bool,
    },
    ScreenOn {
        session: SessionId,
    },
    ScreenOff,
    /// A job of this call changed.
    JobState {
        kind: JobKind,
        start_at: i64,
        end_at: i64,
        /// 0 while it is not paused.
        paused_at: i64,
        err: String,
    },
    /// The bot was asked to leave.
    Stop,
    /// The bot was asked to leave out what comes from now on.
    Pause,
    /// The bot was asked to go on.
    Resume,
    /// The call ended for everybody.
    CallEnded,
    /// Nothing more will come.
    Closed {
        reason: CloseReason,
    },
}

/// Why a client ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    #[error("the bot left")]
    Left,
    #[error("the join was refused: {0}")]
    Refused(String),
    #[error("the messaging server could not be reached: {0}")]
    Unreachable(String),
    #[error("the media connection was lost")]
    MediaLost,
    #[error("the media connection could not be made: {0}")]
    MediaFailed(String),
    /// The server asks whoever goes on to join anew: there is another media host.
    #[error("the media connection was lost")]
    HostGone,
}

/// What the holder of a client may ask.
#[derive(Debug, Clone)]
pub enum CallCommand {
    /// Asks the sender of a picture track for a keyframe.
    RequestKeyframe {
        track: TrackKey,
    },
    Caption {
        session: SessionId,
        text: String,
        new_audio_len_ms: f64,
        line: CaptionLine,
    },
    /// Captions of `session` fell behind, as the calls server counts it.
    FellBehind {
        session: SessionId,
        how: MetricName,
    },
    Leave,
}

/// A client at work.
#[derive(Debug)]
pub struct CallHandle {
    pub events: mpsc::Receiver<CallEvent>,
    pub commands: mpsc::Sender<CallCommand>,
}
