//! Up to where people have read rooms: seen, unread, unread from a post on.

use proto::id::{ChannelId, UserId};
use serde_json::json;

use super::fault::Fault;
use super::mentions::names_person;
use super::rooms::to_user;
use super::store::{MemberRow, PersonRow, PostRow, RoomRow};
use super::{Server, wire};

/// Unread messages that are looked at to count mentions.
const MAX_COUNTED: i64 = 1000;

/// A room, and up to where a member has seen it.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) room: RoomRow,
    pub(super) member: MemberRow,
}

impl Unread {
    /// Posts, and first posts of threads, that were not seen.
    pub(super) fn counts(&self) -> (i64, i64) {
        let (room, member) = (&self.room, &self.member);
        (
            (room.post_count - member.viewed_posts).max(0),
            (room.root_post_count - member.viewed_root_posts).max(0),
        )
    }
}

impl Server {
    /// Notes that a person has seen a room; returns when. Her client may know threads
    /// (`knows_threads`): unless it shows them between the other posts all the same, they stay unread.
    pub(super) async fn view_room(
        &self,
        room: &RoomRow,
        person: &UserId,
        knows_threads: bool,
    ) -> Result<i64, Fault> {
        let now = self.now_ms();
        self.store.mark_viewed(&room.id, person, now).await?;
        let data = json!({ "channel_times": { room.id.as_str(): now } });
        self.emit("multiple_channels_viewed", data, to_user(person));
        if !knows_threads || !self.sees_threads_apart(person).await? {
            self.read_threads_of_room(room, person, now).await?;
        }
        Ok(now)
    }

    /// Sets back what a person has seen of a room to the posts before one.
    pub(super) async fn mark_unread(
        &self,
        person: &PersonRow,
        post: &PostRow,
    ) -> Result<Unread, Fault> {
        let room = self.room_row(post.room_id.as_str()).await?;
        let later = self
            .store
            .messages_from(&room.id, post.seq, &person.id, MAX_COUNTED)
            .await?;
        let about_her = later
            .iter()
            .filter(|(message, _)| room.is_personal() || names_person(message, &person.username));
        let (mut mentions, mut root_mentions) = (0, 0);
        for (_, is_root) in about_her {
            mentions += 1;
            root_mentions += i64::from(*is_root);
        }
        self.store
            .mark_unread(&room.id, &person.id, post.seq, (mentions, root_mentions))
            .await?;
        let unread = self.unread(&room.id, &person.id).await?;
        let mut data = wire::unread_at(&unread);
        if let Some(fields) = data.as_object_mut() {
            fields.insert("post_id".to_owned(), post.id.as_str().into());
        }
        self.emit("post_unread", data, to_user(&person.id));
        Ok(unread)
    }

    /// What a person has not seen of a room she is in.
    pub(super) async fn unread(&self, room: &ChannelId, person: &UserId) -> Result<Unread, Fault> {
        let room = self.room_row(room.as_str()).await?;
        let member = self.store.member(&room.id, person).await?;
        let member = member.ok_or_else(|| Fault::not_found("member", person.as_str()))?;
        Ok(Unread { room, member })
    }
}
