//! The embedded server over real sockets: one server per test, on a port the system chooses.

mod accounts;
mod backend;
mod desk;
mod durability;
mod files;
mod posts;
mod rooms;
mod socket;
