//! What a socket reads its events from.

use std::sync::Arc;

use proto::id::UserId;

use super::connection::Wake;
use super::event::Body;
use super::person::Person;
use crate::gateway::budget::Shared;

/// The socket's hold on its connection in the hub.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Line {
    pub(super) person: Arc<Person>,
    pub(super) generation: u64,
    pub(in crate::gateway) wake: Arc<Wake>,
}

/// What there is for a socket.
#[derive(Debug)]
pub(in crate::gateway) enum Next {
    Event(u64, Arc<Body>),
    Nothing,
    /// The socket has lost its connection.
    End,
}

impl Line {
    /// Takes the next event.
    pub(in crate::gateway) fn next(&self) -> Next {
        let mut state = self.person.state();
        let Some((connection, log)) = state.of_generation(self.generation) else {
            return Next::End;
        };
        if !connection.has_queue() {
            return Next::End;
        }
        match connection.next_unsent(log) {
            None => Next::Nothing,
            Some((seq, index)) => log
                .get(index)
                .map_or(Next::End, |body| Next::Event(seq, body.clone())),
        }
    }

    /// Whose connection it is: the addressee of what is for several people.
    pub(in crate::gateway) fn user(&self) -> &UserId {
        &self.person.user
    }

    /// What all sockets of the person may send together.
    pub(in crate::gateway) fn budget(&self) -> &Shared {
        &self.person.budget
    }

    /// Whether this socket still speaks for the connection.
    pub(in crate::gateway) fn is_current(&self) -> bool {
        self.person.state().of_generation(self.generation).is_some()
    }
}
