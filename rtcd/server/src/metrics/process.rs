//! What the system says of this process, as `rtcd_process_*`.
//!
//! In: `/proc`, as `procfs` reads it. Out: gauges and one counter, refreshed at each scrape.

use std::sync::Mutex;

use procfs::process::{LimitValue, Process as Status};
use prometheus::{Counter, Gauge, Opts, Registry};

/// What Prometheus' own clients write for no limit.
const UNLIMITED: f64 = 18_446_744_073_709_551_616.0;

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
        let Ok(status) = Status::myself() else { return };
        if let Ok(open) = status.fd_count() {
            self.open_fds.set(number(open));
        }
        if let Ok(limits) = status.limits() {
            self.max_fds.set(limit(&limits.max_open_files.soft_limit));
            self.max_virtual_bytes
                .set(limit(&limits.max_address_space.soft_limit));
        }
        let Ok(stat) = status.stat() else { return };
        let seconds = |ticks: u64| number(ticks) / number(procfs::ticks_per_second());
        let cpu = seconds(stat.utime + stat.stime);
        if let Ok(mut last) = self.last_cpu.lock() {
            self.cpu_seconds.inc_by((cpu - *last).max(0.0));
            *last = cpu;
        }
        self.virtual_bytes.set(number(stat.vsize));
        self.resident_bytes
            .set(number(stat.rss) * number(procfs::page_size()));
        self.threads.set(number(stat.num_threads));
        if let Ok(boot) = procfs::boot_time_secs() {
            self.start_time.set(number(boot) + seconds(stat.starttime));
        }
    }
}

fn limit(limit: &LimitValue) -> f64 {
    match limit {
        LimitValue::Unlimited => UNLIMITED,
        LimitValue::Value(most) => number(*most),
    }
}

/// Prometheus has no other numbers.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 ticks or bytes are far away"
)]
fn number(value: impl TryInto<i64>) -> f64 {
    value.try_into().map_or(UNLIMITED, |value| value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_arrives() {
        let process = Process::new(&Registry::new()).unwrap();
        let _open = std::fs::File::open("/proc/self/stat").unwrap();
        process.refresh();
        let is_between = |gauge: &Gauge, low: f64, high: f64| {
            let value = gauge.get();
            assert!((low..=high).contains(&value), "{low} <= {value} <= {high}");
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.unwrap().as_secs_f64();
        is_between(&process.open_fds, 4.0, process.max_fds.get());
        is_between(&process.resident_bytes, 1e5, process.virtual_bytes.get());
        is_between(&process.virtual_bytes, 1e6, process.max_virtual_bytes.get());
        is_between(&process.start_time, now - 3600.0, now + 2.0);
        is_between(&process.threads, 1.0, 1000.0);
        assert_eq!(limit(&LimitValue::Unlimited), UNLIMITED);
    }
}
