//! Reads the weights file of CTranslate2 (`model.bin`, binary versions 4 to 6).
//!
//! In: the whole file. Out: named arrays that borrow from it.
//! Not here: what the arrays mean (`whisper`).
//! Invariant: no byte sequence panics, and nothing is allocated because a number in the file says so.
//!
//! ```text
//! u32 version | str spec | u32 revision | u32 n | n variables | u32 m | m aliases
//! variable: str name | u8 rank | rank x u32 | u8 type | u32 bytes | bytes
//! alias:    str alias | str name
//! str:      u16 length, closing NUL included | bytes
//! ```

use std::collections::BTreeMap;

use crate::binary16;

const MAX_RANK: u8 = 8;

/// Why a file is not a weights file we can use.
#[derive(Debug, thiserror::Error)]
pub enum Ct2Error {
    #[error("the weights end after `{bytes}` bytes in the middle of {reading}; a part is missing")]
    Truncated { bytes: usize, reading: &'static str },
    #[error("the weights have binary version `{0}`, versions 4 to 6 can be read")]
    Version(u32),
    #[error("the weights are of a `{0}`, a `WhisperSpec` is needed")]
    NotWhisper(String),
    #[error("a name in the weights is not UTF-8")]
    Name(#[source] std::str::Utf8Error),
    #[error("array `{name}` has `{rank}` dimensions, at most {MAX_RANK} are read")]
    Rank { name: String, rank: u8 },
    #[error("array `{name}` has the unknown element type `{code}`")]
    Type { name: String, code: u8 },
    #[error("array `{name}` says it has `{bytes}` bytes, its shape needs `{wanted}`")]
    Length {
        name: String,
        bytes: usize,
        wanted: usize,
    },
    #[error("array `{alias}` stands for `{name}`, which is not in the file")]
    Alias { alias: String, name: String },
    #[error("array `{0}` is not in the file")]
    Missing(String),
    #[error(
        "array `{name}` holds integers, 16 or 32-bit floats are needed: use a model that is not quantised"
    )]
    NotFloat { name: String },
    #[error("array `{name}` has shape `{shape:?}`, {wanted} is needed")]
    Shape {
        name: String,
        shape: Vec<usize>,
        wanted: &'static str,
    },
}

/// How one element is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    F32,
    F16,
    Bf16,
    Integer { bytes: usize },
}

impl Element {
    fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::F32),
            1 => Some(Self::Integer { bytes: 1 }),
            2 => Some(Self::Integer { bytes: 2 }),
            3 => Some(Self::Integer { bytes: 4 }),
            4 => Some(Self::F16),
            5 => Some(Self::Bf16),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Integer { bytes } => bytes,
        }
    }
}

#[derive(Debug, Clone)]
struct Array<'a> {
    shape: Vec<usize>,
    element: Element,
    bytes: &'a [u8],
}

/// Floats with their shape, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Floats {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// The arrays of a weights file.
#[derive(Debug)]
pub(crate) struct Ct2<'a> {
    arrays: BTreeMap<String, Array<'a>>,
}

