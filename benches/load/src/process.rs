//! What a process costs: CPU time, memory, switches, descriptors, its children included.
//!
//! In: a process id. Out: a `Reading`; the difference of two is what a window cost.
//! CPU time comes from the kernel's per-process clock (nanoseconds, user and system together); the
//! ticks of `/proc/PID/stat` are read beside it as a check.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// Ticks per second of `/proc/PID/stat`: fixed at 100 in the kernel's user interface on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Totals since the process began, and its present size.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) cpu: Duration,
    /// The same from the ticks of `/proc/PID/stat`.
    pub(crate) cpu_by_ticks: Duration,
    pub(crate) resident_bytes: u64,
    /// Proportional: shared pages are split among those who map them.
    pub(crate) proportional_bytes: u64,
    pub(crate) switches: u64,
    pub(crate) descriptors: u64,
}

impl Reading {
    fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            cpu_by_ticks: self.cpu_by_ticks + other.cpu_by_ticks,
            resident_bytes: self.resident_bytes + other.resident_bytes,
            proportional_bytes: self.proportional_bytes + other.proportional_bytes,
            switches: self.switches + other.switches,
            descriptors: self.descriptors + other.descriptors,
        }
    }
}

/// Reads process `pid` and its living children.
pub(crate) fn read(pid: u32) -> anyhow::Result<Reading> {
    let mut sum = read_one(pid)?;
    for child in children(pid) {
        // One that ended meanwhile is in its parent's ticks no more than it is in ours.
        if let Ok(reading) = read(child) {
            sum = sum.plus(reading);
        }
    }
    Ok(sum)
}

fn read_one(pid: u32) -> anyhow::Result<Reading> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("read the CPU time of process {pid}: is it still running?"))?;
    let cpu_by_ticks = cpu_of(&stat).with_context(|| format!("read /proc/{pid}/stat"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("read the memory of process {pid}"))?;
    let resident_bytes = kilobytes(&status, "VmRSS:")
        .with_context(|| format!("find VmRSS in /proc/{pid}/status"))?;
    // Another user's process keeps these to itself: resident memory is the bound above.
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    Ok(Reading {
        cpu: clock_of(pid).unwrap_or(cpu_by_ticks),
        cpu_by_ticks,
        resident_bytes,
        proportional_bytes: kilobytes(&rollup, "Pss:").unwrap_or(resident_bytes),
        switches: switches_of(pid),
        descriptors: entries(&format!("/proc/{pid}/fd")),
    })
}

/// This thread's CPU time.
pub(crate) fn own_thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, duration)
}

fn clock_of(pid: u32) -> Option<Duration> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?);
    let clock = ClockId::pid_cpu_clock_id(pid).ok()?;
    clock_gettime(clock).ok().map(duration)
}

fn duration(time: TimeSpec) -> Duration {
    Duration::from(time)
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|child| child.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Voluntary and involuntary switches of all threads.
fn switches_of(pid: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .map(|status| {
            number(&status, "voluntary_ctxt_switches:").unwrap_or(0)
                + number(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0)
        })
        .sum()
}

fn entries(folder: &str) -> u64 {
    fs::read_dir(folder).map_or(0, |entries| u64::try_from(entries.count()).unwrap_or(0))
}

/// Fields 14 and 15, counted after the command's closing parenthesis because it may hold spaces.
fn cpu_of(stat: &str) -> Option<Duration> {
    let after_command = stat.rsplit_once(')')?.1;
    let mut fields = after_command.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64((user + system) / TICKS_PER_SECOND))
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    number(text, name).map(|kilobytes| kilobytes * 1024)
}

fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cpu_time_behind_a_command_with_spaces() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 1 2 3";
        assert_eq!(cpu_of(stat), Some(Duration::from_secs(3)));
    }

    #[test]
    fn reads_memory_and_switches() {
        let status = "Name:\tx\nVmRSS:\t   2048 kB\nvoluntary_ctxt_switches:\t7\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(2048 * 1024));
        assert_eq!(number(status, "voluntary_ctxt_switches:"), Some(7));
        assert_eq!(kilobytes("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn reads_this_process_and_its_two_clocks_agree() {
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_millis(60) {
            std::hint::spin_loop();
        }
        let reading = read(std::process::id()).unwrap();
        assert!(reading.resident_bytes > 0 && reading.descriptors > 0 && reading.switches > 0);
        assert!(reading.cpu > Duration::from_millis(30));
        let apart = reading.cpu.abs_diff(reading.cpu_by_ticks);
        assert!(apart < Duration::from_millis(60), "{apart:?} apart");
    }

    #[test]
    fn counts_children() {
        let mut child = std::process::Command::new("sleep")
            .arg("5")
            .spawn()
            .unwrap();
        assert!(children(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
