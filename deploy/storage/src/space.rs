//! Room on the disk of a data folder, asked for before something large is taken in.
//!
//! Uploads stop while there is still room for records: a post or a call must not fail because
//! somebody's film filled the disk.

use std::path::{Path, PathBuf};

/// The folder has not enough room.
#[derive(Debug, thiserror::Error)]
pub enum NoRoom {
    #[error(
        "{wanted} bytes do not fit into `{folder}`: {free} are free, and {floor} of them are kept \
         free for records; make room on this disk"
    )]
    Full {
        folder: PathBuf,
        wanted: u64,
        free: u64,
        floor: u64,
    },
    #[error("ask how much room `{folder}` has")]
    Unknown {
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// How large a disk is and how much of it is free for us, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    pub free: u64,
    pub total: u64,
}

/// The disk of `folder`.
///
/// # Errors
/// When the folder does not exist or its file system does not say.
pub fn disk(folder: &Path) -> Result<Disk, NoRoom> {
    let unknown = |source: rustix::io::Errno| NoRoom::Unknown {
        folder: folder.to_owned(),
        source: source.into(),
    };
    let disk = rustix::fs::statvfs(folder).map_err(unknown)?;
    Ok(Disk {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        total: disk.f_blocks.saturating_mul(disk.f_frsize),
    })
}

/// Bytes free for us on the disk of `folder`.
///
/// # Errors
/// As [`disk`].
pub fn free_bytes(folder: &Path) -> Result<u64, NoRoom> {
    Ok(disk(folder)?.free)
}

/// Whether `wanted` bytes fit and `floor` bytes stay free.
///
/// # Errors
/// When they do not, or it cannot be found out.
pub fn ensure_room(folder: &Path, wanted: u64, floor: u64) -> Result<(), NoRoom> {
    let free = free_bytes(folder)?;
    if wanted.saturating_add(floor) <= free {
        return Ok(());
    }
    Err(NoRoom::Full {
        folder: folder.to_owned(),
        wanted,
        free,
        floor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let free = free_bytes(folder.path()).unwrap();
        assert!(free > 0);
        ensure_room(folder.path(), 1, 0).unwrap();
        assert!(ensure_room(folder.path(), free, free).is_err());
        let refused = ensure_room(folder.path(), u64::MAX, 5).unwrap_err();
        assert!(refused.to_string().contains("18446744073709551615 bytes"));
        let nowhere = folder.path().join("nowhere");
        assert!(matches!(
            ensure_room(&nowhere, 1, 0),
            Err(NoRoom::Unknown { .. })
        ));
    }
}
