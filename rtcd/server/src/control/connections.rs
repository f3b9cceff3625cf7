//! Live control connections, and what waits for clients that have none.
//!
//! In: messages for a client. Out: the same, in the queue of the right connection.
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
    /// Queued on another connection of the client.
    Moved(ConnId),
    Held,
    Dropped(&'static str),
}

#[derive(Debug)]
struct Live {
    id: ConnId,
    sender: mpsc::Sender<ControlMessage>,
}

#[derive(Debug, Default)]
pub(crate) struct Connections {
    next_serial: u64,
    /// By client, oldest first.
    live: HashMap<GroupId, BTreeMap<u64, Live>>,
    held: HashMap<GroupId, VecDeque<(Instant, ControlMessage)>>,
}

impl Connections {
    /// Adds a connection; `hello` and held messages are queued.
    pub(crate) fn open(&mut self, group: &GroupId) -> Connection {
        let (sender, queue) = mpsc::channel(QUEUE_LEN);
        let id = ConnId::random();
        let serial = self.next_serial;
        self.next_serial += 1;
        let hello = ControlMessage::Hello(HelloMessage {
            client: group.clone(),
            conn: id.clone(),
        });
        let mut waiting = self.held.remove(group).unwrap_or_default();
        waiting.retain(|(at, _)| at.elapsed() < HOLD_FOR);
        let held = waiting.into_iter().map(|(_, message)| message);
        for message in std::iter::once(hello).chain(held) {
            // A fresh queue; what is held beyond its length is dropped here.
            let _ = sender.try_send(message);
        }
        let live = Live {
            id: id.clone(),
            sender,
        };
        self.live
            .entry(group.clone())
            .or_default()
            .insert(serial, live);
        Connection {
            id,
            group: group.clone(),
            serial,
            queue,
        }
    }

    /// Removes a connection.
    pub(crate) fn close(&mut self, connection: &Connection) {
        self.forget(&connection.group, connection.serial);
    }

    /// Queues a message on connection `bound`, else on the newest of the client, else holds it.
    pub(crate) fn deliver(
        &mut self,
        group: &GroupId,
        bound: Option<&ConnId>,
        message: ControlMessage,
    ) -> Delivered {
        let is_voice = matches!(message, ControlMessage::Vad(_));
        let mut message = message;
        for serial in self.in_order(group, bound) {
            let Some(live) = self
                .live
                .get(group)
                .and_then(|of_group| of_group.get(&serial))
            else {
                continue;
            };
            if is_voice && live.sender.capacity() < KEPT_FREE {
                return Delivered::Dropped("voice_activity");
            }
            match live.sender.try_send(message) {
                Ok(()) if Some(&live.id) == bound => return Delivered::Bound,
                Ok(()) => return Delivered::Moved(live.id.clone()),
                Err(error) => {
                    // Full or closed: without a sender its task ends, which gives back the rest.
                    message = error.into_inner();
                    self.forget(group, serial);
                }
            }
        }
        if is_voice {
            return Delivered::Dropped("no_connection");
        }
        self.hold(group, message)
    }

    /// Returns the connections to try: the wanted one, then the others from the newest.
    fn in_order(&self, group: &GroupId, bound: Option<&ConnId>) -> Vec<u64> {
        let Some(of_group) = self.live.get(group) else {
            return Vec::new();
        };
        let is_bound = |live: &Live| Some(&live.id) == bound;
        let wanted = of_group.iter().filter(|(_, live)| is_bound(live));
        let others = of_group.iter().rev().filter(|(_, live)| !is_bound(live));
        wanted.chain(others).map(|(serial, _)| *serial).collect()
    }

    fn forget(&mut self, group: &GroupId, serial: u64) {
        if let Some(of_group) = self.live.get_mut(group) {
            of_group.remove(&serial);
            if of_group.is_empty() {
                self.live.remove(group);
            }
        }
    }

    fn hold(&mut self, group: &GroupId, message: ControlMessage) -> Delivered {
        let held = self.held.entry(group.clone()).or_default();
        held.retain(|(at, _)| at.elapsed() < HOLD_FOR);
        held.push_back((Instant::now(), message));
        if held.len() > MOST_HELD {
            held.pop_front();
            return Delivered::Dropped("held_too_many");
        }
        Delivered::Held
    }
}
