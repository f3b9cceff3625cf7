//! Who is connected, and which event goes to whom.
//!
//! In: events, the backend's news, the coming and going of sockets. Out: numbered events for each
//! connection, and a wake-up for its socket. A connection outlives its socket for a while: what was
//! sent is kept, so that a client that comes back gets what it missed.
//! Not here: sockets (`socket`), permissions, records.
//! Invariants: `publish` never waits for a client and touches only those whom the event may be for;
//! numbers of one connection have no gap on the wire. Order of locks: people, then one person, then
//! circles and connections.

mod connection;
mod entry;
mod event;
mod index;
mod line;
mod log;
mod person;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use proto::id::{ChannelId, ConnId, TeamId, UserId};
use serde_json::{Map, Value};

use super::budget::Limits;
use super::metrics::{CutOff, Metrics};
use crate::model::{Audience, ChatNews, ClientEvent, Membership};
use crate::news::NewsListener;
pub(super) use entry::{Attached, Resume};
use event::Opening;
pub(super) use event::Pieces;
use index::{Circles, Sharded};
pub(super) use line::{Line, Next};
use person::{Person, State};

/// Events that may wait for one client; a client that is further behind loses its socket.
const SEND_QUEUE: usize = 256;
/// Sent events kept for replay; without a socket, as many more as the queue has.
const REPLAY_RING: usize = 128;
/// How long a connection is kept for a client that may come back.
const RESUME_WINDOW: Duration = Duration::from_secs(300);

/// Where somebody may be a member.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Circle {
    Room(ChannelId),
    Team(TeamId),
}

impl Circle {
    fn set(&self, membership: &mut Membership, is_in: bool) {
        match (self, is_in) {
            (Self::Room(room), true) => membership.rooms.insert(room.clone()),
            (Self::Room(room), false) => membership.rooms.remove(room),
            (Self::Team(team), true) => membership.teams.insert(team.clone()),
            (Self::Team(team), false) => membership.teams.remove(team),
        };
    }
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
    limits: Limits,
    metrics: Arc<Metrics>,
    people: Sharded<UserId, Arc<Person>>,
    connections: Sharded<ConnId, Arc<Person>>,
    rooms: Circles<ChannelId>,
    teams: Circles<TeamId>,
    generations: AtomicU64,
}

