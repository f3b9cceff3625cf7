//! What an earlier worker left of a capture that is gone on with.
//!
//! In: its journal. Out: where its time began, what was left out of it, which numbers its tracks have.
//! Invariant: time goes on as if the capture had never stopped; what is missing is a gap.

use std::path::Path;
use std::time::{Duration, Instant};

use super::journal::{self, Entry};
use crate::client::TrackKey;

/// A capture that had begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Unix milliseconds of its zero.
    zero_at_ms: i64,
    /// How long it was paused. A pause that had no end ends now.
    left_out_ms: i64,
    pub(super) was_paused: bool,
    /// How long it had lasted when that was last written down.
    pub(super) lasted_ms: i64,
    /// The first number that no track of it has.
    pub(super) free: TrackKey,
}

impl Earlier {
    /// Reads a folder; `None` when no capture had begun there.
    pub(super) fn read(folder: &Path, now_ms: i64) -> Option<Self> {
        let mut zero_at_ms = None;
        let mut found = Self {
            zero_at_ms: 0,
            left_out_ms: 0,
            was_paused: false,
            lasted_ms: 0,
            free: 0,
        };
        let mut paused_at = None;
        for entry in journal::read(folder) {
            if let Entry::Zero { at_ms } = entry {
                zero_at_ms.get_or_insert(at_ms);
            } else if let Entry::Tick { t_ms } = entry {
                found.lasted_ms = found.lasted_ms.max(t_ms);
            } else if let Entry::Track { track, .. } = entry {
                found.free = found.free.max(track.saturating_add(1));
            } else if let Entry::Paused { at_ms, .. } = entry {
                paused_at = Some(at_ms);
            } else if let Entry::Resumed { at_ms, .. } = entry
                && let Some(since) = paused_at.take()
            {
                found.left_out_ms += at_ms.saturating_sub(since).max(0);
            }
        }
        if let Some(since) = paused_at {
            found.left_out_ms += now_ms.saturating_sub(since).max(0);
            found.was_paused = true;
        }
        found.zero_at_ms = zero_at_ms?;
        Some(found)
    }

    /// Zero, and how much is left out of what came since, on the clock of this process.
    pub(super) fn clock(&self, now: Instant, now_ms: i64) -> (Instant, Duration) {
        let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        // Never before the last that was written, should the machine's clock have been set back.
        let since = now_ms.saturating_sub(self.zero_at_ms);
        let since = since.max(self.lasted_ms.saturating_add(self.left_out_ms));
        let zero = now.checked_sub(ms(since)).unwrap_or(now);
        (zero, ms(self.left_out_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::journal::Journal;

    #[test]
    fn time_goes_on_and_tracks_get_new_numbers() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Earlier::read(folder.path(), 9_000), None);
        let mut journal = Journal::open(folder.path()).unwrap();
        let session = "s".to_owned();
        for entry in [
            Entry::Zero { at_ms: 1_000 },
            Entry::Track {
                track: 4,
                kind: proto::rtcd::TrackType::Voice,
                session,
                t_ms: 0,
            },
            Entry::Paused {
                t_ms: 500,
                at_ms: 1_500,
            },
            Entry::Resumed {
                t_ms: 500,
                at_ms: 2_500,
            },
            Entry::Tick { t_ms: 2_000 },
        ] {
            journal.record(&entry).unwrap();
        }
        let earlier = Earlier::read(folder.path(), 9_000).unwrap();
        assert_eq!(
            (earlier.free, earlier.lasted_ms, earlier.was_paused),
            (5, 2_000, false)
        );
        let now = Instant::now();
        let t_ms = |now_ms| {
            let (zero, left_out) = earlier.clock(now, now_ms);
            (now - zero - left_out).as_millis()
        };
        assert_eq!(t_ms(9_000), 7_000);
        assert_eq!(t_ms(1_200), 2_000, "a clock that was set back");
        let entry = Entry::Paused {
            t_ms: 2_100,
            at_ms: 4_100,
        };
        journal.record(&entry).unwrap();
        let earlier = Earlier::read(folder.path(), 9_000).unwrap();
        assert!(earlier.was_paused);
        let (zero, left_out) = earlier.clock(now, 9_000);
        assert_eq!((now - zero - left_out).as_millis(), 2_100);
    }
}
