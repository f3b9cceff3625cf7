//! Who owns the call of a channel, and which call a connection or a session belongs to.
//!
//! In: what owners say of their sessions (`Roster`), joins that begin. Out: where an input goes.
//! Not here: the owners' tasks (`owner`), what a call does.
//! Invariants: nothing is awaited while the lock is held, and no call runs under it; a connection
//! has at most one place, in one channel, from the moment its join is let through; a channel has at
//! most one owner.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::id::{ChannelId, ConnId, SessionId};
use signalling_core::{MediaHost, Roster, Seat};
use tokio::sync::mpsc;

use super::owner::Turn;

/// How an owner is reached.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) queue: mpsc::Sender<Turn>,
    /// Set by the owner while its call runs.
    pub(crate) is_running: Arc<AtomicBool>,
    /// Tells this owner from the ones before it.
    number: u64,
    /// Where the call's media is: whoever comes next goes there too.
    media: Option<MediaHost>,
}

/// What a connection has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its join is on the way, or waits for the call to be announced.
    Waits(ChannelId),
    Sits(ChannelId, SessionId),
}

impl Place {
    pub(crate) fn channel(&self) -> &ChannelId {
        match self {
            Self::Waits(channel) | Self::Sits(channel, _) => channel,
        }
    }
}

/// All owners, places and sessions.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    owners: HashMap<ChannelId, Owner>,
    places: HashMap<ConnId, Place>,
    seats: HashMap<SessionId, (ChannelId, Seat)>,
    last_number: u64,
}

/// Where a join goes.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) queue: mpsc::Sender<Turn>,
    /// The connection has a place already, or the id of its session is taken.
    pub(crate) is_connected: bool,
    pub(crate) media: Result<MediaHost, String>,
}

/// What an owner leaves behind that ended out of turn.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Abandoned {
    pub(crate) waiting: Vec<ConnId>,
    pub(crate) seats: Vec<Seat>,
}

