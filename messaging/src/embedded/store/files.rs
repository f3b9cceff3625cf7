//! Descriptions of files and of uploads in progress. The bytes are on disk, not here.

use proto::id::{FileId, UserId};

use super::{FileRow, RoomRow, Store, StoreError, UploadRow};

/// A file with the first post that carries it.
const SELECT_FILE: &str = "SELECT f.*, COALESCE((SELECT MIN(l.post_id) FROM post_files l
    WHERE l.file_id = f.id), '') AS post_id FROM files f WHERE f.id = $1";

impl Store {
    pub(crate) async fn insert_upload(&self, upload: &UploadRow) -> Result<(), StoreError> {
        self.db.execute("insert upload", sqlx::query(
            "INSERT INTO uploads (id, file_id, owner_id, room_id, filename, size_bytes, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(upload.id.as_str())
        .bind(upload.file_id.as_str())
        .bind(upload.owner_id.as_str())
        .bind(upload.room_id.as_str())
        .bind(&upload.filename)
        .bind(upload.size_bytes)
        .bind(upload.created_at)).await?;
        Ok(())
    }

    pub(crate) async fn upload(&self, id: &str) -> Result<Option<UploadRow>, StoreError> {
        self.db
            .fetch_optional(
                "read upload",
                sqlx::query_as("SELECT * FROM uploads WHERE id = $1").bind(id),
            )
            .await
    }

    pub(crate) async fn uploads_of(&self, owner: &UserId) -> Result<Vec<UploadRow>, StoreError> {
        self.db
            .fetch_all(
                "list uploads of person",
                sqlx::query_as("SELECT * FROM uploads WHERE owner_id = $1 ORDER BY created_at, id")
                    .bind(owner.as_str()),
            )
            .await
    }

    pub(crate) async fn all_uploads(&self) -> Result<Vec<UploadRow>, StoreError> {
        self.db
            .fetch_all(
                "list uploads",
                sqlx::query_as("SELECT * FROM uploads ORDER BY created_at, id"),
            )
            .await
    }

    /// Makes the finished upload a file, in one step.
    pub(crate) async fn finish_upload(
        &self,
        upload: &UploadRow,
        file: &FileRow,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin finishing upload").await?;
        tx.execute(
            "insert file",
            sqlx::query(
                "INSERT INTO files (id, owner_id, room_id, name, extension, mime, size_bytes,
                created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(file.id.as_str())
            .bind(file.owner_id.as_str())
            .bind(file.room_id.as_str())
            .bind(&file.name)
            .bind(&file.extension)
            .bind(&file.mime)
            .bind(file.size_bytes)
            .bind(file.created_at),
        )
        .await?;
        tx.execute(
            "delete finished upload",
            sqlx::query("DELETE FROM uploads WHERE id = $1").bind(upload.id.as_str()),
        )
        .await?;
        tx.commit().await
    }

    pub(crate) async fn file(&self, id: &str) -> Result<Option<FileRow>, StoreError> {
        self.db
            .fetch_optional("read file", sqlx::query_as(SELECT_FILE).bind(id))
            .await
    }

    /// The rooms in which a living post carries this file.
    pub(crate) async fn rooms_showing(&self, file: &FileId) -> Result<Vec<RoomRow>, StoreError> {
        self.db
            .fetch_all(
                "list rooms that show a file",
                sqlx::query_as(
                    "SELECT DISTINCT r.* FROM rooms r JOIN posts p ON p.room_id = r.id
             JOIN post_files l ON l.post_id = p.id WHERE l.file_id = $1 AND p.deleted_at = 0",
                )
                .bind(file.as_str()),
            )
            .await
    }
}
