//! What a folder with blobs asks of the disk.

use std::fs::{Metadata, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio::fs;

use crate::blob::{BlobKey, BoxError};

/// Makes a folder with those above it, for this account only.
pub(super) async fn make_folder(path: &Path) -> io::Result<()> {
    match fs::metadata(path).await {
        Ok(metadata) if metadata.permissions().mode() & 0o777 == 0o700 => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let missing: Vec<&Path> = path
                .ancestors()
                .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
                .collect();
            for folder in missing.into_iter().rev() {
                match fs::create_dir(folder).await {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    made => made?,
                }
                fs::set_permissions(folder, Permissions::from_mode(0o700)).await?;
            }
        }
        Err(error) => return Err(error),
    }
    fs::set_permissions(path, Permissions::from_mode(0o700)).await
}

/// Opens a file for writing, makes it when it is missing, for this account only.
pub(super) async fn create(path: &Path) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .await?;
    if file.metadata().await?.permissions().mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600)).await?;
    }
    Ok(file)
}

/// Waits until a file or folder is on disk.
pub(super) async fn flush(path: &Path) -> io::Result<()> {
    fs::File::open(path).await?.sync_all().await
}

/// Removes a file; content when it is gone already.
pub(super) async fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path).await {
        Err(error) if is_absence(&error) => Ok(()),
        removed => removed,
    }
}

/// A file where a folder is expected means, too, that nothing is there.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

pub(super) fn kind(error: &BoxError) -> Option<io::ErrorKind> {
    error.downcast_ref::<io::Error>().map(io::Error::kind)
}

/// Removes the files of a folder that were written last before `limit`.
pub(super) async fn remove_untouched_since(
    folder: &Path,
    limit: Option<SystemTime>,
) -> io::Result<usize> {
    let Some(limit) = limit else { return Ok(0) };
    let mut removed = 0;
    let mut entries = fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let metadata = match entry.metadata().await {
            Err(error) if is_absence(&error) => continue,
            metadata => metadata?,
        };
        if metadata.is_file() && metadata.modified()? <= limit {
            remove(&entry.path()).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The files below a folder as keys, in the order of their bytes.
pub(super) async fn list(
    folder: &Path,
    prefix: &str,
    after: Option<&BlobKey>,
    most: usize,
) -> io::Result<Vec<(BlobKey, Metadata)>> {
    let mut walk = Walk {
        prefix: prefix.to_owned(),
        after: after.map_or_else(String::new, ToString::to_string),
        most,
        found: Vec::new(),
    };
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || {
        walk.visit(&folder, "")?;
        Ok(walk.found)
    })
    .await
    .map_err(io::Error::other)?
}

struct Walk {
    prefix: String,
    after: String,
    most: usize,
    found: Vec<(BlobKey, Metadata)>,
}

impl Walk {
    fn visit(&mut self, folder: &Path, above: &str) -> io::Result<()> {
        let mut entries: Vec<(String, PathBuf, bool)> = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let is_folder = entry.file_type()?.is_dir();
            if let Ok(name) = entry.file_name().into_string() {
                // With its slash a folder sorts where its keys do.
                let name = format!("{above}{name}{}", if is_folder { "/" } else { "" });
                entries.push((name, entry.path(), is_folder));
            }
        }
        entries.sort_unstable();
        for (name, path, is_folder) in entries {
            if self.found.len() >= self.most {
                return Ok(());
            }
            let is_before = name <= self.after && !self.after.starts_with(&name);
            if is_folder {
                let leads = name.starts_with(&self.prefix) || self.prefix.starts_with(&name);
                if leads && !is_before {
                    self.visit(&path, &name)?;
                }
            } else if name > self.after && name.starts_with(&self.prefix) {
                self.add(name, &path)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, path: &Path) -> io::Result<()> {
        let Ok(key) = BlobKey::parse(name) else {
            return Ok(());
        };
        match std::fs::metadata(path) {
            Ok(metadata) => self.found.push((key, metadata)),
            // deleted while we looked
            Err(error) if is_absence(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
