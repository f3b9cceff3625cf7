//! Removal: what is deleted goes, text and bytes.
//!
//! Invariant: records go first, with a note of the bytes to delete in the same transaction; a kill
//! in between is made up for by `tidy`.

use super::blob_key;
use crate::embedded::fault::Fault;
use crate::embedded::rooms::to_room;
use crate::embedded::store::PersonRow;
use crate::embedded::{Server, wire};
use proto::id::{FileId, PostId};
use serde_json::json;
use std::time::Duration;

/// How long whoever deletes waits for the bytes to be gone; what takes longer is the tidier's.
const BYTES_GO_WITHIN: Duration = Duration::from_secs(2);
const BYTES_ARE_LEFT: &str = "bytes of removed files are still there; next try soon";

impl Server {
    /// Removes text, props and files of a post and of its replies; of those too that were deleted
    /// when deleting left files. What stays says only that there was a post.
    pub(in crate::embedded) async fn purge_post_as(
        &self,
        who: &PersonRow,
        id: &str,
    ) -> Result<(), Fault> {
        let row = if who.is_admin {
            self.store.post(id).await?
        } else {
            return Err(Fault::forbidden(
                "only a system administrator removes posts for good; without `permanent` it is \
                 deleted",
            ));
        };
        let row = row.ok_or_else(|| Fault::not_found("post", id))?;
        self.empty_post(who, &row.id).await?;
        tracing::info!(post = %row.id, by = %who.id, "a post was removed for good");
        Ok(())
    }

    /// Takes away what a post and its replies say and carry, and tells the room. The caller has checked
    /// who asks.
    pub(in crate::embedded) async fn empty_post(
        &self,
        who: &PersonRow,
        post: &PostId,
    ) -> Result<(), Fault> {
        {
            let _in_order = self.posting.lock().await;
            let now = self.now_ms();
            self.keep_clock_steps().await?;
            self.purge_records(post, now).await?;
            let mut view = self.post_view(post.as_str()).await?;
            view.row.updated_at = now;
            let data = json!({
                "post": wire::post(&view, "").to_string(), "delete_by": who.id.as_str(),
            });
            self.emit("post_deleted", data, to_room(&view.row.room_id));
        }
        self.remove_doomed_or_say_so().await;
        Ok(())
    }

    /// Removes a file, from the posts that carry it too.
    pub(in crate::embedded) async fn purge_file_as(
        &self,
        who: &PersonRow,
        id: &str,
    ) -> Result<(), Fault> {
        if !who.is_admin {
            return Err(Fault::forbidden(
                "only a system administrator removes files for good",
            ));
        }
        self.purge_file_by(id).await?;
        tracing::info!(file = id, by = %who.id, "a file was removed for good");
        Ok(())
    }

    pub(in crate::embedded) async fn purge_file_by(&self, id: &str) -> Result<(), Fault> {
        let file = self.file_row(id).await?;
        let key = blob_key(&file.id)?;
        let posts = self
            .store
            .doom_file(&file.id, key.as_str(), self.now_ms())
            .await?;
        for post in posts {
            let view = self.post_view(&post).await?;
            if view.row.deleted_at == 0 {
                // the clients' copy still lists it
                self.rewrite_post(view.row, false).await?;
            }
        }
        self.remove_doomed_or_say_so().await;
        Ok(())
    }

    async fn purge_records(&self, post: &PostId, now: i64) -> Result<(), Fault> {
        let key_of = |id: &str| {
            let id = FileId::parse(id).map_err(|e| Fault::internal("name a file", e))?;
            Ok::<_, Fault>(blob_key(&id)?.to_string())
        };
        let files = self.store.files_of_thread(post).await?;
        let files: Result<Vec<_>, Fault> =
            files.into_iter().map(|id| Ok((key_of(&id)?, id))).collect();
        Ok(self.store.purge_thread(post, &files?, now).await?)
    }

    async fn remove_doomed_or_say_so(&self) {
        let removed = tokio::time::timeout(BYTES_GO_WITHIN, self.remove_doomed_blobs());
        match removed.await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::warn!(?fault, "{BYTES_ARE_LEFT}"),
            Err(_) => tracing::warn!("{BYTES_ARE_LEFT}"),
        }
    }
}
