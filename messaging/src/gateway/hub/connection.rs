//! One connection: its numbers, the events it holds, its present socket.
//!
//! The events themselves are in the person's log; a connection holds their indexes, oldest first.
//! The last `unsent` of them wait for the socket; those before are kept for replay.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::ConnId;
use tokio::sync::Notify;

use super::log::Log;
use super::{REPLAY_RING, SEND_QUEUE};
use crate::gateway::metrics::CutOff;
use crate::gateway::seat::Floor;

/// How the hub wakes the task of a socket.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Wake {
    /// There is something to send.
    pub(in crate::gateway) more: Notify,
    /// The socket has lost its connection.
    pub(in crate::gateway) end: Notify,
}

/// What became of an event for one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Held,
    /// Left out: it is minor, and the client is behind.
    Skipped,
    /// Held, but the client is too far behind: its socket goes.
    CutOff,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) login_id: String,
    pub(super) floor: Floor,
    /// Differs for every socket that ever was.
    pub(super) generation: u64,
    next_seq: u64,
    events: VecDeque<u64>,
    unsent: usize,
    /// How many may be unsent: what a returning client is still to get comes on top.
    queue_limit: usize,
    socket: Option<Arc<Wake>>,
    /// Since when there is no socket; `None` while a task serves one.
    pub(super) absent_since: Option<Instant>,
    /// The connection ends with its socket.
    pub(super) is_doomed: bool,
}

impl Connection {
    pub(super) fn new(id: ConnId) -> Self {
        Self {
            id,
            login_id: String::new(),
            floor: Floor::default(),
            generation: 0,
            next_seq: 0,
            events: VecDeque::new(),
            unsent: 0,
            queue_limit: SEND_QUEUE,
            socket: None,
            absent_since: None,
            is_doomed: false,
        }
    }

    /// Whether a task serves a socket of this connection.
    pub(super) fn has_socket(&self) -> bool {
        self.absent_since.is_none()
    }

    pub(super) fn absent_for(&self, now: Instant) -> Duration {
        self.absent_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Numbers an event and holds it; `log` will keep it at its next index.
    pub(super) fn push(&mut self, is_minor: bool, log: &mut Log) -> Pushed {
        if self.is_doomed || (is_minor && self.unsent > SEND_QUEUE / 2) {
            return Pushed::Skipped;
        }
        self.next_seq += 1;
        self.events.push_back(log.next_index());
        let Some(socket) = &self.socket else {
            self.trim(REPLAY_RING + SEND_QUEUE, log);
            return Pushed::Held;
        };
        if self.unsent < self.queue_limit {
            // whose events wait is awake, and looks again before it sleeps
            if self.unsent == 0 {
                socket.more.notify_one();
            }
            self.unsent += 1;
            return Pushed::Held;
        }
        // too slow: the socket goes, what is held stays for the client's next try
        self.end_socket();
        self.trim(REPLAY_RING + SEND_QUEUE, log);
        Pushed::CutOff
    }

    /// The next event for the socket of this generation, as its number and its index in the log.
    pub(super) fn next_unsent(&mut self, log: &mut Log) -> Option<(u64, u64)> {
        let place = self.events.len().checked_sub(self.unsent)?;
        let index = *self.events.get(place)?;
        let seq = self.next_seq - u64::try_from(self.unsent).unwrap_or(u64::MAX);
        self.unsent -= 1;
        if self.unsent <= SEND_QUEUE / 2 {
            self.queue_limit = SEND_QUEUE;
        }
        self.trim(self.unsent + REPLAY_RING, log);
        Some((seq, index))
    }

    pub(super) fn has_queue(&self) -> bool {
        self.socket.is_some()
    }

    /// Whether everything from `seq` on is held, and nothing beyond is asked for.
    pub(super) fn can_replay_from(&self, seq: u64) -> bool {
        self.missing_from(seq)
            .is_some_and(|count| count <= self.events.len())
    }

    fn missing_from(&self, seq: u64) -> Option<usize> {
        usize::try_from(self.next_seq.checked_sub(seq)?).ok()
    }

    /// Gives the connection a socket, which gets everything from `seq` on.
    pub(super) fn attach(&mut self, generation: u64, socket: Arc<Wake>, login_id: &str, seq: u64) {
        self.end_socket();
        self.generation = generation;
        self.unsent = self.missing_from(seq).unwrap_or_default();
        self.queue_limit = SEND_QUEUE + self.unsent;
        self.socket = Some(socket);
        login_id.clone_into(&mut self.login_id);
        self.absent_since = None;
    }

    /// The log has thrown this index out: the connection goes on without it, or not at all.
    pub(super) fn lose(&mut self, index: u64, log: &mut Log) -> Option<CutOff> {
        if self.events.front() != Some(&index) {
            return None;
        }
        let is_unsent = self.socket.is_some() && self.unsent == self.events.len();
        self.events.pop_front();
        if !is_unsent {
            return None;
        }
        self.doom(log);
        Some(CutOff::TooManyBytes)
    }

    /// Ends the socket, and the connection with it; nothing is held for a return.
    pub(super) fn doom(&mut self, log: &mut Log) {
        self.end_socket();
        self.is_doomed = true;
        self.trim(0, log);
        self.events = VecDeque::new();
    }

    /// The task of the socket notices and ends too.
    fn end_socket(&mut self) {
        self.unsent = 0;
        if let Some(socket) = self.socket.take() {
            socket.end.notify_one();
        }
    }

    /// Notes that the socket is gone.
    pub(super) fn detach(&mut self, now: Instant) {
        self.end_socket();
        self.absent_since = Some(now);
    }

    /// Lets go of the oldest events until so many are left.
    pub(super) fn trim(&mut self, keep: usize, log: &mut Log) {
        while self.events.len() > keep {
            if let Some(index) = self.events.pop_front() {
                log.release(index);
            }
        }
    }
}
