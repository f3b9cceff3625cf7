//! The speech that is played: what `tests/fixtures/speech.sh` made.

use std::path::Path;

use anyhow::Context;

/// One studio speaker who hardly pauses, and three in conversation.
pub(crate) const SPEAKERS: [&str; 4] = ["prompts", "talk-rms", "talk-slt", "talk-kal16"];

/// 16 kHz mono.
pub(crate) fn pcm(name: &str) -> anyhow::Result<Vec<f32>> {
    let path = Path::new("target/fixtures/speech").join(format!("{name}.s16"));
    let bytes = std::fs::read(&path)
        .with_context(|| format!("read `{}`: run `tests/fixtures/speech.sh`", path.display()))?;
    let (samples, _) = bytes.as_chunks::<2>();
    let sample = |pair: &[u8; 2]| f32::from(i16::from_le_bytes(*pair)) / 32768.0;
    Ok(samples.iter().map(sample).collect())
}