impl<'a> Ct2<'a> {
    /// Reads the table of arrays; elements are converted when asked for.
    ///
    /// # Errors
    /// When the bytes are not a complete Whisper weights file.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Ct2Error> {
        let mut reader = Reader { bytes, position: 0 };
        let version = reader.u32("the version")?;
        if !(4..=6).contains(&version) {
            return Err(Ct2Error::Version(version));
        }
        let spec = reader.string()?;
        if spec != "WhisperSpec" {
            return Err(Ct2Error::NotWhisper(spec));
        }
        reader.u32("the revision")?;
        let mut arrays = BTreeMap::new();
        for _ in 0..reader.u32("the number of arrays")? {
            let name = reader.string()?;
            let array = reader.array(&name)?;
            arrays.insert(name, array);
        }
        for _ in 0..reader.u32("the number of aliases")? {
            let (alias, name) = (reader.string()?, reader.string()?);
            let Some(array) = arrays.get(&name).cloned() else {
                return Err(Ct2Error::Alias { alias, name });
            };
            arrays.insert(alias, array);
        }
        Ok(Self { arrays })
    }

    /// The array as floats.
    ///
    /// # Errors
    /// When there is none of that name or it holds integers.
    pub(crate) fn floats(&self, name: &str) -> Result<Floats, Ct2Error> {
        let array = self.array(name)?;
        let values = match array.element {
            Element::F32 => {
                let (chunks, _) = array.bytes.as_chunks::<4>();
                chunks
                    .iter()
                    .map(|chunk| f32::from_le_bytes(*chunk))
                    .collect()
            }
            Element::F16 => halves(array.bytes).map(binary16::to_f32).collect(),
            Element::Bf16 => halves(array.bytes)
                .map(|half| f32::from_bits(u32::from(half) << 16))
                .collect(),
            Element::Integer { .. } => {
                return Err(Ct2Error::NotFloat {
                    name: name.to_owned(),
                });
            }
        };
        Ok(Floats {
            shape: array.shape.clone(),
            values,
        })
    }

    /// The sizes of the array's dimensions, outermost first.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(crate) fn shape(&self, name: &str) -> Result<&[usize], Ct2Error> {
        Ok(&self.array(name)?.shape)
    }

    /// The first element of an integer array, if there is such an array.
    #[must_use]
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        let array = self.arrays.get(name)?;
        match array.element {
            Element::Integer { bytes: 1 } => {
                Some(i64::from(i8::from_le_bytes(*array.bytes.first_chunk()?)))
            }
            Element::Integer { bytes: 2 } => {
                Some(i64::from(i16::from_le_bytes(*array.bytes.first_chunk()?)))
            }
            Element::Integer { .. } => {
                Some(i64::from(i32::from_le_bytes(*array.bytes.first_chunk()?)))
            }
            Element::F32 | Element::F16 | Element::Bf16 => None,
        }
    }

    /// How many arrays are named `{side}/layer_{number}/ffn/linear_0/weight`.
    #[must_use]
    pub(crate) fn layers(&self, side: &str) -> usize {
        (0..self.arrays.len())
            .take_while(|i| {
                self.arrays
                    .contains_key(&format!("{side}/layer_{i}/ffn/linear_0/weight"))
            })
            .count()
    }

    fn array(&self, name: &str) -> Result<&Array<'a>, Ct2Error> {
        self.arrays
            .get(name)
            .ok_or_else(|| Ct2Error::Missing(name.to_owned()))
    }
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = u16> {
    let (chunks, _) = bytes.as_chunks::<2>();
    chunks.iter().map(|chunk| u16::from_le_bytes(*chunk))
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, reading: &'static str) -> Result<&'a [u8], Ct2Error> {
        let end = self.position.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.position..end));
        let taken = taken.ok_or(Ct2Error::Truncated {
            bytes: self.bytes.len(),
            reading,
        })?;
        self.position += count;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self, reading: &'static str) -> Result<[u8; N], Ct2Error> {
        let taken = self.take(N, reading)?;
        taken.first_chunk().copied().ok_or(Ct2Error::Truncated {
            bytes: self.bytes.len(),
            reading,
        })
    }

    fn u8(&mut self, reading: &'static str) -> Result<u8, Ct2Error> {
        Ok(u8::from_le_bytes(self.chunk(reading)?))
    }

    fn u32(&mut self, reading: &'static str) -> Result<u32, Ct2Error> {
        Ok(u32::from_le_bytes(self.chunk(reading)?))
    }

    fn size(&mut self, reading: &'static str) -> Result<usize, Ct2Error> {
        Ok(usize::try_from(self.u32(reading)?).unwrap_or(usize::MAX))
    }

    fn string(&mut self) -> Result<String, Ct2Error> {
        let length = u16::from_le_bytes(self.chunk("a name")?);
        let raw = self.take(usize::from(length), "a name")?;
        let text = raw.strip_suffix(&[0]).unwrap_or(raw);
        Ok(std::str::from_utf8(text)
            .map_err(Ct2Error::Name)?
            .to_owned())
    }

    fn array(&mut self, name: &str) -> Result<Array<'a>, Ct2Error> {
        let rank = self.u8("a shape")?;
        if rank > MAX_RANK {
            return Err(Ct2Error::Rank {
                name: name.to_owned(),
                rank,
            });
        }
        let mut shape = Vec::with_capacity(usize::from(rank));
        for _ in 0..rank {
            shape.push(self.size("a shape")?);
        }
        let code = self.u8("an element type")?;
        let element = Element::from_code(code).ok_or_else(|| Ct2Error::Type {
            name: name.to_owned(),
            code,
        })?;
        let bytes = self.size("the length of an array")?;
        let wanted = shape
            .iter()
            .try_fold(element.bytes(), |product, size| product.checked_mul(*size))
            .unwrap_or(usize::MAX);
        if bytes != wanted {
            return Err(Ct2Error::Length {
                name: name.to_owned(),
                bytes,
                wanted,
            });
        }
        Ok(Array {
            shape,
            element,
            bytes: self.take(bytes, "an array")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(&u16::try_from(text.len() + 1).unwrap().to_le_bytes());
        out.extend_from_slice(text.as_bytes());
        out.push(0);
    }

    fn small_file() -> Vec<u8> {
        let mut out = 6u32.to_le_bytes().to_vec();
        string(&mut out, "WhisperSpec");
        out.extend_from_slice(&3u32.to_le_bytes());
        out.extend_from_slice(&2u32.to_le_bytes());
        string(&mut out, "a");
        out.extend_from_slice(&[
            2, 1, 0, 0, 0, 2, 0, 0, 0, 4, 4, 0, 0, 0, 0x00, 0x3c, 0x00, 0xc0,
        ]);
        string(&mut out, "heads");
        out.extend_from_slice(&[0, 2, 2, 0, 0, 0, 6, 0]);
        out.extend_from_slice(&1u32.to_le_bytes());
        string(&mut out, "b");
        string(&mut out, "a");
        out
    }

    #[test]
    fn arrays_scalars_and_aliases_are_read() {
        let bytes = small_file();
        let file = Ct2::read(&bytes).unwrap();
        let floats = file.floats("b").unwrap();
        assert_eq!(
            floats,
            Floats {
                shape: vec![1, 2],
                values: vec![1.0, -2.0]
            }
        );
        assert_eq!((file.integer("heads"), file.integer("a")), (Some(6), None));
        assert!(matches!(
            file.floats("heads"),
            Err(Ct2Error::NotFloat { .. })
        ));
        assert!(matches!(file.floats("c"), Err(Ct2Error::Missing(_))));
    }

    #[test]
    fn every_cut_is_an_error_that_says_what_is_missing() {
        let bytes = small_file();
        for cut in 0..bytes.len() {
            assert!(
                matches!(Ct2::read(&bytes[..cut]), Err(Ct2Error::Truncated { .. })),
                "cut at {cut}"
            );
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Ct2::read(&bytes);
        }

        #[test]
        fn changed_bytes_never_panic(at in 0usize..80, value in any::<u8>()) {
            let mut bytes = small_file();
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(file) = Ct2::read(&bytes) {
                let _ = (file.floats("a"), file.integer("heads"), file.layers("encoder"));
            }
        }
    }
}
