//! Blobs as files of a folder.
//!
//! A blob is written under another name, flushed, and renamed: what is there under its own name is
//! complete, also after a power cut. A draft's length is how much of it has arrived.
//! Invariant: folders are 0700 and files 0600, whatever the umask.

mod disk;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use proto::id::new_id;
use tokio::fs;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::{BlobError, BlobInfo, BlobKey, BlobReader, BlobStore, BoxError, Draft, Pieces, cut};
use crate::space;

/// Read from disk and handed on at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Where the files are.
#[derive(Debug, Clone)]
pub struct DirectoryConfig {
    /// Folder of the complete blobs.
    pub blobs: PathBuf,
    /// Folder of drafts and of what is being written; on the same volume.
    pub drafts: PathBuf,
    /// The setting that names them, for errors.
    pub setting: String,
}

/// A folder with blobs.
#[derive(Debug)]
pub struct Directory {
    blobs: PathBuf,
    drafts: PathBuf,
    place: String,
}

impl Directory {
    /// Opens the folders, makes them when they are missing, and closes them to other accounts.
    ///
    /// # Errors
    /// When they cannot be made.
    pub async fn open(config: DirectoryConfig) -> Result<Self, BlobError> {
        let place = format!(
            "folder `{}` (setting `{}`)",
            config.blobs.display(),
            config.setting
        );
        let directory = Self {
            blobs: config.blobs,
            drafts: config.drafts,
            place,
        };
        for folder in [&directory.blobs, &directory.drafts] {
            let made = disk::make_folder(folder).await;
            made.map_err(|error| directory.failed("make the folder of", "", error))?;
        }
        Ok(directory)
    }

    fn blob_path(&self, key: &BlobKey) -> PathBuf {
        self.blobs.join(key.as_str())
    }

    fn draft_path(&self, draft: &Draft) -> PathBuf {
        self.drafts.join(draft.id.as_str())
    }

    fn failed(&self, operation: &'static str, key: &str, error: impl Into<BoxError>) -> BlobError {
        let (key, place) = (key.to_owned(), self.place.clone());
        let source = error.into();
        match disk::kind(&source) {
            Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) if operation == "open" => {
                BlobError::Missing { key, place }
            }
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                BlobError::Full { key, place, source }
            }
            _ => BlobError::Failed {
                operation,
                key,
                place,
                source,
            },
        }
    }

    fn describe(key: &BlobKey, metadata: &std::fs::Metadata) -> BlobInfo {
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let nanos = modified
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        BlobInfo {
            key: key.clone(),
            size_bytes: metadata.len(),
            modified,
            etag: format!("{nanos:x}-{:x}", metadata.len()),
        }
    }

    /// Gives a flushed file its final name.
    async fn publish(&self, from: &Path, key: &BlobKey) -> io::Result<BlobInfo> {
        let to = self.blob_path(key);
        let shelf = to.parent().unwrap_or(&self.blobs);
        disk::make_folder(shelf).await?;
        fs::rename(from, &to).await?;
        disk::flush(shelf).await?;
        if shelf != self.blobs {
            disk::flush(&self.blobs).await?;
        }
        Ok(Self::describe(key, &fs::metadata(&to).await?))
    }

    /// Writes pieces behind what is in the file; returns how many bytes came.
    async fn write(
        &self,
        file: &mut fs::File,
        key: &BlobKey,
        pieces: &mut Pieces<'_>,
    ) -> Result<u64, BlobError> {
        let failed = |error| self.failed("write", key.as_str(), error);
        let mut came = 0u64;
        let mut broken = None;
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => {
                    file.write_all(&piece).await.map_err(failed)?;
                    came += u64::try_from(piece.len()).unwrap_or(0);
                }
                Err(source) => {
                    broken = Some(source);
                    break;
                }
            }
        }
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        match broken {
            None => Ok(came),
            Some(source) => Err(BlobError::BrokenOff {
                key: key.to_string(),
                source,
            }),
        }
    }

    async fn write_and_publish(
        &self,
        path: &Path,
        key: &BlobKey,
        announced: Option<u64>,
        pieces: &mut Pieces<'_>,
    ) -> Result<BlobInfo, BlobError> {
        let failed = |error| self.failed("write", key.as_str(), error);
        let mut file = disk::create(path).await.map_err(failed)?;
        let came = self.write(&mut file, key, pieces).await?;
        if let Some(announced) = announced.filter(|announced| *announced != came) {
            return Err(BlobError::OtherSize {
                key: key.to_string(),
                announced,
                came,
            });
        }
        drop(file);
        self.publish(path, key)
            .await
            .map_err(|error| self.failed("publish", key.as_str(), error))
    }
}

#[async_trait]
impl BlobStore for Directory {
    fn place(&self) -> &str {
        &self.place
    }

    fn largest_blob(&self) -> u64 {
        u64::MAX
    }

