//! The complete list of what enters and leaves a call.

use std::collections::BTreeSet;
use std::time::Instant;

use proto::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};

use crate::jobs::{JobFailure, JobKind};
use crate::join::JoinError;
use crate::media::{Capabilities, MediaCommand, MediaHost};
use crate::news::Envelope;
use crate::record::Record;
use crate::request::Request;

/// An instant on both clocks: deadlines follow `now`, what people read follows `unix_ms`.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub now: Instant,
    /// Unix milliseconds.
    pub unix_ms: i64,
}

/// What this installation allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// The account of the recording and transcribing bot.
    pub bot: UserId,
    /// Calls may start where nobody switched them on or off.
    pub default_enabled: bool,
    /// Calls may start outside direct messages.
    pub group_calls: bool,
    /// Sessions per call, 0 for no limit.
    pub max_participants: usize,
    pub screen_sharing: bool,
    pub video: bool,
    pub recordings: bool,
    pub transcriptions: bool,
    pub captions: bool,
    /// How many job services there are. With several, one may be lost and the recording goes on.
    pub job_services: usize,
}

/// What the chat world says about a thread a call shall be attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadFact {
    /// No thread was named.
    NotAsked,
    Root,
    /// Unknown, or of another channel.
    Elsewhere,
    Deleted,
    Reply,
}

/// What had to be looked up before a join can be judged.
#[derive(Debug, Clone)]
pub struct JoinFacts {
    /// The person may post in the channel.
    pub may_post: bool,
    pub archived: bool,
    /// A direct message of two.
    pub direct: bool,
    /// How many people are in the channel: joins of large ones may be gathered.
    pub room_members: usize,
    pub thread: ThreadFact,
    /// Whether calls were switched on or off here explicitly.
    pub enabled: Option<bool>,
    pub is_admin: bool,
    /// The connection has a session or waits for one already, or its session's id is taken.
    pub is_connected: bool,
    /// The media host for this session, or why there is none.
    pub media: Result<MediaHost, String>,
}

/// Somebody wants to start or join the call.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    pub connection: ConnId,
    pub login: String,
    pub user: UserId,
    /// How the person is called where the call is announced.
    pub name: String,
    pub title: String,
    pub thread: Option<PostId>,
    /// Only the bot gives one, and it must.
    pub job: Option<JobId>,
    pub capabilities: Capabilities,
    pub facts: JoinFacts,
}

/// Everything that can happen to a call.
#[derive(Debug)]
pub enum Input {
    Join(Box<JoinRequest>),
    /// Takes a session over to a new connection. `may_post`: the person may (still) post in the
    /// channel. `is_taken`: the connection has another session, or waits for one.
    Reconnect {
        connection: ConnId,
        user: UserId,
        session: SessionId,
        previous: ConnId,
        may_post: bool,
        is_taken: bool,
    },
    Request {
        connection: ConnId,
        request: Request,
    },
    Leave {
        connection: ConnId,
    },
    /// Somebody asks for the state; `may_read`: the person may read the channel.
    StateWanted {
        connection: ConnId,
        user: UserId,
        may_read: bool,
    },
    /// The client's connection is gone, for good or for now.
    Disconnected {
        connection: ConnId,
    },
    LeftRoom {
        user: UserId,
    },
    RoomArchived,
    LoginEnded {
        login: String,
    },
    /// Negotiation of the media host with the session's client; calls do not read it.
    MediaSignal {
        session: SessionId,
        json: String,
    },
    MediaVoice {
        session: SessionId,
        on: bool,
    },
    /// The media host closed the session.
    MediaClosed {
        session: SessionId,
    },
    /// The media host is gone, or was started anew, and with it the media of the session: its client
    /// joins anew.
    MediaLost {
        session: SessionId,
    },
    /// The media of the session is at `host`, to which `from` has given it.
    MediaElsewhere {
        session: SessionId,
        from: MediaHost,
        host: MediaHost,
    },
    /// This media host is going to stop, and there are others: whoever can is asked to go there.
    MediaHostStops {
        host: MediaHost,
    },
    /// The answer to `Output::CreatePost`, however late. `thread` is the post's root, or the post
    /// itself.
    PostCreated {
        call: CallId,
        post: PostId,
        thread: PostId,
    },
    PostRefused {
        call: CallId,
        reason: String,
    },
    /// The answer to `Output::RequestJob`, or why the service refused.
    JobAnswered {
        job: JobId,
        answer: Result<JobTaken, String>,
    },
    /// The call cannot go on: everybody is told and closed at once.
    Broken,
    /// Time has passed.
    Timeout,
}

