//! What a participant says or shows: RTP packets in real time, of real sizes, sealed by ourselves.
//!
//! In: time. Out: sealed packets. A voice is one Opus packet every 20 ms, a screen is a burst of
//! VP8 packets every 50 ms. Every payload ends with its send time.
//! Invariant: one `Mouth` per SSRC for the life of the connection, its number only rises: no nonce
//! is used twice.

use std::time::{Duration, Instant};

use rtcd_srtp::Half;
use rtcd_srtp::rtcp::{self, SenderReport};
use rtcd_srtp::rtp::{Header, MAX_HEADER};

use crate::leg::Sending;
use crate::servers::Kind;
use crate::stamp;

const VOICE_EVERY: Duration = Duration::from_millis(20);
/// 48 kHz.
const VOICE_TICKS: u32 = 960;
/// 32 kbit/s.
const VOICE_LEN: usize = 80;
/// 20 frames a second: what browsers use for a shared screen's higher layer.
const FRAME_EVERY: Duration = Duration::from_millis(50);
/// 90 kHz.
const FRAME_TICKS: u32 = 4500;
/// 9 packets of 1111 bytes 20 times a second are 1.6 Mbit/s.
const FRAME_PACKETS: usize = 9;
const FRAME_PACKET_LEN: usize = 1111;
/// Every so many frames is a keyframe without being asked for: 5 s.
const KEYFRAME_EVERY: u64 = 100;
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Seconds from 1900 to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// How voices vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum VoiceSize {
    /// 80 bytes each.
    #[default]
    Constant,
    /// 40 to 120 bytes, 80 in the mean.
    Varying,
}

/// One published stream.
#[derive(Debug)]
pub(crate) struct Mouth {
    pub(crate) kind: Kind,
    pub(crate) leg: usize,
    pub(crate) next: Instant,
    sending: Sending,
    size: VoiceSize,
    index: u64,
    timestamp: u32,
    frames: u64,
    keyframe_due: bool,
    packets: u64,
    octets: u64,
    next_report: Instant,
    next_report_index: u32,
}

/// Takes each sealed packet; false when it could not be sent.
pub(crate) type Send<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

impl Mouth {
    pub(crate) fn new(
        kind: Kind,
        leg: usize,
        sending: Sending,
        size: VoiceSize,
        first: Instant,
    ) -> Self {
        Self {
            kind,
            leg,
            next: first,
            sending,
            size,
            // Low, so that a loss at the start cannot hide a wrap (RFC 3711 3.3.1).
            index: rand::random_range(0..0x4000),
            timestamp: rand::random(),
            frames: 0,
            keyframe_due: true,
            packets: 0,
            octets: 0,
            next_report: first,
            next_report_index: 0,
        }
    }

    /// Packets made since the start.
    pub(crate) const fn packets(&self) -> u64 {
        self.packets
    }

    /// Starts the next frame with a keyframe.
    pub(crate) const fn refresh(&mut self) {
        self.keyframe_due = true;
    }

    /// Time passed in which nothing was said: the stream goes on as if it had been muted.
    pub(crate) fn resume(&mut self, at: Instant) {
        self.next = at;
    }

    /// Sends what is due at `self.next` and moves on; returns how many packets were refused.
    pub(crate) fn speak(&mut self, half: &Half, now: Instant, send: Send<'_>) -> u64 {
        let mut refused = 0;
        if now >= self.next_report {
            self.next_report = (self.next_report + REPORT_EVERY).max(now);
            let report = self.report(half);
            refused += u64::from(!report.is_empty() && !send(&report));
        }
        refused += match self.kind {
            Kind::Voice => self.speak_voice(half, send),
            Kind::Screen => self.show_frame(half, send),
        };
        let every = match self.kind {
            Kind::Voice => VOICE_EVERY,
            Kind::Screen => FRAME_EVERY,
        };
        self.next += every;
        // A generator that fell far behind must not catch up in a burst.
        if now.saturating_duration_since(self.next) > every * 5 {
            self.next = now + every;
        }
        refused
    }

