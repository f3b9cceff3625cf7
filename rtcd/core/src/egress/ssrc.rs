//! SSRCs of one session's outgoing streams: each given out once.
//!
//! Invariant: within a session no SSRC is given twice, without remembering the ones that are gone.

use proto::id::new_id;

/// Odd, so that multiplying by it visits every 32-bit number once.
const STRIDE: u32 = 0x9e37_79b1;
/// `STRIDE * INVERSE == 1` modulo 2^32.
const INVERSE: u32 = inverse(STRIDE);

const fn inverse(odd: u32) -> u32 {
    // Newton's iteration doubles the correct bits: 3, 6, 12, 24, 48.
    let mut guess = odd;
    let mut round = 0;
    while round < 5 {
        guess = guess.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(guess)));
        round += 1;
    }
    guess
}

/// Gives out SSRCs: `base + n * STRIDE`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SsrcRange {
    base: u32,
    given: u32,
}

impl SsrcRange {
    /// Starts anywhere.
    pub(crate) fn random() -> Self {
        // Ids are random; a hash of one is a random number without a source of our own.
        let base = new_id().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        Self { base, given: 0 }
    }

    /// Gives out the next SSRC that `is_taken` does not name.
    pub(crate) fn next(&mut self, is_taken: impl Fn(u32) -> bool) -> u32 {
        loop {
            let ssrc = self.base.wrapping_add(self.given.wrapping_mul(STRIDE));
            self.given = self.given.wrapping_add(1);
            if ssrc > super::PROBE_SSRC && !is_taken(ssrc) {
                return ssrc;
            }
        }
    }

    /// Whether an SSRC was given out.
    pub(crate) const fn owns(&self, ssrc: u32) -> bool {
        ssrc.wrapping_sub(self.base).wrapping_mul(INVERSE) < self.given
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_ssrc_is_given_twice_and_all_are_known() {
        assert_eq!(STRIDE.wrapping_mul(INVERSE), 1);
        let mut range = SsrcRange::random();
        let given: BTreeSet<u32> = (0..10_000).map(|_| range.next(|_| false)).collect();
        assert_eq!(given.len(), 10_000);
        assert!(given.iter().all(|ssrc| range.owns(*ssrc)));
        let strangers = (0..10_000u32).filter(|ssrc| range.owns(*ssrc)).count();
        assert!(strangers < 10, "{strangers}");
        assert!(!given.contains(&0) && !given.contains(&super::super::PROBE_SSRC));
    }

    #[test]
    fn what_is_taken_is_passed_over() {
        let mut range = SsrcRange::random();
        let mut copy = range;
        let first = copy.next(|_| false);
        assert_ne!(range.next(|ssrc| ssrc == first), first);
    }
}
