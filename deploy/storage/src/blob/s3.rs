//! Blobs in a bucket of any server that speaks S3.
//!
//! Large blobs go as multiparts, two parts in memory at a time; the parts' names are kept in the
//! draft, because not every server can list them. What is too short for a part waits as an object
//! under `.drafts/`. Reading goes on where a broken answer ended.
//! Not here: making buckets, lifecycles, locks.

mod client;
mod parts;
mod read;

use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use super::bucket::{LARGEST_S3_BLOB, NoBucket, S3Config};
use super::{BlobError, BlobInfo, BlobKey, BlobReader, BlobStore, BoxError, Draft, Pieces};
use client::Refusal;

/// Folder of drafts below the prefix; no key begins like it.
const DRAFTS: &str = ".drafts/";
/// How long a check of the bucket may take: less than probes of `/readyz` wait.
const CHECK_LIMIT: Duration = Duration::from_millis(2500);

/// A bucket, or the part of it below a prefix.
#[derive(Debug)]
pub struct S3 {
    pub(super) client: Client,
    bucket: String,
    prefix: String,
    place: String,
}

impl S3 {
    /// Makes a client; asks nothing of the server yet (`check` does).
    ///
    /// # Errors
    /// When the authority's file cannot be read.
    pub fn new(config: S3Config) -> Result<Self, NoBucket> {
        let place = format!(
            "bucket `{}` at `{}` (settings `{}`)",
            config.bucket, config.endpoint, config.setting
        );
        Ok(Self {
            client: client::connect(&config)?,
            bucket: config.bucket,
            prefix: config.prefix,
            place,
        })
    }

    fn name(&self, key: &BlobKey) -> String {
        format!("{}{key}", self.prefix)
    }

