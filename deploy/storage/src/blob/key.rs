//! What names a blob: a short path that is safe as a file name and as an S3 key.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 512;
/// Longest part between two slashes, in bytes: a file name may have 255.
const MAX_SEGMENT_BYTES: usize = 200;

/// A key such as `ab/abcdef`: letters, digits and `._-`, in parts that do not begin with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobKey(String);

/// A text that cannot be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "key `{shown}`: a key has 1 to {MAX_KEY_BYTES} letters, digits or `._-`, in parts of at most \
     {MAX_SEGMENT_BYTES} between single slashes, none of which begins with a dot"
)]
pub struct InvalidKey {
    shown: String,
}

impl BlobKey {
    /// Checks a text.
    ///
    /// # Errors
    /// When it could leave its folder, or be read differently by one of the stores.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        let is_good_segment = |segment: &str| {
            (1..=MAX_SEGMENT_BYTES).contains(&segment.len())
                && !segment.starts_with('.')
                && segment
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        if text.len() <= MAX_KEY_BYTES && text.split('/').all(is_good_segment) {
            return Ok(Self(text));
        }
        Err(InvalidKey {
            shown: text
                .chars()
                .take(60)
                .collect::<String>()
                .escape_debug()
                .to_string(),
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BlobKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        Self::parse(text)
    }
}

impl From<BlobKey> for String {
    fn from(key: BlobKey) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_their_folder() {
        for good in ["a", "ab/abc-d_e.mp4", "a/b/c"] {
            assert_eq!(BlobKey::parse(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(MAX_SEGMENT_BYTES + 1);
        let deep = "a/".repeat(MAX_KEY_BYTES / 2) + "a";
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            ".drafts/a",
            "a b",
            "a\0",
            "ä",
            "a\\b",
            &long,
            &deep,
        ] {
            assert!(BlobKey::parse(bad).is_err(), "{bad}");
        }
        let error = BlobKey::parse("../\u{7}").unwrap_err().to_string();
        assert!(error.starts_with("key `../\\u{7}`: "), "{error}");
    }
}
