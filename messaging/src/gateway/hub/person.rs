//! One person who has connections here: where she belongs, her connections, what is kept for them.
//!
//! One lock per person. An event for many takes these locks one after the other, each for a moment.
//! Invariant: `membership` and the hub's circles change together, under this lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::id::{ChannelId, ConnId, TeamId, UserId};

use super::Circle;
use super::connection::{Connection, Pushed};
use super::event::Body;
use super::log::Log;
use crate::gateway::budget::Shared;
use crate::gateway::metrics::{CutOff, Metrics};
use crate::model::{Audience, Membership};

#[derive(Debug)]
pub(in crate::gateway) struct Person {
    pub(super) user: UserId,
    /// What all sockets of the person may send together.
    pub(super) budget: Shared,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) membership: Membership,
    pub(super) connections: Vec<Connection>,
    pub(super) log: Log,
    /// Sockets whose membership is being read just now.
    pub(super) entering: usize,
    /// What was heard meanwhile, and how it is now: newer than what they read.
    pub(super) heard: HashMap<Circle, bool>,
    /// No longer known to the hub.
    pub(super) is_gone: bool,
}

impl Person {
    pub(super) fn new(user: UserId, kept_bytes: usize) -> Self {
        let state = State {
            log: Log::with_limit(kept_bytes),
            ..State::default()
        };
        Self {
            user,
            budget: Shared::default(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // a panic while holding the lock leaves at worst one event undelivered
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an event to those of the person's connections that it is for.
    pub(super) fn deliver(&self, body: &Arc<Body>, audience: &Audience, metrics: &Metrics) {
        let mut state = self.state();
        if is_for(audience, &self.user, &state.membership) {
            state.deliver(body, audience, metrics);
        }
    }
}

impl State {
    fn deliver(&mut self, body: &Arc<Body>, audience: &Audience, metrics: &Metrics) {
        let mut holders = 0;
        for connection in &mut self.connections {
            let is_named = audience
                .connection
                .as_ref()
                .is_none_or(|id| *id == connection.id);
            if !is_named || audience.omit_connection.as_ref() == Some(&connection.id) {
                continue;
            }
            match connection.push(body.is_minor, &mut self.log) {
                Pushed::Held => holders += 1,
                Pushed::Skipped => metrics.skipped(),
                Pushed::CutOff => {
                    holders += 1;
                    metrics.cut_off(CutOff::TooManyEvents);
                }
            }
        }
        self.log.keep(body, holders);
        while let Some(index) = self.log.shed() {
            for connection in &mut self.connections {
                if let Some(reason) = connection.lose(index, &mut self.log) {
                    metrics.cut_off(reason);
                }
            }
        }
    }

    /// Hands an event to one connection only.
    pub(super) fn deliver_to(&mut self, place: usize, body: &Arc<Body>) {
        if let Some(connection) = self.connections.get_mut(place)
            && connection.push(body.is_minor, &mut self.log) != Pushed::Skipped
        {
            self.log.keep(body, 1);
        }
    }

    pub(super) fn of_generation(&mut self, generation: u64) -> Option<(&mut Connection, &mut Log)> {
        let mut all = self.connections.iter_mut();
        let connection = all.find(|connection| connection.generation == generation)?;
        Some((connection, &mut self.log))
    }

    pub(super) fn has_socket(&self) -> bool {
        self.connections.iter().any(Connection::has_socket)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.connections.is_empty() && self.entering == 0
    }

    /// Forgets a connection; returns its id.
    pub(super) fn forget(&mut self, place: usize) -> ConnId {
        let mut connection = self.connections.swap_remove(place);
        connection.doom(&mut self.log);
        connection.id
    }

    /// The place of the connection to be forgotten so that one more of `most` fits: the one longest absent.
    /// An error when all are attached.
    pub(super) fn place_to_free(&self, most: usize) -> Result<Option<usize>, ()> {
        if self.connections.len() < most {
            return Ok(None);
        }
        let absent = self.connections.iter().enumerate();
        let absent = absent.filter_map(|(place, one)| Some((one.absent_since?, place)));
        absent.min().map(|(_, place)| Some(place)).ok_or(())
    }
}

/// The filters in the wire's order, for somebody whom the narrowest of them led to, but for those
/// that name or omit a connection: user, omitted users, room members, team members.
pub(super) fn is_for(audience: &Audience, user: &UserId, membership: &Membership) -> bool {
    if audience.connection.is_some() {
        return true;
    }
    if let Some(named) = &audience.user {
        return named == user;
    }
    if audience.each_of.is_some() {
        // this is how they were found
        return true;
    }
    if audience.omit_users.contains(user) {
        return false;
    }
    if let Some(room) = &audience.room {
        return is_in_room(room, membership);
    }
    if let Some(team) = &audience.team {
        return is_in_team(team, membership);
    }
    true
}

fn is_in_room(room: &ChannelId, membership: &Membership) -> bool {
    membership.rooms.contains(room)
}

fn is_in_team(team: &TeamId, membership: &Membership) -> bool {
    membership.teams.contains(team)
}
