//! The chat world: people, rooms, posts, files, and the clients' WebSocket.
//!
//! One trait, `ChatBackend`, and its adapters. `embedded` is our own server on SQLite with the
//! subset of the v4 API that the official client libraries need; adapters for Mattermost, Matrix
//! and XMPP will stand beside it. Used by `signalling/server` and `deploy/parley` only.
//! Not here: calls. What clients say about calls leaves as `Notice::Action`.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod credentials;
pub mod embedded;
pub mod guard;
pub mod model;

use async_trait::async_trait;
use bytes::Bytes;
use proto::id::{ChannelId, FileId, PostId, UploadId, UserId};
use tokio::sync::mpsc;

use model::{
    ClientEvent, File, Login, NewPost, Notice, Person, Post, Room, RoomRight, Upload,
    UploadProgress,
};

/// Why the chat world did not do something.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error("{what} `{id}` does not exist")]
    NotFound { what: &'static str, id: String },
    #[error("{0}")]
    Refused(String),
    #[error("{operation}")]
    Storage {
        operation: &'static str,
        #[source]
        source: anyhow::Error,
    },
}

/// The few verbs calls need of a chat server.
#[async_trait]
pub trait ChatBackend: Send + Sync + std::fmt::Debug {
    /// Who holds this token; `None` when it is unknown, expired or revoked.
    async fn login(&self, token: &str) -> Result<Option<Login>, ChatError>;
    /// Whether a login is still good; asked every few seconds per session.
    async fn login_is_live(&self, login_id: &str) -> Result<bool, ChatError>;
    async fn person(&self, id: &UserId) -> Result<Person, ChatError>;
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

    async fn room(&self, id: &ChannelId) -> Result<Room, ChatError>;
    async fn members(&self, room: &ChannelId) -> Result<Vec<UserId>, ChatError>;
    async fn may(
        &self,
        user: &UserId,
        room: &ChannelId,
        right: RoomRight,
    ) -> Result<bool, ChatError>;
    /// Rooms the person may read.
    async fn rooms_of(&self, user: &UserId) -> Result<Vec<Room>, ChatError>;

    async fn create_post(&self, post: NewPost) -> Result<Post, ChatError>;
    async fn post(&self, id: &PostId) -> Result<Post, ChatError>;
    /// Replaces message and props of a post; clients see `post_edited`.
    async fn update_post(&self, post: Post) -> Result<Post, ChatError>;

    async fn create_upload(
        &self,
        owner: &UserId,
        room: &ChannelId,
        filename: &str,
        size_bytes: u64,
    ) -> Result<Upload, ChatError>;
    async fn upload(&self, id: &UploadId) -> Result<Upload, ChatError>;
    /// Appends one piece; fewer bytes than are missing give `Partial`.
    async fn append_upload(&self, id: &UploadId, piece: Bytes)
    -> Result<UploadProgress, ChatError>;
    async fn file(&self, id: &FileId) -> Result<File, ChatError>;
    async fn file_contents(&self, id: &FileId) -> Result<Bytes, ChatError>;
    /// Lets whoever may read `post` read the file, without listing it among the post's attachments.
    async fn attach_file(&self, id: &FileId, post: &PostId) -> Result<(), ChatError>;

    /// Sends an event to the clients it is for. Never blocks; slow clients lose their connection.
    fn publish(&self, event: ClientEvent);
    /// Hands out everything that calls must react to, in order. The first caller gets the stream.
    fn notices(&self) -> Option<mpsc::Receiver<Notice>>;
}
