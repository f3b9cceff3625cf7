//! The last part of a packet's way: from a track to everybody who receives it.
//!
//! In: packets that were admitted in this turn (`Pending`), time. Out: sealed packets in the batch,
//! receiver by receiver, so that what one receiver gets lies together and leaves in one call. Sound
//! leaves at once; video that the receiver's `Pacer` does not admit waits for its time.
//! Also here: packets that receivers miss, sent again.
//! Invariants: a packet touches its subscribers only; nothing is allocated per receiver of sound;
//! a packet that is shed for one receiver has no number in its stream.

use super::party::Party;
use super::tracks::{Pending, Subscription};
use super::{Ctx, Leg};
use crate::counters::DropReason;
use crate::egress::Outgoing;
use crate::io::LinkedPacket;
use crate::keyframes::Need;
use crate::media::{Codec, Layer, LayerSet};
use crate::picture_ids::PictureIds;
use crate::session::{Mid, begins_keyframe};

/// The subscriptions of one track while packets are dealt out, and how far that is.
#[derive(Debug, Default)]
pub(super) struct Lane {
    track: u32,
    is_audio: bool,
    pending: Vec<Pending>,
    subscriptions: Vec<Subscription>,
    next: usize,
    /// Layers of which a receiver that has no picture got only a part.
    waited_for: LayerSet,
    /// A receiver gets another layer from now on.
    has_switched: bool,
}

/// A packet of video that has its place in a receiver's stream, and waits for its time.
#[derive(Debug)]
pub(super) struct Paced {
    pub(super) track: u32,
    layer: Layer,
    place: Place,
    packet: LinkedPacket,
}

/// Where a packet is in one receiver's stream.
#[derive(Debug, Clone, Copy)]
struct Place {
    seq_no: u64,
    timestamp: u32,
    pictures: Option<PictureIds>,
}

impl Leg {
    /// Sends everything that was admitted since the last time.
    pub(crate) fn send_pending(&mut self, ctx: &mut Ctx<'_>) {
        let mut lanes = std::mem::take(&mut self.lanes);
        for number in std::mem::take(&mut self.tracks_pending) {
            if let Some(track) = self.tracks.get_mut(&number) {
                lanes.push(Lane {
                    track: number,
                    is_audio: track.kind.is_audio(),
                    pending: std::mem::take(&mut track.pending),
                    subscriptions: std::mem::take(&mut track.subscriptions),
                    ..Lane::default()
                });
            }
        }
        // Longest first: a group may end with a shorter packet, not go on with a longer one.
        lanes.sort_by_key(|lane| {
            let first = lane.pending.first();
            std::cmp::Reverse(first.map_or(0, |pending| pending.packet.payload.len()))
        });
        while let Some(party) = lanes.iter().filter_map(Lane::head).min() {
            self.send_to(ctx, party, &mut lanes);
        }
        for mut lane in lanes.drain(..) {
            if let Some(track) = self.tracks.get_mut(&lane.track) {
                lane.pending.clear();
                track.pending = lane.pending;
                track.subscriptions = lane.subscriptions;
            }
            if lane.has_switched {
                self.ask_for_layers(ctx, lane.track);
            }
            // The keyframe they came for was lost, or never made: asked for until there is one.
            for layer in lane.waited_for.iter() {
                self.request_keyframe(ctx, lane.track, layer, Need::Picture);
            }
        }
        self.lanes = lanes;
    }

    /// Sends one receiver what it gets of all lanes.
    fn send_to(&mut self, ctx: &mut Ctx<'_>, index: u32, lanes: &mut [Lane]) {
        let party = usize::try_from(index)
            .ok()
            .and_then(|index| self.parties.get_mut(index)?.as_deref_mut());
        let Some(party) = party else {
            for lane in lanes.iter_mut().filter(|lane| lane.head() == Some(index)) {
                lane.next += 1;
            }
            return;
        };
        for lane in lanes.iter_mut().filter(|lane| lane.head() == Some(index)) {
            if lane.is_audio {
                lane.send_sound(party, ctx);
            } else {
                lane.send_video(party, ctx);
            }
        }
    }

    /// Sends a receiver what waited and may leave by now.
    pub(super) fn send_waiting(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let party = usize::try_from(index)
            .ok()
            .and_then(|index| self.parties.get_mut(index)?.as_deref_mut());
        let Some(party) = party else { return };
        let estimate = party.layer_choice.estimate();
        while let Some(paced) = party.pacer.next(ctx.now, estimate) {
            let subscription = self.tracks.get_mut(&paced.track).and_then(|track| {
                let at = track.subscription_of(index)?;
                track.subscriptions.get_mut(at)
            });
            if let Some(subscription) = subscription {
                let (layer, packet) = (paced.layer, &paced.packet);
                subscription.send(party, ctx, (layer, paced.place, packet));
            }
        }
    }

    /// A receiver misses packets on one of its m-lines.
    pub(super) fn missing(&mut self, ctx: &mut Ctx<'_>, index: u32, mid: Mid, sequences: &[u16]) {
        let party = usize::try_from(index)
            .ok()
            .and_then(|index| self.parties.get_mut(index)?.as_deref_mut());
        let Some(party) = party else { return };
        let shown = party.negotiator.track_at(mid);
        let track = shown.and_then(|number| self.tracks.get_mut(&number));
        let Some(track) = track else { return };
        let Some(at) = track.subscription_of(index) else {
            return;
        };
        let streams = &track.streams;
        let stream = track.subscriptions.get_mut(at).map(|s| &mut s.sender);
        let Some((stream, egress)) = stream.zip(party.session.egress()) else {
            return;
        };
        for sequence in sequences {
            ctx.counters.missing += 1;
            let Some(record) = stream.missing(ctx.now, *sequence) else {
                continue;
            };
            let cache = streams.get(record.layer).map(|stream| &stream.cache);
            if let Some(packet) = cache.and_then(|cache| cache.get(record.source_seq_no)) {
                let place = Place {
                    seq_no: record.seq_no,
                    timestamp: record.timestamp,
                    pictures: None,
                };
                let outgoing = outgoing(packet, record.layer, place);
                if stream.repeat(egress, &record, &outgoing, ctx.media) {
                    ctx.counters.repeated += 1;
                    party.pacer.spend(packet.payload.len());
                }
            }
        }
    }
}

