//! Files: uploads that survive interruptions, and reading what was uploaded.
//!
//! A piece is appended to `uploads/<id>`; its length there is how much has arrived, so that a
//! crash loses nothing that had reached the file. A complete upload is flushed to disk, renamed to
//! `files/<xx>/<id>`, and then becomes a record. `finish_interrupted_uploads` repeats what a crash
//! prevented.
//! Invariant: under `files/` there are only complete files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use proto::id::{ChannelId, FileId, UploadId, UserId};
use tokio::fs;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::fault::Fault;
use super::store::{FileRow, PersonRow, UploadRow};
use super::{Server, wire};
use crate::model::{File, RoomRight, Upload, UploadProgress};

/// Longest silence in the middle of a body; then the request ends and what arrived stays.
const PIECE_DEADLINE: Duration = Duration::from_secs(30);
/// Longest file name, in bytes.
const MAX_FILENAME_BYTES: usize = 255;

/// The directories with the bytes.
#[derive(Debug)]
pub(super) struct Vault {
    partial: PathBuf,
    complete: PathBuf,
    /// Uploads to which somebody appends right now.
    busy: Mutex<HashSet<UploadId>>,
}

/// Held while one piece is appended: pieces of one upload never overlap.
#[derive(Debug)]
struct Turn<'a> {
    vault: &'a Vault,
    id: UploadId,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.vault
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

impl Vault {
    pub(super) async fn open(data_dir: &Path) -> Result<Self, Fault> {
        let vault = Self {
            partial: data_dir.join("uploads"),
            complete: data_dir.join("files"),
            busy: Mutex::default(),
        };
        for dir in [&vault.partial, &vault.complete] {
            fs::create_dir_all(dir)
                .await
                .map_err(|e| Fault::internal("create data directory", e))?;
        }
        Ok(vault)
    }

    fn turn(&self, id: &UploadId) -> Result<Turn<'_>, Fault> {
        let fresh = self
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone());
        if fresh {
            return Ok(Turn {
                vault: self,
                id: id.clone(),
            });
        }
        Err(Fault::conflict(
            "api.upload.busy.app_error",
            format!("upload `{id}` is receiving another piece: ask for its offset and try again"),
        ))
    }

    fn partial_path(&self, id: &UploadId) -> PathBuf {
        self.partial.join(id.as_str())
    }

    /// Ids are ours: letters and digits only. Two of them spread the files over directories.
    pub(super) fn path(&self, id: &FileId) -> PathBuf {
        let shelf = id.as_str().get(..2).unwrap_or("xx");
        self.complete.join(shelf).join(id.as_str())
    }

    /// How much of an upload has arrived.
    async fn arrived(&self, upload: &UploadRow) -> Result<u64, Fault> {
        for path in [self.partial_path(&upload.id), self.path(&upload.file_id)] {
            match fs::metadata(&path).await {
                Ok(metadata) => return Ok(metadata.len()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Fault::internal("look at upload", error)),
            }
        }
        Ok(0)
    }

    /// Moves a complete upload to its final name. Does nothing when that has been done before.
    async fn publish(&self, upload: &UploadRow) -> Result<(), Fault> {
        let from = self.partial_path(&upload.id);
        let to = self.path(&upload.file_id);
        if fs::try_exists(&to)
            .await
            .map_err(|e| Fault::internal("look for finished file", e))?
        {
            return Ok(());
        }
        let shelf = to.parent().unwrap_or(&self.complete);
        fs::create_dir_all(shelf)
            .await
            .map_err(|e| Fault::internal("create shelf", e))?;
        flush(&from).await?;
        fs::rename(&from, &to)
            .await
            .map_err(|e| Fault::internal("publish upload", e))?;
        flush(shelf).await
    }
}

