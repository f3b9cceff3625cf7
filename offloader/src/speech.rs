//! Speech to text for one node: live captions and transcripts, from PCM to words.
//!
//! In: 16 kHz mono PCM per speaker. Out: timed segments, caption updates, VTT and TXT.
//! The models live in one child process (`process`), shared by every call of the node; this side
//! (`client`, `captions`, `transcript`) holds policy only, so a crash of whisper.cpp costs one window.
//! Not here: decoding Opus, the call, uploads, where models come from (`models`).
//! Invariant: captions are shed under load, audio of a transcript never is.

pub mod captions;
mod carrier;
mod client;
mod engine;
mod host;
mod hygiene;
mod kept;
pub mod language;
mod pool;
pub mod process;
pub(crate) mod processor;
mod queue;
mod transcribe;
pub mod transcript;
mod watch;
mod wire;

pub use captions::{CaptionOptions, CaptionStream, CaptionUpdate, CaptionUpdates, Flicker};
pub use client::{SpeechClient, SpeechConfig, SpeechError, SpeechStats};
pub use host::{SpeechHost, THIS_PROGRAM};
pub use language::SpokenLanguage;
pub use transcribe::{Transcription, Voice};
pub use transcript::{Compaction, Missing, Segment, TrackTranscript, Transcript, Utterance};
pub use wire::Word;
#[doc(hidden)]
pub use wire::{Reply, Request, WireError, decode_reply, decode_request};

/// Samples per second of all PCM in this module: mono, 32-bit float, -1 to 1.
pub const SAMPLE_RATE: usize = 16_000;

/// Samples in one millisecond.
pub(crate) const SAMPLES_PER_MS: usize = SAMPLE_RATE / 1000;

/// Length of `samples` in milliseconds, rounded down.
pub(crate) fn length_ms(samples: usize) -> u64 {
    (samples / SAMPLES_PER_MS) as u64
}

/// Number of samples before `ms`.
pub(crate) fn sample_index(ms: u64) -> usize {
    usize::try_from(ms)
        .unwrap_or(usize::MAX)
        .saturating_mul(SAMPLES_PER_MS)
}

/// Root mean square of a piece of PCM; 0 for an empty one. Speech is about 0.02 to 0.2.
pub(crate) fn energy(pcm: &[f32]) -> f32 {
    if pcm.is_empty() {
        return 0.0;
    }
    let sum: f32 = pcm.iter().map(|sample| sample * sample).sum();
    (sum / pcm.len() as f32).sqrt()
}
