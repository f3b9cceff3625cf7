//! Offers and answers of either side.

use std::collections::BTreeMap;

use proto::rtcd::{ChannelMessage, MediaMapEntry, track_id};

use super::channel::wire_kind;
use super::lines::{Line, LineState};
use super::lock::{Phase, SignallingPath};
use super::{Calls, News, Turn};
use crate::counters::{DropReason, ErrorKind};
use crate::io::{CloseReason, Description, DescriptionKind, Measurement, Signal};
use crate::session::{DescriptionError, Mid, NewLine, Session, TrackNames};

impl Calls {
    pub(super) fn take_description(
        &mut self,
        turn: &mut Turn<'_>,
        path: SignallingPath,
        description: &Description,
    ) {
        match description.kind {
            DescriptionKind::Offer => self.offered(turn, path, &description.sdp),
            DescriptionKind::Answer => self.answered(turn, &description.sdp),
        }
    }

    /// The participant offers.
    fn offered(&mut self, turn: &mut Turn<'_>, path: SignallingPath, sdp: &str) {
        let is_first = self.is_first_offer();
        if !self.negotiation.accepts_offer() {
            tracing::debug!(session = %turn.name, "offer ignored: it crosses ours");
            turn.counters.drop_one(DropReason::Glare);
            return;
        }
        // An offer of ours that was not answered dies with this one.
        self.roll_back();
        turn.is_touched = true;
        let accepted = turn.session.accept_offer(sdp);
        if !is_first {
            self.negotiation.phase = Phase::Stable;
        }
        let (answer, sources) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(session = %turn.name, %error, is_first, "offer refused");
                self.offer_refused(turn, is_first);
                return;
            }
        };
        self.negotiation.phase = Phase::Stable;
        if is_first {
            self.answered_at = Some(turn.now);
            turn.news.push(News::Answered);
        }
        let answer = Description {
            kind: DescriptionKind::Answer,
            sdp: answer,
        };
        send(turn, path, answer);
        if is_first {
            for candidate in turn.session.candidates() {
                let signal = Signal::Candidate(candidate.clone());
                turn.news.push(News::Signal(signal));
            }
        }
        self.note_sources(&sources);
        turn.news.push(News::Sources(sources));
        self.negotiate(turn);
    }

    fn offer_refused(&mut self, turn: &mut Turn<'_>, is_first: bool) {
        if is_first {
            turn.news.push(News::Failed(CloseReason::BadFirstOffer));
        } else {
            turn.counters.error(turn.group, ErrorKind::Signalling);
            self.negotiate(turn);
        }
    }

    /// The participant answers our offer.
    fn answered(&mut self, turn: &mut Turn<'_>, sdp: &str) {
        if !self.negotiation.accepts_answer() {
            turn.counters.drop_one(DropReason::Glare);
            return;
        }
        turn.is_touched = true;
        match turn.session.accept_answer(sdp) {
            Ok(sources) => {
                let held = self.negotiation.answered(turn.now);
                turn.lock_was_held(held);
                self.note_sources(&sources);
                turn.news.push(News::Sources(sources));
                self.withdrawn();
                let before = turn.news.len();
                let offered = self.lines.iter().filter_map(|line| match line.state {
                    LineState::Offered { track, .. } => Some(News::Agreed {
                        line: line.mid,
                        track,
                    }),
                    LineState::Live { .. }
                    | LineState::Refused { .. }
                    | LineState::Leaving { .. }
                    | LineState::Withdrawing
                    | LineState::Idle => None,
                });
                turn.news.extend(offered);
                if turn.news.len() == before {
                    self.negotiate(turn);
                }
            }
            Err(
                error @ (DescriptionError::OtherLines
                | DescriptionError::TooMuch(_)
                | DescriptionError::Parse(_)
                | DescriptionError::NoOffer),
            ) => {
                tracing::debug!(session = %turn.name, %error, "answer ignored");
                turn.counters.drop_one(DropReason::Glare);
            }
            Err(error @ DescriptionError::Apply(_)) => {
                tracing::warn!(session = %turn.name, %error, "answer refused");
                self.roll_back();
                turn.session.forget_offer();
                self.negotiation.failed(turn.now);
                turn.counters.error(turn.group, ErrorKind::Signalling);
            }
        }
    }

    /// Offers what the participant should receive and does not, and withdraws what is gone.
    pub(super) fn negotiate(&mut self, turn: &mut Turn<'_>) {
        let timeout = turn.config.answer_timeout;
        if !self.channel_open || !self.has_changes(turn.session) {
            return;
        }
        // `None`: asked again when the lock is free, the answer came, or time is up.
        let Some(took) = self.negotiation.begin_offer(turn.now, timeout) else {
            return;
        };
        turn.is_touched = true;
        turn.measured(|group| Measurement::LockGrabTime { group, took });
        let sdp = match turn.session.pending_offer() {
            // Not answered the first time: a participant that knows it already answers again.
            Some(sdp) => Some(sdp.to_owned()),
            None => self.make_offer(turn),
        };
        let Some(sdp) = sdp else {
            // The participant's own offer said it all already.
            self.negotiation.answered(turn.now);
            self.withdrawn();
            return;
        };
        let map = ChannelMessage::MediaMap(self.media_map());
        super::channel::say(turn, &map);
        let path = if self.offers_over_channel {
            SignallingPath::DataChannel
        } else {
            SignallingPath::Control
        };
        let offer = Description {
            kind: DescriptionKind::Offer,
            sdp,
        };
        send(turn, path, offer);
    }

    /// Whether an offer is due: something to add, something urgent to withdraw, or an offer that
    /// was not answered.
    pub(super) fn has_changes(&self, session: &Session) -> bool {
        session.pending_offer().is_some()
            || self
                .lines
                .iter()
                .any(|line| line.state == LineState::Leaving { urgent: true })
            || !self.missing.is_empty()
    }

    /// Builds the offer and notes what each m-line is for.
    fn make_offer(&mut self, turn: &mut Turn<'_>) -> Option<String> {
        let mut idle: Vec<(Mid, bool)> = Vec::new();
        let mut remove = Vec::new();
        for line in &mut self.lines {
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
        let returns = self.return_lines(turn.session, turn.screen);
        idle.extend(returns.into_iter().map(|mid| (mid, true)));
        let shown: Vec<_> = self
            .missing
            .iter()
            .filter_map(|number| self.wanted.get(number))
            .collect();
        let mut add = Vec::new();
        for track in &shown {
            let is_audio = track.kind.is_audio();
            let position = idle
                .iter()
                .position(|(_, idle_audio)| *idle_audio == is_audio);
            let reuse = position.map(|position| idle.remove(position).0);
            add.push(NewLine {
                is_audio,
                names: TrackNames {
                    stream: track.publisher.to_string(),
                    track: track_id(wire_kind(track.kind), &track.publisher, &track.suffix),
                },
                reuse,
            });
        }
        let numbers: Vec<u32> = shown.iter().map(|track| track.number).collect();
        let (sdp, mids) = turn.session.create_offer(&add, &remove)?;
        for ((mid, track), line) in mids.into_iter().zip(numbers).zip(&add) {
            let state = LineState::Offered {
                track,
                reused: line.reuse.is_some(),
            };
            self.missing.remove(&track);
            match self.lines.iter_mut().find(|line| line.mid == mid) {
                Some(line) => line.state = state,
                None => self.lines.push(Line {
                    mid,
                    is_audio: line.is_audio,
                    state,
                }),
            }
        }
        Some(sdp)
    }

    fn media_map(&self) -> BTreeMap<String, MediaMapEntry> {
        let entry = |line: &Line| {
            let track = self.wanted.get(&line.shows()?)?;
            let entry = MediaMapEntry {
                kind: wire_kind(track.kind),
                sender: track.publisher.to_string(),
            };
            Some((line.mid.to_string(), entry))
        };
        self.lines.iter().filter_map(entry).collect()
    }
}

fn send(turn: &mut Turn<'_>, path: SignallingPath, description: Description) {
    match path {
        SignallingPath::DataChannel => super::channel::describe(turn, description),
        SignallingPath::Control => {
            let signal = Signal::Describe(description);
            turn.news.push(News::Signal(signal));
        }
    }
}
