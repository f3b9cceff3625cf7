//! How busy this machine is, as `/system` tells it: 1 / (average number of idle cores).
//!
//! In: `/proc/stat` and `/proc/uptime`, read once a second. Out: a finite number, comparable over
//! hosts; hosts with a smaller one get the next call.
//! Invariant: only the idle column counts, as in the reference; never infinite, never negative.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Jiffies of `/proc` per second: fixed by the kernel's interface.
const JIFFIES_PER_SECOND: f64 = 100.0;
/// Stands for "no core was idle at all": half a jiffy, so that the figure stays finite.
const LEAST_IDLE_JIFFIES: f64 = 0.5;

/// The latest figure.
#[derive(Debug, Clone, Default)]
pub(crate) struct CpuLoad(Arc<AtomicU64>);

impl CpuLoad {
    /// Returns the latest figure.
    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// How much of this machine is taken, in thousandths.
    pub(crate) fn thousandths(&self, cpus: usize) -> u16 {
        let cpus = u32::try_from(cpus).map_or(f64::from(u32::MAX), f64::from);
        let (load, cpus) = (self.get(), cpus.max(1.0));
        let idle = if load > 0.0 { 1.0 / load } else { cpus };
        let taken = (1.0 - idle / cpus).clamp(0.0, 1.0) * 1000.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 1000"
        )]
        let taken = taken.round() as u16;
        taken
    }

    fn set(&self, load: f64) {
        self.0.store(load.to_bits(), Ordering::Relaxed);
    }

    /// Samples for as long as the task lives. The first figure is the average since the machine
    /// started, so that a fresh node does not look the idlest of all.
    pub(crate) async fn sample(self) {
        let Some(mut last_idle) = read_idle() else {
            tracing::warn!("no `/proc/stat`: /system reports 0");
            return;
        };
        if let Some(uptime) = read_uptime() {
            self.set(load(uptime, last_idle));
        }
        let mut last_time = Instant::now();
        let mut ticks = tokio::time::interval(SAMPLE_EVERY);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let (Some(idle), now) = (read_idle(), Instant::now()) else {
                continue;
            };
            self.set(load((now - last_time).as_secs_f64(), idle - last_idle));
            (last_idle, last_time) = (idle, now);
        }
    }
}

/// Returns 1 / (idle cores), over `seconds` in which all cores together idled `idle_jiffies`.
fn load(seconds: f64, idle_jiffies: f64) -> f64 {
    seconds.max(0.0) / (idle_jiffies.max(LEAST_IDLE_JIFFIES) / JIFFIES_PER_SECOND)
}

fn read_idle() -> Option<f64> {
    parse_idle(&std::fs::read_to_string("/proc/stat").ok()?)
}

fn read_uptime() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Finds the idle column (the fourth number) of the line `cpu`.
fn parse_idle(stat: &str) -> Option<f64> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    line.split_whitespace().nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_one_over_the_idle_cores() {
        assert!((load(1.0, 400.0) - 0.25).abs() < 1e-9);
        assert!((load(2.0, 200.0) - 1.0).abs() < 1e-9);
        assert!(load(1.0, 0.0).is_finite());
        assert!(load(1.0, 0.0) > load(1.0, 1.0));
        assert!(load(1.0, -5.0).is_finite());
    }

    #[test]
    fn what_is_taken_is_told_in_thousandths() {
        let of = |load: f64| {
            let told = CpuLoad::default();
            told.set(load);
            told.thousandths(4)
        };
        // Of four cores idle: none known yet, all, one, none.
        assert_eq!([of(0.0), of(0.25), of(1.0), of(1e9)], [0, 0, 750, 1000]);
    }

    #[test]
    fn idle_is_the_fourth_column_of_all_cpus() {
        let stat = "cpu  10 20 30 4000 50 0 0 0 0 0\ncpu0 1 2 3 4 5\n";
        assert_eq!(parse_idle(stat), Some(4000.0));
        assert_eq!(parse_idle("intr 1"), None);
    }
}
