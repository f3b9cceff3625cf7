//! The way of Mattermost's clients: one connection for both directions.
//!
//! The participant makes the first offer, afterwards either side may, under a lock that travels over
//! the data channel (`lock`). A media map on the channel says what each m-line shows. What the server
//! offers is the difference between the tracks the participant should receive and the m-lines it has
//! (`lines`), all of it in one offer (`offers`). So nothing is queued and nothing can be lost.
//! The rtcd v1 words (`proto::rtcd`) are spoken here (`channel`), and nowhere else in the core.
//! Invariants: the media map is written to the channel before the offer it belongs to; a track that
//! should be received is among `missing` until it has an m-line.

mod channel;
mod lines;
mod lock;
mod offers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Negotiator, News, Settled, Shown, Turn};
use crate::config::CoreConfig;
use crate::counters::{DropReason, ErrorKind};
use crate::io::{CloseReason, Description, Measurement};
use crate::session::{Mid, Section};
use lines::{Line, LineState};
use lock::{Negotiation, Phase, SignallingPath};

/// One participant's negotiation.
#[derive(Debug)]
pub(super) struct Calls {
    negotiation: Negotiation,
    offers_over_channel: bool,
    channel_open: bool,
    answered_at: Option<Instant>,
    /// Tracks it should receive, by number.
    wanted: BTreeMap<u32, Shown>,
    /// Those of them that have no m-line.
    missing: BTreeSet<u32>,
    /// M-lines we send on, or did.
    lines: Vec<Line>,
    /// M-lines it sends on.
    sources: BTreeMap<Mid, Section>,
}

impl Calls {
    pub(super) fn new(
        now: Instant,
        first_offer_timeout: Duration,
        offers_over_channel: bool,
    ) -> Self {
        Self {
            negotiation: Negotiation::new(now, first_offer_timeout),
            offers_over_channel,
            channel_open: false,
            answered_at: None,
            wanted: BTreeMap::new(),
            missing: BTreeSet::new(),
            lines: Vec::new(),
            sources: BTreeMap::new(),
        }
    }

    fn is_first_offer(&self) -> bool {
        matches!(self.negotiation.phase, Phase::FirstOffer { .. })
    }
}

impl Negotiator for Calls {
    fn show(&mut self, track: Shown) {
        let number = track.number;
        if self.wanted.insert(number, track).is_none() {
            self.missing.insert(number);
        }
    }

    fn hide(&mut self, track: u32) -> bool {
        self.missing.remove(&track);
        let Some(shown) = self.wanted.remove(&track) else {
            return false;
        };
        self.leave(&shown);
        true
    }

    fn is_shown(&self, track: u32) -> bool {
        self.wanted.contains_key(&track)
    }

    fn track_at(&self, line: Mid) -> Option<u32> {
        let found = self.lines.iter().find(|known| known.mid == line);
        found.and_then(Line::shows)
    }

    fn tracks(&self) -> Vec<u32> {
        self.lines.iter().filter_map(Line::shows).collect()
    }

    fn settle(&mut self, line: Mid, settled: Settled) {
        let found = self.lines.iter_mut().find(|known| known.mid == line);
        let Some(line) = found else { return };
        let LineState::Offered { track, .. } = line.state else {
            return;
        };
        line.state = match settled {
            Settled::Live => LineState::Live { track },
            Settled::Refused => LineState::Refused { track },
            Settled::TooLate => LineState::Leaving { urgent: true },
        };
    }

    fn revise(&mut self, turn: &mut Turn<'_>) {
        self.negotiate(turn);
    }

    fn described(&mut self, turn: &mut Turn<'_>, description: &Description) {
        self.take_description(turn, SignallingPath::Control, description);
    }

    fn described_unreadably(&mut self, turn: &mut Turn<'_>) {
        turn.counters.drop_one(DropReason::BadMessage);
        if self.is_first_offer() {
            turn.news.push(News::Failed(CloseReason::BadFirstOffer));
        }
    }

    fn channel_opened(&mut self, turn: &mut Turn<'_>) {
        self.channel_open = true;
        if let Some(answered_at) = self.answered_at {
            let took = turn.now.saturating_duration_since(answered_at);
            turn.measured(|group| Measurement::DataChannelOpenTime { group, took });
        }
        self.negotiate(turn);
    }

    fn channel_closed(&mut self, turn: &mut Turn<'_>) {
        self.channel_open = false;
        // Nobody is left to send the unlock.
        self.negotiation.lock.release_by_participant(turn.now);
    }

    fn channel_message(&mut self, turn: &mut Turn<'_>, bytes: &[u8]) {
        self.read_channel(turn, bytes);
    }

    fn timeout(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        let freed = self.negotiation.lock.expire(now, turn.config.lock_lease);
        if freed {
            tracing::warn!(session = %turn.name, "signalling lock never released");
            let kind = ErrorKind::SignallingLockTimeout;
            turn.counters.error(turn.group, kind);
        }
        match self.negotiation.phase {
            Phase::FirstOffer { until } if now >= until => {
                turn.news.push(News::Failed(CloseReason::NoFirstOffer));
            }
            Phase::OfferSent { until } if now >= until => {
                tracing::warn!(session = %turn.name, "offer not answered");
                self.negotiation.failed(now);
                turn.counters.error(turn.group, ErrorKind::Signalling);
            }
            Phase::Unanswered { retry } if now >= retry => {
                if self.has_changes(turn.session) {
                    self.negotiate(turn);
                } else {
                    self.roll_back();
                    turn.session.forget_offer();
                    self.negotiation.phase = Phase::Stable;
                }
            }
            Phase::Stable if freed => self.negotiate(turn),
            Phase::FirstOffer { .. }
            | Phase::OfferSent { .. }
            | Phase::Unanswered { .. }
            | Phase::Stable => {}
        }
    }

    fn deadline(&self, config: &CoreConfig) -> Option<Instant> {
        self.negotiation.deadline(config.lock_lease)
    }
}
