//! A network and a clock in memory: real shards of rtcd, real WebRTC participants, no waiting.
//!
//! Everything that travels (datagrams, control messages, link messages) goes through one queue
//! ordered by arrival time, so a run is as fast as the code and the same every time, up to the
//! random numbers inside the WebRTC stack.

mod door;
mod names;
mod network;
mod participant;
mod style;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proto::id::{CallId, UserId};
use proto::rtcd::{RtcKind, RtcMessage};
use rtcd_core::{
    CallKey, CloseReason, CoreConfig, Dialect, HostCandidate, Input, JoinRequest, LinkId,
    LinkMessage, Measurement, Output, Request, SessionKey, Shard, Signal, Transport,
};

pub use door::request;
pub use names::{call, group, key, shard_address};
pub use network::{Network, Path};
pub use participant::{Heard, Participant, RawPacket};
pub use style::{Media, Style};
pub use wire::{Sent, Streams, Wire};

/// One way of a control message.
const LATENCY: Duration = Duration::from_millis(10);

/// Decides whether a datagram to this destination is lost.
pub type Loss = Box<dyn FnMut(&str, &[u8]) -> bool>;
/// Decides whether a message between legs is lost.
pub type LinkLoss = Box<dyn FnMut(&LinkMessage) -> bool>;

/// Something on its way.
enum Parcel {
    ToShard {
        shard: usize,
        transport: Transport,
        source: SocketAddr,
        contents: Vec<u8>,
    },
    ToParticipant {
        name: String,
        source: SocketAddr,
        contents: Vec<u8>,
    },
    Control {
        shard: usize,
        key: SessionKey,
        request: Request,
    },
    Signal {
        name: String,
        message: RtcMessage,
    },
    Linked {
        shard: usize,
        call: CallKey,
        link: LinkId,
        message: LinkMessage,
    },
}

/// Shards, participants, and what travels between them.
pub struct World {
    pub now: Instant,
    pub start: Instant,
    pub shards: Vec<Shard>,
    /// ICE names that shards said are theirs.
    names: BTreeSet<String>,
    pub participants: BTreeMap<String, Participant>,
    /// Every `Closed`, in order.
    pub closed: Vec<(String, CloseReason)>,
    /// Calls whose leg on some shard has panicked.
    pub lost: Vec<CallKey>,
    /// Every `vad`, in order.
    pub voices: Vec<(String, RtcKind)>,
    pub measured: Vec<Measurement>,
    /// Link messages that were carried, by kind.
    pub link_log: Vec<LinkMessage>,
    /// What happens to datagrams.
    pub network: Network,
    /// What shards sent, if it is to be kept.
    pub wire: Option<Wire>,
    /// What participants sent, if it is to be kept.
    pub captured: Option<Vec<Vec<u8>>>,
    /// Datagrams to lose: called with the destination's name ("shard" for a shard).
    pub lose: Option<Loss>,
    /// Messages between legs to lose.
    pub lose_linked: Option<LinkLoss>,
    /// Holds back control messages to the shard of this kind.
    pub delay_control: BTreeMap<u8, Duration>,
    queue: BTreeMap<(Instant, u64), Parcel>,
    sent: u64,
    joined: u32,
    shard_timeouts: Vec<Instant>,
    links: BTreeMap<(usize, LinkId), (usize, LinkId)>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("participants", &self.participants.len())
            .finish()
    }
}

