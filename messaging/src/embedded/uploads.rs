//! Files: uploads that survive interruptions, forms, and reading what was uploaded.
//!
//! The bytes are blobs, a draft while they arrive. How much has arrived is the store's word (the
//! draft's record is kept with the upload), so that a crash loses nothing that was answered.
//! Who may upload how much is in `admission`, what ends by itself in `tidy`, what an administrator
//! removes in `purge`.
//! Invariant: a file's record appears after its bytes are complete, and goes before they do.

mod admission;
mod incoming;
mod name;
mod purge;
mod tidy;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::Stream;
use proto::id::{ChannelId, FileId, UploadId, UserId};
use storage::blob::{BlobError, BlobKey, BlobReader, BlobStore, Directory, DirectoryConfig, Draft};

use super::fault::Fault;
use super::store::{FileRow, PersonRow, UploadRow};
use super::{Config, Server, wire};
use crate::model::{File, RoomRight, Upload, UploadProgress};
pub use admission::FileLimits;
use admission::Forms;
use incoming::{Ending, Incoming};
pub(super) use tidy::keep_tidy;

/// Bytes after which an upload's progress is made durable, and the disk is looked at again.
const STEP_BYTES: u64 = 32 * 1024 * 1024;

/// Where the bytes are, and who is writing some right now.
#[derive(Debug)]
pub(super) struct Vault {
    blobs: Arc<dyn BlobStore>,
    limits: FileLimits,
    /// Uploads to which somebody appends.
    busy: Mutex<HashSet<UploadId>>,
    forms: Forms,
    /// Held while it is decided whether something may come in.
    admitting: tokio::sync::Mutex<()>,
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
    pub(super) async fn open(config: &Config) -> Result<Self, Fault> {
        let blobs = match &config.blobs {
            Some(blobs) => blobs.clone(),
            None => Arc::new(in_data_dir(config).await?),
        };
        Ok(Self {
            blobs,
            limits: config.files.clone(),
            busy: Mutex::default(),
            forms: Forms::default(),
            admitting: tokio::sync::Mutex::default(),
        })
    }

    /// Whether files can be stored and read right now.
    pub(super) async fn check(&self) -> Result<(), Fault> {
        Ok(self.blobs.check().await?)
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
}

async fn in_data_dir(config: &Config) -> Result<Directory, Fault> {
    let folders = DirectoryConfig {
        blobs: config.data_dir.join("files"),
        drafts: config.data_dir.join("uploads"),
        setting: "storage.data_dir".to_owned(),
    };
    Ok(Directory::open(folders).await?)
}

/// Where a file's bytes are. Two letters spread the files over folders.
fn blob_key(id: &FileId) -> Result<BlobKey, Fault> {
    let shelf = id.as_str().get(..2).unwrap_or("xx");
    BlobKey::parse(format!("{shelf}/{id}")).map_err(|e| Fault::internal("name a blob", e))
}

fn size_of(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

impl UploadRow {
    /// The record of what has arrived. Uploads begun by older versions have none yet.
    fn read_draft(&self) -> Result<Draft, Fault> {
        if !self.draft.is_empty() {
            return serde_json::from_str(&self.draft)
                .map_err(|e| Fault::internal("read the draft of an upload", e));
        }
        Draft::named(blob_key(&self.file_id)?, self.id.as_str())
            .map_err(|e| Fault::internal("name a draft", e))
    }
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
            size_bytes: size_of(self.size_bytes),
            created_at_ms: self.created_at,
        }
    }
}

