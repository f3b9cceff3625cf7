//! What the system says of this process, as `rtcd_process_*`.
//!
//! In: `/proc/self`. Out: gauges and one counter, refreshed at each scrape.

use std::sync::Mutex;

use prometheus::{Counter, Gauge, Opts, Registry};

/// Jiffies of `/proc` per second: fixed by the kernel's interface.
const JIFFIES_PER_SECOND: f64 = 100.0;

/// The process metrics.
#[derive(Debug)]
pub(super) struct Process {
    cpu_seconds: Counter,
    /// A counter only moves by steps: the last total.
    last_cpu: Mutex<f64>,
    open_fds: Gauge,
    max_fds: Gauge,
    resident_bytes: Gauge,
    virtual_bytes: Gauge,
    max_virtual_bytes: Gauge,
    start_time: Gauge,
    threads: Gauge,
}

impl Process {
    pub(super) fn new(registry: &Registry) -> anyhow::Result<Self> {
        let options = |name: &str, help: &str| Opts::new(name, help).namespace("rtcd_process");
        let gauge = |name: &str, help: &str| -> anyhow::Result<Gauge> {
            let metric = Gauge::with_opts(options(name, help))?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let cpu_seconds = Counter::with_opts(options(
            "cpu_seconds_total",
            "CPU time of user and system in seconds",
        ))?;
        registry.register(Box::new(cpu_seconds.clone()))?;
        Ok(Self {
            cpu_seconds,
            last_cpu: Mutex::default(),
            open_fds: gauge("open_fds", "Open file descriptors")?,
            max_fds: gauge("max_fds", "Most file descriptors allowed")?,
            resident_bytes: gauge("resident_memory_bytes", "Resident memory in bytes")?,
            virtual_bytes: gauge("virtual_memory_bytes", "Virtual memory in bytes")?,
            max_virtual_bytes: gauge(
                "virtual_memory_max_bytes",
                "Most virtual memory allowed in bytes",
            )?,
            start_time: gauge("start_time_seconds", "Start of the process, UNIX time")?,
            threads: gauge("threads", "Threads of the process")?,
        })
    }

    /// Reads everything again; what the system does not tell stays as it is.
    pub(super) fn refresh(&self) {
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            self.open_fds.set(f64::from(
                u32::try_from(entries.count()).unwrap_or(u32::MAX),
            ));
        }
        if let Some(limits) = read("/proc/self/limits") {
            let both = [
                (&self.max_fds, "Max open files"),
                (&self.max_virtual_bytes, "Max address space"),
            ];
            for (gauge, name) in both {
                if let Some(most) = parse_limit(&limits, name) {
                    gauge.set(most);
                }
            }
        }
        let Some(stat) = read("/proc/self/stat").as_deref().and_then(parse_stat) else {
            return;
        };
        if let Ok(mut last) = self.last_cpu.lock() {
            self.cpu_seconds.inc_by((stat.cpu_seconds - *last).max(0.0));
            *last = stat.cpu_seconds;
        }
        self.virtual_bytes.set(stat.virtual_bytes);
        self.threads.set(stat.threads);
        if let Some(boot) = read("/proc/stat").as_deref().and_then(parse_boot_time) {
            self.start_time.set(boot + stat.started_after_boot);
        }
        if let Some(resident) = read("/proc/self/status")
            .as_deref()
            .and_then(parse_resident)
        {
            self.resident_bytes.set(resident);
        }
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: f64,
    started_after_boot: f64,
    virtual_bytes: f64,
}

/// Reads proc(5) `stat`; the command in parentheses may hold blanks, so counting starts behind it.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Stat {
        cpu_seconds: (number(11)? + number(12)?) / JIFFIES_PER_SECOND,
        threads: number(17)?,
        started_after_boot: number(19)? / JIFFIES_PER_SECOND,
        virtual_bytes: number(20)?,
    })
}

/// Finds the soft limit of a name of three words. Without a limit it is the largest number.
fn parse_limit(limits: &str, name: &str) -> Option<f64> {
    let line = limits.lines().find(|line| line.starts_with(name))?;
    match line.split_whitespace().nth(3)? {
        "unlimited" => Some(2f64.powi(64)),
        number => number.parse().ok(),
    }
}

fn parse_boot_time(stat: &str) -> Option<f64> {
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

fn parse_resident(status: &str) -> Option<f64> {
    let text = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_system_writes() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 9 0 1000 4096 77";
        let parsed = parse_stat(stat).unwrap();
        let wanted = Stat {
            cpu_seconds: 2.0,
            threads: 9.0,
            started_after_boot: 10.0,
            virtual_bytes: 4096.0,
        };
        assert_eq!(parsed, wanted);
        assert_eq!(parse_resident("VmRSS:\t   12 kB\n"), Some(12.0 * 1024.0));
        assert_eq!(parse_boot_time("cpu 1\nbtime 99\n"), Some(99.0));
        let limits = "Max open files            1024                 4096                 files\n\
                      Max address space         unlimited            unlimited            bytes\n";
        assert_eq!(parse_limit(limits, "Max open files"), Some(1024.0));
        assert_eq!(
            parse_limit(limits, "Max address space"),
            Some(2f64.powi(64))
        );
    }
}
