//! Live control connections, and what waits for clients that have none.
//!
//! In: messages for a client. Out: the same, in the queue of the right connection.
//! A client is one installation; each of its nodes has a connection of its own, and only the node
//! that a session's user is connected to makes use of the session's messages. While the connection
//! a session is bound to is gone, nobody here knows which node takes over: where several have been
//! seen all of them are told, and those that connect in the next seconds, too. A node that does not
//! know the session takes no notice.
//! Invariant: nothing here waits. A queue that is full sheds voice activity first and then its
//! connection: a client that reads nothing is as good as gone, and gets its messages on the next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use proto::id::{ConnId, GroupId};
use proto::rtcd::{ControlMessage, HelloMessage};
use tokio::sync::mpsc;

/// Messages that may wait for one connection.
const QUEUE_LEN: usize = 4096;
/// Free places kept for what is not voice activity.
const KEPT_FREE: usize = QUEUE_LEN / 2;
/// How long a message waits for a client to come back.
const HOLD_FOR: Duration = Duration::from_secs(30);
/// Most messages held for one client; the oldest goes first.
const MOST_HELD: usize = 4096;

/// The receiving side of a connection's queue.
pub(crate) type Queue = mpsc::Receiver<ControlMessage>;

/// One control connection as its task knows it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) group: GroupId,
    serial: u64,
    /// Taken by the task that writes.
    pub(crate) queue: Queue,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// Queued where the session is bound.
    Bound,
    /// Queued on the connection that replaces the one the session was bound to.
    Moved(ConnId),
    /// Queued on this many connections, one of which may be the right one.
    Spread(usize),
    /// Waits for a connection.
    Held,
    Dropped(&'static str),
}

#[derive(Debug)]
struct Live {
    id: ConnId,
    sender: mpsc::Sender<ControlMessage>,
}

impl Live {
    /// Queues a message; gives it back when there is no room.
    fn send(&self, message: ControlMessage) -> Option<ControlMessage> {
        let refused = self.sender.try_send(message).err()?;
        Some(refused.into_inner())
    }
}

#[derive(Debug, Default)]
struct Client {
    /// Oldest first.
    live: BTreeMap<u64, Live>,
    /// Two connections have been live at once: the client has several nodes.
    has_nodes: bool,
    /// Connections that ended in the last `HOLD_FOR`.
    ended: Vec<(Instant, ConnId)>,
    held: VecDeque<(Instant, ControlMessage)>,
}

#[derive(Debug, Default)]
pub(crate) struct Connections {
    next_serial: u64,
    clients: HashMap<GroupId, Client>,
}

impl Connections {
    /// Adds a connection; `hello` and held messages are queued.
    pub(crate) fn open(&mut self, group: &GroupId) -> Connection {
        let (sender, queue) = mpsc::channel(QUEUE_LEN);
        let id = ConnId::random();
        let serial = self.next_serial;
        self.next_serial += 1;
        self.forget_old(Instant::now());
        let live = Live {
            id: id.clone(),
            sender,
        };
        let hello = ControlMessage::Hello(HelloMessage {
            client: group.clone(),
            conn: id.clone(),
        });
        let client = self.clients.entry(group.clone()).or_default();
        let waiting: Vec<ControlMessage> = if client.has_nodes {
            client.held.iter().map(|(_, held)| held.clone()).collect()
        } else {
            client.held.drain(..).map(|(_, held)| held).collect()
        };
        for message in std::iter::once(hello).chain(waiting) {
            // A fresh queue; what is held beyond its length is dropped here.
            let _ = live.send(message);
        }
        client.has_nodes |= !client.live.is_empty();
        client.live.insert(serial, live);
        Connection {
            id,
            group: group.clone(),
            serial,
            queue,
        }
    }

    /// Removes a connection.
    pub(crate) fn close(&mut self, connection: &Connection) {
        if let Some(client) = self.clients.get_mut(&connection.group) {
            client.end(connection.serial, Instant::now());
        }
        self.forget_old(Instant::now());
    }

