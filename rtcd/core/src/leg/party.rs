//! One session of a leg: what it publishes, and what belongs to it as a receiver.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::id::SessionId;

use super::layers::LayerChoice;
use super::outbound::Paced;
use super::{Ctx, Notes};
use crate::config::CoreConfig;
use crate::io::JoinRequest;
use crate::negotiator::{Negotiator, negotiator};
use crate::pacer::Pacer;
use crate::session::{Mid, Section, Session};
use crate::vad::VoiceDetector;

/// One session of a leg.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) request: JoinRequest,
    pub(super) session: Session,
    pub(super) negotiator: Box<dyn Negotiator>,
    pub(super) joined_at: Instant,
    pub(super) answered_at: Option<Instant>,
    pub(super) connected: bool,
    /// When a datagram of the participant came last; its offer counts as one.
    pub(super) last_heard: Instant,
    /// M-lines it sends on.
    pub(super) sources: BTreeMap<Mid, Source>,
    pub(super) screen_stream: Option<String>,
    pub(super) video_stream: Option<String>,
    pub(super) detector: VoiceDetector,
    pub(super) layer_choice: LayerChoice,
    /// Video that waits for its time.
    pub(super) pacer: Pacer<Paced>,
    /// When str0m wants to be woken.
    pub(super) timeout: Instant,
    /// When anything is due.
    pub(super) deadline: Instant,
    /// When the shard will wake this session; never later than `deadline`.
    pub(super) scheduled: Instant,
    pub(super) dirty: bool,
    index_known: Option<u32>,
}

/// An m-line a participant sends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) is_audio: bool,
    pub(super) stream: Option<String>,
    pub(super) state: SourceState,
}

/// What became of a participant's m-line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceState {
    /// No packet came yet.
    Silent,
    /// Packets come, but nobody said what they show.
    Parked {
        since: Instant,
    },
    Publishing {
        track: u32,
    },
    /// Its screen was switched off.
    Ended,
}

impl Party {
    pub(super) fn new(
        request: JoinRequest,
        session: Session,
        now: Instant,
        config: &CoreConfig,
    ) -> Self {
        Self {
            negotiator: negotiator(request.dialect, now, config),
            request,
            session,
            joined_at: now,
            answered_at: None,
            connected: false,
            last_heard: now,
            sources: BTreeMap::new(),
            screen_stream: None,
            video_stream: None,
            detector: VoiceDetector::default(),
            layer_choice: LayerChoice::new(now),
            pacer: Pacer::default(),
            timeout: now,
            deadline: now,
            scheduled: now + Duration::from_secs(3600),
            dirty: false,
            index_known: None,
        }
    }

    pub(super) fn id(&self) -> &SessionId {
        &self.request.key.session
    }

    pub(super) fn mark_dirty(&mut self, notes: &mut Notes, index: u32) {
        self.index_known = Some(index);
        if !self.dirty {
            self.dirty = true;
            notes.dirty.push(index);
        }
    }

    /// Tells the shard when to wake this session, if that is sooner than it knows.
    pub(super) fn schedule(&mut self, ctx: &mut Ctx<'_>) {
        let own = self.own_deadline(ctx.config);
        self.deadline = self.pacer.deadline().map_or(own, |at| at.min(own));
        if self.deadline < self.scheduled
            && let Some(index) = self.index_known
        {
            self.scheduled = self.deadline;
            ctx.notes.wake.push((index, self.deadline));
        }
    }

    /// When anything but waiting video is due.
    pub(super) fn own_deadline(&self, config: &CoreConfig) -> Instant {
        let negotiation = self.negotiator.deadline(config);
        let deadlines = negotiation.into_iter().chain(self.gives_up_at(config));
        deadlines.fold(self.timeout, Instant::min)
    }

    /// When a participant that stays silent is given up; browsers check every few seconds.
    pub(super) fn gives_up_at(&self, config: &CoreConfig) -> Option<Instant> {
        self.answered_at
            .map(|_| self.last_heard + config.ice_timeout)
    }

    /// The participant says which stream is its screen; the same one may be shown again.
    pub(super) fn screen_on(&mut self, stream: String) {
        for source in self.sources.values_mut() {
            if source.state == SourceState::Ended && source.stream.as_ref() == Some(&stream) {
                source.state = SourceState::Silent;
            }
        }
        self.screen_stream = Some(stream);
    }

    /// Takes what a description says the participant sends. Returns the tracks that end.
    pub(super) fn update_sources(&mut self, sections: Vec<(Mid, Section)>) -> Vec<u32> {
        let mut ended = Vec::new();
        for (mid, section) in sections {
            let known = self.sources.get(&mid);
            if section.sends && known.is_some_and(|known| known.stream == section.stream) {
                continue;
            }
            if let Some(SourceState::Publishing { track }) = known.map(|known| known.state) {
                ended.push(track);
            }
            if section.sends {
                let source = Source {
                    is_audio: section.is_audio,
                    stream: section.stream,
                    state: SourceState::Silent,
                };
                self.sources.insert(mid, source);
            } else {
                self.sources.remove(&mid);
            }
        }
        ended
    }

    /// Forgets that an m-line publishes a track.
    pub(super) fn source_ended(&mut self, mid: Mid) {
        if let Some(source) = self.sources.get_mut(&mid) {
            source.state = SourceState::Ended;
        }
    }

    /// Whether a video of this stream exists that nobody announced.
    pub(super) fn has_unknown_video(&self, stream: Option<&str>) -> bool {
        self.sources.values().any(|source| {
            !source.is_audio
                && stream.is_some()
                && source.stream.as_deref() == stream
                && matches!(
                    source.state,
                    SourceState::Silent | SourceState::Parked { .. }
                )
        })
    }
}
