//! Tracks of a leg: published, shown to those who should receive them, subscribed, ended.
//!
//! Not here: packets (`forward`), keyframes (`keyframe_requests`), who is told what of it
//! (`negotiation`).

use crate::media::{Codec, TrackKind};
use proto::id::SessionId;

use super::party::Party;
use super::streams::Streams;
use super::{Ctx, Leg};
use crate::counters::TrackDirection;
use crate::egress::EgressStream;
use crate::io::{LinkId, LinkedPacket, LinkedTrackId};
use crate::keyframes::Need;
use crate::media::{Layer, LayerSet};
use crate::negotiator::Settled;
use crate::picture_ids::{PictureIds, Pictures};
use crate::rewrite::Placement;
use crate::session::Mid;
use crate::speakers::Voice;

/// A published source, from this leg or another.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) number: u32,
    pub(super) publisher: SessionId,
    pub(super) origin: Origin,
    pub(super) kind: TrackKind,
    pub(super) codec: Codec,
    pub(super) muted: bool,
    pub(super) voice: Voice,
    /// Makes the track's id unique among those of its publisher.
    pub(super) suffix: String,
    pub(super) streams: Streams,
    /// By session.
    pub(super) subscriptions: Vec<Subscription>,
    /// Admitted, not yet sent.
    pub(super) pending: Vec<Pending>,
    pub(super) crossing: Crossing,
}

/// A packet that will be sent to everybody who receives the track.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) layer: Layer,
    pub(super) clock_rate: u32,
    pub(super) begins_keyframe: bool,
    pub(super) pictures: Option<PictureIds>,
    pub(super) packet: LinkedPacket,
}

/// Where a track's packets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Party { index: u32, mid: Mid },
    Link { link: LinkId, id: LinkedTrackId },
}

/// One session receives the track.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) party: u32,
    pub(super) sender: EgressStream,
    pub(super) placement: Placement,
    pub(super) pictures: Pictures,
    /// Has no picture yet: nothing that begins one was sent.
    pub(super) is_waiting: bool,
    /// Packets were shed: it goes on with the next keyframe.
    pub(super) is_cut: bool,
    /// What it is sent.
    pub(super) layer: Layer,
    /// What it should get, whether that is there or not.
    pub(super) wish: Layer,
    /// What it gets from the next keyframe on: the nearest to the wish that is there.
    pub(super) target: Layer,
}

/// Which layers of a track cross the links of its leg. Sound always does.
#[derive(Debug, Default)]
pub(super) struct Crossing {
    /// Of a track of this leg: what each leg asked for, if it did.
    asked: Vec<(LinkId, LayerSet)>,
    /// Of a track of another leg: what this one asked for last, if it did.
    asked_for: Option<LayerSet>,
}

impl Crossing {
    /// What crosses before anybody asks.
    const UNASKED: LayerSet = LayerSet::of(Layer::LOW);

    /// The leg behind a link asks for these layers.
    pub(super) fn asked(&mut self, link: LinkId, layers: LayerSet) {
        self.asked.retain(|(known, _)| *known != link);
        self.asked.push((link, layers));
    }

    /// A link is gone.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.asked.retain(|(known, _)| *known != link);
    }

    /// Whether a layer is for the leg behind a link.
    pub(super) fn includes(&self, link: LinkId, layer: Layer) -> bool {
        let mut asked = self.asked.iter();
        let asked = asked.find_map(|(known, layers)| (*known == link).then_some(*layers));
        asked.unwrap_or(Self::UNASKED).contains(layer)
    }

    /// Notes that these layers are needed here; true when the other leg has to be told.
    pub(super) fn ask(&mut self, layers: LayerSet) -> bool {
        self.asked_for.replace(layers).unwrap_or(Self::UNASKED) != layers
    }
}

impl Track {
    pub(super) fn is_published_by(&self, party: u32) -> bool {
        matches!(self.origin, Origin::Party { index, .. } if index == party)
    }

    /// Finds where a session's subscription is.
    pub(super) fn subscription_of(&self, party: u32) -> Option<usize> {
        self.subscriptions
            .binary_search_by_key(&party, |subscription| subscription.party)
            .ok()
    }

    pub(super) fn linked_id(&self) -> LinkedTrackId {
        match &self.origin {
            Origin::Party { .. } => LinkedTrackId {
                publisher: self.publisher.clone(),
                number: self.number,
            },
            Origin::Link { id, .. } => id.clone(),
        }
    }
}

