//! The way into a shard for everything that is not its own socket.
//!
//! In: messages of the control side, of other shards and of TCP connections. Out: the same, on the
//! shard's thread, in two lanes, each in order: what calls and their sessions are told (`orders`, of
//! which one may cost milliseconds), and everything else, which does not wait behind it. Links are
//! made and broken in the lane of the joins and leaves they are made and broken for.
//! Invariant: a sender never waits. Each kind of message has a depth at which it is refused; media
//! is shed long before control.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use mio::Waker;
use rtcd_core::{CallKey, JoinRequest, LinkId, LinkMessage, Request, SessionKey, Transport};

use crate::node_link::NodeLink;
use crate::placement::{FarLeg, ShardId};
use crate::tcp::FrameSender;

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
        request: Request,
    },
    /// The leg of `call` is joined to the one on `peer`.
    LinkUp {
        call: CallKey,
        link: LinkId,
        peer: ShardId,
    },
    /// The leg of `call` is joined to one of another node.
    FarLinkUp {
        call: CallKey,
        leg: FarLeg,
        node: Arc<dyn NodeLink>,
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
    /// Whether it changes who is where. The end is an order too: what was said before it is carried
    /// out.
    const fn is_order(&self) -> bool {
        matches!(
            self,
            Self::Join(_)
                | Self::Leave(_)
                | Self::Control { .. }
                | Self::LinkUp { .. }
                | Self::FarLinkUp { .. }
                | Self::LinkDown { .. }
                | Self::Stop
        )
    }

    fn depth_limit(&self) -> usize {
        match self {
            Self::Datagram { .. } => DATAGRAM_DEPTH,
            Self::Linked {
                message: LinkMessage::Rtp { .. },
                ..
            } => LINK_PACKET_DEPTH,
            Self::Join(_) | Self::Control { .. } => CONTROL_DEPTH,
            Self::Leave(_)
            | Self::LinkUp { .. }
            | Self::FarLinkUp { .. }
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
    /// Messages the shard has not looked at.
    depth: AtomicUsize,
    /// Messages it has put aside.
    aside: AtomicUsize,
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
    orders: VecDeque<ShardMessage>,
    shared: Arc<Shared>,
}

/// Makes an inbox whose shard is woken by `waker`.
pub(crate) fn inbox(waker: Waker) -> (InboxSender, Inbox) {
    let (sender, messages) = channel();
    let shared = Arc::new(Shared {
        depth: AtomicUsize::new(0),
        aside: AtomicUsize::new(0),
        woken: AtomicBool::new(false),
        waker,
    });
    (
        InboxSender {
            messages: sender,
            shared: Arc::clone(&shared),
        },
        Inbox {
            messages,
            orders: VecDeque::new(),
            shared,
        },
    )
}

impl InboxSender {
    /// Sends a message, or refuses it at the depth of its kind.
    pub(crate) fn send(&self, message: ShardMessage) -> Result<(), Full> {
        let mut depth = self.shared.depth.fetch_add(1, Ordering::AcqRel);
        if message.is_order() {
            depth += self.shared.aside.load(Ordering::Acquire);
        }
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
        self.shared.depth.load(Ordering::Acquire) + self.shared.aside.load(Ordering::Acquire)
    }
}

impl Inbox {
    /// Says that the shard is about to look: senders wake it again from now on.
    pub(crate) fn begin(&self) {
        self.shared.woken.store(false, Ordering::Release);
    }

    /// Takes the next message that is no order; orders before it are put aside.
    pub(crate) fn next(&mut self) -> Option<ShardMessage> {
        loop {
            let message = self.messages.try_recv().ok()?;
            self.shared.depth.fetch_sub(1, Ordering::AcqRel);
            if !message.is_order() {
                return Some(message);
            }
            self.shared.aside.fetch_add(1, Ordering::AcqRel);
            self.orders.push_back(message);
        }
    }

    /// Takes the next order of those that were put aside.
    pub(crate) fn next_order(&mut self) -> Option<ShardMessage> {
        let order = self.orders.pop_front()?;
        self.shared.aside.fetch_sub(1, Ordering::AcqRel);
        Some(order)
    }

    /// Whether messages wait that were not looked at.
    pub(crate) fn has_arrivals(&self) -> bool {
        self.shared.depth.load(Ordering::Acquire) > 0
    }

    /// Whether messages wait.
    pub(crate) fn has_messages(&self) -> bool {
        !self.orders.is_empty() || self.has_arrivals()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::id::{CallId, GroupId, SessionId};

    use super::*;

    fn datagram() -> ShardMessage {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        ShardMessage::Datagram {
            transport: Transport::Udp,
            source: address,
            destination: address,
            contents: Vec::new(),
        }
    }

    #[test]
    fn media_is_refused_before_control() {
        let poll = mio::Poll::new().unwrap();
        let (sender, mut receiver) = inbox(Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let accepted = (0..DATAGRAM_DEPTH + 10)
            .filter(|_| sender.send(datagram()).is_ok())
            .count();
        assert_eq!(accepted, DATAGRAM_DEPTH);
        assert!(sender.send(ShardMessage::Stop).is_ok());
        assert_eq!(sender.depth(), DATAGRAM_DEPTH + 1);
        let taken = std::iter::from_fn(|| receiver.next()).count();
        assert_eq!(taken, DATAGRAM_DEPTH);
        assert!(matches!(receiver.next_order(), Some(ShardMessage::Stop)));
        assert!(!receiver.has_messages());
    }

    #[test]
    fn a_message_wakes_the_shard_once() {
        let mut poll = mio::Poll::new().unwrap();
        let (sender, mut receiver) = inbox(Waker::new(poll.registry(), mio::Token(7)).unwrap());
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

    #[test]
    fn nothing_waits_behind_orders_and_orders_stay_in_order() {
        let poll = mio::Poll::new().unwrap();
        let (sender, mut receiver) = inbox(Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let leave = |session: &str| {
            ShardMessage::Leave(SessionKey {
                group: GroupId::parse("g").unwrap(),
                session: SessionId::parse(session).unwrap(),
            })
        };
        for session in ["first", "second"] {
            sender.send(leave(session)).unwrap();
        }
        let call = CallKey {
            group: GroupId::parse("g").unwrap(),
            call: CallId::parse("c").unwrap(),
        };
        let link = LinkId(1);
        sender.send(ShardMessage::LinkDown { call, link }).unwrap();
        sender.send(datagram()).unwrap();
        assert!(matches!(
            receiver.next(),
            Some(ShardMessage::Datagram { .. })
        ));
        assert!(receiver.next().is_none());
        assert!(receiver.has_messages());
        assert_eq!(sender.depth(), 3);
        let left: Vec<String> = std::iter::from_fn(|| receiver.next_order())
            .map(|order| {
                if let ShardMessage::Leave(key) = order {
                    key.session.to_string()
                } else if let ShardMessage::LinkDown { link, .. } = order {
                    format!("link {}", link.0)
                } else {
                    panic!("unexpected {order:?}")
                }
            })
            .collect();
        assert_eq!(left, ["first", "second", "link 1"], "in one order");
        assert!(!receiver.has_messages());
        assert_eq!(sender.depth(), 0);
    }
}
