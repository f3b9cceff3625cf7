//! A clock that stands still while the speech process waits for a processor that others have.
//!
//! On a machine that does nothing else it is the wall clock. Beside others' work delays by it come near
//! those of a quiet machine, from above: what waits in queues there waits for others too.
//! See: proc(5), `/proc/[pid]/schedstat`: time on a processor, time spent waiting for one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the waiting is looked at; the finest step of the clock.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// The clock of one measurement. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    microseconds: Arc<AtomicU64>,
    watching: Arc<Watching>,
}

#[derive(Debug)]
struct Watching {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It holds nothing that could be lost.
            let _ = thread.join();
        }
    }
}

impl Clock {
    /// Begins at 0 and watches the process.
    pub(crate) fn of(pid: u64) -> Self {
        let microseconds = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (time, stopped) = (microseconds.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let tasks = PathBuf::from(format!("/proc/{pid}/task"));
            let mut before = waited(&tasks);
            let mut last = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK_EVERY);
                let now = Instant::now();
                let passed = now.saturating_duration_since(last);
                let after = waited(&tasks);
                let longest = after.iter().map(|(task, waited)| {
                    waited.saturating_sub(before.get(task).copied().unwrap_or(*waited))
                });
                let longest = longest.max().unwrap_or_default();
                let moved = passed.saturating_sub(longest);
                time.fetch_add(
                    u64::try_from(moved.as_micros()).unwrap_or(0),
                    Ordering::Relaxed,
                );
                (before, last) = (after, now);
            }
        });
        let watching = Arc::new(Watching {
            stop,
            thread: Some(thread),
        });
        Self {
            microseconds,
            watching,
        }
    }

    pub(crate) fn now(&self) -> Duration {
        debug_assert!(
            self.watching.thread.is_some(),
            "it runs as long as there is a clock"
        );
        Duration::from_micros(self.microseconds.load(Ordering::Relaxed))
    }

    /// Waits until the clock shows that time.
    pub(crate) async fn until(&self, time: Duration) {
        while let Some(left) = time.checked_sub(self.now()).filter(|left| !left.is_zero()) {
            tokio::time::sleep(left.clamp(Duration::from_millis(1), Duration::from_millis(50)))
                .await;
        }
    }
}

/// How long each thread has waited for a processor so far.
fn waited(tasks: &PathBuf) -> BTreeMap<PathBuf, Duration> {
    let threads = std::fs::read_dir(tasks).into_iter().flatten().flatten();
    let waited = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
        Some((thread.path(), Duration::from_nanos(nanoseconds)))
    });
    waited.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn for_a_process_that_waits_for_nothing_it_is_the_wall_clock() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let (begun, clock) = (Instant::now(), Clock::of(child.id().into()));
        clock.until(Duration::from_millis(200)).await;
        let passed = begun.elapsed();
        assert!(clock.now() <= passed && passed >= Duration::from_millis(200));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
