//! Sessions whose media is on another node than the one that was asked for them.
//!
//! In: joins that another node is to take, what such a node says, what it is asked. Out: the same, passed
//! on. Neither the client nor the participant needs to know: the participant's media goes where the
//! answer's candidates lead, and the node that was asked stays the one that is spoken to. A client that
//! understands where a session is, which is said beside its descriptions, speaks to that node from then on,
//! by `reconnect`; the one that was asked lets the session go, and may end without it.
//! Invariants: what was passed on is not passed on again; one client or one node speaks for a session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::{GroupId, SessionId};
use proto::rtcd::{ControlMessage, JoinMessage, NodeMessage, RtcKind, SessionMessage};
use rtcd_core::{CallKey, CloseReason, HostCandidate, SessionKey};
use tracing::{info, warn};

use super::shards::CONGESTION_PAUSE;
use super::{Asker, Connection, Control, ControlError, Home, Session, State};
use crate::node_link::NodeLink;
use crate::spread::{self, Candidate, Choice, Own};

/// What a client had said of a session before it spoke to another node about it comes within this time.
const LET_GO_FOR: Duration = Duration::from_secs(10);

impl Control {
    /// Gives a join to another node, if one should have it; whether that was done.
    pub(super) fn passes_on(&self, connection: &Connection, join: &JoinMessage) -> bool {
        let group = &connection.group;
        let mut state = self.lock();
        let key = SessionKey {
            group: group.clone(),
            session: join.session.clone(),
        };
        if state.nodes.is_empty() || state.sessions.contains_key(&key) {
            return false;
        }
        let call = CallKey {
            group: group.clone(),
            call: join.call.clone(),
        };
        let Some(node) = self.chosen(&state, &call) else {
            return false;
        };
        let name = node.node();
        info!(
            groupID = %group, callID = %join.call, sessionID = %key.session, userID = %join.user,
            node = %name, "session is given to another node"
        );
        let session = Session {
            call: join.call.clone(),
            user: join.user.clone(),
            channel: join.channel.clone(),
            av1_support: join.av1_support,
            dc_signalling: join.dc_signalling,
            home: Home::There(name.clone()),
            asker: Asker::Connection(connection.id.clone()),
            joined: Instant::now(),
            relay: None,
            leaves: false,
        };
        state.sessions.insert(key, session);
        self.metrics.tenant_came(group);
        state.ask(&name, group, &ControlMessage::Join(join.clone()));
        true
    }

    /// The node that should have the next session of a call; `None`: this one.
    fn chosen(&self, state: &State, call: &CallKey) -> Option<Arc<dyn NodeLink>> {
        let own = Own {
            is_draining: self.is_draining(),
            load: self.room.taken(),
            sessions: state.placement.sessions_of(call),
        };
        let by_load = self.room.load.is_some();
        let others = state.nodes.values().filter_map(|node| {
            Some(Candidate {
                node: node.serial(),
                load: node.room().map(|load| if by_load { load } else { 0 })?,
                has_leg: state.placement.is_at(call, node.serial()),
            })
        });
        let others: Vec<Candidate> = others.collect();
        let random = |below: usize| rand::random_range(0..below);
        match spread::choose(own, self.room.call_sessions, &others, random) {
            Choice::Here => None,
            Choice::There(node) => state.nodes.get(&node).cloned(),
        }
    }

    /// Asks the node that has a session; waits while so much waits to be said to it, so that the client
    /// is read no faster than that node works.
    pub(super) async fn pass_on(&self, node: &str, group: &GroupId, message: &ControlMessage) {
        let link = self.lock().link_to(node).cloned();
        // While it is away nothing is asked: what became of the session is asked when it is back.
        let Some(link) = link else { return };
        while link.is_congested() {
            tokio::time::sleep(CONGESTION_PAUSE).await;
        }
        link.say(&asked(group, message));
    }

