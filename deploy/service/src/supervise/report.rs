//! The watched set in figures, in Prometheus' text format.

use std::fmt::Write as _;

use super::{Tasks, lock};

/// Names behind the service's prefix, with their help and type.
const FIGURES: [(&str, &str, &str); 3] = [
    (
        "tasks_alive",
        "gauge",
        "Watched tasks and threads that run.",
    ),
    (
        "task_restarts_total",
        "counter",
        "Watched tasks started again after they had ended.",
    ),
    ("task_panics_total", "counter", "Panics of watched tasks."),
];

impl Tasks {
    /// Renders figures of every task, labelled `task`, names beginning with `prefix`.
    #[must_use]
    pub fn metrics(&self, prefix: &str) -> String {
        let entries = lock(&self.shared.entries);
        // Several listeners may bear one name: one figure for all of them.
        let mut names: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
        names.sort_unstable();
        names.dedup();
        let mut text = String::new();
        for (figure, kind, help) in FIGURES {
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "# HELP {prefix}_{figure} {help}\n# TYPE {prefix}_{figure} {kind}"
            );
            for name in &names {
                let of_name = entries.iter().filter(|entry| entry.name() == *name);
                let value: u64 = of_name
                    .map(|entry| match figure {
                        "tasks_alive" => entry.alive(),
                        "task_restarts_total" => entry.restarts(),
                        _ => entry.panics(),
                    })
                    .sum();
                let _ = writeln!(text, "{prefix}_{figure}{{task=\"{name}\"}} {value}");
            }
        }
        text
    }
}
