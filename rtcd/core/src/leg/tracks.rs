//! Tracks of a leg: published, forwarded to subscribers and links, muted, ended.
//!
//! In: packets of participants and links, mute, keyframe requests. Out: packets written to the
//! sessions that receive them, and to the links.
//! The numbering without holes is made once per incoming stream; a subscription only shifts it.
//! Invariants: a packet touches its subscribers only; a packet of a link goes to no other link.

use proto::id::SessionId;
use proto::rtcd::{Codec, RtcKind, TrackType};

use super::classify::{Clues, classify};
use super::member::{LineState, Member, SourceState};
use super::{Ctx, Leg};
use crate::counters::{DropReason, TrackDirection};
use crate::io::{LinkId, LinkMessage, LinkedPacket, LinkedTrackId, Output};
use crate::keyframes::KeyframeGate;
use crate::rewrite::{Compactor, Placement};
use crate::session::{IncomingPacket, Layer, Mid, Sender, SourceId, begins_keyframe};
use crate::vad::VoiceChange;

/// A published source, from this leg or another.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) number: u32,
    pub(super) publisher: SessionId,
    pub(super) origin: Origin,
    pub(super) kind: TrackType,
    pub(super) codec: Codec,
    pub(super) muted: bool,
    /// Makes the track's id unique among those of its publisher.
    pub(super) suffix: String,
    low: Stream,
    high: Stream,
    subscriptions: Vec<Subscription>,
    feed: LinkFeed,
}

/// Where a track's packets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Member { index: u32, mid: Mid },
    Link { link: LinkId, id: LinkedTrackId },
}

/// One incoming RTP stream of a track.
#[derive(Debug, Default)]
struct Stream {
    compactor: Compactor,
    gate: KeyframeGate,
    seen: bool,
}

/// One session receives the track.
#[derive(Debug)]
struct Subscription {
    member: u32,
    sender: Sender,
    layer: Layer,
    wish: Layer,
}

/// What links get: the best layer, in one numbering.
#[derive(Debug)]
struct LinkFeed {
    layer: Layer,
    placement: Placement,
}

impl Track {
    pub(super) fn is_published_by(&self, member: u32) -> bool {
        matches!(self.origin, Origin::Member { index, .. } if index == member)
    }

