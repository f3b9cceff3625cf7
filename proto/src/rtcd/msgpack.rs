//! MessagePack, read token by token from a borrowed slice and written into a vector.
//!
//! Nothing is allocated while reading, so the length of the input is the only limit needed;
//! nesting is walked with a counter, not with the stack.
//! Invariant: a reader never looks past its slice; any bytes give tokens or `None`.

use rmp::Marker;

/// One MessagePack value without its children.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    /// Only values above `i64::MAX`.
    BigInt(u64),
    Float(f64),
    /// `str` or `bin`: peers mix them.
    Bytes(&'a [u8]),
    Array(u32),
    Map(u32),
    Ext,
}

impl<'a> Token<'a> {
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
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

    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate or a duration, never an exact count"
    )]
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(value as f64),
            Self::BigInt(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            Self::Nil
            | Self::Bool(_)
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
            | Self::Bytes(_)
            | Self::Ext => 0,
        }
    }
}

/// A cursor over MessagePack bytes. Every method returns `None` when the bytes end too early.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads one token; the children of an array or map come next.
    pub(super) fn token(&mut self) -> Option<Token<'a>> {
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
            Marker::FixStr(len) => Token::Bytes(self.take(u32::from(len))?),
            Marker::Str8 | Marker::Bin8 => {
                let len = self.len8()?;
                Token::Bytes(self.take(len)?)
            }
            Marker::Str16 | Marker::Bin16 => {
                let len = self.len16()?;
                Token::Bytes(self.take(len)?)
            }
            Marker::Str32 | Marker::Bin32 => {
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
    pub(super) fn value(&mut self) -> Option<Token<'a>> {
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
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn nil(&mut self) {
        self.bytes.push(Marker::Null.to_u8());
    }

    pub(super) fn bool(&mut self, value: bool) {
        let marker = if value { Marker::True } else { Marker::False };
        self.bytes.push(marker.to_u8());
    }

    /// Writes a number of a message type as the `uint8` form that Go peers send.
    pub(super) fn wide_u8(&mut self, value: u8) {
        self.bytes.extend([Marker::U8.to_u8(), value]);
    }

    /// Writes a small number; at most 127.
    pub(super) fn small(&mut self, value: u8) {
        self.bytes.push(Marker::FixPos(value & 0x7f).to_u8());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.bytes.push(Marker::F64.to_u8());
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn str(&mut self, text: &str) {
        match u8::try_from(text.len()) {
            Ok(len) if len < 32 => self.bytes.push(Marker::FixStr(len).to_u8()),
            Ok(_) | Err(_) => self.len([Marker::Str8, Marker::Str16, Marker::Str32], text.len()),
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(super) fn bin(&mut self, data: &[u8]) {
        self.len([Marker::Bin8, Marker::Bin16, Marker::Bin32], data.len());
        self.bytes.extend_from_slice(data);
    }

    pub(super) fn map(&mut self, entries: usize) {
        match u8::try_from(entries) {
            Ok(len) if len < 16 => self.bytes.push(Marker::FixMap(len).to_u8()),
            Ok(_) | Err(_) => match u16::try_from(entries) {
                Ok(len) => {
                    self.bytes.push(Marker::Map16.to_u8());
                    self.bytes.extend(len.to_be_bytes());
                }
                Err(_) => {
                    self.bytes.push(Marker::Map32.to_u8());
                    self.bytes
                        .extend(u32::try_from(entries).unwrap_or(u32::MAX).to_be_bytes());
                }
            },
        }
    }

    /// Writes a length with the marker that has room for it.
    fn len(&mut self, [short, medium, long]: [Marker; 3], len: usize) {
        if let Ok(len) = u8::try_from(len) {
            self.bytes.extend([short.to_u8(), len]);
        } else if let Ok(len) = u16::try_from(len) {
            self.bytes.push(medium.to_u8());
            self.bytes.extend(len.to_be_bytes());
        } else {
            self.bytes.push(long.to_u8());
            self.bytes
                .extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}
