//! What a media host must still be told, and what it may have to be told again.
//!
//! In: messages for the host, what it answers, what it still has after an outage. Out: messages in
//! the order in which they must be written. No I/O, no clock.
//! Messages are of two kinds. *State* (join, leave, microphone, screen, camera, whose connection a
//! session is) is never lost: it waits as long as the host is away, the newest of a kind replaces
//! what it overtakes, and it is said again after an outage. *Signals* (descriptions, candidates)
//! wait within a bound per session; a session that goes over it is given up, because a negotiation
//! with a hole in it would be silence that nobody sees.
//! Invariant: what is about one session leaves in the order it was said, and so does the state of all
//! of them: a screen given up is off before another is on. After an outage state comes first.

mod handed;
mod session;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proto::id::{CallId, SessionId};
use proto::rtcd::{ControlMessage, JoinMessage, RtcKind, RtcMessage};

pub(super) use handed::Handed;
use session::Session;

/// Signals of one session that may wait. A join brings an offer and some tens of candidates.
const MAX_SIGNALS: usize = 64;
/// Bytes of them: eight of the largest descriptions.
const MAX_SIGNAL_BYTES: usize = 512 * 1024;
/// Messages written and not known to have arrived that are kept; the oldest goes first. More than a
/// connection holds on its way.
const MAX_WRITTEN: usize = 16 * 1024;

/// A session of a running call that the host should still have when this process begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownSession {
    pub(crate) session: SessionId,
    pub(crate) call: CallId,
    pub(crate) unmuted: bool,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The session is not in a call of this host, or has left.
    NoSession,
    /// Its signals have waited too long: the session is given up, the host is told to end it.
    GivenUp,
    /// Nothing that one says to a media host.
    NotForHosts,
}

/// Which state a message sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Microphone,
    Screen,
    Camera,
}

#[derive(Debug, Clone)]
enum Item {
    Join(JoinMessage),
    Leave,
    Reconnect,
    State(Kind, RtcMessage),
    Signal(RtcMessage),
}

#[derive(Debug, Clone)]
struct Entry {
    session: SessionId,
    item: Item,
    /// It was written once, into a connection that broke.
    tried: bool,
}

/// A join or a leave that waits: what the host will know of the session first.
#[derive(Debug, Clone, Copy)]
struct Turn {
    number: u64,
    is_join: bool,
    tried: bool,
}

impl Entry {
    fn message(&self) -> ControlMessage {
        match &self.item {
            Item::Join(join) => ControlMessage::Join(join.clone()),
            Item::Leave => ControlMessage::Leave(self.session.clone()),
            Item::Reconnect => ControlMessage::Reconnect(self.session.clone()),
            Item::State(_, message) | Item::Signal(message) => ControlMessage::Rtc(message.clone()),
        }
    }
}

/// A message on its way: the number under which it waited, and of the ping that follows it.
#[derive(Debug)]
struct Written {
    number: u64,
    ping: u64,
    entry: Entry,
}

/// Everything one host must be told.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    sessions: BTreeMap<SessionId, Session>,
    /// What is said again after an outage; goes before `waiting`.
    again: VecDeque<Entry>,
    waiting: BTreeMap<u64, Entry>,
    written: VecDeque<Written>,
    next_number: u64,
    /// The number of the ping to be sent next.
    next_ping: u64,
    /// A ping is under way.
    is_pinged: bool,
}

impl Backlog {
    pub(super) fn new(known: impl IntoIterator<Item = KnownSession>) -> Self {
        let sessions = known.into_iter().map(|known| {
            let kind = if known.unmuted {
                RtcKind::Unmute
            } else {
                RtcKind::Mute
            };
            let mut session = Session::new(known.call);
            let message = RtcMessage::for_session(&known.session, kind, Vec::new());
            session.wanted.insert(Kind::Microphone, message);
            (known.session, session)
        });
        Self {
            sessions: sessions.collect(),
            ..Self::default()
        }
    }

