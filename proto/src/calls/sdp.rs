//! Session descriptions as clients send them: zlib bytes that hold JSON.
//!
//! In: bytes from a client. Out: the JSON text, at most `MAX_SDP_BYTES`.
//! Invariant: inflating stops at the limit, whatever the compressed bytes claim.
//! See: RFC 1950 (zlib).

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

pub use crate::rtcd::{SdpKind, SessionDescription as Description};

/// Largest session description accepted from a client, in bytes after inflating.
pub const MAX_SDP_BYTES: usize = 64 * 1024;

/// Why bytes are not a session description.
#[derive(Debug, thiserror::Error)]
pub enum SdpError {
    #[error("session description is larger than {MAX_SDP_BYTES} bytes after inflating")]
    TooLarge,
    #[error("session description is not zlib")]
    NotZlib(#[source] std::io::Error),
    #[error("session description is not JSON of `type` and `sdp`")]
    NotJson(#[source] serde_json::Error),
}

/// Inflates and parses a client's session description.
///
/// # Errors
/// When it is not zlib, larger than `MAX_SDP_BYTES`, or not `{"type","sdp"}`.
pub fn inflate(compressed: &[u8]) -> Result<Description, SdpError> {
    let limit = u64::try_from(MAX_SDP_BYTES).unwrap_or(u64::MAX);
    let mut json = Vec::new();
    ZlibDecoder::new(compressed)
        .take(limit.saturating_add(1))
        .read_to_end(&mut json)
        .map_err(SdpError::NotZlib)?;
    if json.len() > MAX_SDP_BYTES {
        return Err(SdpError::TooLarge);
    }
    serde_json::from_slice(&json).map_err(SdpError::NotJson)
}

/// Deflates a session description the way clients do.
#[must_use]
pub fn deflate(description: &Description) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(description.to_json().as_bytes());
    encoder.finish().unwrap_or_default()
}
