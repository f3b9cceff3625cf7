//! The places for blobs, on real ones: a folder and two servers of S3.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "in a test, the helpers too may fail by panic"
)]

mod directory;
mod lines;
mod memory;
mod s3;