    /// Takes a message for the host.
    ///
    /// # Errors
    /// When there is nothing to do with it.
    pub(super) fn push(&mut self, message: ControlMessage) -> Result<(), Refused> {
        match message {
            ControlMessage::Join(join) => {
                self.join(join);
                Ok(())
            }
            ControlMessage::Leave(session) => self.leave(&session),
            ControlMessage::Reconnect(session) => {
                self.in_call(&session)?;
                self.wait(session, Item::Reconnect);
                Ok(())
            }
            ControlMessage::Rtc(message) => {
                let session = SessionId::parse(message.session.as_str());
                let session = session.map_err(|_| Refused::NoSession)?;
                self.in_call(&session)?;
                self.say(session, message)
            }
            ControlMessage::Hello(_)
            | ControlMessage::Vad(_)
            | ControlMessage::Close(_)
            | ControlMessage::Unknown(_) => Err(Refused::NotForHosts),
        }
    }

    /// The next message to be written; it counts as written.
    pub(super) fn take(&mut self) -> Option<ControlMessage> {
        if let Some(entry) = self.again.pop_front() {
            return Some(entry.message());
        }
        let (number, mut entry) = self.waiting.pop_first()?;
        entry.tried = true;
        if let Some(session) = self.sessions.get_mut(&entry.session) {
            session.taken(number, &entry.item);
        }
        let message = entry.message();
        match entry.item {
            Item::Join(_) | Item::Leave | Item::Signal(_) => {
                if self.written.len() >= MAX_WRITTEN {
                    self.confirm_oldest();
                }
                self.written.push_back(Written {
                    number,
                    ping: self.next_ping,
                    entry,
                });
            }
            // Said again in any case after an outage, from what is known then.
            Item::State(..) | Item::Reconnect => {}
        }
        Some(message)
    }

    pub(super) fn has_something(&self) -> bool {
        !self.again.is_empty() || !self.waiting.is_empty()
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.again.len() + self.waiting.len()
    }

    /// Whether the host should be asked how far it has read. One ping at a time.
    pub(super) fn wants_ping(&self) -> bool {
        !self.written.is_empty() && !self.is_pinged
    }

    /// The number of a ping to be sent now: its pong confirms everything written before.
    pub(super) fn ping(&mut self) -> Option<u64> {
        if !self.wants_ping() {
            return None;
        }
        let ping = self.next_ping;
        self.next_ping += 1;
        self.is_pinged = true;
        Some(ping)
    }

    /// The host answered a ping.
    pub(super) fn confirm(&mut self, ping: u64) {
        self.is_pinged = false;
        while self
            .written
            .front()
            .is_some_and(|oldest| oldest.ping <= ping)
        {
            self.confirm_oldest();
        }
    }

    /// The host answered a description: it has it.
    pub(super) fn answered(&mut self, session: &SessionId) {
        self.written.retain(|written| {
            let is_offer = matches!(&written.entry.item, Item::Signal(m) if m.kind == RtcKind::Sdp);
            !(is_offer && written.entry.session == *session)
        });
    }

    /// The host ended a session. False when it is one that left, and perhaps came again since.
    pub(super) fn closed(&mut self, id: &SessionId) -> bool {
        let first = self.first_turn(id);
        let Some(session) = self.sessions.get_mut(id) else {
            return false;
        };
        if session.ends > 0 {
            session.ends -= 1;
            self.forget_if_gone(id);
            return false;
        }
        match first {
            Some(turn) if turn.is_join => false,
            // It ended by itself just before it would have been told to.
            Some(turn) => {
                self.unqueue(id, turn.number);
                self.forget_if_gone(id);
                false
            }
            None => {
                self.forget(id);
                true
            }
        }
    }

    /// Calls whose sessions the host must be asked about after an outage.
    pub(super) fn calls(&self) -> BTreeSet<CallId> {
        self.sessions
            .values()
            .map(|session| session.call.clone())
            .collect()
    }

    /// A new connection to the host stands. `has` are the sessions it has of each call of
    /// `calls`, or `None` when it cannot tell. Returns the sessions it has lost.
    pub(super) fn reconnected(
        &mut self,
        has: Option<&BTreeMap<CallId, BTreeSet<SessionId>>>,
    ) -> Vec<SessionId> {
        self.again.clear();
        self.is_pinged = false;
        self.take_back();
        let lost = has.map_or_else(Vec::new, |has| self.reconcile(has));
        self.say_again();
        lost
    }

