//! A blob that arrives in pieces, perhaps over days and restarts.

use proto::id::new_id;
use serde::{Deserialize, Serialize};

use super::{BlobKey, InvalidKey};

/// The record of a blob in the making: keep it where it survives (as JSON) and hand it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub(super) key: BlobKey,
    pub(super) id: BlobKey,
    /// Where the parts go, once the first one is full (S3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) multipart: Option<String>,
    /// Parts that the place has taken, in order (S3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<Part>,
    /// What is too short for a part and waits for more (S3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<Tail>,
    /// The tail before the last piece: it was good until this record replaced the older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stale_tail: Option<Tail>,
}

/// A part of a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32: Option<String>,
    pub(super) bytes: u64,
}

/// An object with the bytes behind the last part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) name: String,
    pub(super) bytes: u64,
}

impl Draft {
    /// A draft of the blob `key`, of which nothing has arrived. Nothing is written before the
    /// first piece.
    #[must_use]
    pub fn new(key: BlobKey) -> Self {
        Self {
            key,
            id: BlobKey::parse(new_id()).expect("ids are letters and digits"),
            multipart: None,
            parts: Vec::new(),
            tail: None,
            stale_tail: None,
        }
    }

    /// The same, under a name of the caller's that no other draft has.
    ///
    /// # Errors
    /// When the name is no part of a key.
    pub fn named(key: BlobKey, name: &str) -> Result<Self, InvalidKey> {
        // a folder of its own would be no draft of ours
        let id = BlobKey::parse(name.replace('/', "%"))?;
        Ok(Self {
            id,
            ..Self::new(key)
        })
    }

    /// The blob it will be.
    #[must_use]
    pub fn key(&self) -> &BlobKey {
        &self.key
    }

    /// Bytes that parts and tail hold.
    #[cfg(feature = "s3")]
    pub(super) fn recorded_bytes(&self) -> u64 {
        let parts: u64 = self.parts.iter().map(|part| part.bytes).sum();
        parts + self.tail.as_ref().map_or(0, |tail| tail.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_survives_as_text() {
        let mut draft = Draft::named(BlobKey::parse("ab/abc").unwrap(), "upload1").unwrap();
        draft.multipart = Some("m".to_owned());
        draft.parts.push(Part {
            etag: "e".to_owned(),
            crc32: Some("c".to_owned()),
            bytes: 7,
        });
        draft.tail = Some(Tail {
            name: "t".to_owned(),
            bytes: 2,
        });
        let text = serde_json::to_string(&draft).unwrap();
        let read: Draft = serde_json::from_str(&text).unwrap();
        assert_eq!(read, draft);
        assert_eq!(read.recorded_bytes(), 9);
        assert!(Draft::named(BlobKey::parse("a").unwrap(), "../x").is_err());
    }
}
