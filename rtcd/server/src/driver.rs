//! One shard: a thread, its sockets, and the state machine between them.
//!
//! In: datagrams of its own sockets, messages of its inbox, time. Out: datagrams, events for the
//! control side, messages to other shards.
//! The only caller of `Instant::now` on a packet's way. Nothing here waits except `poll`, and nothing
//! takes a lock except to find who has a ufrag.
//! Each turn, in this order: inbox, sockets, due timeouts, then everything the core wants sent.

mod far;
mod inbox;
mod outbox;
mod publish;
mod routes;
mod wire;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mio::{Events, Poll, Token, Waker};
use rtcd_core::{
    CallKey, CoreConfig, Input, LinkId, LinkMessage, MediaBatch, Output, Shard, Transport,
};
use service::Tasks;
use tokio::sync::mpsc::Sender;
use tracing::{error, info};

use far::FarLinks;
pub(crate) use inbox::{Inbox, InboxSender, ShardMessage};
pub(crate) use outbox::QUEUE_LEN as EVENT_QUEUE_LEN;
use outbox::{Outbox, RETRY};
use publish::Published;
use routes::Routes;
pub(crate) use routes::{Ufrags, requested_ufrag};
use wire::{Socket, Wire};

use crate::control::ShardEvent;
use crate::metrics::Metrics;
use crate::placement::ShardId;
use crate::tcp::FrameSender;
use crate::udp::ShardSockets;

const WAKE: Token = Token(usize::MAX);
/// Inbox messages a turn. Higher: sockets wait longer while many join.
const INBOX_BUDGET: usize = 256;
/// Time for orders a turn, beyond which the next ones wait. Higher: media waits while many join.
const ORDERS_TIME: Duration = Duration::from_millis(1);
/// Batches of datagrams a socket and turn. Higher: fewer turns, but what is to be sent waits longer.
const SOCKET_BUDGET: usize = 2;
/// Longest sleep: counters are published at least this often.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);
/// One datagram, and one turn, in so many is timed. More often: the clock and the histogram cost more.
const SAMPLE_EVERY: u32 = 128;
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// What a shard needs from the node.
#[derive(Debug)]
pub(crate) struct ShardParts {
    pub(crate) id: ShardId,
    pub(crate) core: CoreConfig,
    pub(crate) sockets: ShardSockets,
    pub(crate) inbox: Inbox,
    pub(crate) poll: Poll,
    /// The inboxes of all shards, its own included.
    pub(crate) peers: Vec<InboxSender>,
    pub(crate) ufrags: Arc<Ufrags>,
    pub(crate) events: Sender<ShardEvent>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Makes the poll of a shard and the inbox that wakes it.
pub(crate) fn mailbox() -> anyhow::Result<(Poll, InboxSender, Inbox)> {
    let poll = Poll::new().context("make a poll")?;
    let waker = Waker::new(poll.registry(), WAKE).context("make a waker")?;
    let (sender, inbox) = inbox::inbox(waker);
    Ok((poll, sender, inbox))
}

/// Starts a shard's thread, as one of `tasks`.
pub(crate) fn spawn(
    mut parts: ShardParts,
    tasks: &Tasks,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let id = parts.id.0;
    let sockets = wire::watch(std::mem::take(&mut parts.sockets), &parts.poll)?;
    tasks
        .must_live_thread(format!("shard-{id}"), move || {
            Driver::new(parts, sockets).run();
        })
        .context("start a shard's thread")
}

struct Driver {
    id: ShardId,
    shard: Shard,
    wire: Wire,
    inbox: Inbox,
    poll: Poll,
    peers: Vec<InboxSender>,
    links: HashMap<LinkId, ShardId>,
    far: FarLinks,
    tcp: HashMap<SocketAddr, FrameSender>,
    routes: Routes,
    ufrags: Arc<Ufrags>,
    outbox: Outbox,
    published: Published,
    /// Datagrams until one is timed.
    until_sample: u32,
    /// Turns until one is timed.
    until_turn_sample: u32,
    deadline: Instant,
    next_sweep: Instant,
    stopped: bool,
}

impl Driver {
    /// Made on the shard's own thread.
    fn new(parts: ShardParts, sockets: Vec<Socket>) -> Self {
        let now = Instant::now();
        Self {
            id: parts.id,
            shard: Shard::new(parts.core, now),
            wire: Wire::new(sockets),
            inbox: parts.inbox,
            poll: parts.poll,
            peers: parts.peers,
            links: HashMap::new(),
            far: FarLinks::new(parts.id),
            tcp: HashMap::new(),
            routes: Routes::new(parts.id),
            ufrags: parts.ufrags,
            outbox: Outbox::new(parts.events),
            published: Published::new(parts.id, parts.metrics, now),
            until_sample: SAMPLE_EVERY,
            until_turn_sample: SAMPLE_EVERY,
            deadline: now,
            next_sweep: now + SWEEP_EVERY,
            stopped: false,
        }
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(64);
        while !self.stopped {
            if let Err(error) = self.poll.poll(&mut events, Some(self.sleep())) {
                if error.kind() != ErrorKind::Interrupted {
                    error!(shard = self.id.0, %error, "shard cannot poll, and stops");
                    return;
                }
                continue;
            }
            let now = Instant::now();
            for event in &events {
                self.wire.became_readable(event.token());
            }
            self.outbox.flush();
            self.take_messages(now);
            self.take_datagrams(now);
            if now >= self.deadline {
                self.shard.handle_input(now, Input::Timeout);
            }
            self.carry_out();
            self.housekeeping(now);
            self.until_turn_sample = self
                .until_turn_sample
                .checked_sub(1)
                .unwrap_or(SAMPLE_EVERY);
            if self.until_turn_sample == 0 {
                self.published.turned(now.elapsed());
            }
        }
        info!(shard = self.id.0, "shard stopped");
    }

