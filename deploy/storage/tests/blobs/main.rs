//! The places for blobs, on real ones: a folder and two servers of S3.

mod directory;
mod memory;
mod s3;