/// The post that announces a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCallPost {
    pub call: CallId,
    pub author: UserId,
    /// How the author is called.
    pub name: String,
    pub root: Option<PostId>,
    pub title: String,
    pub start_at_ms: i64,
}

/// A change of the call's post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostEdit {
    Ended {
        end_at_ms: i64,
        participants: BTreeSet<UserId>,
    },
    /// Jobs were started; the transcribing one only where transcripts are made.
    Jobs {
        recording: JobId,
        transcribing: Option<JobId>,
    },
    /// There will be no recording.
    NoRecording {
        recording: JobId,
        failure: JobFailure,
    },
    /// There will be no transcript.
    NoTranscript {
        transcribing: JobId,
        failure: JobFailure,
    },
}

/// A job that a service has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTaken {
    /// The service's own id.
    pub service_id: String,
    /// Its bot understands `News::MediaMoves`, and begins anew elsewhere.
    pub may_move: bool,
}

/// A job to be asked of the job service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    pub job: JobId,
    pub kind: JobKind,
    pub post: PostId,
    /// Another service than the one that had the call's recording is wanted.
    pub is_further: bool,
}

/// Why something a client asked for was not done; for counters and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    NoSession,
    AlreadyPresenting,
    ScreenSharingOff,
    VideoOff,
    BotOnly,
    NotForBots,
    UnknownSession,
    Reconnect,
    NotAllowed,
}

impl Refusal {
    /// Returns the metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSession => "no_session",
            Self::AlreadyPresenting => "already_presenting",
            Self::ScreenSharingOff => "screen_sharing_off",
            Self::VideoOff => "video_off",
            Self::BotOnly => "bot_only",
            Self::NotForBots => "not_for_bots",
            Self::UnknownSession => "unknown_session",
            Self::Reconnect => "reconnect",
            Self::NotAllowed => "not_allowed",
        }
    }
}

/// What a person is told beside a refusal, in the channel and seen by nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Calls may start in direct messages only.
    GroupCallsOff,
}

/// Something for the operator.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    Refused {
        refusal: Refusal,
        request: &'static str,
    },
    JoinRefused(JoinError),
    CallStarted(CallId),
    CallEnded(CallId),
    CaptionAudio {
        ms: f64,
    },
}

/// A session as whoever finds calls needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    pub session: SessionId,
    pub connection: ConnId,
    pub user: UserId,
    pub login: String,
    pub media: MediaHost,
}

/// Which connection belongs to which session, as it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roster {
    Entered(Seat),
    Moved {
        session: SessionId,
        to: ConnId,
    },
    /// Its media is at another host.
    MediaAt {
        session: SessionId,
        media: MediaHost,
    },
    Left {
        session: SessionId,
    },
    /// A connection that was kept for a join is free again.
    TurnedAway {
        connection: ConnId,
    },
}

/// Every effect a call asks for.
#[derive(Debug)]
pub enum Output {
    Publish(Envelope),
    ToMedia {
        host: MediaHost,
        command: MediaCommand,
    },
    /// What a session is told goes to another host from now on.
    HandOver {
        session: SessionId,
        from: MediaHost,
        to: MediaHost,
    },
    /// To be kept before any other effect of this input, and of later ones, is done.
    Store(Record),
    /// To be kept soon: means something only to a restart, and the newest of an id is enough.
    StoreSoon(Record),
    CreatePost(NewCallPost),
    EditPost {
        post: PostId,
        edit: PostEdit,
    },
    RequestJob(JobRequest),
    Hint {
        user: UserId,
        hint: Hint,
    },
    /// For whoever finds calls, at once: nothing is waited for.
    Roster(Roster),
    Observed(Observation),
    /// Drained. Call again with `Input::Timeout` at this instant, or earlier with another input.
    Timeout(Option<Instant>),
}

/// The channel and the features of a call: given once.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) channel: ChannelId,
    pub(crate) features: std::sync::Arc<Features>,
}
