//! The gateway in front of a backend that is not ours: sockets, order, limits.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, the helpers too may fail by panic"
)]

mod backend;
#[path = "../common/hall.rs"]
mod hall;
mod handler;
mod limits;
#[path = "../common/memory/mod.rs"]
mod memory;
#[path = "../common/socket.rs"]
mod socket;