impl World {
    /// Makes a world with this many shards and nobody in it.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self::with_config(shards, &CoreConfig::default())
    }

    /// The same, with everything but the addresses as configured.
    #[must_use]
    pub fn with_config(shards: usize, config: &CoreConfig) -> Self {
        let start = Instant::now();
        let make = |index| {
            let address = shard_address(index);
            let candidates = vec![
                HostCandidate::plain(Transport::Udp, address),
                HostCandidate::plain(Transport::Tcp, address),
            ];
            let config = CoreConfig {
                candidates,
                ..config.clone()
            };
            Shard::new(config, start)
        };
        Self {
            now: start,
            start,
            shards: (0..shards).map(make).collect(),
            names: BTreeSet::new(),
            participants: BTreeMap::new(),
            closed: Vec::new(),
            lost: Vec::new(),
            voices: Vec::new(),
            measured: Vec::new(),
            link_log: Vec::new(),
            network: Network::new(),
            wire: None,
            captured: None,
            lose: None,
            lose_linked: None,
            delay_control: BTreeMap::new(),
            queue: BTreeMap::new(),
            sent: 0,
            joined: 0,
            shard_timeouts: vec![start; shards],
            links: BTreeMap::new(),
        }
    }

    /// Lets somebody join a call on a shard and offer.
    pub fn join(&mut self, shard: usize, call_name: &str, name: &str, style: Style) {
        let [.., high, low] = self.joined.to_be_bytes();
        self.joined += 1;
        let address = SocketAddr::from(([10, 1, high, low], 5000));
        self.join_silently(shard, call_name, name, style);
        let mut participant = Participant::new(name, address, shard, style, self.now);
        participant.offer(self.now);
        self.participants.insert(name.to_owned(), participant);
        self.collect(name);
    }

    /// Lets a session join of whom nothing more is heard.
    pub fn join_silently(&mut self, shard: usize, call_name: &str, name: &str, style: Style) {
        let request = JoinRequest {
            key: key(name),
            call: CallId::parse(call_name).expect("an id"),
            user: UserId::parse(format!("user-{name}")).expect("an id"),
            channel: None,
            av1_support: style.av1,
            dialect: Dialect::Calls {
                offers_over_channel: style.dc_signalling,
            },
            candidates: None,
        };
        self.input(shard, Input::Join(request));
    }

    /// Forgets what was noted about sessions that are gone.
    pub fn forget_the_past(&mut self) {
        self.names = BTreeSet::new();
        self.closed = Vec::new();
        self.voices = Vec::new();
        self.measured = Vec::new();
        self.link_log = Vec::new();
    }

    /// Lets somebody leave.
    pub fn leave(&mut self, name: &str) {
        let shard = self.participants.get(name).expect("a participant").shard;
        self.input(shard, Input::Leave(key(name)));
    }

    /// Lets somebody vanish: nothing is sent any more, and nobody is told.
    pub fn vanish(&mut self, name: &str) {
        self.participants.remove(name);
        self.network.forget(name);
    }

    /// Gives somebody's connection another address, as a NAT or another network does; what is sent
    /// to the old one is lost.
    pub fn rebind(&mut self, name: &str) {
        self.of(name).rebound += 1;
    }

    /// Returns a participant.
    pub fn of(&mut self, name: &str) -> &mut Participant {
        self.participants.get_mut(name).expect("a participant")
    }

    /// Sends a control message, as the calls server does for the participant.
    pub fn control(&mut self, name: &str, kind: RtcKind, data: &str) {
        let participant = self.participants.get(name).expect("a participant");
        let (shard, key) = (participant.shard, key(name));
        let Some(request) = door::request(kind, data.as_bytes()) else {
            return;
        };
        let extra = self
            .delay_control
            .get(&kind.number())
            .copied()
            .unwrap_or_default();
        self.post(
            LATENCY + extra,
            Parcel::Control {
                shard,
                key,
                request,
            },
        );
    }

    /// Gives a shard an input at this moment.
    pub fn input(&mut self, shard: usize, input: Input<'_>) {
        let now = self.now;
        self.shards
            .get_mut(shard)
            .expect("a shard")
            .handle_input(now, input);
        self.drain(shard);
    }

    /// Joins the legs of a call on two shards.
    pub fn link(&mut self, call: &CallKey, one: usize, other: usize) {
        self.link_after(call, one, other, Duration::ZERO);
    }

    /// The same, but the other end is told that much later.
    pub fn link_after(&mut self, call: &CallKey, one: usize, other: usize, later: Duration) {
        let (near, far) = (LinkId(100 + other as u64), LinkId(100 + one as u64));
        self.links.insert((one, near), (other, far));
        self.links.insert((other, far), (one, near));
        self.input(
            one,
            Input::LinkUp {
                call: call.clone(),
                link: near,
            },
        );
        self.run(later);
        self.input(
            other,
            Input::LinkUp {
                call: call.clone(),
                link: far,
            },
        );
    }

    /// Separates them again.
    pub fn unlink(&mut self, call: &CallKey, one: usize, other: usize) {
        let (near, far) = (LinkId(100 + other as u64), LinkId(100 + one as u64));
        self.input(
            one,
            Input::LinkDown {
                call: call.clone(),
                link: near,
            },
        );
        self.input(
            other,
            Input::LinkDown {
                call: call.clone(),
                link: far,
            },
        );
        self.links.remove(&(one, near));
        self.links.remove(&(other, far));
    }

    /// Lets time pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let arrival = self.queue.keys().next().map(|(at, _)| *at);
            let people = self.participants.values().map(Participant::deadline);
            let next = people
                .chain(self.shard_timeouts.iter().copied())
                .chain(arrival)
                .min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            self.step();
        }
    }

    /// Lets time pass until something holds.
    ///
    /// # Panics
    /// When it does not within ten seconds.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        for _ in 0..1000 {
            if holds(self) {
                return;
            }
            self.run(Duration::from_millis(10));
        }
        panic!("not within 10 s: {what}");
    }

    fn step(&mut self) {
        while let Some(entry) = self.queue.first_entry().filter(|e| e.key().0 <= self.now) {
            let parcel = entry.remove();
            self.deliver(parcel);
        }
        for shard in 0..self.shards.len() {
            if self
                .shard_timeouts
                .get(shard)
                .is_some_and(|at| *at <= self.now)
            {
                self.input(shard, Input::Timeout);
            }
        }
        let now = self.now;
        let due: Vec<String> = self
            .participants
            .iter()
            .filter(|(_, participant)| participant.deadline() <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.of(&name).tick(now);
            self.collect(&name);
        }
    }

    fn deliver(&mut self, parcel: Parcel) {
        let now = self.now;
        match parcel {
            Parcel::ToShard {
                shard,
                transport,
                source,
                contents,
            } => {
                let destination = shard_address(shard);
                let contents = contents.as_slice();
                let input = Input::Datagram {
                    transport,
                    source,
                    destination,
                    contents,
                };
                self.input(shard, input);
            }
            Parcel::ToParticipant {
                name,
                source,
                contents,
            } => {
                if let Some(participant) = self.participants.get_mut(&name) {
                    participant.datagram(now, source, &contents);
                    self.collect(&name);
                }
            }
            Parcel::Control {
                shard,
                key,
                request,
            } => {
                self.input(shard, Input::Control { key, request });
            }
            Parcel::Signal { name, message } => {
                if let Some(participant) = self.participants.get_mut(&name) {
                    participant.signal(now, &message);
                    self.collect(&name);
                }
            }
            Parcel::Linked {
                shard,
                call,
                link,
                message,
            } => {
                self.input(
                    shard,
                    Input::Linked {
                        call,
                        link,
                        message,
                    },
                );
            }
        }
    }

    /// Takes what a participant wants to send.
    fn collect(&mut self, name: &str) {
        let participant = self.participants.get_mut(name).expect("a participant");
        let (shard, source) = (participant.shard, participant.seen_at());
        let transport = if participant.style.tcp {
            Transport::Tcp
        } else {
            Transport::Udp
        };
        let datagrams = std::mem::take(&mut participant.datagrams);
        let messages = std::mem::take(&mut participant.messages);
        for contents in datagrams {
            if let Some(captured) = &mut self.captured {
                captured.push(contents.clone());
            }
            if self.is_lost("shard", &contents) {
                continue;
            }
            for at in self.arrivals((name, true), contents.len()) {
                let parcel = Parcel::ToShard {
                    shard,
                    transport,
                    source,
                    contents: contents.clone(),
                };
                self.post_at(at, parcel);
            }
        }
        for (kind, data) in messages {
            self.control(name, kind, &data);
        }
    }

    /// Takes everything a shard puts out.
    fn drain(&mut self, index: usize) {
        loop {
            let output = self.shards.get_mut(index).expect("a shard").poll_output();
            match output {
                Output::Transmit {
                    source,
                    destination,
                    contents,
                    ..
                } => self.transmit(source, destination, &contents),
                Output::Media(batch) => {
                    let packets = batch.groups().flat_map(|(group, bytes)| {
                        let packets = group.packets(bytes);
                        packets.map(move |packet| (group.source, group.destination, packet))
                    });
                    for (source, destination, packet) in packets {
                        self.transmit(source, destination, packet);
                    }
                    self.shards.get_mut(index).expect("a shard").recycle(batch);
                }
                Output::Signal { key, signal } => {
                    self.assert_open(&key);
                    self.assert_named(&signal);
                    let name = key.session.to_string();
                    let message = door::message(&key, signal);
                    self.post(LATENCY, Parcel::Signal { name, message });
                }
                Output::Named { ufrag } => drop(self.names.insert(ufrag)),
                Output::Voice { key, speaking } => {
                    self.assert_open(&key);
                    let kind = if speaking {
                        RtcKind::VoiceOn
                    } else {
                        RtcKind::VoiceOff
                    };
                    self.voices.push((key.session.to_string(), kind));
                }
                Output::LegLost { call } => self.lost.push(call),
                Output::Closed { key, reason, .. } => {
                    self.assert_open(&key);
                    self.closed.push((key.session.to_string(), reason));
                }
                Output::Linked {
                    call,
                    link,
                    message,
                } => {
                    self.link_log.push(message.clone());
                    let is_lost = self.lose_linked.as_mut().is_some_and(|lose| lose(&message));
                    if is_lost {
                        continue;
                    }
                    if let Some((shard, link)) = self.links.get(&(index, link)).copied() {
                        let parcel = Parcel::Linked {
                            shard,
                            call,
                            link,
                            message,
                        };
                        self.post(Duration::from_millis(1), parcel);
                    }
                }
                Output::Measured(measurement) => self.measured.push(measurement),
                Output::Timeout(at) => {
                    if let Some(timeout) = self.shard_timeouts.get_mut(index) {
                        *timeout = at.max(self.now + Duration::from_micros(100));
                    }
                    return;
                }
            }
        }
    }

    /// Whoever reads a description can be found under the ICE name in it.
    fn assert_named(&self, signal: &Signal) {
        let Signal::Describe(description) = signal else {
            return;
        };
        for line in description.sdp.lines() {
            if let Some(ufrag) = line.strip_prefix("a=ice-ufrag:") {
                assert!(
                    self.names.contains(ufrag),
                    "told before it was named: {ufrag}"
                );
            }
        }
    }

    /// `Closed` is the last word about a session.
    fn assert_open(&self, key: &SessionKey) {
        let name = key.session.as_str();
        assert!(
            !self.closed.iter().any(|(closed, _)| closed == name),
            "output after Closed"
        );
    }

    fn is_lost(&mut self, to: &str, contents: &[u8]) -> bool {
        self.lose.as_mut().is_some_and(|lose| lose(to, contents))
    }

    /// Carries a datagram of a shard to whom it is addressed.
    fn transmit(&mut self, source: SocketAddr, destination: SocketAddr, contents: &[u8]) {
        let found = self
            .participants
            .values()
            .find(|participant| participant.seen_at() == destination);
        let Some(name) = found.map(|participant| participant.name.clone()) else {
            return;
        };
        if let Some(wire) = &mut self.wire {
            wire.note(&name, self.now, contents);
        }
        if self.is_lost(&name, contents) {
            return;
        }
        for at in self.arrivals((&name, false), contents.len()) {
            let parcel = Parcel::ToParticipant {
                name: name.clone(),
                source,
                contents: contents.to_vec(),
            };
            self.post_at(at, parcel);
        }
    }

    fn arrivals(&mut self, way: (&str, bool), len: usize) -> Vec<Instant> {
        let since = self.now - self.start;
        self.network.arrivals(way, len, since, self.now)
    }

    fn post(&mut self, after: Duration, parcel: Parcel) {
        self.post_at(self.now + after, parcel);
    }

    fn post_at(&mut self, at: Instant, parcel: Parcel) {
        self.sent += 1;
        self.queue.insert((at, self.sent), parcel);
    }
}
