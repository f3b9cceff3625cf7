//! Whether a window that is being recognised has got stuck.
//!
//! In: the processor time of its thread, looked at from another one. Out: a verdict.
//! Not here: ending the process (`process`).
//! Invariant: a window that has to share the processor is not stuck, however long it takes: what counts
//! is the time it had, and whether it had any.
//! See: proc(5), `/proc/[pid]/schedstat`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A window takes about 2 s of one core; beyond this whisper.cpp turns in circles.
const CIRCLING: Duration = Duration::from_secs(120);
/// A thread that had no processor at all for so long waits for something that does not come: even
/// beside a hundred others it would have had some.
const WAITING: Duration = Duration::from_secs(120);

/// One run of a thread.
#[derive(Debug)]
pub(super) struct Run {
    thread: Option<PathBuf>,
    spent_before: Duration,
    seen: Duration,
    moved: Instant,
}

impl Run {
    /// A run of the calling thread that begins now.
    pub(super) fn begin() -> Self {
        let thread = this_thread();
        let spent = thread.as_deref().and_then(spent).unwrap_or_default();
        Self {
            thread,
            spent_before: spent,
            seen: spent,
            moved: Instant::now(),
        }
    }

    /// Looks at the thread and says whether it is stuck.
    pub(super) fn is_stuck(&mut self, now: Instant) -> bool {
        let spent = self.thread.as_deref().and_then(spent);
        self.judge(spent, now)
    }

    /// Without processor times (no `/proc`) only the clock is left.
    fn judge(&mut self, spent: Option<Duration>, now: Instant) -> bool {
        if let Some(spent) = spent.filter(|spent| *spent > self.seen) {
            self.seen = spent;
            self.moved = now;
        }
        self.seen.saturating_sub(self.spent_before) >= CIRCLING
            || now.saturating_duration_since(self.moved) >= WAITING
    }
}

/// Where the processor time of the calling thread can be read by others.
fn this_thread() -> Option<PathBuf> {
    let thread = fs::read_link("/proc/thread-self").ok()?;
    Some(Path::new("/proc").join(thread).join("schedstat"))
}

/// Time on a processor: the first number, in nanoseconds.
fn spent(schedstat: &Path) -> Option<Duration> {
    let text = fs::read_to_string(schedstat).ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> (Run, Instant) {
        let moved = Instant::now();
        let run = Run {
            thread: None,
            spent_before: Duration::from_secs(7),
            seen: Duration::from_secs(7),
            moved,
        };
        (run, moved)
    }

    #[test]
    fn a_window_on_a_busy_machine_is_not_stuck_however_long_it_takes() {
        let (mut run, begun) = run();
        for minute in 1..60 {
            let now = begun + Duration::from_secs(60 * minute);
            let spent = Duration::from_secs(7 + minute);
            assert!(!run.judge(Some(spent), now), "after {minute} minutes");
        }
    }

    #[test]
    fn turning_in_circles_is_noticed_by_the_time_it_takes_from_others() {
        let (mut run, begun) = run();
        let soon = begun + Duration::from_secs(121);
        assert!(!run.judge(Some(Duration::from_secs(126)), soon));
        assert!(run.judge(Some(Duration::from_secs(127)), soon));
    }

    #[test]
    fn waiting_for_ever_is_noticed_by_the_clock() {
        let (mut run, begun) = run();
        assert!(!run.judge(
            Some(Duration::from_secs(7)),
            begun + Duration::from_secs(119)
        ));
        assert!(run.judge(
            Some(Duration::from_secs(7)),
            begun + Duration::from_secs(120)
        ));
        assert!(run.judge(None, begun + Duration::from_secs(120)));
    }

    #[test]
    fn what_is_read_is_processor_time() {
        let before = spent(&this_thread().unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        let slept = spent(&this_thread().unwrap()).unwrap() - before;
        assert!(slept < Duration::from_millis(40), "sleeping took {slept:?}");
        let begun = Instant::now();
        while spent(&this_thread().unwrap()).unwrap() - before < Duration::from_millis(20) {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "nothing is counted"
            );
        }
    }
}
