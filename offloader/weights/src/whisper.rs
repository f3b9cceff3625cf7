//! Converts Whisper weights of CTranslate2 into the model file of whisper.cpp.
//!
//! In: `model.bin` and the vocabulary. Out: the ggml file, the same bytes for the same input.
//! Not here: reading (`ct2`), writing and quantising (`ggml`), the filter bank (`mel`).
//! Invariant: norms, biases and positions stay 32-bit; convolutions are never quantised.

use std::io::Write;

use crate::ct2::{Ct2, Ct2Error, Floats};
use crate::ggml::{GgmlError, Kind, MAGIC, Writer};
use crate::mel;
use crate::vocabulary::{self, VocabularyError};

/// Every size of Whisper has heads of this width.
const HEAD_WIDTH: usize = 64;

/// How exact the large tensors are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Half precision: as shipped.
    F16,
    /// 8 bits with a scale for every 32: half the size, faster, no measured loss of words.
    Q8,
}

impl Precision {
    fn kind(self) -> Kind {
        match self {
            Self::F16 => Kind::F16,
            Self::Q8 => Kind::Q8,
        }
    }

    /// The file type in the header; quantised ones carry the quantisation version in thousands.
    fn file_type(self) -> i32 {
        match self {
            Self::F16 => 1,
            Self::Q8 => 2 * 1000 + 7,
        }
    }
}

/// Why weights could not be converted.
#[derive(Debug, thiserror::Error)]
pub enum WhisperError {
    #[error("read the weights")]
    Weights(#[source] Ct2Error),
    #[error("read the vocabulary")]
    Vocabulary(#[source] VocabularyError),
    #[error(
        "the vocabulary has `{lines}` tokens, the weights have `{rows}`: they belong to different models"
    )]
    Mismatch { lines: usize, rows: usize },
    #[error(
        "the weights say `{stated}` attention heads, their width `{width}` needs {HEAD_WIDTH} per head"
    )]
    Heads { stated: i64, width: usize },
    #[error("write the converted model")]
    Output(#[source] GgmlError),
}

/// Sizes of a model as its weights show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sizes {
    vocabulary: usize,
    audio_context: usize,
    width: usize,
    heads: usize,
    encoder_layers: usize,
    text_context: usize,
    decoder_layers: usize,
    mel_bands: usize,
}

/// Converts `weights` (`model.bin`) and `vocabulary` (`vocabulary.txt`) and writes the model to `out`.
///
/// # Errors
/// When either input is not what it should be, or `out` cannot be written.
pub fn convert(
    weights: &[u8],
    vocabulary: &[u8],
    precision: Precision,
    out: impl Write,
) -> Result<(), WhisperError> {
    let ct2 = Ct2::read(weights).map_err(WhisperError::Weights)?;
    let sizes = sizes(&ct2)?;
    let lines = vocabulary::tokens(vocabulary)
        .map_err(WhisperError::Vocabulary)?
        .len();
    if lines != sizes.vocabulary {
        return Err(WhisperError::Mismatch {
            lines,
            rows: sizes.vocabulary,
        });
    }
    let tokens = vocabulary::text_tokens(vocabulary).map_err(WhisperError::Vocabulary)?;
    let mut writer = Writer::new(out);
    write_header(&mut writer, sizes, &tokens, precision).map_err(WhisperError::Output)?;
    let mut tensors = Tensors {
        ct2: &ct2,
        writer,
        kind: precision.kind(),
    };
    tensors.encoder(sizes)?;
    tensors.decoder(sizes)?;
    tensors.writer.finish().map_err(WhisperError::Output)
}

fn sizes(ct2: &Ct2<'_>) -> Result<Sizes, WhisperError> {
    let dimension = |name: &str, index: usize, wanted: &'static str| {
        let shape = ct2.shape(name)?;
        let size = shape.get(index).copied();
        size.ok_or_else(|| Ct2Error::Shape {
            name: name.to_owned(),
            shape: shape.to_vec(),
            wanted,
        })
    };
    let read = || -> Result<Sizes, Ct2Error> {
        let width = dimension("encoder/layer_norm/gamma", 0, "(width)")?;
        Ok(Sizes {
            vocabulary: dimension("decoder/embeddings/weight", 0, "(tokens, width)")?,
            audio_context: dimension("encoder/position_encodings/encodings", 0, "(frames, width)")?,
            width,
            heads: width / HEAD_WIDTH,
            encoder_layers: ct2.layers("encoder"),
            text_context: dimension("decoder/position_encodings/encodings", 0, "(tokens, width)")?,
            decoder_layers: ct2.layers("decoder"),
            mel_bands: dimension("encoder/conv1/weight", 1, "(width, bands, 3)")?,
        })
    };
    let sizes = read().map_err(WhisperError::Weights)?;
    if let Some(stated) = ct2.integer("encoder/num_heads")
        && usize::try_from(stated) != Ok(sizes.heads)
    {
        return Err(WhisperError::Heads {
            stated,
            width: sizes.width,
        });
    }
    Ok(sizes)
}

