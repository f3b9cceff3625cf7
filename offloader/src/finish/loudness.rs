//! How loud a track is, and what brings all of them to the loudness of a broadcast.
//!
//! In: the sound of one track. Out: the factor of its samples. EBU R 128 (-23 LUFS, here of each voice
//! by itself, so that a whole call of voices one after the other has it too), measured as ITU-R
//! BS.1770-5 says: quiet stretches do not count. The peak is the limiter's (`sound`).

use ebur128::{EbuR128, Mode};

use super::sound::Piece;
use crate::opus::RATE;

/// Loudness of a programme, in LUFS.
const TARGET: f64 = -23.0;
/// What is quieter than this all the time is a room, not a voice, in LUFS.
const SILENCE: f64 = -55.0;
/// Most that is added, in dB: more would raise the noise behind a voice.
const MOST_RAISED: f64 = 20.0;

/// Listens to a track.
pub(super) struct Meter {
    /// `None` when there is no memory for one.
    meter: Option<EbuR128>,
    sides: Vec<f32>,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meter")
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            meter: EbuR128::new(2, RATE, Mode::I | Mode::HISTOGRAM).ok(),
            sides: Vec::new(),
        }
    }
}

impl Meter {
    /// Hears the next piece of the track.
    pub(super) fn hear(&mut self, piece: &Piece) {
        let pairs = piece.samples.iter();
        self.sides.clear();
        self.sides
            .extend(pairs.flat_map(|(left, right)| [*left, *right]));
        let meter = self.meter.as_mut();
        if meter.is_some_and(|meter| meter.add_frames_f32(&self.sides).is_err()) {
            self.meter = None;
        }
    }

    /// The factor that brings what was heard to `TARGET`; 1 when nothing was.
    pub(super) fn gain(&self) -> f32 {
        let loudness = self.meter.as_ref();
        let loudness = loudness.and_then(|meter| meter.loudness_global().ok());
        loudness.map_or(1.0, factor)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a factor between 0 and 10")]
fn factor(loudness: f64) -> f32 {
    if loudness.is_nan() || loudness < SILENCE {
        return 1.0;
    }
    let decibels = (TARGET - loudness).min(MOST_RAISED);
    10f64.powf(decibels / 20.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of 1 kHz on both sides has the loudness of its peak, in dB of full scale (BS.1770-5,
    /// annex 1: a sine of full scale at 997 Hz on one side has -3.01 LUFS).
    fn tone(peak: f32, seconds: i64) -> impl Iterator<Item = Piece> {
        (0..seconds * 50).map(move |n| {
            let start = n * 960;
            let sample = |at: i64| {
                let turns = (at * 997 % i64::from(RATE)) as f32 / RATE as f32;
                peak * (turns * std::f32::consts::TAU).sin()
            };
            let samples = (start..start + 960).map(|at| (sample(at), sample(at)));
            Piece {
                start,
                samples: samples.collect(),
            }
        })
    }

    fn gain(pieces: impl Iterator<Item = Piece>) -> f32 {
        let mut meter = Meter::default();
        pieces.for_each(|piece| meter.hear(&piece));
        meter.gain()
    }

    #[test]
    fn loud_and_quiet_voices_come_to_the_same() {
        for (peak, decibels) in [(0.5, -16.98), (0.1, -3.0), (0.02, 10.98)] {
            let expected = 10f32.powf(decibels / 20.0);
            let gain = gain(tone(peak, 5));
            assert!(
                (gain / expected - 1.0).abs() < 0.02,
                "{peak}: {gain}, not {expected}"
            );
        }
    }

    #[test]
    fn silence_stays_silence_and_a_whisper_is_raised_within_reason() {
        assert_eq!(gain(std::iter::empty()), 1.0);
        assert_eq!(gain(tone(0.0001, 5)), 1.0);
        assert!((gain(tone(0.003, 5)) - 10.0).abs() < 0.01);
    }
}
