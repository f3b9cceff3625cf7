//! What calls ask of media hosts, and what passes between a client and its host unread.

use proto::id::{CallId, ChannelId, SessionId, UserId};

/// The address of one media host, as configured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaHost(pub String);

/// What a client can do with media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub av1: bool,
    /// Offers of the media host go over its data channel.
    pub data_channel_signalling: bool,
}

/// A piece of negotiation between a client and its media host; calls do not read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// JSON text of an RTCSessionDescriptionInit.
    Description(String),
    /// JSON text with an RTCIceCandidateInit.
    Candidate(String),
}

/// One command for a media host, about one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaCommand {
    Enter {
        call: CallId,
        channel: ChannelId,
        user: UserId,
        session: SessionId,
        capabilities: Capabilities,
    },
    Leave(SessionId),
    /// The session's client is back on another connection.
    Resume(SessionId),
    Signal {
        session: SessionId,
        signal: Signal,
    },
    Voice {
        session: SessionId,
        unmuted: bool,
    },
    /// `stream`: the id of what is shown; `None` when it no longer is.
    Screen {
        session: SessionId,
        stream: Option<String>,
    },
    Video {
        session: SessionId,
        stream: Option<String>,
    },
}

impl MediaCommand {
    /// Returns the session it is about.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        match self {
            Self::Enter { session, .. }
            | Self::Leave(session)
            | Self::Resume(session)
            | Self::Signal { session, .. }
            | Self::Voice { session, .. }
            | Self::Screen { session, .. }
            | Self::Video { session, .. } => session,
        }
    }
}