impl Vault {
    /// Removes partial files that belong to no upload.
    async fn remove_strays(&self, known: &HashSet<&str>) -> Result<(), Fault> {
        let failed = |error| Fault::internal("tidy partial uploads", error);
        let mut entries = fs::read_dir(&self.partial).await.map_err(failed)?;
        while let Some(entry) = entries.next_entry().await.map_err(failed)? {
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| known.contains(name)) {
                fs::remove_file(entry.path()).await.map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Waits until a file or directory is on disk.
async fn flush(path: &Path) -> Result<(), Fault> {
    let file = fs::File::open(path)
        .await
        .map_err(|e| Fault::internal("open to flush", e))?;
    file.sync_all()
        .await
        .map_err(|e| Fault::internal("flush to disk", e))
}

impl FileRow {
    /// In the words of the model.
    pub(super) fn to_file(&self) -> File {
        File {
            id: self.id.clone(),
            owner: self.owner_id.clone(),
            room: self.room_id.clone(),
            post: self.post_id.clone(),
            name: self.name.clone(),
            extension: self.extension.clone(),
            mime: self.mime.clone(),
            size_bytes: u64::try_from(self.size_bytes).unwrap_or(0),
            created_at_ms: self.created_at,
        }
    }
}

impl Server {
    /// Begins an upload. The caller has checked that the owner may write in the room.
    pub(super) async fn begin_upload(
        &self,
        owner: &UserId,
        room: &ChannelId,
        filename: &str,
        size_bytes: u64,
    ) -> Result<Upload, Fault> {
        let limit = self.config.max_file_bytes;
        if size_bytes > limit {
            return Err(Fault::too_large(format!(
                "the file has {size_bytes} bytes: `max_file_bytes` is {limit}"
            )));
        }
        if size_bytes == 0 {
            return Err(Fault::invalid(
                "model.upload_session.is_valid.file_size.app_error",
                "`file_size` is 0: an upload has at least one byte",
            ));
        }
        let row = UploadRow {
            id: UploadId::random(),
            file_id: FileId::random(),
            owner_id: owner.clone(),
            room_id: room.clone(),
            filename: checked_name(filename)?,
            size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
            created_at: self.now_ms(),
        };
        self.room_row(room.as_str()).await?;
        self.store.insert_upload(&row).await?;
        self.describe(row).await
    }

    pub(super) async fn upload_row(&self, id: &str) -> Result<UploadRow, Fault> {
        self.store
            .upload(id)
            .await?
            .ok_or_else(|| Fault::not_found("upload", id))
    }

    pub(super) async fn describe(&self, row: UploadRow) -> Result<Upload, Fault> {
        let offset_bytes = self.vault.arrived(&row).await?;
        Ok(Upload {
            id: row.id,
            owner: row.owner_id,
            room: row.room_id,
            filename: row.filename,
            size_bytes: u64::try_from(row.size_bytes).unwrap_or(0),
            offset_bytes,
            created_at_ms: row.created_at,
        })
    }

    /// Appends what the stream brings, until its end, its failure, or the upload's size.
    ///
    /// What has arrived stays, also when the stream breaks off.
    pub(super) async fn append<E: std::fmt::Display>(
        &self,
        id: &str,
        mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<UploadProgress, Fault> {
        let row = self.upload_row(id).await?;
        let _turn = self.vault.turn(&row.id)?;
        let size = u64::try_from(row.size_bytes).unwrap_or(0);
        let mut arrived = self.vault.arrived(&row).await?;
        if arrived < size {
            arrived = self.append_to(&row, arrived, size, &mut pieces).await?;
        }
        if arrived < size {
            return Ok(UploadProgress::Partial);
        }
        Ok(UploadProgress::Complete(self.finish(&row).await?.to_file()))
    }

    /// Writes pieces from `arrived` on; returns how much has arrived then.
    async fn append_to<E: std::fmt::Display>(
        &self,
        row: &UploadRow,
        mut arrived: u64,
        size: u64,
        pieces: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    ) -> Result<u64, Fault> {
        let failed = |error| Fault::internal("write upload", error);
        let path = self.vault.partial_path(&row.id);
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .await
            .map_err(failed)?;
        // By position, not at the end: what a request that was cut off still writes is the same
        // bytes at the same place as what the client sends again.
        file.seek(std::io::SeekFrom::Start(arrived))
            .await
            .map_err(failed)?;
        loop {
            let piece = match timeout(PIECE_DEADLINE, pieces.next()).await {
                Ok(Some(Ok(piece))) => piece,
                Ok(None) => break,
                Ok(Some(Err(error))) => {
                    tracing::debug!(upload = %row.id, %error, "upload interrupted");
                    break;
                }
                Err(_) => {
                    tracing::debug!(upload = %row.id, "upload interrupted by silence");
                    break;
                }
            };
            let next = arrived + u64::try_from(piece.len()).unwrap_or(u64::MAX - arrived);
            if next > size {
                file.flush().await.map_err(failed)?;
                return Err(Fault::invalid(
                    "app.upload.upload_data.too_large.app_error",
                    format!(
                        "upload `{}` has {size} bytes: this piece goes beyond its end",
                        row.id
                    ),
                ));
            }
            file.write_all(&piece).await.map_err(failed)?;
            arrived = next;
        }
        file.flush().await.map_err(failed)?;
        Ok(arrived)
    }

    async fn finish(&self, row: &UploadRow) -> Result<FileRow, Fault> {
        self.vault.publish(row).await?;
        let extension = extension_of(&row.filename);
        let file = FileRow {
            id: row.file_id.clone(),
            owner_id: row.owner_id.clone(),
            room_id: row.room_id.clone(),
            post_id: None,
            name: row.filename.clone(),
            mime: wire::mime_of(&extension).to_owned(),
            extension,
            size_bytes: row.size_bytes,
            created_at: self.now_ms(),
        };
        self.store.finish_upload(row, &file).await?;
        Ok(file)
    }

    /// Finishes the uploads whose last byte had arrived when the process ended, and removes what
    /// belongs to none: forms that broke off are sent anew.
    pub(super) async fn finish_interrupted_uploads(&self) -> Result<(), Fault> {
        let rows = self.store.all_uploads().await?;
        let known: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        self.vault.remove_strays(&known).await?;
        for row in &rows {
            let size = u64::try_from(row.size_bytes).unwrap_or(0);
            if self.vault.arrived(row).await? == size {
                self.finish(row).await?;
                tracing::info!(upload = %row.id, "finished an upload that a stop had interrupted");
            }
        }
        Ok(())
    }

    /// Stores a file whose size is not known beforehand, as forms send it.
    pub(super) async fn store_stream<E: std::fmt::Display>(
        &self,
        owner: &UserId,
        room: &ChannelId,
        filename: &str,
        mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<FileRow, Fault> {
        let mut row = UploadRow {
            id: UploadId::random(),
            file_id: FileId::random(),
            owner_id: owner.clone(),
            room_id: room.clone(),
            filename: checked_name(filename)?,
            size_bytes: 0,
            created_at: self.now_ms(),
        };
        let path = self.vault.partial_path(&row.id);
        let received = receive(&path, &mut pieces, self.config.max_file_bytes).await;
        match received {
            Ok(size) => row.size_bytes = i64::try_from(size).unwrap_or(i64::MAX),
            Err(fault) => {
                // nobody can go on with it: forms are sent anew
                drop(fs::remove_file(&path).await);
                return Err(fault);
            }
        }
        self.store.insert_upload(&row).await?;
        self.finish(&row).await
    }

    pub(super) async fn file_row(&self, id: &str) -> Result<FileRow, Fault> {
        self.store
            .file(id)
            .await?
            .ok_or_else(|| Fault::not_found("file", id))
    }

    /// The file, if the person uploaded it or may read a room where a post carries it.
    pub(super) async fn file_for(&self, id: &str, person: &PersonRow) -> Result<FileRow, Fault> {
        let file = self.file_row(id).await?;
        if file.owner_id == person.id {
            return Ok(file);
        }
        for room in self.store.rooms_showing(&file.id).await? {
            if self.access(room, person).await?.allows(RoomRight::Read) {
                return Ok(file);
            }
        }
        Err(Fault::not_found("file", id))
    }

    /// Opens the bytes of a file.
    pub(super) async fn open_file(&self, id: &FileId) -> Result<fs::File, Fault> {
        fs::File::open(self.vault.path(id))
            .await
            .map_err(|e| Fault::internal("open file", e))
    }

    pub(super) async fn read_file(&self, id: &str) -> Result<Bytes, Fault> {
        let row = self.file_row(id).await?;
        let mut contents = Vec::new();
        let mut file = self.open_file(&row.id).await?;
        file.read_to_end(&mut contents)
            .await
            .map_err(|e| Fault::internal("read file", e))?;
        Ok(contents.into())
    }
}

/// Writes a stream to a file; returns its size.
async fn receive<E: std::fmt::Display>(
    path: &Path,
    pieces: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    limit: u64,
) -> Result<u64, Fault> {
    let mut file = fs::File::create(path)
        .await
        .map_err(|e| Fault::internal("create file", e))?;
    let mut size = 0u64;
    loop {
        let Ok(piece) = timeout(PIECE_DEADLINE, pieces.next()).await else {
            return Err(Fault::invalid(
                "api.file.upload.read.app_error",
                "the upload broke off: nothing came for 30 seconds",
            ));
        };
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|error| {
            Fault::invalid(
                "api.file.upload.read.app_error",
                format!("the upload broke off: {error}"),
            )
        })?;
        size += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if size > limit {
            return Err(Fault::too_large(format!(
                "the file is larger than {limit} bytes"
            )));
        }
        file.write_all(&piece)
            .await
            .map_err(|e| Fault::internal("write file", e))?;
    }
    file.flush()
        .await
        .map_err(|e| Fault::internal("write file", e))?;
    Ok(size)
}

/// Takes the last part of what a client calls its file, without control characters.
fn checked_name(filename: &str) -> Result<String, Fault> {
    let name = filename
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .trim();
    let is_usable = !name.is_empty()
        && name.len() <= MAX_FILENAME_BYTES
        && !matches!(name, "." | "..")
        && !name.chars().any(char::is_control);
    if is_usable {
        return Ok(name.to_owned());
    }
    Err(Fault::invalid(
        "api.file.name.app_error",
        format!("a file name has 1 to {MAX_FILENAME_BYTES} bytes without control characters"),
    ))
}

/// Returns what follows the last dot, in lower case.
fn extension_of(filename: &str) -> String {
    filename
        .rsplit_once('.')
        .filter(|(stem, _)| !stem.is_empty())
        .map(|(_, extension)| extension.to_lowercase())
        .filter(|extension| extension.len() <= 16)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_lose_their_directories_and_keep_their_extension() {
        assert_eq!(checked_name("../../etc/passwd").unwrap(), "passwd");
        assert_eq!(checked_name("C:\\a\\b.TXT").unwrap(), "b.TXT");
        assert!(checked_name("a\n").is_ok());
        assert!(checked_name("a\nb").is_err());
        assert!(checked_name("..").is_err());
        assert!(checked_name("").is_err());
        assert_eq!(extension_of("b.TXT"), "txt");
        assert_eq!(extension_of(".profile"), "");
        assert_eq!(extension_of("plain"), "");
    }
}
