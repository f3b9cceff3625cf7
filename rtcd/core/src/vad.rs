//! Voice activity of one participant, from the audio levels of its packets.
//!
//! In: RFC 6464 levels, 0 loud to 127 silent, also while muted. Out: changes between voice and
//! silence. A ring of the last levels is judged by its spread: speech varies, noise does not.
//! Invariant: no decision before the ring is full.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Levels looked at together: one second of 20 ms packets.
const WINDOW: usize = 50;
/// Spread above which silence becomes voice.
const ON_ABOVE: u8 = 10;
/// Spread below which voice becomes silence.
const OFF_BELOW: u8 = 4;
/// Shortest voice.
const HOLD: Duration = Duration::from_secs(2);

/// A change of voice activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VoiceChange {
    On,
    Off,
}

/// Decides whether one participant speaks.
#[derive(Debug)]
pub(crate) struct VoiceDetector {
    window: usize,
    on_above: u8,
    off_below: u8,
    levels: VecDeque<u8>,
    /// Sums over `levels`, so that a packet costs the same whatever the window.
    sum: u64,
    speaking_since: Option<Instant>,
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self::new(WINDOW, ON_ABOVE, OFF_BELOW)
    }
}

impl VoiceDetector {
    fn new(window: usize, on_above: u8, off_below: u8) -> Self {
        Self {
            window,
            on_above,
            off_below,
            levels: VecDeque::with_capacity(window),
            sum: 0,
            speaking_since: None,
        }
    }

    /// Takes the level of one packet.
    pub(crate) fn level(&mut self, now: Instant, level: u8) -> Option<VoiceChange> {
        if self.levels.len() >= self.window
            && let Some(oldest) = self.levels.pop_front()
        {
            self.sum -= u64::from(oldest);
        }
        self.levels.push_back(level);
        self.sum += u64::from(level);
        if self.levels.len() < self.window {
            return None;
        }
        let (_, spread) = self.mean_and_spread();
        match self.speaking_since {
            None if spread > self.on_above => {
                self.speaking_since = Some(now);
                Some(VoiceChange::On)
            }
            Some(since)
                if spread < self.off_below && now.saturating_duration_since(since) >= HOLD =>
            {
                self.speaking_since = None;
                Some(VoiceChange::Off)
            }
            None | Some(_) => None,
        }
    }

    /// Forgets everything, as after a mute.
    pub(crate) fn reset(&mut self) {
        self.levels.clear();
        self.sum = 0;
        self.speaking_since = None;
    }

    /// Rounded mean, and rounded sample standard deviation around that rounded mean.
    #[expect(
        clippy::cast_precision_loss,
        reason = "at most 50 levels of at most 127"
    )]
    fn mean_and_spread(&self) -> (u8, u8) {
        let count = self.levels.len() as f64;
        let mean = (self.sum as f64 / count).round();
        let squares: f64 = self
            .levels
            .iter()
            .map(|x| (f64::from(*x) - mean).powi(2))
            .sum();
        let spread = (squares / (count - 1.0)).sqrt().round();
        (to_level(mean), to_level(spread))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a level"
)]
fn to_level(value: f64) -> u8 {
    value.clamp(0.0, 127.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;

    #[test]
    fn mean_and_spread_match_the_vector() {
        let mut detector = VoiceDetector::new(10, 10, 5);
        let now = test_epoch();
        for level in [55, 45].into_iter().cycle().take(10) {
            assert_eq!(detector.level(now, level), None);
        }
        assert_eq!(detector.mean_and_spread(), (50, 5));
    }

    #[test]
    fn nothing_is_decided_before_the_window_is_full() {
        let mut detector = VoiceDetector::default();
        let levels = [10, 90].into_iter().cycle();
        let changes: Vec<_> = levels
            .take(50)
            .map(|level| detector.level(test_epoch(), level))
            .collect();
        assert!(changes[..49].iter().all(Option::is_none));
        assert_eq!(changes[49], Some(VoiceChange::On));
    }

    #[test]
    fn voice_lasts_two_seconds_and_ends_when_the_levels_settle() {
        let mut detector = VoiceDetector::default();
        let start = test_epoch();
        let mut now = start;
        for level in [10, 90].into_iter().cycle().take(50) {
            detector.level(now, level);
        }
        let mut ended = None;
        while ended.is_none() {
            now += Duration::from_millis(20);
            ended = detector.level(now, 100).map(|change| (change, now - start));
        }
        assert_eq!(ended, Some((VoiceChange::Off, HOLD)));
    }

    #[test]
    fn steady_noise_is_no_voice() {
        let mut detector = VoiceDetector::default();
        for level in [60, 62, 61].into_iter().cycle().take(500) {
            assert_eq!(detector.level(test_epoch(), level), None);
        }
    }

    #[test]
    fn a_reset_needs_a_full_window_again() {
        let mut detector = VoiceDetector::default();
        let mut levels = [10, 90].into_iter().cycle();
        for level in levels.by_ref().take(50) {
            detector.level(test_epoch(), level);
        }
        detector.reset();
        for level in levels.by_ref().take(49) {
            assert_eq!(detector.level(test_epoch(), level), None);
        }
        assert_eq!(detector.level(test_epoch(), 90), Some(VoiceChange::On));
    }
}
