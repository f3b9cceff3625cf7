//! What people, clients and bots are told.
//!
//! Not here: how it is written on anybody's wire, and which copies a protocol wants (`door`).

use proto::id::{CallId, ConnId, JobId, PostId, SessionId, UserId};

use crate::jobs::JobView;
use crate::join::JoinError;
use crate::request::{CaptionLine, Emoji};

/// Whom news is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    Connection(ConnId),
    /// Every connection of the person.
    User(UserId),
    /// Every member of the channel, and the bot.
    Room,
    /// Every connection of these people, and the bot. In order, each once.
    Participants(Vec<UserId>),
    Bot,
}

/// News with its addressees.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    pub news: News,
    pub to: To,
}

/// A session and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    pub user: UserId,
    pub session: SessionId,
}

/// One piece of news. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The join on this connection was accepted: media may be negotiated.
    Joined(ConnId),
    JoinRefused {
        connection: ConnId,
        error: JoinError,
    },
    /// From the media host for one session's client.
    Signal {
        session: SessionId,
        json: String,
    },
    Started {
        call: CallId,
        start_at_ms: i64,
        post: Option<PostId>,
        thread: Option<PostId>,
        owner: UserId,
        host: Option<UserId>,
    },
    State(Box<CallView>),
    /// The call was ended for everybody; clients leave by themselves.
    Ending,
    Entered(Who),
    Left(Who),
    Voice {
        who: Who,
        unmuted: bool,
    },
    Speaking {
        who: Who,
        on: bool,
    },
    ScreenOn(Who),
    /// `None` when the presenting session disappeared.
    ScreenOff(Option<Who>),
    Video {
        who: Who,
        on: bool,
    },
    /// `raised_at_ms` is 0 when the hand is down.
    Hand {
        who: Who,
        raised_at_ms: i64,
    },
    Reacted {
        who: Who,
        emoji: Emoji,
        at_ms: i64,
    },
    HostChanged {
        call: CallId,
        host: Option<UserId>,
    },
    Job(JobView),
    /// The bot of this job must leave.
    JobStop(JobId),
    /// The bot of this job must take nothing until it hears `JobResume`.
    JobPause(JobId),
    JobResume(JobId),
    Caption {
        who: Who,
        text: String,
        line: Option<CaptionLine>,
    },
    Dismissed {
        call: CallId,
        user: UserId,
    },
    /// The media host of the session is going to stop: its client joins anew.
    MediaMoves {
        session: SessionId,
    },
    /// The host asks a session to mute itself.
    AskedToMute {
        session: SessionId,
        host: UserId,
    },
    AskedToStopScreen {
        session: SessionId,
        host: UserId,
    },
    AskedToLowerHand {
        call: CallId,
        session: SessionId,
        host: UserId,
    },
    /// The host sends a session away; it is closed if it does not go.
    Removed {
        call: CallId,
        who: Who,
    },
}

/// A running call as one person may see it. Bots' sessions are never listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallView {
    pub id: CallId,
    pub start_at_ms: i64,
    pub sessions: Vec<SessionView>,
    pub post: Option<PostId>,
    pub thread: Option<PostId>,
    pub presenter: Option<SessionId>,
    pub owner: UserId,
    pub host: Option<UserId>,
    pub recording: Option<JobView>,
    pub transcribing: Option<JobView>,
    pub captioning: Option<JobView>,
    /// Whether this person does not want to be rung.
    pub dismissed_by: Option<UserId>,
}

/// One session of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    pub session: SessionId,
    pub user: UserId,
    pub unmuted: bool,
    /// 0 when the hand is down.
    pub raised_hand_ms: i64,
    pub video: bool,
    /// Milliseconds since it was last heard to speak, 0 while it is; `None` when that is long ago.
    pub silent_for_ms: Option<i64>,
}
