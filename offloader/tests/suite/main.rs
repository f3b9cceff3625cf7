//! The offloader from outside: its API over real sockets, its workers as real processes, a call
//! with real media, files read back.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "in a test a panic is the verdict, and numbers are small"
)]

mod aimed;
mod av1;
mod call;
mod capture;
mod deaths;
mod drift;
mod film;
mod full_disk;
mod job_api;
mod job_life;
mod job_rights;
mod kept;
mod lossy;
mod lost;
mod parked;
mod publishing;
mod recorded;
mod recorder;
mod recording;
mod service;
mod sfu;
mod shares;
#[expect(dead_code, reason = "the bench kills more than the tests")]
mod siege;
mod site;
#[expect(
    dead_code,
    reason = "the bench shows a screen on which everything moves"
)]
mod sound;
mod streams;
mod subtitles;
mod sync;
mod transcribers;
mod words;