    /// Another node passes a join on.
    ///
    /// # Errors
    /// As `join`; the other node is told.
    pub(crate) fn join_for(
        &self,
        node: &Arc<str>,
        group: &GroupId,
        join: JoinMessage,
        candidates: Arc<[HostCandidate]>,
    ) -> Result<(), ControlError> {
        let session = join.session.clone();
        let began = Instant::now();
        let asker = Asker::Node(Arc::clone(node));
        let joined = self.take_in(group, asker, join, candidates);
        if let Err(error) = &joined {
            self.metrics.joined(group, error.outcome(), began.elapsed());
            self.lock()
                .tell(node, group, &ControlMessage::Close(session));
        }
        joined
    }

    /// Another node that passed a session on is back, over another connection.
    pub(crate) fn rebind_for(&self, node: &Arc<str>, group: &GroupId, session: SessionId) {
        let key = SessionKey {
            group: group.clone(),
            session,
        };
        let mut state = self.lock();
        match state.sessions.get_mut(&key) {
            Some(session) => session.asker = Asker::Node(Arc::clone(node)),
            // It ended meanwhile, or with this node's last life.
            None => {
                state.tell(node, group, &ControlMessage::Close(key.session));
            }
        }
    }

    /// Another node passes on what its client says of a session. Where the client speaks to this node itself,
    /// that node asks nothing any more, which it is told; but for descriptions and candidates, which it may
    /// have had from the client before.
    ///
    /// # Errors
    /// As `rtc` and `leave`.
    pub(crate) async fn asked_by(
        &self,
        node: &Arc<str>,
        group: &GroupId,
        message: ControlMessage,
    ) -> Result<(), ControlError> {
        match message {
            ControlMessage::Rtc(message) => self.rtc_by(Some(node), group, message).await,
            ControlMessage::Leave(session) if self.heeds(node, group, &session) => {
                self.leave(group, session)
            }
            ControlMessage::Reconnect(session) if self.heeds(node, group, &session) => {
                self.rebind_for(node, group, session);
                Ok(())
            }
            ControlMessage::Join(_)
            | ControlMessage::Leave(_)
            | ControlMessage::Reconnect(_)
            | ControlMessage::Hello(_)
            | ControlMessage::Vad(_)
            | ControlMessage::Close(_)
            | ControlMessage::Unknown(_) => Ok(()),
        }
    }

    fn heeds(&self, node: &Arc<str>, group: &GroupId, session: &SessionId) -> bool {
        let key = SessionKey {
            group: group.clone(),
            session: session.clone(),
        };
        self.lock().heeds(node, &key)
    }

    /// Another node says something of a session that it took.
    pub(crate) fn told_by(&self, node: &Arc<str>, group: &GroupId, mut message: ControlMessage) {
        let session = match &message {
            ControlMessage::Rtc(about) | ControlMessage::Vad(about) => {
                SessionId::parse(about.session.as_str()).ok()
            }
            ControlMessage::Close(session) | ControlMessage::Reconnect(session) => {
                Some(session.clone())
            }
            ControlMessage::Hello(_)
            | ControlMessage::Join(_)
            | ControlMessage::Leave(_)
            | ControlMessage::Unknown(_) => None,
        };
        let Some(session) = session else {
            self.metrics.dropped("node_link", "malformed");
            return;
        };
        let key = SessionKey {
            group: group.clone(),
            session,
        };
        let mut state = self.lock();
        let home = state.sessions.get(&key).map(|session| &session.home);
        if home != Some(&Home::There(Arc::clone(node))) {
            return;
        }
        match &mut message {
            ControlMessage::Close(_) => {
                drop(state);
                self.closed(&key, CloseReason::Left);
                return;
            }
            ControlMessage::Reconnect(_) => {
                self.let_go(&mut state, &key, node);
                return;
            }
            ControlMessage::Rtc(about) if about.kind == RtcKind::Sdp => {
                let url = state.link_to(node).and_then(|link| link.url());
                about.node = url.unwrap_or_default();
            }
            ControlMessage::Rtc(_)
            | ControlMessage::Vad(_)
            | ControlMessage::Hello(_)
            | ControlMessage::Join(_)
            | ControlMessage::Leave(_)
            | ControlMessage::Unknown(_) => {}
        }
        self.deliver(&mut state, group, &key.session, message);
    }

