//! Counts what one participant receives: by SSRC and extended sequence number.
//!
//! In: SSRC and sequence number of every packet. Out: its index (for opening it) and `Counts`.
//! Invariant: a packet is counted once; numbers wrap without a trace.
//! See: RFC 3550 A.1 (extension of the sequence number), RFC 3711 3.3.1.

/// A jump forward of this many numbers is a sender that began again, not loss (RFC 3550 A.1).
const RESTART: i64 = 3000;
/// How far back a packet is still recognised as seen or missing.
const WINDOW: u64 = 1024;
const WORDS: usize = 16;

/// Sums over streams; differences of two give a window of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Different packets that arrived.
    pub(crate) received: u64,
    /// Numbers from the first to the highest.
    pub(crate) expected: u64,
    pub(crate) duplicates: u64,
    /// Arrived behind a higher number.
    pub(crate) reordered: u64,
    pub(crate) restarts: u64,
    /// UDP payload of all packets, duplicates included.
    pub(crate) bytes: u64,
}

impl Counts {
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            expected: self.expected + other.expected,
            duplicates: self.duplicates + other.duplicates,
            reordered: self.reordered + other.reordered,
            restarts: self.restarts + other.restarts,
            bytes: self.bytes + other.bytes,
        }
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self {
            received: self.received.saturating_sub(other.received),
            expected: self.expected.saturating_sub(other.expected),
            duplicates: self.duplicates.saturating_sub(other.duplicates),
            reordered: self.reordered.saturating_sub(other.reordered),
            restarts: self.restarts.saturating_sub(other.restarts),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    /// Numbers that never came.
    pub(crate) const fn lost(self) -> u64 {
        self.expected.saturating_sub(self.received)
    }
}

/// Where a packet stands in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The highest so far; `missing` numbers lie between it and the one before.
    Newest {
        missing: u16,
    },
    /// Behind the highest and not seen before.
    Late,
    Duplicate,
}

/// One received stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) ssrc: u32,
    pub(crate) counts: Counts,
    first: u64,
    highest: u64,
    /// Bit n of the ring: number congruent n was seen.
    seen: [u64; WORDS],
    reported: Counts,
}