impl Hub {
    pub(super) fn new(server_version: String, limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            server_version,
            limits,
            metrics,
            people: Sharded::default(),
            connections: Sharded::default(),
            rooms: Circles::default(),
            teams: Circles::default(),
            generations: AtomicU64::default(),
        }
    }

    /// Sends an event to the connections it is for.
    pub(super) fn publish(&self, event: &ClientEvent) {
        self.publish_to(
            &event.name,
            &event.data,
            std::slice::from_ref(&event.audience),
        );
    }

    /// Sends an event to several audiences, one after the other.
    pub(super) fn publish_to(&self, name: &str, data: &Map<String, Value>, audiences: &[Audience]) {
        let mut opening = None;
        for audience in audiences {
            let people = self.perhaps_for(audience);
            if people.is_empty() {
                continue;
            }
            let opening = opening.get_or_insert_with(|| Opening::new(name, data));
            let body = Arc::new(opening.to(audience));
            for person in people {
                person.deliver(&body, audience, &self.metrics);
            }
        }
    }

    /// Whom an event may be for: by the narrowest filter that leads to people.
    fn perhaps_for(&self, audience: &Audience) -> Vec<Arc<Person>> {
        if let Some(id) = &audience.connection {
            return self.connections.get(id).into_iter().collect();
        }
        if let Some(user) = &audience.user {
            return self.people.get(user).into_iter().collect();
        }
        if let Some(each_of) = &audience.each_of {
            let here = each_of.iter().filter_map(|user| self.people.get(user));
            return here.collect();
        }
        if let Some(room) = &audience.room {
            return self.rooms.members(room);
        }
        if let Some(team) = &audience.team {
            return self.teams.members(team);
        }
        self.people.values()
    }

    /// Notes that a socket is gone; `None` when a newer one has taken its place.
    pub(super) fn detach(&self, line: &Line, now: Instant) -> Option<Detached> {
        let mut state = line.person.state();
        let place = state
            .connections
            .iter()
            .position(|connection| connection.generation == line.generation)?;
        let connection = state.connections.get_mut(place)?;
        connection.detach(now);
        if connection.is_doomed {
            self.forget(&mut state, place);
        }
        let last_of_person = !state.has_socket();
        drop(state);
        self.tidy(&line.person);
        Some(Detached { last_of_person })
    }

    /// Cuts off the sockets of a login that ended and forgets its connections.
    pub(super) fn end_login(&self, user: &UserId, login_id: &str) {
        let Some(person) = self.people.get(user) else {
            return;
        };
        let mut state = person.state();
        for place in (0..state.connections.len()).rev() {
            let State {
                connections, log, ..
            } = &mut *state;
            if let Some(connection) = connections.get_mut(place)
                && connection.login_id == login_id
            {
                connection.doom(log);
                if connection.has_socket() {
                    self.metrics.cut_off(CutOff::LoginEnded);
                } else {
                    self.forget(&mut state, place);
                }
            }
        }
        drop(state);
        self.tidy(&person);
    }

    /// Cuts off everybody.
    pub(super) fn end_all(&self) {
        for person in self.people.values() {
            let mut state = person.state();
            let State {
                connections, log, ..
            } = &mut *state;
            for connection in connections {
                connection.doom(log);
            }
        }
    }

    /// Forgets connections whose clients did not come back in time.
    pub(super) fn forget_absent(&self, now: Instant) {
        for person in self.people.values() {
            let mut state = person.state();
            for place in (0..state.connections.len()).rev() {
                let one = state.connections.get(place);
                if one.is_some_and(|one| one.absent_for(now) > RESUME_WINDOW) {
                    self.forget(&mut state, place);
                }
            }
            drop(state);
            self.tidy(&person);
        }
    }

    fn forget(&self, state: &mut State, place: usize) {
        let id = state.forget(place);
        self.connections.write(&id).remove(&id);
    }

    /// Forgets a person of whom nothing is left here.
    fn tidy(&self, person: &Arc<Person>) {
        if !person.state().is_idle() {
            return;
        }
        let mut people = self.people.write(&person.user);
        let mut state = person.state();
        if !state.is_idle() || state.is_gone {
            return;
        }
        state.is_gone = true;
        self.set_membership(person, &mut state, Membership::default());
        people.remove(&person.user);
    }

    fn set_membership(&self, person: &Arc<Person>, state: &mut State, membership: Membership) {
        let before = std::mem::replace(&mut state.membership, membership);
        let now = &state.membership;
        for room in before.rooms.difference(&now.rooms) {
            self.rooms.remove(room, person);
        }
        for room in now.rooms.difference(&before.rooms) {
            self.rooms.add(room, person);
        }
        for team in before.teams.difference(&now.teams) {
            self.teams.remove(team, person);
        }
        for team in now.teams.difference(&before.teams) {
            self.teams.add(team, person);
        }
    }

    /// Applies a change of membership, if the person is here.
    fn change_membership(&self, user: &UserId, circle: Circle, is_in: bool) {
        let Some(person) = self.people.get(user) else {
            return;
        };
        let mut state = person.state();
        if state.is_gone {
            return;
        }
        circle.set(&mut state.membership, is_in);
        match (&circle, is_in) {
            (Circle::Room(room), true) => self.rooms.add(room, &person),
            (Circle::Room(room), false) => self.rooms.remove(room, &person),
            (Circle::Team(team), true) => self.teams.add(team, &person),
            (Circle::Team(team), false) => self.teams.remove(team, &person),
        }
        if state.entering > 0 {
            state.heard.insert(circle, is_in);
        }
    }

    /// Whether the person has a live socket.
    pub(super) fn is_online(&self, user: &UserId) -> bool {
        let person = self.people.get(user);
        person.is_some_and(|person| person.state().has_socket())
    }
}

impl NewsListener for Hub {
    fn hear(&self, news: &ChatNews) {
        match news {
            ChatNews::JoinedRoom { room, user } => {
                self.change_membership(user, Circle::Room(room.clone()), true);
            }
            ChatNews::LeftRoom { room, user } => {
                self.change_membership(user, Circle::Room(room.clone()), false);
            }
            ChatNews::JoinedTeam { team, user } => {
                self.change_membership(user, Circle::Team(team.clone()), true);
            }
            ChatNews::LeftTeam { team, user } => {
                self.change_membership(user, Circle::Team(team.clone()), false);
            }
            ChatNews::LoginEnded { login_id, user } => self.end_login(user, login_id),
            ChatNews::RoomArchived { .. } => {}
            ChatNews::Event(event) => self.publish(event),
        }
    }
}
