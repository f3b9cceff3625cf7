//! The watched set in figures.

use super::life::Entry;
use super::{Tasks, lock};
use crate::figures::{self, Kind};

/// Names behind the service's prefix, with kind, help and what is read.
type Figure = (&'static str, Kind, &'static str, fn(&Entry) -> u64);
const FIGURES: [Figure; 3] = [
    (
        "tasks_alive",
        Kind::Gauge,
        "Watched tasks and threads that run.",
        Entry::alive,
    ),
    (
        "task_restarts_total",
        Kind::Counter,
        "Watched tasks started again after they had ended.",
        Entry::restarts,
    ),
    (
        "task_panics_total",
        Kind::Counter,
        "Panics of watched tasks.",
        Entry::panics,
    ),
];

impl Tasks {
    /// Renders figures of every task in Prometheus' text format, labelled `task`, names beginning
    /// with `prefix`.
    #[must_use]
    pub fn metrics(&self, prefix: &str) -> String {
        let entries = lock(&self.shared.entries);
        // Several listeners may bear one name: one figure for all of them.
        let mut names: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
        names.sort_unstable();
        names.dedup();
        let mut text = String::new();
        for (figure, kind, help, read) in FIGURES {
            let samples: Vec<(String, u64)> = names
                .iter()
                .map(|name| {
                    let of_name = entries.iter().filter(|entry| entry.name() == *name);
                    let sum = of_name.map(|entry| read(entry)).sum();
                    (format!("task=\"{name}\""), sum)
                })
                .collect();
            figures::write(
                &mut text,
                &format!("{prefix}_{figure}"),
                kind,
                help,
                &samples,
            );
        }
        text
    }
}