impl Lane {
    /// The receiver whose turn it is.
    fn head(&self) -> Option<u32> {
        self.subscriptions
            .get(self.next)
            .map(|subscription| subscription.party)
    }

    fn send_sound(&mut self, party: &mut Party, ctx: &mut Ctx<'_>) {
        let Some(subscription) = self.subscriptions.get_mut(self.next) else {
            return;
        };
        self.next += 1;
        for pending in &self.pending {
            if !subscription.follows(ctx, pending) {
                continue;
            }
            match subscription.place(ctx, pending) {
                Some(place) => {
                    let placed = (pending.layer, place, &pending.packet);
                    subscription.send(party, ctx, placed);
                }
                None => ctx.counters.drop_one(DropReason::Late),
            }
        }
    }

    fn send_video(&mut self, party: &mut Party, ctx: &mut Ctx<'_>) {
        let Some(subscription) = self.subscriptions.get_mut(self.next) else {
            return;
        };
        self.next += 1;
        let estimate = party.layer_choice.estimate();
        for pending in &self.pending {
            let layer = subscription.layer;
            if !subscription.follows(ctx, pending) {
                if subscription.is_cut && layer == pending.layer {
                    ctx.counters.drop_one(DropReason::Waiting);
                }
                continue;
            }
            self.has_switched |= subscription.layer != layer;
            if party.pacer.is_full() {
                ctx.counters.drop_one(DropReason::Waiting);
                subscription.is_cut = true;
                subscription.is_waiting = true;
                continue;
            }
            let Some(place) = subscription.place(ctx, pending) else {
                ctx.counters.drop_one(DropReason::Late);
                continue;
            };
            if subscription.is_waiting {
                subscription.is_waiting = !pending.begins_keyframe;
            }
            let packet = &pending.packet;
            let len = packet.payload.len();
            if party.pacer.admits(ctx.now, estimate, len) {
                subscription.send(party, ctx, (pending.layer, place, packet));
            } else {
                let paced = Paced {
                    track: self.track,
                    layer: pending.layer,
                    place,
                    packet: packet.clone(),
                };
                party.pacer.push(len, paced);
            }
        }
        if subscription.is_waiting {
            // Of several receivers that wait each one's layer is asked for.
            self.waited_for.insert(subscription.target);
        }
        if party.pacer.deadline().is_some() {
            party.schedule(ctx);
        }
    }
}

/// A packet as it is in a receiver's stream.
fn outgoing(packet: &LinkedPacket, layer: Layer, place: Place) -> Outgoing<'_> {
    Outgoing {
        seq_no: place.seq_no,
        timestamp: place.timestamp,
        source_seq_no: packet.seq_no,
        layer,
        marker: packet.marker,
        audio_level: packet.audio_level,
        payload: &packet.payload,
        pictures: place.pictures,
    }
}

impl Subscription {
    /// Whether this receiver gets a packet. Another layer, and what follows after a cut, is taken
    /// over at a keyframe.
    fn follows(&mut self, ctx: &Ctx<'_>, pending: &Pending) -> bool {
        if self.layer == pending.layer && !self.is_cut {
            return true;
        }
        if self.target != pending.layer || !pending.begins_keyframe {
            return false;
        }
        self.is_cut = false;
        self.layer = pending.layer;
        self.placement.switch(ctx.now, pending.clock_rate);
        self.pictures.switch();
        true
    }

    /// Gives a packet its place; `None` when it is too late for one.
    fn place(&mut self, ctx: &Ctx<'_>, pending: &Pending) -> Option<Place> {
        let packet = &pending.packet;
        let placed = self
            .placement
            .place(ctx.now, packet.seq_no, packet.timestamp);
        let (seq_no, timestamp) = placed?;
        let pictures = self.pictures.place(pending.pictures);
        Some(Place {
            seq_no,
            timestamp,
            pictures,
        })
    }

    fn send(
        &mut self,
        party: &mut Party,
        ctx: &mut Ctx<'_>,
        (layer, place, packet): (Layer, Place, &LinkedPacket),
    ) {
        let outgoing = outgoing(packet, layer, place);
        let sender = &mut self.sender;
        let egress = party.session.egress();
        if egress.is_some_and(|egress| sender.send(egress, ctx.now, &outgoing, ctx.media)) {
            ctx.counters.forwarded += 1;
        } else {
            ctx.counters.drop_one(DropReason::NotSent);
        }
    }
}

impl Pending {
    /// Looks at a packet once for all its receivers.
    pub(super) fn new(codec: Codec, layer: Layer, packet: LinkedPacket) -> Self {
        let is_vp8 = codec == Codec::Vp8;
        Self {
            layer,
            clock_rate: codec.clock_rate(),
            begins_keyframe: begins_keyframe(codec, &packet.payload),
            pictures: is_vp8.then(|| PictureIds::read(&packet.payload)).flatten(),
            packet,
        }
    }
}
