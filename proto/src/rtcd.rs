//! The rtcd v1 protocol: what a calls server, `rtcd` and its participants say to each other.
//!
//! `control`: messages of the control WebSocket (MessagePack). `channel`: messages of the data
//! channel `calls-dc` (MessagePack). `sdp`: the JSON inside both. `http`: the JSON bodies of the API.
//! `nodes`: an addition, what media nodes of one cluster say to each other.
//! Here: the words they share. Decoding is liberal, encoding is exact.

mod channel;
mod control;
mod http;
mod nodes;
mod sdp;

pub use channel::{ChannelMessage, MAX_SDP_LEN, MediaMapEntry};
pub use control::{
    ControlMessage, DecodeError, HelloMessage, JoinMessage, MAX_CONTROL_LEN, RtcKind, RtcMessage,
};
pub use http::{ApiAnswer, Credentials, SessionConfig, SessionProps, SystemInfo, VersionInfo};
pub use nodes::{
    CallName, LegMessage, LegToLeg, MediaHead, NodeLegs, NodeMessage, NodeMessageError,
    NumberedTrack, SessionMessage, TrackName,
};
pub use sdp::{IceCandidate, JsonError, ScreenOnData, SdpKind, SessionDescription, VideoOnData};

use serde::{Deserialize, Serialize};

use crate::id::SessionId;

/// The version of the reference's protocol that our rtcd speaks, as `/version` tells it: callers
/// switch features by it. It says nothing about Parley's own version.
pub const COMPATIBLE_VERSION: &str = "1.3.0";

/// What a track shows, by its wire name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackType {
    /// A participant's microphone.
    Voice,
    /// A shared screen.
    Screen,
    /// The sound of a shared screen.
    ScreenAudio,
    /// A participant's camera.
    Video,
}

impl TrackType {
    /// All types, in wire-name order of the specification.
    pub const ALL: [Self; 4] = [Self::Voice, Self::Screen, Self::ScreenAudio, Self::Video];

    /// Returns the name used in track ids, media maps and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Screen => "screen",
            Self::ScreenAudio => "screen-audio",
            Self::Video => "video",
        }
    }

    /// Finds a type by its wire name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether the track carries sound.
    #[must_use]
    pub const fn is_audio(self) -> bool {
        match self {
            Self::Voice | Self::ScreenAudio => true,
            Self::Screen | Self::Video => false,
        }
    }
}

/// The codecs that are forwarded; everything else is refused in SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    Opus,
    Vp8,
    Av1,
}

impl Codec {
    /// All codecs.
    pub const ALL: [Self; 3] = [Self::Opus, Self::Vp8, Self::Av1];

    /// Returns the MIME type, as used in metric labels.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Opus => "audio/opus",
            Self::Vp8 => "video/VP8",
            Self::Av1 => "video/AV1",
        }
    }

    /// Returns the RTP clock rate in Hz.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Vp8 | Self::Av1 => 90_000,
        }
    }
}

/// Composes the id of a track that is sent to a participant: `<type>_<publisher>_<random>`.
///
/// `random` should be 8 id characters. Session ids of the reference hold no `_`.
#[must_use]
pub fn track_id(kind: TrackType, publisher: &SessionId, random: &str) -> String {
    format!("{}_{publisher}_{random}", kind.as_str())
}

/// Reads type and publisher from a track id made by `track_id`.
#[must_use]
pub fn parse_track_id(id: &str) -> Option<(TrackType, SessionId)> {
    let (kind, rest) = id.split_once('_')?;
    let (publisher, random) = rest.rsplit_once('_')?;
    if random.is_empty() {
        return None;
    }
    Some((TrackType::parse(kind)?, SessionId::parse(publisher).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn track_ids_name_type_and_publisher() {
        let publisher = SessionId::parse("sessionA").unwrap();
        let id = track_id(TrackType::ScreenAudio, &publisher, "abcdefgh");
        assert_eq!(id, "screen-audio_sessionA_abcdefgh");
        assert_eq!(
            parse_track_id(&id),
            Some((TrackType::ScreenAudio, publisher))
        );
        for broken in [
            "",
            "voice",
            "voice_s1",
            "voice__x",
            "noise_s1_x",
            "voice_s1_",
        ] {
            assert_eq!(parse_track_id(broken), None, "{broken}");
        }
    }

    #[test]
    fn every_track_type_is_found_by_its_name() {
        for kind in TrackType::ALL {
            assert_eq!(TrackType::parse(kind.as_str()), Some(kind));
        }
    }
}
