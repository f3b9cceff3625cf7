//! Which languages a model knows, told by the size of its vocabulary.
//!
//! In: an installed file. Out: English only, or many.
//! See: whisper.cpp, `whisper_vocab::is_multilingual`; the header is magic, then the vocabulary's size.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use proto::offload::Languages;

use super::catalogue::Catalogued;

/// Vocabularies of English-only models have one entry less than the smallest of the others.
const MULTILINGUAL: u32 = 51_865;

/// Whether the model `name` in `dir` knows other languages than English. A file that is not there or
/// not to be read knows nothing.
#[must_use]
pub fn is_multilingual(dir: &Path, name: &str) -> bool {
    super::installed(dir, name).and_then(|path| languages_of(&path)) == Some(Languages::Many)
}

/// Which languages the model of a file knows; `None` for one that recognises no words.
pub(crate) fn languages_of(path: &Path) -> Option<Languages> {
    vocabulary_size(path).map(|size| {
        if size >= MULTILINGUAL {
            Languages::Many
        } else {
            Languages::English
        }
    })
}

/// All model files of a folder with the names by which they are asked for, in order of these.
pub(crate) fn all_installed(dir: &Path) -> BTreeMap<String, PathBuf> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let models = files.filter_map(|file| {
        let name = file.file_name().into_string().ok()?;
        let known = Catalogued::with_file(&name).map(|model| model.name.to_owned());
        let is_model = name.starts_with("ggml-") && name.ends_with(".bin");
        is_model.then(|| (known.unwrap_or(name), file.path()))
    });
    models.collect()
}

/// `None` for a file that is no Whisper model, such as voice activity detection.
fn vocabulary_size(path: &Path) -> Option<u32> {
    let mut start = [0; 8];
    File::open(path).ok()?.read_exact(&mut start).ok()?;
    let [magic @ .., a, b, c, d] = start;
    let size = u32::from_le_bytes([a, b, c, d]);
    // Silero's file begins like Whisper's; its second number is a version below any vocabulary.
    (magic == weights::FIRST_BYTES && size > 50_000).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_tells_how_many_languages() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, size: u32| {
            let bytes = [weights::FIRST_BYTES.as_slice(), &size.to_le_bytes()].concat();
            std::fs::write(dir.path().join(name), bytes).unwrap();
        };
        write("ggml-base-q8_0.bin", 51_865);
        write("ggml-tiny.en-q8_0.bin", 51_864);
        write("ggml-large-v3-q5_0.bin", 51_866);
        std::fs::write(dir.path().join("ggml-own.bin"), b"ggml").unwrap();
        let known = ["base", "tiny.en", "large-v3", "ggml-own.bin", "small"]
            .map(|name| is_multilingual(dir.path(), name));
        assert_eq!(known, [true, false, true, false, false]);
    }
}
