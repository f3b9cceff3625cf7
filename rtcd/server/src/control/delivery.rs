//! What is said about sessions, and to whom.
//!
//! In: events of the shards and relays. Out: messages in the queues of connections; a session that
//! has ended is forgotten.

use proto::id::{GroupId, SessionId};
use proto::rtcd::{ControlMessage, RtcKind, RtcMessage};
use rtcd_core::{CallKey, CloseReason, SessionKey};
use tracing::{debug, info};

use super::connections::Delivered;
use super::relays::SessionRelay;
use super::{Asker, Control, Home, Session, ShardEvent, State};
use crate::door::rtcd as door;
use crate::placement::ShardId;

impl Control {
    /// Carries out what a shard says.
    pub(crate) fn shard_event(&self, event: ShardEvent) {
        match event {
            ShardEvent::Signal { key, signal } => {
                let (kind, data) = door::write(signal);
                self.tell(&key, |ids| ControlMessage::Rtc(message(ids, kind, data)));
                if kind == RtcKind::Sdp {
                    self.relay_changed(&key, SessionRelay::described);
                }
            }
            ShardEvent::Relayed { key, address } => {
                self.relay_changed(&key, |relay| relay.had(address));
            }
            ShardEvent::Voice { key, speaking } => {
                let kind = door::voice(speaking);
                self.tell(&key, |ids| {
                    ControlMessage::Vad(message(ids, kind, Vec::new()))
                });
            }
            ShardEvent::LegLost { call, shard } => self.leg_lost(&call, shard),
            ShardEvent::Closed { key, reason } => self.closed(&key, reason),
        }
    }

    /// Tells the calls server something of a session that is here.
    fn tell(&self, key: &SessionKey, make: impl FnOnce(Ids<'_>) -> ControlMessage) {
        let mut state = self.lock();
        let Some(session) = state.sessions.get(key) else {
            return;
        };
        let message = make(Ids { key, session });
        self.deliver(&mut state, &key.group, &key.session, message);
    }

    /// A leg ended by a panic. Who joined it since is in a new leg, which has no links: as far as
    /// anybody else knows it has those of the old one.
    fn leg_lost(&self, call: &CallKey, shard: ShardId) {
        let mut state = self.lock();
        let (broken, made) = state.placement.relink(call, shard);
        for link in broken {
            self.shards.link_down(call, link);
        }
        for link in made {
            self.shards.link_up(call, link);
        }
        self.rejoin_far(&state, call, shard);
    }

    pub(super) fn closed(&self, key: &SessionKey, reason: CloseReason) {
        let mut state = self.lock();
        // Delivered while the session is known: `close` follows its current connection.
        let Some(session) = state.sessions.get(key) else {
            return;
        };
        let (home, lived) = (session.home.clone(), session.joined.elapsed());
        let call = CallKey {
            group: key.group.clone(),
            call: session.call.clone(),
        };
        info!(
            groupID = %key.group, callID = %call.call, sessionID = %key.session, ?reason,
            seconds = lived.as_secs(), "session ended"
        );
        let close = ControlMessage::Close(key.session.clone());
        self.deliver(&mut state, &key.group, &key.session, close);
        state.sessions.remove(key);
        if let Home::Here(shard) = home {
            if let Some(ended) = state.placement.remove(&call, shard) {
                for link in ended.links {
                    self.shards.link_down(&call, link);
                }
                for link in ended.far {
                    self.far_link_down(&call, link);
                }
                self.tell_legs(&state, &call);
            }
            let labels = [key.group.as_str()];
            self.metrics.sessions.with_label_values(&labels).dec();
        }
        self.metrics
            .own
            .legs
            .set(i64::try_from(state.placement.legs()).unwrap_or(i64::MAX));
        self.metrics.tenant_went(&key.group);
        drop(state);
        self.session_ended.notify_waiters();
    }

    /// Queues a message on the session's connection, or on the newest live one of its client.
    pub(super) fn deliver(
        &self,
        state: &mut State,
        group: &GroupId,
        session: &SessionId,
        message: ControlMessage,
    ) {
        let key = SessionKey {
            group: group.clone(),
            session: session.clone(),
        };
        let asker = state
            .sessions
            .get(&key)
            .map(|session| session.asker.clone());
        let bound = match asker {
            Some(Asker::Node(node)) => {
                if state.tell(&node, group, &message) {
                    return;
                }
                // It is gone; the client may be connected here, too.
                None
            }
            Some(Asker::Connection(connection)) => Some(connection),
            None => None,
        };
        let outcome = state.connections.deliver(group, bound.as_ref(), message);
        match outcome {
            Delivered::Bound => {}
            Delivered::Moved(connection) => {
                debug!(sessionID = %session, connID = %connection, "session follows its client");
                // Not of one that a node asked for: that may be back.
                if let Some(Session { asker, .. }) = state.sessions.get_mut(&key)
                    && matches!(asker, Asker::Connection(_))
                {
                    *asker = Asker::Connection(connection);
                }
            }
            Delivered::Spread(told) => {
                debug!(sessionID = %session, told, "its connection is gone: all of its client are told");
            }
            Delivered::Held => {
                debug!(sessionID = %session, "held for the client's next connection");
            }
            Delivered::Dropped(reason) => {
                self.metrics.dropped("ws_queue", reason);
            }
        }
    }
}

/// Whom a message names.
pub(super) struct Ids<'a> {
    pub(super) key: &'a SessionKey,
    pub(super) session: &'a Session,
}

/// A message to a calls server, which fills in all four ids.
#[expect(clippy::needless_pass_by_value, reason = "ids are two references")]
pub(super) fn message(ids: Ids<'_>, kind: RtcKind, data: Vec<u8>) -> RtcMessage {
    RtcMessage {
        group: ids.key.group.to_string(),
        user: ids.session.user.to_string(),
        session: ids.key.session.to_string(),
        call: ids.session.call.to_string(),
        kind,
        data,
        node: String::new(),
    }
}

/// Returns the session that a message waiting for a connection is about.
pub(super) fn session_of(message: &ControlMessage) -> Option<SessionId> {
    match message {
        ControlMessage::Rtc(message) => SessionId::parse(message.session.as_str()).ok(),
        ControlMessage::Close(session) => Some(session.clone()),
        // Stale at once, or never sent by this side.
        ControlMessage::Vad(_)
        | ControlMessage::Hello(_)
        | ControlMessage::Join(_)
        | ControlMessage::Leave(_)
        | ControlMessage::Reconnect(_)
        | ControlMessage::Unknown(_) => None,
    }
}