    fn sleep(&self) -> Duration {
        let is_behind = self.outbox.is_behind();
        // While the control side is behind orders wait, and nothing but time helps.
        let has_work = if is_behind {
            self.inbox.has_arrivals()
        } else {
            self.inbox.has_messages()
        };
        if has_work || self.wire.is_readable() {
            return Duration::ZERO;
        }
        let longest = if is_behind { RETRY } else { LONGEST_SLEEP };
        let due = self
            .wire
            .retry_at()
            .map_or(self.deadline, |at| at.min(self.deadline));
        due.saturating_duration_since(Instant::now()).min(longest)
    }

    fn take_messages(&mut self, now: Instant) {
        self.inbox.begin();
        for _ in 0..INBOX_BUDGET {
            let Some(message) = self.inbox.next() else {
                break;
            };
            self.take_message(message, now);
        }
        while !self.outbox.is_behind()
            && let Some(order) = self.inbox.next_order()
        {
            self.take_message(order, now);
            if now.elapsed() >= ORDERS_TIME {
                break;
            }
        }
    }

    fn take_message(&mut self, message: ShardMessage, now: Instant) {
        match message {
            ShardMessage::Join(request) => self.shard.handle_input(now, Input::Join(request)),
            ShardMessage::Leave(key) => self.shard.handle_input(now, Input::Leave(key)),
            ShardMessage::Control { key, request } => {
                self.shard
                    .handle_input(now, Input::Control { key, request });
            }
            ShardMessage::LinkUp { call, link, peer } => {
                self.links.insert(link, peer);
                self.shard.handle_input(now, Input::LinkUp { call, link });
            }
            ShardMessage::FarLinkUp { call, leg, node } => {
                let link = leg.link();
                self.far.up(node, leg);
                self.shard.handle_input(now, Input::LinkUp { call, link });
            }
            ShardMessage::LinkDown { call, link } => {
                if !self.far.down(&call, link) {
                    self.links.remove(&link);
                }
                self.shard.handle_input(now, Input::LinkDown { call, link });
            }
            ShardMessage::Linked {
                call,
                link,
                message,
            } => {
                self.shard.handle_input(
                    now,
                    Input::Linked {
                        call,
                        link,
                        message,
                    },
                );
            }
            ShardMessage::Datagram {
                transport,
                source,
                destination,
                contents,
            } => {
                let contents = contents.as_slice();
                let input = Input::Datagram {
                    transport,
                    source,
                    destination,
                    contents,
                };
                self.shard.handle_input(now, input);
            }
            ShardMessage::TcpOpened { source, frames } => {
                self.tcp.insert(source, frames);
            }
            ShardMessage::TcpClosed { source } => {
                self.tcp.remove(&source);
                self.shard.handle_input(now, Input::TcpClosed { source });
            }
            ShardMessage::Stop => self.stopped = true,
        }
    }

    fn take_datagrams(&mut self, now: Instant) {
        for index in 0..self.wire.len() {
            for _ in 0..SOCKET_BUDGET {
                let Some((destination, count)) = self.wire.receive(index, now) else {
                    break;
                };
                for datagram in 0..count {
                    self.take_datagram(datagram, destination, now);
                }
            }
        }
    }

