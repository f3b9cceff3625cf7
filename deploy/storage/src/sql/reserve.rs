//! A little space put aside beside a SQLite file, so that a full disk cannot keep it shut.
//!
//! SQLite cannot even read a database with a write-ahead log without room for the log's index
//! (32 KiB). Whoever starts on a full disk gives the reserve back to the disk and opens.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Location;

/// Room for the index of the write-ahead log, and for some small writes.
const RESERVE_BYTES: u32 = 256 * 1024;

/// Makes the reserve when it is missing. A disk without room for it is no error.
pub(super) fn put_aside(location: &Location) {
    let Some(path) = beside(location) else {
        return;
    };
    if path.exists() {
        return;
    }
    if let Err(error) = fill(&path) {
        let _ = fs::remove_file(&path);
        tracing::warn!(%error, path = %path.display(), "no room for the reserve of the database");
    }
}

/// Gives the reserve back to the disk; whether there was one.
pub(super) fn give_back(location: &Location) -> bool {
    beside(location).is_some_and(|path| fs::remove_file(path).is_ok())
}

fn beside(location: &Location) -> Option<PathBuf> {
    let Location::File(file) = location else {
        return None;
    };
    let mut name = file.file_name()?.to_owned();
    name.push(".reserve");
    Some(file.with_file_name(name))
}

fn fill(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    // no two blocks alike: file systems that compress would keep nothing free for zeros
    let mut bytes = Vec::with_capacity(RESERVE_BYTES as usize);
    let mut word: u32 = 0x9e37_79b9;
    while bytes.len() < RESERVE_BYTES as usize {
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    file.write_all(&bytes)?;
    file.sync_all()
}
