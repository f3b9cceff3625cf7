//! What every Parley process stands on: watched tasks, listeners with limits, private files,
//! requests to other services.
//!
//! Not here: what any of them is for.

pub mod supervise;

pub use supervise::{Restarts, TaskOver, Tasks};
