//! Who is connected, and which event goes to whom.
//!
//! In: events and the coming and going of sockets. Out: numbered frames on each connection's
//! queue. A connection outlives its socket for a while: what was sent is kept in a ring, so that a
//! client that comes back gets what it missed.
//! Not here: sockets (`ws`), permissions, records.
//! Invariant: `publish` never waits; numbers of one connection have no gap on the wire.

mod connection;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;
use proto::id::{ChannelId, ConnId, TeamId, UserId};
use tokio::sync::mpsc;

use super::seat::Floor;
use crate::model::{Audience, ChatNews, ClientEvent, Membership};
use crate::news::NewsListener;
use connection::{Connection, Template};

/// Frames that may wait for one client; a client that is further behind loses its socket.
pub(super) const SEND_QUEUE: usize = 256;
/// Sent events kept for replay, beside as many as may still wait in the queue.
pub(super) const REPLAY_RING: usize = 128;
/// How long a connection is kept for a client that may come back.
pub(super) const RESUME_WINDOW: Duration = Duration::from_secs(300);
/// Connections of one person, attached or kept. The oldest kept one makes room for a new one.
const MAX_CONNECTIONS_PER_PERSON: usize = 256;

/// Where a client left off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resume {
    pub(super) connection: ConnId,
    /// The number the client expects next.
    pub(super) next_seq: u64,
}

/// A socket's place in the hub.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) connection: ConnId,
    pub(super) generation: u64,
    /// Frames that go out before anything from `queue`.
    pub(super) backlog: Vec<Utf8Bytes>,
    pub(super) queue: mpsc::Receiver<Utf8Bytes>,
    /// Held by the socket that speaks for the connection towards the handler.
    pub(super) floor: Floor,
    pub(super) first_of_person: bool,
}

/// What the end of a socket meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detached {
    /// Nobody of this person is connected any more.
    pub(super) last_of_person: bool,
}

#[derive(Debug)]
pub(super) struct Hub {
    server_version: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: HashMap<ConnId, Connection>,
    persons: HashMap<UserId, PersonEntry>,
    generations: u64,
}

#[derive(Debug, Default)]
struct PersonEntry {
    membership: Membership,
    connections: HashSet<ConnId>,
    /// Sockets whose membership is being read just now.
    entering: usize,
    /// What was heard meanwhile, and how it is now: newer than what they read.
    heard: HashMap<Place, bool>,
}

impl PersonEntry {
    fn is_idle(&self) -> bool {
        self.connections.is_empty() && self.entering == 0
    }

    fn change(&mut self, place: &Place, is_in: bool) {
        place.set(&mut self.membership, is_in);
        if self.entering > 0 {
            self.heard.insert(place.clone(), is_in);
        }
    }
}

/// Where somebody may be a member.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Room(ChannelId),
    Team(TeamId),
}

impl Place {
    fn set(&self, membership: &mut Membership, is_in: bool) {
        match (self, is_in) {
            (Self::Room(room), true) => membership.rooms.insert(room.clone()),
            (Self::Room(room), false) => membership.rooms.remove(room),
            (Self::Team(team), true) => membership.teams.insert(team.clone()),
            (Self::Team(team), false) => membership.teams.remove(team),
        };
    }
}

/// A socket whose membership is being read: no change that is heard meanwhile is lost.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    hub: &'a Hub,
    user: &'a UserId,
}

impl Entry<'_> {
    /// Gives the socket its connection: the one it asks for, or a fresh one that begins with
    /// `hello`. `None` when the person has too many.
    pub(super) fn attach(
        self,
        login_id: &str,
        membership: Membership,
        resume: Option<Resume>,
    ) -> Option<Attached> {
        self.hub.attach(self.user, login_id, membership, resume)
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        if let Some(person) = state.persons.get_mut(self.user) {
            person.entering -= 1;
            if person.entering == 0 {
                person.heard = HashMap::new();
            }
            if person.is_idle() {
                state.persons.remove(self.user);
            }
        }
    }
}

