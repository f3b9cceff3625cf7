//! What an operator wants to know about the engine between nodes, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// One thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Compare-and-swaps that somebody else won. Normal.
    Conflicts,
    /// Writes without an answer.
    Unknown,
    /// Operations that the engine could not do.
    Unavailable,
    /// Refused for want of a right: a fault of the installation.
    Denied,
    /// Messages that a listener was too slow for; where the engine does not say how many, one for each
    /// time it was.
    Lagged,
    /// Times that the sight of the others was lost.
    Blind,
    /// Jobs begun again after a start that came to no end.
    Redelivered,
    /// Jobs that nobody could do.
    Dead,
    /// Connections made again.
    Reconnected,
}

/// How each is called in metrics, in the order of `Figure`.
const NAMES: [&str; 9] = [
    "conflicts",
    "unknown_outcomes",
    "unavailable",
    "denied",
    "lagged",
    "blind",
    "redelivered",
    "dead_jobs",
    "reconnects",
];

/// Counts of one engine since it was opened.
#[derive(Debug, Default)]
pub struct Counters([AtomicU64; NAMES.len()]);

impl Counters {
    pub fn add(&self, figure: Figure, more: u64) {
        if let Some(count) = self.0.get(figure as usize) {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Counts how an operation ended, and hands the end on.
    ///
    /// # Errors
    /// The one it was given.
    pub fn ended<T>(&self, end: Result<T, crate::Error>) -> Result<T, crate::Error> {
        if let Err(error) = &end {
            use crate::Error;
            match error {
                Error::Conflict { .. } => self.add(Figure::Conflicts, 1),
                Error::Unknown => self.add(Figure::Unknown, 1),
                Error::Unavailable => self.add(Figure::Unavailable, 1),
                Error::Denied => self.add(Figure::Denied, 1),
                Error::Invalid(_) | Error::Full => {}
            }
        }
        end
    }

    #[must_use]
    pub fn get(&self, figure: Figure) -> u64 {
        self.0
            .get(figure as usize)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// All of them, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        NAMES.into_iter().zip(counts).collect()
    }
}
