//! The part of one call that lives on one shard: its sessions, tracks and links.
//!
//! In: joins, control messages, datagrams, time, linked messages, each with the time. Out: `Output`s
//! and `Notes` for the shard (who must be woken, who is gone).
//! Below: `party` (one session), `negotiation` (what its negotiator wants and is told), `tracks`
//! (publishing), `forward` and `outbound` (packets), `streams` and `layers` (simulcast),
//! `keyframe_requests`, `links` (other legs), `classify` (what a track shows).
//! Invariants: `Closed` is put out once per session and last; a change to a session marks it dirty,
//! and a dirty session is flushed before anybody waits.

mod classify;
mod forward;
mod keyframe_requests;
mod layers;
mod links;
mod negotiation;
mod outbound;
mod party;
mod streams;
mod tracks;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proto::id::SessionId;

use crate::config::CoreConfig;
use crate::counters::{ConnState, Counters, DropReason, ErrorKind, TrackDirection};
use crate::egress::MediaBatch;
use crate::io::{
    CallKey, CloseReason, JoinOutcome, JoinRequest, LinkId, LinkedTrackId, Measurement, Output,
    Request, Transport,
};
use crate::media::TrackKind;
use crate::session::{Session, SessionEvent, SessionTemplate};
use crate::speakers::Speakers;
use outbound::Lane;
use party::Party;
use tracks::Track;

/// What a leg asks of its shard, collected during one call and taken afterwards.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Sessions to wake, and when.
    pub(crate) wake: Vec<(u32, Instant)>,
    /// When to wake the leg itself.
    pub(crate) wake_leg: Option<Instant>,
    /// Sessions that were changed and must be flushed.
    pub(crate) dirty: Vec<u32>,
    /// ICE names under which sessions are reached from now on.
    pub(crate) ufrags: Vec<(u32, String)>,
    /// Sessions that are gone.
    pub(crate) closed: Vec<u32>,
    /// The leg has packets to send.
    pub(crate) is_pending: bool,
    /// What the latest forwarded packet belongs to, for the shell to time it.
    pub(crate) fanned_out: Option<TrackKind>,
}

/// The surroundings of one call into a leg.
#[derive(Debug)]
pub(crate) struct Ctx<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a CoreConfig,
    pub(crate) template: &'a SessionTemplate,
    pub(crate) out: &'a mut VecDeque<Output>,
    pub(crate) media: &'a mut MediaBatch,
    pub(crate) counters: &'a mut Counters,
    pub(crate) notes: &'a mut Notes,
}

/// The part of a call on this shard.
#[derive(Debug)]
pub(crate) struct Leg {
    key: CallKey,
    /// By index.
    parties: Vec<Option<Box<Party>>>,
    /// Indices whose session is gone. Used again: whoever still names one means nothing worse than
    /// a look at a session that did not ask for it.
    vacant: Vec<u32>,
    index_by_session: BTreeMap<SessionId, u32>,
    tracks: BTreeMap<u32, Track>,
    next_track: u32,
    links: Vec<LinkId>,
    linked_tracks: BTreeMap<(LinkId, LinkedTrackId), u32>,
    /// Who may show a screen, on whichever leg.
    presenter: Option<SessionId>,
    /// Tracks with packets to send.
    tracks_pending: Vec<u32>,
    speakers: Speakers,
    lanes: Vec<Lane>,
    events: Vec<SessionEvent>,
}

impl Leg {
    pub(crate) fn new(key: CallKey) -> Self {
        Self {
            key,
            parties: Vec::new(),
            vacant: Vec::new(),
            index_by_session: BTreeMap::new(),
            tracks: BTreeMap::new(),
            next_track: 0,
            links: Vec::new(),
            linked_tracks: BTreeMap::new(),
            presenter: None,
            tracks_pending: Vec::new(),
            speakers: Speakers::default(),
            lanes: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Whether nothing holds the leg any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.index_by_session.is_empty() && self.links.is_empty()
    }

    /// Places for sessions, vacant ones included.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.parties.len()
    }

