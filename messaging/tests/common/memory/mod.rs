//! A chat server that remembers and nothing more: what an adapter for another server looks like,
//! and proof that the gateway needs nothing of ours.

mod files;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use messaging::model::{
    Audience, ChatNews, ClientEvent, Login, Membership, NewPost, Person, Post, Room, RoomKind,
    RoomRight, Status,
};
use messaging::news::{NewsListener, Newsroom};
use messaging::{ChatBackend, ChatError, People, Posts, Rooms};
use proto::id::{ChannelId, FileId, PostId, TeamId, UploadId, UserId, new_id};
use serde_json::{Map, Value, json};

use files::{Stored, Uploading};

#[derive(Debug, Default)]
pub(crate) struct Memory {
    state: Mutex<State>,
    newsroom: Newsroom,
}

#[derive(Debug, Default)]
struct State {
    people: HashMap<UserId, Person>,
    /// Token to login and person.
    logins: HashMap<String, (String, UserId)>,
    statuses: HashMap<UserId, Status>,
    rooms: HashMap<ChannelId, (Room, HashSet<UserId>)>,
    posts: HashMap<PostId, Post>,
    uploads: HashMap<UploadId, Uploading>,
    files: HashMap<FileId, Stored>,
    clock_ms: i64,
}

impl State {
    fn now_ms(&mut self) -> i64 {
        self.clock_ms += 1;
        self.clock_ms
    }
}

fn missing(what: &'static str, id: &str) -> ChatError {
    ChatError::NotFound {
        what,
        id: id.to_owned(),
    }
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_person(&self, username: &str, is_bot: bool) -> UserId {
        let id = UserId::random();
        let person = Person {
            id: id.clone(),
            username: username.to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            nickname: String::new(),
            email: format!("{username}@localhost"),
            locale: String::new(),
            is_bot,
            is_system_admin: false,
        };
        self.state().people.insert(id.clone(), person);
        id
    }

    /// Signs a person in; returns the token.
    pub(crate) fn sign_in(&self, user: &UserId) -> String {
        let token = new_id();
        let login = (new_id(), user.clone());
        self.state().logins.insert(token.clone(), login);
        token
    }

    pub(crate) fn sign_out(&self, token: &str) {
        let ended = self.state().logins.remove(token);
        if let Some((login_id, user)) = ended {
            self.newsroom.tell(&ChatNews::LoginEnded { login_id, user });
        }
    }

    pub(crate) fn add_room(&self, kind: RoomKind) -> ChannelId {
        let id = ChannelId::random();
        let room = Room {
            id: id.clone(),
            team: None::<TeamId>,
            kind,
            name: id.as_str().to_owned(),
            display_name: "Room".to_owned(),
            archived: false,
        };
        self.state()
            .rooms
            .insert(id.clone(), (room, HashSet::new()));
        id
    }

    pub(crate) fn join(&self, room: &ChannelId, user: &UserId) {
        let mut state = self.state();
        state.rooms.get_mut(room).unwrap().1.insert(user.clone());
        let (room, user) = (room.clone(), user.clone());
        self.newsroom.tell(&ChatNews::JoinedRoom { room, user });
    }

    pub(crate) fn leave(&self, room: &ChannelId, user: &UserId) {
        let mut state = self.state();
        state.rooms.get_mut(room).unwrap().1.remove(user);
        let (room, user) = (room.clone(), user.clone());
        self.newsroom.tell(&ChatNews::LeftRoom { room, user });
    }

    fn emit(&self, name: &str, post: &Post) {
        let shown = json!({ "id": post.id, "message": post.message });
        self.newsroom.tell(&ChatNews::Event(ClientEvent {
            name: name.to_owned(),
            data: Map::from_iter([("post".to_owned(), Value::from(shown.to_string()))]),
            audience: Audience {
                room: Some(post.room.clone()),
                ..Audience::default()
            },
        }));
    }
}

#[async_trait]
impl People for Memory {
    async fn login(&self, token: &str) -> Result<Option<Login>, ChatError> {
        let state = self.state();
        Ok(state.logins.get(token).map(|(login_id, user)| Login {
            person: state.people[user].clone(),
            login_id: login_id.clone(),
        }))
    }

    async fn login_is_live(&self, login_id: &str) -> Result<bool, ChatError> {
        let state = self.state();
        Ok(state.logins.values().any(|(live, _)| live == login_id))
    }

    async fn person(&self, id: &UserId) -> Result<Person, ChatError> {
        let person = self.state().people.get(id).cloned();
        person.ok_or_else(|| missing("person", id.as_str()))
    }

