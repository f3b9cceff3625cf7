//! What was sent of one video stream, to send it again byte for byte.
//!
//! In: every packet sent. Out: the record of a number a receiver misses, as often as is sensible.
//! The payload is not kept here but once per published stream (`packet_cache`).
//! Invariant: a packet made from a record equals the one sent first.

use std::time::{Duration, Instant};

use crate::media::Layer;
use crate::picture_ids::PictureIds;

/// A receiver asks again while the first repetition is on its way.
const SHORTEST_GAP: Duration = Duration::from_millis(20);
/// Repetitions add at most this share to what is sent: 1/3 repairs a loss of a quarter.
const CREDIT_DIVISOR: usize = 3;
const MOST_CREDIT: usize = 64 * 1024;

/// All that is needed, besides the payload, to make a packet again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentRecord {
    /// Extended sequence number as sent.
    pub(crate) seq_no: u64,
    /// Number of the packet within the published stream.
    pub(crate) source_seq_no: u64,
    pub(crate) layer: Layer,
    pub(crate) timestamp: u32,
    pub(crate) transport_sequence: Option<u16>,
    pub(crate) pictures: Option<PictureIds>,
}

/// A packet that was sent, and when it was repeated last.
type Sent = (SentRecord, Option<Instant>);

/// The last packets sent of one stream.
#[derive(Debug)]
pub(crate) struct SentLog {
    /// By sequence number modulo the length, with the time of the last repetition.
    records: Box<[Option<Sent>]>,
    /// Bytes that may be sent again.
    credit: usize,
}

impl SentLog {
    pub(crate) fn new(len: usize) -> Self {
        Self {
            records: vec![None; len.max(1)].into_boxed_slice(),
            credit: MOST_CREDIT,
        }
    }

    pub(crate) fn sent(&mut self, record: SentRecord, bytes: usize) {
        if let Some(place) = self.place(record.seq_no) {
            *place = Some((record, None));
        }
        self.credit = (self.credit + bytes / CREDIT_DIVISOR).min(MOST_CREDIT);
    }

    /// Returns the record of a missing packet, if it is known, and may be sent again now.
    pub(crate) fn missing(&mut self, now: Instant, seq_no: u64) -> Option<SentRecord> {
        if self.credit == 0 {
            return None;
        }
        let (record, repeated_at) = self.place(seq_no)?.as_mut()?;
        let too_soon = repeated_at.is_some_and(|at| now < at + SHORTEST_GAP);
        if record.seq_no != seq_no || too_soon {
            return None;
        }
        *repeated_at = Some(now);
        Some(*record)
    }

    /// A packet of so many bytes was sent again.
    pub(crate) const fn repeated(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub(bytes);
    }

    fn place(&mut self, seq_no: u64) -> Option<&mut Option<Sent>> {
        let len = u64::try_from(self.records.len()).ok()?;
        self.records.get_mut(usize::try_from(seq_no % len).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;

    fn record(seq_no: u64) -> SentRecord {
        SentRecord {
            seq_no,
            source_seq_no: seq_no + 7,
            layer: Layer::LOW,
            timestamp: 1,
            transport_sequence: None,
            pictures: None,
        }
    }

    #[test]
    fn only_the_last_packets_are_known() {
        let now = test_epoch();
        let mut log = SentLog::new(4);
        (10..20).for_each(|seq_no| log.sent(record(seq_no), 100));
        assert_eq!(log.missing(now, 15), None);
        assert_eq!(log.missing(now, 16), Some(record(16)));
        assert_eq!(log.missing(now, 20), None);
    }

    #[test]
    fn a_packet_is_not_repeated_while_its_repetition_travels() {
        let now = test_epoch();
        let mut log = SentLog::new(4);
        log.sent(record(1), 100);
        assert!(log.missing(now, 1).is_some());
        assert!(log.missing(now + SHORTEST_GAP / 2, 1).is_none());
        assert!(log.missing(now + SHORTEST_GAP, 1).is_some());
    }

    #[test]
    fn repetitions_are_a_share_of_what_is_sent() {
        let now = test_epoch();
        let mut log = SentLog::new(64);
        log.sent(record(1), 1000);
        log.repeated(MOST_CREDIT);
        assert!(log.missing(now, 1).is_none());
        log.sent(record(2), 900);
        assert!(log.missing(now, 1).is_some());
        log.repeated(1000);
        assert!(log.missing(now, 2).is_none());
    }
}
