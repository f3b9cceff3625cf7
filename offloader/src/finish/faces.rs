//! Profile pictures, as they were when the call was recorded.
//!
//! In: bytes that the messaging server gave for a person, kept in the job's folder. Out: a disc of
//! the size wanted, or none: then the person's initials stand for them.
//! Invariant: a file is named by a digest of the person's id, so an id is no way into another folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::ffmpeg::{Image, Still};

/// Where the picture of a person is kept in a job's folder.
#[must_use]
pub fn path(folder: &Path, user: &str) -> PathBuf {
    let digest = digest(&SHA256, user.as_bytes());
    let name = BASE64_URL_SAFE_NO_PAD.encode(digest.as_ref().get(..15).unwrap_or_default());
    folder.join(format!("face-{name}"))
}

/// Keeps the picture of a person; a half written one never has the name of one.
///
/// # Errors
/// When the folder cannot be written.
pub fn keep(folder: &Path, user: &str, bytes: &[u8]) -> io::Result<()> {
    let path = path(folder, user);
    let part = path.with_extension("part");
    std::fs::write(&part, bytes)?;
    std::fs::rename(part, path)
}

/// The pictures of a recording's people, opened when they are wanted.
#[derive(Debug)]
pub struct Faces {
    folder: PathBuf,
    opened: BTreeMap<String, Option<Still>>,
    /// By person and diameter.
    discs: BTreeMap<(String, u32), Option<Image>>,
}

impl Faces {
    /// Of a job's folder.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            opened: BTreeMap::new(),
            discs: BTreeMap::new(),
        }
    }

    /// A person's picture as a disc; `None` when there is none that can be shown.
    pub fn disc(&mut self, user: &str, diameter: u32) -> Option<&Image> {
        let still = self.opened.entry(user.to_owned()).or_insert_with(|| {
            let bytes = std::fs::read(path(&self.folder, user)).ok()?;
            Still::decode(&bytes)
                .inspect_err(|error| tracing::debug!(%error, "a profile picture is left out"))
                .ok()
        });
        let disc = self
            .discs
            .entry((user.to_owned(), diameter))
            .or_insert_with(|| {
                // Refused only for sizes that no picture has.
                still.as_ref()?.disc(diameter.max(1)).ok()
            });
        disc.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_shape_name_files_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        for id in ["anna", "../../etc/passwd", "", "a/b", "\u{0}"] {
            keep(folder.path(), id, b"not an image").unwrap();
            assert_eq!(path(folder.path(), id).parent(), Some(folder.path()));
            assert!(Faces::of(folder.path()).disc(id, 40).is_none());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
    }
}
