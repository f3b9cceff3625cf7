//! The backlog of one host between those who say something and the connection that writes it.
//!
//! Invariant: saying something never waits, however slow the host is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::id::{CallId, SessionId};
use proto::rtcd::ControlMessage;
use tokio::sync::Notify;

use super::backlog::{Backlog, Handed, KnownSession, Refused};

#[derive(Debug, Default)]
struct State {
    backlog: Backlog,
    /// Sessions that were given up and not reported yet.
    given_up: Vec<SessionId>,
}

/// A backlog that is shared.
#[derive(Debug, Clone, Default)]
pub(super) struct Outbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    said: Notify,
    gave_up: Notify,
}

impl Outbox {
    pub(super) fn new(known: impl IntoIterator<Item = KnownSession>) -> Self {
        let outbox = Self::default();
        outbox.state().backlog = Backlog::new(known);
        outbox
    }

    /// Takes a message for the host.
    ///
    /// # Errors
    /// When there is nothing to do with it.
    pub(super) fn push(&self, message: ControlMessage) -> Result<(), Refused> {
        let about = match &message {
            ControlMessage::Rtc(rtc) => SessionId::parse(rtc.session.as_str()).ok(),
            ControlMessage::Hello(_)
            | ControlMessage::Join(_)
            | ControlMessage::Leave(_)
            | ControlMessage::Reconnect(_)
            | ControlMessage::Vad(_)
            | ControlMessage::Close(_)
            | ControlMessage::Unknown(_) => None,
        };
        let mut state = self.state();
        let pushed = state.backlog.push(message);
        if pushed == Err(Refused::GivenUp) {
            state.given_up.extend(about);
            self.0.gave_up.notify_one();
        }
        drop(state);
        self.0.said.notify_one();
        pushed
    }

    /// Waits until there is something to write, be it a ping.
    pub(super) async fn ready(&self) {
        loop {
            {
                let backlog = &self.state().backlog;
                if backlog.has_something() || backlog.wants_ping() {
                    return;
                }
            }
            self.0.said.notified().await;
        }
    }

    /// Waits until sessions were given up, and returns them.
    pub(super) async fn given_up(&self) -> Vec<SessionId> {
        loop {
            let given_up = std::mem::take(&mut self.state().given_up);
            if !given_up.is_empty() {
                return given_up;
            }
            self.0.gave_up.notified().await;
        }
    }

    pub(super) fn take(&self) -> Option<ControlMessage> {
        self.state().backlog.take()
    }

    pub(super) fn len(&self) -> usize {
        self.state().backlog.len()
    }

    /// The number of a ping, if it would confirm anything.
    pub(super) fn ping(&self) -> Option<u64> {
        self.state().backlog.ping()
    }

    pub(super) fn confirm(&self, ping: u64) {
        self.state().backlog.confirm(ping);
        self.0.said.notify_one();
    }

    pub(super) fn answered(&self, session: &SessionId) {
        self.state().backlog.answered(session);
    }

    /// The host ended a session: whether that is news.
    pub(super) fn closed(&self, session: &SessionId) -> bool {
        self.state().backlog.closed(session)
    }

    /// Whether a session is in a call of this host.
    pub(super) fn has(&self, session: &SessionId) -> bool {
        self.state().backlog.has(session)
    }

    /// The host is gone: all its sessions are lost.
    pub(super) fn lose_all(&self) -> Vec<SessionId> {
        self.state().backlog.lose_all()
    }

    /// Another host is told of a session from now on. `None`: it is not at this one.
    pub(super) fn hand_over(&self, session: &SessionId) -> Option<Handed> {
        self.state().backlog.hand_over(session)
    }

    /// Takes a session that is at this host from the outbox of another.
    pub(super) fn take_over(&self, session: &SessionId, handed: Handed) {
        self.state().backlog.take_over(session, handed);
        self.0.said.notify_one();
    }

    pub(super) fn calls(&self) -> BTreeSet<CallId> {
        self.state().backlog.calls()
    }

    pub(super) fn reconnected(
        &self,
        has: Option<&BTreeMap<CallId, BTreeSet<SessionId>>>,
    ) -> Vec<SessionId> {
        self.state().backlog.reconnected(has)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding the lock leaves at worst one message half filed.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
