//! One outgoing RTP stream: header, seal, sender reports, repetition.
//!
//! In: a packet of a track with its place in this stream. Out: sealed packets in the batch.
//! Sender reports are made while packets are sent, one behind a packet of the same receiver, so that
//! both leave in one call and an idle stream costs nothing.
//! Invariants: see `egress`; not `Clone`, one owner for the life of its SSRC.
//! See: RFC 3550 5.1, 6.4.1.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtcd_srtp::replay::Replay;
use rtcd_srtp::rtcp::{self, SenderReport};
use rtcd_srtp::rtp::{Header, MAX_HEADER};

use super::sent::SentLog;
use super::{Egress, MAX_PAYLOAD, MediaBatch, Path, SentRecord};
use crate::bandwidth::TransportLog;
use crate::media::Layer;
use crate::picture_ids::PictureIds;

/// Time between two sender reports of a stream.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Header extensions the participant understands on this m-line, by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extensions {
    pub(crate) audio_level: Option<u8>,
    pub(crate) transport_sequence: Option<u8>,
}

/// A packet, placed in one receiver's stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    /// Extended sequence number in the receiver's stream.
    pub(crate) seq_no: u64,
    pub(crate) timestamp: u32,
    /// Number within the published stream.
    pub(crate) source_seq_no: u64,
    pub(crate) layer: Layer,
    pub(crate) marker: bool,
    pub(crate) audio_level: Option<u8>,
    pub(crate) payload: &'a [u8],
    /// What the picture ids in the payload are to be replaced by.
    pub(crate) pictures: Option<PictureIds>,
}

/// One outgoing stream of one participant.
#[derive(Debug)]
pub(crate) struct EgressStream {
    ssrc: u32,
    /// Known to the participant from our description; lets it play one person's streams in step.
    cname: Arc<str>,
    payload_type: u8,
    extensions: Extensions,
    sealed: Replay,
    packets: u32,
    octets: u32,
    /// Index of the next RTCP packet.
    report_index: u32,
    next_report: Option<Instant>,
    /// For video, whose packets are repeated when they are lost.
    log: Option<Box<SentLog>>,
}

impl EgressStream {
    /// `ssrc` was never used in this session. `repeats`: packets remembered to be sent again.
    pub(crate) fn new(
        (ssrc, cname): (u32, Arc<str>),
        payload_type: u8,
        extensions: Extensions,
        repeats: Option<usize>,
    ) -> Self {
        Self {
            ssrc,
            cname,
            payload_type,
            extensions,
            sealed: Replay::default(),
            packets: 0,
            octets: 0,
            report_index: 0,
            next_report: None,
            log: repeats.map(|len| Box::new(SentLog::new(len))),
        }
    }

    /// Seals a packet into the batch; false when it was sent before, or cannot be sent.
    pub(crate) fn send(
        &mut self,
        egress: &mut Egress,
        now: Instant,
        packet: &Outgoing<'_>,
        batch: &mut MediaBatch,
    ) -> bool {
        // Asked before anything else: a number once given is never sealed again.
        if packet.payload.len() > MAX_PAYLOAD || !self.sealed.accept(packet.seq_no) {
            return false;
        }
        let Some(path) = egress.reachable() else {
            return false;
        };
        let transport_sequence = self.extensions.transport_sequence.map(|_| {
            let log = egress
                .transport
                .get_or_insert_with(|| Box::new(TransportLog::default()));
            log.sent(now, packet.payload.len())
        });
        let record = SentRecord {
            seq_no: packet.seq_no,
            source_seq_no: packet.source_seq_no,
            layer: packet.layer,
            timestamp: packet.timestamp,
            transport_sequence,
            pictures: packet.pictures,
        };
        if !self.seal(egress, path, &record, packet, batch) {
            return false;
        }
        if let Some(log) = &mut self.log {
            log.sent(record, packet.payload.len());
        }
        self.packets = self.packets.wrapping_add(1);
        let len = u32::try_from(packet.payload.len()).unwrap_or(0);
        self.octets = self.octets.wrapping_add(len);
        if self.next_report.is_none_or(|at| now >= at) {
            self.next_report = Some(now + REPORT_EVERY);
            let report = SenderReport {
                ntp: egress.clock.ntp(now),
                timestamp: packet.timestamp,
                packets: self.packets,
                octets: self.octets,
            };
            self.report(egress, path, &report, batch);
        }
        true
    }

