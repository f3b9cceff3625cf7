//! The models we know by name: where each comes from, and the SHA-256 it then has.
//!
//! A model's publisher is asked first (`publisher`); where its file cannot be had, some models can be
//! made of packages of the registries (`packages`). Both ways end under the same name in the models
//! folder, and each has a SHA-256 of its own: another quantisation of the same weights.
//! Invariant: a name without a known SHA-256 is not offered.

mod packages;
mod publisher;

pub use packages::{Conversion, Package, Recipe};
pub use publisher::{PUBLISHER, Published};

use publisher::{silero, whisper};

/// Name of the voice activity model, which every use of speech needs.
pub const VAD: &str = "silero-vad";

/// One model of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Catalogued {
    /// What people type.
    pub name: &'static str,
    pub about: &'static str,
    /// Name in the models folder.
    pub file: &'static str,
    /// The publisher's own file.
    pub published: Published,
    /// How it is made of packages, where it can be.
    pub conversion: Option<Conversion>,
}

/// Everything `pull` knows by name, all under the MIT licence. A plain name is what suits most: 8 bits
/// per weight, where the publisher has such a file, half the memory and no measured loss of words.
/// `-f16` is the model as trained, `-q5_0` and `-q5_1` have 5 bits.
#[rustfmt::skip] // A table is read in columns.
pub(super) const CATALOGUE: &[Catalogued] = &[
    Catalogued {
        name: "tiny.en",
        about: "Whisper tiny, English only; captions and tests",
        file: "ggml-tiny.en-q8_0.bin",
        published: whisper("ggml-tiny.en-q8_0.bin", 43_550_795, "5bc2b3860aa151a4c6e7bb095e1fcce7cf12c7b020ca08dcec0c6d018bb7dd94"),
        conversion: Some(packages::TINY_EN),
    },
    Catalogued {
        name: "base",
        about: "Whisper base, 99 languages; transcripts",
        file: "ggml-base-q8_0.bin",
        published: whisper("ggml-base-q8_0.bin", 81_768_585, "c577b9a86e7e048a0b7eada054f4dd79a56bbfa911fbdacf900ac5b567cbb7d9"),
        conversion: Some(packages::BASE),
    },
    Catalogued {
        name: VAD,
        about: "Silero voice activity detection 6.2; always needed",
        file: "ggml-silero-v6.2.bin",
        published: silero("ggml-silero-v6.2.0.bin", 885_098, "2aa269b785eeb53a82983a20501ddf7c1d9c48e33ab63a41391ac6c9f7fb6987"),
        conversion: Some(packages::SILERO),
    },
    published("tiny", "Whisper tiny, 99 languages", "ggml-tiny-q8_0.bin", 43_537_433, "c2085835d3f50733e2ff6e4b41ae8a2b8d8110461e18821b09a15c40c42d1cca"),
    published("base.en", "Whisper base, English only", "ggml-base.en-q8_0.bin", 81_781_811, "a4d4a0768075e13cfd7e19df3ae2dbc4a68d37d36a7dad45e8410c9a34f8c87e"),
    published("small", "Whisper small, 99 languages; better transcripts, three times the work of base", "ggml-small-q8_0.bin", 264_464_607, "49c8fb02b65e6049d5fa6c04f81f53b867b5ec9540406812c643f177317f779f"),
    published("small.en", "Whisper small, English only", "ggml-small.en-q8_0.bin", 264_477_561, "67a179f608ea6114bd3fdb9060e762b588a3fb3bd00c4387971be4d177958067"),
    published("medium", "Whisper medium, 99 languages", "ggml-medium-q8_0.bin", 823_369_779, "42a1ffcbe4167d224232443396968db4d02d4e8e87e213d3ee2e03095dea6502"),
    published("medium.en", "Whisper medium, English only", "ggml-medium.en-q8_0.bin", 823_382_461, "43fa2cd084de5a04399a896a9a7a786064e221365c01700cea4666005218f11c"),
    published("large-v3", "Whisper large, 100 languages, 5 bits (the publisher has no 8)", "ggml-large-v3-q5_0.bin", 1_081_140_203, "d75795ecff3f83b5faa89d1900604ad8c780abd5739fae406de19f23ecd98ad1"),
    published("large-v3-turbo", "Whisper large with a short decoder, 100 languages", "ggml-large-v3-turbo-q8_0.bin", 874_188_075, "317eb69c11673c9de1e1f0d459b253999804ec71ac4c23c17ecf5fbe24e259a1"),
    published("tiny-f16", "tiny as trained", "ggml-tiny.bin", 77_691_713, "be07e048e1e599ad46341c8d2a135645097a538221678b7acdd1b1919c6e1b21"),
    published("tiny.en-f16", "tiny.en as trained", "ggml-tiny.en.bin", 77_704_715, "921e4cf8686fdd993dcd081a5da5b6c365bfde1162e72b08d75ac75289920b1f"),
    published("base-f16", "base as trained", "ggml-base.bin", 147_951_465, "60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe"),
    published("base.en-f16", "base.en as trained", "ggml-base.en.bin", 147_964_211, "a03779c86df3323075f5e796cb2ce5029f00ec8869eee3fdfb897afe36c6d002"),
    published("small-f16", "small as trained", "ggml-small.bin", 487_601_967, "1be3a9b2063867b937e64e2ec7483364a79917e157fa98c5d94b5c1fffea987b"),
    published("small.en-f16", "small.en as trained", "ggml-small.en.bin", 487_614_201, "c6138d6d58ecc8322097e0f987c32f1be8bb0a18532a3f88f734d1bbf9c41e5d"),
    published("medium-f16", "medium as trained", "ggml-medium.bin", 1_533_763_059, "6c14d5adee5f86394037b4e4e8b59f1673b6cee10e3cf0b11bbdbee79c156208"),
    published("medium.en-f16", "medium.en as trained", "ggml-medium.en.bin", 1_533_774_781, "cc37e93478338ec7700281a7ac30a10128929eb8f427dda2e865faa8f6da4356"),
    published("large-v3-f16", "large-v3 as trained", "ggml-large-v3.bin", 3_095_033_483, "64d182b440b98d5203c4f9bd541544d84c605196c4f7b845dfa11fb23594d1e2"),
    published("large-v3-turbo-f16", "large-v3-turbo as trained", "ggml-large-v3-turbo.bin", 1_624_555_275, "1fc70f774d38eb169993ac391eea357ef47c88757ef72ee5943879b7e8e2bc69"),
    published("tiny-q5_1", "tiny in 5 bits", "ggml-tiny-q5_1.bin", 32_152_673, "818710568da3ca15689e31a743197b520007872ff9576237bda97bd1b469c3d7"),
    published("tiny.en-q5_1", "tiny.en in 5 bits", "ggml-tiny.en-q5_1.bin", 32_166_155, "c77c5766f1cef09b6b7d47f21b546cbddd4157886b3b5d6d4f709e91e66c7c2b"),
    published("base-q5_1", "base in 5 bits", "ggml-base-q5_1.bin", 59_707_625, "422f1ae452ade6f30a004d7e5c6a43195e4433bc370bf23fac9cc591f01a8898"),
    published("base.en-q5_1", "base.en in 5 bits", "ggml-base.en-q5_1.bin", 59_721_011, "4baf70dd0d7c4247ba2b81fafd9c01005ac77c2f9ef064e00dcf195d0e2fdd2f"),
    published("small-q5_1", "small in 5 bits", "ggml-small-q5_1.bin", 190_085_487, "ae85e4a935d7a567bd102fe55afc16bb595bdb618e11b2fc7591bc08120411bb"),
    published("small.en-q5_1", "small.en in 5 bits", "ggml-small.en-q5_1.bin", 190_098_681, "bfdff4894dcb76bbf647d56263ea2a96645423f1669176f4844a1bf8e478ad30"),
    published("medium-q5_0", "medium in 5 bits", "ggml-medium-q5_0.bin", 539_212_467, "19fea4b380c3a618ec4723c3eef2eb785ffba0d0538cf43f8f235e7b3b34220f"),
    published("medium.en-q5_0", "medium.en in 5 bits", "ggml-medium.en-q5_0.bin", 539_225_533, "76733e26ad8fe1c7a5bf7531a9d41917b2adc0f20f2e4f5531688a8c6cd88eb0"),
    published("large-v3-turbo-q5_0", "large-v3-turbo in 5 bits", "ggml-large-v3-turbo-q5_0.bin", 574_041_195, "394221709cd5ad1f40c46e6031ca61bce88931e6e088c188294c6d5a55ffa7e2"),
];

