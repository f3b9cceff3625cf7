//! Keyframe requests on their way through a leg, towards the publisher.
//!
//! In: requests of subscribers, of links, and of new subscriptions. Out: requests to the publisher's
//! session, or over the link its track came by, as often as the gate of the stream allows.

use super::tracks::Origin;
use super::{Ctx, Leg};
use crate::io::{LinkMessage, Output};
use crate::keyframes::Need;
use crate::media::Layer;
use crate::session::{Mid, SourceId};

impl Leg {
    /// A participant needs a keyframe on one of its m-lines.
    pub(super) fn keyframe_wanted(&mut self, ctx: &mut Ctx<'_>, index: u32, mid: Mid) {
        let shown = self.track_at(index, mid);
        let layer = shown.and_then(|number| {
            let subscriptions = &self.tracks.get(&number)?.subscriptions;
            let subscription = subscriptions.iter().find(|s| s.party == index)?;
            Some((number, subscription.layer))
        });
        if let Some((number, layer)) = layer {
            self.request_keyframe(ctx, number, layer, Need::Repair);
        }
    }

    /// Asks for a keyframe, now or as soon as the gap allows.
    pub(super) fn request_keyframe(
        &mut self,
        ctx: &mut Ctx<'_>,
        number: u32,
        layer: Layer,
        need: Need,
    ) {
        let gap = ctx.config.keyframe_gap;
        let Some(track) = self.tracks.get_mut(&number) else {
            return;
        };
        if track.kind.is_audio() {
            return;
        }
        let gate = &mut track.streams.of(layer).gate;
        if let Some(need) = gate.request(ctx.now, gap, need) {
            self.send_keyframe_request(ctx, number, layer, need);
        } else if let Some(at) = gate.deadline(gap) {
            let leg = &mut ctx.notes.wake_leg;
            *leg = Some(leg.map_or(at, |earlier| earlier.min(at)));
        }
    }

    /// Sends the keyframe requests whose time has come.
    pub(super) fn poll_keyframes(&mut self, ctx: &mut Ctx<'_>) {
        let gap = ctx.config.keyframe_gap;
        let mut due = Vec::new();
        for track in self.tracks.values_mut() {
            for (layer, stream) in track.streams.iter_mut() {
                let gate = &mut stream.gate;
                if let Some(need) = gate.poll(ctx.now, gap) {
                    due.push((track.number, layer, need));
                } else if let Some(at) = gate.deadline(gap) {
                    let leg = &mut ctx.notes.wake_leg;
                    *leg = Some(leg.map_or(at, |earlier| earlier.min(at)));
                }
            }
        }
        for (number, layer, need) in due {
            self.send_keyframe_request(ctx, number, layer, need);
        }
    }

    fn send_keyframe_request(&mut self, ctx: &mut Ctx<'_>, number: u32, layer: Layer, need: Need) {
        let Some(track) = self.tracks.get(&number) else {
            return;
        };
        ctx.counters.keyframe_requests += 1;
        match track.origin.clone() {
            Origin::Party { index, mid } => {
                if let Some(party) = self.party(index) {
                    party.session.request_keyframe(SourceId { mid, layer });
                    party.mark_dirty(ctx.notes, index);
                }
            }
            Origin::Link { link, id } => {
                let message = LinkMessage::KeyframeWanted {
                    track: id,
                    layer,
                    is_repair: need == Need::Repair,
                };
                ctx.out.push_back(Output::Linked {
                    call: self.key.clone(),
                    link,
                    message,
                });
            }
        }
    }

    /// Takes a keyframe request of a link for a track of this leg.
    pub(super) fn linked_keyframe_wanted(
        &mut self,
        ctx: &mut Ctx<'_>,
        number: u32,
        (layer, need): (Layer, Need),
    ) {
        let is_ours = |track: &&super::tracks::Track| matches!(track.origin, Origin::Party { .. });
        let track = self.tracks.get(&number).filter(is_ours);
        if track.is_some_and(|track| track.streams.get(layer).is_some()) {
            self.request_keyframe(ctx, number, layer, need);
        }
    }
}