impl From<BlobError> for Fault {
    fn from(error: BlobError) -> Self {
        match &error {
            BlobError::Full { .. } => Self::no_room(
                "the server has no space left for files; whoever runs it has to make room",
            ),
            BlobError::Missing { .. }
            | BlobError::BeyondEnd { .. }
            | BlobError::OtherSize { .. }
            | BlobError::TooLarge { .. }
            | BlobError::BrokenOff { .. }
            | BlobError::Failed { .. } => Self::internal("use the place for files", error),
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
        self.check_size(size_bytes)?;
        let id = UploadId::random();
        let file_id = FileId::random();
        let draft = Draft::named(blob_key(&file_id)?, id.as_str())
            .map_err(|e| Fault::internal("name a draft", e))?;
        let row = UploadRow {
            id,
            file_id,
            owner_id: owner.clone(),
            room_id: room.clone(),
            filename: name::checked(filename)?,
            size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
            created_at: self.now_ms(),
            draft: serde_json::to_string(&draft)
                .map_err(|e| Fault::internal("write the draft of an upload", e))?,
        };
        self.room_row(room.as_str()).await?;
        self.admit_upload(&row).await?;
        self.describe(row).await
    }

    /// The upload, unless it has expired.
    pub(super) async fn upload_row(&self, id: &str) -> Result<UploadRow, Fault> {
        let row = self.store.upload(id).await?;
        row.filter(|row| !self.has_expired(row))
            .ok_or_else(|| Fault::not_found("upload", id))
    }

    pub(super) async fn describe(&self, row: UploadRow) -> Result<Upload, Fault> {
        let offset_bytes = self.vault.blobs.arrived(&row.read_draft()?).await?;
        Ok(Upload {
            id: row.id,
            owner: row.owner_id,
            room: row.room_id,
            filename: row.filename,
            size_bytes: size_of(row.size_bytes),
            offset_bytes,
            created_at_ms: row.created_at,
        })
    }

    /// Appends what the stream brings, until its end, its failure, or the upload's size.
    ///
    /// What has arrived stays, also when the stream breaks off. Run it in a task of its own: it
    /// must go on when who sent the stream goes away.
    pub(super) async fn append<E: std::fmt::Display>(
        &self,
        id: &str,
        pieces: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<UploadProgress, Fault> {
        let row = self.upload_row(id).await?;
        let _turn = self.vault.turn(&row.id)?;
        // what the turn before this one has written
        let row = self.upload_row(id).await?;
        let size = size_of(row.size_bytes);
        let mut draft = row.read_draft()?;
        let mut arrived = self.vault.blobs.arrived(&draft).await?;
        let mut incoming = Incoming::new(pieces, size.saturating_sub(arrived));
        while arrived < size && incoming.goes_on() {
            let step = STEP_BYTES.min(size - arrived);
            self.check_room(step).await?;
            incoming.allow(step);
            let appended = self.vault.blobs.append(&mut draft, &mut incoming).await;
            self.store.keep_draft(&row.id, &to_text(&draft)?).await?;
            appended.or_else(|error| {
                let broke_off = matches!(error, BlobError::BrokenOff { .. });
                if broke_off { Ok(()) } else { Err(error) }
            })?;
            arrived = self.vault.blobs.arrived(&draft).await?;
        }
        if incoming.ending() == Some(&Ending::TooMuch) {
            return Err(Fault::invalid(
                "app.upload.upload_data.too_large.app_error",
                format!("upload `{id}` has {size} bytes: this piece goes beyond its end"),
            ));
        }
        if arrived < size {
            return Ok(UploadProgress::Partial);
        }
        let file = self.finish(&row, &draft).await?;
        Ok(UploadProgress::Complete(file.to_file()))
    }

    async fn finish(&self, row: &UploadRow, draft: &Draft) -> Result<FileRow, Fault> {
        self.vault.blobs.finish(draft).await?;
        let file = self.new_file(
            row.file_id.clone(),
            &row.owner_id,
            &row.room_id,
            &row.filename,
        );
        let file = FileRow {
            size_bytes: row.size_bytes,
            ..file
        };
        self.store.finish_upload(&row.id, &file).await?;
        Ok(file)
    }

    fn new_file(&self, id: FileId, owner: &UserId, room: &ChannelId, filename: &str) -> FileRow {
        let extension = name::extension_of(filename);
        FileRow {
            id,
            owner_id: owner.clone(),
            room_id: room.clone(),
            post_id: None,
            name: filename.to_owned(),
            mime: wire::mime_of(&extension).to_owned(),
            extension,
            size_bytes: 0,
            created_at: self.now_ms(),
        }
    }

    /// Stores a file whose size is not known beforehand, as forms send it; `expected` is what the
    /// sender says at most comes.
    pub(super) async fn store_stream<E: std::fmt::Display>(
        &self,
        owner: &UserId,
        room: &ChannelId,
        filename: &str,
        expected: Option<u64>,
        pieces: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<FileRow, Fault> {
        let filename = name::checked(filename)?;
        let file = self.new_file(FileId::random(), owner, room, &filename);
        let admitted = self.admit_form(owner, expected).await?;
        let key = blob_key(&file.id)?;
        let mut incoming = Incoming::new(pieces, admitted.bytes);
        incoming.allow(u64::MAX);
        let put = self.vault.blobs.put(&key, None, &mut incoming).await;
        if let Some(ending) = incoming.ending() {
            return Err(admitted.refusal(ending));
        }
        let file = FileRow {
            size_bytes: i64::try_from(put?.size_bytes).unwrap_or(i64::MAX),
            ..file
        };
        if let Err(error) = self.store.insert_file(&file).await {
            // without a record nobody finds it: if this fails too, it is swept
            drop(self.vault.blobs.delete(&key).await);
            return Err(error.into());
        }
        Ok(file)
    }

    pub(super) async fn file_row(&self, id: &str) -> Result<FileRow, Fault> {
        self.store
            .file(id)
            .await?
            .ok_or_else(|| Fault::not_found("file", id))
    }

    /// The file, if the person may read a room where a living post carries it, or uploaded it and
    /// has not posted it yet. What only deleted posts carry does not exist.
    pub(super) async fn file_for(&self, id: &str, person: &PersonRow) -> Result<FileRow, Fault> {
        let file = self.file_row(id).await?;
        if file.post_id.is_none() && file.owner_id == person.id {
            return Ok(file);
        }
        for room in self.store.rooms_showing(&file.id).await? {
            if self.access(room, person).await?.allows(RoomRight::Read) {
                return Ok(file);
            }
        }
        Err(Fault::not_found("file", id))
    }

    /// Opens the bytes of a file, or a part of them.
    pub(super) async fn open_file(
        &self,
        id: &FileId,
        range: Range<u64>,
    ) -> Result<BlobReader, Fault> {
        Ok(self.vault.blobs.open(&blob_key(id)?, range).await?)
    }
}

fn to_text(draft: &Draft) -> Result<String, Fault> {
    serde_json::to_string(draft).map_err(|e| Fault::internal("write the draft of an upload", e))
}
