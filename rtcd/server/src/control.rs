//! The control side: which sessions there are, where they are, and who is told about them.
//!
//! In: control messages of authenticated connections; events of the shards. Out: messages into
//! shards' inboxes; encoded messages into connections' queues.
//! Not here: sockets and frames (`ws`), media (`driver`).
//! Invariants: a session is looked up within the sender's tenant only, so another tenant's id
//! behaves as unknown. Everything about one session keeps its order. A session outlives the
//! connection it was joined on. Each accepted join ends in exactly one `close`.

mod connections;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::id::{CallId, ConnId, GroupId, SessionId, UserId};
use proto::rtcd::{ControlMessage, JoinMessage, RtcMessage, SessionConfig, SessionProps};
use rtcd_core::{CallKey, CloseReason, JoinRequest, SessionKey};
use tracing::{debug, info, warn};

use crate::driver::{InboxSender, ShardMessage};
use crate::metrics::Metrics;
use crate::placement::{Link, Placement, ShardId};
use connections::Connections;
pub(crate) use connections::{Connection, Queue};

/// How often a congested shard is looked at again.
const CONGESTION_PAUSE: Duration = Duration::from_millis(2);

/// Something a shard says about a session.
#[derive(Debug)]
pub(crate) enum ShardEvent {
    Signal {
        key: SessionKey,
        message: RtcMessage,
    },
    Voice {
        key: SessionKey,
        message: RtcMessage,
    },
    Closed {
        key: SessionKey,
        reason: CloseReason,
    },
}

/// Why a message for a session had no effect. Nobody is told: the protocol has no such answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("session is in a call already")]
    DuplicateJoin,
    #[error("node is draining and the call is not here")]
    Draining,
    #[error("session is not known")]
    UnknownSession,
    #[error("shard is overloaded")]
    Overloaded,
}

/// Why no session was found, in the words the API answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("group not found")]
    Group,
    #[error("call not found")]
    Call,
    #[error("session not found")]
    Session,
}

#[derive(Debug)]
struct Session {
    call: CallId,
    user: UserId,
    channel: String,
    av1_support: bool,
    dc_signalling: bool,
    shard: ShardId,
    /// Where its messages go; may be gone.
    connection: ConnId,
    joined: Instant,
}

#[derive(Debug)]
struct State {
    sessions: BTreeMap<SessionKey, Session>,
    placement: Placement,
    connections: Connections,
}

/// The control side of a node.
#[derive(Debug)]
pub(crate) struct Control {
    state: Mutex<State>,
    shards: Vec<InboxSender>,
    metrics: Arc<Metrics>,
    draining: AtomicBool,
    /// Told whenever a session ends.
    session_ended: tokio::sync::Notify,
}

impl Control {
    pub(crate) fn new(
        shards: Vec<InboxSender>,
        leg_sessions: usize,
        metrics: Arc<Metrics>,
    ) -> Self {
        let state = State {
            sessions: BTreeMap::new(),
            placement: Placement::new(shards.len(), leg_sessions),
            connections: Connections::default(),
        };
        Self {
            state: Mutex::new(state),
            shards,
            metrics,
            draining: AtomicBool::new(false),
            session_ended: tokio::sync::Notify::new(),
        }
    }

    /// Adds a connection of a client; its `hello` and what was held for the client wait in the queue.
    pub(crate) fn connect(&self, group: &GroupId) -> Connection {
        let connection = self.lock().connections.open(group);
        self.metrics
            .ws_connections
            .with_label_values(&[group.as_str()])
            .inc();
        connection
    }

    /// Removes a connection. Its sessions stay; what it did not send goes to another one.
    pub(crate) fn disconnect(&self, connection: &Connection, unsent: Vec<ControlMessage>) {
        self.metrics
            .ws_connections
            .with_label_values(&[connection.group.as_str()])
            .dec();
        let mut state = self.lock();
        state.connections.close(connection);
        for message in unsent {
            if let Some(session) = session_of(&message) {
                self.deliver(&mut state, &connection.group, &session, message);
            }
        }
    }

