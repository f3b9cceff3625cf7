//! Bodies of the REST routes for people and clients (routes for the bot: `bot`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::state::CallState;
use crate::id::{ChannelId, SessionId, UserId};

/// What most routes answer: `success`, or why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub message: String,
    pub status_code: u16,
}

/// `GET /version`. Clients decide by `version` and `rtcd_version` whether the signalling lock is
/// used, so both must be plain semantic versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub version: String,
    pub build: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcd_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcd_build: Option<String>,
}

/// `POST /calls/{channel}/captions/translate`, a route of ours: a line of captions to be read in another
/// language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptionToTranslate {
    /// The `language` of the caption.
    pub from: String,
    pub to: String,
    pub text: String,
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptionInLanguage {
    pub language: String,
    pub text: String,
}

/// `GET /{channel}` and the elements of `GET /channels`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelCalls {
    pub channel_id: ChannelId,
    /// Absent when nobody ever switched calls on or off here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub props: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallState>,
}

/// `POST /{channel}`: switches calls on or off in a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetChannelCalls {
    pub enabled: bool,
    #[serde(default)]
    pub props: Option<Map<String, Value>>,
}

/// `GET /calls/{channel}/active`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    pub active: bool,
}

/// `POST /logs/upload`: what a client wrote down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLogs {
    pub logs: String,
    /// Where its person is told what became of it.
    pub channel_id: ChannelId,
}

/// `GET /stats`, for system administrators. Days are `YYYY-MM-DD` and months `YYYY-MM`, in UTC; those
/// without any are left out. Averages are rounded down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsStats {
    pub total_calls: i64,
    pub total_active_calls: i64,
    /// Bots' included.
    pub total_active_sessions: i64,
    pub calls_by_day: BTreeMap<String, i64>,
    pub calls_by_month: BTreeMap<String, i64>,
    /// By `O` (public), `P` (private), `D` (direct) and `G` (group).
    pub calls_by_channel_type: BTreeMap<String, i64>,
    /// Seconds, of calls that ended.
    pub avg_duration: i64,
    pub avg_participants: i64,
    /// Seconds of all cameras of a call, of calls that had one.
    pub avg_video_duration: i64,
    pub total_video_duration: i64,
    pub total_video_calls: i64,
    pub total_screen_share_calls: i64,
    /// Recordings that began.
    pub recording_jobs_by_day: BTreeMap<String, i64>,
    pub recording_jobs_by_month: BTreeMap<String, i64>,
}

/// `POST /calls/{channel}/host/make`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeHost {
    pub new_host_id: UserId,
}

/// The host controls that are about one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSession {
    pub session_id: SessionId,
}

/// `GET /calls/{channel}/...` for the bot: a proposed file name without extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filename {
    pub filename: String,
}
