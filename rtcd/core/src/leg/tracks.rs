//! Tracks of a leg: published, offered to those who should receive them, subscribed, ended.
//!
//! Not here: packets (`forward`), keyframes (`refresh`), m-lines (`offers`).
//! Invariant: a session that should receive a track has it among `missing` until it has an m-line.

use proto::id::SessionId;
use proto::rtcd::{Codec, TrackType};

use super::member::{LineState, Member};
use super::{Ctx, Leg};
use crate::bandwidth::RateMeter;
use crate::cache::PacketCache;
use crate::counters::TrackDirection;
use crate::io::{LinkId, LinkedPacket, LinkedTrackId};
use crate::keyframes::{KeyframeGate, Need};
use crate::pictures::{PictureIds, Pictures};
use crate::rewrite::{Compactor, Placement};
use crate::session::{Layer, Mid, Sender};
use crate::speakers::Voice;

/// A published source, from this leg or another.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) number: u32,
    pub(super) publisher: SessionId,
    pub(super) origin: Origin,
    pub(super) kind: TrackType,
    pub(super) codec: Codec,
    pub(super) muted: bool,
    pub(super) voice: Voice,
    /// Makes the track's id unique among those of its publisher.
    pub(super) suffix: String,
    pub(super) low: Stream,
    pub(super) high: Stream,
    /// By session.
    pub(super) subscriptions: Vec<Subscription>,
    /// Admitted, not yet sent.
    pub(super) pending: Vec<Pending>,
    pub(super) feed: LinkFeed,
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
    Member { index: u32, mid: Mid },
    Link { link: LinkId, id: LinkedTrackId },
}

/// One incoming RTP stream of a track.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) compactor: Compactor,
    pub(super) gate: KeyframeGate,
    pub(super) seen: bool,
    pub(super) rate: RateMeter,
    /// Of video: audio is not repeated.
    pub(super) cache: PacketCache,
}

/// One session receives the track.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) member: u32,
    pub(super) sender: Sender,
    pub(super) placement: Placement,
    pub(super) pictures: Pictures,
    /// Has no picture yet: nothing that begins one was sent.
    pub(super) is_waiting: bool,
    pub(super) layer: Layer,
    pub(super) wish: Layer,
}

/// What links get: the best layer, in one numbering.
#[derive(Debug)]
pub(super) struct LinkFeed {
    pub(super) layer: Layer,
    pub(super) placement: Placement,
}

impl Track {
    pub(super) fn is_published_by(&self, member: u32) -> bool {
        matches!(self.origin, Origin::Member { index, .. } if index == member)
    }

    pub(super) fn stream(&mut self, layer: Layer) -> &mut Stream {
        match layer {
            Layer::Low => &mut self.low,
            Layer::High => &mut self.high,
        }
    }

    /// Finds where a session's subscription is.
    pub(super) fn subscription_of(&self, member: u32) -> Option<usize> {
        self.subscriptions
            .binary_search_by_key(&member, |subscription| subscription.member)
            .ok()
    }

