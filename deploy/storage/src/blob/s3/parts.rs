//! Writing: whole small objects, parts of large ones, and the tails between pieces.
//!
//! Invariant: at most three parts are in memory: one on its way, one being filled, and for a moment one
//! that arrived and that the connection has not let go of.

use std::time::SystemTime;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use super::{Refusal, S3, unquoted};
use crate::blob::bucket::{LARGEST_S3_BLOB, MAX_PARTS, PART_BYTES};
use crate::blob::draft::{Part, Tail};
use crate::blob::{BlobError, BlobInfo, BlobKey, BoxError, Draft, Pieces};

/// What pieces led to.
pub(super) struct Taken {
    /// Too short for a part.
    pub(super) rest: BytesMut,
    /// Why the pieces ended before their end.
    pub(super) broken: Option<BoxError>,
}

/// Cuts pieces into parts.
struct Cutter<'a, 'b> {
    pieces: &'a mut Pieces<'b>,
    /// What the last piece had beyond the end of a part.
    spill: Bytes,
    ended: bool,
    broken: Option<BoxError>,
}

impl Cutter<'_, '_> {
    /// Goes on with a part until it is full or nothing more comes.
    async fn fill(&mut self, mut part: BytesMut) -> BytesMut {
        part.reserve(PART_BYTES.saturating_sub(part.len()));
        loop {
            let room = PART_BYTES.saturating_sub(part.len()).min(self.spill.len());
            part.extend_from_slice(&self.spill.split_to(room));
            if part.len() >= PART_BYTES || self.ended {
                return part;
            }
            match self.pieces.next().await {
                Some(Ok(piece)) => self.spill = piece,
                Some(Err(error)) => {
                    self.broken = Some(error);
                    self.ended = true;
                }
                None => self.ended = true,
            }
        }
    }
}

impl S3 {
    /// Sends full parts until the pieces end; a part travels while the next one is filled.
    pub(super) async fn take_parts(
        &self,
        draft: &mut Draft,
        start: BytesMut,
        pieces: &mut Pieces<'_>,
    ) -> Result<Taken, BlobError> {
        let mut cutter = Cutter {
            pieces,
            spill: Bytes::new(),
            ended: false,
            broken: None,
        };
        let mut part = cutter.fill(start).await;
        while part.len() >= PART_BYTES {
            let sent = self.send_part(draft, part.freeze());
            let (sent, next) = tokio::join!(sent, cutter.fill(BytesMut::new()));
            sent?;
            part = next;
        }
        Ok(Taken {
            rest: part,
            broken: cutter.broken,
        })
    }

    pub(super) async fn put_parts(
        &self,
        draft: &mut Draft,
        announced: Option<u64>,
        pieces: &mut Pieces<'_>,
    ) -> Result<BlobInfo, BlobError> {
        let key = draft.key.to_string();
        let taken = self.take_parts(draft, BytesMut::new(), pieces).await?;
        if let Some(source) = taken.broken {
            return Err(BlobError::BrokenOff { key, source });
        }
        let came = draft.recorded_bytes() + length(&taken.rest);
        if let Some(announced) = announced.filter(|announced| *announced != came) {
            return Err(BlobError::OtherSize {
                key,
                announced,
                came,
            });
        }
        self.complete(draft.clone(), taken.rest.freeze()).await
    }

    async fn send_part(&self, draft: &mut Draft, body: Bytes) -> Result<(), BlobError> {
        let key = &draft.key;
        let number = i32::try_from(draft.parts.len() + 1).unwrap_or(i32::MAX);
        if u64::try_from(number).unwrap_or(u64::MAX) > MAX_PARTS {
            return Err(BlobError::TooLarge {
                key: key.to_string(),
                place: self.place.clone(),
                limit: LARGEST_S3_BLOB,
            });
        }
        let upload = match &draft.multipart {
            Some(upload) => upload.clone(),
            None => {
                let upload = self.begin_multipart(key).await?;
                draft.multipart.insert(upload).clone()
            }
        };
        let bytes = length(&body);
        let part = self.client.upload_part().bucket(&self.bucket);
        let part = part.key(self.name(key)).upload_id(upload);
        let part = part.part_number(number).body(body.into()).send().await;
        let part = part.map_err(|error| self.failed("send a part of", key, Refusal::of(error)))?;
        draft.parts.push(Part {
            etag: part.e_tag.unwrap_or_default(),
            crc32: part.checksum_crc32,
            bytes,
        });
        Ok(())
    }

