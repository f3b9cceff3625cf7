//! Whether a watcher hears enough to judge others.
//!
//! Three ways to be blind: the connection is gone; our own voice does not come back through it; or it
//! does, and everybody else fell silent in the same moment, as when our server is cut off from the
//! others. The last is doubted for `Times::alone` only: a site that died whole must be buried.

use std::time::{Duration, Instant};

use super::Times;

#[derive(Debug)]
pub(super) struct Sight {
    /// Since when our own voice was heard, or could have been.
    own: Instant,
    /// When anybody else was last heard, members or not.
    others: Option<Instant>,
    is_linked: bool,
    state: State,
    /// Everybody has been silent for so long that we believe it.
    accepts_silence: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// We have only begun.
    Waking,
    Seeing,
    /// Cut off, or our own voice does not come back.
    Deaf,
    /// Everybody else is silent, since then.
    Alone(Instant),
}

impl Sight {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            own: now,
            others: None,
            is_linked: true,
            state: State::Waking,
            accepts_silence: false,
        }
    }

    pub(super) fn is_seeing(&self) -> bool {
        self.state == State::Seeing
    }

    pub(super) fn is_blind(&self) -> bool {
        matches!(self.state, State::Deaf | State::Alone(_))
    }

    pub(super) fn accepts_silence(&self) -> bool {
        self.accepts_silence
    }

    pub(super) fn heard_others(&self) -> Option<Instant> {
        self.others
    }

    pub(super) fn own_voice(&mut self, now: Instant) {
        self.own = now;
        if self.is_linked && matches!(self.state, State::Waking | State::Deaf) {
            self.state = State::Seeing;
        }
    }

    /// Somebody else is heard: silence is not everybody's.
    pub(super) fn other_voice(&mut self, now: Instant) {
        self.others = Some(now);
        self.accepts_silence = false;
        if let State::Alone(_) = self.state {
            self.state = State::Seeing;
        }
    }

    pub(super) fn cut(&mut self) {
        self.is_linked = false;
    }

    pub(super) fn linked(&mut self, now: Instant) {
        self.is_linked = true;
        self.own = now;
    }

    /// Judges anew. `all_silent`: every other node that was there fell silent in one moment.
    pub(super) fn look(&mut self, now: Instant, all_silent: bool, times: &Times) {
        // A moment past the limit, as `deadline` has it.
        let is_deaf = !self.is_linked || now.saturating_duration_since(self.own) > times.blind;
        self.state = match self.state {
            State::Waking | State::Seeing | State::Alone(_) if is_deaf => {
                self.accepts_silence = false;
                State::Deaf
            }
            State::Alone(since) if now.saturating_duration_since(since) >= times.alone => {
                self.accepts_silence = true;
                State::Seeing
            }
            State::Seeing if all_silent && !self.accepts_silence => State::Alone(now),
            same @ (State::Waking | State::Seeing | State::Deaf | State::Alone(_)) => same,
        };
    }

    pub(super) fn deadline(&self, times: &Times) -> Option<Instant> {
        // A moment later than the limit, for it is crossed and not reached.
        let own = self.own + times.blind + Duration::from_millis(1);
        match self.state {
            State::Waking | State::Seeing => Some(own),
            State::Deaf => None,
            State::Alone(since) => Some(own.min(since + times.alone)),
        }
    }
}
