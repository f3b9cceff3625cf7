//! AV1 over RTP: what a payload says, and its pieces joined to open bitstream units.
//!
//! In: payloads in order, none missing in between. Out: the units of a picture as files and decoders
//! want them: each with its length, without delimiters. Pure.
//! See: the RTP payload format for AV1 (version 1.0) section 4, the AV1 bitstream section 5.3.

/// Bits of the first byte of a payload.
const CONTINUES: u8 = 0x80;
const GOES_ON: u8 = 0x40;
const NEW_SEQUENCE: u8 = 0x08;
/// Bits of the first byte of a unit.
const FORBIDDEN: u8 = 0x80;
const HAS_EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;
/// Kinds of units.
const SEQUENCE_HEADER: u8 = 1;
const DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
/// Longest number of a length, in bytes: no payload is longer than two of them can say.
const MOST_LENGTH_BYTES: usize = 4;

/// Whether a payload is the first of a keyframe.
#[must_use]
pub fn starts_keyframe(payload: &[u8]) -> bool {
    let first = payload.first().copied().unwrap_or(0);
    first & NEW_SEQUENCE != 0 && first & CONTINUES == 0
}

/// Joins the payloads of one picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Units {
    whole: Vec<u8>,
    /// A unit whose rest comes with the next payload.
    begun: Option<Vec<u8>>,
}

impl Units {
    /// Adds the next payload; `None` when it does not fit to what came before, or is damaged.
    pub fn push(&mut self, payload: &[u8]) -> Option<()> {
        let (&first, mut rest) = payload.split_first()?;
        if (first & CONTINUES != 0) != self.begun.is_some() {
            return None;
        }
        // 0: every element tells its length; else the last of so many does not.
        let count = usize::from(first >> 4 & 3);
        let mut taken = 0;
        while !rest.is_empty() {
            taken += 1;
            let element = if count > 0 && taken == count {
                std::mem::take(&mut rest)
            } else {
                let (length, after) = read_length(rest)?;
                let (element, after) = after.split_at_checked(length)?;
                rest = after;
                element
            };
            let mut unit = self.begun.take().unwrap_or_default();
            unit.extend_from_slice(element);
            if rest.is_empty() && first & GOES_ON != 0 {
                self.begun = Some(unit);
            } else {
                append(&unit, &mut self.whole)?;
            }
        }
        Some(())
    }

    /// The picture; `None` when a piece of it did not come.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        (self.begun.is_none() && !self.whole.is_empty()).then_some(self.whole)
    }
}

/// Adds a unit with its length.
fn append(unit: &[u8], to: &mut Vec<u8>) -> Option<()> {
    let Some(&head) = unit.first() else {
        // An element may be empty.
        return Some(());
    };
    if head & FORBIDDEN != 0 {
        return None;
    }
    if matches!(kind(head), DELIMITER | TILE_LIST) {
        return Some(());
    }
    if head & HAS_SIZE != 0 {
        to.extend_from_slice(unit);
        return Some(());
    }
    let (heads, body) = unit.split_at_checked(heads(head))?;
    to.push(head | HAS_SIZE);
    to.extend_from_slice(heads.get(1..)?);
    write_length(body.len(), to);
    to.extend_from_slice(body);
    Some(())
}

/// The sequence header among the units of a picture, whole: what a file says of its track in front.
#[must_use]
pub fn sequence_header(picture: &[u8]) -> Option<&[u8]> {
    let mut rest = picture;
    while let Some(&head) = rest.first() {
        let after_head = rest.get(heads(head)..)?;
        let (length, after) = read_length(after_head)?;
        let end = rest.len() - after.len() + length;
        let (unit, next) = rest.split_at_checked(end)?;
        if kind(head) == SEQUENCE_HEADER {
            return Some(unit);
        }
        rest = next;
    }
    None
}

fn kind(head: u8) -> u8 {
    head >> 3 & 0x0f
}