    async fn persons(&self, ids: &[UserId]) -> Result<Vec<Person>, ChatError> {
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.people.get(id).cloned());
        Ok(found.collect())
    }

    async fn person_by_username(&self, username: &str) -> Result<Person, ChatError> {
        let state = self.state();
        let person = state.people.values().find(|one| one.username == username);
        person.cloned().ok_or_else(|| missing("person", username))
    }

    async fn portrait(&self, id: &UserId) -> Result<(Bytes, String), ChatError> {
        self.person(id).await?;
        Ok((Bytes::from_static(b"<svg/>"), "image/svg+xml".to_owned()))
    }

    async fn ensure_bot(
        &self,
        username: &str,
        _display_name: &str,
    ) -> Result<(Person, String), ChatError> {
        let id = match self.person_by_username(username).await {
            Ok(bot) => bot.id,
            Err(_) => self.add_person(username, true),
        };
        let token = self.sign_in(&id);
        Ok((self.person(&id).await?, token))
    }

    async fn statuses(&self, ids: &[UserId]) -> Result<Vec<Status>, ChatError> {
        let state = self.state();
        let known = ids.iter().map(|id| state.statuses.get(id).copied());
        Ok(known
            .map(|status| status.unwrap_or(Status::Offline))
            .collect())
    }

    async fn observe_status(&self, id: &UserId, status: Status) -> Result<(), ChatError> {
        self.state().statuses.insert(id.clone(), status);
        Ok(())
    }
}

#[async_trait]
impl Rooms for Memory {
    async fn room(&self, id: &ChannelId) -> Result<Room, ChatError> {
        let room = self.state().rooms.get(id).map(|(room, _)| room.clone());
        room.ok_or_else(|| missing("room", id.as_str()))
    }

    async fn members(&self, room: &ChannelId) -> Result<Vec<UserId>, ChatError> {
        let state = self.state();
        let found = state.rooms.get(room);
        let (_, members) = found.ok_or_else(|| missing("room", room.as_str()))?;
        Ok(members.iter().cloned().collect())
    }

    async fn may(
        &self,
        user: &UserId,
        room: &ChannelId,
        right: RoomRight,
    ) -> Result<bool, ChatError> {
        self.person(user).await?;
        let is_member = self.members(room).await?.contains(user);
        Ok(is_member && right != RoomRight::Manage)
    }

    async fn rooms_of(&self, user: &UserId) -> Result<Vec<Room>, ChatError> {
        let state = self.state();
        let rooms = state.rooms.values();
        let of_user = rooms.filter(|(_, members)| members.contains(user));
        Ok(of_user.map(|(room, _)| room.clone()).collect())
    }

    async fn direct_room(&self, a: &UserId, b: &UserId) -> Result<Room, ChatError> {
        let state = self.state();
        let two = HashSet::from([a.clone(), b.clone()]);
        let mut rooms = state.rooms.values();
        let found = rooms.find(|(room, members)| room.kind == RoomKind::Direct && *members == two);
        let found = found.map(|(room, _)| room.clone());
        found.ok_or_else(|| missing("room", a.as_str()))
    }

    async fn membership(&self, user: &UserId) -> Result<Membership, ChatError> {
        let rooms = self.rooms_of(user).await?;
        Ok(Membership {
            rooms: rooms.into_iter().map(|room| room.id).collect(),
            teams: HashSet::new(),
        })
    }
}

#[async_trait]
impl Posts for Memory {
    async fn create_post(&self, post: NewPost) -> Result<Post, ChatError> {
        let post = {
            let mut state = self.state();
            if let Some(root) = &post.root
                && !state.posts.contains_key(root)
            {
                return Err(missing("post", root.as_str()));
            }
            let now = state.now_ms();
            let post = Post {
                id: PostId::random(),
                room: post.room,
                author: post.author,
                root: post.root,
                message: post.message,
                kind: post.kind,
                props: post.props,
                files: post.files,
                created_at_ms: now,
                updated_at_ms: now,
                deleted: false,
            };
            state.posts.insert(post.id.clone(), post.clone());
            post
        };
        self.emit("posted", &post);
        Ok(post)
    }

    async fn post(&self, id: &PostId) -> Result<Post, ChatError> {
        let post = self.state().posts.get(id).cloned();
        post.ok_or_else(|| missing("post", id.as_str()))
    }

    async fn update_post(&self, post: Post) -> Result<Post, ChatError> {
        let updated = {
            let mut state = self.state();
            let now = state.now_ms();
            let kept = state.posts.get_mut(&post.id);
            let kept = kept.ok_or_else(|| missing("post", post.id.as_str()))?;
            kept.message = post.message;
            kept.props = post.props;
            kept.updated_at_ms = now;
            kept.clone()
        };
        self.emit("post_edited", &updated);
        Ok(updated)
    }

    async fn show_to(&self, person: &UserId, _: NewPost) -> Result<(), ChatError> {
        self.person(person).await.map(drop)
    }
}

impl ChatBackend for Memory {
    fn listen(&self, listener: Arc<dyn NewsListener>) {
        self.newsroom.add(listener);
    }
}
