//! What ends by itself: uploads nobody finished, files nobody posted, bytes nobody knows.
//!
//! Invariant: bytes without a record are removed only by the server that the place belongs to.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream;
use proto::id::{FileId, new_id};
use storage::blob::{BlobInfo, BlobKey, BoxError};
use tokio::time::Instant;

use super::{blob_key, size_of};
use crate::embedded::Server;
use crate::embedded::fault::Fault;

/// How often what has expired is looked for.
const TIDY_PERIOD: Duration = Duration::from_secs(600);
/// How often everything in the place for files is looked at.
const ORPHAN_PERIOD: Duration = Duration::from_secs(24 * 3600);
/// Rows or blobs looked at in one go.
const PAGE: usize = 500;
/// Length of the ids we make.
const ID_CHARS: usize = 26;
/// Blobs named after the servers that keep files in a place.
const OWNERS: &str = "owner/";

/// Tidies from the start on until the server is gone.
pub(in crate::embedded) async fn keep_tidy(server: Weak<Server>) {
    let mut period = tokio::time::interval(TIDY_PERIOD);
    let mut next_orphans = Instant::now();
    loop {
        period.tick().await;
        let Some(server) = server.upgrade() else {
            return;
        };
        if server.store.is_closed() {
            return;
        }
        let mut done = server.tidy().await;
        if done.is_ok() && Instant::now() >= next_orphans {
            next_orphans = Instant::now() + ORPHAN_PERIOD;
            done = server.remove_orphans().await;
        }
        if let Err(fault) = done
            && !server.store.is_closed()
        {
            tracing::warn!(?fault, "files could not be tidied; next try in ten minutes");
        }
    }
}

impl Server {
    /// Finishes the uploads whose last byte had arrived when the process ended.
    pub(in crate::embedded) async fn finish_interrupted_uploads(&self) -> Result<(), Fault> {
        for row in self.store.all_uploads().await? {
            let draft = row.read_draft()?;
            let finished = async {
                if self.vault.blobs.arrived(&draft).await? == size_of(row.size_bytes) {
                    self.finish(&row, &draft).await?;
                    tracing::info!(upload = %row.id, "finished an upload that a stop had interrupted");
                }
                Ok::<_, Fault>(())
            };
            if let Err(fault) = finished.await {
                // The next piece, or its end of life, finds it again.
                tracing::warn!(upload = %row.id, ?fault, "an interrupted upload waits");
                break;
            }
        }
        Ok(())
    }

    async fn tidy(&self) -> Result<(), Fault> {
        self.end_expired_uploads().await?;
        self.end_unposted_files().await?;
        self.remove_doomed_blobs().await?;
        // Twice the life of an upload: whatever is older belongs to none.
        let age = self.vault.limits.upload_lifetime * 2;
        let swept = self.vault.blobs.sweep_drafts(age).await?;
        if swept > 0 {
            tracing::info!(swept, "removed what broken uploads had left");
        }
        Ok(())
    }

    async fn end_expired_uploads(&self) -> Result<(), Fault> {
        let limit = self.before(self.vault.limits.upload_lifetime);
        for row in self.store.uploads_begun_before(limit).await? {
            // who appends to it right now has begun in time; the next round ends it
            let Ok(_turn) = self.vault.turn(&row.id) else {
                continue;
            };
            self.vault.blobs.discard(&row.read_draft()?).await?;
            self.store.delete_upload(&row.id).await?;
            tracing::info!(upload = %row.id, "removed an upload that was not finished in time");
        }
        Ok(())
    }

    async fn end_unposted_files(&self) -> Result<(), Fault> {
        let limit = self.before(self.vault.limits.unposted_lifetime);
        let unposted = self.store.unposted_files(limit).await?;
        for id in &unposted {
            self.store
                .doom_unposted_file(id, blob_key(id)?.as_str(), self.now_ms())
                .await?;
        }
        if !unposted.is_empty() {
            tracing::info!(
                files = unposted.len(),
                "removed files that were never posted"
            );
        }
        Ok(())
    }

    /// Deletes the bytes whose records are gone.
    pub(super) async fn remove_doomed_blobs(&self) -> Result<(), Fault> {
        loop {
            let doomed = self.store.doomed_blobs().await?;
            for key in &doomed {
                let blob = BlobKey::parse(key.as_str());
                let blob = blob.map_err(|e| Fault::internal("name a doomed blob", e))?;
                self.vault.blobs.delete(&blob).await?;
                self.store.forget_doomed_blob(key).await?;
            }
            if doomed.is_empty() {
                return Ok(());
            }
        }
    }

    /// Removes old bytes that belong to no record: what a kill left between bytes and record.
    async fn remove_orphans(&self) -> Result<(), Fault> {
        if !self.owns_place().await? {
            return Ok(());
        }
        let limit = SystemTime::now().checked_sub(self.vault.limits.orphan_age);
        let Some(limit) = limit else { return Ok(()) };
        let (mut after, mut removed) = (None, 0usize);
        loop {
            let page = self.vault.blobs.list("", after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            let old: Vec<_> = page
                .iter()
                .filter(|blob| blob.modified <= limit)
                .filter_map(|blob| Some((file_of(blob)?, blob)))
                .collect();
            let ids: Vec<&str> = old.iter().map(|(id, _)| id.as_str()).collect();
            let known: HashSet<String> = self.store.known_files(&ids).await?.into_iter().collect();
            let unknown: Vec<&BlobKey> = old
                .iter()
                .filter(|(id, _)| !known.contains(id.as_str()))
                .map(|(_, blob)| &blob.key)
                .collect();
            for key in unknown {
                self.vault.blobs.delete(key).await?;
                removed += 1;
            }
        }
        if removed > 0 {
            tracing::warn!(removed, "removed bytes of files that have no record");
        }
        Ok(())
    }

    /// Whether no other server keeps files where we do: its files have no record here.
    async fn owns_place(&self) -> Result<bool, Fault> {
        let own = format!("{OWNERS}{}", self.store.server_mark(&new_id()).await?);
        let owners = self.vault.blobs.list(OWNERS, None, PAGE).await?;
        if owners.is_empty() {
            let key = BlobKey::parse(own).map_err(|e| Fault::internal("name our mark", e))?;
            let mut nothing = stream::empty::<Result<Bytes, BoxError>>();
            self.vault.blobs.put(&key, Some(0), &mut nothing).await?;
            return Ok(true);
        }
        let is_ours = owners.iter().all(|owner| owner.key.as_str() == own);
        if !is_ours {
            tracing::warn!(
                place = self.vault.blobs.place(),
                "another server, or an older database, has files in this place: bytes without a \
                 record are left alone; give every server a bucket or prefix of its own, or delete \
                 the blobs below `owner/`"
            );
        }
        Ok(is_ours)
    }
}

/// The file whose bytes these are, if they have the name of one.
fn file_of(blob: &BlobInfo) -> Option<FileId> {
    let (_, id) = blob.key.as_str().split_once('/')?;
    let id = FileId::parse(id).ok().filter(|_| id.len() == ID_CHARS)?;
    (blob_key(&id).ok()? == blob.key).then_some(id)
}