    fn speak_voice(&mut self, half: &Half, send: Send<'_>) -> u64 {
        let len = match self.size {
            VoiceSize::Constant => VOICE_LEN,
            VoiceSize::Varying => rand::random_range(VOICE_LEN / 2..=VOICE_LEN + VOICE_LEN / 2),
        };
        let mut payload = [0x55u8; 2 * VOICE_LEN];
        let Some(payload) = payload.get_mut(..len) else {
            return 0;
        };
        // The first byte is the Opus TOC: CELT, 20 ms, mono.
        if let Some(toc) = payload.first_mut() {
            *toc = 0xf8;
        }
        let header = Header {
            payload_type: self.sending.payload_type,
            // About -30 dBov, and "voice".
            audio_level: self
                .sending
                .level_extension
                .map(|id| (id, 0x80 | rand::random_range(27..=33))),
            ..Header::default()
        };
        self.timestamp = self.timestamp.wrapping_add(VOICE_TICKS);
        self.emit(half, header, payload, send)
    }

    fn show_frame(&mut self, half: &Half, send: Send<'_>) -> u64 {
        let is_keyframe =
            std::mem::take(&mut self.keyframe_due) || self.frames.is_multiple_of(KEYFRAME_EVERY);
        self.timestamp = self.timestamp.wrapping_add(FRAME_TICKS);
        let mut refused = 0;
        for number in 0..FRAME_PACKETS {
            let mut payload = [0x55u8; FRAME_PACKET_LEN];
            let begins = number == 0;
            if let Some(head) = payload.first_chunk_mut() {
                *head = vp8_head(begins, is_keyframe, self.frames);
            }
            let header = Header {
                marker: number + 1 == FRAME_PACKETS,
                payload_type: self.sending.payload_type,
                ..Header::default()
            };
            refused += self.emit(half, header, &mut payload, send);
        }
        self.frames += 1;
        refused
    }

    fn emit(&mut self, half: &Half, header: Header, payload: &mut [u8], send: Send<'_>) -> u64 {
        let header = Header {
            sequence: u16::try_from(self.index & 0xffff).unwrap_or(0),
            timestamp: self.timestamp,
            ssrc: self.sending.ssrc,
            ..header
        };
        let mut head = [0; MAX_HEADER];
        let head_len = header.write(&mut head);
        let mut packet = [0; 1500];
        let len = head_len + payload.len() + half.profile().tag_len();
        stamp::put(payload, stamp::now());
        let index = self.index;
        self.index += 1;
        self.packets += 1;
        self.octets += u64::try_from(payload.len()).unwrap_or(0);
        let sent = packet
            .get_mut(..len)
            .zip(head.get(..head_len))
            .is_some_and(|(packet, head)| {
                half.seal_rtp(index, head, payload, &[], packet).is_some() && send(packet)
            });
        u64::from(!sent)
    }

    fn report(&mut self, half: &Half) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        let report = SenderReport {
            ntp: ntp(stamp::now()),
            timestamp: self.timestamp,
            packets: low(self.packets),
            octets: low(self.octets),
        };
        rtcp::write_sender_report(&mut out, self.sending.ssrc, &report);
        rtcp::write_cname(&mut out, self.sending.ssrc, "load");
        let index = self.next_report_index;
        self.next_report_index += 1;
        if half.seal_rtcp(index, &mut out).is_none() {
            out.clear();
        }
        out
    }
}

fn low(count: u64) -> u32 {
    u32::try_from(count & 0xffff_ffff).unwrap_or(0)
}

