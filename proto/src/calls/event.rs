//! What signalling tells clients.
//!
//! Events for a channel or for everybody in a call also carry `channelID` in their data, because
//! bots see copies without a channel in the broadcast: `Event::data_in` adds it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::action::{CaptionLine, Emoji};
use super::state::JobState;
use super::{NAME_PREFIX, or_empty};
use crate::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};

/// Why an event could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeEventError {
    #[error("`{0}` is not an event of calls")]
    Unknown(String),
    #[error("data of event `{name}`")]
    Data {
        name: &'static str,
        #[source]
        source: serde_json::Error,
    },
}

macro_rules! events {
    ($( $(#[$doc:meta])* $variant:ident($payload:ty) = $name:literal, )*) => {
        /// One event.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event { $( $(#[$doc])* $variant($payload), )* }

        impl Event {
            /// Returns the name without the prefix.
            #[must_use]
            pub fn short_name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $name, )* }
            }

            /// Returns the `data` object.
            #[must_use]
            pub fn data(&self) -> Map<String, Value> {
                match self { $( Self::$variant(payload) => object(payload), )* }
            }

            /// Reads an event by its full name.
            ///
            /// # Errors
            /// When the name is not ours or the data lacks what the event must carry.
            pub fn decode(name: &str, data: &Map<String, Value>) -> Result<Self, DecodeEventError> {
                match name.strip_prefix(NAME_PREFIX).unwrap_or_default() {
                    $( $name => serde_json::from_value(Value::Object(data.clone()))
                        .map(Self::$variant)
                        .map_err(|source| DecodeEventError::Data { name: $name, source }), )*
                    _ => Err(DecodeEventError::Unknown(name.chars().take(64).collect())),
                }
            }
        }
    };
}

events! {
    /// The join was accepted; the client now makes its peer connection.
    Join(Joined) = "join",
    /// The join was refused, with the reason in words; the client disconnects.
    Error(Refused) = "error",
    /// Media signalling: an offer, an answer or a candidate as JSON text.
    Signal(Signal) = "signal",
    CallStart(CallStart) = "call_start",
    CallState(CallStateNews) = "call_state",
    /// The host ended the call for everybody; clients disconnect themselves.
    CallEnd(Nothing) = "call_end",
    UserJoined(UserSession) = "user_joined",
    UserLeft(UserSession) = "user_left",
    UserMuted(SessionOfUser) = "user_muted",
    UserUnmuted(SessionOfUser) = "user_unmuted",
    UserVoiceOn(SessionOfUser) = "user_voice_on",
    UserVoiceOff(SessionOfUser) = "user_voice_off",
    UserScreenOn(SessionOfUser) = "user_screen_on",
    /// Empty when the presenting session disappeared.
    UserScreenOff(ScreenOff) = "user_screen_off",
    UserVideoOn(SessionOfUser) = "user_video_on",
    UserVideoOff(SessionOfUser) = "user_video_off",
    UserRaiseHand(Hand) = "user_raise_hand",
    UserUnraiseHand(Hand) = "user_unraise_hand",
    UserReacted(Reaction) = "user_reacted",
    CallHostChanged(HostChange) = "call_host_changed",
    CallJobState(JobNews) = "call_job_state",
    UserDismissedNotification(Dismissal) = "user_dismissed_notification",
    /// The bot must leave.
    JobStop(JobStop) = "job_stop",
    /// The bot takes nothing more until `job_resume`. Ours only.
    JobPause(JobStop) = "job_pause",
    /// The bot goes on. Ours only.
    JobResume(JobStop) = "job_resume",
    Caption(CaptionShown) = "caption",
    /// The host asks the session to mute itself.
    HostMute(HostRequest) = "host_mute",
    HostScreenOff(HostRequest) = "host_screen_off",
    HostLowerHand(LowerHand) = "host_lower_hand",
    /// The session must go; it is closed after three seconds if it does not.
    HostRemoved(Removal) = "host_removed",
    /// The media host of the session is going to stop: its client joins anew, and is given another. Ours
    /// only.
    MediaMoves(MediaMove) = "media_moves",
    ChannelEnableVoice(Nothing) = "channel_enable_voice",
    ChannelDisableVoice(Nothing) = "channel_disable_voice",
}