    fn draft_folder(&self, draft: &Draft) -> String {
        format!("{}{DRAFTS}{}/", self.prefix, draft.id)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "names come owned and borrowed, and the error keeps a text of its own"
    )]
    fn failed(
        &self,
        operation: &'static str,
        key: impl ToString,
        source: impl Into<BoxError>,
    ) -> BlobError {
        BlobError::Failed {
            operation,
            key: key.to_string(),
            place: self.place.clone(),
            source: source.into(),
        }
    }

    async fn put_object(&self, name: &str, body: Bytes) -> Result<String, BlobError> {
        let put = self.client.put_object().bucket(&self.bucket).key(name);
        let put = put.body(body.into()).send().await;
        let put = put.map_err(|error| self.failed("put", name, Refusal::of(error)))?;
        Ok(unquoted(put.e_tag()))
    }

    async fn delete_object(&self, name: &str) -> Result<(), BlobError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(name);
        match delete.send().await.map_err(Refusal::of) {
            Err(refusal) if !refusal.is_absence() => Err(self.failed("delete", name, refusal)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// One page of the objects whose full name begins with `start`.
    async fn page(
        &self,
        start: &str,
        after: &str,
        most: usize,
    ) -> Result<(Vec<Found>, bool), BlobError> {
        let list = self.client.list_objects_v2().bucket(&self.bucket);
        // An empty one is no name to start after, and some servers trip over it.
        let after = Some(after).filter(|after| !after.is_empty());
        let list = list.prefix(start).set_start_after(after.map(str::to_owned));
        let list = list.max_keys(i32::try_from(most.min(1000)).unwrap_or(1000));
        let list = list.send().await;
        let list = list.map_err(|error| self.failed("list", start, Refusal::of(error)))?;
        let more = list.is_truncated().unwrap_or(false);
        let found = list.contents.unwrap_or_default().into_iter();
        let found = found.filter_map(|object| {
            Some(Found {
                name: object.key?,
                size: u64::try_from(object.size.unwrap_or(0)).unwrap_or(0),
                modified: client::time(object.last_modified.as_ref()),
                etag: unquoted(object.e_tag.as_deref()),
            })
        });
        Ok((found.collect(), more))
    }

    /// Deletes what lies below `.drafts/` and `is_due`; returns how many objects.
    async fn clear(
        &self,
        folder: &str,
        is_due: impl Fn(&Found) -> bool + Send,
    ) -> Result<usize, BlobError> {
        let (mut after, mut cleared) = (String::new(), 0);
        loop {
            let (page, more) = self.page(folder, &after, 1000).await?;
            for found in page.iter().filter(|found| is_due(found)) {
                self.delete_object(&found.name).await?;
                cleared += 1;
            }
            match page.last() {
                Some(last) if more => after.clone_from(&last.name),
                Some(_) | None => return Ok(cleared),
            }
        }
    }
}

/// An object as a list shows it.
#[derive(Debug)]
struct Found {
    name: String,
    size: u64,
    modified: SystemTime,
    etag: String,
}

fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

#[async_trait]
impl BlobStore for S3 {
    fn place(&self) -> &str {
        &self.place
    }

    fn largest_blob(&self) -> u64 {
        LARGEST_S3_BLOB
    }

    async fn check(&self) -> Result<(), BlobError> {
        let head = self.client.head_bucket().bucket(&self.bucket);
        let head = head.customize().config_override(client::impatient());
        match tokio::time::timeout(CHECK_LIMIT, head.send()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.failed("look for", &self.bucket, Refusal::of(error))),
            Err(elapsed) => Err(self.failed("look for", &self.bucket, elapsed)),
        }
    }

    async fn free_bytes(&self) -> Result<Option<u64>, BlobError> {
        Ok(None)
    }

    async fn put(
        &self,
        key: &BlobKey,
        announced: Option<u64>,
        pieces: &mut Pieces<'_>,
    ) -> Result<BlobInfo, BlobError> {
        let mut draft = Draft::new(key.clone());
        let written = self.put_parts(&mut draft, announced, pieces).await;
        if written.is_err()
            && let Err(error) = self.abort(&draft).await
        {
            tracing::warn!(%error, "a broken transfer stays until it is swept");
        }
        written
    }

    async fn append(&self, draft: &mut Draft, pieces: &mut Pieces<'_>) -> Result<(), BlobError> {
        // The record with the newer tail was kept, else it would not be here.
        if let Some(stale) = draft.stale_tail.take()
            && let Err(error) = self.delete_object(&stale.name).await
        {
            tracing::debug!(%error, "an old tail stays until its draft is finished");
        }
        let mut longer = draft.clone();
        let start = match &draft.tail {
            Some(tail) => self.read_tail(tail).await?,
            None => BytesMut::new(),
        };
        longer.tail = None;
        let taken = self.take_parts(&mut longer, start, pieces).await?;
        self.write_tail(&mut longer, taken.rest.freeze()).await?;
        if longer.tail != draft.tail {
            longer.stale_tail = draft.tail.take();
        }
        *draft = longer;
        match taken.broken {
            None => Ok(()),
            Some(source) => Err(BlobError::BrokenOff {
                key: draft.key.to_string(),
                source,
            }),
        }
    }

    async fn arrived(&self, draft: &Draft) -> Result<u64, BlobError> {
        Ok(draft.recorded_bytes())
    }

    async fn finish(&self, draft: &Draft) -> Result<BlobInfo, BlobError> {
        let size = draft.recorded_bytes();
        let before = self.info(&draft.key).await?;
        let info = match before.filter(|info| info.size_bytes == size) {
            Some(info) => info,
            None => {
                let rest = match &draft.tail {
                    Some(tail) => self.read_tail(tail).await?,
                    None => BytesMut::new(),
                };
                self.complete(draft.clone(), rest.freeze()).await?
            }
        };
        // what stays is swept
        if let Err(error) = self.clear(&self.draft_folder(draft), |_| true).await {
            tracing::warn!(%error, "the tail of a finished draft stays until it is swept");
        }
        Ok(info)
    }

    async fn discard(&self, draft: &Draft) -> Result<(), BlobError> {
        self.abort(draft).await?;
        self.clear(&self.draft_folder(draft), |_| true).await?;
        Ok(())
    }

    async fn sweep_drafts(&self, age: Duration) -> Result<usize, BlobError> {
        let Some(limit) = SystemTime::now().checked_sub(age) else {
            return Ok(0);
        };
        let folder = format!("{}{DRAFTS}", self.prefix);
        let tails = self.clear(&folder, |found| found.modified <= limit).await?;
        Ok(tails + self.abort_begun_before(limit).await?)
    }

    async fn info(&self, key: &BlobKey) -> Result<Option<BlobInfo>, BlobError> {
        let head = self.client.head_object().bucket(&self.bucket);
        match head.key(self.name(key)).send().await.map_err(Refusal::of) {
            Ok(head) => Ok(Some(BlobInfo {
                key: key.clone(),
                size_bytes: u64::try_from(head.content_length().unwrap_or(0)).unwrap_or(0),
                modified: client::time(head.last_modified()),
                etag: unquoted(head.e_tag()),
            })),
            Err(refusal) if refusal.is_absence() => Ok(None),
            Err(refusal) => Err(self.failed("look at", key, refusal)),
        }
    }

    async fn open(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobReader, BlobError> {
        let (info, range, reading) = self.begin_reading(key, range).await?;
        Ok(BlobReader {
            info,
            range,
            pieces: reading.into_stream().boxed(),
        })
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        self.delete_object(&self.name(key)).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&BlobKey>,
        most: usize,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        let start = format!("{}{prefix}", self.prefix);
        let mut after = after.map_or_else(String::new, |key| self.name(key));
        let mut infos = Vec::new();
        while infos.len() < most {
            let (page, more) = self.page(&start, &after, most - infos.len()).await?;
            if let Some(last) = page.last() {
                after.clone_from(&last.name);
            }
            let is_last = page.is_empty() || !more;
            infos.extend(page.into_iter().filter_map(|found| {
                // drafts, and what others put there, have other names
                let key = found.name.strip_prefix(&self.prefix)?;
                Some(BlobInfo {
                    key: BlobKey::parse(key).ok()?,
                    size_bytes: found.size,
                    modified: found.modified,
                    etag: found.etag,
                })
            }));
            if is_last {
                break;
            }
        }
        Ok(infos)
    }
}
