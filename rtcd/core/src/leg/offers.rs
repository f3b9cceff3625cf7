//! Negotiation of one session: offers of either side, answers, the lock, the data channel.
//!
//! What the server offers is the difference between the tracks a session should receive and the
//! m-lines it has, all of it in one offer. So nothing is queued and nothing can be lost.
//! Invariant: the media map is written to the data channel before the offer it belongs to.

use std::collections::BTreeMap;

use proto::rtcd::{
    ChannelMessage, IceCandidate, MAX_SDP_LEN, MediaMapEntry, RtcKind, SdpKind, SessionDescription,
    track_id,
};

use super::member::{Line, LineState, Member, SourceState};
use super::{Ctx, Leg};
use crate::counters::{DropReason, ErrorKind};
use crate::io::{CloseReason, Measurement, Output};
use crate::negotiation::{Phase, SignallingPath};
use crate::session::{DescriptionError, Mid, NewLine, TrackNames};

impl Leg {
    /// Takes an offer or answer as JSON.
    pub(super) fn description(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        path: SignallingPath,
        json: &[u8],
    ) {
        if json.len() > MAX_SDP_LEN {
            ctx.counters.drop_one(DropReason::BadMessage);
            return;
        }
        match SessionDescription::from_json(json) {
            Ok(description) => self.described(ctx, index, path, &description),
            Err(_) => {
                ctx.counters.drop_one(DropReason::BadMessage);
                if self.is_first_offer(index) {
                    self.close(ctx, index, CloseReason::BadFirstOffer);
                }
            }
        }
    }

    pub(super) fn described(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        path: SignallingPath,
        description: &SessionDescription,
    ) {
        match description.kind {
            SdpKind::Offer => self.offered(ctx, index, path, &description.sdp),
            SdpKind::Answer => self.answered(ctx, index, &description.sdp),
        }
    }