/// A model that only its publisher has.
const fn published(
    name: &'static str,
    about: &'static str,
    file: &'static str,
    bytes: u64,
    sha256: &'static str,
) -> Catalogued {
    Catalogued {
        name,
        about,
        file,
        published: whisper(file, bytes, sha256),
        conversion: None,
    }
}

impl Catalogued {
    /// The model people call `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|model| model.name == name)
    }

    /// The model that lies under the name `file`.
    #[must_use]
    pub fn with_file(file: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|model| model.file == file)
    }

    /// All names, for messages.
    #[must_use]
    pub fn names() -> String {
        CATALOGUE
            .iter()
            .map(|model| model.name)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The SHA-256 its file may have: the publisher's, and that of our conversion.
    pub fn sha256s(&self) -> impl Iterator<Item = &'static str> {
        let converted = self.conversion.map(|conversion| conversion.sha256);
        [self.published.sha256].into_iter().chain(converted)
    }

    /// Whether `sha256` is one its file may have.
    #[must_use]
    pub fn may_have(&self, sha256: &str) -> bool {
        self.sha256s().any(|known| known == sha256)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_pin_is_a_sha256_of_its_own() {
        let mut seen = BTreeSet::new();
        for model in CATALOGUE {
            let packages = model.conversion.iter().flat_map(|made| made.packages);
            let pins = packages
                .map(|package| package.sha256)
                .chain(model.sha256s());
            for pin in pins {
                let is_sha256 = pin.len() == 64 && pin.bytes().all(|b| b.is_ascii_hexdigit());
                assert!(is_sha256 && seen.insert(pin), "{}: {pin}", model.name);
            }
        }
    }

    #[test]
    fn no_two_models_share_a_name_or_a_file() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|model| model.name).collect();
        let files: BTreeSet<_> = CATALOGUE.iter().map(|model| model.file).collect();
        assert_eq!(
            (names.len(), files.len()),
            (CATALOGUE.len(), CATALOGUE.len())
        );
    }
}
