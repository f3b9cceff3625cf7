//! RTCP: what receivers of our streams say, and what we say about our streams.
//!
//! In: a decrypted compound packet. Out: `Message`s, as far as this end acts on them; the rest is
//! skipped. The other way: sender reports, receiver reports, goodbyes and requests, appended to a
//! buffer.
//! See: RFC 3550 6 (SR, RR, SDES, BYE), RFC 4585 6 (NACK, PLI), RFC 5104 4.3.1 (FIR),
//! draft-alvestrand-rmcat-remb-03 (REMB).

use crate::twcc::TransportFeedback;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const CNAME: u8 = 1;

/// What one packet of a compound says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    SenderReport {
        ssrc: u32,
        report: SenderReport,
    },
    /// A block of a sender or receiver report: how one of our streams arrives.
    Reception(ReceptionReport),
    /// Packets of one of our streams are missing.
    Nack {
        media: u32,
        sequences: Vec<u16>,
    },
    /// A picture cannot be shown without a keyframe (PLI, or FIR which asks for the same).
    KeyframeWanted {
        media: u32,
    },
    /// The most the receiver believes it can take, in bit/s.
    BitrateLimit {
        bits_per_second: u64,
    },
    Transport(TransportFeedback),
    Goodbye {
        ssrc: u32,
    },
}

/// What a sender says about its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// NTP time: seconds since 1900 above, their fraction below.
    pub ntp: u64,
    /// The same instant in the clock of the stream.
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// How a stream arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceptionReport {
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// 24 bits.
    pub lost: u32,
    /// Highest sequence number, with the count of wraps above.
    pub highest: u32,
    /// In the clock of the stream.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0 for none.
    pub last_report: u32,
    /// Since then, in 1/65536 s.
    pub since_report: u32,
}

/// Reads a compound packet as far as it is well formed.
pub fn read(compound: &[u8], mut each: impl FnMut(Message)) {
    let mut rest = compound;
    while let Some((head, _)) = rest.split_first_chunk::<4>() {
        let [first, kind, l0, l1] = *head;
        let len = 4 * (usize::from(u16::from_be_bytes([l0, l1])) + 1);
        let Some((packet, after)) = rest.split_at_checked(len).filter(|_| first >> 6 == 2) else {
            return;
        };
        read_packet(first & 0x1f, kind, packet, &mut each);
        rest = after;
    }
}

/// `count`: the five bits that count blocks, or name the format of feedback.
fn read_packet(count: u8, kind: u8, packet: &[u8], each: &mut impl FnMut(Message)) {
    let blocks = usize::from(count);
    match (kind, count) {
        (SENDER_REPORT, _) => {
            if let Some((ssrc, report)) = sender_info(packet) {
                each(Message::SenderReport { ssrc, report });
                reception_reports(packet.get(28..), blocks, each);
            }
        }
        (RECEIVER_REPORT, _) => reception_reports(packet.get(8..), blocks, each),
        (GOODBYE, _) => {
            let words = packet.get(4..).unwrap_or_default();
            for bytes in words.as_chunks::<4>().0.iter().take(blocks) {
                let ssrc = u32::from_be_bytes(*bytes);
                each(Message::Goodbye { ssrc });
            }
        }
        (TRANSPORT_FEEDBACK, 1) => nack(packet, each),
        (TRANSPORT_FEEDBACK, 15) => {
            if let Some(feedback) = TransportFeedback::read(packet.get(12..).unwrap_or_default()) {
                each(Message::Transport(feedback));
            }
        }
        (PAYLOAD_FEEDBACK, 1) => {
            if let Some(media) = word(packet, 8) {
                each(Message::KeyframeWanted { media });
            }
        }
        (PAYLOAD_FEEDBACK, 4) => {
            let entries = packet.get(12..).unwrap_or_default();
            for [m0, m1, m2, m3, ..] in entries.as_chunks::<8>().0 {
                let media = u32::from_be_bytes([*m0, *m1, *m2, *m3]);
                each(Message::KeyframeWanted { media });
            }
        }
        (PAYLOAD_FEEDBACK, 15) => bitrate_limit(packet, each),
        _ => {}
    }
}

fn word(packet: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*packet.get(at..)?.first_chunk()?))
}

fn sender_info(packet: &[u8]) -> Option<(u32, SenderReport)> {
    let ntp = u64::from(word(packet, 8)?) << 32 | u64::from(word(packet, 12)?);
    let report = SenderReport {
        ntp,
        timestamp: word(packet, 16)?,
        packets: word(packet, 20)?,
        octets: word(packet, 24)?,
    };
    Some((word(packet, 4)?, report))
}