    /// The participant offers.
    fn offered(&mut self, ctx: &mut Ctx<'_>, index: u32, path: SignallingPath, sdp: &str) {
        let is_first = self.is_first_offer(index);
        let now = ctx.now;
        let Some(member) = self.member(index) else {
            return;
        };
        if !member.negotiation.accepts_offer() {
            tracing::debug!(session = %member.id(), "offer ignored: it crosses ours");
            ctx.counters.drop_one(DropReason::Glare);
            return;
        }
        // An offer of ours that was not answered dies with this one.
        member.roll_back();
        let accepted = member.session.accept_offer(sdp);
        if !is_first {
            member.negotiation.phase = Phase::Stable;
        }
        let (answer, sources) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(session = %member.id(), %error, is_first, "offer refused");
                self.offer_refused(ctx, index, is_first);
                return;
            }
        };
        member.negotiation.phase = Phase::Stable;
        if is_first {
            member.answered_at = Some(now);
            member.last_heard = now;
        }
        let ended = member.update_sources(sources);
        ctx.notes.ufrags.push((index, member.session.ufrag()));
        let answer = SessionDescription {
            kind: SdpKind::Answer,
            sdp: answer,
        };
        self.send_description(ctx, index, path, &answer);
        if is_first {
            self.send_candidates(ctx, index);
        }
        for track in ended {
            self.end_track(ctx, track);
        }
        self.negotiate(ctx, index);
    }

    fn offer_refused(&mut self, ctx: &mut Ctx<'_>, index: u32, is_first: bool) {
        if is_first {
            self.close(ctx, index, CloseReason::BadFirstOffer);
        } else {
            ctx.counters.error(&self.key.group, ErrorKind::Signalling);
            self.negotiate(ctx, index);
        }
    }

    /// The participant answers our offer.
    fn answered(&mut self, ctx: &mut Ctx<'_>, index: u32, sdp: &str) {
        let now = ctx.now;
        let group = self.key.group.clone();
        let Some(member) = self.member(index) else {
            return;
        };
        if !member.negotiation.accepts_answer() {
            ctx.counters.drop_one(DropReason::Glare);
            return;
        }
        match member.session.accept_answer(sdp) {
            Ok(sources) => {
                let held = member.negotiation.answered(now);
                let ended = member.update_sources(sources);
                if let Some(took) = held {
                    ctx.out
                        .push_back(Output::Measured(Measurement::LockHeldTime { group, took }));
                }
                for track in ended {
                    self.end_track(ctx, track);
                }
                self.subscribe_offered(ctx, index);
                self.mark_dirty(ctx, index);
                self.negotiate(ctx, index);
            }
            Err(
                error @ (DescriptionError::OtherLines
                | DescriptionError::TooMuch(_)
                | DescriptionError::Parse(_)
                | DescriptionError::NoOffer),
            ) => {
                tracing::debug!(session = %member.id(), %error, "answer ignored");
                ctx.counters.drop_one(DropReason::Glare);
            }
            Err(error @ DescriptionError::Apply(_)) => {
                tracing::warn!(session = %member.id(), %error, "answer refused");
                member.roll_back();
                member.session.forget_offer();
                member.negotiation.failed(now);
                ctx.counters.error(&group, ErrorKind::Signalling);
                self.mark_dirty(ctx, index);
            }
        }
    }

    /// Begins sending on the m-lines of an answered offer.
    fn subscribe_offered(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let Some(member) = self.member(index) else {
            return;
        };
        member.withdrawn();
        let offered: Vec<_> = member
            .lines
            .iter()
            .filter_map(|line| match line.state {
                LineState::Offered { track, .. } => Some((line.mid, track)),
                LineState::Live { .. }
                | LineState::Refused { .. }
                | LineState::Leaving { .. }
                | LineState::Withdrawing
                | LineState::Idle => None,
            })
            .collect();
        for (mid, track) in offered {
            let state = self.subscribe(ctx, index, mid, track);
            let member = self.member(index);
            let line = member.and_then(|m| m.lines.iter_mut().find(|line| line.mid == mid));
            if let Some(line) = line {
                line.state = state;
            }
        }
    }

    /// Offers what the session should receive and does not, and withdraws what is gone.
    pub(super) fn negotiate(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let (now, timeout, group) = (ctx.now, ctx.config.answer_timeout, self.key.group.clone());
        let Some(member) = self.member(index) else {
            return;
        };
        if !member.channel_open || !member.has_changes() {
            return;
        }
        let Some(took) = member.negotiation.begin_offer(now, timeout) else {
            // Asked again when the lock is free, the answer came, or time is up.
            member.schedule(ctx);
            return;
        };
        ctx.out
            .push_back(Output::Measured(Measurement::LockGrabTime { group, took }));
        let sdp = match member.session.pending_offer() {
            // Not answered the first time: a participant that knows it already answers again.
            Some(sdp) => Some(sdp.to_owned()),
            None => self.make_offer(index),
        };
        let Some(sdp) = sdp else {
            // The participant's own offer said it all already.
            if let Some(member) = self.member(index) {
                member.negotiation.answered(now);
                member.withdrawn();
            }
            return;
        };
        let map = self.media_map(index);
        let Some(member) = self.member(index) else {
            return;
        };
        member.session.send_channel(&ChannelMessage::MediaMap(map));
        let path = if member.request.dc_signalling {
            SignallingPath::DataChannel
        } else {
            SignallingPath::Control
        };
        // The map must have left before the offer can overtake it on the other path.
        self.mark_dirty(ctx, index);
        let offer = SessionDescription {
            kind: SdpKind::Offer,
            sdp,
        };
        self.send_description(ctx, index, path, &offer);
    }

    /// Builds the offer and notes what each m-line is for.
    fn make_offer(&mut self, index: u32) -> Option<String> {
        let missing = self.member(index)?.missing.clone();
        let tracks: Vec<_> = missing
            .into_iter()
            .filter_map(|number| {
                let track = self.tracks.get(&number)?;
                let stream = track.publisher.to_string();
                let name = track_id(track.kind, &track.publisher, &track.suffix);
                Some((
                    number,
                    track.kind.is_audio(),
                    TrackNames {
                        stream,
                        track: name,
                    },
                ))
            })
            .collect();
        let member = self.member(index)?;
        let mut idle: Vec<(Mid, bool)> = Vec::new();
        let mut remove = Vec::new();
        for line in &mut member.lines {
            match line.state {
                LineState::Leaving { .. } => {
                    line.state = LineState::Withdrawing;
                    remove.push(line.mid);
                }
                LineState::Idle => idle.push((line.mid, line.is_audio)),
                LineState::Offered { .. }
                | LineState::Live { .. }
                | LineState::Refused { .. }
                | LineState::Withdrawing => {}
            }
        }
        idle.extend(member.return_lines().map(|mid| (mid, true)));
        let mut add = Vec::new();
        for (_, is_audio, names) in &tracks {
            let position = idle
                .iter()
                .position(|(_, idle_audio)| idle_audio == is_audio);
            let reuse = position.map(|position| idle.remove(position).0);
            add.push(NewLine {
                is_audio: *is_audio,
                names: names.clone(),
                reuse,
            });
        }
        let (sdp, mids) = member.session.create_offer(&add, &remove)?;
        for ((mid, (track, is_audio, _)), line) in mids.into_iter().zip(tracks).zip(&add) {
            let state = LineState::Offered {
                track,
                reused: line.reuse.is_some(),
            };
            member.missing.remove(&track);
            match member.lines.iter_mut().find(|line| line.mid == mid) {
                Some(line) => line.state = state,
                None => member.lines.push(Line {
                    mid,
                    is_audio,
                    state,
                }),
            }
        }
        Some(sdp)
    }

    fn media_map(&mut self, index: u32) -> BTreeMap<String, MediaMapEntry> {
        let Some(member) = self.member(index) else {
            return BTreeMap::new();
        };
        let shown: Vec<_> = member
            .lines
            .iter()
            .filter_map(|line| Some((line.mid, line.shows()?)))
            .collect();
        let entry = |(mid, number): (Mid, u32)| {
            let track = self.tracks.get(&number)?;
            let entry = MediaMapEntry {
                kind: track.kind,
                sender: track.publisher.to_string(),
            };
            Some((mid.to_string(), entry))
        };
        shown.into_iter().filter_map(entry).collect()
    }

    fn send_description(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        path: SignallingPath,
        description: &SessionDescription,
    ) {
        let Some(member) = self.member(index) else {
            return;
        };
        match path {
            SignallingPath::DataChannel => {
                member
                    .session
                    .send_channel(&ChannelMessage::Sdp(description.clone()));
            }
            SignallingPath::Control => {
                let key = member.request.key.clone();
                let data = description.to_json().into_bytes();
                self.signal(ctx, index, RtcKind::Sdp, data);
                tracing::trace!(session = %key.session, "description sent");
            }
        }
        self.mark_dirty(ctx, index);
    }

    fn signal(&mut self, ctx: &mut Ctx<'_>, index: u32, kind: RtcKind, data: Vec<u8>) {
        // Whatever was written to the data channel goes first.
        self.flush(ctx, index);
        let member = usize::try_from(index)
            .ok()
            .and_then(|i| self.members.get(i)?.as_deref());
        if let Some(member) = member {
            let message = self.message(member, kind, data);
            ctx.out.push_back(Output::Signal {
                key: member.request.key.clone(),
                message,
            });
        }
    }

    fn send_candidates(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let Some(member) = self.member(index) else {
            return;
        };
        let candidates = member.session.candidates().to_vec();
        for candidate in candidates {
            let data = IceCandidate::local(candidate)
                .to_wrapped_json()
                .into_bytes();
            self.signal(ctx, index, RtcKind::Ice, data);
        }
    }

    /// Fires what is due in a session's negotiation.
    pub(super) fn negotiation_timeout(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let (now, lease, group) = (ctx.now, ctx.config.lock_lease, self.key.group.clone());
        let Some(member) = self.member(index) else {
            return;
        };
        let freed = member.negotiation.lock.expire(now, lease);
        if freed {
            tracing::warn!(session = %member.id(), "signalling lock never released");
            ctx.counters.error(&group, ErrorKind::SignallingLockTimeout);
        }
        match member.negotiation.phase {
            Phase::FirstOffer { until } if now >= until => {
                self.close(ctx, index, CloseReason::NoFirstOffer);
            }
            Phase::OfferSent { until } if now >= until => {
                tracing::warn!(session = %member.id(), "offer not answered");
                member.negotiation.failed(now);
                ctx.counters.error(&group, ErrorKind::Signalling);
            }
            Phase::Unanswered { retry } if now >= retry => {
                if member.has_changes() {
                    self.negotiate(ctx, index);
                } else {
                    member.roll_back();
                    member.session.forget_offer();
                    member.negotiation.phase = Phase::Stable;
                }
            }
            Phase::Stable if freed => self.negotiate(ctx, index),
            Phase::FirstOffer { .. }
            | Phase::OfferSent { .. }
            | Phase::Unanswered { .. }
            | Phase::Stable => {}
        }
    }
}

