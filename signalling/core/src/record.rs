//! What a restart must know.

use std::collections::BTreeSet;

use proto::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};

use crate::jobs::{JobFailure, JobKind};
use crate::media::MediaHost;
use crate::usage::Usage;

/// One record; the newest of an id counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    Call(CallRecord),
    Session(SessionRecord),
    SessionGone(SessionId),
    Job(JobRecord),
}

/// A call. `end_at_ms` is 0 while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    pub id: CallId,
    pub channel: ChannelId,
    pub start_at_ms: i64,
    pub end_at_ms: i64,
    pub title: String,
    pub post: Option<PostId>,
    pub thread: Option<PostId>,
    pub owner: UserId,
    pub host: Option<UserId>,
    pub host_locked: Option<UserId>,
    pub presenter: Option<SessionId>,
    pub participants: BTreeSet<UserId>,
    pub dismissed: BTreeSet<UserId>,
    pub usage: Usage,
}

/// A session of a running call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    pub id: SessionId,
    pub call: CallId,
    pub user: UserId,
    pub login: String,
    pub connection: ConnId,
    pub media: MediaHost,
    pub join_at_ms: i64,
    pub unmuted: bool,
    pub raised_hand_ms: i64,
    pub video: bool,
    /// The job a bot came for.
    pub job: Option<JobId>,
}

/// A job of a call. Times are Unix milliseconds, 0 while they have not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    pub id: JobId,
    pub call: CallId,
    pub kind: JobKind,
    pub creator: UserId,
    pub init_at_ms: i64,
    pub start_at_ms: i64,
    pub end_at_ms: i64,
    pub failure: Option<JobFailure>,
    /// The job service's id.
    pub service_id: String,
    pub bot_connection: Option<ConnId>,
    /// The host wants a pause.
    pub pause_wanted: bool,
    /// Since when its bot takes nothing.
    pub paused_at_ms: i64,
}

/// A running call as it was stored.
#[derive(Debug, Clone)]
pub struct RestoredCall {
    pub call: CallRecord,
    pub sessions: Vec<SessionRecord>,
    /// The newest of each kind.
    pub jobs: Vec<JobRecord>,
}
