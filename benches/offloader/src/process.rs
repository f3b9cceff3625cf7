//! What processes cost: processor time and memory, as `/proc` tells.

use anyhow::Context;

/// Ticks of `/proc/PID/stat` in a second, the same on every Linux.
const TICKS: f64 = 100.0;

/// User and system time of a process, all threads.
pub(crate) fn seconds(pid: u64) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in brackets, may hold spaces.
    let (_, fields) = text.rsplit_once(')').context("read the process's times")?;
    let mut times = fields.split_whitespace().skip(11);
    let mut next = || -> anyhow::Result<f64> { Ok(times.next().context("a time")?.parse()?) };
    Ok((next()? + next()?) / TICKS)
}

/// Most resident memory a process had so far, in MB.
pub(crate) fn peak(pid: u64) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    number(&text, "VmHWM:")
}

/// Memory of a process, shared pages by their share, in MB.
pub(crate) fn memory(pid: u64) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    number(&text, "Pss:")
}

/// As [`seconds`], with all that the process has started and that has not ended.
pub(crate) fn seconds_of_tree(pid: u64) -> anyhow::Result<f64> {
    of_tree(pid, &seconds)
}

/// As [`memory`], with all that the process has started.
pub(crate) fn memory_of_tree(pid: u64) -> anyhow::Result<f64> {
    of_tree(pid, &memory)
}

fn of_tree(pid: u64, of: &dyn Fn(u64) -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    let mut sum = of(pid)?;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let children = std::fs::read_to_string(task.path().join("children"));
        for child in children.unwrap_or_default().split_whitespace() {
            // One that has just ended has nothing.
            sum += of_tree(child.parse()?, of).unwrap_or(0.0);
        }
    }
    Ok(sum)
}

fn number(text: &str, key: &str) -> anyhow::Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: f64 = kilobytes.with_context(|| format!("no `{key}`"))?.parse()?;
    Ok(kilobytes / 1024.0)
}