impl Hub {
    pub(super) fn new(server_version: String) -> Self {
        Self {
            server_version,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding the lock leaves at worst one event undelivered.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event to the connections it is for.
    pub(super) fn publish(&self, event: &ClientEvent) {
        let template = Template::new(event);
        let mut state = self.state();
        let State {
            connections,
            persons,
            ..
        } = &mut *state;
        if let Some(id) = &event.audience.connection {
            if let Some(connection) = connections.get_mut(id) {
                connection.send(&template);
            }
            return;
        }
        if let Some(user) = &event.audience.user {
            let ids = persons.get(user).map(|person| &person.connections);
            for id in ids.into_iter().flatten() {
                if event.audience.omit_connection.as_ref() != Some(id)
                    && let Some(connection) = connections.get_mut(id)
                {
                    connection.send(&template);
                }
            }
            return;
        }
        for (user, person) in persons.iter() {
            if !is_for(&event.audience, user, &person.membership) {
                continue;
            }
            for id in &person.connections {
                if event.audience.omit_connection.as_ref() != Some(id)
                    && let Some(connection) = connections.get_mut(id)
                {
                    connection.send(&template);
                }
            }
        }
    }

    /// Notes that somebody's membership is about to be read for a socket.
    pub(super) fn enter<'a>(&'a self, user: &'a UserId) -> Entry<'a> {
        let mut state = self.state();
        state.persons.entry(user.clone()).or_default().entering += 1;
        Entry { hub: self, user }
    }

    fn attach(
        &self,
        user: &UserId,
        login_id: &str,
        mut membership: Membership,
        resume: Option<Resume>,
    ) -> Option<Attached> {
        let mut state = self.state();
        let person = state.persons.entry(user.clone()).or_default();
        for (place, is_in) in &person.heard {
            place.set(&mut membership, *is_in);
        }
        person.membership = membership;
        state.generations += 1;
        let generation = state.generations;
        let (sender, queue) = mpsc::channel(SEND_QUEUE);
        let first_of_person = !state.has_socket(user);
        if let Some(resume) = resume
            && let Some(connection) = state.connections.get_mut(&resume.connection)
            && connection.may_resume(user)
        {
            let replaced = connection.has_socket();
            if let Some(backlog) = connection.replay_from(resume.next_seq) {
                connection.attach(generation, sender, login_id);
                return Some(Attached {
                    floor: connection.floor(),
                    connection: resume.connection,
                    generation,
                    backlog,
                    queue,
                    first_of_person,
                });
            }
            // too much was missed: the old connection ends, a fresh one says so by its number 0
            connection.cut_off();
            if !replaced {
                state.forget(&resume.connection);
            }
        }
        if !state.make_room_for(user) {
            return None;
        }
        let id = ConnId::random();
        let mut connection = Connection::new(user.clone());
        connection.attach(generation, sender, login_id);
        connection.send(&Template::new(&self.hello(&id, user)));
        let floor = connection.floor();
        state.connections.insert(id.clone(), connection);
        let person = state.persons.entry(user.clone()).or_default();
        person.connections.insert(id.clone());
        Some(Attached {
            floor,
            connection: id,
            generation,
            backlog: Vec::new(),
            queue,
            first_of_person,
        })
    }

    fn hello(&self, id: &ConnId, user: &UserId) -> ClientEvent {
        let data = [
            ("connection_id", id.as_str()),
            ("server_version", self.server_version.as_str()),
        ];
        ClientEvent {
            name: "hello".to_owned(),
            data: data
                .map(|(key, value)| (key.to_owned(), value.into()))
                .into_iter()
                .collect(),
            audience: Audience {
                user: Some(user.clone()),
                ..Audience::default()
            },
        }
    }

    /// Whether this socket still speaks for the connection.
    pub(super) fn is_current(&self, id: &ConnId, generation: u64) -> bool {
        self.state()
            .connections
            .get(id)
            .is_some_and(|c| c.generation() == generation)
    }

    /// Notes that a socket is gone; `None` when a newer one has taken its place.
    pub(super) fn detach(&self, id: &ConnId, generation: u64, now: Instant) -> Option<Detached> {
        let mut state = self.state();
        let connection = state.connections.get_mut(id)?;
        if connection.generation() != generation {
            return None;
        }
        let user = connection.user().clone();
        if connection.detach(now) {
            state.forget(id);
        }
        Some(Detached {
            last_of_person: !state.has_socket(&user),
        })
    }

    /// Cuts off the sockets of a login that ended and forgets their connections.
    pub(super) fn end_login(&self, login_id: &str) {
        let mut state = self.state();
        let mut kept = Vec::new();
        for (id, connection) in &mut state.connections {
            if connection.login_id() == login_id {
                if !connection.has_socket() {
                    kept.push(id.clone());
                }
                connection.cut_off();
            }
        }
        for id in kept {
            state.forget(&id);
        }
    }

    /// Cuts off everybody.
    pub(super) fn end_all(&self) {
        for connection in self.state().connections.values_mut() {
            connection.cut_off();
        }
    }

    /// Forgets connections whose clients did not come back in time.
    pub(super) fn forget_absent(&self, now: Instant) {
        let mut state = self.state();
        let absent: Vec<ConnId> = state
            .connections
            .iter()
            .filter(|(_, connection)| connection.absent_for(now) > RESUME_WINDOW)
            .map(|(id, _)| id.clone())
            .collect();
        for id in absent {
            state.forget(&id);
        }
    }

    /// Applies a change of membership, if the person has any connection.
    fn change_membership(&self, user: &UserId, place: &Place, is_in: bool) {
        if let Some(person) = self.state().persons.get_mut(user) {
            person.change(place, is_in);
        }
    }

    /// Whether the person has a live socket.
    pub(super) fn is_online(&self, user: &UserId) -> bool {
        self.state().has_socket(user)
    }
}

impl NewsListener for Hub {
    fn hear(&self, news: &ChatNews) {
        let room = |room: &ChannelId| Place::Room(room.clone());
        let team = |team: &TeamId| Place::Team(team.clone());
        match news {
            ChatNews::JoinedRoom { room: id, user } => {
                self.change_membership(user, &room(id), true);
            }
            ChatNews::LeftRoom { room: id, user } => {
                self.change_membership(user, &room(id), false);
            }
            ChatNews::JoinedTeam { team: id, user } => {
                self.change_membership(user, &team(id), true);
            }
            ChatNews::LeftTeam { team: id, user } => {
                self.change_membership(user, &team(id), false);
            }
            ChatNews::LoginEnded { login_id, .. } => self.end_login(login_id),
            ChatNews::RoomArchived { .. } => {}
            ChatNews::Event(event) => self.publish(event),
        }
    }
}

impl State {
    fn has_socket(&self, user: &UserId) -> bool {
        self.persons.get(user).is_some_and(|person| {
            person
                .connections
                .iter()
                .any(|id| self.connections.get(id).is_some_and(Connection::has_socket))
        })
    }

    fn forget(&mut self, id: &ConnId) {
        let Some(connection) = self.connections.remove(id) else {
            return;
        };
        if let Some(person) = self.persons.get_mut(connection.user()) {
            person.connections.remove(id);
            if person.is_idle() {
                self.persons.remove(connection.user());
            }
        }
    }

    /// Whether one more connection of this person fits, after forgetting the one longest absent.
    fn make_room_for(&mut self, user: &UserId) -> bool {
        let Some(person) = self.persons.get(user) else {
            return true;
        };
        if person.connections.len() < MAX_CONNECTIONS_PER_PERSON {
            return true;
        }
        let oldest = person
            .connections
            .iter()
            .filter_map(|id| Some((self.connections.get(id)?.absent_since()?, id.clone())))
            .min_by_key(|(since, _)| *since);
        oldest.is_some_and(|(_, id)| {
            self.forget(&id);
            true
        })
    }
}

/// The filters for everybody who is not named: omitted people, room members, team members.
fn is_for(audience: &Audience, user: &UserId, membership: &Membership) -> bool {
    if audience.omit_users.contains(user) {
        return false;
    }
    if let Some(room) = &audience.room {
        return membership.rooms.contains(room);
    }
    if let Some(team) = &audience.team {
        return membership.teams.contains(team);
    }
    true
}

/// A frame shared by all connections it goes to.
type Shared = Arc<str>;
