//! A shard: legs of many calls behind one set of sockets, driven by one thread.
//!
//! In: `Input` with the time. Out: `Output`, taken with `poll_output` until it is a `Timeout`.
//! Routes datagrams to sessions, messages to legs, and wakes whoever is due. Sessions that were
//! written to are flushed when the outputs are taken, so that a batch of inputs costs one flush per
//! session.
//! Invariants: a session that is neither addressed nor due is never touched; a panic ends the call
//! it happened in, and nothing else.

mod demux;
mod wheel;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use proto::id::GroupId;

use crate::config::CoreConfig;
use crate::counters::{ConnState, Counters, DropReason};
use crate::egress::MediaBatch;
use crate::io::{
    CallKey, CloseReason, Input, JoinRequest, LinkId, LinkMessage, Output, SessionKey, Transport,
};
use crate::leg::{Ctx, Leg, Notes};
use crate::media::TrackKind;
use crate::session::SessionTemplate;
use demux::{Demux, Place};
use wheel::Wheel;

/// Longest time between two calls of a shard; bounds what a lost wake-up can cost.
const IDLE: Duration = Duration::from_secs(1);

/// Names a leg for as long as the shard lives.
type LegId = u64;

/// Who is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Session(Place),
    Leg(LegId),
}

/// Legs of many calls, driven by one thread.
#[derive(Debug)]
pub struct Shard {
    config: CoreConfig,
    template: SessionTemplate,
    legs: HashMap<LegId, Leg>,
    next_leg: LegId,
    leg_by_call: BTreeMap<CallKey, LegId>,
    sessions: BTreeMap<SessionKey, Place>,
    /// What must be said about the sessions of a leg if it panics.
    calls_by_leg: BTreeMap<LegId, (CallKey, BTreeSet<SessionKey>)>,
    demux: Demux,
    timers: Wheel<Due>,
    due: Vec<Due>,
    dirty: VecDeque<Place>,
    /// Legs with packets to send.
    pending: Vec<LegId>,
    out: VecDeque<Output>,
    media: MediaBatch,
    counters: Counters,
    notes: Notes,
    /// The leg that took the latest datagram.
    last_leg: LegId,
    now: Instant,
}

impl Shard {
    /// Makes an empty shard.
    #[must_use]
    pub fn new(config: CoreConfig, now: Instant) -> Self {
        let template = SessionTemplate::new(&config, now);
        Self {
            config,
            template,
            legs: HashMap::new(),
            next_leg: 0,
            leg_by_call: BTreeMap::new(),
            sessions: BTreeMap::new(),
            calls_by_leg: BTreeMap::new(),
            demux: Demux::default(),
            timers: Wheel::new(now),
            due: Vec::new(),
            dirty: VecDeque::new(),
            pending: Vec::new(),
            out: VecDeque::new(),
            media: MediaBatch::default(),
            counters: Counters::default(),
            notes: Notes::default(),
            last_leg: 0,
            now,
        }
    }

