//! Legs of this node and of the others, joined over the connections between them.
//!
//! In: what legs and the control side say to another node, what that node says. Out: the same, on the
//! wire and off it. A track is named once and has a number from then on: a name is longer than most
//! packets of a voice.
//! Invariant: a number stands for one track for as long as the connection lasts.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use node::{Hears, Meets, Others, Place, State, Wire};
use proto::rtcd::{
    ControlMessage, LegMessage, MediaHead, NodeMessage, NumberedTrack, SessionMessage,
};
use rtcd_core::{CallKey, Layer, LinkMessage, LinkedPacket, LinkedTrackId};
use service::Tasks;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::advertiser::Advertiser;
use crate::control::Control;
use crate::driver::{InboxSender, ShardMessage};
use crate::metrics::Metrics;
use crate::node_link::{FarPacket, NodeLink, call_key, call_name, track_id, track_name};
use crate::placement::{FarLeg, NodeSerial, ShardId};

/// What another node asked and was not done yet.
const ASKED: usize = 8192;
/// A connection that is over is waited for so long before what the node has counts as lost: its sessions
/// go on without it. Longer: who is on a dead node learns it later.
const AWAY: Duration = Duration::from_secs(10);

/// What links need of this node, for the control side and the shards.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    pub(crate) control: Arc<Control>,
    pub(crate) inboxes: Vec<InboxSender>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) advertiser: Arc<Advertiser>,
    pub(crate) tasks: Tasks,
}

/// Takes other nodes in, once this one has its place.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) links: Links,
    pub(super) place: Place,
}

impl Meets for Met {
    fn met(&self, wire: &Arc<Wire>) -> Box<dyn Hears> {
        let serial = NodeSerial(wire.serial());
        let node: Arc<str> = wire.node().as_str().into();
        let link = Link {
            wire: Arc::clone(wire),
            node: Arc::clone(&node),
            place: self.place.clone(),
            numbers: self
                .links
                .inboxes
                .iter()
                .map(|_| Mutex::default())
                .collect(),
            next_number: AtomicU32::new(0),
        };
        self.links.control.node_came(Arc::new(link));
        let (asked, asks) = mpsc::channel(ASKED);
        let links = self.links.clone();
        let work = carry_out(links.clone(), Arc::clone(&node), asks);
        self.links
            .tasks
            .one_of("sessions for another node", work, |_| {});
        Box::new(Heard {
            links,
            serial,
            node,
            place: self.place.clone(),
            asked,
            tracks: HashMap::new(),
        })
    }
}

/// Numbers of the tracks of one shard, by call.
type Numbers = HashMap<CallKey, BTreeMap<LinkedTrackId, u32>>;

/// The way to one node.
#[derive(Debug)]
struct Link {
    wire: Arc<Wire>,
    node: Arc<str>,
    place: Place,
    /// By shard.
    numbers: Vec<Mutex<Numbers>>,
    next_number: AtomicU32,
}

impl Link {
    fn numbers(&self, shard: usize) -> Option<MutexGuard<'_, Numbers>> {
        let numbers = self.numbers.get(shard)?;
        Some(numbers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of a track; the other node is told of a new one.
    fn number(&self, packet: &FarPacket) -> Option<u32> {
        let mut numbers = self.numbers(packet.from.0)?;
        if let Some(number) = numbers
            .get(&packet.call)
            .and_then(|tracks| tracks.get(&packet.track))
        {
            return Some(*number);
        }
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let tracks = numbers.entry(packet.call.clone()).or_default();
        tracks.insert(packet.track.clone(), number);
        let track = NumberedTrack {
            number,
            call: call_name(&packet.call),
            from: u8::try_from(packet.from.0).unwrap_or(u8::MAX),
            track: track_name(&packet.track),
        };
        self.wire.say(NodeMessage::Track(track).encode());
        Some(number)
    }

    fn over(&self, number: u32) {
        self.wire.say(NodeMessage::TrackOver { number }.encode());
    }
}

impl NodeLink for Link {
    fn serial(&self) -> NodeSerial {
        NodeSerial(self.wire.serial())
    }

    fn node(&self) -> Arc<str> {
        Arc::clone(&self.node)
    }

    fn url(&self) -> Option<String> {
        let others = self.place.others();
        let facts = others.nodes.get(self.wire.node())?.facts.as_ref()?;
        (!facts.url.is_empty()).then(|| facts.url.clone())
    }

    fn room(&self) -> Option<u16> {
        let others = self.place.others();
        let other = others.nodes.get(self.wire.node());
        Some(other.filter(|other| other.takes_more())?.load)
    }

    fn is_congested(&self) -> bool {
        self.wire.is_congested()
    }

    fn say(&self, message: &NodeMessage) {
        self.wire.say(message.encode());
        if let NodeMessage::Leg(leg) = message
            && let LegMessage::TrackEnded { track } = &leg.said
            && let Some(mut numbers) = self.numbers(usize::from(leg.from))
            && let Some(tracks) = numbers.get_mut(&call_key(leg.call.clone()))
            && let Some(number) = tracks.remove(&track_id(track.clone()))
        {
            self.over(number);
        }
    }

