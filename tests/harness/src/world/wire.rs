//! What shards sent, as it was on the wire: the part of RTP that is not encrypted.
//!
//! Kept because a receiver's WebRTC stack hides what must never happen: it drops a number that was
//! used twice.
//! See: RFC 3550 5.1 (header), RFC 7983 (first byte), RFC 5761 4 (RTP or RTCP), RFC 3711 9.1 (a
//! number used for two texts gives the key stream away).

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::time::Instant;

/// The clear part of one sent RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub at: Instant,
    /// Unwrapped, the first one of a stream as it was.
    pub seq_no: u64,
    pub timestamp: u32,
    pub payload_type: u8,
    /// Stands for the whole packet.
    pub digest: u64,
    /// The same packet was sent before: a repair.
    pub repeated: bool,
}

/// What went to one participant, by SSRC, in the order of sending.
pub type Streams = BTreeMap<u32, Vec<Sent>>;

/// What went to whom.
#[derive(Debug, Default)]
pub struct Wire {
    sent: BTreeMap<String, Streams>,
}

impl Wire {
    /// Returns the streams that went to a participant.
    #[must_use]
    pub fn to(&self, name: &str) -> Streams {
        self.sent.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn note(&mut self, name: &str, at: Instant, datagram: &[u8]) {
        let Some((ssrc, number, timestamp, payload_type)) = rtp(datagram) else {
            return;
        };
        let mut hasher = DefaultHasher::new();
        datagram.hash(&mut hasher);
        let digest = hasher.finish();
        let streams = self.sent.entry(name.to_owned()).or_default();
        let stream = streams.entry(ssrc).or_default();
        let recent = stream.iter().rev().take(4096);
        let highest = recent.map(|sent| sent.seq_no).max();
        let seq_no = highest.map_or(u64::from(number), |highest| unwrap(highest, number));
        let repeated = stream
            .iter()
            .rev()
            .take(4096)
            .any(|sent| sent.seq_no == seq_no && sent.digest == digest);
        stream.push(Sent {
            at,
            seq_no,
            timestamp,
            payload_type,
            digest,
            repeated,
        });
    }
}

/// SSRC, number, timestamp and payload type of an RTP packet.
fn rtp(datagram: &[u8]) -> Option<(u32, u16, u32, u8)> {
    let (head, _) = datagram.split_first_chunk::<12>()?;
    let [first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = *head;
    let is_rtp = (128..192).contains(&first) && !(192..=223).contains(&second);
    is_rtp.then(|| {
        (
            u32::from_be_bytes([i0, i1, i2, i3]),
            u16::from_be_bytes([s0, s1]),
            u32::from_be_bytes([t0, t1, t2, t3]),
            second & 0x7f,
        )
    })
}

/// The number nearest to `highest` that looks like this on the wire.
fn unwrap(highest: u64, number: u16) -> u64 {
    let cycle = highest & !0xffff;
    let near = cycle + u64::from(number);
    if near + 0x8000 < highest {
        near + 0x1_0000
    } else if near > highest + 0x8000 && near >= 0x1_0000 {
        near - 0x1_0000
    } else {
        near
    }
}