impl Registry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue of a channel's owner, if it has one.
    pub(crate) fn owner(&self, channel: &ChannelId) -> Option<mpsc::Sender<Turn>> {
        let state = self.state();
        state.owners.get(channel).map(|owner| owner.queue.clone())
    }

    /// The queues of all owners.
    pub(crate) fn owners(&self) -> Vec<mpsc::Sender<Turn>> {
        let state = self.state();
        state.owners.values().map(|o| o.queue.clone()).collect()
    }

    /// The channels that have an owner: those with a call, and perhaps some that had one.
    pub(crate) fn channels(&self) -> Vec<ChannelId> {
        self.state().owners.keys().cloned().collect()
    }

    pub(crate) fn has_owner(&self, channel: &ChannelId) -> bool {
        self.state().owners.contains_key(channel)
    }

    /// Makes an owner, unless the channel has one. `make` starts its task, with its number.
    pub(crate) fn owner_or_new(
        &self,
        channel: &ChannelId,
        make: impl FnOnce(u64) -> (mpsc::Sender<Turn>, Arc<AtomicBool>),
    ) -> mpsc::Sender<Turn> {
        let mut state = self.state();
        state.owner_or_new(channel, make).queue.clone()
    }

    /// Lets a join through to the channel's owner: gives the connection its place, and the session
    /// its media host. `choose` is told the host of the call's other sessions.
    pub(crate) fn admit(
        &self,
        channel: &ChannelId,
        connection: &ConnId,
        choose: impl FnOnce(Option<&MediaHost>) -> Result<MediaHost, String>,
        make: impl FnOnce(u64) -> (mpsc::Sender<Turn>, Arc<AtomicBool>),
    ) -> Admission {
        let mut state = self.state();
        let id_is_taken = SessionId::parse(connection.as_str())
            .is_ok_and(|session| state.seats.contains_key(&session));
        let is_connected = id_is_taken || state.places.contains_key(connection);
        if !is_connected {
            let place = Place::Waits(channel.clone());
            state.places.insert(connection.clone(), place);
        }
        let owner = state.owner_or_new(channel, make);
        let media = choose(owner.media.as_ref());
        if let Ok(media) = &media {
            owner.media = Some(media.clone());
        }
        Admission {
            queue: owner.queue.clone(),
            is_connected,
            media,
        }
    }

    /// Takes an owner out, unless something was sent to it meanwhile (`is_needed`).
    pub(crate) fn retire(
        &self,
        channel: &ChannelId,
        number: u64,
        is_needed: impl FnOnce() -> bool,
    ) -> bool {
        let mut state = self.state();
        let is_it = state
            .owners
            .get(channel)
            .is_some_and(|o| o.number == number);
        if is_it && is_needed() {
            return false;
        }
        if is_it {
            state.owners.remove(channel);
        }
        true
    }

    /// Takes out what is left of a channel's call, which has no session any more, or no owner.
    pub(crate) fn abandon(&self, channel: &ChannelId) -> Abandoned {
        let mut state = self.state();
        let mut left = Abandoned::default();
        state.places.retain(|connection, place| {
            let is_its = place.channel() == channel;
            if is_its && matches!(place, Place::Waits(_)) {
                left.waiting.push(connection.clone());
            }
            !is_its
        });
        state.seats.retain(|_, (of, seat)| {
            let is_its = of == channel;
            if is_its {
                left.seats.push(seat.clone());
            }
            !is_its
        });
        left
    }

    /// Follows the sessions of a channel's call.
    pub(crate) fn seat(&self, channel: &ChannelId, change: Roster) {
        let mut state = self.state();
        match change {
            Roster::Entered(seat) => state.sit(channel, seat),
            Roster::Moved { session, to } => {
                if let Some((_, mut seat)) = state.vacate(&session) {
                    seat.connection = to;
                    state.sit(channel, seat);
                }
            }
            Roster::MediaAt { session, media } => {
                if let Some((_, seat)) = state.seats.get_mut(&session) {
                    seat.media = media;
                }
            }
            Roster::Left { session } => {
                state.vacate(&session);
            }
            Roster::TurnedAway { connection } => {
                let waits_here = Place::Waits(channel.clone());
                if state.places.get(&connection) == Some(&waits_here) {
                    state.places.remove(&connection);
                }
            }
        }
    }

    pub(crate) fn place(&self, connection: &ConnId) -> Option<Place> {
        self.state().places.get(connection).cloned()
    }

    pub(crate) fn channel_of(&self, session: &SessionId) -> Option<ChannelId> {
        let state = self.state();
        state.seats.get(session).map(|(channel, _)| channel.clone())
    }

    /// The channels in whose calls a login has sessions.
    pub(crate) fn channels_of_login(&self, login: &str) -> BTreeSet<ChannelId> {
        let state = self.state();
        let its = state.seats.values().filter(|(_, seat)| seat.login == login);
        its.map(|(channel, _)| channel.clone()).collect()
    }

    /// Every login that has a session.
    pub(crate) fn logins(&self) -> BTreeSet<String> {
        let state = self.state();
        let seats = state.seats.values();
        seats.map(|(_, seat)| seat.login.clone()).collect()
    }

    /// Running calls and sessions.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        let running = |owner: &&Owner| owner.is_running.load(Ordering::Relaxed);
        let calls = state.owners.values().filter(running).count();
        (calls, state.seats.len())
    }
}

impl State {
    fn owner_or_new(
        &mut self,
        channel: &ChannelId,
        make: impl FnOnce(u64) -> (mpsc::Sender<Turn>, Arc<AtomicBool>),
    ) -> &mut Owner {
        let number = &mut self.last_number;
        self.owners.entry(channel.clone()).or_insert_with(|| {
            *number += 1;
            let (queue, is_running) = make(*number);
            Owner {
                queue,
                is_running,
                number: *number,
                media: None,
            }
        })
    }

    fn sit(&mut self, channel: &ChannelId, seat: Seat) {
        let place = Place::Sits(channel.clone(), seat.session.clone());
        self.places.insert(seat.connection.clone(), place);
        if let Some(owner) = self.owners.get_mut(channel) {
            owner.media.get_or_insert_with(|| seat.media.clone());
        }
        self.seats
            .insert(seat.session.clone(), (channel.clone(), seat));
    }

    fn vacate(&mut self, session: &SessionId) -> Option<(ChannelId, Seat)> {
        let (channel, seat) = self.seats.remove(session)?;
        let is_its = |place: &Place| matches!(place, Place::Sits(_, of) if of == session);
        if self.places.get(&seat.connection).is_some_and(is_its) {
            self.places.remove(&seat.connection);
        }
        Some((channel, seat))
    }
}

#[cfg(test)]
mod tests;