    fn send(&self, packet: &FarPacket) -> bool {
        let Some(number) = self.number(packet) else {
            return false;
        };
        let LinkedPacket {
            seq_no,
            timestamp,
            marker,
            audio_level,
            payload,
        } = &packet.packet;
        let head = MediaHead {
            number,
            shards: packet.to,
            layer: packet.layer.rank(),
            marker: *marker,
            seq_no: *seq_no,
            timestamp: *timestamp,
            audio_level: *audio_level,
        };
        self.wire.send(head.encode(payload).into())
    }

    fn forget(&self, call: &CallKey, from: ShardId) {
        let tracks = self
            .numbers(from.0)
            .and_then(|mut numbers| numbers.remove(call));
        for number in tracks.unwrap_or_default().into_values() {
            self.over(number);
        }
    }
}

/// A track of a leg of the other node.
#[derive(Debug)]
struct Named {
    call: CallKey,
    leg: FarLeg,
    track: LinkedTrackId,
}

/// What comes from one node.
#[derive(Debug)]
struct Heard {
    links: Links,
    serial: NodeSerial,
    node: Arc<str>,
    place: Place,
    asked: mpsc::Sender<SessionMessage>,
    tracks: HashMap<u32, Named>,
}

/// Does what another node asks for its clients, one after the other, until the connection is over.
async fn carry_out(links: Links, node: Arc<str>, mut asked: mpsc::Receiver<SessionMessage>) {
    while let Some(SessionMessage { group, message }) = asked.recv().await {
        let control = &links.control;
        let done = if let ControlMessage::Join(join) = message {
            let candidates = links.advertiser.candidates().await;
            control.join_for(&node, &group, join, candidates)
        } else {
            control.asked_by(&node, &group, message).await
        };
        if let Err(error) = done {
            debug!(%node, groupID = %group, %error, "what a node asked had no effect");
        }
    }
}

impl Hears for Heard {
    fn said(&mut self, message: &[u8]) {
        let message = match NodeMessage::decode(message) {
            Ok(message) => message,
            Err(error) => {
                warn!(%error, "a node said what this version does not know");
                self.links.metrics.dropped("node_link", "unknown_message");
                return;
            }
        };
        let control = &self.links.control;
        match message {
            NodeMessage::Legs(legs) => control.node_legs(self.serial, legs),
            NodeMessage::Leg(said) => control.leg_said(self.serial, said),
            NodeMessage::Track(track) => {
                let named = Named {
                    call: call_key(track.call),
                    leg: FarLeg {
                        node: self.serial,
                        shard: track.from,
                    },
                    track: track_id(track.track),
                };
                self.tracks.insert(track.number, named);
            }
            NodeMessage::TrackOver { number } => {
                self.tracks.remove(&number);
            }
            NodeMessage::Told(said) => control.told_by(&self.node, &said.group, said.message),
            NodeMessage::Asked(asked) => {
                // There is room, for nothing is said while there is none (`is_full`).
                if self.asked.try_send(asked).is_err() {
                    self.links.metrics.dropped("node_link", "asked_too_much");
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.asked.capacity() == 0
    }

    fn sent(&mut self, datagram: &[u8]) {
        let read = MediaHead::decode(datagram);
        let read = read.and_then(|(head, payload)| {
            let layer = Layer::of_rank(head.layer)?;
            Some((head, layer, payload))
        });
        let Some((head, layer, payload)) = read else {
            self.links.metrics.dropped("node_link", "malformed");
            return;
        };
        // Its name may be behind it: names go another way.
        let Some(named) = self.tracks.get(&head.number) else {
            self.links.metrics.dropped("node_link", "unknown_track");
            return;
        };
        let packet = LinkedPacket {
            seq_no: head.seq_no,
            timestamp: head.timestamp,
            marker: head.marker,
            audio_level: head.audio_level,
            payload: payload.into(),
        };
        for (shard, inbox) in self.links.inboxes.iter().enumerate() {
            if head.shards >> shard & 1 == 0 {
                continue;
            }
            let message = ShardMessage::Linked {
                call: named.call.clone(),
                link: named.leg.link(),
                message: LinkMessage::Rtp {
                    track: named.track.clone(),
                    layer,
                    packet: packet.clone(),
                },
            };
            if let Err(full) = inbox.send(message) {
                debug!(shard, depth = full.depth, "a packet of a node is dropped");
                self.links.metrics.dropped("node_link", "inbox_full");
            }
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let control = Arc::clone(&self.links.control);
        control.node_went(self.serial);
        let node = Arc::clone(&self.node);
        let place = self.place.clone();
        let wait = async move {
            let goes = async {
                let mut others = place.follow();
                let is_gone = |others: &Arc<Others>| {
                    let mut nodes = others.nodes.iter();
                    let is_gone = |state| matches!(state, State::Left | State::Silent);
                    nodes.any(|(id, other)| id.as_str() == &*node && is_gone(other.state))
                };
                // Its sender lives as long as this process.
                let _gone = others.wait_for(is_gone).await;
            };
            let _waited = tokio::time::timeout(AWAY, goes).await;
            control.node_stays_away(&node);
        };
        self.links.tasks.one_of("node that is away", wait, |_| {});
    }
}