    /// The host is gone: all its sessions are lost.
    pub(super) fn lose_all(&mut self) -> Vec<SessionId> {
        let calls = self.calls().into_iter();
        let has = calls.map(|call| (call, BTreeSet::new())).collect();
        self.reconnected(Some(&has))
    }

    /// Whether a session is in a call of this host.
    pub(super) fn has(&self, id: &SessionId) -> bool {
        self.in_call(id).is_ok()
    }

    fn join(&mut self, join: JoinMessage) {
        let id = join.session.clone();
        let session = self
            .sessions
            .entry(id.clone())
            .or_insert_with(|| Session::new(join.call.clone()));
        session.call = join.call.clone();
        session.has_left = false;
        session.wanted.clear();
        self.wait(id, Item::Join(join));
    }

    fn leave(&mut self, id: &SessionId) -> Result<(), Refused> {
        self.in_call(id)?;
        if self.unsay(id) {
            // The host has never heard of it.
            self.forget_if_gone(id);
        } else {
            self.wait(id.clone(), Item::Leave);
        }
        Ok(())
    }

    /// Drops what waits about a session since it joined; true when the join itself was among it and
    /// the host cannot have heard of it.
    fn unsay(&mut self, id: &SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(id) else {
            return false;
        };
        session.end();
        // Without a join the host has it from another, and asks that who is to be told of its end.
        let mut stays = Vec::new();
        while let Some(number) = session.waiting.pop_last() {
            let Some(entry) = self.waiting.remove(&number) else {
                continue;
            };
            match entry.item {
                Item::Join(_) => return !entry.tried,
                Item::Reconnect => stays.push((number, entry)),
                // Of an earlier stay.
                Item::Leave => {
                    stays.push((number, entry));
                    break;
                }
                Item::State(..) | Item::Signal(_) => {}
            }
        }
        for (number, entry) in stays {
            session.waiting.insert(number);
            self.waiting.insert(number, entry);
        }
        false
    }

    fn say(&mut self, id: SessionId, message: RtcMessage) -> Result<(), Refused> {
        let kind = match message.kind {
            RtcKind::Sdp | RtcKind::Ice => return self.signal(id, message),
            RtcKind::VoiceOn | RtcKind::VoiceOff => return Err(Refused::NotForHosts),
            RtcKind::Mute | RtcKind::Unmute => Kind::Microphone,
            RtcKind::ScreenOn | RtcKind::ScreenOff => Kind::Screen,
            RtcKind::VideoOn | RtcKind::VideoOff => Kind::Camera,
        };
        self.set(id, kind, message);
        Ok(())
    }