    /// Takes one datagram of the batch that was received last.
    fn take_datagram(&mut self, index: usize, destination: SocketAddr, now: Instant) {
        let Some((arrival, contents)) = self.wire.arrival(index) else {
            return;
        };
        let (shard, ufrags, own) = (&self.shard, &self.ufrags, self.id);
        let owner = if self.peers.len() < 2 {
            own
        } else {
            self.routes.route(arrival.source, contents, now, |ufrag| {
                if shard.knows_ufrag(ufrag) {
                    Some(own)
                } else {
                    ufrags.owner(ufrag)
                }
            })
        };
        if owner != own {
            self.hand_over(owner, index, destination);
            return;
        }
        self.until_sample = self.until_sample.checked_sub(1).unwrap_or(SAMPLE_EVERY);
        if self.until_sample == 0 {
            self.timed(index, destination, now);
        } else {
            self.feed(index, destination, now);
        }
    }

    fn feed(&mut self, index: usize, destination: SocketAddr, now: Instant) {
        let Some((arrival, contents)) = self.wire.arrival(index) else {
            return;
        };
        let input = Input::Datagram {
            transport: Transport::Udp,
            source: arrival.source,
            destination,
            contents,
        };
        self.shard.handle_input(now, input);
    }

    /// Feeds one datagram and sends everything it leads to, by the clock.
    fn timed(&mut self, index: usize, destination: SocketAddr, now: Instant) {
        self.carry_out();
        self.shard.take_fanned_out();
        let start = Instant::now();
        self.feed(index, destination, now);
        self.carry_out();
        if let Some((group, kind)) = self.shard.take_fanned_out() {
            self.published.fanned_out(group, kind, start.elapsed());
        }
    }

    fn hand_over(&mut self, owner: ShardId, index: usize, destination: SocketAddr) {
        let Some((arrival, contents)) = self.wire.arrival(index) else {
            return;
        };
        let message = ShardMessage::Datagram {
            transport: Transport::Udp,
            source: arrival.source,
            destination,
            contents: contents.to_vec(),
        };
        let sent = self.peers.get(owner.0).map(|peer| peer.send(message));
        self.published.handed_over(matches!(sent, Some(Ok(()))));
    }

    /// Does everything the core asks for, until it has nothing left.
    fn carry_out(&mut self) {
        loop {
            match self.shard.poll_output() {
                Output::Transmit {
                    transport,
                    source,
                    destination,
                    contents,
                } => match transport {
                    Transport::Udp => {
                        let sent = self.wire.send(source, destination, &contents);
                        self.published.sent(sent);
                    }
                    Transport::Tcp => self.send_frame(destination, contents),
                },
                Output::Media(batch) => self.send_media(batch),
                Output::Named { ufrag } => self.ufrags.learn(ufrag, self.id),
                Output::Signal { key, signal } => {
                    self.outbox.send(ShardEvent::Signal { key, signal });
                }
                Output::Voice { key, speaking } => {
                    self.outbox.send(ShardEvent::Voice { key, speaking });
                }
                Output::LegLost { call } => {
                    let shard = self.id;
                    self.outbox.send(ShardEvent::LegLost { call, shard });
                }
                Output::Closed {
                    key,
                    call: _,
                    reason,
                } => {
                    self.outbox.send(ShardEvent::Closed { key, reason });
                }
                Output::Linked {
                    call,
                    link,
                    message,
                } => {
                    let sent = self.send_to_leg(call, link, message);
                    self.published.linked(sent);
                }
                Output::Measured(measurement) => self.published.measured(&measurement),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    let sent = self.far.flush();
                    self.published.linked(sent);
                    return;
                }
            }
        }
    }

    /// Hands something to another leg; false when it did not take it.
    fn send_to_leg(&mut self, call: CallKey, link: LinkId, message: LinkMessage) -> bool {
        let peer = self.links.get(&link);
        let Some(peer) = peer.and_then(|peer| self.peers.get(peer.0)) else {
            return self.far.send(call, link, message);
        };
        peer.send(ShardMessage::Linked {
            call,
            link,
            message,
        })
        .is_ok()
    }

    fn send_media(&mut self, batch: MediaBatch) {
        let sent = self.wire.send_media(&batch);
        self.published.sent(sent);
        for (group, bytes) in batch.groups() {
            if group.transport == Transport::Tcp {
                for packet in group.packets(bytes) {
                    self.send_frame(group.destination, packet.to_vec());
                }
            }
        }
        self.shard.recycle(batch);
    }

    fn send_frame(&mut self, destination: SocketAddr, contents: Vec<u8>) {
        let sent = self
            .tcp
            .get(&destination)
            .is_some_and(|frames| frames.send(contents));
        if !sent {
            self.published.frame_dropped();
        }
    }

    fn housekeeping(&mut self, now: Instant) {
        self.published.events(&self.outbox);
        self.published.sockets(&self.wire);
        self.published.refresh(self.shard.counters(), now);
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP_EVERY;
            self.published.forget_idle_groups(&mut self.shard);
            self.routes.sweep(now);
            let shard = &self.shard;
            self.ufrags
                .retain(self.id, |ufrag| shard.knows_ufrag(ufrag));
        }
    }
}
