//! Which processors the generator and the server under test run on.
//!
//! In: lists in the form of `taskset -c`. Out: threads bound to them. A thread that was bound stays
//! so, and what it starts inherits it: every round runs in a thread of its own.

use std::sync::OnceLock;

use anyhow::Context;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The processors this program was given, asked for the first time before any thread was bound.
pub(crate) fn all() -> &'static [usize] {
    static ALL: OnceLock<Vec<usize>> = OnceLock::new();
    ALL.get_or_init(|| {
        let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        (0..CpuSet::count())
            .filter(|cpu| set.is_set(*cpu).unwrap_or(false))
            .collect()
    })
}

/// The list a server is started with: named, so that it does not inherit ours.
pub(crate) fn named(cpus: &str) -> String {
    if !cpus.is_empty() {
        return cpus.to_owned();
    }
    let all: Vec<String> = all().iter().map(usize::to_string).collect();
    all.join(",")
}

/// Two lists that share no processor; `None` on a machine with one.
pub(crate) fn apart() -> Option<(String, String)> {
    match all() {
        [server, own, ..] => Some((server.to_string(), own.to_string())),
        [_] | [] => None,
    }
}

/// Binds the calling thread to processors named like `0` or `0,1`; leaves it as it is if empty.
pub(crate) fn pin_this_thread(cpus: &str) -> anyhow::Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for cpu in cpus.split(',') {
        let cpu: usize = cpu
            .trim()
            .parse()
            .with_context(|| format!("`{cpus}` is not a list of processors like `0,1`"))?;
        set.set(cpu)
            .with_context(|| format!("no processor {cpu}"))?;
    }
    sched_setaffinity(Pid::from_raw(0), &set)
        .with_context(|| format!("bind a thread to processors {cpus}"))
}

/// Runs `work` in a thread of its own, bound to `cpus`.
pub(crate) fn on<T: Send>(
    cpus: &str,
    work: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    all();
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                pin_this_thread(cpus)?;
                work()
            })
            .join()
            .map_err(|_| anyhow::anyhow!("a measuring thread ended early"))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_thread_binds_nobody_else() {
        let before = all().len();
        let first = named("").split(',').next().unwrap().to_owned();
        let inside = on(&first, || Ok(sched_getaffinity(Pid::from_raw(0))?)).unwrap();
        let count = (0..CpuSet::count())
            .filter(|cpu| inside.is_set(*cpu).unwrap())
            .count();
        assert_eq!(count, 1);
        assert_eq!(std::thread::available_parallelism().unwrap().get(), before);
        assert!(on("x", || Ok(())).is_err());
    }
}
