//! Followed threads: who follows one, what of it she has not read, and the events about it.
//!
//! Whoever replies follows, and so do the writer of the first post, those it names, those whom a
//! reply names, and everybody of a direct or group room. Who stopped stays away until she replies, is
//! named, or wants to follow again. `@channel` and its like count for followers and make none.
//! Not here: posts (`posts`), what is read of rooms (`reading`), word of replies (`telling`).
//! Invariant: only members of the room follow, and a thread is told to those who follow it only.

mod telling;

use std::collections::HashMap;

use proto::id::{PostId, TeamId, UserId};
use serde_json::{Value, json};

use super::fault::Fault;
use super::mentions::{named_in, names_person};
use super::posts::PostView;
use super::store::{FollowedRow, PersonRow, PostRow, ReplyFollowers, RoomRow};
use super::{Server, wire};
use crate::model::{Audience, RoomRight};

pub(super) use telling::ToldReply;

/// Most people named as those who wrote in a thread, the ones who did so last.
const MAX_PARTICIPANTS: usize = 50;
/// Unread replies that are looked at to count mentions.
const MAX_COUNTED: i64 = 1000;
/// The preference of people whose client shows threads apart from the room.
const DISPLAY: &str = "display_settings";
const COLLAPSED: &str = "collapsed_reply_threads";

/// What a list that shows threads says of each first post.
#[derive(Debug, Clone)]
pub(super) struct ThreadView {
    /// Whoever wrote in it, as clients read it; who wrote last comes last.
    pub(super) participants: Vec<Value>,
    pub(super) is_following: bool,
}

/// For whom posts are listed with their threads.
#[derive(Debug, Clone)]
pub(super) struct ThreadReader {
    pub(super) person: UserId,
    /// People are described, not only named by id.
    pub(super) is_extended: bool,
}

/// A thread that somebody follows, with its first post.
#[derive(Debug)]
pub(super) struct FollowedThread {
    pub(super) row: FollowedRow,
    pub(super) post: PostView,
}

/// What was unread of a thread before something changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    pub(super) mentions: i64,
    pub(super) unread: i64,
}

impl From<&FollowedRow> for Before {
    fn from(row: &FollowedRow) -> Self {
        Self {
            mentions: row.mentions,
            unread: row.unread,
        }
    }
}

fn to_follower(person: &UserId, team: Option<&TeamId>) -> Audience {
    Audience {
        user: Some(person.clone()),
        team: team.cloned(),
        ..Audience::default()
    }
}

impl Server {
    /// Who follows a thread from this reply on. `named`: those whom it names, of the room.
    pub(super) async fn followers_by_reply(
        &self,
        room: &RoomRow,
        root: &PostRow,
        author: &PersonRow,
        named: Vec<UserId>,
        mentioned: &[UserId],
    ) -> Result<ReplyFollowers, Fault> {
        let mut joining = if room.is_personal() {
            mentioned.to_vec()
        } else {
            Vec::new()
        };
        let mut called = vec![root.author_id.clone()];
        if root.reply_count == 0 {
            let names = named_in(&root.message);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let people = self.store.persons_by_username(&names).await?;
            called.extend(people.into_iter().map(|person| person.id));
        }
        let called: Vec<&str> = called.iter().map(UserId::as_str).collect();
        let members = self.store.members_by_ids(&room.id, &called).await?;
        joining.extend(members.into_iter().map(|member| member.person_id));
        Ok(ReplyFollowers {
            author: (!author.is_bot).then(|| author.id.clone()),
            joining,
            named,
        })
    }

