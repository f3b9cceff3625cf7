//! Where records and files lie: SQLite or PostgreSQL behind one pool, a directory or S3 behind one
//! `BlobStore`.
//!
//! Not here: any domain's tables or statements; each service owns its own.

pub mod blob;
pub mod space;
