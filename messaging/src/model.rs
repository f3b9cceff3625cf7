//! Our words for the chat world: person, room, post, file. No adapter's words.
//!
//! Times are Unix milliseconds and say so in their name.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use proto::id::{ChannelId, ConnId, FileId, PostId, TeamId, UploadId, UserId};
use serde_json::{Map, Value};

/// A person or bot.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub id: UserId,
    pub username: String,
    pub first_name: String,
    pub last_name: String,
    pub nickname: String,
    pub email: String,
    /// Tag of the language she chose, such as `pt-BR`; empty: none.
    pub locale: String,
    pub is_bot: bool,
    pub is_system_admin: bool,
}

impl Person {
    /// Returns the name to show: full name, else nickname, else username.
    #[must_use]
    pub fn display_name(&self) -> String {
        let nickname = Some(self.nickname.clone()).filter(|name| !name.is_empty());
        let full = self.full_name().or(nickname);
        full.unwrap_or_else(|| self.username.clone())
    }

    /// Returns the name under which a call is announced: full name, else username.
    #[must_use]
    pub fn public_name(&self) -> String {
        self.full_name().unwrap_or_else(|| self.username.clone())
    }

    fn full_name(&self) -> Option<String> {
        let full = format!("{} {}", self.first_name, self.last_name);
        let full = full.trim();
        (!full.is_empty()).then(|| full.to_owned())
    }
}

/// A signed-in person: what a token stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    pub person: Person,
    /// Id of the login session, not the token; two logins of one person differ.
    pub login_id: String,
}

/// How a person shows herself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Online,
    Away,
    DoNotDisturb,
    Offline,
}

impl Status {
    /// The status as the wire names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Away => "away",
            Self::DoNotDisturb => "dnd",
            Self::Offline => "offline",
        }
    }

    /// Reads the wire's name of a status.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "online" => Some(Self::Online),
            "away" => Some(Self::Away),
            "dnd" => Some(Self::DoNotDisturb),
            "offline" => Some(Self::Offline),
            _ => None,
        }
    }
}

/// Where a person belongs: decides about events for rooms and teams.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Membership {
    pub rooms: HashSet<ChannelId>,
    pub teams: HashSet<TeamId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// Anybody of the team may join. Wire name `O`.
    Public,
    /// Members only. Wire name `P`.
    Private,
    /// Two people. Wire name `D`.
    Direct,
    /// A few people. Wire name `G`.
    Group,
}

/// A chat room; `channel` on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    pub id: ChannelId,
    /// `None` for direct and group rooms.
    pub team: Option<TeamId>,
    pub kind: RoomKind,
    pub name: String,
    pub display_name: String,
    pub archived: bool,
}

/// What somebody wants to do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomRight {
    Read,
    CreatePost,
    /// Channel admin, team admin or system admin.
    Manage,
}

/// A message. `kind` is the post type on the wire: empty for text, `custom_calls` and so on.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    pub id: PostId,
    pub room: ChannelId,
    pub author: UserId,
    /// The thread's first post; `None` for a root post.
    pub root: Option<PostId>,
    pub message: String,
    pub kind: String,
    pub props: Map<String, Value>,
    pub files: Vec<FileId>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    pub deleted: bool,
}

/// A post to be made; id and times are the backend's.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPost {
    pub room: ChannelId,
    pub author: UserId,
    pub root: Option<PostId>,
    pub message: String,
    pub kind: String,
    pub props: Map<String, Value>,
    pub files: Vec<FileId>,
}

/// A stored file's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub id: FileId,
    pub owner: UserId,
    pub room: ChannelId,
    /// The post it is attached to, if any yet.
    pub post: Option<PostId>,
    pub name: String,
    pub extension: String,
    pub mime: String,
    pub size_bytes: u64,
    pub created_at_ms: i64,
}

/// A file that is being read.
pub struct FileContents {
    pub file: File,
    /// The bytes that come, cut to what is there.
    pub range: Range<u64>,
    pub bytes: BoxStream<'static, Result<Bytes, Box<dyn std::error::Error + Send + Sync>>>,
}

impl std::fmt::Debug for FileContents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileContents")
            .field("file", &self.file)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// An upload in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub id: UploadId,
    pub owner: UserId,
    pub room: ChannelId,
    pub filename: String,
    pub size_bytes: u64,
    /// How much has arrived: where to go on after an interruption.
    pub offset_bytes: u64,
    pub created_at_ms: i64,
}

/// What one piece of an upload led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadProgress {
    /// More is needed; HTTP 204.
    Partial,
    Complete(File),
}

/// Whom an event is for. Empty fields do not restrict; the order of the filters is the wire's:
/// connection, omitted connection, user, omitted users, room members, team members. What is behind a
/// user in that order, or behind `each_of`, is only said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Audience {
    pub connection: Option<ConnId>,
    pub user: Option<UserId>,
    /// Each of these people gets a copy that names them as its user; nobody when there are none.
    pub each_of: Option<Vec<UserId>>,
    pub room: Option<ChannelId>,
    pub team: Option<TeamId>,
    pub omit_users: Vec<UserId>,
    pub omit_connection: Option<ConnId>,
}

/// An event for clients, as it goes out on their WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientEvent {
    pub name: String,
    pub data: Map<String, Value>,
    pub audience: Audience,
}

/// A client's action that the chat server does not understand itself (`custom_...`).
#[derive(Debug, Clone, PartialEq)]
pub struct ClientAction {
    pub connection: ConnId,
    pub login: Arc<Login>,
    /// With its prefix, for example `custom_com.mattermost.calls_join`.
    pub action: String,
    pub data: ActionData,
}

/// The `data` of an action. A byte string of a binary frame stays a byte string.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ActionData {
    pub fields: BTreeMap<String, ActionValue>,
}

/// One value of an action's `data`.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionValue {
    Json(Value),
    Bytes(Vec<u8>),
}

/// Something that happened in the chat world and that clients or calls must hear of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ChatNews {
    /// The person is a member of the room now.
    JoinedRoom {
        room: ChannelId,
        user: UserId,
    },
    /// The person is no longer a member of the room, and perhaps may no longer read it.
    LeftRoom {
        room: ChannelId,
        user: UserId,
    },
    JoinedTeam {
        team: TeamId,
        user: UserId,
    },
    LeftTeam {
        team: TeamId,
        user: UserId,
    },
    RoomArchived {
        room: ChannelId,
    },
    /// A login ended: signed out, revoked or expired.
    LoginEnded {
        login_id: String,
        user: UserId,
    },
    /// An event of the chat server's own for clients: a post, an edit, a status.
    Event(ClientEvent),
}
