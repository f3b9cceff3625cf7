//! The speech that is played: what `tests/fixtures/speech.sh` made.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// One studio speaker who hardly pauses, and three in conversation.
pub(crate) const SPEAKERS: [&str; 4] = ["prompts", "talk-rms", "talk-slt", "talk-kal16"];

/// 16 kHz mono.
pub(crate) fn pcm(name: &str) -> anyhow::Result<Vec<f32>> {
    let bytes = std::fs::read(fixture(name, "s16")).with_context(|| missing(name))?;
    let (samples, _) = bytes.as_chunks::<2>();
    let sample = |pair: &[u8; 2]| f32::from(i16::from_le_bytes(*pair)) / 32768.0;
    Ok(samples.iter().map(sample).collect())
}

/// What is said in it.
pub(crate) fn text(name: &str) -> anyhow::Result<String> {
    let rows = std::fs::read_to_string(fixture(name, "tsv")).with_context(|| missing(name))?;
    let texts: Vec<_> = rows
        .lines()
        .filter_map(|row| row.rsplit('\t').next())
        .collect();
    Ok(texts.join(" "))
}

fn fixture(name: &str, form: &str) -> PathBuf {
    Path::new("target/fixtures/speech").join(format!("{name}.{form}"))
}

fn missing(name: &str) -> String {
    format!("read the speech `{name}`: run `tests/fixtures/speech.sh`")
}
