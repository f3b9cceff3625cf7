//! 48 kHz stereo to the 16 kHz mono that speech recognition wants.
//!
//! In: samples piece by piece. Out: a third as many. Pure; no seam between pieces.
//! A windowed sinc of 63 taps at 7.2 kHz: what lies above would fold into the speech band.

use std::collections::VecDeque;
use std::f32::consts::PI;

use crate::opus::Stereo;

const TAPS: i16 = 63;
/// Cut-off as a share of the input rate.
const CUT: f32 = 7_200.0 / 48_000.0;

/// The filter of one stream.
#[derive(Debug, Clone)]
pub struct ToSpeech {
    taps: Vec<f32>,
    recent: VecDeque<f32>,
    phase: u8,
}

impl ToSpeech {
    /// Begins with silence.
    #[must_use]
    pub fn new() -> Self {
        let middle = f32::from(TAPS - 1) / 2.0;
        let mut taps: Vec<f32> = (0..TAPS)
            .map(|n| {
                let x = f32::from(n) - middle;
                let sinc = if x == 0.0 {
                    2.0 * CUT
                } else {
                    (2.0 * PI * CUT * x).sin() / (PI * x)
                };
                let window = 0.54 - 0.46 * (2.0 * PI * f32::from(n) / f32::from(TAPS - 1)).cos();
                sinc * window
            })
            .collect();
        let sum: f32 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= sum);
        let recent = std::iter::repeat_n(0.0, taps.len()).collect();
        Self {
            taps,
            recent,
            phase: 0,
        }
    }

    /// Converts a piece.
    pub fn push(&mut self, samples: &[Stereo]) -> Vec<f32> {
        let mut out = Vec::with_capacity(samples.len() / 3 + 1);
        for (left, right) in samples {
            self.recent.pop_front();
            self.recent.push_back((left + right) / 2.0);
            self.phase = (self.phase + 1) % 3;
            if self.phase == 0 {
                out.push(
                    self.recent
                        .iter()
                        .zip(&self.taps)
                        .map(|(s, tap)| s * tap)
                        .sum(),
                );
            }
        }
        out
    }
}

impl Default for ToSpeech {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f32) -> f32 {
        let samples: Vec<Stereo> = (0..48_000u16)
            .map(|n| (2.0 * PI * hertz * f32::from(n) / 48_000.0).sin())
            .map(|s| (s, s))
            .collect();
        let mut filter = ToSpeech::new();
        let out: Vec<f32> = samples
            .chunks(961)
            .flat_map(|piece| filter.push(piece))
            .collect();
        assert_eq!(out.len(), 16_000);
        (out.iter().map(|s| s * s).sum::<f32>() / 16_000.0).sqrt()
    }

    #[test]
    fn speech_passes_and_what_would_fold_does_not() {
        for hertz in [200.0, 1_000.0, 4_000.0, 6_000.0] {
            assert!((tone(hertz) - 0.707).abs() < 0.03, "{hertz}");
        }
        for hertz in [9_500.0, 12_000.0, 20_000.0] {
            assert!(tone(hertz) < 0.02, "{hertz}");
        }
    }
}
