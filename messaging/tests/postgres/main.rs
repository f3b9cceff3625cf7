//! The stories of the embedded server once more, word for word, with its records on PostgreSQL.
//!
//! Not here: what is about the bytes of a SQLite file, or deaths of the process.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, the helpers too may fail by panic"
)]

#[path = "../embedded/accounts.rs"]
mod accounts;
#[path = "../embedded/backend.rs"]
mod backend;
#[path = "../embedded/bringing_in.rs"]
mod bringing_in;
#[path = "../embedded/clock.rs"]
mod clock;
#[path = "../embedded/desk.rs"]
mod desk;
mod engine;
#[path = "../embedded/file_life.rs"]
mod file_life;
#[path = "../embedded/files.rs"]
mod files;
#[path = "../embedded/invites.rs"]
mod invites;
#[path = "../embedded/posts.rs"]
mod posts;
#[path = "../embedded/reactions.rs"]
mod reactions;
#[path = "../embedded/requests.rs"]
mod requests;
#[path = "../embedded/rights.rs"]
mod rights;
#[path = "../embedded/rooms.rs"]
mod rooms;
#[path = "../embedded/search.rs"]
mod search;
#[path = "../embedded/socket.rs"]
mod socket;
#[path = "../common/socket.rs"]
mod socket_client;
#[path = "../embedded/threads.rs"]
mod threads;