fn ntp(unix_nanos: u64) -> u64 {
    let seconds = unix_nanos / 1_000_000_000 + NTP_EPOCH;
    let fraction = ((unix_nanos % 1_000_000_000) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

/// Descriptor with a 15-bit picture id (RFC 7741 4.2), then the start of the frame: its tag, and in
/// a keyframe the start code and 1280x720 (RFC 6386 9.1).
fn vp8_head(begins: bool, is_keyframe: bool, frame: u64) -> [u8; 14] {
    let picture = u16::try_from(frame & 0x7fff).unwrap_or(0) | 0x8000;
    let [high, low] = picture.to_be_bytes();
    let start = if begins { 0x90 } else { 0x80 };
    let tag = if begins && is_keyframe { 0x10 } else { 0x11 };
    let filler = 0x55;
    let mut head = [
        start, 0x80, high, low, tag, 0, 0, filler, filler, filler, filler, filler, filler, filler,
    ];
    if begins && is_keyframe {
        let [.., s0, s1, s2, w0, w1, h0, h1] = &mut head;
        [*s0, *s1, *s2] = [0x9d, 0x01, 0x2a];
        [*w0, *w1] = 1280u16.to_le_bytes();
        [*h0, *h1] = 720u16.to_le_bytes();
    }
    head
}

#[cfg(test)]
mod tests {
    use rtcd_srtp::{Profile, rtp};

    use super::*;

    fn half() -> Half {
        Half::new(Profile::Aes128Gcm, &[1; 16], &[2; 12]).unwrap()
    }

    fn mouth(kind: Kind) -> Mouth {
        let sending = Sending {
            ssrc: 9,
            payload_type: 111,
            level_extension: Some(1),
        };
        Mouth::new(kind, 0, sending, VoiceSize::Constant, Instant::now())
    }

    fn spoken(mouth: &mut Mouth, times: usize) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        for _ in 0..times {
            let at = mouth.next;
            mouth.speak(&half(), at, &mut |packet| {
                packets.push(packet.to_vec());
                true
            });
        }
        packets.retain(|packet| rtp::is_rtp(packet));
        packets
    }

    #[test]
    fn a_voice_is_a_packet_every_twenty_milliseconds() {
        let mut mouth = mouth(Kind::Voice);
        let began = mouth.next;
        let packets = spoken(&mut mouth, 50);
        assert_eq!(mouth.next - began, Duration::from_secs(1));
        assert_eq!(packets.len(), 50);
        let first = rtp::read(&packets[0], Some(1), None).unwrap();
        let last = rtp::read(&packets[49], Some(1), None).unwrap();
        assert_eq!(last.header.sequence - first.header.sequence, 49);
        assert_eq!(
            last.header.timestamp.wrapping_sub(first.header.timestamp),
            49 * 960
        );
        assert!(
            first
                .header
                .audio_level
                .is_some_and(|(_, level)| level & 0x80 != 0)
        );
        assert_eq!(packets[0].len(), first.header_len + 80 + 16);
    }

    #[test]
    fn a_payload_opens_and_carries_its_send_time() {
        let packet = &mut spoken(&mut mouth(Kind::Voice), 1)[0];
        let head = rtp::read(packet, None, None).unwrap();
        let index = head.header.sequence.into();
        let len = half().open_rtp(index, head.header_len, packet).unwrap();
        assert!(stamp::find(&packet[head.header_len..len]).is_some());
    }

    #[test]
    fn a_screen_is_one_point_six_megabits() {
        let packets = spoken(&mut mouth(Kind::Screen), 20);
        let bits: usize = packets
            .iter()
            .map(|packet| 8 * (packet.len() - 12 - 16))
            .sum();
        assert!((1_590_000..1_610_000).contains(&bits), "{bits} bit/s");
        let marked = packets
            .iter()
            .filter(|packet| rtp::read(packet, None, None).unwrap().header.marker)
            .count();
        assert_eq!(marked, 20);
    }

    #[test]
    fn a_keyframe_follows_a_wish() {
        let first = vp8_head(true, true, 0);
        assert_eq!((first[4] & 1, &first[7..10]), (0, &[0x9d, 0x01, 0x2a][..]));
        assert_eq!(vp8_head(true, false, 1)[4] & 1, 1);
        let mut mouth = mouth(Kind::Screen);
        spoken(&mut mouth, 1);
        assert!(!mouth.keyframe_due);
        mouth.refresh();
        assert!(mouth.keyframe_due);
    }

    #[test]
    fn wall_time_becomes_ntp_time() {
        assert_eq!(ntp(500_000_000), NTP_EPOCH << 32 | 1 << 31);
    }
}
