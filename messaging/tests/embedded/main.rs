//! The embedded server over real sockets: one server per test, on a port the system chooses.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, the helpers too may fail by panic"
)]

mod accounts;
mod admission;
mod backend;
mod bringing_in;
mod clock;
mod desk;
mod durability;
mod engine;
mod file_life;
mod files;
mod first_start;
mod guessing;
mod invites;
mod large;
mod posts;
mod reactions;
mod requests;
mod rights;
mod rooms;
mod search;
mod socket;
#[path = "../common/socket.rs"]
mod socket_client;
mod threads;
