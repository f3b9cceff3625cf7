//! What a process costs, read from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// Ticks per second of `/proc/PID/stat`: fixed at 100 in the kernel's user interface on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Totals since the process began, and its present size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
}

/// Reads CPU time (user and system, all threads) and resident memory of process `pid`.
pub(crate) fn read(pid: u32) -> anyhow::Result<Reading> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("read the CPU time of process {pid}"))?;
    let cpu = cpu_of(&stat).with_context(|| format!("read /proc/{pid}/stat"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("read the memory of process {pid}"))?;
    let resident_bytes =
        resident_of(&status).with_context(|| format!("find VmRSS in /proc/{pid}/status"))?;
    Ok(Reading {
        cpu,
        resident_bytes,
    })
}

/// Fields 14 and 15, counted after the command's closing parenthesis because it may hold spaces.
fn cpu_of(stat: &str) -> Option<Duration> {
    let after_command = stat.rsplit_once(')')?.1;
    let mut fields = after_command.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64((user + system) / TICKS_PER_SECOND))
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
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
    fn reads_resident_memory() {
        assert_eq!(
            resident_of("Name:\tx\nVmRSS:\t   2048 kB\n"),
            Some(2048 * 1024)
        );
        assert_eq!(resident_of("Name:\tx\n"), None);
    }

    #[test]
    fn reads_this_process() {
        assert!(read(std::process::id()).unwrap().resident_bytes > 0);
    }
}
