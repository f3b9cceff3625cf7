//! What clients ask of signalling.
//!
//! In: name and `data` of a client's frame. Out: an `Action` whose texts are within their limits.
//! Not here: whether the sender may do it (`signalling-core`).

mod read;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::NAME_PREFIX;
use super::frame::{ClientFrame, Field, Fields};
use super::sdp::{self, Description, SdpError};
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
    /// What our transcriber tells besides; no other one does, and older servers leave it out.
    pub line: Option<CaptionLine>,
}

/// What is known of a caption beyond its text. On the wire these are further keys of the caption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptionLine {
    /// Which line of the speaker's the text is: a text of the same line replaces the one before.
    #[serde(rename = "utterance_id")]
    pub utterance: String,
    /// The text will not change any more, and the speaker's next caption is another line.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// How much of the text will not change any more, in UTF-16 code units (a string's length in
    /// JavaScript); what follows is provisional.
    pub settled_len: u32,
    /// ISO 639-1 code of the language it was heard in.
    pub language: String,
    /// The text is not what was said but why that cannot be shown.
    #[serde(rename = "notice")]
    pub is_notice: bool,
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

impl DecodeActionError {
    /// Returns which action it was, without the prefix; `None` when it is none of ours.
    #[must_use]
    pub fn action(&self) -> Option<&'static str> {
        match self {
            Self::Unknown(_) => None,
            Self::Field { action, .. }
            | Self::TooLong { action, .. }
            | Self::Id { action, .. }
            | Self::Json { action, .. } => Some(action),
            Self::Sdp(_) => Some("sdp"),
        }
    }
}

impl MetricName {
    const ALL: [Self; 4] = [
        Self::LiveCaptionsWindowDropped,
        Self::LiveCaptionsTranscriberBufferFull,
        Self::LiveCaptionsPacketBufferFull,
        Self::ClientIceCandidatePair,
    ];

    /// Whether bots send it; people's clients send the others.
    #[must_use]
    pub fn is_of_bots(self) -> bool {
        match self {
            Self::LiveCaptionsWindowDropped
            | Self::LiveCaptionsTranscriberBufferFull
            | Self::LiveCaptionsPacketBufferFull => true,
            Self::ClientIceCandidatePair => false,
        }
    }

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
            Self::Caption(caption) => caption.fields(),
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

impl Caption {
    fn fields(&self) -> Value {
        let mut fields = json!({
            "session_id": self.session,
            "text": self.text,
            "new_audio_len_ms": self.new_audio_len_ms,
        });
        let line = self.line.as_ref().map(|line| json!(line));
        if let (Some(fields), Some(Value::Object(line))) = (fields.as_object_mut(), line) {
            fields.extend(line);
        }
        fields
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
