//! Uploads and files, in memory.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use messaging::model::{File, FileContents, Upload, UploadProgress};
use messaging::{ChatError, Files, IncomingBytes};
use proto::id::{ChannelId, FileId, PostId, UploadId, UserId};

use super::{Memory, missing};

#[derive(Debug)]
pub(super) struct Uploading {
    upload: Upload,
    bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Stored {
    file: File,
    bytes: Bytes,
}

fn mime_of(extension: &str) -> &'static str {
    match extension {
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

#[async_trait]
impl Files for Memory {
    async fn create_upload(
        &self,
        owner: &UserId,
        room: &ChannelId,
        filename: &str,
        size_bytes: u64,
    ) -> Result<Upload, ChatError> {
        let mut state = self.state();
        let upload = Upload {
            id: UploadId::random(),
            owner: owner.clone(),
            room: room.clone(),
            filename: filename.to_owned(),
            size_bytes,
            offset_bytes: 0,
            created_at_ms: state.now_ms(),
        };
        let uploading = Uploading {
            upload: upload.clone(),
            bytes: Vec::new(),
        };
        state.uploads.insert(upload.id.clone(), uploading);
        Ok(upload)
    }

    async fn upload(&self, id: &UploadId) -> Result<Upload, ChatError> {
        let state = self.state();
        let uploading = state.uploads.get(id);
        uploading
            .map(|uploading| uploading.upload.clone())
            .ok_or_else(|| missing("upload", id.as_str()))
    }

    async fn append_upload(
        &self,
        id: &UploadId,
        mut bytes: IncomingBytes,
    ) -> Result<UploadProgress, ChatError> {
        let mut piece = Vec::new();
        while let Some(part) = bytes.next().await {
            let part = part.map_err(|error| ChatError::Refused(error.to_string()))?;
            piece.extend_from_slice(&part);
        }
        let mut state = self.state();
        let uploading = state.uploads.get_mut(id);
        let uploading = uploading.ok_or_else(|| missing("upload", id.as_str()))?;
        let after = uploading.upload.offset_bytes + u64::try_from(piece.len()).unwrap();
        if after > uploading.upload.size_bytes {
            return Err(ChatError::Refused("more than was announced".to_owned()));
        }
        uploading.bytes.extend_from_slice(&piece);
        uploading.upload.offset_bytes = after;
        if after < uploading.upload.size_bytes {
            return Ok(UploadProgress::Partial);
        }
        let done = state.uploads.remove(id).unwrap();
        let name = done.upload.filename;
        let extension = name.rsplit_once('.').map_or("", |(_, end)| end).to_owned();
        let file = File {
            id: FileId::random(),
            owner: done.upload.owner,
            room: done.upload.room,
            post: None,
            name,
            mime: mime_of(&extension).to_owned(),
            extension,
            size_bytes: done.upload.size_bytes,
            created_at_ms: done.upload.created_at_ms,
        };
        let stored = Stored {
            file: file.clone(),
            bytes: done.bytes.into(),
        };
        state.files.insert(file.id.clone(), stored);
        Ok(UploadProgress::Complete(file))
    }

    async fn file(&self, id: &FileId) -> Result<File, ChatError> {
        let state = self.state();
        let stored = state.files.get(id);
        stored
            .map(|stored| stored.file.clone())
            .ok_or_else(|| missing("file", id.as_str()))
    }

    async fn file_contents(
        &self,
        id: &FileId,
        range: Range<u64>,
    ) -> Result<FileContents, ChatError> {
        let state = self.state();
        let stored = state.files.get(id);
        let stored = stored.ok_or_else(|| missing("file", id.as_str()))?;
        let end = range.end.min(stored.file.size_bytes);
        let range = range.start.min(end)..end;
        let place = |at: u64| usize::try_from(at).unwrap();
        let part = stored.bytes.slice(place(range.start)..place(range.end));
        Ok(FileContents {
            file: stored.file.clone(),
            range,
            bytes: stream::iter([Ok(part)]).boxed(),
        })
    }

    async fn attach_file(&self, id: &FileId, post: &PostId) -> Result<(), ChatError> {
        let mut state = self.state();
        let stored = state.files.get_mut(id);
        stored
            .ok_or_else(|| missing("file", id.as_str()))?
            .file
            .post = Some(post.clone());
        Ok(())
    }
}
