//! What every Parley process stands on: watched tasks, listeners with limits, private files, logs,
//! requests to other services, and one way to be told what to do.
//!
//! Not here: what any of them is for.

pub mod addresses;
pub mod command_line;
pub mod descriptors;
pub mod figures;
pub mod health;
pub mod listen;
pub mod outgoing;
pub mod private;
pub mod process;
pub mod signals;
pub mod supervise;
pub mod telemetry;

pub use health::Health;
pub use supervise::{Restarts, TaskOver, Tasks};
