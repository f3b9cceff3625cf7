//! What lies in the models folder: whether it is what it should be, and what is half there.
//!
//! In: an installed file. Out: its SHA-256, or how it is damaged.
//! Not here: how files get there (`pull`).
//! Invariant: a file whose SHA-256 is none of the catalogue's, or the one noted beside it when it was
//! pulled, is not used.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalogue::Catalogued;
use super::download::{PREFIX, sha256_of};

/// An installed model is not the file it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DamagedModel {
    #[error("read the model `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the model `{}` is damaged: its SHA-256 is `{found}`, it should be `{wanted}`; pull it again",
        path.display()
    )]
    Hash {
        path: PathBuf,
        found: String,
        wanted: String,
    },
}

/// A file is no model file at all.
#[derive(Debug, thiserror::Error)]
pub enum NotGgml {
    #[error("read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` begins with `{found}`, a ggml model begins with `6c6d6767`: give the .bin file of whisper.cpp itself", path.display())]
    Magic { path: PathBuf, found: String },
}

/// Checks the first bytes of a file.
///
/// # Errors
/// When it cannot be read or does not begin like a ggml model.
pub(super) fn check_magic(path: &Path) -> Result<(), NotGgml> {
    let read = |source| NotGgml::Read {
        path: path.to_owned(),
        source,
    };
    let mut start = Vec::new();
    fs::File::open(path)
        .map_err(read)?
        .take(4)
        .read_to_end(&mut start)
        .map_err(read)?;
    if start == weights::FIRST_BYTES {
        return Ok(());
    }
    let found = start.iter().map(|byte| format!("{byte:02x}")).collect();
    Err(NotGgml::Magic {
        path: path.to_owned(),
        found,
    })
}

/// Where the SHA-256 of a model stands that the catalogue does not know.
pub(super) fn note_path(model: &Path) -> PathBuf {
    let mut name = model.as_os_str().to_owned();
    name.push(".sha256");
    PathBuf::from(name)
}

/// The SHA-256s an installed file may have; none for a file that somebody put there by hand.
fn wanted_sha256s(path: &Path) -> Vec<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match Catalogued::with_file(&name) {
        Some(model) => model.sha256s().map(str::to_owned).collect(),
        None => {
            let note = fs::read_to_string(note_path(path)).ok();
            note.map(|note| note.trim().to_owned())
                .into_iter()
                .collect()
        }
    }
}

/// Reads an installed model completely and compares it with what it should be. Returns its SHA-256.
pub(crate) fn check_installed(path: &Path) -> Result<String, DamagedModel> {
    let found = sha256_of(path).map_err(|source| DamagedModel::Read {
        path: path.to_owned(),
        source,
    })?;
    let wanted = wanted_sha256s(path);
    if wanted.is_empty() || wanted.contains(&found) {
        return Ok(found);
    }
    Err(DamagedModel::Hash {
        path: path.to_owned(),
        found,
        wanted: wanted.join("` or `"),
    })
}

/// Removes what pulls left that were killed, once it is older than `age`.
pub(crate) fn remove_half_pulled(dir: &Path, age: Duration) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let is_half = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_old = entry
            .metadata()
            .is_ok_and(|metadata| crate::order::is_older(&metadata, age));
        if is_half && is_old {
            let path = entry.path();
            tracing::info!(path = %path.display(), "half a model is removed");
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "half a model is not removed");
            }
        }
    }
}
