//! Models for the tests; what is missing is said with the command that brings it.

use std::path::{Path, PathBuf};

use offloader::models;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder with `tiny.en` and the voice activity model.
pub(crate) fn models_dir() -> PathBuf {
    let dir = std::env::var_os("PARLEY_MODELS")
        .map_or_else(|| root().join(".parley/models"), PathBuf::from);
    must_have(&dir, "tiny.en");
    must_have(&dir, models::VAD);
    dir
}

pub(crate) fn must_have(dir: &Path, name: &str) {
    assert!(
        models::installed(dir, name).is_some(),
        "model `{name}` is not in `{}`: run `cargo run -p offloader -- models --models-dir .parley/models pull tiny.en base silero-vad`",
        dir.display()
    );
}
