//! The media of one transport, sealed and opened by ourselves.
//!
//! In: datagrams that are RTP or RTCP. Out: counts, delays, sealed reports, wishes for keyframes.
//! A packet costs a header read and a count; one in `OPEN_EVERY` is authenticated and decrypted.
//! Reports go out once a second, as real clients' do. Video that does not arrive is asked for again
//! (RFC 4585) when the scenario loses packets on purpose.
//! Invariant: `sender` is an SSRC str0m never uses, with its own SRTCP index from zero.

use std::time::{Duration, Instant};

use rtcd_srtp::keys::Halves;
use rtcd_srtp::rtcp::{self, ReceptionReport};
use rtcd_srtp::{Half, Profile, rtp};

use crate::ears::{Counts, Ears, Place};
use crate::stamp;

const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Most blocks in one report (RFC 3550 6.4.2: five bits, and one datagram).
const REPORT_BLOCKS: usize = 31;
/// Packets between two that are opened.
const OPEN_EVERY: u64 = 100;
/// The same where the delay is measured.
const OPEN_EVERY_TIMED: u64 = 8;
/// A missing packet is asked for again after this long, so often.
const ASK_AGAIN: Duration = Duration::from_millis(120);
const ASK_TIMES: u8 = 8;

/// Everything counted on one transport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) counts: Counts,
    pub(crate) opened: u64,
    /// Did not authenticate: each one is a fault of the server or of this generator.
    pub(crate) refused: u64,
    /// Thrown away on purpose, as if lost on the way.
    pub(crate) dropped: u64,
    /// Packets asked for, each counted once.
    pub(crate) asked: u64,
}

impl Totals {
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            counts: self.counts.plus(other.counts),
            opened: self.opened + other.opened,
            refused: self.refused + other.refused,
            dropped: self.dropped + other.dropped,
            asked: self.asked + other.asked,
        }
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self {
            counts: self.counts.minus(other.counts),
            opened: self.opened.saturating_sub(other.opened),
            refused: self.refused.saturating_sub(other.refused),
            dropped: self.dropped.saturating_sub(other.dropped),
            asked: self.asked.saturating_sub(other.asked),
        }
    }
}

/// A packet that did not come.
#[derive(Debug)]
struct Missing {
    ssrc: u32,
    index: u64,
    asked: u8,
    next: Instant,
}

/// Keys and counts of a connected transport.
#[derive(Debug)]
pub(crate) struct Media {
    halves: Halves,
    ears: Ears,
    sender: u32,
    next_report_index: u32,
    next_report: Instant,
    /// The last sender report: SSRC, middle of its NTP time, when it came.
    sender_reports: Vec<(u32, u32, Instant)>,
    totals: Totals,
    packets: u64,
    /// Nanoseconds from the send stamp to the kernel's arrival stamp, while they are collected.
    delays: Vec<u32>,
    is_timed: bool,
    /// Of 1,000 video packets, how many are thrown away.
    lose_per_mille: u32,
    missing: Vec<Missing>,
    keyframe_wanted: bool,
    scratch: Vec<u8>,
}

impl Media {
    pub(crate) fn new(halves: Halves, now: Instant) -> Self {
        Self {
            halves,
            ears: Ears::default(),
            sender: rand::random_range(1..=u32::MAX),
            next_report_index: 0,
            // Spread over the second: thousands connect in bursts.
            next_report: now + REPORT_EVERY.mul_f64(rand::random_range(0.0..1.0)),
            sender_reports: Vec::new(),
            totals: Totals::default(),
            packets: 0,
            delays: Vec::new(),
            is_timed: false,
            lose_per_mille: 0,
            missing: Vec::new(),
            keyframe_wanted: false,
            scratch: Vec::new(),
        }
    }

    pub(crate) const fn profile(&self) -> Profile {
        self.halves.send.profile()
    }

