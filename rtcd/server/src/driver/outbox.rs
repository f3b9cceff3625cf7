//! The way from a shard to the control side.
//!
//! In: what a shard says about its sessions. Out: the same, in order, in a queue of bounded length. A
//! shard never waits: what does not fit is kept here, and tried again. Nothing that matters is shed:
//! of voice activity only the newest of a session is kept, and while anything is kept here the
//! shard takes no orders (`is_behind`), which is where most of what it says comes from.
//! Invariant: so what is kept is a few events for each session.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::control::ShardEvent;

/// Events that may wait for the control side, of all shards.
pub(crate) const QUEUE_LEN: usize = 8192;
/// When to try again.
pub(super) const RETRY: Duration = Duration::from_millis(5);

/// What one shard says.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Sender<ShardEvent>,
    kept: VecDeque<ShardEvent>,
    /// Events that had to be kept, ever.
    pub(super) deferred: u64,
    /// Voice activity that newer took the place of, ever.
    pub(super) replaced: u64,
}

impl Outbox {
    pub(super) fn new(queue: Sender<ShardEvent>) -> Self {
        Self {
            queue,
            kept: VecDeque::new(),
            deferred: 0,
            replaced: 0,
        }
    }

    /// Whether something waits here for room in the queue.
    pub(super) fn is_behind(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Says something as soon as there is room.
    pub(super) fn send(&mut self, event: ShardEvent) {
        if self.kept.is_empty() {
            match self.queue.try_send(event) {
                // Nobody listens only when the node is gone.
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(event)) => self.keep(event),
            }
        } else {
            self.keep(event);
        }
    }

    /// Tries again what is kept.
    pub(super) fn flush(&mut self) {
        while let Some(event) = self.kept.pop_front() {
            if let Err(TrySendError::Full(event)) = self.queue.try_send(event) {
                self.kept.push_front(event);
                return;
            }
        }
    }

    fn keep(&mut self, event: ShardEvent) {
        self.deferred += 1;
        if let ShardEvent::Voice { key, .. } = &event {
            let before = self.kept.len();
            self.kept
                .retain(|kept| !matches!(kept, ShardEvent::Voice { key: of, .. } if of == key));
            self.replaced += u64::try_from(before - self.kept.len()).unwrap_or(0);
        }
        self.kept.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use proto::id::{GroupId, SessionId};
    use rtcd_core::{CloseReason, SessionKey};

    use super::*;

    fn key(session: &str) -> SessionKey {
        SessionKey {
            group: GroupId::parse("g").unwrap(),
            session: SessionId::parse(session).unwrap(),
        }
    }

    fn voice(session: &str, speaking: bool) -> ShardEvent {
        let key = key(session);
        ShardEvent::Voice { key, speaking }
    }

    fn closed(session: &str) -> ShardEvent {
        ShardEvent::Closed {
            key: key(session),
            reason: CloseReason::Left,
        }
    }

    #[test]
    fn state_waits_for_room_in_order_and_of_voices_only_the_newest() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(2);
        let mut outbox = Outbox::new(sender);
        outbox.send(closed("a"));
        outbox.send(closed("b"));
        assert!(!outbox.is_behind());
        outbox.send(closed("c"));
        for turn in 0..100 {
            outbox.send(voice("d", turn % 2 == 0));
        }
        outbox.send(closed("e"));
        outbox.flush();
        assert!(outbox.is_behind());
        assert_eq!(
            (outbox.kept.len(), outbox.deferred, outbox.replaced),
            (3, 102, 99)
        );
        let mut told = Vec::new();
        while let Ok(event) = receiver.try_recv() {
            told.push(if let ShardEvent::Closed { key, .. } = event {
                format!("closed {}", key.session)
            } else if let ShardEvent::Voice { key, speaking } = event {
                format!("{} {speaking}", key.session)
            } else {
                panic!("unexpected {event:?}")
            });
            outbox.flush();
        }
        assert_eq!(
            told,
            ["closed a", "closed b", "closed c", "d false", "closed e"]
        );
        assert!(!outbox.is_behind());
    }
}
