//! What ends: uploads, files, posts for good; and the notes of bytes that are to be deleted.

use proto::id::{FileId, PostId, UploadId};
use storage::Transaction;

use super::super::posts::size_on_the_wire;
use super::super::threads::note_removal;
use super::super::{Store, StoreError, UploadRow};

/// Rows of one go.
const PAGE: i64 = 500;

impl Store {
    pub(crate) async fn uploads_begun_before(
        &self,
        limit: i64,
    ) -> Result<Vec<UploadRow>, StoreError> {
        let select = sqlx::query_as(
            "SELECT * FROM uploads WHERE created_at <= $1 ORDER BY created_at LIMIT $2",
        )
        .bind(limit)
        .bind(PAGE);
        self.db.fetch_all("list expired uploads", select).await
    }

    pub(crate) async fn delete_upload(&self, id: &UploadId) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM uploads WHERE id = $1").bind(id.as_str());
        self.db.execute("delete upload", delete).await?;
        Ok(())
    }

    /// Files older than this that no post carries.
    pub(crate) async fn unposted_files(&self, limit: i64) -> Result<Vec<FileId>, StoreError> {
        let select = sqlx::query_as::<_, (String,)>(
            "SELECT f.id FROM files f WHERE f.created_at <= $1 AND NOT EXISTS
                (SELECT 1 FROM post_files l WHERE l.file_id = f.id)
             ORDER BY f.created_at LIMIT $2",
        )
        .bind(limit)
        .bind(PAGE);
        let rows = self.db.fetch_all("list files never posted", select).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(id,)| FileId::parse(id).ok())
            .collect())
    }

    /// Removes a file unless it has been posted meanwhile, and notes its bytes for deletion.
    pub(crate) async fn doom_unposted_file(
        &self,
        file: &FileId,
        key: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin removing a file never posted").await?;
        doom_if_untied(&mut tx, file.as_str(), key, now).await?;
        tx.commit().await
    }

    /// Removes a file from everywhere and notes its bytes for deletion; returns the posts that
    /// carried it.
    pub(crate) async fn doom_file(
        &self,
        file: &FileId,
        key: &str,
        now: i64,
    ) -> Result<Vec<String>, StoreError> {
        let mut tx = self.begin("begin removing file").await?;
        let posts =
            sqlx::query_as::<_, (String,)>("SELECT post_id FROM post_files WHERE file_id = $1")
                .bind(file.as_str());
        let posts = tx.fetch_all("list posts with a file", posts).await?;
        let untie = sqlx::query("DELETE FROM post_files WHERE file_id = $1").bind(file.as_str());
        tx.execute("take a file from its posts", untie).await?;
        doom_if_untied(&mut tx, file.as_str(), key, now).await?;
        tx.commit().await?;
        Ok(posts.into_iter().map(|(post,)| post).collect())
    }

    /// The files that a post and its replies carry.
    pub(crate) async fn files_of_thread(&self, post: &PostId) -> Result<Vec<String>, StoreError> {
        let select = sqlx::query_as::<_, (String,)>(
            "SELECT DISTINCT l.file_id FROM post_files l JOIN posts p ON p.id = l.post_id
             WHERE p.id = $1 OR p.root_id = $1",
        )
        .bind(post.as_str());
        let rows = self.db.fetch_all("list files of a thread", select).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Marks a post and its replies as deleted, empties them, and removes those of their files (blob key, id) that no
    /// other post carries.
    pub(crate) async fn purge_thread(
        &self,
        post: &PostId,
        files: &[(String, String)],
        now: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin deleting post").await?;
        note_removal(&mut tx, post).await?;
        let empty = sqlx::query(
            "UPDATE posts SET message = '', props = '{}', size_bytes = $3, updated_at = $2,
                deleted_at = CASE WHEN deleted_at = 0 THEN $2 ELSE deleted_at END
             WHERE id = $1 OR root_id = $1",
        )
        .bind(post.as_str())
        .bind(now)
        .bind(size_on_the_wire("", "{}"));
        tx.execute("empty posts", empty).await?;
        // where a reply was purged, its thread is one shorter
        let count = sqlx::query(
            "UPDATE posts SET
                reply_count = (SELECT COUNT(*) FROM posts r
                    WHERE r.root_id = posts.id AND r.deleted_at = 0),
                last_reply_at = COALESCE((SELECT r.created_at FROM posts r
                    WHERE r.root_id = posts.id AND r.deleted_at = 0
                    ORDER BY r.seq DESC LIMIT 1), 0)
             WHERE id = (SELECT p.root_id FROM posts p WHERE p.id = $1)",
        )
        .bind(post.as_str());
        tx.execute("count replies of a purged thread", count)
            .await?;
        let untie = sqlx::query(
            "DELETE FROM post_files WHERE post_id IN
                (SELECT id FROM posts WHERE id = $1 OR root_id = $1)",
        )
        .bind(post.as_str());
        tx.execute("take files from purged posts", untie).await?;
        for (operation, statement) in [
            (
                "take reactions from purged posts",
                "DELETE FROM reactions WHERE post_id IN
                    (SELECT id FROM posts WHERE id = $1 OR root_id = $1)",
            ),
            (
                "forget words of purged posts",
                "DELETE FROM post_words WHERE seq IN
                    (SELECT seq FROM posts WHERE id = $1 OR root_id = $1)",
            ),
        ] {
            let forget = sqlx::query(statement).bind(post.as_str());
            tx.execute(operation, forget).await?;
        }
        for (key, file) in files {
            doom_if_untied(&mut tx, file, key, now).await?;
        }
        tx.commit().await
    }

    /// Keys of bytes to delete, oldest first.
    pub(crate) async fn doomed_blobs(&self) -> Result<Vec<String>, StoreError> {
        let select = sqlx::query_as::<_, (String,)>(
            "SELECT blob_key FROM doomed_blobs ORDER BY doomed_at, blob_key LIMIT $1",
        )
        .bind(PAGE);
        let rows = self.db.fetch_all("list doomed bytes", select).await?;
        Ok(rows.into_iter().map(|(key,)| key).collect())
    }

    pub(crate) async fn forget_doomed_blob(&self, key: &str) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM doomed_blobs WHERE blob_key = $1").bind(key);
        self.db.execute("forget deleted bytes", delete).await?;
        Ok(())
    }
}

async fn doom_if_untied(
    tx: &mut Transaction,
    file: &str,
    key: &str,
    now: i64,
) -> Result<(), StoreError> {
    let delete = sqlx::query(
        "DELETE FROM files WHERE id = $1 AND NOT EXISTS
            (SELECT 1 FROM post_files WHERE file_id = $1)",
    )
    .bind(file);
    if tx.execute("delete file", delete).await? == 0 {
        return Ok(());
    }
    let doom = sqlx::query(
        "INSERT INTO doomed_blobs (blob_key, doomed_at) VALUES ($1, $2)
         ON CONFLICT (blob_key) DO NOTHING",
    )
    .bind(key)
    .bind(now);
    tx.execute("note bytes for deletion", doom).await?;
    Ok(())
}