    /// The client of a session speaks to the node that has it.
    fn let_go(&self, state: &mut State, key: &SessionKey, node: &Arc<str>) {
        info!(
            groupID = %key.group, sessionID = %key.session, %node,
            "session is spoken to at the node that has it"
        );
        state.sessions.remove(key);
        state
            .let_go
            .retain(|_, (_, since)| since.elapsed() < LET_GO_FOR);
        let since = (Arc::clone(node), Instant::now());
        state.let_go.insert(key.clone(), since);
        self.metrics.tenant_went(&key.group);
        self.session_ended.notify_waiters();
    }

    /// A node that was away is back: it says what became of the sessions that it took.
    pub(super) fn ask_for_sessions(state: &State, node: &dyn NodeLink) {
        let name = node.node();
        let there = state
            .sessions
            .iter()
            .filter(|(_, session)| session.home == Home::There(Arc::clone(&name)));
        for (key, session) in there {
            let id = key.session.clone();
            let message = if session.leaves {
                ControlMessage::Leave(id)
            } else {
                ControlMessage::Reconnect(id)
            };
            node.say(&asked(&key.group, &message));
        }
    }

    /// A node stayed away: the sessions that it took are over.
    pub(crate) fn node_stays_away(&self, node: &Arc<str>) {
        let state = self.lock();
        if state.link_to(node).is_some() {
            return;
        }
        let there = state
            .sessions
            .iter()
            .filter(|(_, session)| session.home == Home::There(Arc::clone(node)));
        let lost: Vec<SessionKey> = there.map(|(key, _)| key.clone()).collect();
        drop(state);
        if lost.is_empty() {
            return;
        }
        warn!(%node, sessions = lost.len(), "a node stays away, and with it the sessions it took");
        for key in lost {
            self.closed(&key, CloseReason::IceFailed);
        }
    }
}

impl State {
    fn link_to(&self, node: &str) -> Option<&Arc<dyn NodeLink>> {
        let mut nodes = self.nodes.values();
        nodes.find(|link| *link.node() == *node)
    }

    /// Where a session is that was let go a moment ago.
    pub(super) fn let_go_to(&self, key: &SessionKey) -> Option<Arc<str>> {
        let (node, since) = self.let_go.get(key)?;
        (since.elapsed() < LET_GO_FOR).then(|| Arc::clone(node))
    }

    /// Whether another node still has a say in a session; if not, it is told.
    pub(super) fn heeds(&self, node: &str, key: &SessionKey) -> bool {
        let asker = self.sessions.get(key).map(|session| &session.asker);
        let is_spoken_to = matches!(asker, Some(Asker::Connection(_)));
        if is_spoken_to {
            let reconnect = ControlMessage::Reconnect(key.session.clone());
            self.tell(node, &key.group, &reconnect);
        }
        !is_spoken_to
    }

    /// Asks the node that has a session. While it is away nothing is asked: what became of the session
    /// is asked when it is back.
    pub(super) fn ask(&self, node: &str, group: &GroupId, message: &ControlMessage) {
        if let Some(link) = self.link_to(node) {
            link.say(&asked(group, message));
        }
    }

    /// Tells the node that passed a session on; whether it is there.
    pub(super) fn tell(&self, node: &str, group: &GroupId, message: &ControlMessage) -> bool {
        let link = self.link_to(node);
        if let Some(link) = link {
            link.say(&NodeMessage::Told(SessionMessage {
                group: group.clone(),
                message: message.clone(),
            }));
        }
        link.is_some()
    }
}

fn asked(group: &GroupId, message: &ControlMessage) -> NodeMessage {
    NodeMessage::Asked(SessionMessage {
        group: group.clone(),
        message: message.clone(),
    })
}