    /// Takes one input that happened at `now`. Several may be given before outputs are taken.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.now = self.now.max(now);
        match input {
            Input::Datagram {
                transport,
                source,
                destination,
                contents,
            } => {
                self.datagram(transport, source, destination, contents);
            }
            Input::TcpClosed { source } => self.demux.forget(Transport::Tcp, source),
            Input::Join(request) => self.join(request),
            Input::Leave(key) => {
                if let Some(place) = self.sessions.get(&key).copied() {
                    self.enter(place.leg, |leg, ctx| {
                        leg.close(ctx, place.session, CloseReason::Left);
                    });
                }
            }
            Input::Control { key, request } => match self.sessions.get(&key).copied() {
                Some(place) => {
                    self.enter(place.leg, |leg, ctx| {
                        leg.control(ctx, place.session, request)
                    });
                }
                None => {
                    tracing::debug!(session = %key.session, "message for an unknown session");
                    self.counters.drop_one(DropReason::UnknownSession);
                }
            },
            Input::LinkUp { call, link } => {
                let id = self.leg(call);
                self.enter(id, |leg, ctx| leg.link_up(ctx, link));
            }
            Input::LinkDown { call, link } => {
                if let Some(id) = self.leg_by_call.get(&call).copied() {
                    self.enter(id, |leg, ctx| leg.link_down(ctx, link));
                }
            }
            Input::Linked {
                call,
                link,
                message,
            } => self.linked(&call, link, message),
            Input::Timeout => self.fire(),
        }
    }

    /// Returns the next effect; `Output::Timeout` when there is none.
    pub fn poll_output(&mut self) -> Output {
        loop {
            while let Some(leg) = self.pending.pop() {
                self.enter(leg, Leg::send_pending);
            }
            if !self.media.is_empty() {
                let media = std::mem::take(&mut self.media);
                self.counters.packets_out += media.packets();
                self.counters.bytes_out += u64::try_from(media.len()).unwrap_or(0);
                return Output::Media(media);
            }
            if let Some(output) = self.out.pop_front() {
                if let Output::Transmit { contents, .. } = &output {
                    self.counters.packets_out += 1;
                    self.counters.bytes_out += u64::try_from(contents.len()).unwrap_or(0);
                }
                return output;
            }
            let Some(place) = self.dirty.pop_front() else {
                break;
            };
            self.enter(place.leg, |leg, ctx| leg.flush(ctx, place.session));
        }
        let due = self.timers.next(self.now);
        Output::Timeout(due.map_or(self.now + IDLE, |at| at.min(self.now + IDLE)))
    }

    /// Takes a batch back that was sent, to use its memory again.
    pub fn recycle(&mut self, mut batch: MediaBatch) {
        if self.media.is_empty() {
            batch.clear();
            self.media = batch;
        }
    }

    /// Forgets what was counted of tenants that have nothing here, once that was read: they may never
    /// come back.
    pub fn forget_idle_groups(&mut self) {
        self.counters.groups.retain(|_, group| !group.is_idle());
    }

    /// Returns what was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns tenant and kind of the packet that was forwarded since the last question, if one was:
    /// for the shell, which times some datagrams.
    pub fn take_fanned_out(&mut self) -> Option<(&GroupId, TrackKind)> {
        let kind = self.notes.fanned_out.take()?;
        let (call, _) = self.calls_by_leg.get(&self.last_leg)?;
        Some((&call.group, kind))
    }

    /// Whether a session here is reached under this ICE name.
    #[must_use]
    pub fn knows_ufrag(&self, ufrag: &str) -> bool {
        self.demux.has_name(ufrag)
    }

    /// Returns how many sessions are in the shard.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Returns how many calls have a leg here.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    fn datagram(
        &mut self,
        transport: Transport,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) {
        self.counters.packets_in += 1;
        self.counters.bytes_in += u64::try_from(contents.len()).unwrap_or(0);
        let Some((place, by_name)) = self.demux.find(transport, source, contents) else {
            self.counters.drop_one(DropReason::UnknownSource);
            return;
        };
        self.last_leg = place.leg;
        let path = (transport, source, destination);
        let accepted = self
            .enter(place.leg, |leg, ctx| {
                leg.datagram(ctx, place.session, path, contents)
            })
            .unwrap_or(false);
        // The session checked that the request was made by its participant.
        if accepted && by_name {
            self.demux.learn(transport, source, place);
        }
    }

    fn join(&mut self, request: JoinRequest) {
        let key = request.key.clone();
        if self.sessions.contains_key(&key) {
            tracing::error!(session = %key.session, "join of a session that is in a call already");
            return;
        }
        let call = CallKey {
            group: key.group.clone(),
            call: request.call.clone(),
        };
        let id = self.leg(call);
        // Noted first: a panic while joining has to close it too.
        if let Some((_, sessions)) = self.calls_by_leg.get_mut(&id) {
            sessions.insert(key.clone());
        }
        let joined = self.enter(id, |leg, ctx| {
            let index = leg.join(ctx, request);
            (index, std::mem::take(&mut ctx.notes.ufrags))
        });
        let Some((Some(session), ufrags)) = joined else {
            return;
        };
        self.sessions.insert(key, Place { leg: id, session });
        for (session, ufrag) in ufrags {
            self.name(ufrag, Place { leg: id, session });
        }
    }

    fn name(&mut self, ufrag: String, place: Place) {
        // Before the description that tells the participant.
        self.out.push_front(Output::Named {
            ufrag: ufrag.clone(),
        });
        self.demux.name(ufrag, place);
    }

    fn linked(&mut self, call: &CallKey, link: LinkId, message: LinkMessage) {
        match self.leg_by_call.get(call).copied() {
            Some(id) => {
                self.enter(id, |leg, ctx| leg.linked(ctx, link, message));
            }
            None => self.counters.drop_one(DropReason::UnknownSource),
        }
    }

    /// Wakes everybody who is due.
    fn fire(&mut self) {
        let mut all = std::mem::take(&mut self.due);
        self.timers.take_due(self.now, &mut all);
        for due in all.drain(..) {
            match due {
                Due::Session(place) => {
                    self.enter(place.leg, |leg, ctx| leg.timeout(ctx, place.session));
                }
                Due::Leg(id) => {
                    self.enter(id, Leg::leg_timeout);
                }
            }
        }
        self.due = all;
    }

    /// Returns the leg of a call, made if there is none.
    fn leg(&mut self, call: CallKey) -> LegId {
        if let Some(id) = self.leg_by_call.get(&call) {
            return *id;
        }
        let id = self.next_leg;
        self.next_leg += 1;
        self.legs.insert(id, Leg::new(call.clone()));
        self.calls_by_leg
            .insert(id, (call.clone(), BTreeSet::new()));
        self.leg_by_call.insert(call, id);
        id
    }

    /// Calls into a leg: the only place, so that a panic inside stays inside. `None` when there is
    /// no such leg, or when it panicked.
    fn enter<R>(&mut self, id: LegId, work: impl FnOnce(&mut Leg, &mut Ctx<'_>) -> R) -> Option<R> {
        let leg = self.legs.get_mut(&id)?;
        let mut ctx = Ctx {
            now: self.now,
            config: &self.config,
            template: &self.template,
            out: &mut self.out,
            media: &mut self.media,
            counters: &mut self.counters,
            notes: &mut self.notes,
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(leg, &mut ctx)));
        if let Ok(result) = result {
            let is_empty = leg.is_empty();
            self.take_notes(id);
            if is_empty {
                self.remove_leg(id);
            }
            Some(result)
        } else {
            self.panicked(id);
            None
        }
    }

    fn take_notes(&mut self, id: LegId) {
        for (session, at) in self.notes.wake.drain(..) {
            let who = Due::Session(Place { leg: id, session });
            self.timers.schedule(self.now, at, who);
        }
        if let Some(at) = self.notes.wake_leg.take() {
            self.timers.schedule(self.now, at, Due::Leg(id));
        }
        if std::mem::take(&mut self.notes.is_pending) && !self.pending.contains(&id) {
            self.pending.push(id);
        }
        let places = self
            .notes
            .dirty
            .drain(..)
            .map(|session| Place { leg: id, session });
        self.dirty.extend(places);
        for (session, ufrag) in std::mem::take(&mut self.notes.ufrags) {
            self.name(ufrag, Place { leg: id, session });
        }
        if self.notes.closed.is_empty() {
            return;
        }
        let closed: BTreeSet<Place> = self
            .notes
            .closed
            .drain(..)
            .map(|session| Place { leg: id, session })
            .collect();
        for place in &closed {
            self.demux.remove(*place);
        }
        if let Some((_, keys)) = self.calls_by_leg.get_mut(&id) {
            let sessions = &mut self.sessions;
            keys.retain(|key| {
                let gone = sessions
                    .get(key)
                    .is_some_and(|place| closed.contains(place));
                if gone {
                    sessions.remove(key);
                }
                !gone
            });
        }
    }

    fn remove_leg(&mut self, id: LegId) {
        self.legs.remove(&id);
        if let Some((call, _)) = self.calls_by_leg.remove(&id) {
            self.leg_by_call.remove(&call);
        }
    }

    /// Ends a call whose leg panicked: its state cannot be trusted, so it is not asked.
    fn panicked(&mut self, id: LegId) {
        self.counters.panics += 1;
        self.notes = Notes::default();
        let Some((call, keys)) = self.calls_by_leg.remove(&id) else {
            return;
        };
        tracing::error!(call = %call.call, sessions = keys.len(), "call ended by a panic");
        self.leg_by_call.remove(&call);
        if let Some(leg) = self.legs.remove(&id) {
            // Looking at it could panic again, and so could freeing it.
            let counters = &mut self.counters;
            drop(catch_unwind(AssertUnwindSafe(|| leg.uncount(counters))));
            drop(catch_unwind(AssertUnwindSafe(|| drop(leg))));
        }
        let gauge = self.counters.group(&call.group);
        gauge.sessions = gauge
            .sessions
            .saturating_sub(u64::try_from(keys.len()).unwrap_or(0));
        // Whatever the leg said about its sessions before is overtaken: `Closed` comes last.
        for key in keys {
            if let Some(place) = self.sessions.remove(&key) {
                self.demux.remove(place);
            }
            self.counters.conn_state(ConnState::Closed);
            let (call, reason) = (call.call.clone(), CloseReason::Panicked);
            self.out.push_back(Output::Closed { key, call, reason });
        }
        self.out.push_back(Output::LegLost { call });
    }
}

#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at the outputs it is about"
)]
mod tests;
