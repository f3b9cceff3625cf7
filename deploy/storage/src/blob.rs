//! Files as bytes under keys: streamed in, streamed out, in a directory or in S3.
//!
//! In: keys and streams of pieces. Out: streams, descriptions, `BlobError`. Names for people, rights
//! and quotas are the caller's.
//! Invariant: what is there under its key is complete; a transfer holds at most
//! `TRANSFER_MEMORY_BYTES`, whatever its size.

mod bucket;
#[cfg(feature = "testing")]
pub mod conformance;
mod directory;
mod draft;
mod key;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "testing")]
pub mod servers;

use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;

pub use bucket::{HAS_S3, LARGEST_S3_BLOB, NoBucket, S3Config, bucket};
pub use directory::{Directory, DirectoryConfig};
pub use draft::Draft;
pub use key::{BlobKey, InvalidKey};
#[cfg(feature = "s3")]
pub use s3::S3;

/// Memory that one transfer takes at most, in bytes.
pub const TRANSFER_MEMORY_BYTES: usize = 16_000_000;
/// Asks for a blob from its first to its last byte.
pub const WHOLE: Range<u64> = 0..u64::MAX;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// What a blob is made of, in order. An error ends it.
pub type Pieces<'a> = dyn Stream<Item = Result<Bytes, BoxError>> + Send + Unpin + 'a;

/// A place for blobs.
#[async_trait]
pub trait BlobStore: Send + Sync + std::fmt::Debug {
    /// Which place this is and which setting named it, for logs and errors.
    fn place(&self) -> &str;

    /// Bytes of the largest blob the place can take.
    fn largest_blob(&self) -> u64;

    /// Finds out whether the place can be used right now.
    async fn check(&self) -> Result<(), BlobError>;

    /// Bytes that are free there; `None` where nobody can say.
    async fn free_bytes(&self) -> Result<Option<u64>, BlobError>;

    /// Writes a blob, in place of an older one with its key. When the pieces break off, or are not
    /// as many bytes as announced, nothing is left.
    async fn put(
        &self,
        key: &BlobKey,
        announced: Option<u64>,
        pieces: &mut Pieces<'_>,
    ) -> Result<BlobInfo, BlobError>;

    /// Adds pieces to a draft and makes them durable. What arrived before the pieces broke off is
    /// kept. Keep the draft afterwards: with S3 it is the only record of what has arrived.
    ///
    /// Not for two callers at once with the same draft.
    async fn append(&self, draft: &mut Draft, pieces: &mut Pieces<'_>) -> Result<(), BlobError>;

    /// Bytes of a draft that have arrived.
    async fn arrived(&self, draft: &Draft) -> Result<u64, BlobError>;

    /// Makes a draft the blob it is for. Succeeds again when it has been done before.
    async fn finish(&self, draft: &Draft) -> Result<BlobInfo, BlobError>;

    /// Removes a draft with everything that has arrived.
    async fn discard(&self, draft: &Draft) -> Result<(), BlobError>;

    /// Removes drafts, and what broken transfers left, untouched for `age`; returns how many.
    async fn sweep_drafts(&self, age: Duration) -> Result<usize, BlobError>;

    /// Describes a blob; `None` when there is none.
    async fn info(&self, key: &BlobKey) -> Result<Option<BlobInfo>, BlobError>;

    /// Opens a blob, or a part of it, cut to what is there.
    async fn open(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobReader, BlobError>;

    /// Removes a blob; does nothing when there is none.
    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError>;

    /// Lists blobs whose key begins with `prefix` and comes behind `after`, in the order of their
    /// keys' bytes, at most `most`.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&BlobKey>,
        most: usize,
    ) -> Result<Vec<BlobInfo>, BlobError>;
}

/// What is known of a blob without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    pub key: BlobKey,
    pub size_bytes: u64,
    pub modified: SystemTime,
    /// Changes whenever the bytes do; without quotation marks.
    pub etag: String,
}

/// An opened blob.
pub struct BlobReader {
    /// Of the whole blob.
    pub info: BlobInfo,
    /// The bytes that `pieces` brings.
    pub range: Range<u64>,
    pub pieces: BoxStream<'static, Result<Bytes, BlobError>>,
}

impl std::fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobReader")
            .field("info", &self.info)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// Why a place did not do something.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("there is no `{key}` in {place}")]
    Missing { key: String, place: String },
    #[error("`{key}` in {place} has {size} bytes: there is nothing from byte {first} on")]
    BeyondEnd {
        key: String,
        place: String,
        size: u64,
        first: u64,
    },
    #[error("`{key}` was announced with {announced} bytes and came with {came}")]
    OtherSize {
        key: String,
        announced: u64,
        came: u64,
    },
    #[error("`{key}` is larger than {limit} bytes: {place} takes no larger one")]
    TooLarge {
        key: String,
        place: String,
        limit: u64,
    },
    #[error("the bytes for `{key}` broke off")]
    BrokenOff {
        key: String,
        #[source]
        source: BoxError,
    },
    #[error("no space is left for `{key}` in {place}")]
    Full {
        key: String,
        place: String,
        #[source]
        source: BoxError,
    },
    #[error("{operation} `{key}` in {place}")]
    Failed {
        operation: &'static str,
        key: String,
        place: String,
        #[source]
        source: BoxError,
    },
}

/// Cuts what is asked for to what is there; `None` when nothing of it is.
fn cut(range: &Range<u64>, size: u64) -> Option<Range<u64>> {
    let end = range.end.min(size);
    if *range == WHOLE || range.start < end {
        Some(range.start..end)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        assert_eq!(cut(&WHOLE, 0), Some(0..0));
        assert_eq!(cut(&WHOLE, 7), Some(0..7));
        assert_eq!(cut(&(2..5), 7), Some(2..5));
        assert_eq!(cut(&(2..50), 7), Some(2..7));
        assert_eq!(cut(&(7..9), 7), None);
        assert_eq!(cut(&(3..3), 7), None);
        assert_eq!(cut(&(0..1), 0), None);
    }
}
