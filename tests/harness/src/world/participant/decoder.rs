//! What a viewer sees: which pictures can be decoded, and when it asks for a keyframe.
//!
//! One packet is one picture. A picture needs the one before it, a keyframe needs nothing. A viewer
//! waits a little for what is missing and then asks for a keyframe, again and again, as browsers do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::rtcd::TrackType;
use str0m::media::KeyframeRequestKind;

use super::Participant;

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

impl Participant {
    /// When pictures of this sender could be shown.
    #[must_use]
    pub fn shown_of(&self, sender: &str, kind: TrackType) -> Vec<Instant> {
        let mids = self.media_map.iter();
        mids.filter(|(_, entry)| entry.sender == sender && entry.kind == kind)
            .filter_map(|(mid, _)| self.decoders.get(mid))
            .flat_map(|decoder| decoder.shown().iter().copied())
            .collect()
    }

    /// Hands a picture to the decoder of its m-line.
    pub(super) fn watch(&mut self, now: Instant, mid: &str, number: (u32, u64), payload: &[u8]) {
        let is_picture = self
            .media_map
            .get(mid)
            .is_some_and(|entry| !entry.kind.is_audio());
        if is_picture {
            let keyframe = payload.get(1).is_some_and(|byte| byte & 1 == 0);
            let decoder = self.decoders.entry(mid.to_owned()).or_default();
            decoder.take(now, number, keyframe);
        }
    }

    pub(super) fn ask_for_keyframes(&mut self, now: Instant) {
        let map = &self.media_map;
        self.decoders.retain(|mid, _| map.contains_key(mid));
        let due = self.decoders.iter_mut();
        let due = due.filter_map(|(mid, decoder)| decoder.asks(now).then(|| mid.clone()));
        let due: Vec<String> = due.collect();
        for mid in due {
            let mut direct = self.rtc.direct_api();
            if let Some(stream) = direct.stream_rx_by_mid(mid.as_str().into(), None) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
        }
    }
}