    pub(super) fn linked_id(&self) -> LinkedTrackId {
        match &self.origin {
            Origin::Member { .. } => LinkedTrackId {
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
    pub(super) fn wants(&self, member: &Member, track: &Track) -> bool {
        if &track.publisher == member.id() {
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
            Codec::Av1 => member.request.av1_support,
            Codec::Vp8 => !(member.request.av1_support && twin(Codec::Av1)),
        }
    }

    /// Announces a new track to everybody who should receive it.
    pub(super) fn publish(
        &mut self,
        ctx: &mut Ctx<'_>,
        publisher: SessionId,
        origin: Origin,
        (kind, codec, muted): (TrackType, Codec, bool),
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
            low: Stream::default(),
            high: Stream::default(),
            subscriptions: Vec::new(),
            pending: Vec::new(),
            feed: LinkFeed {
                layer: Layer::Low,
                placement: Placement::default(),
            },
        };
        tracing::debug!(call = %self.key.call, publisher = %track.publisher, kind = kind.as_str(),
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

    /// Decides for every session which of these tracks it should receive, and negotiates.
    fn revise_wishes(&mut self, ctx: &mut Ctx<'_>, numbers: &[u32]) {
        for index in self.live() {
            for number in numbers {
                let wants = usize::try_from(index).ok().and_then(|index| {
                    let member = self.members.get(index)?.as_deref()?;
                    Some(self.wants(member, self.tracks.get(number)?))
                });
                let Some(member) = self.member(index) else {
                    continue;
                };
                if wants == Some(true) {
                    member.want(*number);
                } else if member.unwant(*number) {
                    self.leave_line(ctx, index, *number);
                }
            }
            self.negotiate(ctx, index);
        }
    }

    /// A session no longer receives a track: its m-line is to be withdrawn.
    fn leave_line(&mut self, ctx: &mut Ctx<'_>, index: u32, number: u32) {
        if let Some(track) = self.tracks.get_mut(&number)
            && let Some(at) = track.subscription_of(index)
        {
            track.subscriptions.remove(at);
            let (group, codec) = (&self.key.group, track.codec);
            ctx.counters
                .group(group)
                .track_ended(TrackDirection::Out, codec);
        }
        // A voice that left costs nothing while its m-line waits for the next offer.
        let urgent = self
            .tracks
            .get(&number)
            .is_none_or(|track| track.kind != TrackType::Voice);
        let Some(member) = self.member(index) else {
            return;
        };
        for line in &mut member.lines {
            if line.state == (LineState::Live { track: number }) {
                line.state = LineState::Leaving { urgent };
            } else if line.state == (LineState::Refused { track: number }) {
                line.state = LineState::Leaving { urgent: false };
            }
        }
    }

    /// Ends a track everywhere.
    pub(super) fn end_track(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        let Some(track) = self.tracks.get(&number) else {
            return;
        };
        let codec = track.codec;
        let twins = self.twins(track);
        match track.origin.clone() {
            Origin::Member { index, mid } => {
                self.announce_end(ctx, number);
                if let Some(member) = self.member(index) {
                    member.source_ended(mid);
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
            if self
                .member(index)
                .is_some_and(|member| member.unwant(number))
            {
                self.leave_line(ctx, index, number);
            }
        }
        self.tracks.remove(&number);
        self.speakers.forget(number);
        // One codec of a picture ended: the other may be wanted now.
        self.revise_wishes(ctx, &twins);
    }

    /// Begins sending a track on an answered m-line. Returns what becomes of the line.
    pub(super) fn subscribe(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        mid: Mid,
        number: u32,
    ) -> LineState {
        let Some(codec) = self.tracks.get(&number).map(|track| track.codec) else {
            return LineState::Leaving { urgent: true };
        };
        let Some(member) = self.member(index) else {
            return LineState::Refused { track: number };
        };
        if !member.wanted.contains(&number) {
            return LineState::Leaving { urgent: true };
        }
        let wish = member.layer_choice.layer();
        let Some(sender) = member.session.sender(mid, codec) else {
            tracing::warn!(session = %member.id(), codec = codec.mime(), "track refused");
            return LineState::Refused { track: number };
        };
        let Some(track) = self.tracks.get_mut(&number) else {
            return LineState::Leaving { urgent: true };
        };
        let layer = if track.high.seen { wish } else { Layer::Low };
        let subscription = Subscription {
            member: index,
            sender,
            placement: Placement::default(),
            pictures: Pictures::default(),
            is_waiting: codec != Codec::Opus,
            layer,
            wish,
        };
        let at = track
            .subscriptions
            .partition_point(|other| other.member < index);
        track.subscriptions.insert(at, subscription);
        ctx.counters
            .group(&self.key.group)
            .track_began(TrackDirection::Out, codec);
        self.request_keyframe(ctx, number, layer, Need::Picture);
        LineState::Live { track: number }
    }

    /// Ends everything one session receives; returns the streams it received it by.
    pub(super) fn unsubscribe(&mut self, ctx: &mut Ctx<'_>, index: u32) -> Vec<Sender> {
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
