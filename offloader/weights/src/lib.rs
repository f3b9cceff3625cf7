//! Speech models as other programs ship them, turned into the one file whisper.cpp reads (ggml).
//!
//! | from | shape | to | by |
//! |---|---|---|---|
//! | CTranslate2 `model.bin` (binary versions 4 to 6, 16 or 32-bit floats) and `vocabulary.txt` | Whisper: any number of layers, heads of 64, 80 or 128 mel bands | `ggml-*.bin`, half precision or 8 bits | [`convert_whisper`] |
//! | safetensors of Silero's 16 kHz network, version 6.2, 32-bit floats | four convolutions, one LSTM cell of 128, one output | `ggml-silero-*.bin` | [`convert_silero`] |
//!
//! In: bytes of such files, wholly in memory. Out: bytes, the same for the same input, on every machine.
//! Not here: where files come from and which are trusted (the offloader's `models`), using them.
//! Invariant: no byte sequence panics, and nothing is allocated because a number in a file says so.
//! See: `whisper_model_load` and `whisper_vad_init_with_params` in whisper.cpp, which read the result;
//! the layouts of both ends are drawn in `ct2` and `ggml`.

mod binary16;
mod ct2;
mod ggml;
mod mel;
mod silero;
mod vocabulary;
mod whisper;

pub use ct2::Ct2Error;
pub use ggml::{FIRST_BYTES, GgmlError};
pub use silero::{SileroError, convert as convert_silero};
pub use vocabulary::VocabularyError;
pub use whisper::{Precision, WhisperError, convert as convert_whisper};