    /// Queues a message on connection `bound`, else where its session may be known, else holds it.
    pub(crate) fn deliver(
        &mut self,
        group: &GroupId,
        bound: Option<&ConnId>,
        message: ControlMessage,
    ) -> Delivered {
        let now = Instant::now();
        let client = self.clients.entry(group.clone()).or_default();
        if matches!(message, ControlMessage::Vad(_)) {
            return client.deliver_voice(bound, &message);
        }
        let Some(message) = client.try_bound(bound, message, now) else {
            return Delivered::Bound;
        };
        if client.has_nodes {
            client.spread(bound, message, now)
        } else {
            client.replace(message, now)
        }
    }

    /// Lets go of what nobody fetched in time.
    fn forget_old(&mut self, now: Instant) {
        for client in self.clients.values_mut() {
            client.forget_old(now);
        }
        self.clients.retain(|_, client| !client.is_over());
    }
}

impl Client {
    /// Queues a message where its session is bound; gives it back when that is not possible.
    fn try_bound(
        &mut self,
        bound: Option<&ConnId>,
        message: ControlMessage,
        now: Instant,
    ) -> Option<ControlMessage> {
        let found = self.live.iter().find(|(_, live)| Some(&live.id) == bound);
        let Some((&serial, live)) = found else {
            return Some(message);
        };
        let refused = live.send(message)?;
        // Full or closed: without a sender its task ends, which gives back the rest.
        self.end(serial, now);
        Some(refused)
    }

    /// One node: its next connection has everything of the last one.
    fn replace(&mut self, message: ControlMessage, now: Instant) -> Delivered {
        let mut message = message;
        while let Some((&serial, live)) = self.live.last_key_value() {
            let Some(refused) = live.send(message) else {
                return Delivered::Moved(live.id.clone());
            };
            message = refused;
            self.end(serial, now);
        }
        self.hold(message, now)
    }

    /// Several nodes: the right one may be here, or may be about to come back.
    fn spread(
        &mut self,
        bound: Option<&ConnId>,
        message: ControlMessage,
        now: Instant,
    ) -> Delivered {
        let refused: Vec<u64> = self
            .live
            .iter()
            .filter(|(_, live)| live.send(message.clone()).is_some())
            .map(|(serial, _)| *serial)
            .collect();
        for serial in refused {
            self.end(serial, now);
        }
        self.forget_old(now);
        let told = self.live.len();
        let ended_lately =
            bound.is_none_or(|bound| self.ended.iter().any(|(_, ended)| ended == bound));
        if told > 0 && !ended_lately {
            return Delivered::Spread(told);
        }
        match (self.hold(message, now), told) {
            (Delivered::Held, told @ 1..) => Delivered::Spread(told),
            (outcome, _) => outcome,
        }
    }

    /// Voice activity is worth nothing later, and the least of all now.
    fn deliver_voice(&self, bound: Option<&ConnId>, message: &ControlMessage) -> Delivered {
        let has_room = |live: &&Live| live.sender.capacity() >= KEPT_FREE;
        let target = self.live.values().find(|live| Some(&live.id) == bound);
        if let Some(live) = target {
            let sent = has_room(&live) && live.send(message.clone()).is_none();
            return if sent {
                Delivered::Bound
            } else {
                Delivered::Dropped("voice_activity")
            };
        }
        let told = self
            .live
            .values()
            .filter(has_room)
            .filter(|live| live.send(message.clone()).is_none())
            .count();
        match told {
            0 => Delivered::Dropped("no_connection"),
            told => Delivered::Spread(told),
        }
    }

    fn is_over(&self) -> bool {
        self.live.is_empty() && self.held.is_empty() && self.ended.is_empty()
    }

    fn hold(&mut self, message: ControlMessage, now: Instant) -> Delivered {
        self.forget_old(now);
        self.held.push_back((now, message));
        if self.held.len() > MOST_HELD {
            self.held.pop_front();
            return Delivered::Dropped("held_too_many");
        }
        Delivered::Held
    }

    fn end(&mut self, serial: u64, now: Instant) {
        if let Some(live) = self.live.remove(&serial) {
            self.ended.push((now, live.id));
        }
    }

    fn forget_old(&mut self, now: Instant) {
        let is_young = |at: &Instant| now.saturating_duration_since(*at) < HOLD_FOR;
        self.held.retain(|(at, _)| is_young(at));
        self.ended.retain(|(at, _)| is_young(at));
    }
}
