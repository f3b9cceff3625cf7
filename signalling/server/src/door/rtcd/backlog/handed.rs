//! A session that is at another host than the one that was asked for it.
//!
//! In: its name. Out: what the first host was still to be told, and is not; the second is.
//! Invariant: what is about the session leaves in the order it was said. What the first host was told before
//! it passes on by itself, and what is on the way to it when it dies is lost: state that it passes on late
//! does not count there, for the session's client speaks for it.

use std::collections::BTreeMap;

use proto::id::{CallId, SessionId};
use proto::rtcd::RtcMessage;

use super::session::Session;
use super::{Backlog, Item, Kind};

/// What goes from one backlog to another.
#[derive(Debug)]
pub(in super::super) struct Handed {
    call: CallId,
    wanted: BTreeMap<Kind, RtcMessage>,
    /// What was not said yet, in its order.
    waiting: Vec<Item>,
}

impl Backlog {
    /// Nothing more is said of a session to this host. `None`: it is not here, or leaves.
    pub(in super::super) fn hand_over(&mut self, id: &SessionId) -> Option<Handed> {
        self.in_call(id).ok()?;
        let session = self.sessions.remove(id)?;
        let waiting = session.waiting.iter();
        let waiting = waiting.filter_map(|number| self.waiting.remove(number));
        let waiting = waiting.map(|entry| entry.item);
        let is_of_use = |item: &Item| matches!(item, Item::State(..) | Item::Signal(_));
        Some(Handed {
            call: session.call,
            wanted: session.wanted,
            waiting: waiting.filter(is_of_use).collect(),
        })
    }

    /// A session of another backlog is at this host.
    pub(in super::super) fn take_over(&mut self, id: &SessionId, handed: Handed) {
        let Handed {
            call,
            wanted,
            waiting,
        } = handed;
        // It may have been taken for a stranger that is to be ended; what was said of that counts on.
        let ends = self.sessions.get(id).map_or(0, |session| session.ends);
        self.forget(id);
        self.written.retain(|written| written.entry.session != *id);
        let mut session = Session::new(call);
        session.ends = ends;
        session.wanted.clone_from(&wanted);
        self.sessions.insert(id.clone(), session);
        self.wait(id.clone(), Item::Reconnect);
        for (kind, message) in wanted {
            let waits = |item: &Item| matches!(item, Item::State(of, _) if *of == kind);
            if !waiting.iter().any(waits) {
                self.wait(id.clone(), Item::State(kind, message));
            }
        }
        for item in waiting {
            self.wait(id.clone(), item);
        }
    }
}
