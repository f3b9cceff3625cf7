//! What clients ask of signalling.
//!
//! In: name and `data` of a client's frame. Out: an `Action` whose texts are within their limits.
//! Not here: whether the sender may do it (`signalling-core`).

mod read;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::frame::{ClientFrame, Field, Fields};
use super::sdp::{self, Description, SdpError};
use super::{MAX_UTTERANCE_ID_BYTES, NAME_PREFIX};
use crate::id::{ChannelId, ConnId, InvalidId, JobId, PostId, SessionId};

/// One action.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Join(Join),
    Leave,
    Reconnect(Reconnect),
    /// Asks for a `call_state` event on this connection.
    CallState {
        channel: ChannelId,
    },
    Sdp(Description),
    /// JSON text of an RTCIceCandidateInit.
    Ice {
        candidate: String,
    },
    Mute,
    Unmute,
    /// Sent before the screen's tracks are offered. The text is the MediaStream's id.
    ScreenOn {
        stream: String,
    },
    ScreenOff,
    VideoOn {
        stream: String,
    },
    VideoOff,
    RaiseHand,
    UnraiseHand,
    React(Emoji),
    Caption(Caption),
    Metric(Metric),
    /// Accepted names without effect: voice activity is found by the media server.
    VoiceOn,
    VoiceOff,
    Ping,
}

/// Starts a call or joins the running one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    pub channel: ChannelId,
    pub title: String,
    pub thread: Option<PostId>,
    /// Only the bot gives one, and it must.
    pub job: Option<JobId>,
    pub av1_support: bool,
    pub dc_signalling: bool,
}

/// Takes a session over to a new connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconnect {
    pub channel: ChannelId,
    /// The session's id.
    pub original: ConnId,
    pub previous: ConnId,
}

/// A reaction's picture.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emoji {
    pub name: String,
    #[serde(default)]
    pub skin: String,
    #[serde(default)]
    pub unified: String,
    #[serde(default)]
    pub literal: String,
}

/// A piece of live caption from the transcribing bot.
#[derive(Debug, Clone, PartialEq)]
pub struct Caption {
    pub session: SessionId,
    pub text: String,
    /// Milliseconds of audio the text adds.
    pub new_audio_len_ms: f64,
}

/// Which stretch of speech a caption is the text of. Ours: it stands beside what the reference's
/// captions carry, in the same `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// A later text with the same id replaces this one.
    pub id: String,
    /// No later text will come.
    pub is_final: Option<bool>,
}

/// A measurement of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub name: MetricName,
    pub session: Option<SessionId>,
    /// JSON text for `ClientIceCandidatePair`.
    pub data: String,
}

/// The measurements a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricName {
    LiveCaptionsWindowDropped,
    LiveCaptionsTranscriberBufferFull,
    LiveCaptionsPacketBufferFull,
    ClientIceCandidatePair,
}

/// Why an action could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeActionError {
    #[error("`{0}` is not an action of calls")]
    Unknown(String),
    #[error("action `{action}`: `{field}` must be {expected}")]
    Field {
        action: &'static str,
        field: &'static str,
        expected: &'static str,
    },
    #[error("action `{action}`: `{field}` has {size} bytes, the limit is {limit}")]
    TooLong {
        action: &'static str,
        field: &'static str,
        size: usize,
        limit: usize,
    },
    #[error("action `{action}`: `{field}`")]
    Id {
        action: &'static str,
        field: &'static str,
        #[source]
        source: InvalidId,
    },
    #[error("action `{action}`: `{field}` is not the JSON expected")]
    Json {
        action: &'static str,
        field: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("action `sdp`")]
    Sdp(#[source] SdpError),
}

impl MetricName {
    const ALL: [Self; 4] = [
        Self::LiveCaptionsWindowDropped,
        Self::LiveCaptionsTranscriberBufferFull,
        Self::LiveCaptionsPacketBufferFull,
        Self::ClientIceCandidatePair,
    ];

    /// Returns the name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LiveCaptionsWindowDropped => "live_captions_window_dropped",
            Self::LiveCaptionsTranscriberBufferFull => "live_captions_transcriber_buf_full",
            Self::LiveCaptionsPacketBufferFull => "live_captions_pktPayloadCh_buf_full",
            Self::ClientIceCandidatePair => "client_ice_candidate_pair",
        }
    }
}

