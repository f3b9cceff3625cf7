//! Which bucket, as a configuration says it, and the way to it.
//!
//! Configurations are the same whether a program has S3 in it (feature `s3`) or not; what a program
//! without it is asked for, it refuses here.

use std::path::PathBuf;
use std::sync::Arc;

use proto::redact::Secret;

use super::{BlobStore, BoxError, TRANSFER_MEMORY_BYTES};

/// Size of every part but the last. S3 wants 5 MiB or more; up to three of them are in memory.
pub(super) const PART_BYTES: usize = 5 * 1024 * 1024;
/// Parts that S3 takes.
pub(super) const MAX_PARTS: u64 = 10_000;
const _: () = assert!(3 * PART_BYTES < TRANSFER_MEMORY_BYTES);

/// Whether this program has S3 in it.
pub const HAS_S3: bool = cfg!(feature = "s3");
/// Bytes of the largest blob: as many parts as S3 takes.
pub const LARGEST_S3_BLOB: u64 = PART_BYTES as u64 * MAX_PARTS;

/// Where the bucket is and who we are there.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// `http://host:port` or `https://host:port`.
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    /// Put before every key; empty: the bucket is ours alone.
    pub prefix: String,
    /// `endpoint/bucket/key` instead of `bucket.endpoint/key`.
    pub path_style: bool,
    /// PEM file of the authority that signed the server's certificate; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    pub access_key_id: String,
    pub secret_key: Secret,
    /// The table with these settings, for errors.
    pub setting: String,
}

/// Why there is no way to the bucket.
#[derive(Debug, thiserror::Error)]
pub enum NoBucket {
    #[error("read the authority `{path}` of `{setting}.ca_file`")]
    Authority {
        path: PathBuf,
        setting: String,
        #[source]
        source: BoxError,
    },
    #[error(
        "`{setting}` asks for S3, and this program was built without it: build it with its default \
         features, or keep files in the directory"
    )]
    LeftOut { setting: String },
}

/// The bucket as a place for blobs; nothing is asked of the server yet.
///
/// # Errors
/// When the authority's file cannot be read, or this program has no S3 in it.
pub fn bucket(config: S3Config) -> Result<Arc<dyn BlobStore>, NoBucket> {
    open(config)
}

#[cfg(feature = "s3")]
fn open(config: S3Config) -> Result<Arc<dyn BlobStore>, NoBucket> {
    Ok(Arc::new(super::S3::new(config)?))
}

#[cfg(not(feature = "s3"))]
fn open(config: S3Config) -> Result<Arc<dyn BlobStore>, NoBucket> {
    Err(NoBucket::LeftOut {
        setting: config.setting,
    })
}