    fn set(&mut self, id: SessionId, kind: Kind, message: RtcMessage) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.wanted.insert(kind, message.clone());
            if let Some(overtaken) = session.overtaken(kind) {
                self.waiting.remove(&overtaken);
            }
        }
        self.wait(id, Item::State(kind, message));
    }

    fn signal(&mut self, id: SessionId, message: RtcMessage) -> Result<(), Refused> {
        let fits = self
            .sessions
            .get(&id)
            .is_some_and(|session| session.takes(message.data.len()));
        if fits {
            self.wait(id, Item::Signal(message));
            return Ok(());
        }
        self.leave(&id)?;
        Err(Refused::GivenUp)
    }

    fn in_call(&self, id: &SessionId) -> Result<(), Refused> {
        let session = self.sessions.get(id).filter(|session| !session.has_left);
        session.map(|_| ()).ok_or(Refused::NoSession)
    }

    fn wait(&mut self, session: SessionId, item: Item) {
        let number = self.next_number;
        self.next_number += 1;
        let entry = Entry {
            session,
            item,
            tried: false,
        };
        self.wait_as(number, entry);
    }

    fn wait_as(&mut self, number: u64, entry: Entry) {
        if let Some(session) = self.sessions.get_mut(&entry.session) {
            session.waits(number, &entry.item);
            self.waiting.insert(number, entry);
        }
    }

    fn confirm_oldest(&mut self) {
        if let Some(Written { entry, .. }) = self.written.pop_front()
            && matches!(entry.item, Item::Leave)
        {
            self.forget_if_gone(&entry.session);
        }
    }

    /// Forgets a session that left and about which nothing is left to be said.
    fn forget_if_gone(&mut self, id: &SessionId) {
        let gone = |session: &Session| session.has_left && session.waiting.is_empty();
        if self.sessions.get(id).is_some_and(gone) {
            self.sessions.remove(id);
        }
    }

    fn forget(&mut self, id: &SessionId) {
        let session = self.sessions.remove(id);
        for number in session.into_iter().flat_map(|session| session.waiting) {
            self.waiting.remove(&number);
        }
    }

    fn unqueue(&mut self, id: &SessionId, number: u64) {
        self.waiting.remove(&number);
        if let Some(session) = self.sessions.get_mut(id) {
            session.waiting.remove(&number);
        }
    }

    fn first_turn(&self, id: &SessionId) -> Option<Turn> {
        let waiting = &self.sessions.get(id)?.waiting;
        waiting.iter().find_map(|number| {
            let entry = self.waiting.get(number)?;
            let is_join = matches!(entry.item, Item::Join(_));
            (is_join || matches!(entry.item, Item::Leave)).then_some(Turn {
                number: *number,
                is_join,
                tried: entry.tried,
            })
        })
    }

    /// What was written into the dead connection and not confirmed waits again, in its old place.
    fn take_back(&mut self) {
        for Written { number, entry, .. } in std::mem::take(&mut self.written) {
            if let Some(session) = self.sessions.get_mut(&entry.session)
                && matches!(entry.item, Item::Leave)
            {
                session.ends = session.ends.saturating_sub(1);
            }
            self.wait_as(number, entry);
        }
    }

    /// Compares with what the host has; returns what it has lost.
    fn reconcile(&mut self, has: &BTreeMap<CallId, BTreeSet<SessionId>>) -> Vec<SessionId> {
        let mut lost = Vec::new();
        let ids: Vec<SessionId> = self.sessions.keys().cloned().collect();
        for id in ids {
            let Some(session) = self.sessions.get(&id) else {
                continue;
            };
            let (has_left, sessions) = (session.has_left, has.get(&session.call));
            let is_there = sessions.is_some_and(|sessions| sessions.contains(&id));
            match (self.first_turn(&id), is_there) {
                // The join had arrived.
                (Some(turn), true) if turn.is_join && turn.tried => self.unqueue(&id, turn.number),
                // The leave had arrived, or nobody waits for it any more.
                (Some(turn), false) if !turn.is_join && sessions.is_some() => {
                    if has_left {
                        self.forget(&id);
                    } else {
                        self.unqueue(&id, turn.number);
                    }
                }
                // Of a call that was not asked about it came meanwhile, from another host.
                (None, false) if sessions.is_some() => {
                    self.forget(&id);
                    lost.extend((!has_left).then_some(id));
                }
                (Some(_) | None, _) => {}
            }
        }
        self.end_strangers(has);
        lost
    }

    /// Sessions of our calls that we know nothing of ended while the host could not be told.
    fn end_strangers(&mut self, has: &BTreeMap<CallId, BTreeSet<SessionId>>) {
        for (call, sessions) in has {
            for id in sessions {
                if !self.sessions.contains_key(id) {
                    let mut session = Session::new(call.clone());
                    session.end();
                    self.sessions.insert(id.clone(), session);
                    self.wait(id.clone(), Item::Leave);
                }
            }
        }
    }

    /// Says once more whose connection the sessions are and what they last asked for, unless that
    /// waits anyway. What is off comes first: a screen makes room for the next.
    fn say_again(&mut self) {
        let mut on = Vec::new();
        let mut off = Vec::new();
        for (id, session) in &self.sessions {
            if session.has_left || self.first_turn(id).is_some() {
                continue;
            }
            self.again.push_back(again(id, Item::Reconnect));
            for (kind, message) in &session.wanted {
                if session.states.contains_key(kind) {
                    continue;
                }
                let entry = again(id, Item::State(*kind, message.clone()));
                if is_off(message.kind) {
                    off.push(entry);
                } else {
                    on.push(entry);
                }
            }
        }
        self.again.extend(off);
        self.again.extend(on);
    }
}

fn again(session: &SessionId, item: Item) -> Entry {
    Entry {
        session: session.clone(),
        item,
        tried: true,
    }
}

fn is_off(kind: RtcKind) -> bool {
    matches!(kind, RtcKind::Mute | RtcKind::ScreenOff | RtcKind::VideoOff)
}