impl Action {
    /// Returns the name without the prefix.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        match self {
            Self::Join(_) => "join",
            Self::Leave => "leave",
            Self::Reconnect(_) => "reconnect",
            Self::CallState { .. } => "call_state",
            Self::Sdp(_) => "sdp",
            Self::Ice { .. } => "ice",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::ScreenOn { .. } => "screen_on",
            Self::ScreenOff => "screen_off",
            Self::VideoOn { .. } => "video_on",
            Self::VideoOff => "video_off",
            Self::RaiseHand => "raise_hand",
            Self::UnraiseHand => "unraise_hand",
            Self::React(_) => "react",
            Self::Caption(_) => "caption",
            Self::Metric(_) => "metric",
            Self::VoiceOn => "voice_on",
            Self::VoiceOff => "voice_off",
            Self::Ping => "ping",
        }
    }

    /// Reads an action by its full name.
    ///
    /// # Errors
    /// When the name is not ours, or a field is missing, of another type, or over its limit.
    pub fn decode(name: &str, data: &Fields) -> Result<Self, DecodeActionError> {
        let short = name.strip_prefix(NAME_PREFIX).unwrap_or_default();
        Ok(match short {
            "join" => Self::Join(read::join(data)?),
            "leave" => Self::Leave,
            "reconnect" => Self::Reconnect(read::reconnect(data)?),
            "call_state" => {
                let reader = read::Reader {
                    action: "call_state",
                    data,
                };
                Self::CallState {
                    channel: reader.id("channelID", ChannelId::parse)?,
                }
            }
            "sdp" => Self::Sdp(read::sdp(data)?),
            "ice" => {
                let reader = read::Reader {
                    action: "ice",
                    data,
                };
                Self::Ice {
                    candidate: reader.json_text("data")?.0,
                }
            }
            "mute" => Self::Mute,
            "unmute" => Self::Unmute,
            "screen_on" => Self::ScreenOn {
                stream: read::stream("screen_on", data)?,
            },
            "screen_off" => Self::ScreenOff,
            "video_on" => Self::VideoOn {
                stream: read::stream("video_on", data)?,
            },
            "video_off" => Self::VideoOff,
            "raise_hand" => Self::RaiseHand,
            "unraise_hand" => Self::UnraiseHand,
            "react" => Self::React(read::emoji(data)?),
            "caption" => Self::Caption(read::caption(data)?),
            "metric" => Self::Metric(read::metric(data)?),
            "voice_on" => Self::VoiceOn,
            "voice_off" => Self::VoiceOff,
            "ping" => Self::Ping,
            _ => return Err(DecodeActionError::Unknown(name.chars().take(64).collect())),
        })
    }

    /// Writes the frame a client sends. `Sdp` must go as a binary frame, the rest may go as text.
    #[must_use]
    pub fn to_frame(&self, seq: u64) -> ClientFrame {
        let action = format!("{NAME_PREFIX}{}", self.short_name());
        ClientFrame {
            action,
            seq,
            data: self.fields(),
        }
    }

    fn fields(&self) -> Fields {
        let value = match self {
            Self::Join(join) => join.fields(),
            Self::Reconnect(reconnect) => json!({
                "channelID": reconnect.channel,
                "originalConnID": reconnect.original,
                "prevConnID": reconnect.previous,
            }),
            Self::CallState { channel } => json!({ "channelID": channel }),
            Self::Sdp(description) => {
                let bytes = Field::Bytes(sdp::deflate(description));
                return Fields::from([("data".to_owned(), bytes)]);
            }
            Self::Ice { candidate } => json!({ "data": candidate }),
            Self::ScreenOn { stream } => {
                json!({ "data": json!({ "screenStreamID": stream }).to_string() })
            }
            Self::VideoOn { stream } => {
                json!({ "data": json!({ "videoStreamID": stream }).to_string() })
            }
            Self::React(emoji) => json!({ "data": json!(emoji).to_string() }),
            Self::Caption(caption) => json!({
                "session_id": caption.session,
                "text": caption.text,
                "new_audio_len_ms": caption.new_audio_len_ms,
            }),
            Self::Metric(metric) => metric.fields(),
            Self::Leave
            | Self::Mute
            | Self::Unmute
            | Self::ScreenOff
            | Self::VideoOff
            | Self::RaiseHand
            | Self::UnraiseHand
            | Self::VoiceOn
            | Self::VoiceOff
            | Self::Ping => json!({}),
        };
        let Value::Object(map) = value else {
            return Fields::new();
        };
        map.into_iter()
            .map(|(key, value)| (key, Field::Json(value)))
            .collect()
    }
}

impl Join {
    fn fields(&self) -> Value {
        let mut value = json!({
            "channelID": self.channel,
            "title": self.title,
            "threadID": self.thread.as_ref().map_or("", PostId::as_str),
            "av1Support": self.av1_support,
            "dcSignaling": self.dc_signalling,
        });
        if let (Some(job), Some(map)) = (&self.job, value.as_object_mut()) {
            map.insert("jobID".to_owned(), json!(job));
        }
        value
    }
}

impl Utterance {
    /// Reads what a caption's `data` says of its utterance; `None` when it says nothing, or names it
    /// with more than [`MAX_UTTERANCE_ID_BYTES`].
    #[must_use]
    pub fn read(data: &Fields) -> Option<Self> {
        let reader = read::Reader {
            action: "caption",
            data,
        };
        let id = reader.json("utterance_id").and_then(Value::as_str)?;
        let is_name = !id.is_empty() && id.len() <= MAX_UTTERANCE_ID_BYTES;
        is_name.then(|| Self {
            id: id.to_owned(),
            is_final: reader.json("final").and_then(Value::as_bool),
        })
    }

    /// Says it in a caption's frame.
    pub fn write(&self, frame: &mut ClientFrame) {
        let mut put = |name: &str, value: Value| {
            frame.data.insert(name.to_owned(), Field::Json(value));
        };
        put("utterance_id", json!(self.id));
        if let Some(is_final) = self.is_final {
            put("final", json!(is_final));
        }
    }
}

impl Metric {
    fn fields(&self) -> Value {
        let mut value = json!({ "metric_name": self.name.as_str(), "data": self.data });
        if let (Some(session), Some(map)) = (&self.session, value.as_object_mut()) {
            map.insert("session_id".to_owned(), json!(session));
        }
        value
    }
}
