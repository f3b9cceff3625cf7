//! The engine between machines against real servers: Debian's as a single one, the newest as three.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "in a test, the helpers too may fail by panic"
)]

mod outages;
mod rights;
mod servers;
mod single;
mod three;
