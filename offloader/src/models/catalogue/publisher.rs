//! The publisher's own files: the makers of whisper.cpp keep them on huggingface.co.
//!
//! A revision of a repository there never changes, so an address here always means the same bytes.
//!
//! Where sizes and SHA-256 are from. Every Whisper file stands, with the same figures, in two public
//! lists, each read off the publisher by others than us: the managed runtime of `tnware/freehand-stt`,
//! and a Nix list of all models. Compared by program: `gallery/index.yaml` of `mudler/LocalAI` (commit
//! 82c191af) has all but `tiny`, `base`, `base.en`, `small`, `small.en` and `medium` in 8 bits and
//! `medium.en` in any form, and `ModelCatalog.swift` of `DZamataev/macomprendo` every `-f16` but
//! `large-v3-f16`. The voice activity model stands in `tttol/taptext`, `kagangungor/TRWhisper` and
//! `w0rldx/XE-Local-AI-Engine.Source`.

/// Where the publisher's files are when no mirror is named.
pub const PUBLISHER: &str = "https://huggingface.co";

const WHISPER: (&str, &str) = (
    "ggerganov/whisper.cpp",
    "5359861c739e955e79d9a303bcbc70fb988958b1",
);
const SILERO: (&str, &str) = (
    "ggml-org/whisper-vad",
    "9ffd54a1e1ee413ddf265af9913beaf518d1639b",
);

/// A file at its publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Owner and name.
    pub repository: &'static str,
    /// The commit the file is taken from.
    pub revision: &'static str,
    pub file: &'static str,
    pub bytes: u64,
    pub sha256: &'static str,
}

impl Published {
    /// Path below the publisher's address, or below a mirror's.
    #[must_use]
    pub fn path(&self) -> String {
        let Self {
            repository,
            revision,
            file,
            ..
        } = self;
        format!("{repository}/resolve/{revision}/{file}")
    }
}

pub(super) const fn whisper(file: &'static str, bytes: u64, sha256: &'static str) -> Published {
    at(WHISPER, file, bytes, sha256)
}

pub(super) const fn silero(file: &'static str, bytes: u64, sha256: &'static str) -> Published {
    at(SILERO, file, bytes, sha256)
}

const fn at(
    (repository, revision): (&'static str, &'static str),
    file: &'static str,
    bytes: u64,
    sha256: &'static str,
) -> Published {
    Published {
        repository,
        revision,
        file,
        bytes,
        sha256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_an_unchanging_revision() {
        assert_eq!(
            whisper("ggml-tiny.bin", 1, "").path(),
            "ggerganov/whisper.cpp/resolve/5359861c739e955e79d9a303bcbc70fb988958b1/ggml-tiny.bin"
        );
    }
}
