//! Opus packets to samples, losses hidden as well as they can be.
//!
//! In: the packets of one track in order, and how much is missing before one. Out: 48 kHz stereo.
//! What a lost packet said is taken from the copy in the packet behind it where the sender put one
//! there (in-band FEC, RFC 6716 2.1.7), else continued from what was heard (4.4); after
//! `LONGEST_HIDDEN` there is silence, for a machine that goes on by itself is worse than a hole.
//! Not here: where samples belong on a timeline (`finish::sound`).

use std::ptr::NonNull;

use opusic_sys as sys;

/// Samples per second and side.
pub const RATE: u32 = 48_000;
/// The longest Opus packet: 120 ms. See RFC 6716 3.1.
const MOST_SAMPLES: usize = 5_760;
/// The shortest frame, and the grid that durations lie on: 2.5 ms.
const GRID: usize = 120;
/// A loss is continued for so long, in samples: 100 ms, fading.
const LONGEST_HIDDEN: usize = 4_800;
/// Samples that a packet is taken to hold while none was heard: 20 ms.
const USUAL_SAMPLES: usize = 960;

/// One sample of both sides.
pub type Stereo = (f32, f32);

/// libopus has no memory for a decoder.
#[derive(Debug, thiserror::Error)]
#[error("libopus makes no decoder (code {code})")]
pub struct OpusError {
    code: i32,
}

/// Decodes the packets of one track.
#[derive(Debug)]
pub struct Decoder {
    state: NonNull<sys::OpusDecoder>,
    /// Samples of the last packet that was heard.
    last_len: usize,
}

// SAFETY: libopus keeps no state outside the decoder, and whoever has `&mut` has it alone.
#[expect(unsafe_code, reason = "a decoder moves between tasks")]
unsafe impl Send for Decoder {}

impl Decoder {
    /// Makes a decoder.
    ///
    /// # Errors
    /// When there is no memory for it.
    #[expect(unsafe_code, reason = "libopus is C")]
    pub fn new() -> Result<Self, OpusError> {
        let mut code = 0;
        let rate = i32::try_from(RATE).unwrap_or(48_000);
        // SAFETY: `code` outlives the call; a decoder that is not null is ours until `drop`.
        let state = unsafe { sys::opus_decoder_create(rate, 2, &raw mut code) };
        let state = NonNull::new(state).ok_or(OpusError { code })?;
        Ok(Self {
            state,
            last_len: USUAL_SAMPLES,
        })
    }

    /// Samples that the last packet held, and a missing one probably did.
    #[must_use]
    pub fn usual_len(&self) -> usize {
        self.last_len
    }

    /// Decodes one packet; a damaged one gives no samples.
    pub fn decode(&mut self, packet: &[u8]) -> Vec<Stereo> {
        if packet.is_empty() {
            return Vec::new();
        }
        let samples = self.run(Some(packet), MOST_SAMPLES, false);
        if !samples.is_empty() {
            self.last_len = samples.len();
        }
        samples
    }

    /// The `missing` samples before `next`, which is decoded afterwards.
    pub fn lost(&mut self, missing: usize, next: &[u8]) -> Vec<Stereo> {
        let copied = self.last_len.min(missing) / GRID * GRID;
        let continued = (missing - copied).min(LONGEST_HIDDEN);
        let mut samples = Vec::with_capacity(missing);
        while samples.len() < continued {
            let len = (continued - samples.len()).min(self.last_len) / GRID * GRID;
            let piece = self.run(None, len, false);
            if piece.is_empty() {
                break;
            }
            samples.extend(piece);
        }
        let hole = missing - copied - samples.len();
        if hole > 0 {
            fade(&mut samples);
        }
        samples.resize(missing - copied, (0.0, 0.0));
        let mut copy = self.run(Some(next), copied, true);
        if hole > 0 {
            copy.iter_mut().take(GRID).zip(ramp()).for_each(scale);
        }
        samples.extend(copy);
        samples.resize(missing, (0.0, 0.0));
        samples
    }

    /// At most `len` samples of a packet, of the copy in it, or of what probably followed.
    #[expect(unsafe_code, reason = "libopus is C")]
    fn run(&mut self, packet: Option<&[u8]>, len: usize, copy: bool) -> Vec<Stereo> {
        let (Ok(frame_size), true) = (i32::try_from(len), len > 0) else {
            return Vec::new();
        };
        let mut sides = vec![0.0f32; len * 2];
        let (data, bytes) = packet.map_or((std::ptr::null(), 0), |packet| {
            (packet.as_ptr(), i32::try_from(packet.len()).unwrap_or(0))
        });
        // SAFETY: `data` has `bytes` bytes or is null with none; `sides` has room for `frame_size`
        // samples of two sides; the decoder is ours.
        let heard = unsafe {
            sys::opus_decode_float(
                self.state.as_ptr(),
                data,
                bytes,
                sides.as_mut_ptr(),
                frame_size,
                i32::from(copy),
            )
        };
        // Negative: a damaged packet.
        let heard = usize::try_from(heard).unwrap_or(0);
        let (pairs, _) = sides.as_chunks::<2>();
        pairs.iter().take(heard).map(|[l, r]| (*l, *r)).collect()
    }
}

impl Drop for Decoder {
    #[expect(unsafe_code, reason = "libopus is C")]
    fn drop(&mut self) {
        // SAFETY: made by `opus_decoder_create`, and nobody has it any more.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

/// Ends in silence instead of at an edge.
fn fade(samples: &mut [Stereo]) {
    samples.iter_mut().rev().zip(ramp()).for_each(scale);
}

/// From silence to full over `GRID` samples, then full.
#[expect(clippy::cast_precision_loss, reason = "at most GRID")]
fn ramp() -> impl Iterator<Item = f32> {
    (0..GRID).map(|n| n as f32 / GRID as f32)
}

fn scale((sample, gain): (&mut Stereo, f32)) {
    sample.0 *= gain;
    sample.1 *= gain;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_packets_are_no_reason_to_panic() {
        let mut decoder = Decoder::new().unwrap();
        for packet in [&[][..], &[0], &[0xff; 7], &[3, 0xff, 0xff]] {
            let _ = decoder.decode(packet);
        }
        for missing in [0, 1, 119, 120, 960, 48_000] {
            assert_eq!(decoder.lost(missing, &[0xff; 7]).len(), missing);
        }
    }
}