    fn party(&mut self, index: u32) -> Option<&mut Party> {
        self.parties
            .get_mut(usize::try_from(index).ok()?)?
            .as_deref_mut()
    }

    /// Returns the indices of all sessions, in the order of their ids.
    fn live(&self) -> Vec<u32> {
        self.index_by_session.values().copied().collect()
    }

    /// Takes a session in; the shard made sure that its id is new.
    pub(crate) fn join(&mut self, ctx: &mut Ctx<'_>, request: JoinRequest) -> Option<u32> {
        let index = match self.vacant.pop() {
            Some(index) => index,
            None => {
                self.parties.push(None);
                u32::try_from(self.parties.len() - 1).ok()?
            }
        };
        let mut session = Session::new(ctx.template, request.candidates.clone(), ctx.now);
        ctx.notes.ufrags.push((index, session.ufrag()));
        ctx.counters.group(&self.key.group).sessions += 1;
        self.index_by_session
            .insert(request.key.session.clone(), index);
        let mut party = Party::new(request, session, ctx.now, ctx.config);
        for track in self.tracks.values() {
            if self.wants(&party, track) {
                party.negotiator.show(track.shown());
            }
        }
        if let Some(place) = self.parties.get_mut(usize::try_from(index).ok()?) {
            *place = Some(Box::new(party));
        }
        self.mark_dirty(ctx, index);
        Some(index)
    }

    /// Takes a datagram for one session; false when the session refused it.
    pub(crate) fn datagram(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        (transport, source, destination): (Transport, SocketAddr, SocketAddr),
        contents: &[u8],
    ) -> bool {
        let now = ctx.now;
        let Some(party) = self.party(index) else {
            return false;
        };
        match party
            .session
            .receive(now, transport, source, destination, contents)
        {
            Ok(true) => {
                party.last_heard = now;
                self.settle(ctx, index);
                true
            }
            Ok(false) => {
                ctx.counters.drop_one(DropReason::Malformed);
                false
            }
            Err(error) => {
                tracing::debug!(session = %party.id(), %error, "connection broke on a datagram");
                self.close(ctx, index, CloseReason::DtlsFailed);
                false
            }
        }
    }

    /// Sends what was written to a session, and what that leads to.
    pub(crate) fn flush(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let now = ctx.now;
        let Some(party) = self.party(index) else {
            return;
        };
        party.dirty = false;
        if let Err(error) = party.session.tick(now) {
            tracing::debug!(session = %party.id(), %error, "connection broke");
            self.close(ctx, index, CloseReason::DtlsFailed);
            return;
        }
        self.settle(ctx, index);
    }

    /// Fires what is due for one session. Returns when to come again, if it is still there.
    pub(crate) fn timeout(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let now = ctx.now;
        let Some(party) = self.party(index) else {
            return;
        };
        if party.deadline > now {
            party.scheduled = party.deadline;
            ctx.notes.wake.push((index, party.deadline));
            return;
        }
        ctx.counters.wakes += 1;
        party.scheduled = now + Duration::from_secs(3600);
        if party.gives_up_at(ctx.config).is_some_and(|at| now >= at) {
            ctx.counters.conn_state(ConnState::Failed);
            ctx.counters.error(&self.key.group, ErrorKind::Ice);
            self.close(ctx, index, CloseReason::IceFailed);
            return;
        }
        self.send_waiting(ctx, index);
        let Some(party) = self.party(index) else {
            return;
        };
        if party.own_deadline(ctx.config) > now {
            // Only for packets that were waiting: nothing else has to be looked at.
            party.schedule(ctx);
            return;
        }
        self.negotiation_timeout(ctx, index);
        self.flush(ctx, index);
    }

