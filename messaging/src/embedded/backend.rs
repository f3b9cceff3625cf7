//! The verbs that calls need, on the embedded server.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use proto::id::{ChannelId, FileId, PostId, UploadId, UserId};

use super::Server;
use super::fault::Fault;
use crate::model::{
    File, FileContents, Login, Membership, NewPost, Person, Post, Room, RoomRight, Status, Upload,
    UploadProgress,
};
use crate::news::NewsListener;
use crate::{ChatBackend, ChatError, Files, IncomingBytes, People, Posts, Rooms};

/// More members than any room here has.
const ALL: i64 = i64::MAX;

#[async_trait]
impl People for Server {
    async fn login(&self, token: &str) -> Result<Option<Login>, ChatError> {
        Ok(self.authenticate(token).await?.map(|caller| caller.login()))
    }

    async fn login_is_live(&self, login_id: &str) -> Result<bool, ChatError> {
        Ok(self
            .store
            .login_is_live(login_id, self.wall_ms())
            .await
            .map_err(Fault::from)?)
    }

    async fn person(&self, id: &UserId) -> Result<Person, ChatError> {
        Ok(self.person_row(id.as_str()).await?.to_person())
    }

    async fn persons(&self, ids: &[UserId]) -> Result<Vec<Person>, ChatError> {
        let ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
        let rows = self.store.persons(&ids).await.map_err(Fault::from)?;
        Ok(rows
            .iter()
            .map(super::store::PersonRow::to_person)
            .collect())
    }

    async fn person_by_username(&self, username: &str) -> Result<Person, ChatError> {
        Ok(self.person_named(username).await?.to_person())
    }

    async fn portrait(&self, id: &UserId) -> Result<(Bytes, String), ChatError> {
        let row = self.person_row(id.as_str()).await?;
        Ok(self.picture_of(&row).await?)
    }

    async fn ensure_bot(
        &self,
        username: &str,
        display_name: &str,
    ) -> Result<(Person, String), ChatError> {
        Ok(self.ensure_bot_account(username, display_name).await?)
    }

    async fn statuses(&self, ids: &[UserId]) -> Result<Vec<Status>, ChatError> {
        Ok(ids.iter().map(|id| self.statuses.of(id).status).collect())
    }

    async fn push_ids(&self, person: &UserId) -> Result<Vec<String>, ChatError> {
        let kept = self.store.push_ids(person, self.wall_ms()).await;
        Ok(kept.map_err(Fault::from)?)
    }

    async fn observe_status(&self, id: &UserId, status: Status) -> Result<(), ChatError> {
        self.show_status(id, status);
        Ok(())
    }
}

#[async_trait]
impl Rooms for Server {
    async fn room(&self, id: &ChannelId) -> Result<Room, ChatError> {
        Ok(self.room_row(id.as_str()).await?.to_room())
    }

    async fn members(&self, room: &ChannelId) -> Result<Vec<UserId>, ChatError> {
        let room = self.room_row(room.as_str()).await?;
        let members = self
            .store
            .members(&room.id, 0, ALL)
            .await
            .map_err(Fault::from)?;
        Ok(members.into_iter().map(|member| member.person_id).collect())
    }

    async fn member_count(&self, room: &ChannelId) -> Result<usize, ChatError> {
        let count = self.store.count_members(room).await.map_err(Fault::from)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn may(
        &self,
        user: &UserId,
        room: &ChannelId,
        right: RoomRight,
    ) -> Result<bool, ChatError> {
        let person = self.person_row(user.as_str()).await?;
        let room = self.room_row(room.as_str()).await?;
        Ok(person.deleted_at == 0 && self.access(room, &person).await?.allows(right))
    }

    async fn rooms_of(&self, user: &UserId) -> Result<Vec<Room>, ChatError> {
        let joined = self.store.rooms_with(user).await.map_err(Fault::from)?;
        let open = self.store.rooms_open_to(user).await.map_err(Fault::from)?;
        Ok(joined
            .iter()
            .chain(&open)
            .map(super::store::RoomRow::to_room)
            .collect())
    }

    async fn direct_room(&self, a: &UserId, b: &UserId) -> Result<Room, ChatError> {
        self.ensure_direct_room(a, b).await
    }

    async fn membership(&self, user: &UserId) -> Result<Membership, ChatError> {
        Ok(self.load_membership(user).await?)
    }
}

#[async_trait]
impl Posts for Server {
    async fn create_post(&self, post: NewPost) -> Result<Post, ChatError> {
        Ok(self.publish_post(post, "").await?.to_post())
    }

    async fn post(&self, id: &PostId) -> Result<Post, ChatError> {
        Ok(self.post_view(id.as_str()).await?.to_post())
    }

    async fn update_post(&self, post: Post) -> Result<Post, ChatError> {
        Ok(self.replace_post(post).await?.to_post())
    }

    async fn show_to(&self, person: &UserId, post: NewPost) -> Result<(), ChatError> {
        let author = post.author.clone();
        self.whisper(person, &author, post);
        Ok(())
    }
}

#[async_trait]
impl Files for Server {
    async fn create_upload(
        &self,
        owner: &UserId,
        room: &ChannelId,
        filename: &str,
        size_bytes: u64,
    ) -> Result<Upload, ChatError> {
        self.person_row(owner.as_str()).await?;
        Ok(self.begin_upload(owner, room, filename, size_bytes).await?)
    }

    async fn upload(&self, id: &UploadId) -> Result<Upload, ChatError> {
        Ok(self.describe(self.upload_row(id.as_str()).await?).await?)
    }

    async fn append_upload(
        &self,
        id: &UploadId,
        bytes: IncomingBytes,
    ) -> Result<UploadProgress, ChatError> {
        Ok(self.append(id.as_str(), bytes).await?)
    }

    async fn file(&self, id: &FileId) -> Result<File, ChatError> {
        Ok(self.file_row(id.as_str()).await?.to_file())
    }

    async fn file_contents(
        &self,
        id: &FileId,
        range: Range<u64>,
    ) -> Result<FileContents, ChatError> {
        let row = self.file_row(id.as_str()).await?;
        let reader = self.open_file(&row.id, range).await?;
        Ok(FileContents {
            file: row.to_file(),
            range: reader.range,
            bytes: reader.pieces.map_err(Into::into).boxed(),
        })
    }

    async fn attach_file(&self, id: &FileId, post: &PostId) -> Result<(), ChatError> {
        Ok(self.tie_file(id, post).await?)
    }
}

impl ChatBackend for Server {
    fn listen(&self, listener: Arc<dyn NewsListener>) {
        self.newsroom.add(listener);
    }
}
