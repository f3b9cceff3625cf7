//! Live captions of one speaker: PCM in, text that grows and hardly ever changes out.
//!
//! In: 16 kHz PCM as it arrives. Out: updates with the whole line to show.
//! Not here: who else is speaking, sending the event to clients.
//! Shed under load, in this order: how often a line is looked at, words nobody has confirmed, the size of
//! the model where there is a smaller one of as many languages, and at last the line itself, which then
//! says so.
//! Invariant: words that were committed are never taken back; a pause of the speaker, 8 s of
//! speech, or the end of the stream commits everything. What no model understands is said not to be
//! understood.

mod agreement;
mod stream;
mod tuning;

use std::time::Duration;

use tokio::sync::mpsc;

use super::client::SpeechClient;

pub use agreement::Flicker;

/// What a caption stream needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaptionOptions {
    /// ISO 639-1 code of the call's language; `None` means English. A speaker who speaks another one
    /// is heard in that, where a model knows it.
    pub language: Option<String>,
}

/// The line of one speaker as it should be shown now. Replaces the previous one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionUpdate {
    /// What to show: words that stay, then words that may still change.
    pub text: String,
    /// How many bytes of `text` will not change any more.
    pub stable_bytes: usize,
    /// Number of the line in its stream, from 0; a line ends with the update that is final.
    pub line: u64,
    /// ISO 639-1 code of the language it is heard in.
    pub language: String,
    /// `text` is not what was said but why that cannot be shown.
    pub is_notice: bool,
    /// Audio heard since the update before (`new_audio_len_ms` of the wire).
    pub new_audio_len_ms: u64,
    /// The speaker paused or was cut: `text` is all stable and the next update begins a new line.
    pub is_final: bool,
    /// From the arrival of the newest audio this text knows about until now.
    pub delay: Duration,
    /// Audio pushed until the end of what this text knows about, in ms since the stream was opened.
    pub heard_until_ms: u64,
    /// Words shown and taken back in this stream so far.
    pub flicker: Flicker,
}

/// The side into which audio is pushed. Dropping it ends the stream after a last update.
#[derive(Debug)]
pub struct CaptionStream {
    audio: stream::Inlet,
}

impl CaptionStream {
    /// Adds 16 kHz mono PCM; never waits. When more than 12 s are waiting the oldest are dropped.
    pub fn push(&self, pcm: &[f32]) {
        self.audio.push(pcm);
    }

    /// Times that audio was dropped because recognition was too far behind.
    #[must_use]
    pub fn windows_dropped(&self) -> u64 {
        self.audio.windows_dropped()
    }

    /// Times that what was asked gave way to newer windows before it was answered.
    #[must_use]
    pub fn windows_shed(&self) -> u64 {
        self.audio.windows_shed()
    }
}

/// The side on which updates arrive.
#[derive(Debug)]
pub struct CaptionUpdates {
    updates: mpsc::Receiver<CaptionUpdate>,
}

impl CaptionUpdates {
    /// The next update; `None` after the stream was dropped and its last words were given.
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<CaptionUpdate> {
        self.updates.recv().await
    }
}

/// Starts the task of one speaker's captions.
pub(super) fn open(
    client: SpeechClient,
    options: CaptionOptions,
) -> (CaptionStream, CaptionUpdates) {
    let (sender, updates) = mpsc::channel(32);
    let audio = stream::start(client, options, sender);
    (CaptionStream { audio }, CaptionUpdates { updates })
}