impl Leg {
    /// Whether a session should receive a track: never its own, and of two codecs of one screen
    /// only the better one it knows.
    pub(super) fn wants(&self, party: &Party, track: &Track) -> bool {
        if &track.publisher == party.id() {
            return false;
        }
        let twin = |codec| {
            self.tracks.values().any(|other| {
                other.publisher == track.publisher
                    && other.kind == track.kind
                    && other.codec == codec
                    && other.number != track.number
            })
        };
        match track.codec {
            Codec::Opus => true,
            Codec::Av1 => party.request.av1_support,
            Codec::Vp8 => !(party.request.av1_support && twin(Codec::Av1)),
        }
    }

    /// Announces a new track to everybody who should receive it.
    pub(super) fn publish(
        &mut self,
        ctx: &mut Ctx<'_>,
        publisher: SessionId,
        origin: Origin,
        (kind, codec, muted): (TrackKind, Codec, bool),
    ) -> u32 {
        let number = self.next_track;
        self.next_track += 1;
        let track = Track {
            number,
            publisher,
            origin,
            kind,
            codec,
            muted,
            voice: Voice::default(),
            suffix: proto::id::new_id().chars().take(8).collect(),
            streams: Streams::default(),
            subscriptions: Vec::new(),
            pending: Vec::new(),
            crossing: Crossing::default(),
        };
        tracing::debug!(call = %self.key.call, publisher = %track.publisher, ?kind,
            codec = codec.mime(), "track published");
        ctx.counters
            .group(&self.key.group)
            .track_began(TrackDirection::In, codec);
        self.announce_track(ctx, &track);
        let twins = self.twins(&track);
        self.tracks.insert(number, track);
        self.revise_wishes(ctx, &[twins, vec![number]].concat());
        number
    }

    /// Returns the other codecs of the same picture; sound has none.
    fn twins(&self, track: &Track) -> Vec<u32> {
        let is_twin = |other: &&Track| {
            other.kind == track.kind
                && other.number != track.number
                && other.publisher == track.publisher
        };
        if track.kind.is_audio() {
            return Vec::new();
        }
        self.tracks
            .values()
            .filter(is_twin)
            .map(|other| other.number)
            .collect()
    }

    /// Ends a track everywhere.
    pub(super) fn end_track(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        let Some(track) = self.tracks.get(&number) else {
            return;
        };
        let codec = track.codec;
        let twins = self.twins(track);
        match track.origin.clone() {
            Origin::Party { index, mid } => {
                self.announce_end(ctx, number);
                if let Some(party) = self.party(index) {
                    party.source_ended(mid);
                }
            }
            Origin::Link { link, id } => {
                self.linked_tracks.remove(&(link, id));
            }
        }
        ctx.counters
            .group(&self.key.group)
            .track_ended(TrackDirection::In, codec);
        for index in self.live() {
            self.hide(ctx, index, number);
        }
        self.tracks.remove(&number);
        self.speakers.forget(number);
        // One codec of a picture ended: the other may be wanted now.
        self.revise_wishes(ctx, &twins);
    }

    /// Begins sending a track on an answered m-line. Returns what became of that.
    pub(super) fn subscribe(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        mid: Mid,
        number: u32,
    ) -> Settled {
        let Some(codec) = self.tracks.get(&number).map(|track| track.codec) else {
            return Settled::TooLate;
        };
        let Some(party) = self.party(index) else {
            return Settled::Refused;
        };
        if !party.negotiator.is_shown(number) {
            return Settled::TooLate;
        }
        let wish = party.layer_choice.layer();
        let Some(sender) = party.session.sender(mid, codec) else {
            tracing::warn!(session = %party.id(), codec = codec.mime(), "track refused");
            return Settled::Refused;
        };
        let Some(track) = self.tracks.get_mut(&number) else {
            return Settled::TooLate;
        };
        let layer = track.streams.alive().nearest(wish).unwrap_or(Layer::LOW);
        let subscription = Subscription {
            party: index,
            sender,
            placement: Placement::default(),
            pictures: Pictures::default(),
            is_waiting: codec != Codec::Opus,
            is_cut: false,
            layer,
            wish,
            target: layer,
        };
        let at = track
            .subscriptions
            .partition_point(|other| other.party < index);
        track.subscriptions.insert(at, subscription);
        ctx.counters
            .group(&self.key.group)
            .track_began(TrackDirection::Out, codec);
        self.ask_for_layers(ctx, number);
        self.request_keyframe(ctx, number, layer, Need::Picture);
        Settled::Live
    }

    /// Ends everything one session receives; returns the streams it received it by.
    pub(super) fn unsubscribe(&mut self, ctx: &mut Ctx<'_>, index: u32) -> Vec<EgressStream> {
        let mut ended = Vec::new();
        for track in self.tracks.values_mut() {
            let Some(at) = track.subscription_of(index) else {
                continue;
            };
            ended.push(track.subscriptions.remove(at).sender);
            let counters = ctx.counters.group(&self.key.group);
            counters.track_ended(TrackDirection::Out, track.codec);
        }
        ended
    }
}
