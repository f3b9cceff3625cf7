//! Joins and leaves that come in a rush: gathered, and dealt with together.
//!
//! In: joins of a running call in a large channel, leaves of a large call, one by one. Out: whether
//! one goes on at once. Many people follow one announcement, and go when the talk is over; what one
//! costs beside its own session (the call's record, word of another host) is paid once for all within
//! a second. Joins wait for it; leaves are told at once, and only who is the host waits.
//! Not here: the joins themselves, which wait with those for a call's post (`conversation`).
//! Invariant: nobody waits longer than `GATHERING`, and whoever came first gets in first.

use std::time::{Duration, Instant};

/// Fewest members of a channel whose joins are gathered.
pub(crate) const LARGE_ROOM: usize = 100;
/// Fewest sessions of a call whose leaves are gathered.
pub(crate) const LARGE_CALL: usize = 100;
/// Most joins that are gathered: with more they go on before their time.
pub(crate) const MOST_GATHERED: usize = 1000;
/// How long joins are gathered. Longer: people look longer at a call they are not in yet.
const GATHERING: Duration = Duration::from_secs(1);
/// Joins within `GATHERING` that are no rush: nobody waits for them.
const AT_ONCE: usize = 10;

/// How many came lately, and until when others wait.
#[derive(Debug, Default)]
pub(crate) struct Rush {
    since: Option<Instant>,
    let_in: usize,
    due: Option<Instant>,
}

impl Rush {
    /// Whether one more join goes on at once; if not, it waits until `due`.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        if self.due.is_some() {
            // Not before those who wait.
            return false;
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= GATHERING {
            self.since = Some(now);
            self.let_in = 0;
        }
        if self.let_in < AT_ONCE {
            self.let_in += 1;
            return true;
        }
        self.due = self.since.map(|since| since + GATHERING);
        false
    }

    /// When whoever waits is let in.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Nobody waits any more.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_a_second_go_on_at_once_and_the_others_at_its_end() {
        #[expect(clippy::disallowed_methods, reason = "one instant to begin with")]
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut rush = Rush::default();
        assert!((0..10).all(|number| rush.admits(at(number * 20))));
        assert_eq!(rush.due(), None);
        assert!(!rush.admits(at(300)) && !rush.admits(at(900)));
        assert_eq!(rush.due(), Some(at(1000)));
        // Not even when it is due, but they were not let in yet.
        assert!(!rush.admits(at(1200)));
        rush.end();
        assert!(rush.admits(at(1201)) && rush.due().is_none());
        // One every now and then never waits.
        let mut rush = Rush::default();
        assert!((0..100).all(|number| rush.admits(at(number * 101))));
    }
}
