//! The control side: which sessions there are, where they are, and who is told about them.
//!
//! In: control messages of authenticated connections; events of the shards. Out: messages into
//! shards' inboxes; encoded messages into connections' queues.
//! Not here: sockets and frames (`ws`), media (`driver`).
//! Invariants: a session is looked up within the sender's tenant only, so another tenant's id
//! behaves as unknown. Everything about one session keeps its order. A session outlives the
//! connection it was joined on. Each accepted join ends in exactly one `close`, said by the node that is
//! spoken to; beside other nodes one more answers whoever asks by `reconnect` for a session that is over.

mod connections;
mod delivery;
mod elsewhere;
mod lookup;
mod nodes;
mod relays;
mod shards;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use proto::id::{CallId, ConnId, GroupId, SessionId, UserId};
use proto::rtcd::{ControlMessage, JoinMessage, RtcKind, RtcMessage};
use rtcd_core::{CallKey, CloseReason, Dialect, HostCandidate, JoinRequest, SessionKey, Signal};
use tracing::{debug, info};

use crate::door::rtcd::{self as door, Said};
use crate::driver::{InboxSender, ShardMessage};
use crate::metrics::Metrics;
use crate::node_link::NodeLink;
use crate::placement::{NodeSerial, Placement, ShardId};
use crate::system::CpuLoad;
use crate::turn::Relays;
use connections::Connections;
pub(crate) use connections::{Connection, Queue};
use delivery::session_of;
pub(crate) use lookup::LookupError;
use relays::SessionRelay;
use shards::Shards;

/// Something a shard says about a session.
#[derive(Debug)]
pub(crate) enum ShardEvent {
    Signal {
        key: SessionKey,
        signal: Signal,
    },
    Voice {
        key: SessionKey,
        speaking: bool,
    },
    Closed {
        key: SessionKey,
        reason: CloseReason,
    },
    /// The leg of a call on this shard has panicked; its sessions were said to be closed before.
    LegLost {
        call: CallKey,
        shard: ShardId,
    },
    /// A relay has an address for it. (Of the relays, not of a shard.)
    Relayed {
        key: SessionKey,
        address: SocketAddr,
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

impl ControlError {
    /// The metric label of a join that ends so.
    fn outcome(&self) -> &'static str {
        match self {
            Self::DuplicateJoin => "duplicate",
            Self::Draining => "draining",
            Self::UnknownSession => "unknown_session",
            Self::Overloaded => "overloaded",
        }
    }
}

/// Where the media of a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Home {
    Here(ShardId),
    /// On this node.
    There(Arc<str>),
}

/// Who asked for a session, and is told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asker {
    /// A client, over this connection; it may be gone.
    Connection(ConnId),
    /// Another node, which passes on what a client asks.
    Node(Arc<str>),
}

#[derive(Debug)]
struct Session {
    call: CallId,
    user: UserId,
    channel: String,
    av1_support: bool,
    dc_signalling: bool,
    home: Home,
    asker: Asker,
    joined: Instant,
    relay: Option<SessionRelay>,
    /// Its client wants it to end, which another node is to be told.
    leaves: bool,
}

#[derive(Debug)]
struct State {
    sessions: BTreeMap<SessionKey, Session>,
    placement: Placement,
    connections: Connections,
    nodes: BTreeMap<NodeSerial, Arc<dyn NodeLink>>,
    /// Sessions that were given to another node and are spoken to there, and since when.
    let_go: BTreeMap<SessionKey, (Arc<str>, Instant)>,
}

/// How much a node takes.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// Sessions of one call on one shard before it spreads to another.
    pub(crate) leg_sessions: usize,
    /// Sessions of one call before it spreads to another node; 0: as many as the load allows.
    pub(crate) call_sessions: usize,
    /// How busy this machine is, if that counts, and its processors.
    pub(crate) load: Option<(CpuLoad, usize)>,
}

impl Room {
    /// How much of this machine is taken, in thousandths.
    fn taken(&self) -> u16 {
        let load = self.load.as_ref();
        load.map_or(0, |(load, cpus)| load.thousandths(*cpus))
    }
}

/// The control side of a node.
#[derive(Debug)]
pub(crate) struct Control {
    state: Mutex<State>,
    shards: Shards,
    relays: Option<Relays>,
    room: Room,
    metrics: Arc<Metrics>,
    draining: AtomicBool,
    /// Told whenever a session ends.
    session_ended: tokio::sync::Notify,
}

impl Control {
    pub(crate) fn new(
        shards: Vec<InboxSender>,
        room: Room,
        relays: Option<Relays>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let state = State {
            sessions: BTreeMap::new(),
            placement: Placement::new(shards.len(), room.leg_sessions),
            connections: Connections::default(),
            nodes: BTreeMap::new(),
            let_go: BTreeMap::new(),
        };
        Self {
            state: Mutex::new(state),
            shards: Shards::new(shards, Arc::clone(&metrics)),
            relays,
            room,
            metrics,
            draining: AtomicBool::new(false),
            session_ended: tokio::sync::Notify::new(),
        }
    }

    /// Whether a media socket gives nothing but errors.
    pub(crate) fn has_failing_sockets(&self) -> bool {
        self.shards.has_failing_sockets()
    }

    /// Adds a connection of a client; its `hello` and what was held for the client wait in the queue.
    pub(crate) fn connect(&self, group: &GroupId) -> Connection {
        let connection = self.lock().connections.open(group);
        self.metrics.tenant_came(group);
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
        self.metrics.tenant_went(&connection.group);
        let mut state = self.lock();
        state.connections.close(connection);
        for message in unsent {
            if let Some(session) = session_of(&message) {
                self.deliver(&mut state, &connection.group, &session, message);
            }
        }
    }

