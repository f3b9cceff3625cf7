//! What a viewer sees: which pictures can be decoded, and when it asks for a keyframe.
//!
//! One packet is one picture. A picture needs the one before it, a keyframe needs nothing. A viewer
//! waits a little for what is missing and then asks for a keyframe, again and again, as browsers do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a missing picture is waited for.
const PATIENCE: Duration = Duration::from_millis(200);
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The decoder of one m-line.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    ssrc: Option<u32>,
    next: Option<u64>,
    /// Pictures that came before one they need.
    waiting: BTreeMap<u64, Instant>,
    asked: Option<Instant>,
    shown: Vec<Instant>,
}

impl Decoder {
    pub(super) fn take(&mut self, now: Instant, (ssrc, number): (u32, u64), keyframe: bool) {
        if self.ssrc.replace(ssrc) != Some(ssrc) {
            // Another track on the m-line.
            self.next = None;
            self.waiting.clear();
            self.asked = None;
        }
        let late = self.next.is_some_and(|next| number < next);
        if late {
            return;
        }
        if keyframe || self.next == Some(number) {
            self.show(now, number);
        } else {
            self.waiting.entry(number).or_insert(now);
        }
    }

    fn show(&mut self, now: Instant, number: u64) {
        let mut next = number;
        loop {
            self.shown.push(now);
            next += 1;
            if self.waiting.remove(&next).is_none() {
                break;
            }
        }
        self.next = Some(next);
        self.waiting = self.waiting.split_off(&next);
        self.asked = None;
    }

    /// When it will want a keyframe, if nothing comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let patient = self.waiting.values().min().map(|at| *at + PATIENCE)?;
        Some(self.asked.map_or(patient, |asked| asked + ASK_EVERY))
    }

    /// Whether to ask for a keyframe now.
    pub(super) fn asks(&mut self, now: Instant) -> bool {
        let due = self.deadline().is_some_and(|at| at <= now);
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// When pictures were shown.
    pub(super) fn shown(&self) -> &[Instant] {
        &self.shown
    }
}