    async fn check(&self) -> Result<(), BlobError> {
        let path = self.drafts.join(format!("check-{}", new_id()));
        let written = async {
            let mut file = disk::create(&path).await?;
            file.write_all(b"x").await?;
            file.sync_all().await
        };
        let written = written.await;
        // it may not have come to be
        drop(fs::remove_file(&path).await);
        written.map_err(|error| self.failed("try to write", "check", error))
    }

    async fn free_bytes(&self) -> Result<Option<u64>, BlobError> {
        let free = space::free_bytes(&self.blobs);
        free.map(Some)
            .map_err(|error| self.failed("measure the volume of", "", error))
    }

    async fn put(
        &self,
        key: &BlobKey,
        announced: Option<u64>,
        pieces: &mut Pieces<'_>,
    ) -> Result<BlobInfo, BlobError> {
        let path = self.drafts.join(format!("put-{}", new_id()));
        let written = self.write_and_publish(&path, key, announced, pieces).await;
        if written.is_err() {
            // nobody can go on with it
            drop(fs::remove_file(&path).await);
        }
        written
    }

    async fn append(&self, draft: &mut Draft, pieces: &mut Pieces<'_>) -> Result<(), BlobError> {
        let key = draft.key.clone();
        let failed = |error| self.failed("write", key.as_str(), error);
        let path = self.draft_path(draft);
        let mut file = disk::create(&path).await.map_err(failed)?;
        file.seek(io::SeekFrom::End(0)).await.map_err(failed)?;
        self.write(&mut file, &key, pieces).await.map(|_| ())
    }

    async fn arrived(&self, draft: &Draft) -> Result<u64, BlobError> {
        // A finished one has moved already.
        for path in [self.draft_path(draft), self.blob_path(&draft.key)] {
            match fs::metadata(&path).await {
                Ok(metadata) => return Ok(metadata.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed("look at", draft.key.as_str(), error)),
            }
        }
        Ok(0)
    }

    async fn finish(&self, draft: &Draft) -> Result<BlobInfo, BlobError> {
        let key = &draft.key;
        let failed = |error| self.failed("publish", key.as_str(), error);
        let path = self.draft_path(draft);
        if !fs::try_exists(&path).await.map_err(failed)? {
            if let Some(info) = self.info(key).await? {
                return Ok(info);
            }
            // a draft without a piece is an empty blob
            drop(disk::create(&path).await.map_err(failed)?);
        }
        disk::flush(&path).await.map_err(failed)?;
        self.publish(&path, key).await.map_err(failed)
    }

    async fn discard(&self, draft: &Draft) -> Result<(), BlobError> {
        disk::remove(&self.draft_path(draft))
            .await
            .map_err(|error| self.failed("discard", draft.key.as_str(), error))
    }

    async fn sweep_drafts(&self, age: Duration) -> Result<usize, BlobError> {
        let limit = SystemTime::now().checked_sub(age);
        let swept = disk::remove_untouched_since(&self.drafts, limit).await;
        swept.map_err(|error| self.failed("sweep the drafts of", "", error))
    }

    async fn info(&self, key: &BlobKey) -> Result<Option<BlobInfo>, BlobError> {
        match fs::metadata(self.blob_path(key)).await {
            Ok(metadata) => Ok(Some(Self::describe(key, &metadata))),
            Err(error) if disk::is_absence(&error) => Ok(None),
            Err(error) => Err(self.failed("look at", key.as_str(), error)),
        }
    }

    async fn open(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobReader, BlobError> {
        let failed = |error| self.failed("open", key.as_str(), error);
        let mut file = fs::File::open(self.blob_path(key)).await.map_err(failed)?;
        let info = Self::describe(key, &file.metadata().await.map_err(failed)?);
        let Some(range) = cut(&range, info.size_bytes) else {
            return Err(BlobError::BeyondEnd {
                key: key.to_string(),
                place: self.place.clone(),
                size: info.size_bytes,
                first: range.start,
            });
        };
        file.seek(io::SeekFrom::Start(range.start))
            .await
            .map_err(failed)?;
        let (name, place) = (key.to_string(), self.place.clone());
        let chunks = stream::try_unfold(
            (file.take(range.end - range.start), name, place),
            |(mut file, name, place)| async move {
                let mut chunk = Vec::with_capacity(CHUNK_BYTES);
                match file.read_buf(&mut chunk).await {
                    Ok(0) => Ok(None),
                    Ok(_) => Ok(Some((Bytes::from(chunk), (file, name, place)))),
                    Err(error) => Err(BlobError::Failed {
                        operation: "read",
                        key: name,
                        place,
                        source: error.into(),
                    }),
                }
            },
        );
        Ok(BlobReader {
            info,
            range,
            pieces: chunks.boxed(),
        })
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        disk::remove(&self.blob_path(key))
            .await
            .map_err(|error| self.failed("delete", key.as_str(), error))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&BlobKey>,
        most: usize,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        let found = disk::list(&self.blobs, prefix, after, most).await;
        let found = found.map_err(|error| self.failed("list", prefix, error))?;
        let infos = found.iter();
        Ok(infos
            .map(|(key, metadata)| Self::describe(key, metadata))
            .collect())
    }
}
