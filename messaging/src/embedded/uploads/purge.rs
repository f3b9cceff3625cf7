//! Removal for good: what must not be on the server any more goes, text and bytes.
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

impl Server {
    /// Removes text, props and files of a post and of its replies; deleted ones as well. What
    /// stays says only that there was a post.
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
        {
            let _in_order = self.posting.lock().await;
            let now = self.now_ms();
            self.purge_records(&row.id, now).await?;
            let mut view = self.post_view(row.id.as_str()).await?;
            view.row.updated_at = now;
            let data = json!({
                "post": wire::post(&view, "").to_string(), "delete_by": who.id.as_str(),
            });
            self.emit("post_deleted", data, to_room(&view.row.room_id));
        }
        tracing::info!(post = %row.id, by = %who.id, "a post was removed for good");
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
        if let Err(fault) = self.remove_doomed_blobs().await {
            tracing::warn!(
                ?fault,
                "bytes of removed files are still there; next try soon"
            );
        }
    }
}
