//! What waits about one session, in numbers.

use std::collections::{BTreeMap, BTreeSet};

use proto::id::CallId;
use proto::rtcd::RtcMessage;

use super::{Item, Kind, MAX_SIGNAL_BYTES, MAX_SIGNALS};

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) call: CallId,
    /// The newest state of each kind, told or not.
    pub(super) wanted: BTreeMap<Kind, RtcMessage>,
    /// The numbers of everything that waits about it.
    pub(super) waiting: BTreeSet<u64>,
    /// The number of the newest state of each kind that waits.
    pub(super) states: BTreeMap<Kind, u64>,
    last_signal: Option<u64>,
    signals: usize,
    signal_bytes: usize,
    /// Its person left; it stays here until the host knows.
    pub(super) has_left: bool,
    /// Leaves that the host was told of and has not answered with `close`. The same session may
    /// have joined again since.
    pub(super) ends: usize,
}

impl Session {
    pub(super) fn new(call: CallId) -> Self {
        Self {
            call,
            wanted: BTreeMap::new(),
            waiting: BTreeSet::new(),
            states: BTreeMap::new(),
            last_signal: None,
            signals: 0,
            signal_bytes: 0,
            has_left: false,
            ends: 0,
        }
    }

    /// It leaves: what it wanted is of no interest any more.
    pub(super) fn end(&mut self) {
        self.has_left = true;
        self.wanted.clear();
        self.states.clear();
        self.last_signal = None;
        (self.signals, self.signal_bytes) = (0, 0);
    }

    /// Whether one more signal of so many bytes may wait.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        self.signals < MAX_SIGNALS && self.signal_bytes + bytes <= MAX_SIGNAL_BYTES
    }

    /// The waiting state that a newer one of its kind makes superfluous. With a signal behind it, it
    /// is not: a description is read in the light of what was said before it.
    pub(super) fn overtaken(&mut self, kind: Kind) -> Option<u64> {
        let number = *self.states.get(&kind)?;
        if self.last_signal.is_some_and(|signal| signal > number) {
            return None;
        }
        self.states.remove(&kind);
        self.waiting.remove(&number);
        Some(number)
    }

    pub(super) fn waits(&mut self, number: u64, item: &Item) {
        self.waiting.insert(number);
        match item {
            Item::Signal(message) => {
                self.signals += 1;
                self.signal_bytes += message.data.len();
                self.last_signal = self.last_signal.max(Some(number));
            }
            Item::State(kind, _) => {
                let newest = self.states.entry(*kind).or_insert(number);
                *newest = number.max(*newest);
            }
            Item::Join(_) | Item::Leave | Item::Reconnect => {}
        }
    }

    /// It is being written.
    pub(super) fn taken(&mut self, number: u64, item: &Item) {
        self.waiting.remove(&number);
        match item {
            Item::Signal(message) => {
                self.signals = self.signals.saturating_sub(1);
                self.signal_bytes = self.signal_bytes.saturating_sub(message.data.len());
                self.last_signal = self.last_signal.filter(|last| *last != number);
            }
            Item::State(kind, _) => {
                if self.states.get(kind) == Some(&number) {
                    self.states.remove(kind);
                }
            }
            Item::Leave => self.ends += 1,
            Item::Join(_) | Item::Reconnect => {}
        }
    }
}
