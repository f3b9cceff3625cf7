//! Speech models: where they come from, how they are checked, where they lie.
//!
//! In: the name of a model, a URL or a file. Out: a model file in ggml form under its final name.
//! Not here: using the models (`speech`), converting weights (the crate `weights`).
//! Invariant: a file under its final name is complete, and has a SHA-256 of the catalogue, or the
//! one that was noted beside it when it was pulled; a file that has another one is not used.

mod catalogue;
mod check;
mod cli;
mod download;
mod error;
mod index;
mod languages;
mod places;
mod pull;

use std::path::{Path, PathBuf};

pub use catalogue::{Catalogued, Conversion, PUBLISHER, Package, Published, Recipe, VAD};
pub use check::NotGgml;
pub(crate) use check::{DamagedModel, check_installed, remove_half_pulled};
pub use cli::{ModelsArgs, ModelsCommand, cli, run};
pub use download::DownloadError;
pub use error::ModelsError;
pub use index::{IndexError, IndexSettings};
pub use languages::is_multilingual;
pub(crate) use languages::{all_installed, languages_of};
pub use places::{Places, Publisher};
pub use pull::{Outcome, Source, State, Store};

/// The file of an installed model: of the catalogue (`tiny.en`), or by its file name in `dir`
/// (`ggml-small.bin`). `None` when it is not there. Does not read the file.
#[must_use]
pub fn installed(dir: &Path, name: &str) -> Option<PathBuf> {
    let file = Catalogued::find(name).map_or(name, |model| model.file);
    let path = dir.join(file);
    // A name with a folder in it is no name of ours.
    (path.parent() == Some(dir) && path.is_file()).then_some(path)
}

/// `$PARLEY_MODELS`, else `$XDG_DATA_HOME/parley/models`, else `~/.local/share/parley/models`,
/// else `./.parley/models`.
#[must_use]
pub fn default_dir() -> PathBuf {
    let folder = |key| {
        std::env::var_os(key)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    folder("PARLEY_MODELS")
        .or_else(|| Some(folder("XDG_DATA_HOME")?.join("parley/models")))
        .or_else(|| Some(folder("HOME")?.join(".local/share/parley/models")))
        .unwrap_or_else(|| PathBuf::from(".parley/models"))
}