    pub(crate) const fn send_half(&self) -> &Half {
        &self.halves.send
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            counts: self.ears.counts(),
            ..self.totals
        }
    }

    /// Measures the delay here from now on: the socket must deliver the kernel's stamps.
    pub(crate) const fn measure_delay(&mut self) {
        self.is_timed = true;
    }

    pub(crate) const fn lose_video(&mut self, per_mille: u32) {
        self.lose_per_mille = per_mille;
    }

    pub(crate) fn take_delays(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.delays)
    }

    /// Whether the server asked for a keyframe since the last call.
    pub(crate) fn take_keyframe_wish(&mut self) -> bool {
        std::mem::take(&mut self.keyframe_wanted)
    }

    /// Counts an RTP packet; `arrived` is the kernel's stamp, in nanoseconds since 1970.
    pub(crate) fn on_rtp(&mut self, packet: &mut [u8], arrived: Option<u64>, now: Instant) {
        let Some((ssrc, sequence)) = clear_numbers(packet) else {
            return;
        };
        if self.lose_per_mille > 0
            && is_large(packet)
            && rand::random_range(0..1000) < self.lose_per_mille
        {
            self.totals.dropped += 1;
            return;
        }
        let (index, place) = self.ears.hear(ssrc, sequence, packet.len());
        if self.lose_per_mille > 0 && is_large(packet) {
            self.remember(ssrc, index, place, now);
        }
        self.packets += 1;
        let every = if self.is_timed {
            OPEN_EVERY_TIMED
        } else {
            OPEN_EVERY
        };
        if self.packets.is_multiple_of(every) && place != Place::Duplicate {
            self.open(index, packet, arrived);
        }
    }

    fn open(&mut self, index: u64, packet: &mut [u8], arrived: Option<u64>) {
        let Some(header) = rtp::read(packet, None, None) else {
            self.totals.refused += 1;
            return;
        };
        let Some(len) = self
            .halves
            .receive
            .open_rtp(index, header.header_len, packet)
        else {
            self.totals.refused += 1;
            return;
        };
        self.totals.opened += 1;
        let sent = packet
            .get(header.header_len..len)
            .and_then(|payload| stamp::find(without_padding(payload, header.header.padding)));
        if let (Some(sent), Some(arrived), true) = (sent, arrived, self.is_timed) {
            let delay = arrived.saturating_sub(sent);
            self.delays.push(u32::try_from(delay).unwrap_or(u32::MAX));
        }
    }

    fn remember(&mut self, ssrc: u32, index: u64, place: Place, now: Instant) {
        match place {
            Place::Newest { missing } => {
                for number in index.saturating_sub(missing.into())..index {
                    self.totals.asked += 1;
                    self.missing.push(Missing {
                        ssrc,
                        index: number,
                        asked: 0,
                        next: now,
                    });
                }
            }
            Place::Late => self
                .missing
                .retain(|missing| (missing.ssrc, missing.index) != (ssrc, index)),
            Place::Duplicate => {}
        }
    }

    /// Reads the server's RTCP: sender reports, wishes for keyframes.
    pub(crate) fn on_rtcp(&mut self, packet: &[u8], now: Instant) {
        let mut plain = std::mem::take(&mut self.scratch);
        if self.halves.receive.open_rtcp(packet, &mut plain).is_some() {
            rtcp::read(&plain, |message| self.on_report(&message, now));
        } else {
            self.totals.refused += 1;
        }
        self.scratch = plain;
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what the server says about our packets is its own business here"
    )]
    fn on_report(&mut self, message: &rtcp::Message, now: Instant) {
        match message {
            rtcp::Message::SenderReport { ssrc, report } => {
                let middle = u32::try_from(report.ntp >> 16 & 0xffff_ffff).unwrap_or(0);
                self.sender_reports.retain(|(of, ..)| of != ssrc);
                self.sender_reports.push((*ssrc, middle, now));
            }
            rtcp::Message::KeyframeWanted { .. } => self.keyframe_wanted = true,
            _ => {}
        }
    }

    /// A report or a request that is due, sealed; empty when none is.
    pub(crate) fn due(&mut self, now: Instant, out: &mut Vec<u8>) {
        out.clear();
        if now >= self.next_report {
            self.next_report = (self.next_report + REPORT_EVERY).max(now);
            let blocks = self.blocks(now);
            rtcp::write_receiver_report(out, self.sender, &blocks);
            rtcp::write_cname(out, self.sender, "load");
            self.seal(out);
        } else if self.missing.iter().any(|missing| missing.next <= now) {
            self.ask(now, out);
        }
    }

    fn ask(&mut self, now: Instant, out: &mut Vec<u8>) {
        rtcp::write_receiver_report(out, self.sender, &[]);
        let mut by_stream: Vec<(u32, Vec<u16>)> = Vec::new();
        for missing in self
            .missing
            .iter_mut()
            .filter(|missing| missing.next <= now)
        {
            missing.asked += 1;
            missing.next = now + ASK_AGAIN;
            let sequence = u16::try_from(missing.index & 0xffff).unwrap_or(0);
            match by_stream.iter_mut().find(|(ssrc, _)| *ssrc == missing.ssrc) {
                Some((_, sequences)) => sequences.push(sequence),
                None => by_stream.push((missing.ssrc, vec![sequence])),
            }
        }
        self.missing.retain(|missing| missing.asked < ASK_TIMES);
        for (ssrc, sequences) in &by_stream {
            rtcp::write_nack(out, self.sender, *ssrc, sequences);
        }
        self.seal(out);
    }

    fn seal(&mut self, out: &mut Vec<u8>) {
        let index = self.next_report_index;
        self.next_report_index += 1;
        if self.halves.send.seal_rtcp(index, out).is_none() {
            out.clear();
        }
    }

    fn blocks(&mut self, now: Instant) -> Vec<ReceptionReport> {
        let sender_reports = &self.sender_reports;
        self.ears
            .streams_mut()
            .rev()
            .take(REPORT_BLOCKS)
            .map(|stream| {
                let last = sender_reports
                    .iter()
                    .find(|(ssrc, ..)| *ssrc == stream.ssrc);
                ReceptionReport {
                    ssrc: stream.ssrc,
                    fraction_lost: stream.lost_since_last_report(),
                    lost: u32::try_from(stream.counts.lost().min(0x7f_ffff)).unwrap_or(0),
                    highest: u32::try_from(stream.highest() & 0xffff_ffff).unwrap_or(0),
                    // Arrival is stamped on a sample only.
                    jitter: 0,
                    last_report: last.map_or(0, |(_, middle, _)| *middle),
                    since_report: last.map_or(0, |(_, _, came)| since(*came, now)),
                }
            })
            .collect()
    }
}

/// In units of 1/65536 s.
fn since(came: Instant, now: Instant) -> u32 {
    let micros = now.saturating_duration_since(came).as_micros();
    u32::try_from(micros * 65_536 / 1_000_000).unwrap_or(u32::MAX)
}

/// SSRC and sequence number, read without looking at anything else.
fn clear_numbers(packet: &[u8]) -> Option<(u32, u16)> {
    let (head, _) = packet.split_first_chunk::<12>()?;
    let [_, _, s0, s1, _, _, _, _, r0, r1, r2, r3] = *head;
    Some((
        u32::from_be_bytes([r0, r1, r2, r3]),
        u16::from_be_bytes([s0, s1]),
    ))
}

/// Video, told by its size: the sealed payload of a voice packet is far smaller.
const fn is_large(packet: &[u8]) -> bool {
    packet.len() > 400
}

fn without_padding(payload: &[u8], is_padded: bool) -> &[u8] {
    let padding = if is_padded {
        payload.last().copied().map_or(0, usize::from)
    } else {
        0
    };
    payload
        .len()
        .checked_sub(padding)
        .and_then(|len| payload.get(..len))
        .unwrap_or_default()
}
