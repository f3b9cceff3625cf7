//! How a socket gets its connection: the one it asks for, or a fresh one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proto::id::{ConnId, UserId};

use super::Hub;
use super::connection::Connection;
use super::event::{Body, Opening};
use super::line::Line;
use super::person::{Person, State};
use crate::gateway::metrics::CutOff;
use crate::gateway::seat::Floor;
use crate::model::{Audience, Membership};

/// Where a client left off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Resume {
    pub(in crate::gateway) connection: ConnId,
    /// The number the client expects next.
    pub(in crate::gateway) next_seq: u64,
}

/// A socket's place in the hub.
#[derive(Debug)]
pub(in crate::gateway) struct Attached {
    pub(in crate::gateway) connection: ConnId,
    pub(in crate::gateway) line: Line,
    /// Held by the socket that speaks for the connection towards the handler.
    pub(in crate::gateway) floor: Floor,
    pub(in crate::gateway) first_of_person: bool,
}

/// A socket whose membership is being read: no change that is heard meanwhile is lost.
#[derive(Debug)]
pub(in crate::gateway) struct Entry<'a> {
    hub: &'a Hub,
    person: Arc<Person>,
}

impl Entry<'_> {
    /// Gives the socket its connection: the one it asks for, or a fresh one that begins with
    /// `hello`. `None` when the person has too many.
    pub(in crate::gateway) fn attach(
        self,
        login_id: &str,
        mut membership: Membership,
        resume: Option<Resume>,
    ) -> Option<Attached> {
        let (hub, person) = (self.hub, &self.person);
        let mut state = person.state();
        for (circle, is_in) in &state.heard {
            circle.set(&mut membership, *is_in);
        }
        hub.set_membership(person, &mut state, membership);
        let first_of_person = !state.has_socket();
        let line = Line {
            person: person.clone(),
            generation: hub.generations.fetch_add(1, Ordering::Relaxed) + 1,
            wake: Arc::default(),
        };
        let resumed = resume.and_then(|resume| hub.resume(&mut state, &line, login_id, &resume));
        let place = match resumed {
            Some(place) => place,
            None => hub.begin(&mut state, &line, login_id)?,
        };
        let connection = state.connections.get(place)?;
        Some(Attached {
            connection: connection.id.clone(),
            floor: connection.floor.clone(),
            line,
            first_of_person,
        })
    }
}

impl Hub {
    /// Notes that somebody's membership is about to be read for a socket.
    pub(in crate::gateway) fn enter(&self, user: &UserId) -> Entry<'_> {
        let mut people = self.people.write(user);
        let person = people
            .entry(user.clone())
            .or_insert_with(|| {
                Arc::new(Person::new(user.clone(), self.limits.kept_bytes_per_person))
            })
            .clone();
        person.state().entering += 1;
        Entry { hub: self, person }
    }

    /// Goes on with a connection of the person; ends it when too much was missed.
    fn resume(
        &self,
        state: &mut State,
        line: &Line,
        login_id: &str,
        resume: &Resume,
    ) -> Option<usize> {
        let State {
            connections, log, ..
        } = state;
        let place = connections
            .iter()
            .position(|one| one.id == resume.connection)?;
        let connection = connections.get_mut(place)?;
        if !connection.is_doomed && connection.can_replay_from(resume.next_seq) {
            if connection.has_socket() {
                self.metrics.cut_off(CutOff::Replaced);
            }
            connection.attach(
                line.generation,
                line.wake.clone(),
                login_id,
                resume.next_seq,
            );
            line.wake.more.notify_one();
            self.metrics.resumed();
            return Some(place);
        }
        // the fresh connection says so by its number 0
        connection.doom(log);
        if !connection.has_socket() {
            self.forget(state, place);
        }
        None
    }

    /// Begins a connection; `None` when the person has too many.
    fn begin(&self, state: &mut State, line: &Line, login_id: &str) -> Option<usize> {
        if let Some(oldest) = state
            .place_to_free(self.limits.connections_per_person)
            .ok()?
        {
            self.forget(state, oldest);
        }
        let id = ConnId::random();
        let mut connection = Connection::new(id.clone());
        connection.attach(line.generation, line.wake.clone(), login_id, 0);
        let person = line.person.clone();
        let hello = Arc::new(self.hello(&id, &person.user));
        state.connections.push(connection);
        let place = state.connections.len() - 1;
        state.deliver_to(place, &hello);
        self.connections.write(&id).insert(id.clone(), person);
        self.metrics.begun();
        Some(place)
    }

    fn hello(&self, id: &ConnId, user: &UserId) -> Body {
        let data = [
            ("connection_id", id.as_str()),
            ("server_version", self.server_version.as_str()),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), value.into()));
        Opening::new("hello", &data.into_iter().collect()).to(&Audience {
            user: Some(user.clone()),
            ..Audience::default()
        })
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut state = self.person.state();
        state.entering -= 1;
        if state.entering == 0 {
            state.heard = HashMap::new();
        }
        drop(state);
        self.hub.tidy(&self.person);
    }
}
