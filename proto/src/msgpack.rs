//! MessagePack, read token by token from a borrowed slice and written into a vector.
//!
//! Nothing is allocated while reading, so the length of the input is the only limit needed;
//! nesting is walked with a counter, not with the stack.
//! Invariant: a reader never looks past its slice; any bytes give tokens or `None`.

use rmp::{Marker, encode};

/// One MessagePack value without its children.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Token<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    /// Only values above `i64::MAX`.
    BigInt(u64),
    Float(f64),
    /// `str`, checked by nobody.
    Text(&'a [u8]),
    /// `bin`.
    Bytes(&'a [u8]),
    Array(u32),
    Map(u32),
    Ext,
}

impl<'a> Token<'a> {
    /// The bytes of a `str` or a `bin`: peers mix them.
    pub(crate) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) => Some(bytes),
            Self::Nil
            | Self::Bool(_)
            | Self::Int(_)
            | Self::BigInt(_)
            | Self::Float(_)
            | Self::Array(_)
            | Self::Map(_)
            | Self::Ext => None,
        }
    }

    pub(crate) fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate or a duration, never an exact count"
    )]
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(value as f64),
            Self::BigInt(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            Self::Nil
            | Self::Bool(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::Array(_)
            | Self::Map(_)
            | Self::Ext => None,
        }
    }

    /// How many values follow that belong to this one.
    fn children(self) -> u64 {
        match self {
            Self::Array(len) => u64::from(len),
            Self::Map(len) => u64::from(len) * 2,
            Self::Nil
            | Self::Bool(_)
            | Self::Int(_)
            | Self::BigInt(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::Ext => 0,
        }
    }
}

/// A cursor over MessagePack bytes. Every method returns `None` when the bytes end too early.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads one token; the children of an array or map come next.
    pub(crate) fn token(&mut self) -> Option<Token<'a>> {
        let [marker] = self.fixed()?;
        Some(match Marker::from_u8(marker) {
            Marker::Null => Token::Nil,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixPos(value) => Token::Int(i64::from(value)),
            Marker::FixNeg(value) => Token::Int(i64::from(value)),
            Marker::U8 => Token::Int(i64::from(u8::from_be_bytes(self.fixed()?))),
            Marker::U16 => Token::Int(i64::from(u16::from_be_bytes(self.fixed()?))),
            Marker::U32 => Token::Int(i64::from(u32::from_be_bytes(self.fixed()?))),
            Marker::U64 => {
                let value = u64::from_be_bytes(self.fixed()?);
                i64::try_from(value).map_or(Token::BigInt(value), Token::Int)
            }
            Marker::I8 => Token::Int(i64::from(i8::from_be_bytes(self.fixed()?))),
            Marker::I16 => Token::Int(i64::from(i16::from_be_bytes(self.fixed()?))),
            Marker::I32 => Token::Int(i64::from(i32::from_be_bytes(self.fixed()?))),
            Marker::I64 => Token::Int(i64::from_be_bytes(self.fixed()?)),
            Marker::F32 => Token::Float(f64::from(f32::from_be_bytes(self.fixed()?))),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.fixed()?)),
            Marker::FixStr(len) => Token::Text(self.take(u32::from(len))?),
            Marker::Str8 => {
                let len = self.len8()?;
                Token::Text(self.take(len)?)
            }
            Marker::Bin8 => {
                let len = self.len8()?;
                Token::Bytes(self.take(len)?)
            }
            Marker::Str16 => {
                let len = self.len16()?;
                Token::Text(self.take(len)?)
            }
            Marker::Bin16 => {
                let len = self.len16()?;
                Token::Bytes(self.take(len)?)
            }
            Marker::Str32 => {
                let len = self.len32()?;
                Token::Text(self.take(len)?)
            }
            Marker::Bin32 => {
                let len = self.len32()?;
                Token::Bytes(self.take(len)?)
            }
            Marker::FixArray(len) => Token::Array(u32::from(len)),
            Marker::Array16 => Token::Array(self.len16()?),
            Marker::Array32 => Token::Array(self.len32()?),
            Marker::FixMap(len) => Token::Map(u32::from(len)),
            Marker::Map16 => Token::Map(self.len16()?),
            Marker::Map32 => Token::Map(self.len32()?),
            Marker::Ext8 => {
                let len = self.len8()?;
                self.ext(len)?
            }
            Marker::Ext16 => {
                let len = self.len16()?;
                self.ext(len)?
            }
            Marker::Ext32 => {
                let len = self.len32()?;
                self.ext(len)?
            }
            Marker::FixExt1 => self.ext(1)?,
            Marker::FixExt2 => self.ext(2)?,
            Marker::FixExt4 => self.ext(4)?,
            Marker::FixExt8 => self.ext(8)?,
            Marker::FixExt16 => self.ext(16)?,
            Marker::Reserved => return None,
        })
    }

    /// Reads one value and, when it has children, skips them all.
    pub(crate) fn value(&mut self) -> Option<Token<'a>> {
        let first = self.token()?;
        let mut pending = first.children();
        while pending > 0 {
            pending = pending - 1 + self.token()?.children();
        }
        Some(first)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    fn len8(&mut self) -> Option<u32> {
        Some(u32::from(u8::from_be_bytes(self.fixed()?)))
    }

    fn len16(&mut self) -> Option<u32> {
        Some(u32::from(u16::from_be_bytes(self.fixed()?)))
    }

    fn len32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.fixed()?))
    }

    fn take(&mut self, len: u32) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(usize::try_from(len).ok()?)?;
        self.rest = rest;
        Some(head)
    }

    fn ext(&mut self, len: u32) -> Option<Token<'a>> {
        let [_kind] = self.fixed()?;
        self.take(len)?;
        Some(Token::Ext)
    }
}

/// Appends MessagePack values to a vector, each in the shortest form.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

// Writing to a vector does not fail.
impl Writer {
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn nil(&mut self) {
        let _ = encode::write_nil(&mut self.bytes);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        let _ = encode::write_bool(&mut self.bytes, value);
    }

    /// Writes a number of a message type as the `uint8` form that Go peers send.
    pub(crate) fn wide_u8(&mut self, value: u8) {
        let _ = encode::write_u8(&mut self.bytes, value);
    }

    pub(crate) fn u64(&mut self, value: u64) {
        let _ = encode::write_uint(&mut self.bytes, value);
    }

    pub(crate) fn i64(&mut self, value: i64) {
        let _ = encode::write_sint(&mut self.bytes, value);
    }

    pub(crate) fn f64(&mut self, value: f64) {
        let _ = encode::write_f64(&mut self.bytes, value);
    }

    pub(crate) fn str(&mut self, text: &str) {
        let _ = encode::write_str(&mut self.bytes, text);
    }

    pub(crate) fn bin(&mut self, data: &[u8]) {
        let _ = encode::write_bin(&mut self.bytes, data);
    }

    pub(crate) fn array(&mut self, items: usize) {
        let len = u32::try_from(items).unwrap_or(u32::MAX);
        let _ = encode::write_array_len(&mut self.bytes, len);
    }

    pub(crate) fn map(&mut self, entries: usize) {
        let len = u32::try_from(entries).unwrap_or(u32::MAX);
        let _ = encode::write_map_len(&mut self.bytes, len);
    }
}
