//! The last part of a packet's way: from a track to everybody who receives it.
//!
//! In: packets that were admitted in this turn (`Pending`). Out: sealed packets in the batch, receiver
//! by receiver, so that what one receiver gets lies together and leaves in one call.
//! Also here: packets that receivers miss, sent again.
//! Invariants: a packet touches its subscribers only; nothing is allocated per receiver.

use super::tracks::{Pending, Subscription};
use super::{Ctx, Leg};
use crate::counters::DropReason;
use crate::egress::Outgoing;
use crate::io::LinkedPacket;
use crate::keyframes::Need;
use crate::pictures::PictureIds;
use crate::session::{Layer, Mid, Sent, begins_keyframe};

/// The subscriptions of one track while packets are dealt out, and how far that is.
#[derive(Debug, Default)]
pub(super) struct Lane {
    track: u32,
    pending: Vec<Pending>,
    subscriptions: Vec<Subscription>,
    next: usize,
    /// A receiver that has no picture yet got part of one.
    is_waited_for: Option<Layer>,
}

impl Leg {
    /// Sends everything that was admitted since the last time.
    pub(crate) fn send_pending(&mut self, ctx: &mut Ctx<'_>) {
        let mut lanes = std::mem::take(&mut self.lanes);
        for number in std::mem::take(&mut self.tracks_pending) {
            if let Some(track) = self.tracks.get_mut(&number) {
                lanes.push(Lane {
                    track: number,
                    pending: std::mem::take(&mut track.pending),
                    subscriptions: std::mem::take(&mut track.subscriptions),
                    next: 0,
                    is_waited_for: None,
                });
            }
        }
        // Longest first: a group may end with a shorter packet, not go on with a longer one.
        lanes.sort_by_key(|lane| {
            let first = lane.pending.first();
            std::cmp::Reverse(first.map_or(0, |pending| pending.packet.payload.len()))
        });
        while let Some(member) = lanes.iter().filter_map(Lane::head).min() {
            self.send_to(ctx, member, &mut lanes);
        }
        for mut lane in lanes.drain(..) {
            if let Some(track) = self.tracks.get_mut(&lane.track) {
                lane.pending.clear();
                track.pending = lane.pending;
                track.subscriptions = lane.subscriptions;
            }
            // The keyframe it came for was lost, or never made: asked for until there is one.
            if let Some(layer) = lane.is_waited_for {
                self.request_keyframe(ctx, lane.track, layer, Need::Picture);
            }
        }
        self.lanes = lanes;
    }

    /// Sends one receiver what it gets of all lanes.
    fn send_to(&mut self, ctx: &mut Ctx<'_>, index: u32, lanes: &mut [Lane]) {
        let member = usize::try_from(index)
            .ok()
            .and_then(|index| self.members.get_mut(index)?.as_deref_mut());
        let Some(member) = member else {
            for lane in lanes.iter_mut().filter(|lane| lane.head() == Some(index)) {
                lane.next += 1;
            }
            return;
        };
        let mut is_written = false;
        for lane in lanes.iter_mut().filter(|lane| lane.head() == Some(index)) {
            let Some(subscription) = lane.subscriptions.get_mut(lane.next) else {
                continue;
            };
            lane.next += 1;
            for pending in &lane.pending {
                if subscription.is_waiting && subscription.layer == pending.layer {
                    subscription.is_waiting = !pending.begins_keyframe;
                    lane.is_waited_for = subscription.is_waiting.then_some(pending.layer);
                }
                match subscription.send(&mut member.session, ctx, pending) {
                    Some(Sent::Sealed) => ctx.counters.forwarded += 1,
                    Some(Sent::Written) => {
                        ctx.counters.forwarded += 1;
                        is_written = true;
                    }
                    Some(Sent::Refused) => ctx.counters.drop_one(DropReason::Late),
                    None => {}
                }
            }
        }
        if is_written {
            member.mark_dirty(ctx.notes, index);
        }
    }

    /// A receiver misses packets on one of its m-lines.
    pub(super) fn missing(&mut self, ctx: &mut Ctx<'_>, index: u32, mid: Mid, sequences: &[u16]) {
        let member = usize::try_from(index)
            .ok()
            .and_then(|index| self.members.get_mut(index)?.as_deref_mut());
        let Some(member) = member else { return };
        let shown = member.lines.iter().find(|line| line.mid == mid);
        let track = shown
            .and_then(super::member::Line::shows)
            .and_then(|number| self.tracks.get_mut(&number));
        let Some(track) = track else { return };
        let Some(at) = track.subscription_of(index) else {
            return;
        };
        let (low, high) = (&track.low.cache, &track.high.cache);
        let stream = track.subscriptions.get_mut(at).and_then(|s| s.sender.own());
        let Some((stream, egress)) = stream.zip(member.session.egress()) else {
            return;
        };
        for sequence in sequences {
            ctx.counters.missing += 1;
            let Some(record) = stream.missing(ctx.now, *sequence) else {
                continue;
            };
            let cache = match record.layer {
                Layer::Low => low,
                Layer::High => high,
            };
            if let Some(packet) = cache.get(record.source_seq_no) {
                let outgoing = Outgoing {
                    seq_no: record.seq_no,
                    timestamp: record.timestamp,
                    ..outgoing(packet, record.layer)
                };
                if stream.repeat(egress, &record, &outgoing, ctx.media) {
                    ctx.counters.repeated += 1;
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
            .map(|subscription| subscription.member)
    }
}

/// A packet as it is before it is placed in a receiver's stream.
fn outgoing(packet: &LinkedPacket, layer: Layer) -> Outgoing<'_> {
    Outgoing {
        seq_no: packet.seq_no,
        timestamp: packet.timestamp,
        source_seq_no: packet.seq_no,
        layer,
        marker: packet.marker,
        audio_level: packet.audio_level,
        payload: &packet.payload,
        pictures: None,
    }
}

impl Subscription {
    /// Sends one packet; `None` when this receiver gets another layer.
    fn send(
        &mut self,
        session: &mut crate::session::Session,
        ctx: &mut Ctx<'_>,
        pending: &Pending,
    ) -> Option<Sent> {
        if self.layer != pending.layer {
            // Another layer is taken over at its next keyframe.
            if self.wish != pending.layer || !pending.begins_keyframe {
                return None;
            }
            self.layer = pending.layer;
            self.placement.switch(ctx.now, pending.clock_rate);
            self.pictures.switch();
        }
        let packet = &pending.packet;
        let placed = self
            .placement
            .place(ctx.now, packet.seq_no, packet.timestamp);
        let Some((seq_no, timestamp)) = placed else {
            return Some(Sent::Refused);
        };
        let outgoing = Outgoing {
            seq_no,
            timestamp,
            pictures: self.pictures.place(pending.pictures),
            ..outgoing(packet, pending.layer)
        };
        let sent = self
            .sender
            .send(session, ctx.now, &outgoing, &packet.payload, ctx.media);
        Some(sent)
    }
}

impl Pending {
    /// Looks at a packet once for all its receivers.
    pub(super) fn new(codec: proto::rtcd::Codec, layer: Layer, packet: LinkedPacket) -> Self {
        let is_vp8 = codec == proto::rtcd::Codec::Vp8;
        Self {
            layer,
            clock_rate: codec.clock_rate(),
            begins_keyframe: begins_keyframe(codec, &packet.payload),
            pictures: is_vp8.then(|| PictureIds::read(&packet.payload)).flatten(),
            packet,
        }
    }
}
