//! What waits for room in the data channel.
//!
//! In: messages, each about something. Out: the same, in order. Of what tells a state only the newest
//! is worth sending, so state is never shed and still bounded; replies to somebody who asks without
//! reading are shed.

use std::collections::VecDeque;

/// Replies that wait.
const MAX_REPLIES: usize = 256;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Topic(Option<&'static str>);

impl Topic {
    /// An answer to the participant; each is sent.
    pub(crate) const REPLY: Self = Self(None);

    /// A state of this name: a newer message about it takes the place of one that waits.
    pub(crate) const fn newest(name: &'static str) -> Self {
        Self(Some(name))
    }
}

/// A message to be written.
#[derive(Debug)]
pub(crate) struct ChannelWords {
    pub(crate) topic: Topic,
    pub(crate) is_binary: bool,
    pub(crate) bytes: Vec<u8>,
}

/// Messages that wait.
#[derive(Debug, Default)]
pub(super) struct ChannelQueue {
    waiting: VecDeque<ChannelWords>,
}

impl ChannelQueue {
    /// Adds a message; false when it is shed.
    pub(super) fn push(&mut self, words: ChannelWords) -> bool {
        if words.topic == Topic::REPLY {
            let replies = self.waiting.iter().filter(|w| w.topic == Topic::REPLY);
            if self.waiting.len() >= MAX_REPLIES && replies.count() >= MAX_REPLIES {
                return false;
            }
        } else {
            self.waiting.retain(|known| known.topic != words.topic);
        }
        self.waiting.push_back(words);
        true
    }

    pub(super) fn front(&self) -> Option<&ChannelWords> {
        self.waiting.front()
    }

    pub(super) fn pop(&mut self) {
        self.waiting.pop_front();
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: Topic = Topic::newest("map");
    const OFFER: Topic = Topic::newest("offer");

    fn words(topic: Topic, text: &str) -> ChannelWords {
        ChannelWords {
            topic,
            is_binary: true,
            bytes: text.as_bytes().to_vec(),
        }
    }

    #[test]
    fn state_is_never_shed_and_only_its_newest_waits() {
        let mut queue = ChannelQueue::default();
        for number in 0..1000 {
            queue.push(words(MAP, &format!("map {number}")));
            queue.push(words(OFFER, &format!("offer {number}")));
            queue.push(words(Topic::REPLY, "pong"));
        }
        assert!(!queue.push(words(Topic::REPLY, "pong")), "nobody reads");
        assert_eq!(queue.waiting.len(), MAX_REPLIES + 2);
        let state = queue.waiting.iter().filter(|w| w.topic != Topic::REPLY);
        let texts: Vec<_> = state.map(|w| w.bytes.as_slice()).collect();
        assert_eq!(texts, [&b"map 999"[..], b"offer 999"], "in order");
    }
}