    /// Adds to first posts what clients that show threads want to know of them.
    pub(super) async fn add_thread_views(
        &self,
        views: &mut [PostView],
        reader: &ThreadReader,
    ) -> Result<(), Fault> {
        let roots: Vec<&str> = views
            .iter()
            .filter(|view| view.row.root_id.is_none() && view.row.deleted_at == 0)
            .map(|view| view.row.id.as_str())
            .collect();
        let followed = self.store.followed_of(&reader.person, &roots).await?;
        let mut repliers: HashMap<String, Vec<String>> = HashMap::new();
        for (root, person) in self.store.repliers(&roots).await? {
            repliers.entry(root).or_default().push(person);
        }
        for people in repliers.values_mut() {
            let earlier = people.len().saturating_sub(MAX_PARTICIPANTS);
            people.drain(..earlier);
        }
        let mut described = Vec::new();
        if reader.is_extended {
            let mut ids: Vec<&str> = repliers.values().flatten().map(String::as_str).collect();
            ids.sort_unstable();
            ids.dedup();
            described = self.store.persons(&ids).await?;
        }
        let participant = |id: &String| {
            let person = described.iter().find(|person| person.id.as_str() == id);
            person.map_or_else(
                || json!({ "id": id }),
                |person| self.shown(person, wire::Eyes::Others),
            )
        };
        for view in views {
            let root = view.row.id.as_str();
            let people = repliers.get(root).into_iter().flatten();
            view.thread = Some(ThreadView {
                participants: people.map(participant).collect(),
                is_following: followed.iter().any(|thread| thread == root),
            });
        }
        Ok(())
    }

    /// The first post of a thread, of a room that the person is in.
    pub(super) async fn thread_for(
        &self,
        id: &str,
        person: &PersonRow,
    ) -> Result<(PostRow, RoomRow), Fault> {
        let row = self.post_for(id, person).await?.row;
        if row.root_id.is_some() {
            return Err(Fault::not_found("thread", id));
        }
        let access = self
            .room_for(row.room_id.as_str(), person, RoomRight::Read)
            .await?;
        if access.member.is_none() {
            return Err(Fault::forbidden("join this channel to follow its threads"));
        }
        Ok((row, access.room))
    }

    /// A thread as a person follows it.
    pub(super) async fn followed_thread(
        &self,
        root: &PostId,
        reader: &ThreadReader,
    ) -> Result<FollowedThread, Fault> {
        let row = self.store.followed(root, &reader.person).await?;
        let row = row.ok_or_else(|| Fault::not_found("followed thread", root.as_str()))?;
        let mut threads = self.with_posts(vec![row], reader).await?;
        let thread = threads.pop();
        thread.ok_or_else(|| Fault::not_found("followed thread", root.as_str()))
    }

    /// Adds their first posts to followed threads.
    pub(super) async fn with_posts(
        &self,
        rows: Vec<FollowedRow>,
        reader: &ThreadReader,
    ) -> Result<Vec<FollowedThread>, Fault> {
        let ids: Vec<&str> = rows.iter().map(|row| row.root_id.as_str()).collect();
        let mut posts = self.store.posts_by_ids(&ids).await?;
        for row in rows.iter().filter(|row| row.deleted_at != 0) {
            posts.extend(self.store.post(row.root_id.as_str()).await?);
        }
        let mut views = self.post_views(posts).await?;
        self.add_thread_views(&mut views, reader).await?;
        let threads = rows.into_iter().filter_map(|row| {
            let at = views.iter().position(|view| view.row.id == row.root_id)?;
            let post = views.swap_remove(at);
            Some(FollowedThread { row, post })
        });
        Ok(threads.collect())
    }

    /// Makes a person follow a thread, or no longer.
    pub(super) async fn follow_thread(
        &self,
        root: &PostRow,
        room: &RoomRow,
        person: &UserId,
        is_following: bool,
    ) -> Result<(), Fault> {
        let now = self.now_ms();
        self.store
            .set_following(&root.id, person, is_following, now)
            .await?;
        let data = json!({
            "thread_id": root.id, "state": is_following, "reply_count": root.reply_count,
        });
        let to = to_follower(person, room.team_id.as_ref());
        self.emit("thread_follow_changed", data, to);
        Ok(())
    }

