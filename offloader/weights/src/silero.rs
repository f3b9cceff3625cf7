//! Converts Silero's voice activity network (16 kHz safetensors) into the file of whisper.cpp.
//!
//! In: the safetensors file. Out: the model file, the same bytes for the same input.
//! Invariant: no byte sequence panics.
//! See: the safetensors layout: u64 LE header length, JSON header, then the tensors.

use std::io::Write;

use serde_json::Value;

use crate::ggml::{GgmlError, Kind, MAGIC, Writer};

const KIND: &[u8] = b"silero-16k";
const VERSION: [i32; 3] = [6, 2, 0];
/// Samples per decision and of the decision before that are seen again.
const WINDOW_AND_CONTEXT: [i32; 2] = [512, 64];
/// Input channels, output channels and kernel of each encoder layer.
const ENCODER: [[i32; 3]; 4] = [[129, 128, 3], [128, 64, 3], [64, 64, 3], [64, 128, 3]];
/// Input and state of the recurrent layer; input and output of the last one.
const DECODER: [i32; 4] = [128, 128, 128, 1];

/// Why a file is not the network we know.
#[derive(Debug, thiserror::Error)]
pub enum SileroError {
    #[error("the safetensors file has `{bytes}` bytes and ends within its header")]
    Truncated { bytes: usize },
    #[error("read the header of the safetensors file")]
    Header(#[source] serde_json::Error),
    #[error("tensor `{0}` is missing, has no 32-bit floats or lies outside the safetensors file")]
    Tensor(String),
    #[error("write the converted model")]
    Output(#[source] GgmlError),
}

/// Converts a safetensors file and writes the model to `out`.
///
/// # Errors
/// When a tensor is missing or the file is damaged, or `out` cannot be written.
pub fn convert(safetensors: &[u8], out: impl Write) -> Result<(), SileroError> {
    let (length, rest) = safetensors
        .split_first_chunk()
        .ok_or(SileroError::Truncated {
            bytes: safetensors.len(),
        })?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (header, body) = rest
        .split_at_checked(length)
        .ok_or(SileroError::Truncated {
            bytes: safetensors.len(),
        })?;
    let header: Value = serde_json::from_slice(header).map_err(SileroError::Header)?;

    let mut writer = Writer::new(out);
    write_header(&mut writer).map_err(SileroError::Output)?;
    for (name, source, kind) in tensors() {
        let missing = || SileroError::Tensor(source.clone());
        let (mut shape, values) = tensor(&header, body, &source).ok_or_else(missing)?;
        if source == "final_conv.weight" {
            shape = vec![1, values.len()];
        }
        writer
            .tensor(&name, &shape, &values, kind)
            .map_err(SileroError::Output)?;
    }
    writer.finish().map_err(SileroError::Output)
}

fn write_header<W: Write>(writer: &mut Writer<W>) -> Result<(), GgmlError> {
    writer.ints(&[MAGIC])?;
    writer.size("kind", KIND.len())?;
    writer.bytes(KIND)?;
    writer.ints(&VERSION)?;
    writer.ints(&WINDOW_AND_CONTEXT)?;
    writer.size("encoder layers", ENCODER.len())?;
    ENCODER.iter().try_for_each(|layer| writer.ints(layer))?;
    writer.ints(&DECODER)
}

/// Name in whisper.cpp, name in the safetensors file, stored type; in the order of the file.
fn tensors() -> Vec<(String, String, Kind)> {
    let named = |to: &str, from: &str, kind| (to.to_owned(), from.to_owned(), kind);
    let mut all = vec![named(
        "_model.stft.forward_basis_buffer",
        "stft_conv.weight",
        Kind::F16,
    )];
    for (part, kind) in [("weight", Kind::F16), ("bias", Kind::F32)] {
        for i in 0..ENCODER.len() {
            let to = format!("_model.encoder.{i}.reparam_conv.{part}");
            all.push((to, format!("conv{}.{part}", i + 1), kind));
        }
    }
    for part in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
        all.push((
            format!("_model.decoder.rnn.{part}"),
            format!("lstm_cell.{part}"),
            Kind::F32,
        ));
    }
    all.push(named(
        "_model.decoder.decoder.2.weight",
        "final_conv.weight",
        Kind::F16,
    ));
    all.push(named(
        "_model.decoder.decoder.2.bias",
        "final_conv.bias",
        Kind::F32,
    ));
    all
}

fn tensor(header: &Value, body: &[u8], name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
    let size = |value: &Value| usize::try_from(value.as_u64()?).ok();
    let entry = header.get(name)?;
    if entry.get("dtype")?.as_str()? != "F32" {
        return None;
    }
    let shape = entry
        .get("shape")?
        .as_array()?
        .iter()
        .map(size)
        .collect::<Option<Vec<_>>>()?;
    let offsets = entry.get("data_offsets")?;
    let raw = body.get(size(offsets.get(0)?)?..size(offsets.get(1)?)?)?;
    let (chunks, _) = raw.as_chunks::<4>();
    Some((
        shape,
        chunks
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect(),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_without_the_tensors_names_the_first_missing() {
        let file = [2u64.to_le_bytes().as_slice(), b"{}"].concat();
        let error = convert(&file, Vec::new()).unwrap_err();
        assert!(error.to_string().contains("stft_conv.weight"), "{error}");
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = convert(&bytes, Vec::new());
        }

        #[test]
        fn random_offsets_never_panic(from in any::<u64>(), to in any::<u64>(), size in any::<u64>()) {
            let header = serde_json::json!({ "stft_conv.weight": {
                "dtype": "F32", "shape": [size], "data_offsets": [from, to] } });
            let header = header.to_string();
            let length = (header.len() as u64).to_le_bytes();
            let file = [length.as_slice(), header.as_bytes(), &[0; 16]].concat();
            prop_assert!(convert(&file, Vec::new()).is_err());
        }
    }
}