    /// Takes a session in, which can reach this node at `candidates`.
    ///
    /// # Errors
    /// When it is in already, the node drains, or its shard is overloaded.
    pub(crate) fn join(
        &self,
        connection: &Connection,
        join: JoinMessage,
        candidates: Arc<[HostCandidate]>,
    ) -> Result<(), ControlError> {
        let began = Instant::now();
        let group = connection.group.clone();
        let asker = Asker::Connection(connection.id.clone());
        let joined = if self.passes_on(connection, &join) {
            Ok(())
        } else {
            self.take_in(&group, asker, join, candidates)
        };
        if let Err(error) = &joined {
            self.metrics
                .joined(&group, error.outcome(), began.elapsed());
        }
        joined
    }

    fn take_in(
        &self,
        group: &GroupId,
        asker: Asker,
        join: JoinMessage,
        candidates: Arc<[HostCandidate]>,
    ) -> Result<(), ControlError> {
        let began = Instant::now();
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
            dialect: Dialect::Calls {
                offers_over_channel: join.dc_signalling,
            },
            candidates: Some(candidates),
        };
        // Sent under the lock: joins, links and leaves of a call reach its shards in one order.
        if self
            .shards
            .send(placed.shard, ShardMessage::Join(request))
            .is_err()
        {
            state.placement.remove(&call, placed.shard);
            return Err(ControlError::Overloaded);
        }
        if let Some(opened) = placed.opened {
            for link in opened.links {
                self.shards.link_up(&call, link);
            }
            for link in opened.far {
                self.far_link_up(&state, &call, link);
            }
            self.tell_legs(&state, &call);
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
            home: Home::Here(placed.shard),
            asker,
            joined: began,
            relay: self.relay_for(&key),
            leaves: false,
        };
        state.sessions.insert(key, session);
        self.metrics.tenant_came(group);
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
        let mut state = self.lock();
        let session = state.sessions.get_mut(&key);
        let session = session.ok_or(ControlError::UnknownSession)?;
        session.leaves = true;
        match session.home.clone() {
            Home::Here(shard) => self.shards.send(shard, ShardMessage::Leave(key)),
            Home::There(node) => {
                state.ask(&node, group, &ControlMessage::Leave(key.session));
                Ok(())
            }
        }
    }

    /// Sends messages for a session to this connection from now on. A node that asked for the session has no
    /// part in it any more.
    ///
    /// # Errors
    /// When the client has no such session; where there are other nodes it is told so by `close`.
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
        let Some(session) = state.sessions.get_mut(&key) else {
            // It ended meanwhile; whoever had it from another node hears of that nowhere else. rtcd says
            // nothing, and neither does a node alone.
            if !state.nodes.is_empty() {
                let close = ControlMessage::Close(key.session);
                let (group, id) = (&connection.group, &connection.id);
                state.connections.deliver(group, Some(id), close);
            }
            return Err(ControlError::UnknownSession);
        };
        let asker = Asker::Connection(connection.id.clone());
        if let Asker::Node(node) = std::mem::replace(&mut session.asker, asker) {
            let is_spoken_to = ControlMessage::Reconnect(key.session);
            state.tell(&node, &key.group, &is_spoken_to);
        }
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
        self.rtc_by(None, group, message).await
    }

    /// The same, passed on by another node, which may have no part in the session any more.
    pub(super) async fn rtc_by(
        &self,
        node: Option<&Arc<str>>,
        group: &GroupId,
        message: RtcMessage,
    ) -> Result<(), ControlError> {
        let session =
            SessionId::parse(message.session.as_str()).map_err(|_| ControlError::UnknownSession)?;
        let key = SessionKey {
            group: group.clone(),
            session,
        };
        let (said, kind) = (door::read(&message), message.kind);
        let home = {
            let state = self.lock();
            match state.sessions.get(&key) {
                Some(session) => {
                    if let (Some(relayed), Ok(said)) = (&session.relay, &said) {
                        relayed.permit(said);
                    }
                    session.home.clone()
                }
                // Said before its client spoke to the node that has it.
                None if node.is_none() && is_negotiation(message.kind) => {
                    let node = state.let_go_to(&key);
                    Home::There(node.ok_or(ControlError::UnknownSession)?)
                }
                None => return Err(ControlError::UnknownSession),
            }
        };
        let shard = match home {
            Home::Here(shard) => shard,
            Home::There(node) => {
                let message = ControlMessage::Rtc(message);
                self.pass_on(&node, group, &message).await;
                return Ok(());
            }
        };
        let request = match said {
            Ok(Said::Asks(request)) => request,
            Ok(Said::Candidate(_) | Said::Nothing) => return Ok(()),
            Err(error) => {
                debug!(sessionID = %key.session, %error, "message refused");
                self.metrics.dropped("door", "bad_message");
                return Ok(());
            }
        };
        self.shards.wait_for(shard).await;
        let state = self.lock();
        if node.is_some_and(|node| !is_negotiation(kind) && !state.heeds(node, &key)) {
            return Ok(());
        }
        self.shards
            .send(shard, ShardMessage::Control { key, request })
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

    /// Returns how many calls and sessions have media here.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        let calls = state.placement.calls();
        let each = calls.map(|call| state.placement.sessions_of(call));
        each.fold((0, 0), |(calls, all), sessions| (calls + 1, all + sessions))
    }

    /// Refreshes gauges that nobody sets as they change.
    pub(crate) fn refresh_metrics(&self) {
        self.shards.refresh_metrics();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A description or a candidate.
fn is_negotiation(kind: RtcKind) -> bool {
    matches!(kind, RtcKind::Sdp | RtcKind::Ice)
}

#[cfg(test)]
mod tests;
