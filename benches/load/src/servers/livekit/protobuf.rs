//! The little of the protocol buffers wire format that LiveKit's signalling needs.
//!
//! In: fields to write, bytes to read. Out: bytes, fields. Unknown fields are the reader's to skip.
//! Not here: which field means what.
//! Rule: protocol buffers encoding, version 3 (varints, length-delimited, the fixed sizes skipped).

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes of fixed size: nothing here uses them.
    Fixed,
}

impl<'a> Value<'a> {
    pub(super) const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) | Self::Fixed => &[],
        }
    }

    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Bytes(_) | Self::Fixed => 0,
        }
    }

    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

/// Reads fields until the end or the first byte that makes no sense.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => take(&mut self.0, 8).map(|_| Value::Fixed)?,
            2 => {
                let len = usize::try_from(varint(&mut self.0)?).ok()?;
                Value::Bytes(take(&mut self.0, len)?)
            }
            5 => take(&mut self.0, 4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

/// The last field of that number, or nothing.
pub(super) fn field(message: &[u8], number: u64) -> Option<Value<'_>> {
    Fields(message)
        .filter(|(found, _)| *found == number)
        .map(|(_, value)| value)
        .last()
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(taken)
}

/// A message being written.
#[derive(Debug, Clone, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn number(mut self, field: u64, number: u64) -> Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    pub(super) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut number: u64) {
        while let Some(low) = u8::try_from(number & 0x7f).ok().filter(|_| number > 0x7f) {
            self.0.push(low | 0x80);
            number >>= 7;
        }
        // At most seven bits are left.
        self.0.push(u8::try_from(number).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_encodings_are_written_and_read() {
        // The encoding guide's examples: field 1 = 150; field 2 = "testing"; field 3 = {1: 150}.
        let text = Writer::default()
            .number(1, 150)
            .bytes(2, b"testing")
            .message(3, &Writer::default().number(1, 150))
            .finish();
        assert_eq!(
            text,
            b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01".to_vec()
        );
        let fields: Vec<_> = Fields(&text).collect();
        assert_eq!(fields[0], (1, Value::Number(150)));
        assert_eq!(fields[1], (2, Value::Bytes(b"testing")));
        assert_eq!(field(fields[2].1.bytes(), 1), Some(Value::Number(150)));
    }

    #[test]
    fn large_numbers_survive_and_cut_messages_end() {
        for number in [0, 127, 128, u64::from(u32::MAX), u64::MAX] {
            let text = Writer::default().number(9, number).finish();
            assert_eq!(field(&text, 9), Some(Value::Number(number)));
            assert_eq!(Fields(&text[..text.len() - 1]).next(), None);
        }
        assert_eq!(Fields(b"\x0a\x05ab").next(), None);
        assert_eq!(
            Fields(b"\x0d\x01\x02\x03\x04").next(),
            Some((1, Value::Fixed))
        );
        assert_eq!(Fields(b"\x0b").next(), None);
    }
}