fn write_header<W: Write>(
    writer: &mut Writer<W>,
    sizes: Sizes,
    tokens: &[Vec<u8>],
    precision: Precision,
) -> Result<(), GgmlError> {
    writer.ints(&[MAGIC])?;
    let fields = [
        ("vocabulary", sizes.vocabulary),
        ("audio context", sizes.audio_context),
        ("encoder width", sizes.width),
        ("encoder heads", sizes.heads),
        ("encoder layers", sizes.encoder_layers),
        ("text context", sizes.text_context),
        ("decoder width", sizes.width),
        ("decoder heads", sizes.heads),
        ("decoder layers", sizes.decoder_layers),
        ("mel bands", sizes.mel_bands),
    ];
    for (what, value) in fields {
        writer.size(what, value)?;
    }
    writer.ints(&[precision.file_type()])?;
    let (what, value) = ("mel bands", sizes.mel_bands);
    // More bands than bins could not be told apart; real models have 80 or 128.
    let bands = u32::try_from(value)
        .ok()
        .filter(|bands| *bands <= mel::BINS);
    let bands = bands.ok_or(GgmlError::TooLarge { what, value })?;
    writer.size(what, value)?;
    writer.bytes(&mel::BINS.to_le_bytes())?;
    writer.bytes(&crate::ggml::elements(&mel::filters(bands), Kind::F32))?;
    writer.size("text tokens", tokens.len())?;
    for token in tokens {
        writer.size("bytes of a token", token.len())?;
        writer.bytes(token)?;
    }
    Ok(())
}

/// Carries tensors from one naming to the other.
struct Tensors<'a, W> {
    ct2: &'a Ct2<'a>,
    writer: Writer<W>,
    kind: Kind,
}

