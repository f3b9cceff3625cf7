//! The chat world: people, rooms, posts, files, and the gateway that clients connect to.
//!
//! `ChatBackend` is what any chat server can give; `embedded` is our own server on SQLite with the
//! subset of the v4 API that the official client libraries need; adapters for Mattermost, Matrix
//! and XMPP will stand beside it. `gateway` is the clients' WebSocket: ours, and the same in front
//! of every backend. Used by `signalling/server` and `deploy/parley` only.
//! Not here: calls. What clients say about calls leaves through `gateway::ClientHandler`.

pub mod commands;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod credentials;
pub mod embedded;
pub mod gateway;
pub mod guard;
pub mod model;
pub mod news;
pub mod rate;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use proto::id::{ChannelId, FileId, PostId, UploadId, UserId};

use model::{
    File, FileContents, Login, Membership, NewPost, Person, Post, Room, RoomRight, Status, Upload,
    UploadProgress,
};
use news::NewsListener;

/// Why the chat world did not do something.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error("{what} `{id}` does not exist")]
    NotFound { what: &'static str, id: String },
    #[error("{0}")]
    Refused(String),
    /// A quota or a disk is full: later it may be possible.
    #[error("{0}")]
    NoRoom(String),
    #[error("{operation}")]
    Storage {
        operation: &'static str,
        #[source]
        source: anyhow::Error,
    },
}

/// Bytes on their way in; an error ends them.
pub type IncomingBytes =
    BoxStream<'static, Result<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// Who there is, who is signed in, who is there just now.
#[async_trait]
pub trait People: Send + Sync {
    /// Who holds this token; `None` when it is unknown, expired or revoked.
    async fn login(&self, token: &str) -> Result<Option<Login>, ChatError>;
    /// Whether a login is still good; asked every few seconds per session.
    async fn login_is_live(&self, login_id: &str) -> Result<bool, ChatError>;
    async fn person(&self, id: &UserId) -> Result<Person, ChatError>;
    /// Those of the people asked for that exist.
    async fn persons(&self, ids: &[UserId]) -> Result<Vec<Person>, ChatError>;
    async fn person_by_username(&self, username: &str) -> Result<Person, ChatError>;
    /// A picture of the person and its MIME type.
    async fn portrait(&self, id: &UserId) -> Result<(Bytes, String), ChatError>;
    /// Makes sure that a bot exists and returns it with a fresh token that does not expire.
    async fn ensure_bot(
        &self,
        username: &str,
        display_name: &str,
    ) -> Result<(Person, String), ChatError>;
    /// How people show themselves just now, in the order asked; who is unknown is offline.
    async fn statuses(&self, ids: &[UserId]) -> Result<Vec<Status>, ChatError>;
    /// The names under which a push relay knows the devices of a person; none where the chat server
    /// wakes them itself.
    async fn push_ids(&self, _person: &UserId) -> Result<Vec<String>, ChatError> {
        Ok(Vec::new())
    }
    /// Notes what a person's clients show. A status that the person chose stays.
    async fn observe_status(&self, id: &UserId, status: Status) -> Result<(), ChatError>;
}

/// Where people talk, and who may do what there.
#[async_trait]
pub trait Rooms: Send + Sync {
    async fn room(&self, id: &ChannelId) -> Result<Room, ChatError>;
    async fn members(&self, room: &ChannelId) -> Result<Vec<UserId>, ChatError>;
    /// How many people are in the room.
    async fn member_count(&self, room: &ChannelId) -> Result<usize, ChatError> {
        Ok(self.members(room).await?.len())
    }
    async fn may(
        &self,
        user: &UserId,
        room: &ChannelId,
        right: RoomRight,
    ) -> Result<bool, ChatError>;
    /// Rooms the person may read.
    async fn rooms_of(&self, user: &UserId) -> Result<Vec<Room>, ChatError>;
    /// The room of two people; made if there is none.
    async fn direct_room(&self, a: &UserId, b: &UserId) -> Result<Room, ChatError>;
    /// Rooms and teams the person is a member of: decides which events reach her clients.
    async fn membership(&self, user: &UserId) -> Result<Membership, ChatError>;
}

/// What people wrote.
#[async_trait]
pub trait Posts: Send + Sync {
    async fn create_post(&self, post: NewPost) -> Result<Post, ChatError>;
    async fn post(&self, id: &PostId) -> Result<Post, ChatError>;
    /// Replaces message and props of a post; clients see `post_edited`.
    async fn update_post(&self, post: Post) -> Result<Post, ChatError>;
    /// Shows a post to one person only; nothing is kept of it.
    async fn show_to(&self, person: &UserId, post: NewPost) -> Result<(), ChatError>;
}

/// What people attached.
#[async_trait]
pub trait Files: Send + Sync {
    async fn create_upload(
        &self,
        owner: &UserId,
        room: &ChannelId,
        filename: &str,
        size_bytes: u64,
    ) -> Result<Upload, ChatError>;
    async fn upload(&self, id: &UploadId) -> Result<Upload, ChatError>;
    /// Appends what comes; fewer bytes than are missing give `Partial`. What came before the bytes
    /// broke off is kept: call it in a task of its own, which goes on when the sender goes away.
    async fn append_upload(
        &self,
        id: &UploadId,
        bytes: IncomingBytes,
    ) -> Result<UploadProgress, ChatError>;
    async fn file(&self, id: &FileId) -> Result<File, ChatError>;
    /// Opens a file, or the part of it that `range` (in bytes) has.
    async fn file_contents(
        &self,
        id: &FileId,
        range: Range<u64>,
    ) -> Result<FileContents, ChatError>;
    /// Lets whoever may read `post` read the file, without listing it among the post's attachments.
    async fn attach_file(&self, id: &FileId, post: &PostId) -> Result<(), ChatError>;
}

/// A chat server: the few verbs that calls and clients need of it, and its news.
pub trait ChatBackend: People + Rooms + Posts + Files + std::fmt::Debug {
    /// Tells `listener` everything that happens from now on, until the backend is dropped.
    fn listen(&self, listener: Arc<dyn NewsListener>);
}