    /// Sends a packet again. `packet` must be what was sent under `record`.
    pub(crate) fn repeat(
        &mut self,
        egress: &Egress,
        record: &SentRecord,
        packet: &Outgoing<'_>,
        batch: &mut MediaBatch,
    ) -> bool {
        let Some(path) = egress.reachable() else {
            return false;
        };
        if let Some(log) = &mut self.log {
            log.repeated(packet.payload.len());
        }
        self.seal(egress, path, record, packet, batch)
    }

    /// Returns the record of the packet a receiver misses, if it may be sent again now.
    pub(crate) fn missing(&mut self, now: Instant, sequence: u16) -> Option<SentRecord> {
        let highest = self.sealed.highest()?;
        // The number below the highest one that ends in these 16 bits.
        let behind = highest.wrapping_sub(u64::from(sequence)) & 0xffff;
        let seq_no = highest.checked_sub(behind)?;
        self.log.as_mut()?.missing(now, seq_no)
    }

    /// A function of its arguments and nothing else: what makes a repetition equal to the original.
    fn seal(
        &self,
        egress: &Egress,
        path: Path,
        record: &SentRecord,
        packet: &Outgoing<'_>,
        batch: &mut MediaBatch,
    ) -> bool {
        let header = Header {
            marker: packet.marker,
            payload_type: self.payload_type,
            sequence: low_bits(record.seq_no),
            timestamp: record.timestamp,
            ssrc: self.ssrc,
            padding: false,
            audio_level: self.extensions.audio_level.zip(packet.audio_level),
            transport_sequence: self
                .extensions
                .transport_sequence
                .zip(record.transport_sequence),
        };
        let mut head = [0; MAX_HEADER];
        let head_len = header.write(&mut head);
        let Some(head) = head.get(..head_len) else {
            return false;
        };
        let len = head_len + packet.payload.len() + egress.send.profile().tag_len();
        let Some(pictures) = record.pictures else {
            return batch.push(path, len, |out| {
                let (seq_no, payload) = (record.seq_no, packet.payload);
                egress.send.seal_rtp(seq_no, head, payload, &[], out)
            });
        };
        let mut changed = std::mem::take(&mut batch.scratch);
        changed.clear();
        changed.extend_from_slice(packet.payload);
        pictures.write(&mut changed);
        let pushed = batch.push(path, len, |out| {
            egress
                .send
                .seal_rtp(record.seq_no, head, &changed, &[], out)
        });
        batch.scratch = changed;
        pushed
    }

    fn report(
        &mut self,
        egress: &Egress,
        path: Path,
        report: &SenderReport,
        batch: &mut MediaBatch,
    ) {
        let cname = Arc::clone(&self.cname);
        self.send_compound(egress, path, batch, |ssrc, out| {
            rtcp::write_sender_report(out, ssrc, report);
            rtcp::write_cname(out, ssrc, &cname);
        });
    }

    /// Says that the stream has ended.
    pub(super) fn goodbye(&mut self, egress: &Egress, batch: &mut MediaBatch) {
        // Nobody knows of a stream that was never sent.
        if self.packets == 0 {
            return;
        }
        let Some(path) = egress.reachable() else {
            return;
        };
        self.send_compound(egress, path, batch, |ssrc, out| {
            // A compound begins with a report, here one about nothing (RFC 3550 6.1).
            rtcp::write_receiver_report(out, ssrc, &[]);
            rtcp::write_goodbye(out, ssrc);
        });
    }

    fn send_compound(
        &mut self,
        egress: &Egress,
        path: Path,
        batch: &mut MediaBatch,
        write: impl FnOnce(u32, &mut Vec<u8>),
    ) {
        let mut compound = std::mem::take(&mut batch.compound);
        compound.clear();
        write(self.ssrc, &mut compound);
        let index = self.report_index;
        // Counted before it is used; 2^31 reports are 68 years.
        self.report_index += 1;
        if egress.send.seal_rtcp(index, &mut compound).is_some() {
            batch.push_copy(path, &compound);
        }
        batch.compound = compound;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the wire carries the low 16 bits (RFC 3550 5.1)"
)]
const fn low_bits(seq_no: u64) -> u16 {
    seq_no as u16
}
