//! The events kept for one person: each body once, however many of her connections want it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::Body;

#[derive(Debug, Default)]
pub(super) struct Log {
    /// Most bytes kept, sent and unsent together. The largest single event fits in any case.
    limit: usize,
    slots: BTreeMap<u64, Slot>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    body: Arc<Body>,
    /// Connections that still hold it.
    holders: usize,
}

impl Log {
    pub(super) fn with_limit(bytes: usize) -> Self {
        Self {
            limit: bytes,
            ..Self::default()
        }
    }

    /// The index that the next event gets.
    pub(super) fn next_index(&self) -> u64 {
        self.next
    }

    /// Keeps an event that `holders` connections hold, at `next_index`.
    pub(super) fn keep(&mut self, body: &Arc<Body>, holders: usize) {
        if holders == 0 {
            return;
        }
        self.bytes += body.len();
        let body = body.clone();
        self.slots.insert(self.next, Slot { body, holders });
        self.next += 1;
    }

    pub(super) fn get(&self, index: u64) -> Option<&Arc<Body>> {
        self.slots.get(&index).map(|slot| &slot.body)
    }

    /// One connection no longer holds this event.
    pub(super) fn release(&mut self, index: u64) {
        if let Some(slot) = self.slots.get_mut(&index) {
            slot.holders -= 1;
            if slot.holders == 0 {
                self.bytes -= slot.body.len();
                self.slots.remove(&index);
            }
        }
    }

    /// Throws the oldest event out if there is too much; returns its index.
    pub(super) fn shed(&mut self) -> Option<u64> {
        if self.bytes <= self.limit || self.slots.len() < 2 {
            return None;
        }
        let (index, slot) = self.slots.pop_first()?;
        self.bytes -= slot.body.len();
        Some(index)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