impl Stream {
    /// The rollover counter is taken to be zero at the first packet.
    fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            counts: Counts::default(),
            reported: Counts::default(),
            first: 0,
            highest: 0,
            seen: [0; WORDS],
        }
    }

    pub(crate) const fn highest(&self) -> u64 {
        self.highest
    }

    /// Share lost since the last call, in 1/256 (RFC 3550 6.4.1).
    pub(crate) fn lost_since_last_report(&mut self) -> u8 {
        let since = self.counts.minus(self.reported);
        self.reported = self.counts;
        let share = since.lost() * 256 / since.expected.max(1);
        u8::try_from(share).unwrap_or(u8::MAX)
    }

    /// The number nearest to the highest that has these low 16 bits (RFC 3711 3.3.1).
    fn index_of(&self, sequence: u16) -> u64 {
        if self.counts.expected == 0 {
            return sequence.into();
        }
        let forward = i64::from(sequence.wrapping_sub(low(self.highest)).cast_signed());
        self.highest.saturating_add_signed(forward)
    }

    fn take(&mut self, index: u64) -> Place {
        if self.counts.expected == 0 {
            self.first = index;
            self.highest = index;
            self.counts.expected = 1;
            self.counts.received = 1;
            self.mark(index);
            return Place::Newest { missing: 0 };
        }
        let Some(ahead) = index
            .checked_sub(self.highest)
            .filter(|ahead| *ahead > 0)
            .and_then(|ahead| i64::try_from(ahead).ok())
        else {
            return self.take_late(index);
        };
        if ahead >= RESTART {
            self.counts.restarts += 1;
            self.seen = [0; WORDS];
            self.counts.expected += 1;
        } else {
            for skipped in self.highest + 1..index {
                self.unmark(skipped);
            }
            self.counts.expected += ahead.unsigned_abs();
        }
        self.highest = index;
        self.counts.received += 1;
        self.mark(index);
        let missing = if ahead >= RESTART { 0 } else { ahead - 1 };
        Place::Newest {
            missing: u16::try_from(missing).unwrap_or(0),
        }
    }

    fn take_late(&mut self, index: u64) -> Place {
        if self.highest - index >= WINDOW || self.is_marked(index) {
            self.counts.duplicates += 1;
            return Place::Duplicate;
        }
        self.mark(index);
        self.counts.reordered += 1;
        // Older than our first: it was not expected, so it must not make up for a loss.
        if index >= self.first {
            self.counts.received += 1;
        }
        Place::Late
    }

    fn word(&mut self, index: u64) -> Option<(&mut u64, u64)> {
        let bit = usize::try_from(index % WINDOW).ok()?;
        Some((self.seen.get_mut(bit / 64)?, 1 << (bit % 64)))
    }

    fn mark(&mut self, index: u64) {
        if let Some((word, bit)) = self.word(index) {
            *word |= bit;
        }
    }

    fn unmark(&mut self, index: u64) {
        if let Some((word, bit)) = self.word(index) {
            *word &= !bit;
        }
    }

    fn is_marked(&mut self, index: u64) -> bool {
        self.word(index).is_some_and(|(word, bit)| *word & bit != 0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are meant")]
const fn low(index: u64) -> u16 {
    index as u16
}

/// All streams one participant receives.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    streams: Vec<Stream>,
    last: usize,
}

impl Ears {
    /// Counts a packet of `bytes` bytes; returns its extended number and its place.
    pub(crate) fn hear(&mut self, ssrc: u32, sequence: u16, bytes: usize) -> (u64, Place) {
        let stream = self.stream(ssrc);
        let index = stream.index_of(sequence);
        stream.counts.bytes += u64::try_from(bytes).unwrap_or(0);
        (index, stream.take(index))
    }

    pub(crate) fn streams_mut(&mut self) -> std::slice::IterMut<'_, Stream> {
        self.streams.iter_mut()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.streams
            .iter()
            .fold(Counts::default(), |sum, stream| sum.plus(stream.counts))
    }

    /// Packets of one stream come in runs: the last one is tried first.
    fn stream(&mut self, ssrc: u32) -> &mut Stream {
        let is_last = self
            .streams
            .get(self.last)
            .is_some_and(|stream| stream.ssrc == ssrc);
        if !is_last {
            self.last = self
                .streams
                .iter()
                .position(|stream| stream.ssrc == ssrc)
                .unwrap_or(self.streams.len());
        }
        if self.last == self.streams.len() {
            self.streams.push(Stream::new(ssrc));
        }
        let last = self.last;
        self.streams
            .get_mut(last)
            .expect("the position was found or pushed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(sequences: &[u16]) -> Counts {
        let mut ears = Ears::default();
        for sequence in sequences {
            ears.hear(7, *sequence, 100);
        }
        ears.counts()
    }

    #[test]
    fn a_gap_is_loss() {
        let counts = heard(&[10, 11, 14, 15]);
        assert_eq!((counts.received, counts.expected, counts.lost()), (4, 6, 2));
        assert_eq!(counts.bytes, 400);
    }

    #[test]
    fn a_late_packet_is_reordered_and_not_lost() {
        let counts = heard(&[10, 12, 11, 13]);
        assert_eq!(
            (counts.received, counts.lost(), counts.reordered),
            (4, 0, 1)
        );
    }

    #[test]
    fn a_second_copy_is_a_duplicate_and_makes_up_for_nothing() {
        let counts = heard(&[10, 11, 11, 13, 10]);
        assert_eq!(
            (counts.received, counts.lost(), counts.duplicates),
            (3, 1, 2)
        );
    }

    #[test]
    fn numbers_wrap_without_loss_and_extend() {
        let mut ears = Ears::default();
        ears.hear(7, 65534, 1);
        ears.hear(7, 65535, 1);
        assert_eq!(ears.hear(7, 1, 1), (65537, Place::Newest { missing: 1 }));
        assert_eq!(ears.hear(7, 0, 1), (65536, Place::Late));
        let counts = ears.counts();
        assert_eq!(
            (counts.received, counts.lost(), counts.reordered),
            (4, 0, 1)
        );
    }

    #[test]
    fn many_wraps_lose_nothing() {
        let mut ears = Ears::default();
        for number in 0..200_000u32 {
            ears.hear(7, low(number.into()), 1);
        }
        let counts = ears.counts();
        assert_eq!((counts.received, counts.expected), (200_000, 200_000));
        assert_eq!(ears.streams[0].highest(), 199_999);
    }

    #[test]
    fn what_came_before_our_first_packet_hides_no_loss() {
        let counts = heard(&[10, 9, 12]);
        assert_eq!((counts.received, counts.expected, counts.lost()), (2, 3, 1));
    }

    #[test]
    fn a_long_jump_is_a_restart() {
        let counts = heard(&[10, 11, 8011, 8012]);
        assert_eq!((counts.lost(), counts.restarts, counts.received), (0, 1, 4));
    }

    #[test]
    fn a_number_whose_place_in_the_ring_was_used_is_new() {
        let mut ears = Ears::default();
        ears.hear(7, 0, 1);
        ears.hear(7, 1025, 1);
        // 1024 shares its bit with 0, which was seen.
        assert_eq!(ears.hear(7, 1024, 1).1, Place::Late);
        assert_eq!(ears.hear(7, 1024, 1).1, Place::Duplicate);
    }

    #[test]
    fn a_report_tells_the_share_lost_since_the_last_one() {
        let mut ears = Ears::default();
        for sequence in [0, 1, 3] {
            ears.hear(7, sequence, 1);
        }
        let stream = &mut ears.streams[0];
        assert_eq!(stream.lost_since_last_report(), 64);
        assert_eq!(stream.lost_since_last_report(), 0);
    }

    #[test]
    fn streams_are_counted_apart() {
        let mut ears = Ears::default();
        ears.hear(1, 10, 1);
        ears.hear(2, 500, 1);
        ears.hear(1, 11, 1);
        ears.hear(2, 502, 1);
        assert_eq!(ears.streams.len(), 2);
        assert_eq!(ears.counts().lost(), 1);
    }
}