    /// Notes up to when a follower has read a thread.
    pub(super) async fn read_thread(
        &self,
        root: &PostRow,
        room: &RoomRow,
        person: &PersonRow,
        at: i64,
    ) -> Result<FollowedThread, Fault> {
        let seq = self.store.last_reply_until(&root.id, at).await?;
        self.set_thread_viewed(root, room, person, (at, seq)).await
    }

    /// Sets back what a person has read of a thread to what is before one of its posts; she follows
    /// it from then on.
    pub(super) async fn mark_thread_unread(
        &self,
        root: &PostRow,
        room: &RoomRow,
        person: &PersonRow,
        from: &PostRow,
    ) -> Result<FollowedThread, Fault> {
        if self.store.followed(&root.id, &person.id).await?.is_none() {
            self.follow_thread(root, room, &person.id, true).await?;
        }
        let viewed = (from.created_at - 1, from.seq - 1);
        self.set_thread_viewed(root, room, person, viewed).await
    }

    async fn set_thread_viewed(
        &self,
        root: &PostRow,
        room: &RoomRow,
        person: &PersonRow,
        viewed: (i64, i64),
    ) -> Result<FollowedThread, Fault> {
        let reader = ThreadReader {
            person: person.id.clone(),
            is_extended: false,
        };
        let was = Before::from(&self.followed_thread(&root.id, &reader).await?.row);
        let unread = self
            .store
            .replies_behind(&root.id, viewed.1, &person.id, MAX_COUNTED)
            .await?;
        let about_her =
            |message: &&String| room.is_personal() || names_person(message, &person.username);
        let mentions = unread.iter().filter(about_her).count();
        let mentions = i64::try_from(mentions).unwrap_or(MAX_COUNTED);
        self.store
            .set_thread_viewed(&root.id, &person.id, viewed, mentions)
            .await?;
        let thread = self.followed_thread(&root.id, &reader).await?;
        let data = json!({
            "thread_id": root.id,
            "channel_id": room.id,
            "timestamp": thread.row.viewed_at,
            "unread_mentions": thread.row.mentions,
            "unread_replies": thread.row.unread,
            "previous_unread_mentions": was.mentions,
            "previous_unread_replies": was.unread,
        });
        let to = to_follower(&person.id, room.team_id.as_ref());
        self.emit("thread_read_changed", data, to);
        Ok(thread)
    }

    /// Notes that a person has read every thread of a team, and those of no team.
    pub(super) async fn read_threads_of_team(
        &self,
        team: &TeamId,
        person: &UserId,
    ) -> Result<(), Fault> {
        let now = self.now_ms();
        self.store.read_threads_of_team(team, person, now).await?;
        let data = json!({ "timestamp": now });
        self.emit("thread_read_changed", data, to_follower(person, Some(team)));
        Ok(())
    }

    /// Notes that a person has read a room together with its threads: her client shows replies
    /// between the other posts.
    pub(super) async fn read_threads_of_room(
        &self,
        room: &RoomRow,
        person: &UserId,
        at: i64,
    ) -> Result<(), Fault> {
        let read = self
            .store
            .read_threads_of_room(&room.id, person, at)
            .await?;
        if !read {
            return Ok(());
        }
        let to = Audience {
            room: Some(room.id.clone()),
            ..to_follower(person, None)
        };
        let data = json!({ "timestamp": at });
        self.emit("thread_read_changed", data, to);
        Ok(())
    }

    /// Whether a person's clients show threads apart from the room.
    pub(super) async fn sees_threads_apart(&self, person: &UserId) -> Result<bool, Fault> {
        let kept = self.store.preferences_of(person).await?;
        let is_it = |row: &super::store::PreferenceRow| {
            row.category == DISPLAY && row.name == COLLAPSED && row.value == "on"
        };
        Ok(kept.iter().any(is_it))
    }
}
