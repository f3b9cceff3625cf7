//! The way of a media packet through a leg, and the switches on it.
//!
//! In: packets of participants and links, mute, reported loss. Out: packets written to the sessions
//! that receive them and to the links; voice activity.
//! The numbering without holes is made once per incoming stream; a subscription only shifts it.
//! Invariants: a packet touches its subscribers only; a packet of a link goes to no other link.

use crate::media::{Codec, Layer, TrackKind};

use super::classify::{Clues, classify};
use super::party::SourceState;
use super::tracks::{Origin, Pending, Track};
use super::{Ctx, Leg};
use crate::counters::DropReason;
use crate::egress::MAX_PAYLOAD;
use crate::io::{LinkMessage, LinkedPacket, Output};
use crate::session::{IncomingPacket, Mid, begins_keyframe};
use crate::speakers::{Speakers, Verdict};
use crate::vad::VoiceChange;

impl Leg {
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
        if let SourceState::Publishing { track } = self.party(index)?.sources.get(&mid)?.state {
            return Some(track);
        }
        let presenter = self.presenter.clone();
        let party = self.party(index)?;
        let source = party.sources.get(&mid)?;
        let since = match source.state {
            SourceState::Publishing { .. } | SourceState::Ended => return None,
            SourceState::Parked { since } => since,
            SourceState::Silent => now,
        };
        let is_presenter = presenter.as_ref() == Some(party.id());
        let kind = classify(Clues {
            is_audio: source.is_audio,
            stream: source.stream.as_deref(),
            screen: party.screen_stream.as_deref().filter(|_| is_presenter),
            video: party.video_stream.as_deref(),
            beside_unknown_video: party.has_unknown_video(source.stream.as_deref()),
            waited: now.saturating_duration_since(since),
        });
        let publisher = party.id().clone();
        let Some(kind) = kind else {
            party.sources.get_mut(&mid)?.state = SourceState::Parked { since };
            return None;
        };
        let origin = Origin::Party { index, mid };
        let track = self.publish(ctx, publisher, origin, (kind, codec, false));
        self.party(index)?.sources.get_mut(&mid)?.state = SourceState::Publishing { track };
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
            .is_none_or(|track| track.kind != TrackKind::Voice)
        {
            return;
        }
        let now = ctx.now;
        let change = self
            .party(index)
            .and_then(|party| party.detector.level(now, level));
        match change {
            Some(VoiceChange::On) => self.voice(ctx, index, true),
            Some(VoiceChange::Off) => self.voice(ctx, index, false),
            None => {}
        }
    }

    fn voice(&mut self, ctx: &mut Ctx<'_>, index: u32, speaking: bool) {
        if let Some(party) = self.party(index) {
            let key = party.request.key.clone();
            ctx.out.push_back(Output::Voice { key, speaking });
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
        let held_back = held_back(track, &mut self.speakers, ctx, &packet);
        let (codec, is_audio) = (track.codec, track.kind.is_audio());
        let stream = track.streams.of(layer);
        if let Some(reason) = held_back {
            stream.compactor.skip(packet.seq_no);
            ctx.counters.drop_one(reason);
            return;
        }
        let Some(seq_no) = stream.compactor.forward(packet.seq_no) else {
            ctx.counters.drop_one(DropReason::Late);
            return;
        };
        packet.seq_no = seq_no;
        ctx.notes.fanned_out = Some(track.kind);
        let mut is_layer_news = false;
        if !is_audio {
            stream.rate.count(ctx.now, packet.payload.len());
            stream.cache.keep(&packet, ctx.config.nack_buffer);
            if begins_keyframe(codec, &packet.payload) {
                stream.gate.answered();
            }
            // Of a track of another leg not all layers come here: that leg tells.
            let is_ours = matches!(track.origin, Origin::Party { .. });
            is_layer_news = is_ours && track.streams.heard(ctx.now, layer);
        }
        if !track.subscriptions.is_empty() {
            if track.pending.is_empty() {
                self.tracks_pending.push(number);
            }
            track
                .pending
                .push(Pending::new(codec, layer, packet.clone()));
            ctx.notes.is_pending = true;
        }
        self.feed_links(ctx, number, layer, &packet);
        if is_layer_news {
            self.layers_changed(ctx, number);
        }
    }

    /// Hands a packet of this leg to the links that asked for its layer.
    fn feed_links(&mut self, ctx: &mut Ctx<'_>, number: u32, layer: Layer, packet: &LinkedPacket) {
        let Some(track) = self.tracks.get(&number) else {
            return;
        };
        if self.links.is_empty() || matches!(track.origin, Origin::Link { .. }) {
            return;
        }
        let is_audio = track.kind.is_audio();
        let id = track.linked_id();
        for link in &self.links {
            if !is_audio && !track.crossing.includes(*link, layer) {
                continue;
            }
            ctx.counters.linked += 1;
            let message = LinkMessage::Rtp {
                track: id.clone(),
                layer,
                packet: packet.clone(),
            };
            ctx.out.push_back(Output::Linked {
                call: self.key.clone(),
                link: *link,
                message,
            });
        }
    }

    /// Switches a participant's voice off or on. Before there is a voice, this means nothing.
    pub(super) fn mute(&mut self, ctx: &mut Ctx<'_>, index: u32, muted: bool) {
        #[cfg(any(test, feature = "fault-injection"))]
        if let Some(party) = self.party(index) {
            crate::fault::panic_if_asked(&party.request.user);
        }
        let voice = self
            .tracks
            .values_mut()
            .find(|track| track.kind == TrackKind::Voice && track.is_published_by(index));
        let Some(track) = voice else {
            return;
        };
        track.muted = muted;
        let number = track.number;
        self.announce_mute(ctx, number, muted);
        if muted {
            if let Some(party) = self.party(index) {
                party.detector.reset();
            }
            self.voice(ctx, index, false);
        }
    }
}

/// Why a packet goes no further, if so: decided before anything is done for any receiver.
fn held_back(
    track: &mut Track,
    speakers: &mut Speakers,
    ctx: &Ctx<'_>,
    packet: &LinkedPacket,
) -> Option<DropReason> {
    if packet.payload.is_empty() {
        return Some(DropReason::Padding);
    }
    // Before it has a number: receivers would ask for ever for one that is never sent.
    if packet.payload.len() > MAX_PAYLOAD {
        return Some(DropReason::TooLong);
    }
    if track.kind != TrackKind::Voice {
        return None;
    }
    if track.muted {
        return Some(DropReason::Muted);
    }
    let limit = ctx.config.max_speakers;
    let voice = (track.number, &mut track.voice);
    match speakers.judge(ctx.now, voice, packet.audio_level, limit) {
        Verdict::Silent if ctx.config.drop_silence => Some(DropReason::Silent),
        Verdict::Forward | Verdict::Silent => None,
        Verdict::Quiet => Some(DropReason::Quiet),
    }
}