impl<W: Write> Tensors<'_, W> {
    fn encoder(&mut self, sizes: Sizes) -> Result<(), WhisperError> {
        self.exact(
            "encoder.positional_embedding",
            "encoder/position_encodings/encodings",
        )?;
        for conv in ["conv1", "conv2"] {
            let source = format!("encoder/{conv}");
            let weight = self.floats(&format!("{source}/weight"))?;
            self.write(&format!("encoder.{conv}.weight"), &weight, Kind::F16)?;
            let mut bias = self.floats(&format!("{source}/bias"))?;
            bias.shape.push(1);
            self.write(&format!("encoder.{conv}.bias"), &bias, Kind::F32)?;
        }
        for layer in 0..sizes.encoder_layers {
            let (to, from) = (
                format!("encoder.blocks.{layer}"),
                format!("encoder/layer_{layer}"),
            );
            self.self_attention(&to, &from)?;
            self.feed_forward(&to, &from)?;
        }
        self.norm("encoder.ln_post", "encoder/layer_norm")
    }

    fn decoder(&mut self, sizes: Sizes) -> Result<(), WhisperError> {
        self.exact(
            "decoder.positional_embedding",
            "decoder/position_encodings/encodings",
        )?;
        let embedding = self.floats("decoder/embeddings/weight")?;
        self.write("decoder.token_embedding.weight", &embedding, self.kind)?;
        for layer in 0..sizes.decoder_layers {
            let (to, from) = (
                format!("decoder.blocks.{layer}"),
                format!("decoder/layer_{layer}"),
            );
            self.self_attention(&to, &from)?;
            self.cross_attention(&to, &format!("{from}/attention"))?;
            self.feed_forward(&to, &from)?;
        }
        self.norm("decoder.ln", "decoder/layer_norm")
    }

    fn self_attention(&mut self, to: &str, from: &str) -> Result<(), WhisperError> {
        let from = format!("{from}/self_attention");
        self.norm(&format!("{to}.attn_ln"), &format!("{from}/layer_norm"))?;
        let fused = format!("{from}/linear_0");
        // Whisper's key projection has no bias; the fused array carries zeros for it.
        for (part, name, bias) in [(0, "query", true), (1, "key", false), (2, "value", true)] {
            self.linear(
                &format!("{to}.attn.{name}"),
                &fused,
                Slice { part, parts: 3 },
                bias,
            )?;
        }
        self.linear(
            &format!("{to}.attn.out"),
            &format!("{from}/linear_1"),
            Slice::WHOLE,
            true,
        )
    }

    fn cross_attention(&mut self, to: &str, from: &str) -> Result<(), WhisperError> {
        self.norm(
            &format!("{to}.cross_attn_ln"),
            &format!("{from}/layer_norm"),
        )?;
        let (query, fused) = (format!("{from}/linear_0"), format!("{from}/linear_1"));
        self.linear(
            &format!("{to}.cross_attn.query"),
            &query,
            Slice::WHOLE,
            true,
        )?;
        self.linear(
            &format!("{to}.cross_attn.key"),
            &fused,
            Slice { part: 0, parts: 2 },
            false,
        )?;
        self.linear(
            &format!("{to}.cross_attn.value"),
            &fused,
            Slice { part: 1, parts: 2 },
            true,
        )?;
        self.linear(
            &format!("{to}.cross_attn.out"),
            &format!("{from}/linear_2"),
            Slice::WHOLE,
            true,
        )
    }

    fn feed_forward(&mut self, to: &str, from: &str) -> Result<(), WhisperError> {
        self.norm(&format!("{to}.mlp_ln"), &format!("{from}/ffn/layer_norm"))?;
        self.linear(
            &format!("{to}.mlp.0"),
            &format!("{from}/ffn/linear_0"),
            Slice::WHOLE,
            true,
        )?;
        self.linear(
            &format!("{to}.mlp.2"),
            &format!("{from}/ffn/linear_1"),
            Slice::WHOLE,
            true,
        )
    }

    fn norm(&mut self, to: &str, from: &str) -> Result<(), WhisperError> {
        self.exact(&format!("{to}.weight"), &format!("{from}/gamma"))?;
        self.exact(&format!("{to}.bias"), &format!("{from}/beta"))
    }

    fn linear(
        &mut self,
        to: &str,
        from: &str,
        slice: Slice,
        bias: bool,
    ) -> Result<(), WhisperError> {
        let weight = slice.of(self.floats(&format!("{from}/weight"))?);
        self.write(&format!("{to}.weight"), &weight, self.kind)?;
        if bias {
            let bias = slice.of(self.floats(&format!("{from}/bias"))?);
            self.write(&format!("{to}.bias"), &bias, Kind::F32)?;
        }
        Ok(())
    }

    fn exact(&mut self, to: &str, from: &str) -> Result<(), WhisperError> {
        let floats = self.floats(from)?;
        self.write(to, &floats, Kind::F32)
    }

    fn floats(&self, name: &str) -> Result<Floats, WhisperError> {
        self.ct2.floats(name).map_err(WhisperError::Weights)
    }

    fn write(&mut self, name: &str, floats: &Floats, kind: Kind) -> Result<(), WhisperError> {
        self.writer
            .tensor(name, &floats.shape, &floats.values, kind)
            .map_err(WhisperError::Output)
    }
}

/// One of `parts` equal slices of the rows of a fused projection.
#[derive(Debug, Clone, Copy)]
struct Slice {
    part: usize,
    parts: usize,
}

impl Slice {
    const WHOLE: Self = Self { part: 0, parts: 1 };

    fn of(self, floats: Floats) -> Floats {
        let Floats { mut shape, values } = floats;
        let share = values.len() / self.parts;
        let cut = values
            .into_iter()
            .skip(self.part * share)
            .take(share)
            .collect();
        if let Some(rows) = shape.first_mut() {
            *rows /= self.parts;
        }
        Floats { shape, values: cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fused_projection_is_cut_by_rows() {
        let fused = Floats {
            shape: vec![6, 1],
            values: vec![0., 1., 2., 3., 4., 5.],
        };
        let value = Slice { part: 2, parts: 3 }.of(fused);
        assert_eq!(
            value,
            Floats {
                shape: vec![2, 1],
                values: vec![4., 5.]
            }
        );
    }

    #[test]
    fn what_is_not_weights_is_refused_with_the_reason() {
        let error = convert(b"PK\x03\x04 a zip", b"", Precision::Q8, Vec::new()).unwrap_err();
        assert!(
            matches!(error, WhisperError::Weights(Ct2Error::Version(_))),
            "{error:?}"
        );
    }
}
