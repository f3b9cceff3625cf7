//! The mel filter bank of Whisper: 16 kHz, 400-point transform, Slaney scale, area normalisation.
//!
//! Computed rather than shipped. Out: `bands` rows of 201 weights.
//! See: M. Slaney, Auditory Toolbox, 1998 (linear below 1 kHz, logarithmic above).

const SAMPLE_RATE: f64 = 16_000.0;
const POINTS: u32 = 400;

/// Frequency bins of the transform: half of its points and the constant part.
pub(crate) const BINS: u32 = POINTS / 2 + 1;

const HZ_PER_MEL: f64 = 200.0 / 3.0;
const KNEE_HZ: f64 = 1000.0;

/// Triangular filters, row by row.
pub(crate) fn filters(bands: u32) -> Vec<f32> {
    let step = log_step();
    let top = KNEE_HZ / HZ_PER_MEL + (SAMPLE_RATE / 2.0 / KNEE_HZ).ln() / step;
    let spacing = top / f64::from(bands + 1);
    let edge = |i: u32| {
        let mel = if i == bands + 1 {
            top
        } else {
            f64::from(i) * spacing
        };
        to_hz(mel, step)
    };
    let bin_width = SAMPLE_RATE / 2.0 / f64::from(BINS - 1);
    let mut out = Vec::new();
    for band in 0..bands {
        let (left, centre, right) = (edge(band), edge(band + 1), edge(band + 2));
        let area = 2.0 / (right - left);
        for bin in 0..BINS {
            let hz = f64::from(bin) * bin_width;
            let rising = -(left - hz) / (centre - left);
            let falling = (right - hz) / (right - centre);
            let weight = rising.min(falling);
            // Only what is below zero becomes zero: the very first weight is -0.0 and stays it,
            // which the pinned SHA-256 of the converted models sees.
            out.push(narrow(if weight < 0.0 { 0.0 } else { weight * area }));
        }
    }
    out
}

fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn to_hz(mel: f64, step: f64) -> f64 {
    let knee = KNEE_HZ / HZ_PER_MEL;
    if mel < knee {
        mel * HZ_PER_MEL
    } else {
        KNEE_HZ * (step * (mel - knee)).exp()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the file holds 32-bit weights below 1"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bank_covers_the_spectrum_with_overlapping_triangles() {
        let bank = filters(80);
        assert_eq!(bank.len(), 80 * 201);
        for (band, row) in bank.chunks(201).enumerate() {
            let highest = row.iter().copied().fold(0.0, f32::max);
            assert!(highest > 0.0, "band {band} hears nothing");
            assert!(
                row.iter().all(|&weight| (0.0..0.03).contains(&weight)),
                "band {band}"
            );
        }
    }
}