    /// Fires what is due for the leg itself: keyframe requests that had to wait.
    pub(crate) fn leg_timeout(&mut self, ctx: &mut Ctx<'_>) {
        self.poll_keyframes(ctx);
    }

    /// Takes everything out of a session and acts on what it reports.
    fn settle(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let mut events = std::mem::take(&mut self.events);
        let Some(party) = self.party(index) else {
            self.events = events;
            return;
        };
        match party.session.drain(ctx.out, &mut events) {
            Ok(at) => party.timeout = at,
            Err(error) => {
                tracing::debug!(session = %party.id(), %error, "connection broke");
                events.clear();
                events.push(SessionEvent::Closed);
            }
        }
        for event in events.drain(..) {
            self.event(ctx, index, event);
        }
        self.events = events;
        if let Some(party) = self.party(index) {
            party.schedule(ctx);
        }
    }

    fn event(&mut self, ctx: &mut Ctx<'_>, index: u32, event: SessionEvent) {
        match event {
            SessionEvent::Packet(incoming) => self.packet(ctx, index, incoming),
            SessionEvent::KeyframeWanted(mid) => self.keyframe_wanted(ctx, index, mid),
            SessionEvent::Missing(mid, sequences) => self.missing(ctx, index, mid, &sequences),
            SessionEvent::Reported(said) => self.reported(ctx, index, &said),
            SessionEvent::ChannelMessage(bytes) => {
                self.with_negotiator(ctx, index, |negotiator, turn| {
                    negotiator.channel_message(turn, &bytes);
                });
            }
            SessionEvent::ChannelOpen => {
                self.with_negotiator(ctx, index, |negotiator, turn| {
                    negotiator.channel_opened(turn);
                });
            }
            SessionEvent::ChannelClosed => {
                self.with_negotiator(ctx, index, |negotiator, turn| {
                    negotiator.channel_closed(turn);
                });
            }
            SessionEvent::Refused => ctx.counters.drop_one(DropReason::TooManySources),
            SessionEvent::Connected => {
                let (now, group) = (ctx.now, self.key.group.clone());
                let Some(party) = self.party(index) else {
                    return;
                };
                party.connected = true;
                let profile = party.session.profile();
                let took = now.saturating_duration_since(party.joined_at);
                ctx.counters.conn_state(ConnState::Connected);
                ctx.counters.connected_with(profile);
                let outcome = JoinOutcome::Connected;
                ctx.out.push_back(Output::Measured(Measurement::Join {
                    group: group.clone(),
                    outcome,
                    took,
                }));
                ctx.out
                    .push_back(Output::Measured(Measurement::ConnectionTime {
                        group,
                        took,
                    }));
            }
            // Whether it is lost for good is decided by how long it stays silent.
            SessionEvent::Unreachable => ctx.counters.conn_state(ConnState::Disconnected),
            SessionEvent::Closed => {
                let was_connected = self.party(index).is_some_and(|party| party.connected);
                let reason = if was_connected {
                    CloseReason::PeerClosed
                } else {
                    CloseReason::DtlsFailed
                };
                self.close(ctx, index, reason);
            }
        }
    }

    /// Does what is asked for one session.
    pub(crate) fn control(&mut self, ctx: &mut Ctx<'_>, index: u32, request: Request) {
        match request {
            Request::Describe(description) => {
                self.with_negotiator(ctx, index, |negotiator, turn| {
                    negotiator.described(turn, &description);
                });
            }
            Request::DescribeUnreadably => {
                self.with_negotiator(ctx, index, |negotiator, turn| {
                    negotiator.described_unreadably(turn);
                });
            }
            Request::Mute(muted) => self.mute(ctx, index, muted),
            Request::ScreenOn { stream } => self.screen_on(ctx, index, stream),
            Request::ScreenOff => self.screen_off(ctx, index),
            // A camera that is switched off keeps its track: its sender only stops feeding it.
            Request::CameraOn { stream } => {
                if let Some(party) = self.party(index) {
                    party.video_stream = Some(stream);
                }
            }
        }
    }

