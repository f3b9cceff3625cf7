//! RTP headers: written for what we send, read for what arrives.
//!
//! Extensions are written in the one-byte form; an id that does not fit it is left out, which every
//! receiver tolerates.
//! See: RFC 3550 5.1 (header), RFC 8285 4.2 (one-byte extensions), RFC 6464 (audio level).

/// Bytes of the longest header `write` makes: fixed part, extension head, level, transport number.
pub const MAX_HEADER: usize = 12 + 4 + 8;
const ONE_BYTE_FORM: u16 = 0xbede;

/// What a sender decides about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    pub marker: bool,
    /// 7 bits.
    pub payload_type: u8,
    pub sequence: u16,
    /// In the clock of the codec.
    pub timestamp: u32,
    pub ssrc: u32,
    /// The last byte of the payload says how many bytes of padding it ends with.
    pub padding: bool,
    /// Id and value: bit 7 voice activity, the rest the level in -dBov.
    pub audio_level: Option<(u8, u8)>,
    /// Id and transport-wide sequence number.
    pub transport_sequence: Option<(u8, u16)>,
}

impl Header {
    /// Writes the header and returns its length.
    pub fn write(&self, out: &mut [u8; MAX_HEADER]) -> usize {
        let [first, second, s0, s1, rest @ ..] = out;
        *first = 0x80 | u8::from(self.padding) << 5;
        *second = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        [*s0, *s1] = self.sequence.to_be_bytes();
        put(rest, 0, &self.timestamp.to_be_bytes());
        put(rest, 4, &self.ssrc.to_be_bytes());
        let mut at = 12;
        if let Some((id, level)) = self.audio_level.filter(|(id, _)| fits(*id)) {
            put(rest, at, &[id << 4, level]);
            at += 2;
        }
        if let Some((id, number)) = self.transport_sequence.filter(|(id, _)| fits(*id)) {
            let [high, low] = number.to_be_bytes();
            put(rest, at, &[id << 4 | 1, high, low]);
            at += 3;
        }
        if at == 12 {
            return 12;
        }
        while !at.is_multiple_of(4) {
            put(rest, at, &[0]);
            at += 1;
        }
        *first |= 0x10;
        let words = u16::try_from((at - 12) / 4).unwrap_or(0);
        put(rest, 8, &ONE_BYTE_FORM.to_be_bytes());
        put(rest, 10, &words.to_be_bytes());
        at + 4
    }
}

const fn fits(id: u8) -> bool {
    id >= 1 && id <= 14
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// What the clear part of a received packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    pub header: Header,
    /// Bytes before the payload, CSRCs and extensions included.
    pub header_len: usize,
}

/// Whether a datagram on the media port is RTP, and not STUN, DTLS or RTCP (RFC 7983, RFC 5761).
#[must_use]
pub fn is_rtp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, second, ..] if !(192..=223).contains(second))
}

/// Whether a datagram on the media port is RTCP (RFC 5761 4).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, 192..=223, ..])
}

/// Reads the SSRC of a packet; `None` when it is cut short.
#[must_use]
pub fn ssrc(packet: &[u8]) -> Option<u32> {
    let bytes = packet.get(8..12)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

/// Reads the header of a packet; `None` when it is cut short. Extensions other than the ones whose
/// ids are given are skipped.
#[must_use]
pub fn read(packet: &[u8], level_id: Option<u8>, transport_id: Option<u8>) -> Option<Received> {
    let (fixed, _) = packet.split_first_chunk::<12>()?;
    let [first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *fixed;
    if first >> 6 != 2 {
        return None;
    }
    let mut header = Header {
        marker: second & 0x80 != 0,
        payload_type: second & 0x7f,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        padding: first & 0x20 != 0,
        ..Header::default()
    };
    let mut header_len = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let [p0, p1, l0, l1] = *packet.get(header_len..)?.first_chunk()?;
        let len = 4 * usize::from(u16::from_be_bytes([l0, l1]));
        let elements = packet.get(header_len + 4..header_len + 4 + len)?;
        if u16::from_be_bytes([p0, p1]) == ONE_BYTE_FORM {
            read_extensions(elements, &mut header, level_id, transport_id);
        }
        header_len += 4 + len;
    }
    (header_len <= packet.len()).then_some(Received { header, header_len })
}

fn read_extensions(
    mut rest: &[u8],
    header: &mut Header,
    level_id: Option<u8>,
    transport_id: Option<u8>,
) {
    while let [head, tail @ ..] = rest {
        if *head == 0 {
            rest = tail;
            continue;
        }
        let (id, len) = (head >> 4, usize::from(head & 0x0f) + 1);
        let Some((value, after)) = tail.split_at_checked(len).filter(|_| id != 15) else {
            return;
        };
        match value {
            [level] if Some(id) == level_id => header.audio_level = Some((id, *level)),
            [high, low] if Some(id) == transport_id => {
                header.transport_sequence = Some((id, u16::from_be_bytes([*high, *low])));
            }
            _ => {}
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_without_extensions_is_twelve_bytes() {
        let header = Header {
            payload_type: 111,
            sequence: 0x0102,
            timestamp: 0x0304_0506,
            ssrc: 0x0708_090a,
            ..Header::default()
        };
        let mut out = [0; MAX_HEADER];
        assert_eq!(header.write(&mut out), 12);
        assert_eq!(out[..12], [0x80, 111, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn extensions_are_in_the_one_byte_form_and_padded() {
        let header = Header {
            marker: true,
            audio_level: Some((1, 0x85)),
            transport_sequence: Some((5, 0xabcd)),
            ..Header::default()
        };
        let mut out = [0; MAX_HEADER];
        assert_eq!(header.write(&mut out), 24);
        assert_eq!(out[0], 0x90);
        assert_eq!(
            out[12..24],
            [0xbe, 0xde, 0, 2, 0x10, 0x85, 0x51, 0xab, 0xcd, 0, 0, 0]
        );
    }

    #[test]
    fn datagrams_are_told_apart_by_their_first_bytes() {
        assert!(is_rtp(&[0x80, 111, 0]) && !is_rtcp(&[0x80, 111, 0]));
        assert!(is_rtcp(&[0x80, 200, 0]) && !is_rtp(&[0x80, 200, 0]));
        assert!(!is_rtp(&[0, 1]) && !is_rtp(&[22, 254]) && !is_rtp(&[0x80]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(
            (marker, padding) in any::<(bool, bool)>(),
            payload_type in 0..128u8,
            (sequence, timestamp, ssrc) in any::<(u16, u32, u32)>(),
            level in proptest::option::of(any::<u8>()),
            number in proptest::option::of(any::<u16>()),
        ) {
            let header = Header {
                marker, payload_type, sequence, timestamp, ssrc, padding,
                audio_level: level.map(|level| (3, level)),
                transport_sequence: number.map(|number| (14, number)),
            };
            let mut out = [0; MAX_HEADER];
            let header_len = header.write(&mut out);
            let found = read(&out[..header_len], Some(3), Some(14));
            prop_assert_eq!(found, Some(Received { header, header_len }));
        }

        #[test]
        fn any_bytes_are_a_packet_or_none(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(found) = read(&bytes, Some(1), Some(2)) {
                prop_assert!(found.header_len <= bytes.len());
            }
        }
    }
}
