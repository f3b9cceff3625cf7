//! Writes the single-file model form of whisper.cpp (ggml).
//!
//! In: tensors as floats. Out: bytes, little endian, quantised where the form allows it.
//! Not here: which tensors a model has (`whisper`, `silero`).
//!
//! ```text
//! tensor: i32 rank | i32 name length | i32 type | rank x i32 sizes, innermost first | name | elements
//! ```

use std::io::{self, Write};

use crate::binary16;

/// The number a model file begins with.
pub(crate) const MAGIC: i32 = 0x6767_6d6c;

/// The bytes a model file begins with.
pub const FIRST_BYTES: [u8; 4] = MAGIC.to_le_bytes();

/// Values per block of the 8-bit form: one half-precision scale and 32 signed bytes.
const Q8_BLOCK: usize = 32;

/// Why something cannot become a model file.
#[derive(Debug, thiserror::Error)]
pub enum GgmlError {
    #[error("tensor `{name}` has `{values}` values, its shape `{shape:?}` needs another number")]
    Shape {
        name: String,
        values: usize,
        shape: Vec<usize>,
    },
    #[error("`{what}` is `{value}`, which does not fit into the file form")]
    TooLarge { what: &'static str, value: usize },
    #[error("write the model file")]
    Write(#[source] io::Error),
}

/// Type of the elements of one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    F16,
    Q8,
}

impl Kind {
    fn code(self) -> i32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8 => 8,
        }
    }
}

/// A model file being written.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), GgmlError> {
        self.out.write_all(bytes).map_err(GgmlError::Write)
    }

    pub(crate) fn ints(&mut self, values: &[i32]) -> Result<(), GgmlError> {
        values
            .iter()
            .try_for_each(|value| self.bytes(&value.to_le_bytes()))
    }

    pub(crate) fn size(&mut self, what: &'static str, value: usize) -> Result<(), GgmlError> {
        let fits = i32::try_from(value).map_err(|_| GgmlError::TooLarge { what, value })?;
        self.ints(&[fits])
    }

    /// One tensor; `shape` outermost first. A row that is no multiple of 32 stays half precision.
    pub(crate) fn tensor(
        &mut self,
        name: &str,
        shape: &[usize],
        values: &[f32],
        kind: Kind,
    ) -> Result<(), GgmlError> {
        let wanted = shape
            .iter()
            .try_fold(1usize, |product, size| product.checked_mul(*size));
        if wanted != Some(values.len()) {
            let (name, values) = (name.to_owned(), values.len());
            return Err(GgmlError::Shape {
                name,
                values,
                shape: shape.to_vec(),
            });
        }
        let whole_blocks = shape.last().is_some_and(|row| row % Q8_BLOCK == 0);
        let kind = if kind == Kind::Q8 && !whole_blocks {
            Kind::F16
        } else {
            kind
        };
        self.size("rank", shape.len())?;
        self.size("name length", name.len())?;
        self.ints(&[kind.code()])?;
        for size in shape.iter().rev() {
            self.size("size of a dimension", *size)?;
        }
        self.bytes(name.as_bytes())?;
        self.bytes(&elements(values, kind))
    }

    pub(crate) fn finish(mut self) -> Result<(), GgmlError> {
        self.out.flush().map_err(GgmlError::Write)
    }
}

pub(crate) fn elements(values: &[f32], kind: Kind) -> Vec<u8> {
    match kind {
        Kind::F32 => values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        Kind::F16 => values
            .iter()
            .flat_map(|value| binary16::from_f32(*value).to_le_bytes())
            .collect(),
        Kind::Q8 => {
            let mut out = Vec::with_capacity(values.len() / Q8_BLOCK * (Q8_BLOCK + 2));
            values
                .chunks(Q8_BLOCK)
                .for_each(|block| quantise(block, &mut out));
            out
        }
    }
}

/// 32 values as a scale and 32 bytes; the largest becomes 127.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the quotient is within -127 and 127"
)]
fn quantise(block: &[f32], out: &mut Vec<u8>) {
    let largest = block
        .iter()
        .fold(0.0_f32, |most, value| most.max(value.abs()));
    let scale = largest / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    out.extend_from_slice(&binary16::from_f32(scale).to_le_bytes());
    for value in block {
        let level = (value * inverse).round_ties_even() as i8;
        out.extend_from_slice(&level.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_its_largest_value_and_its_signs() {
        let mut values = [0.0_f32; 32];
        values[3] = 2.54;
        values[4] = -1.27;
        let bytes = elements(&values, Kind::Q8);
        assert_eq!(bytes.len(), 34);
        let scale = binary16::to_f32(u16::from_le_bytes([bytes[0], bytes[1]]));
        let back = |i: usize| scale * f32::from(i8::from_le_bytes([bytes[2 + i]]));
        assert!((back(3) - 2.54).abs() < 0.01 && (back(4) + 1.27).abs() < 0.02 && back(0) == 0.0);
    }

    #[test]
    fn a_tensor_is_written_innermost_size_first() {
        let mut out = Vec::new();
        Writer::new(&mut out)
            .tensor("ab", &[2, 1], &[1.0, -1.0], Kind::F16)
            .unwrap();
        let ints = [2, 2, 1, 1, 2].map(i32::to_le_bytes).concat();
        assert_eq!(
            out,
            [ints, b"ab".to_vec(), vec![0x00, 0x3c, 0x00, 0xbc]].concat()
        );
    }

    #[test]
    fn rows_that_are_no_multiple_of_a_block_stay_half_precision() {
        let mut out = Vec::new();
        Writer::new(&mut out)
            .tensor("a", &[31], &[0.0; 31], Kind::Q8)
            .unwrap();
        assert_eq!(out[8..12], 1i32.to_le_bytes());
    }

    #[test]
    fn a_shape_that_does_not_fit_is_refused() {
        let error = Writer::new(Vec::new())
            .tensor("a", &[2, 3], &[0.0; 5], Kind::F32)
            .unwrap_err();
        assert!(matches!(error, GgmlError::Shape { values: 5, .. }));
    }
}
