//! The way into a shard for everything that is not its own socket.
//!
//! In: messages of the control side, of other shards and of TCP connections. Out: the same, in
//! order, on the shard's thread.
//! Invariant: a sender never waits. Each kind of message has a depth at which it is refused; media
//! is shed long before control.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use mio::Waker;
use proto::rtcd::RtcMessage;
use rtcd_core::{CallKey, JoinRequest, LinkId, LinkMessage, SessionKey, Transport};

use crate::placement::ShardId;
use crate::tcp::FrameSender;

/// Waiting messages at which a datagram that every shard is asked about is dropped: strangers can
/// make these.
const ASKED_DEPTH: usize = 512;
/// Waiting messages at which a handed-over datagram is dropped.
const DATAGRAM_DEPTH: usize = 4096;
/// Waiting messages at which a packet of a link is dropped.
const LINK_PACKET_DEPTH: usize = 8192;
/// Waiting messages at which new sessions and messages for sessions are refused.
const CONTROL_DEPTH: usize = 32_768;
/// Waiting messages at which everything is refused; reached only when the shard stands still.
const HARD_DEPTH: usize = 131_072;

/// What a shard can be sent.
#[derive(Debug)]
pub(crate) enum ShardMessage {
    Join(JoinRequest),
    Leave(SessionKey),
    Control {
        key: SessionKey,
        message: RtcMessage,
    },
    /// The leg of `call` is joined to the one on `peer`.
    LinkUp {
        call: CallKey,
        link: LinkId,
        peer: ShardId,
    },
    LinkDown {
        call: CallKey,
        link: LinkId,
    },
    Linked {
        call: CallKey,
        link: LinkId,
        message: LinkMessage,
    },
    /// A datagram that reached another shard's socket, or a frame of a TCP connection.
    Datagram {
        transport: Transport,
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
        /// Sent to every shard: only the one that has its ufrag takes it.
        asked: bool,
    },
    /// Frames for this address go to the connection from now on.
    TcpOpened {
        source: SocketAddr,
        frames: FrameSender,
    },
    TcpClosed {
        source: SocketAddr,
    },
    Stop,
}

/// A message was refused: the shard is overloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("shard has {depth} messages waiting")]
pub(crate) struct Full {
    pub(crate) depth: usize,
}

impl ShardMessage {
    fn depth_limit(&self) -> usize {
        match self {
            Self::Datagram { asked: true, .. } => ASKED_DEPTH,
            Self::Datagram { asked: false, .. } => DATAGRAM_DEPTH,
            Self::Linked {
                message: LinkMessage::Rtp { .. },
                ..
            } => LINK_PACKET_DEPTH,
            Self::Join(_) | Self::Control { .. } => CONTROL_DEPTH,
            Self::Leave(_)
            | Self::LinkUp { .. }
            | Self::LinkDown { .. }
            | Self::Linked { .. }
            | Self::TcpOpened { .. }
            | Self::TcpClosed { .. }
            | Self::Stop => HARD_DEPTH,
        }
    }
}

#[derive(Debug)]
struct Shared {
    depth: AtomicUsize,
    /// The shard has been woken and has not looked yet: waking it again would cost a system call.
    woken: AtomicBool,
    waker: Waker,
}

/// The sending side; as many as wanted.
#[derive(Debug, Clone)]
pub(crate) struct InboxSender {
    messages: Sender<ShardMessage>,
    shared: Arc<Shared>,
}

/// The shard's side.
#[derive(Debug)]
pub(crate) struct Inbox {
    messages: Receiver<ShardMessage>,
    shared: Arc<Shared>,
}

/// Makes an inbox whose shard is woken by `waker`.
pub(crate) fn inbox(waker: Waker) -> (InboxSender, Inbox) {
    let (sender, messages) = channel();
    let shared = Arc::new(Shared {
        depth: AtomicUsize::new(0),
        woken: AtomicBool::new(false),
        waker,
    });
    (
        InboxSender {
            messages: sender,
            shared: Arc::clone(&shared),
        },
        Inbox { messages, shared },
    )
}

impl InboxSender {
    /// Sends a message, or refuses it at the depth of its kind.
    pub(crate) fn send(&self, message: ShardMessage) -> Result<(), Full> {
        let depth = self.shared.depth.fetch_add(1, Ordering::AcqRel);
        if depth >= message.depth_limit() || self.messages.send(message).is_err() {
            self.shared.depth.fetch_sub(1, Ordering::AcqRel);
            return Err(Full { depth });
        }
        if !self.shared.woken.swap(true, Ordering::AcqRel) {
            // Cannot fail while the shard's poll exists; when it is gone nobody needs waking.
            let _ = self.shared.waker.wake();
        }
        Ok(())
    }

    /// Whether messages for sessions would be refused now.
    pub(crate) fn is_congested(&self) -> bool {
        self.depth() >= CONTROL_DEPTH / 2
    }

    /// Returns how many messages wait.
    pub(crate) fn depth(&self) -> usize {
        self.shared.depth.load(Ordering::Acquire)
    }
}

impl Inbox {
    /// Says that the shard is about to look: senders wake it again from now on.
    pub(crate) fn begin(&self) {
        self.shared.woken.store(false, Ordering::Release);
    }

    /// Takes the next message.
    pub(crate) fn next(&self) -> Option<ShardMessage> {
        let message = self.messages.try_recv().ok()?;
        self.shared.depth.fetch_sub(1, Ordering::AcqRel);
        Some(message)
    }

    /// Whether messages wait.
    pub(crate) fn has_messages(&self) -> bool {
        self.shared.depth.load(Ordering::Acquire) > 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn datagram() -> ShardMessage {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        ShardMessage::Datagram {
            transport: Transport::Udp,
            source: address,
            destination: address,
            contents: Vec::new(),
            asked: false,
        }
    }

    #[test]
    fn media_is_refused_before_control() {
        let poll = mio::Poll::new().unwrap();
        let (sender, receiver) = inbox(Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let accepted = (0..DATAGRAM_DEPTH + 10)
            .filter(|_| sender.send(datagram()).is_ok())
            .count();
        assert_eq!(accepted, DATAGRAM_DEPTH);
        assert!(sender.send(ShardMessage::Stop).is_ok());
        assert_eq!(sender.depth(), DATAGRAM_DEPTH + 1);
        let taken = std::iter::from_fn(|| receiver.next()).count();
        assert_eq!(taken, DATAGRAM_DEPTH + 1);
        assert!(!receiver.has_messages());
    }

    #[test]
    fn a_message_wakes_the_shard_once() {
        let mut poll = mio::Poll::new().unwrap();
        let (sender, receiver) = inbox(Waker::new(poll.registry(), mio::Token(7)).unwrap());
        sender.send(datagram()).unwrap();
        sender.send(datagram()).unwrap();
        let mut events = mio::Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(5)))
            .unwrap();
        assert_eq!(events.iter().count(), 1);
        receiver.begin();
        assert!(receiver.next().is_some());
        sender.send(datagram()).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(5)))
            .unwrap();
        assert_eq!(events.iter().count(), 1);
    }
}