    fn stream(&mut self, layer: Layer) -> &mut Stream {
        match layer {
            Layer::Low => &mut self.low,
            Layer::High => &mut self.high,
        }
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
            suffix: proto::id::new_id().chars().take(8).collect(),
            low: Stream::default(),
            high: Stream::default(),
            subscriptions: Vec::new(),
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
        if let Some(track) = self.tracks.get_mut(&number) {
            let before = track.subscriptions.len();
            track
                .subscriptions
                .retain(|subscription| subscription.member != index);
            if track.subscriptions.len() < before {
                let (group, codec) = (&self.key.group, track.codec);
                ctx.counters
                    .group(group)
                    .track_ended(TrackDirection::Out, codec);
            }
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
        let wish = member.layer_wish.layer;
        let Some(sender) = member.session.sender(mid, codec) else {
            tracing::warn!(session = %member.id(), codec = codec.mime(), "track refused");
            return LineState::Refused { track: number };
        };
        let Some(track) = self.tracks.get_mut(&number) else {
            return LineState::Leaving { urgent: true };
        };
        let layer = if track.high.seen { wish } else { Layer::Low };
        track.subscriptions.push(Subscription {
            member: index,
            sender,
            layer,
            wish,
        });
        ctx.counters
            .group(&self.key.group)
            .track_began(TrackDirection::Out, codec);
        self.request_keyframe(ctx, number, layer);
        LineState::Live { track: number }
    }

    /// Ends everything one session receives.
    pub(super) fn unsubscribe(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        for track in self.tracks.values_mut() {
            let before = track.subscriptions.len();
            track
                .subscriptions
                .retain(|subscription| subscription.member != index);
            if track.subscriptions.len() < before {
                let counters = ctx.counters.group(&self.key.group);
                counters.track_ended(TrackDirection::Out, track.codec);
            }
        }
    }

    /// Takes a participant's media packet.
    pub(super) fn packet(&mut self, ctx: &mut Ctx<'_>, index: u32, incoming: IncomingPacket) {
        let Some(number) = self.track_of(ctx, index, incoming.source.mid, incoming.codec) else {
            ctx.counters.drop_one(DropReason::Parked);
            return;
        };
        self.hear(ctx, index, number, &incoming.packet);
        self.forward(ctx, number, incoming.source.layer, incoming.packet);
    }

    /// Finds the track of a participant's m-line; publishes it when it is clear what it shows.
    fn track_of(&mut self, ctx: &mut Ctx<'_>, index: u32, mid: Mid, codec: Codec) -> Option<u32> {
        let now = ctx.now;
        if let SourceState::Publishing { track } = self.member(index)?.sources.get(&mid)?.state {
            return Some(track);
        }
        let presenter = self.presenter.clone();
        let member = self.member(index)?;
        let source = member.sources.get(&mid)?;
        let since = match source.state {
            SourceState::Publishing { .. } | SourceState::Ended => return None,
            SourceState::Parked { since } => since,
            SourceState::Silent => now,
        };
        let is_presenter = presenter.as_ref() == Some(member.id());
        let kind = classify(Clues {
            is_audio: source.is_audio,
            stream: source.stream.as_deref(),
            screen: member.screen_stream.as_deref().filter(|_| is_presenter),
            video: member.video_stream.as_deref(),
            beside_unknown_video: member.has_unknown_video(source.stream.as_deref()),
            waited: now.saturating_duration_since(since),
        });
        let publisher = member.id().clone();
        let Some(kind) = kind else {
            member.sources.get_mut(&mid)?.state = SourceState::Parked { since };
            return None;
        };
        let origin = Origin::Member { index, mid };
        let track = self.publish(ctx, publisher, origin, (kind, codec, false));
        self.member(index)?.sources.get_mut(&mid)?.state = SourceState::Publishing { track };
        Some(track)
    }

    /// Listens for voice activity, also while muted.
    fn hear(&mut self, ctx: &mut Ctx<'_>, index: u32, number: u32, packet: &LinkedPacket) {
        let Some(level) = packet.audio_level else {
            return;
        };
        if self
            .tracks
            .get(&number)
            .is_none_or(|track| track.kind != TrackType::Voice)
        {
            return;
        }
        let now = ctx.now;
        let change = self
            .member(index)
            .and_then(|member| member.detector.level(now, level));
        match change {
            Some(VoiceChange::On) => self.voice(ctx, index, RtcKind::VoiceOn),
            Some(VoiceChange::Off) => self.voice(ctx, index, RtcKind::VoiceOff),
            None => {}
        }
    }

    fn voice(&self, ctx: &mut Ctx<'_>, index: u32, kind: RtcKind) {
        let member = usize::try_from(index)
            .ok()
            .and_then(|i| self.members.get(i)?.as_deref());
        if let Some(member) = member {
            let message = self.message(member, kind, Vec::new());
            ctx.out.push_back(Output::Voice {
                key: member.request.key.clone(),
                message,
            });
        }
    }

    /// Sends a packet to everybody who receives the track.
    pub(super) fn forward(
        &mut self,
        ctx: &mut Ctx<'_>,
        number: u32,
        layer: Layer,
        mut packet: LinkedPacket,
    ) {
        let Some(track) = self.tracks.get_mut(&number) else {
            return;
        };
        let muted = track.muted && track.kind == TrackType::Voice;
        let stream = track.stream(layer);
        let is_new_layer = !std::mem::replace(&mut stream.seen, true) && layer == Layer::High;
        if packet.payload.is_empty() || muted {
            stream.compactor.skip(packet.seq_no);
            let reason = if muted {
                DropReason::Muted
            } else {
                DropReason::Padding
            };
            ctx.counters.drop_one(reason);
            return;
        }
        let Some(seq_no) = stream.compactor.forward(packet.seq_no) else {
            ctx.counters.drop_one(DropReason::Late);
            return;
        };
        packet.seq_no = seq_no;
        ctx.notes.fanned_out = Some(track.kind);
        for subscription in &mut track.subscriptions {
            if subscription.layer != layer {
                // Another layer is taken over at its next keyframe.
                if subscription.wish != layer || !begins_keyframe(track.codec, &packet.payload) {
                    continue;
                }
                subscription.layer = layer;
                subscription.sender.switch(ctx.now);
            }
            let member = usize::try_from(subscription.member)
                .ok()
                .and_then(|index| self.members.get_mut(index)?.as_deref_mut());
            let Some(member) = member else {
                continue;
            };
            if member
                .session
                .send(ctx.now, &mut subscription.sender, &packet)
            {
                ctx.counters.forwarded += 1;
                member.mark_dirty(ctx.notes, subscription.member);
            } else {
                ctx.counters.drop_one(DropReason::Late);
            }
        }
        self.feed_links(ctx, number, layer, packet);
        if is_new_layer {
            self.high_layer_began(ctx, number);
        }
    }

    /// Hands a packet of this leg to all links: of two layers the better one.
    fn feed_links(
        &mut self,
        ctx: &mut Ctx<'_>,
        number: u32,
        layer: Layer,
        mut packet: LinkedPacket,
    ) {
        let Some(track) = self.tracks.get_mut(&number) else {
            return;
        };
        if self.links.is_empty() || matches!(track.origin, Origin::Link { .. }) {
            return;
        }
        if track.feed.layer != layer {
            if layer == Layer::Low || !begins_keyframe(track.codec, &packet.payload) {
                return;
            }
            track.feed.layer = layer;
            track
                .feed
                .placement
                .switch(ctx.now, track.codec.clock_rate());
        }
        let placed = track
            .feed
            .placement
            .place(ctx.now, packet.seq_no, packet.timestamp);
        let Some((seq_no, timestamp)) = placed else {
            return;
        };
        packet.seq_no = seq_no;
        packet.timestamp = timestamp;
        let id = track.linked_id();
        for link in &self.links {
            ctx.counters.linked += 1;
            let message = LinkMessage::Rtp {
                track: id.clone(),
                packet: packet.clone(),
            };
            ctx.out.push_back(Output::Linked {
                call: self.key.clone(),
                link: *link,
                message,
            });
        }
    }

    /// A second layer appeared: those who wish for it, and links, need its keyframe.
    fn high_layer_began(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        let wanted = !self.links.is_empty()
            || self.tracks.get(&number).is_some_and(|track| {
                track
                    .subscriptions
                    .iter()
                    .any(|subscription| subscription.wish == Layer::High)
            });
        if wanted {
            self.request_keyframe(ctx, number, Layer::High);
        }
    }

    /// A participant reported its loss: it may be better off with another layer.
    pub(super) fn loss_reported(&mut self, ctx: &mut Ctx<'_>, index: u32, ratio: f64) {
        let now = ctx.now;
        let Some(member) = self.member(index) else {
            return;
        };
        if !member.layer_wish.loss(now, ratio) {
            return;
        }
        let wish = member.layer_wish.layer;
        let mut changed = Vec::new();
        for track in self.tracks.values_mut() {
            let layered = track.high.seen && track.low.seen;
            let own = track
                .subscriptions
                .iter_mut()
                .find(|own| own.member == index);
            let Some(subscription) = own else {
                continue;
            };
            subscription.wish = wish;
            if layered {
                changed.push(track.number);
            }
        }
        for number in changed {
            self.request_keyframe(ctx, number, wish);
        }
    }

    /// A participant needs a keyframe on one of its m-lines.
    pub(super) fn keyframe_wanted(&mut self, ctx: &mut Ctx<'_>, index: u32, mid: Mid) {
        let shown = self
            .member(index)
            .and_then(|m| m.lines.iter().find(|line| line.mid == mid)?.shows());
        let layer = shown.and_then(|number| {
            let subscriptions = &self.tracks.get(&number)?.subscriptions;
            let subscription = subscriptions.iter().find(|s| s.member == index)?;
            Some((number, subscription.layer))
        });
        if let Some((number, layer)) = layer {
            self.request_keyframe(ctx, number, layer);
        }
    }

    /// Asks for a keyframe, now or as soon as the gap allows.
    pub(super) fn request_keyframe(&mut self, ctx: &mut Ctx<'_>, number: u32, layer: Layer) {
        let gap = ctx.config.keyframe_gap;
        let Some(track) = self.tracks.get_mut(&number) else {
            return;
        };
        if track.kind.is_audio() {
            return;
        }
        let gate = &mut track.stream(layer).gate;
        if gate.request(ctx.now, gap) {
            self.send_keyframe_request(ctx, number, layer);
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
            for layer in [Layer::Low, Layer::High] {
                let gate = &mut track.stream(layer).gate;
                if gate.poll(ctx.now, gap) {
                    due.push((track.number, layer));
                } else if let Some(at) = gate.deadline(gap) {
                    let leg = &mut ctx.notes.wake_leg;
                    *leg = Some(leg.map_or(at, |earlier| earlier.min(at)));
                }
            }
        }
        for (number, layer) in due {
            self.send_keyframe_request(ctx, number, layer);
        }
    }

    fn send_keyframe_request(&mut self, ctx: &mut Ctx<'_>, number: u32, layer: Layer) {
        let Some(track) = self.tracks.get(&number) else {
            return;
        };
        ctx.counters.keyframe_requests += 1;
        match track.origin.clone() {
            Origin::Member { index, mid } => {
                if let Some(member) = self.member(index) {
                    member.session.request_keyframe(SourceId { mid, layer });
                    member.mark_dirty(ctx.notes, index);
                }
            }
            Origin::Link { link, id } => {
                let message = LinkMessage::KeyframeWanted { track: id };
                ctx.out.push_back(Output::Linked {
                    call: self.key.clone(),
                    link,
                    message,
                });
            }
        }
    }

    /// Switches a participant's voice off or on. Before there is a voice, this means nothing.
    pub(super) fn mute(&mut self, ctx: &mut Ctx<'_>, index: u32, muted: bool) {
        #[cfg(test)]
        assert!(!self.panic_on_mute, "a panic made by a test");
        let voice = self
            .tracks
            .values_mut()
            .find(|track| track.kind == TrackType::Voice && track.is_published_by(index));
        let Some(track) = voice else {
            return;
        };
        track.muted = muted;
        let number = track.number;
        self.announce_mute(ctx, number, muted);
        if muted {
            if let Some(member) = self.member(index) {
                member.detector.reset();
            }
            self.voice(ctx, index, RtcKind::VoiceOff);
        }
    }

    /// Takes a keyframe request of a link for a track of this leg.
    pub(super) fn linked_keyframe_wanted(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        let layer = self
            .tracks
            .get(&number)
            .filter(|track| matches!(track.origin, Origin::Member { .. }))
            .map(|track| track.feed.layer);
        if let Some(layer) = layer {
            self.request_keyframe(ctx, number, layer);
        }
    }
}