    fn screen_on(&mut self, ctx: &mut Ctx<'_>, index: u32, stream: String) {
        let taken = self.presenter.clone();
        let Some(party) = self.party(index) else {
            return;
        };
        let session = party.id().clone();
        party.screen_on(stream);
        match taken {
            Some(other) if other != session => {
                tracing::warn!(%session, presenter = %other, "screen on while another is shown");
                ctx.counters.error(&self.key.group, ErrorKind::Track);
            }
            Some(_) | None => {
                self.presenter = Some(session);
                self.announce_presenter(ctx);
            }
        }
    }

    fn screen_off(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let presenter = self.presenter.clone();
        let Some(party) = self.party(index) else {
            return;
        };
        if presenter.as_ref() != Some(party.id()) {
            return;
        }
        party.screen_stream = None;
        self.presenter = None;
        self.announce_presenter(ctx);
        let screens: Vec<u32> = self
            .tracks
            .values()
            .filter(|track| track.is_published_by(index))
            .filter(|track| matches!(track.kind, TrackKind::Screen | TrackKind::ScreenAudio))
            .map(|track| track.number)
            .collect();
        for number in screens {
            self.end_track(ctx, number);
        }
    }

    /// Ends a session: its tracks, its connection, and then the word that it is gone.
    pub(crate) fn close(&mut self, ctx: &mut Ctx<'_>, index: u32, reason: CloseReason) {
        let taken = usize::try_from(index)
            .ok()
            .and_then(|i| self.parties.get_mut(i)?.take());
        let Some(mut party) = taken else {
            return;
        };
        self.index_by_session.remove(party.id());
        ctx.counters.group(&self.key.group).sessions -= 1;
        if reason == CloseReason::NoFirstOffer || reason == CloseReason::BadFirstOffer {
            ctx.counters.error(&self.key.group, ErrorKind::Signalling);
        }
        if self.presenter.as_ref() == Some(party.id()) {
            self.presenter = None;
            self.announce_presenter(ctx);
        }
        let mut ended = self.unsubscribe(ctx, index);
        let published: Vec<u32> = self
            .tracks
            .values()
            .filter(|track| track.is_published_by(index))
            .map(|track| track.number)
            .collect();
        for number in published {
            self.end_track(ctx, number);
        }
        // The goodbye is a courtesy: what the connection still reports does not matter.
        let mut streams: Vec<_> = ended.iter_mut().collect();
        party.session.close(&mut streams, ctx.media);
        let mut ignored = Vec::new();
        if party.session.drain(ctx.out, &mut ignored).is_err() {
            tracing::debug!(session = %party.id(), "goodbye of a broken connection");
        }
        ctx.counters.conn_state(ConnState::Closed);
        if !party.connected {
            ctx.out.push_back(Output::Measured(Measurement::Join {
                group: self.key.group.clone(),
                outcome: JoinOutcome::Closed(reason),
                took: ctx.now.saturating_duration_since(party.joined_at),
            }));
        }
        self.vacant.push(index);
        ctx.notes.closed.push(index);
        ctx.out.push_back(Output::Closed {
            key: party.request.key,
            call: party.request.call,
            reason,
        });
    }

    /// Takes its tracks out of what is counted, when it ends without being asked.
    pub(crate) fn uncount(&self, counters: &mut Counters) {
        let group = counters.group(&self.key.group);
        for track in self.tracks.values() {
            group.track_ended(TrackDirection::In, track.codec);
            for _ in &track.subscriptions {
                group.track_ended(TrackDirection::Out, track.codec);
            }
        }
    }

    /// Notes that a session was changed and must be flushed.
    fn mark_dirty(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        if let Some(party) = self.party(index) {
            party.mark_dirty(ctx.notes, index);
        }
    }
}
