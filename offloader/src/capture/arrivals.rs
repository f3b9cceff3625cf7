//! What did not arrive of a track, counted by the numbers of what did.
//!
//! Invariant: a packet that comes late is no longer missing; one that comes twice counts once more,
//! which the media host prevents.

/// The packets of one track.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arrivals {
    /// The lowest and the highest number, once there is one.
    range: Option<(u64, u64)>,
    count: u64,
}

impl Arrivals {
    pub(crate) fn note(&mut self, seq_no: u64) {
        let (low, high) = self.range.unwrap_or((seq_no, seq_no));
        self.range = Some((low.min(seq_no), high.max(seq_no)));
        self.count += 1;
    }

    pub(crate) fn missing(&self) -> u64 {
        self.range.map_or(0, |(low, high)| {
            (high - low).saturating_add(1).saturating_sub(self.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_is_not_missing() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.missing(), 0);
        for seq_no in [10, 11, 14] {
            arrivals.note(seq_no);
        }
        assert_eq!(arrivals.missing(), 2);
        arrivals.note(12);
        assert_eq!(arrivals.missing(), 1);
        arrivals.note(9);
        assert_eq!(arrivals.missing(), 1);
    }
}