    /// Takes a session in.
    ///
    /// # Errors
    /// When it is in already, the node drains, or its shard is overloaded.
    pub(crate) fn join(
        &self,
        connection: &Connection,
        join: JoinMessage,
    ) -> Result<(), ControlError> {
        let group = connection.group.clone();
        let key = SessionKey {
            group: group.clone(),
            session: join.session,
        };
        let call = CallKey {
            group: group.clone(),
            call: join.call.clone(),
        };
        let mut state = self.lock();
        if state.sessions.contains_key(&key) {
            return Err(ControlError::DuplicateJoin);
        }
        if self.is_draining() && !state.placement.has_call(&call) {
            return Err(ControlError::Draining);
        }
        let placed = state.placement.place(&call);
        let request = JoinRequest {
            key: key.clone(),
            call: join.call.clone(),
            user: join.user.clone(),
            channel: (!join.channel.is_empty()).then(|| join.channel.clone()),
            av1_support: join.av1_support,
            dc_signalling: join.dc_signalling,
        };
        // Sent under the lock: joins, links and leaves of a call reach its shards in one order.
        if self
            .send(placed.shard, ShardMessage::Join(request))
            .is_err()
        {
            state.placement.remove(&call, placed.shard);
            return Err(ControlError::Overloaded);
        }
        for link in &placed.links {
            self.link_up(&call, *link);
        }
        info!(
            groupID = %group, callID = %join.call, sessionID = %key.session, userID = %join.user,
            channelID = join.channel, shard = placed.shard.0, "session joins"
        );
        let session = Session {
            call: join.call,
            user: join.user,
            channel: join.channel,
            av1_support: join.av1_support,
            dc_signalling: join.dc_signalling,
            shard: placed.shard,
            connection: connection.id.clone(),
            joined: Instant::now(),
        };
        state.sessions.insert(key, session);
        self.metrics
            .sessions
            .with_label_values(&[group.as_str()])
            .inc();
        self.metrics
            .own
            .legs
            .set(i64::try_from(state.placement.legs()).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Ends a session; `close` follows when its shard has let it go.
    ///
    /// # Errors
    /// When the client has no such session: fine for the caller, nothing follows.
    pub(crate) fn leave(&self, group: &GroupId, session: SessionId) -> Result<(), ControlError> {
        let key = SessionKey {
            group: group.clone(),
            session,
        };
        let state = self.lock();
        let shard = state
            .sessions
            .get(&key)
            .ok_or(ControlError::UnknownSession)?
            .shard;
        self.send(shard, ShardMessage::Leave(key))
    }

    /// Sends messages for a session to this connection from now on.
    ///
    /// # Errors
    /// When the client has no such session.
    pub(crate) fn rebind(
        &self,
        connection: &Connection,
        session: SessionId,
    ) -> Result<(), ControlError> {
        let key = SessionKey {
            group: connection.group.clone(),
            session,
        };
        let mut state = self.lock();
        let session = state
            .sessions
            .get_mut(&key)
            .ok_or(ControlError::UnknownSession)?;
        session.connection = connection.id.clone();
        Ok(())
    }

    /// Passes a message on to a session; waits while its shard is congested, so that the connection
    /// is read no faster than the shard works.
    ///
    /// # Errors
    /// When the client has no such session, or the shard stays overloaded.
    pub(crate) async fn rtc(
        &self,
        group: &GroupId,
        message: RtcMessage,
    ) -> Result<(), ControlError> {
        let session =
            SessionId::parse(message.session.as_str()).map_err(|_| ControlError::UnknownSession)?;
        let key = SessionKey {
            group: group.clone(),
            session,
        };
        let shard = self
            .lock()
            .sessions
            .get(&key)
            .ok_or(ControlError::UnknownSession)?
            .shard;
        while self
            .shards
            .get(shard.0)
            .is_some_and(InboxSender::is_congested)
        {
            tokio::time::sleep(CONGESTION_PAUSE).await;
        }
        self.send(shard, ShardMessage::Control { key, message })
    }

    /// Carries out what a shard says.
    pub(crate) fn shard_event(&self, event: ShardEvent) {
        match event {
            ShardEvent::Signal { key, message } => {
                self.tell(&key, ControlMessage::Rtc(message));
            }
            ShardEvent::Voice { key, message } => {
                self.tell(&key, ControlMessage::Vad(message));
            }
            ShardEvent::Closed { key, reason } => self.closed(&key, reason),
        }
    }

    /// Lists the sessions of a call of one tenant.
    ///
    /// # Errors
    /// Which of tenant and call is not here.
    pub(crate) fn sessions_of_call(
        &self,
        group: &GroupId,
        call: &str,
    ) -> Result<Vec<SessionConfig>, LookupError> {
        let state = self.lock();
        let mut group_exists = false;
        let found: Vec<SessionConfig> = state
            .of_group(group)
            .inspect(|_| group_exists = true)
            .filter(|(_, session)| session.call.as_str() == call)
            .map(|(key, session)| session.describe(key))
            .collect();
        match (group_exists, found.is_empty()) {
            (false, _) => Err(LookupError::Group),
            (true, true) => Err(LookupError::Call),
            (true, false) => Ok(found),
        }
    }

    /// Describes one session of a call of one tenant.
    ///
    /// # Errors
    /// Which of tenant, call and session is not here.
    pub(crate) fn session_of_call(
        &self,
        group: &GroupId,
        call: &str,
        session: &str,
    ) -> Result<SessionConfig, LookupError> {
        self.sessions_of_call(group, call)?
            .into_iter()
            .find(|config| config.session_id == session)
            .ok_or(LookupError::Session)
    }

    /// Refuses new calls from now on; calls that run, and joins to them, go on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.metrics.own.draining.set(1);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Waits until no session is left.
    pub(crate) async fn wait_until_empty(&self) {
        loop {
            let ended = self.session_ended.notified();
            if self.lock().sessions.is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// Returns how many sessions there are.
    pub(crate) fn session_count(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Refreshes gauges that nobody sets as they change.
    pub(crate) fn refresh_metrics(&self) {
        for (index, shard) in self.shards.iter().enumerate() {
            self.metrics
                .own
                .inbox_depth
                .with_label_values(&[&index.to_string()])
                .set(i64::try_from(shard.depth()).unwrap_or(i64::MAX));
        }
    }

    fn tell(&self, key: &SessionKey, message: ControlMessage) {
        let mut state = self.lock();
        self.deliver(&mut state, &key.group, &key.session, message);
    }

    fn closed(&self, key: &SessionKey, reason: CloseReason) {
        let mut state = self.lock();
        // Delivered while the session is known: `close` follows its current connection.
        let Some(session) = state.sessions.get(key) else {
            return;
        };
        let (shard, lived) = (session.shard, session.joined.elapsed());
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
        for link in state.placement.remove(&call, shard) {
            self.link_down(&call, link);
        }
        self.metrics
            .sessions
            .with_label_values(&[key.group.as_str()])
            .dec();
        self.metrics
            .own
            .legs
            .set(i64::try_from(state.placement.legs()).unwrap_or(i64::MAX));
        drop(state);
        self.session_ended.notify_waiters();
    }

    /// Queues a message on the session's connection, or on the newest live one of its client.
    fn deliver(
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
        let bound = state
            .sessions
            .get(&key)
            .map(|session| session.connection.clone());
        let outcome = state.connections.deliver(group, bound.as_ref(), message);
        match outcome {
            connections::Delivered::Bound => {}
            connections::Delivered::Moved(connection) => {
                debug!(sessionID = %session, connID = %connection, "session follows its client");
                if let Some(session) = state.sessions.get_mut(&key) {
                    session.connection = connection;
                }
            }
            connections::Delivered::Held => {
                debug!(sessionID = %session, "held for the client's next connection");
            }
            connections::Delivered::Dropped(reason) => {
                self.metrics.dropped("ws_queue", reason);
            }
        }
    }

    fn link_up(&self, call: &CallKey, link: Link) {
        let [first, second] = link.ends;
        for (shard, peer) in [(first, second), (second, first)] {
            let message = ShardMessage::LinkUp {
                call: call.clone(),
                link: link.id,
                peer,
            };
            self.send_or_warn(shard, message);
        }
    }

    fn link_down(&self, call: &CallKey, link: Link) {
        for shard in link.ends {
            let message = ShardMessage::LinkDown {
                call: call.clone(),
                link: link.id,
            };
            self.send_or_warn(shard, message);
        }
    }

    fn send(&self, shard: ShardId, message: ShardMessage) -> Result<(), ControlError> {
        let inbox = self.shards.get(shard.0).ok_or(ControlError::Overloaded)?;
        inbox.send(message).map_err(|full| {
            self.metrics.dropped("inbox", "control");
            warn!(
                shard = shard.0,
                depth = full.depth,
                "shard overloaded, message refused"
            );
            ControlError::Overloaded
        })
    }

    /// For what has nobody to answer to: `send` has logged and counted already.
    fn send_or_warn(&self, shard: ShardId, message: ShardMessage) {
        let _ = self.send(shard, message);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of_group(&self, group: &GroupId) -> impl Iterator<Item = (&SessionKey, &Session)> {
        let wanted = group.clone();
        // The map is ordered by tenant first; ids are never empty, so nothing sorts before "!".
        let first = SessionKey {
            group: group.clone(),
            session: SessionId::parse("!").expect("one printable character is an id"),
        };
        self.sessions
            .range(first..)
            .take_while(move |(key, _)| key.group == wanted)
    }
}

impl Session {
    fn describe(&self, key: &SessionKey) -> SessionConfig {
        SessionConfig {
            group_id: key.group.to_string(),
            call_id: self.call.to_string(),
            user_id: self.user.to_string(),
            session_id: key.session.to_string(),
            props: Some(SessionProps {
                av1_support: Some(self.av1_support),
                channel_id: Some(self.channel.clone()),
                dc_signalling: Some(self.dc_signalling),
            }),
        }
    }
}

fn session_of(message: &ControlMessage) -> Option<SessionId> {
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

#[cfg(test)]
mod tests;