    async fn begin_multipart(&self, key: &BlobKey) -> Result<String, BlobError> {
        let begin = self.client.create_multipart_upload().bucket(&self.bucket);
        let begin = begin.key(self.name(key));
        let begin = begin.checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Crc32);
        let begun = begin.send().await;
        let begun = begun.map_err(|error| self.failed("begin", key, Refusal::of(error)))?;
        begun
            .upload_id
            .ok_or_else(|| self.failed("begin", key, "the server named no upload"))
    }

    /// Makes parts and rest the blob.
    pub(super) async fn complete(
        &self,
        mut draft: Draft,
        rest: Bytes,
    ) -> Result<BlobInfo, BlobError> {
        let key = draft.key.clone();
        draft.tail = None;
        if draft.multipart.is_some() && !rest.is_empty() {
            self.send_part(&mut draft, rest.clone()).await?;
        }
        let (etag, size_bytes) = match draft.multipart {
            None => {
                let size = length(&rest);
                (self.put_object(&self.name(&key), rest).await?, size)
            }
            Some(upload) => {
                let size = draft.parts.iter().map(|part| part.bytes).sum();
                let parts = (1..).zip(draft.parts).map(|(number, part)| {
                    CompletedPart::builder()
                        .part_number(number)
                        .e_tag(part.etag)
                        .set_checksum_crc32(part.crc32)
                        .build()
                });
                let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect()));
                let complete = self.client.complete_multipart_upload().bucket(&self.bucket);
                let complete = complete.key(self.name(&key)).upload_id(upload);
                let done = complete.multipart_upload(parts.build()).send().await;
                let done =
                    done.map_err(|error| self.failed("complete", &key, Refusal::of(error)))?;
                (unquoted(done.e_tag()), size)
            }
        };
        Ok(BlobInfo {
            key,
            size_bytes,
            modified: SystemTime::now(),
            etag,
        })
    }

    /// Gives up the parts that were sent.
    pub(super) async fn abort(&self, draft: &Draft) -> Result<(), BlobError> {
        match &draft.multipart {
            None => Ok(()),
            Some(upload) => self.abort_multipart(&self.name(&draft.key), upload).await,
        }
    }

    async fn abort_multipart(&self, name: &str, upload: &str) -> Result<(), BlobError> {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket);
        let abort = abort.key(name).upload_id(upload).send().await;
        match abort.map_err(Refusal::of) {
            Err(refusal) if !refusal.is_absence() => Err(self.failed("abort", name, refusal)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Gives up the multiparts below our prefix that were begun before `limit`.
    pub(super) async fn abort_begun_before(&self, limit: SystemTime) -> Result<usize, BlobError> {
        let (mut key_marker, mut upload_marker) = (None, None);
        let mut aborted = 0;
        loop {
            let list = self.client.list_multipart_uploads().bucket(&self.bucket);
            let list = list.prefix(&self.prefix).set_key_marker(key_marker);
            let list = list.set_upload_id_marker(upload_marker).send().await;
            let list = list.map_err(|error| {
                self.failed("list begun uploads of", &self.prefix, Refusal::of(error))
            })?;
            for begun in list.uploads() {
                let (Some(name), Some(upload)) = (begun.key(), begun.upload_id()) else {
                    continue;
                };
                let is_ours = name.strip_prefix(&self.prefix).map(BlobKey::parse);
                if matches!(is_ours, Some(Ok(_))) && super::client::time(begun.initiated()) <= limit
                {
                    self.abort_multipart(name, upload).await?;
                    aborted += 1;
                }
            }
            if !list.is_truncated().unwrap_or(false) || list.next_key_marker.is_none() {
                return Ok(aborted);
            }
            (key_marker, upload_marker) = (list.next_key_marker, list.next_upload_id_marker);
        }
    }

    /// Puts what is too short for a part where the next piece finds it.
    pub(super) async fn write_tail(&self, draft: &mut Draft, rest: Bytes) -> Result<(), BlobError> {
        let bytes = length(&rest);
        if bytes == 0 {
            return Ok(());
        }
        // Each length has a name of its own: the older record stays good until it is replaced.
        let end = draft.recorded_bytes() + bytes;
        let name = format!("{}{end}", self.draft_folder(draft));
        self.put_object(&name, rest).await?;
        draft.tail = Some(Tail { name, bytes });
        Ok(())
    }

    pub(super) async fn read_tail(&self, tail: &Tail) -> Result<BytesMut, BlobError> {
        let get = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&tail.name);
        let failed = |source: BoxError| self.failed("go on from", &tail.name, source);
        let mut got = get
            .send()
            .await
            .map_err(|e| failed(Refusal::of(e).into()))?;
        let mut bytes = BytesMut::with_capacity(PART_BYTES);
        while let Some(piece) = got.body.try_next().await.map_err(|e| failed(e.into()))? {
            if bytes.len() + piece.len() > PART_BYTES {
                break;
            }
            bytes.extend_from_slice(&piece);
        }
        if length(&bytes) == tail.bytes {
            return Ok(bytes);
        }
        let wanted = tail.bytes;
        Err(failed(
            format!("it has not the {wanted} bytes that were written").into(),
        ))
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
