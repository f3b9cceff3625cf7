//! Reading: an answer that breaks off is asked for again, from the byte where it ended.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{Refusal, S3, client, unquoted};
use crate::blob::{BlobError, BlobInfo, BlobKey, BlobStore as _, WHOLE, cut};

/// Answers in a row that may break off without having brought a byte.
const BREAKS: u32 = 3;

/// A blob on its way to us.
pub(super) struct Reading {
    client: Client,
    bucket: String,
    name: String,
    place: String,
    /// Another one is another blob.
    etag: String,
    left: Range<u64>,
    body: ByteStream,
    breaks: u32,
}

impl S3 {
    pub(super) async fn begin_reading(
        &self,
        key: &BlobKey,
        range: Range<u64>,
    ) -> Result<(BlobInfo, Range<u64>, Reading), BlobError> {
        if range.is_empty() {
            return Err(self.beyond_end(key, &range, 0));
        }
        let name = self.name(key);
        let got = get(&self.client, &self.bucket, &name, &range, None).await;
        let got = match got.map_err(Refusal::of) {
            Ok(got) => got,
            Err(refusal) if refusal.is_absence() => {
                let (key, place) = (key.to_string(), self.place.clone());
                return Err(BlobError::Missing { key, place });
            }
            Err(refusal) if refusal.is_beyond_end() => {
                let size = self.info(key).await?.map_or(0, |info| info.size_bytes);
                return Err(self.beyond_end(key, &range, size));
            }
            Err(refusal) => return Err(self.failed("open", key, refusal)),
        };
        let size_bytes = whole_size(&got);
        let Some(range) = cut(&range, size_bytes) else {
            return Err(self.beyond_end(key, &range, size_bytes));
        };
        let info = BlobInfo {
            key: key.clone(),
            size_bytes,
            modified: client::time(got.last_modified()),
            etag: unquoted(got.e_tag()),
        };
        let reading = Reading {
            client: self.client.clone(),
            bucket: self.bucket.clone(),
            name,
            place: self.place.clone(),
            etag: got.e_tag.unwrap_or_default(),
            left: range.clone(),
            body: got.body,
            breaks: 0,
        };
        Ok((info, range, reading))
    }

    fn beyond_end(&self, key: &BlobKey, range: &Range<u64>, size: u64) -> BlobError {
        BlobError::BeyondEnd {
            key: key.to_string(),
            place: self.place.clone(),
            size,
            first: range.start,
        }
    }
}

async fn get(
    client: &Client,
    bucket: &str,
    name: &str,
    range: &Range<u64>,
    etag: Option<&str>,
) -> Result<GetObjectOutput, SdkError<GetObjectError>> {
    let get = client.get_object().bucket(bucket).key(name);
    let part = match range.end {
        _ if *range == WHOLE => None,
        u64::MAX => Some(format!("bytes={}-", range.start)),
        end => Some(format!("bytes={}-{}", range.start, end - 1)),
    };
    get.set_range(part)
        .set_if_match(etag.map(str::to_owned))
        .send()
        .await
}

/// Size of the whole object: behind the slash when the answer is a part of it.
fn whole_size(got: &GetObjectOutput) -> u64 {
    let total = got.content_range().and_then(|range| range.rsplit_once('/'));
    total
        .and_then(|(_, total)| total.parse().ok())
        .unwrap_or_else(|| u64::try_from(got.content_length().unwrap_or(0)).unwrap_or(0))
}

impl Reading {
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, BlobError>> + Send {
        stream::try_unfold(self, |mut reading| async move {
            let piece = reading.next().await?;
            Ok(piece.map(|piece| (piece, reading)))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        while !self.left.is_empty() {
            let error = match self.body.try_next().await {
                Ok(Some(piece)) if piece.is_empty() => continue,
                Ok(Some(mut piece)) => {
                    let left = self.left.end - self.left.start;
                    piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                    self.left.start += u64::try_from(piece.len()).unwrap_or(0);
                    self.breaks = 0;
                    return Ok(Some(piece));
                }
                Ok(None) => "the answer ended early".to_owned(),
                Err(error) => format!("the answer broke off: {error}"),
            };
            self.breaks += 1;
            if self.breaks > BREAKS {
                return Err(self.failed(error));
            }
            tracing::debug!(error, "asking for the rest");
            let etag = Some(self.etag.as_str()).filter(|etag| !etag.is_empty());
            let again = get(&self.client, &self.bucket, &self.name, &self.left, etag).await;
            match again {
                Ok(got) => self.body = got.body,
                Err(error) => return Err(self.failed(Refusal::of(error).to_string())),
            }
        }
        Ok(None)
    }

    fn failed(&self, error: String) -> BlobError {
        BlobError::Failed {
            operation: "read",
            key: self.name.clone(),
            place: self.place.clone(),
            source: error.into(),
        }
    }
}
