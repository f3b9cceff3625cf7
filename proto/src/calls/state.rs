//! A call as clients see it: `call_state` events and the REST field `call`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::or_empty;
use crate::id::{CallId, PostId, SessionId, UserId};

/// A running call. The bot's sessions are never listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallState {
    pub id: CallId,
    /// Unix milliseconds.
    pub start_at: i64,
    /// Unordered; never null.
    pub sessions: Vec<SessionState>,
    /// The thread's first post: the call post, or the post whose thread the call was started in.
    #[serde(with = "or_empty")]
    pub thread_id: Option<PostId>,
    #[serde(with = "or_empty")]
    pub post_id: Option<PostId>,
    #[serde(with = "or_empty")]
    pub screen_sharing_session_id: Option<SessionId>,
    /// Who started the call; never changes.
    pub owner_id: UserId,
    #[serde(with = "or_empty")]
    pub host_id: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<JobState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription: Option<JobState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_captions: Option<JobState>,
    /// At most the requesting person's own entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dismissed_notification: Option<BTreeMap<UserId, bool>>,
}

/// One session of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    pub session_id: SessionId,
    pub user_id: UserId,
    pub unmuted: bool,
    /// When the hand was raised in Unix milliseconds; 0 when it is down.
    pub raised_hand: i64,
    pub video: bool,
    /// Ours only: milliseconds since it was last heard to speak, 0 while it is; absent when that is more
    /// than half a minute ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_for: Option<i64>,
}

/// What kind of work a bot does in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    Recording,
    Transcribing,
    /// Part of the transcribing job; has a state of its own and no process of its own.
    Captioning,
}

impl JobKind {
    /// Returns the name on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Transcribing => "transcribing",
            Self::Captioning => "captioning",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Recording, Self::Transcribing, Self::Captioning]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// Where a job stands. Times are Unix milliseconds, 0 while they have not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobState {
    #[serde(rename = "type")]
    pub kind: JobKind,
    pub init_at: i64,
    pub start_at: i64,
    pub end_at: i64,
    /// Why it ended badly, in words for people; empty when it did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub err: String,
    /// Ours only: since when nothing is taken; 0 (and absent) while it runs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub paused_at: i64,
    /// Ours only: how much of what is made after the end is done, in per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(number: &i64) -> bool {
    *number == 0
}
