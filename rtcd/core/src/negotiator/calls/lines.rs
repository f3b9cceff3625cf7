//! The m-lines a participant is sent tracks on, and what each of them goes through.

use super::Calls;
use crate::media::{Codec, TrackKind};
use crate::negotiator::Shown;
use crate::session::{Mid, Section, Session};

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

impl Calls {
    /// A track is no longer received: its m-line is to be withdrawn.
    pub(super) fn leave(&mut self, shown: &Shown) {
        // A voice that left costs nothing while its m-line waits for the next offer.
        let urgent = shown.kind != TrackKind::Voice;
        let track = shown.number;
        for line in &mut self.lines {
            if line.state == (LineState::Live { track }) {
                line.state = LineState::Leaving { urgent };
            } else if line.state == (LineState::Refused { track }) {
                line.state = LineState::Leaving { urgent: false };
            }
        }
    }

    /// The participant knows what was withdrawn: those m-lines are free.
    pub(super) fn withdrawn(&mut self) {
        for line in &mut self.lines {
            if line.state == LineState::Withdrawing {
                line.state = LineState::Idle;
            }
        }
    }

    /// Takes back what our pending offer noted on the m-lines.
    pub(super) fn roll_back(&mut self) {
        let (wanted, missing) = (&self.wanted, &mut self.missing);
        self.lines.retain_mut(|line| match line.state {
            LineState::Offered { track, reused } => {
                if wanted.contains_key(&track) {
                    missing.insert(track);
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

    /// Takes note of what the participant sends where.
    pub(super) fn note_sources(&mut self, sections: &[(Mid, Section)]) {
        for (mid, section) in sections {
            if section.sends {
                self.sources.insert(*mid, section.clone());
            } else {
                self.sources.remove(mid);
            }
        }
    }

    /// Returns the m-lines of its own on which a voice could come back to it: its microphone's, as
    /// nothing takes that away. Screens and their sound come and go.
    pub(super) fn return_lines(&self, session: &Session, screen: Option<&str>) -> Vec<Mid> {
        let is_free = |mid: Mid| self.lines.iter().all(|line| line.mid != mid);
        let microphones = self.sources.iter().filter(|(_, source)| {
            let stream = source.stream.as_deref();
            let is_screen = stream.is_some() && stream == screen;
            source.is_audio && source.receives && !is_screen
        });
        microphones
            .map(|(mid, _)| *mid)
            .filter(|mid| is_free(*mid) && session.carries(*mid, Codec::Opus))
            .collect()
    }
}