impl Event {
    /// Returns the name on the wire.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{NAME_PREFIX}{}", self.short_name())
    }

    /// Returns the `data` object with `channelID` added.
    #[must_use]
    pub fn data_in(&self, channel: &ChannelId) -> Map<String, Value> {
        let mut data = self.data();
        data.insert("channelID".to_owned(), json!(channel));
        data
    }
}

/// Data of events that say nothing but their name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    #[serde(rename = "connID")]
    pub connection: ConnId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why, in words.
    pub data: String,
    #[serde(rename = "connID")]
    pub connection: ConnId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// JSON text: `{"type":"offer"|"answer","sdp"}` or `{"type":"candidate","candidate"}`.
    pub data: String,
    #[serde(rename = "connID")]
    pub session: SessionId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStart {
    pub id: CallId,
    #[serde(rename = "channelID")]
    pub channel: ChannelId,
    /// Unix milliseconds.
    pub start_at: i64,
    #[serde(with = "or_empty")]
    pub thread_id: Option<PostId>,
    #[serde(with = "or_empty")]
    pub post_id: Option<PostId>,
    pub owner_id: UserId,
    #[serde(with = "or_empty")]
    pub host_id: Option<UserId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStateNews {
    pub channel_id: ChannelId,
    /// A `CallState` as JSON text.
    pub call: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSession {
    pub user_id: UserId,
    pub session_id: SessionId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOfUser {
    #[serde(rename = "userID")]
    pub user: UserId,
    pub session_id: SessionId,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenOff {
    #[serde(default, rename = "userID", skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    #[serde(rename = "userID")]
    pub user: UserId,
    pub session_id: SessionId,
    /// Unix milliseconds, or 0 when lowered.
    pub raised_hand: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    pub user_id: UserId,
    pub session_id: SessionId,
    pub emoji: Emoji,
    /// Unix milliseconds.
    pub timestamp: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostChange {
    #[serde(rename = "hostID", with = "or_empty")]
    pub host: Option<UserId>,
    pub call_id: CallId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobNews {
    /// The channel's id, whatever the key says.
    #[serde(rename = "callID")]
    pub channel: ChannelId,
    #[serde(rename = "jobState", serialize_with = "with_err")]
    pub state: JobState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissal {
    #[serde(rename = "userID")]
    pub user: UserId,
    #[serde(rename = "callID")]
    pub call: CallId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaMove {
    pub session_id: SessionId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStop {
    pub job_id: JobId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptionShown {
    pub channel_id: ChannelId,
    pub user_id: UserId,
    pub session_id: SessionId,
    pub text: String,
    /// Ours: which line it is, and what of it stays.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub line: Option<CaptionLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRequest {
    pub channel_id: ChannelId,
    pub session_id: SessionId,
    /// Ours: who asks. The reference says it of hands only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<UserId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowerHand {
    pub call_id: CallId,
    pub channel_id: ChannelId,
    pub session_id: SessionId,
    pub host_id: UserId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    pub call_id: CallId,
    pub channel_id: ChannelId,
    pub session_id: SessionId,
    pub user_id: UserId,
}

// The event always has `err`; the state of a call only when there is one.
fn with_err<S: serde::Serializer>(state: &JobState, serializer: S) -> Result<S::Ok, S::Error> {
    let mut object = object(state);
    object.entry("err").or_insert_with(|| json!(""));
    object.serialize(serializer)
}

fn object<T: Serialize>(payload: &T) -> Map<String, Value> {
    if let Ok(Value::Object(map)) = serde_json::to_value(payload) {
        map
    } else {
        Map::new()
    }
}
