//! Messages that were sent, and may never have arrived.
//!
//! In: messages and pings as they are sent, pongs as they come. Out: what was sent behind the last
//! ping that was answered.
//! Writing to a connection succeeds long after the other end is out of reach; the pongs say how far
//! it went.

use std::collections::VecDeque;

use proto::rtcd::ControlMessage;

/// Most messages remembered; the oldest goes first.
const MOST: usize = 4096;

/// What one connection has sent.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    messages: VecDeque<ControlMessage>,
    /// For each ping without an answer, how many of the messages went before it.
    pings: VecDeque<usize>,
}

impl Unconfirmed {
    /// Remembers a message. Voice activity is worth nothing later, `hello` is of its connection.
    pub(super) fn sent(&mut self, message: Option<ControlMessage>) {
        let lasting = message
            .filter(|sent| matches!(sent, ControlMessage::Rtc(_) | ControlMessage::Close(_)));
        if self.messages.len() >= MOST {
            self.forget(1);
        }
        self.messages.extend(lasting);
    }

    pub(super) fn pinged(&mut self) {
        self.pings.push_back(self.messages.len());
    }

    /// Forgets what went before the oldest ping without an answer.
    pub(super) fn ponged(&mut self) {
        if let Some(arrived) = self.pings.pop_front() {
            self.forget(arrived);
        }
    }

    /// Returns what may never have arrived, oldest first.
    pub(super) fn take(&mut self) -> VecDeque<ControlMessage> {
        self.pings.clear();
        std::mem::take(&mut self.messages)
    }

    fn forget(&mut self, oldest: usize) {
        self.messages.drain(..oldest.min(self.messages.len()));
        for before in &mut self.pings {
            *before = before.saturating_sub(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::id::SessionId;

    use super::*;

    fn close(number: usize) -> ControlMessage {
        ControlMessage::Close(SessionId::parse(format!("s{number}")).unwrap())
    }

    #[test]
    fn a_pong_confirms_what_went_before_its_ping() {
        let mut sent = Unconfirmed::default();
        sent.sent(Some(close(1)));
        sent.pinged();
        sent.sent(Some(close(2)));
        sent.pinged();
        sent.sent(Some(close(3)));
        sent.ponged();
        sent.sent(None);
        assert_eq!(Vec::from(sent.take()), [close(2), close(3)]);
        assert!(sent.take().is_empty());
    }

    #[test]
    fn pongs_that_nobody_asked_for_confirm_nothing() {
        let mut sent = Unconfirmed::default();
        sent.sent(Some(close(1)));
        sent.ponged();
        assert_eq!(Vec::from(sent.take()), [close(1)]);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut sent = Unconfirmed::default();
        for number in 0..2 * MOST {
            if number == MOST {
                sent.pinged();
            }
            sent.sent(Some(close(number)));
        }
        sent.ponged();
        let kept = sent.take();
        assert_eq!(kept.len(), MOST);
        assert_eq!(kept.back(), Some(&close(2 * MOST - 1)));
    }
}
