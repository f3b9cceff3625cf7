//! A chat server in memory that answers at once, or not at all.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use messaging::model::{
    File, FileContents, Login, Membership, NewPost, Person, Post, Room, RoomKind, RoomRight,
    Status, Upload, UploadProgress,
};
use messaging::news::NewsListener;
use messaging::{ChatBackend, ChatError, Files, IncomingBytes, People, Posts, Rooms};
use proto::id::{ChannelId, FileId, PostId, UploadId, UserId};

/// Every room exists, everybody may do everything.
#[derive(Debug, Default)]
pub(super) struct TestChat {
    /// Rooms about whose posts nothing is ever answered.
    pub(super) silent: Mutex<BTreeSet<ChannelId>>,
    pub(super) posts: Mutex<Vec<Post>>,
    /// In every room.
    pub(super) members: AtomicUsize,
}

impl TestChat {
    pub(super) fn fall_silent(&self, room: &ChannelId) {
        self.silent.lock().unwrap().insert(room.clone());
    }

    async fn answer(&self, room: &ChannelId) {
        let is_silent = self.silent.lock().unwrap().contains(room);
        if is_silent {
            std::future::pending::<()>().await;
        }
    }
}

fn not_here<T>() -> Result<T, ChatError> {
    Err(ChatError::Refused("not in this test".to_owned()))
}

#[async_trait]
impl People for TestChat {
    async fn login(&self, _: &str) -> Result<Option<Login>, ChatError> {
        not_here()
    }

    async fn login_is_live(&self, _: &str) -> Result<bool, ChatError> {
        Ok(true)
    }

    async fn person(&self, _: &UserId) -> Result<Person, ChatError> {
        not_here()
    }

    async fn persons(&self, _: &[UserId]) -> Result<Vec<Person>, ChatError> {
        not_here()
    }

    async fn person_by_username(&self, _: &str) -> Result<Person, ChatError> {
        not_here()
    }

    async fn portrait(&self, _: &UserId) -> Result<(Bytes, String), ChatError> {
        not_here()
    }

    async fn ensure_bot(&self, _: &str, _: &str) -> Result<(Person, String), ChatError> {
        not_here()
    }

    async fn statuses(&self, _: &[UserId]) -> Result<Vec<Status>, ChatError> {
        not_here()
    }

    async fn observe_status(&self, _: &UserId, _: Status) -> Result<(), ChatError> {
        not_here()
    }
}

#[async_trait]
impl Rooms for TestChat {
    async fn room(&self, id: &ChannelId) -> Result<Room, ChatError> {
        Ok(Room {
            id: id.clone(),
            team: None,
            kind: RoomKind::Private,
            name: id.to_string(),
            display_name: id.to_string(),
            archived: false,
        })
    }

    async fn members(&self, _: &ChannelId) -> Result<Vec<UserId>, ChatError> {
        not_here()
    }

    async fn member_count(&self, _: &ChannelId) -> Result<usize, ChatError> {
        Ok(self.members.load(Ordering::Relaxed))
    }

    async fn may(&self, _: &UserId, _: &ChannelId, _: RoomRight) -> Result<bool, ChatError> {
        Ok(true)
    }

    async fn rooms_of(&self, _: &UserId) -> Result<Vec<Room>, ChatError> {
        not_here()
    }

    async fn direct_room(&self, _: &UserId, _: &UserId) -> Result<Room, ChatError> {
        not_here()
    }

    async fn membership(&self, _: &UserId) -> Result<Membership, ChatError> {
        not_here()
    }
}

#[async_trait]
impl Posts for TestChat {
    async fn create_post(&self, new: NewPost) -> Result<Post, ChatError> {
        self.answer(&new.room).await;
        let post = Post {
            id: PostId::random(),
            room: new.room,
            author: new.author,
            root: new.root,
            message: new.message,
            kind: new.kind,
            props: new.props,
            files: new.files,
            created_at_ms: 1,
            updated_at_ms: 1,
            deleted: false,
        };
        self.posts.lock().unwrap().push(post.clone());
        Ok(post)
    }

    async fn post(&self, id: &PostId) -> Result<Post, ChatError> {
        let found = self
            .posts
            .lock()
            .unwrap()
            .iter()
            .find(|p| p.id == *id)
            .cloned();
        let Some(post) = found else { return not_here() };
        self.answer(&post.room).await;
        Ok(post)
    }

    async fn update_post(&self, post: Post) -> Result<Post, ChatError> {
        let mut posts = self.posts.lock().unwrap();
        if let Some(known) = posts.iter_mut().find(|known| known.id == post.id) {
            *known = post.clone();
        }
        Ok(post)
    }

    async fn show_to(&self, _: &UserId, _: NewPost) -> Result<(), ChatError> {
        not_here()
    }
}

#[async_trait]
impl Files for TestChat {
    async fn create_upload(
        &self,
        _: &UserId,
        _: &ChannelId,
        _: &str,
        _: u64,
    ) -> Result<Upload, ChatError> {
        not_here()
    }

    async fn upload(&self, _: &UploadId) -> Result<Upload, ChatError> {
        not_here()
    }

    async fn append_upload(
        &self,
        _: &UploadId,
        _: IncomingBytes,
    ) -> Result<UploadProgress, ChatError> {
        not_here()
    }

    async fn file(&self, _: &FileId) -> Result<File, ChatError> {
        not_here()
    }

    async fn file_contents(&self, _: &FileId, _: Range<u64>) -> Result<FileContents, ChatError> {
        not_here()
    }

    async fn attach_file(&self, _: &FileId, _: &PostId) -> Result<(), ChatError> {
        not_here()
    }
}

impl ChatBackend for TestChat {
    fn listen(&self, _: Arc<dyn NewsListener>) {}
}
