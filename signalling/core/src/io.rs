//! The complete list of what enters and leaves the calls.

use std::collections::BTreeSet;
use std::time::Instant;

use proto::calls::action::{Action, Join, Metric, Reconnect};
use proto::calls::{Event, JobKind};
use proto::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};
use proto::rtcd::ControlMessage;
use serde_json::{Map, Value};

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
    /// A job service is configured.
    pub job_service: bool,
}

/// The address of one rtcd, as configured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaHost(pub String);

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
    pub thread: ThreadFact,
    /// Whether calls were switched on or off here explicitly.
    pub enabled: Option<bool>,
    pub is_admin: bool,
    /// The media host for a new call, or why there is none.
    pub media: Result<MediaHost, String>,
}

/// Somebody wants to start or join a call.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    pub connection: ConnId,
    pub login: String,
    pub user: UserId,
    /// The name in "... started a call".
    pub name: String,
    pub ask: Join,
    pub facts: JoinFacts,
}

/// Everything that can happen to calls.
#[derive(Debug)]
pub enum Input {
    Join(Box<JoinRequest>),
    /// `may_post`: the person may (still) post in the channel.
    Reconnect {
        connection: ConnId,
        user: UserId,
        may_post: bool,
        ask: Reconnect,
    },
    /// An action that needs a session on the connection.
    Action {
        connection: ConnId,
        action: Action,
    },
    /// Somebody asks for the state; `may_read`: the person may read the channel.
    StateWanted {
        connection: ConnId,
        user: UserId,
        may_read: bool,
        channel: ChannelId,
    },
    /// The client's WebSocket is gone, for good or for now.
    Disconnected {
        connection: ConnId,
    },
    LeftRoom {
        channel: ChannelId,
        user: UserId,
    },
    RoomArchived {
        channel: ChannelId,
    },
    LoginEnded {
        login: String,
    },
    /// SDP or a candidate from rtcd for one session, as JSON text.
    MediaSignal {
        session: SessionId,
        json: String,
    },
    MediaVoice {
        session: SessionId,
        on: bool,
    },
    /// rtcd closed the session, or does not know it.
    MediaClosed {
        session: SessionId,
    },
    /// The answer to `Output::CreatePost`. `thread` is the post's root, or the post itself.
    PostCreated {
        channel: ChannelId,
        post: PostId,
        thread: PostId,
    },
    PostRefused {
        channel: ChannelId,
        reason: String,
    },
    /// The answer to `Output::RequestJob`: the job service's own id, or why it refused.
    JobAnswered {
        channel: ChannelId,
        job: JobId,
        answer: Result<String, String>,
    },
    /// Time has passed.
    Timeout,
}

/// Whom an event is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    Connection(ConnId),
    /// Every connection of the person.
    User(UserId),
    /// Every connection of the person; the broadcast names the channel too.
    UserIn(UserId, ChannelId),
    /// Every member of the channel but the bot, which gets its own copy.
    Channel(ChannelId),
}

/// An event with its addressees.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    pub event: Event,
    pub to: To,
    /// Added to the data as `channelID`.
    pub channel_in_data: Option<ChannelId>,
}

impl Envelope {
    /// Returns the `data` object of the event.
    #[must_use]
    pub fn data(&self) -> Map<String, Value> {
        match &self.channel_in_data {
            Some(channel) => self.event.data_in(channel),
            None => self.event.data(),
        }
    }
}

/// The post that announces a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCallPost {
    pub channel: ChannelId,
    pub author: UserId,
    pub root: Option<PostId>,
    /// "... started a call".
    pub message: String,
    pub title: String,
    pub start_at_ms: i64,
}

/// A change of the call's post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostEdit {
    Ended {
        message: String,
        end_at_ms: i64,
        participants: BTreeSet<UserId>,
    },
    /// Jobs were started; the transcribing one only where transcripts are made.
    Jobs {
        recording: JobId,
        transcribing: Option<JobId>,
    },
}

/// A job to be asked of the job service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    pub channel: ChannelId,
    pub job: JobId,
    pub kind: JobKind,
    pub post: PostId,
}

/// Why something a client asked for was not done; for counters and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    RateLimit,
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
            Self::RateLimit => "rate_limit",
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

/// Something for the operator.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    Refused {
        refusal: Refusal,
        action: &'static str,
    },
    JoinRefused {
        reason: String,
    },
    CallStarted {
        call: CallId,
    },
    CallEnded {
        call: CallId,
    },
    Metric(Metric),
    CaptionAudio {
        ms: f64,
    },
}

/// Every effect calls ask for.
#[derive(Debug)]
pub enum Output {
    Publish(Envelope),
    ToMedia {
        host: MediaHost,
        message: ControlMessage,
    },
    /// To be kept before anything that follows is done.
    Store(Record),
    CreatePost(NewCallPost),
    EditPost {
        post: PostId,
        edit: PostEdit,
    },
    RequestJob(JobRequest),
    Observed(Observation),
    /// Drained. Call again with `Input::Timeout` at this instant, or earlier with another input.
    Timeout(Option<Instant>),
}

/// What a restart must know.
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
    pub media: MediaHost,
}

/// A session of a running call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    pub id: SessionId,
    pub call: CallId,
    pub user: UserId,
    pub login: String,
    pub connection: ConnId,
    pub join_at_ms: i64,
    pub unmuted: bool,
    pub raised_hand_ms: i64,
    pub video: bool,
    /// The job a bot came for.
    pub job: Option<JobId>,
}

/// A job of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    pub id: JobId,
    pub call: CallId,
    pub kind: JobKind,
    pub creator: UserId,
    pub init_at_ms: i64,
    pub start_at_ms: i64,
    pub end_at_ms: i64,
    pub err: String,
    /// The job service's id.
    pub service_id: String,
    pub bot_connection: Option<ConnId>,
}

/// A running call as it was stored.
#[derive(Debug, Clone)]
pub struct RestoredCall {
    pub call: CallRecord,
    pub sessions: Vec<SessionRecord>,
    /// The newest of each kind.
    pub jobs: Vec<JobRecord>,
}
