//! Refuses numbers that were seen before.
//!
//! In: numbers in about rising order. Out: whether each is new.
//! See: RFC 3711 3.3.2 (replay protection).

/// How far behind the highest number another one may come.
pub const WINDOW: u64 = 64;

/// Remembers the last `WINDOW` numbers of one sender.
#[derive(Debug, Clone, Copy, Default)]
pub struct Replay {
    /// One above the highest number seen; 0 for none.
    next: u64,
    /// Bit `i`: `next - 1 - i` was seen.
    seen: u64,
}

impl Replay {
    /// The highest number seen.
    #[must_use]
    pub const fn highest(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// Notes a number; false when it was seen before, or is too old to tell.
    pub const fn accept(&mut self, number: u64) -> bool {
        if number >= self.next {
            let ahead = number - self.next + 1;
            self.seen = if ahead >= WINDOW {
                0
            } else {
                self.seen << ahead
            };
            self.seen |= 1;
            self.next = number + 1;
            return true;
        }
        let behind = self.next - 1 - number;
        if behind >= WINDOW || self.seen & (1 << behind) != 0 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn late_numbers_pass_once_and_old_ones_never() {
        let mut replay = Replay::default();
        assert!(replay.accept(0));
        assert!(!replay.accept(0));
        assert!(replay.accept(100));
        assert!(replay.accept(99));
        assert!(!replay.accept(99));
        assert!(replay.accept(37));
        assert!(!replay.accept(36), "64 behind");
        assert!(replay.accept(1000));
        assert!(!replay.accept(100));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_number_passes_twice(numbers in prop::collection::vec(0..300u64, 0..400)) {
            let mut replay = Replay::default();
            let mut passed = BTreeSet::new();
            for number in numbers {
                if replay.accept(number) {
                    prop_assert!(passed.insert(number));
                }
            }
        }
    }
}