fn reception_reports(blocks: Option<&[u8]>, count: usize, each: &mut impl FnMut(Message)) {
    let blocks = blocks.unwrap_or_default().as_chunks::<24>().0;
    for block in blocks.iter().take(count) {
        let field = |at| word(block, at).unwrap_or_default();
        let losses = field(4);
        each(Message::Reception(ReceptionReport {
            ssrc: field(0),
            fraction_lost: losses.to_be_bytes().first().copied().unwrap_or_default(),
            lost: losses & 0x00ff_ffff,
            highest: field(8),
            jitter: field(12),
            last_report: field(16),
            since_report: field(20),
        }));
    }
}

/// Each entry names one packet and, bit by bit, the sixteen behind it.
fn nack(packet: &[u8], each: &mut impl FnMut(Message)) {
    let Some(media) = word(packet, 8) else {
        return;
    };
    let mut sequences = Vec::new();
    for [p0, p1, b0, b1] in packet.get(12..).unwrap_or_default().as_chunks::<4>().0 {
        let first = u16::from_be_bytes([*p0, *p1]);
        let mask = u16::from_be_bytes([*b0, *b1]);
        sequences.push(first);
        let behind = (0..16u16).filter(|bit| mask & (1 << bit) != 0);
        sequences.extend(behind.map(|bit| first.wrapping_add(bit + 1)));
    }
    each(Message::Nack { media, sequences });
}

fn bitrate_limit(packet: &[u8], each: &mut impl FnMut(Message)) {
    if packet.get(12..16) != Some(b"REMB") {
        return;
    }
    let Some(value) = word(packet, 16) else {
        return;
    };
    let (exponent, mantissa) = (value >> 18 & 0x3f, value & 0x3_ffff);
    let bits_per_second = u64::from(mantissa).saturating_mul(1 << exponent);
    each(Message::BitrateLimit { bits_per_second });
}

/// Appends a sender report without reception blocks.
pub fn write_sender_report(out: &mut Vec<u8>, ssrc: u32, report: &SenderReport) {
    head(out, 0, SENDER_REPORT, 6);
    out.extend(ssrc.to_be_bytes());
    out.extend(report.ntp.to_be_bytes());
    out.extend(report.timestamp.to_be_bytes());
    out.extend(report.packets.to_be_bytes());
    out.extend(report.octets.to_be_bytes());
}

/// Appends a receiver report of at most 31 blocks.
pub fn write_receiver_report(out: &mut Vec<u8>, sender: u32, blocks: &[ReceptionReport]) {
    let count = u8::try_from(blocks.len().min(31)).unwrap_or(31);
    head(out, count, RECEIVER_REPORT, 1 + 6 * u16::from(count));
    out.extend(sender.to_be_bytes());
    for block in blocks.iter().take(31) {
        out.extend(block.ssrc.to_be_bytes());
        let losses = u32::from(block.fraction_lost) << 24 | block.lost & 0x00ff_ffff;
        out.extend(losses.to_be_bytes());
        out.extend(block.highest.to_be_bytes());
        out.extend(block.jitter.to_be_bytes());
        out.extend(block.last_report.to_be_bytes());
        out.extend(block.since_report.to_be_bytes());
    }
}

/// Appends the name under which all streams of one person are known; at most 255 bytes of it.
pub fn write_cname(out: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let name = cname
        .as_bytes()
        .get(..cname.len().min(255))
        .unwrap_or_default();
    // SSRC, item head, name, and at least one zero that ends the list.
    let body = (4 + 2 + name.len() + 1).next_multiple_of(4);
    head(
        out,
        1,
        SOURCE_DESCRIPTION,
        u16::try_from(body / 4).unwrap_or(0),
    );
    let end = out.len() + body;
    out.extend(ssrc.to_be_bytes());
    out.extend([CNAME, u8::try_from(name.len()).unwrap_or(255)]);
    out.extend(name);
    out.resize(end, 0);
}

/// Appends the word that a stream has ended.
pub fn write_goodbye(out: &mut Vec<u8>, ssrc: u32) {
    head(out, 1, GOODBYE, 1);
    out.extend(ssrc.to_be_bytes());
}

/// Appends a request for missing packets.
pub fn write_nack(out: &mut Vec<u8>, sender: u32, media: u32, sequences: &[u16]) {
    let words = 2 + u16::try_from(sequences.len()).unwrap_or(0);
    head(out, 1, TRANSPORT_FEEDBACK, words);
    out.extend(sender.to_be_bytes());
    out.extend(media.to_be_bytes());
    for sequence in sequences {
        out.extend(sequence.to_be_bytes());
        out.extend([0, 0]);
    }
}

/// Appends a request for a keyframe (PLI).
pub fn write_keyframe_request(out: &mut Vec<u8>, sender: u32, media: u32) {
    head(out, 1, PAYLOAD_FEEDBACK, 2);
    out.extend(sender.to_be_bytes());
    out.extend(media.to_be_bytes());
}

/// `words`: 32-bit words behind the head.
fn head(out: &mut Vec<u8>, count: u8, kind: u8, words: u16) {
    out.extend([0x80 | count, kind]);
    out.extend(words.to_be_bytes());
}

#[cfg(test)]
mod tests;
