//! One session of a leg: what it publishes, what it should receive, and on which m-lines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proto::id::SessionId;
use proto::rtcd::Codec;

use super::layers::LayerChoice;
use super::{Ctx, Notes};
use crate::config::CoreConfig;
use crate::io::JoinRequest;
use crate::negotiation::Negotiation;
use crate::session::{Mid, Section, Session};
use crate::vad::VoiceDetector;

/// One session of a leg.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) request: JoinRequest,
    pub(super) session: Session,
    pub(super) negotiation: Negotiation,
    pub(super) joined_at: Instant,
    pub(super) answered_at: Option<Instant>,
    pub(super) channel_open: bool,
    pub(super) connected: bool,
    /// When a datagram of the participant came last; its offer counts as one.
    pub(super) last_heard: Instant,
    /// Tracks it should receive, by number.
    pub(super) wanted: BTreeSet<u32>,
    /// Those of them that have no m-line.
    pub(super) missing: BTreeSet<u32>,
    /// M-lines we send on, or did.
    pub(super) lines: Vec<Line>,
    /// M-lines it sends on.
    pub(super) sources: BTreeMap<Mid, Source>,
    pub(super) screen_stream: Option<String>,
    pub(super) video_stream: Option<String>,
    pub(super) detector: VoiceDetector,
    pub(super) layer_choice: LayerChoice,
    /// When str0m wants to be woken.
    pub(super) timeout: Instant,
    /// When anything is due.
    pub(super) deadline: Instant,
    /// When the shard will wake this session; never later than `deadline`.
    pub(super) scheduled: Instant,
    pub(super) dirty: bool,
    index_known: Option<u32>,
}

/// An m-line we send on, or did: one we made, or one of the participant's microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) mid: Mid,
    pub(super) is_audio: bool,
    pub(super) state: LineState,
}

/// The life of an m-line of ours.
///
/// ```text
/// Offered -> Live -> Leaving -> Withdrawing -> Idle -> Offered
///      \-> Refused      (the participant did not want it)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineState {
    /// In our pending offer, for this track; `reused` if there was the m-line before.
    Offered {
        track: u32,
        reused: bool,
    },
    Live {
        track: u32,
    },
    Refused {
        track: u32,
    },
    /// Its track is gone; the next offer says so. `urgent`: that offer is made for it alone.
    Leaving {
        urgent: bool,
    },
    /// Withdrawn in our pending offer.
    Withdrawing,
    /// Negotiated to carry nothing; may carry another track.
    Idle,
}

impl Line {
    /// Returns the track the participant is, or is about to be, sent here.
    pub(super) fn shows(&self) -> Option<u32> {
        match self.state {
            LineState::Offered { track, .. } | LineState::Live { track } => Some(track),
            LineState::Refused { .. }
            | LineState::Leaving { .. }
            | LineState::Withdrawing
            | LineState::Idle => None,
        }
    }
}

/// An m-line a participant sends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) is_audio: bool,
    /// It would receive there, too.
    pub(super) receives: bool,
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

impl Member {
    pub(super) fn new(
        request: JoinRequest,
        session: Session,
        now: Instant,
        config: &CoreConfig,
    ) -> Self {
        Self {
            request,
            session,
            negotiation: Negotiation::new(now, config.first_offer_timeout),
            joined_at: now,
            answered_at: None,
            channel_open: false,
            connected: false,
            last_heard: now,
            wanted: BTreeSet::new(),
            missing: BTreeSet::new(),
            lines: Vec::new(),
            sources: BTreeMap::new(),
            screen_stream: None,
            video_stream: None,
            detector: VoiceDetector::default(),
            layer_choice: LayerChoice::new(now),
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
        let own = self.negotiation.deadline(ctx.config.lock_lease);
        let deadlines = own.into_iter().chain(self.gives_up_at(ctx.config));
        self.deadline = deadlines.fold(self.timeout, Instant::min);
        if self.deadline < self.scheduled
            && let Some(index) = self.index_known
        {
            self.scheduled = self.deadline;
            ctx.notes.wake.push((index, self.deadline));
        }
    }

    /// When a participant that stays silent is given up; browsers check every few seconds.
    pub(super) fn gives_up_at(&self, config: &CoreConfig) -> Option<Instant> {
        self.answered_at
            .map(|_| self.last_heard + config.ice_timeout)
    }

    /// The participant should receive a track.
    pub(super) fn want(&mut self, track: u32) {
        if self.wanted.insert(track) {
            self.missing.insert(track);
        }
    }

    /// The participant should not receive a track any more; false when it never should have.
    pub(super) fn unwant(&mut self, track: u32) -> bool {
        self.missing.remove(&track);
        self.wanted.remove(&track)
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
            let known = self.sources.get_mut(&mid);
            if section.sends
                && let Some(known) = known
                && known.stream == section.stream
            {
                known.receives = section.receives;
                continue;
            }
            let known = self.sources.get(&mid);
            if let Some(SourceState::Publishing { track }) = known.map(|known| known.state) {
                ended.push(track);
            }
            if section.sends {
                let source = Source {
                    is_audio: section.is_audio,
                    receives: section.receives,
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

    /// Returns the m-lines of its own on which a voice could come back to it: its microphone's, as
    /// nothing takes that away. Screens and their sound come and go.
    pub(super) fn return_lines(&self) -> impl Iterator<Item = Mid> {
        let is_free = |mid| self.lines.iter().all(|line| line.mid != mid);
        let is_screen =
            |stream: Option<&str>| stream.is_some() && stream == self.screen_stream.as_deref();
        let microphones = self.sources.iter().filter(move |(_, source)| {
            source.is_audio && source.receives && !is_screen(source.stream.as_deref())
        });
        let mids = microphones.map(|(mid, _)| *mid);
        mids.filter(move |mid| is_free(*mid) && self.session.carries(*mid, Codec::Opus))
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
