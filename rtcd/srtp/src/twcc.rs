//! Transport-wide feedback: when each packet of a connection arrived.
//!
//! In: the feedback part of an RTCP packet. Out: arrival times by transport-wide number.
//! See: draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1.

/// Arrival times are given in quarters of a millisecond.
const DELTA_US: i64 = 250;
/// The reference time is given in 64 ms.
const REFERENCE_US: i64 = 64_000;
/// Packets one message may be about. Feedback comes many times per second; a few bytes that speak
/// of many thousands are not about packets of ours.
const MOST_PACKETS: usize = 2048;

/// One feedback message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransportFeedback {
    /// Transport-wide number of the first packet; the others follow.
    pub first: u16,
    /// For each packet the arrival time in microseconds of the receiver's clock (which wraps with
    /// the 24 bits of its reference time), or `None` when it did not arrive.
    pub arrivals: Vec<Option<i64>>,
}

#[derive(Clone, Copy)]
enum Status {
    Missing,
    SmallDelta,
    LargeDelta,
}

impl TransportFeedback {
    /// Reads what follows the SSRCs of a transport feedback packet; `None` when it is malformed.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<8>()?;
        let [b0, b1, c0, c1, t0, t1, t2, _] = *head;
        let count = usize::from(u16::from_be_bytes([c0, c1]));
        if count > MOST_PACKETS {
            return None;
        }
        let mut statuses = Vec::new();
        while statuses.len() < count {
            let (chunk, after) = rest.split_first_chunk::<2>()?;
            push_statuses(u16::from_be_bytes(*chunk), &mut statuses);
            rest = after;
        }
        statuses.truncate(count);
        // 24 bits with sign.
        let reference = i32::from_be_bytes([t0, t1, t2, 0]) >> 8;
        let mut time = i64::from(reference) * REFERENCE_US;
        let mut arrivals = Vec::with_capacity(count);
        for status in statuses {
            let delta = match status {
                Status::Missing => {
                    arrivals.push(None);
                    continue;
                }
                Status::SmallDelta => {
                    let (delta, after) = rest.split_first()?;
                    rest = after;
                    i64::from(*delta)
                }
                Status::LargeDelta => {
                    let (delta, after) = rest.split_first_chunk::<2>()?;
                    rest = after;
                    i64::from(i16::from_be_bytes(*delta))
                }
            };
            time += delta * DELTA_US;
            arrivals.push(Some(time));
        }
        Some(Self {
            first: u16::from_be_bytes([b0, b1]),
            arrivals,
        })
    }
}

/// A chunk is a run of one status, or a list of 14 one-bit or 7 two-bit statuses.
fn push_statuses(chunk: u16, statuses: &mut Vec<Status>) {
    if chunk & 0x8000 == 0 {
        let run = usize::from(chunk & 0x1fff);
        // The longest run is 8191; the list is cut to the announced count afterwards. An empty run
        // counts as one, so that no list of them is endless.
        statuses.extend(std::iter::repeat_n(status(chunk >> 13), run.max(1)));
    } else if chunk & 0x4000 == 0 {
        statuses.extend((0..14).rev().map(|bit| status(chunk >> bit & 1)));
    } else {
        statuses.extend((0..7).rev().map(|pair| status(chunk >> (2 * pair) & 3)));
    }
}

const fn status(symbol: u16) -> Status {
    match symbol & 3 {
        1 => Status::SmallDelta,
        2 => Status::LargeDelta,
        // 3 is reserved and carries no delta.
        _ => Status::Missing,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_run_a_list_and_both_sizes_of_delta() {
        let bytes = [
            0x00, 0x05, 0x00, 0x05, 0x00, 0x00, 0x02, 0x07, // from 5, 5 packets, reference 2
            0x20, 0x02, // 2 small
            0xc9, 0x00, // list of two bits: missing, large, small
            4, 8, // deltas of the run
            0xff, 0xfc, // large: -4
            12,
        ];
        let feedback = TransportFeedback::read(&bytes).unwrap();
        assert_eq!(feedback.first, 5);
        let reference = 128_000;
        assert_eq!(
            feedback.arrivals,
            [
                Some(reference + 1000),
                Some(reference + 3000),
                None,
                Some(reference + 2000),
                Some(reference + 5000),
            ]
        );
    }

    #[test]
    fn a_list_of_bits_says_what_is_missing() {
        // Bits 1 0 1 1.
        let bytes = [
            0xff,
            0xff,
            0,
            4,
            0xff,
            0xff,
            0xff,
            0,
            0x80 | 0x2c,
            0,
            0,
            4,
            4,
        ];
        let feedback = TransportFeedback::read(&bytes).unwrap();
        assert_eq!(
            feedback.arrivals,
            [Some(-64_000), None, Some(-63_000), Some(-62_000)]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_feedback_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(feedback) = TransportFeedback::read(&bytes) {
                prop_assert!(feedback.arrivals.len() <= usize::from(u16::MAX));
            }
        }
    }
}