/// How many bytes say what a unit is.
fn heads(head: u8) -> usize {
    1 + usize::from(head & HAS_EXTENSION != 0)
}

/// A number of seven bits a byte, the lowest first.
fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().take(MOST_LENGTH_BYTES) {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((length, bytes.get(at + 1..)?));
        }
    }
    None
}

fn write_length(mut length: usize, to: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        to.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A unit as it is sent, without its length.
    fn sent(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind << 3], body].concat()
    }

    /// The same as it is kept.
    fn kept(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut kept = vec![kind << 3 | HAS_SIZE];
        write_length(body.len(), &mut kept);
        [&kept[..], body].concat()
    }

    fn joined(payloads: &[&[u8]]) -> Option<Vec<u8>> {
        let mut units = Units::default();
        for payload in payloads {
            units.push(payload)?;
        }
        units.finish()
    }

    #[test]
    fn units_are_joined_get_their_length_and_lose_their_delimiter() {
        let (header, frame) = (sent(1, &[7, 8]), sent(6, &[9; 300]));
        let expected = [kept(1, &[7, 8]), kept(6, &[9; 300])].concat();
        let elements = |units: &[&[u8]]| {
            let mut all = Vec::new();
            for unit in units {
                write_length(unit.len(), &mut all);
                all.extend_from_slice(unit);
            }
            all
        };
        let delimiter = sent(2, &[]);
        let with_lengths = [&[0x08][..], &elements(&[&delimiter, &header, &frame])].concat();
        assert_eq!(joined(&[&with_lengths]), Some(expected.clone()));
        let last_without = [&[0x28][..], &elements(&[&header]), &frame].concat();
        assert_eq!(joined(&[&last_without]), Some(expected.clone()));
        let first = [&[0x68][..], &elements(&[&header]), &frame[..100]].concat();
        let middle = [&[0xd0][..], &frame[100..200]].concat();
        let last = [&[0x90][..], &frame[200..]].concat();
        assert_eq!(joined(&[&first, &middle, &last]), Some(expected.clone()));
        assert_eq!(sequence_header(&expected), Some(&kept(1, &[7, 8])[..]));
        assert_eq!(sequence_header(&kept(6, &[1])), None);
        assert_eq!(
            [&first, &middle].map(|piece| starts_keyframe(piece)),
            [true, false]
        );
        // A unit may bring its length along, and a second byte of its head.
        let own = [&[0x10][..], &kept(6, &[5])].concat();
        assert_eq!(joined(&[&own]), Some(kept(6, &[5])));
        let layered = [0x10, 6 << 3 | HAS_EXTENSION, 0x20, 1, 2];
        let expected = [6 << 3 | HAS_EXTENSION | HAS_SIZE, 0x20, 2, 1, 2];
        assert_eq!(joined(&[&layered]), Some(expected.to_vec()));
    }

    #[test]
    fn what_is_missing_or_damaged_gives_nothing() {
        for payloads in [
            &[&[][..]][..],
            &[&[0x00]],
            // The rest of what did not begin, the begin of what did not end.
            &[&[0x90, 1, 2]],
            &[&[0x50, 1, 2]],
            &[&[0x50, 0x30, 2], &[0x10, 0x30, 3]],
            // A length beyond the end, one without end.
            &[&[0x00, 9, 0x30]],
            &[&[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
            // A forbidden bit, a head that is cut.
            &[&[0x10, 0x80]],
            &[&[0x10, 0x34]],
        ] {
            assert_eq!(joined(payloads), None, "{payloads:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_reason_to_panic(payloads: Vec<Vec<u8>>) {
            let mut units = Units::default();
            for payload in &payloads {
                let _ = starts_keyframe(payload);
                let _ = units.push(payload);
                let _ = sequence_header(payload);
            }
            if let Some(picture) = units.finish() {
                let _ = sequence_header(&picture);
            }
        }
    }
}