impl Member {
    /// Whether an offer is due: something to add, something urgent to withdraw, or an offer that
    /// was not answered.
    fn has_changes(&self) -> bool {
        self.session.pending_offer().is_some()
            || self
                .lines
                .iter()
                .any(|line| line.state == LineState::Leaving { urgent: true })
            || !self.missing.is_empty()
    }

    /// The participant knows what was withdrawn: those m-lines are free.
    fn withdrawn(&mut self) {
        for line in &mut self.lines {
            if line.state == LineState::Withdrawing {
                line.state = LineState::Idle;
            }
        }
    }

    /// Takes back what our pending offer noted on the m-lines.
    fn roll_back(&mut self) {
        self.lines.retain_mut(|line| match line.state {
            LineState::Offered { track, reused } => {
                if self.wanted.contains(&track) {
                    self.missing.insert(track);
                }
                line.state = LineState::Idle;
                reused
            }
            // Its direction is changed already; the participant still has to hear of it.
            LineState::Withdrawing => {
                line.state = LineState::Leaving { urgent: true };
                true
            }
            LineState::Live { .. }
            | LineState::Refused { .. }
            | LineState::Leaving { .. }
            | LineState::Idle => true,
        });
    }

    /// Forgets that an m-line publishes a track.
    pub(super) fn source_ended(&mut self, mid: Mid) {
        if let Some(source) = self.sources.get_mut(&mid) {
            source.state = SourceState::Ended;
        }
    }
}
