//! Descriptions of files and of uploads in progress. The bytes are elsewhere.

mod removal;

use proto::id::{FileId, UploadId, UserId};
use storage::Transaction;
use storage::sql::Builder;

use super::{FileRow, RoomRow, Store, StoreError, UploadRow};

/// What a person has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileUsage {
    pub(crate) open_uploads: i64,
    /// Of files and of begun uploads, as long as they will be.
    pub(crate) bytes: i64,
}

/// A file with the first post that carries it.
const SELECT_FILE: &str = "SELECT f.*, COALESCE((SELECT MIN(l.post_id) FROM post_files l
    WHERE l.file_id = f.id), '') AS post_id FROM files f WHERE f.id = $1";

impl Store {
    pub(crate) async fn insert_upload(&self, upload: &UploadRow) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "INSERT INTO uploads (id, file_id, owner_id, room_id, filename, size_bytes, created_at,
                draft)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(upload.id.as_str())
        .bind(upload.file_id.as_str())
        .bind(upload.owner_id.as_str())
        .bind(upload.room_id.as_str())
        .bind(&upload.filename)
        .bind(upload.size_bytes)
        .bind(upload.created_at)
        .bind(&upload.draft);
        self.db.execute("insert upload", statement).await?;
        Ok(())
    }

    /// Keeps the record of what has arrived.
    pub(crate) async fn keep_draft(&self, id: &UploadId, draft: &str) -> Result<(), StoreError> {
        let statement = sqlx::query("UPDATE uploads SET draft = $2 WHERE id = $1")
            .bind(id.as_str())
            .bind(draft);
        self.db
            .execute("keep the draft of an upload", statement)
            .await?;
        Ok(())
    }

    pub(crate) async fn upload(&self, id: &str) -> Result<Option<UploadRow>, StoreError> {
        let select = sqlx::query_as("SELECT * FROM uploads WHERE id = $1").bind(id);
        self.db.fetch_optional("read upload", select).await
    }

    pub(crate) async fn uploads_of(&self, owner: &UserId) -> Result<Vec<UploadRow>, StoreError> {
        let select =
            sqlx::query_as("SELECT * FROM uploads WHERE owner_id = $1 ORDER BY created_at, id")
                .bind(owner.as_str());
        self.db.fetch_all("list uploads of person", select).await
    }

    pub(crate) async fn all_uploads(&self) -> Result<Vec<UploadRow>, StoreError> {
        let select = sqlx::query_as("SELECT * FROM uploads ORDER BY created_at, id");
        self.db.fetch_all("list uploads", select).await
    }

    /// What a person's files and begun uploads take.
    pub(crate) async fn file_usage(&self, owner: &UserId) -> Result<FileUsage, StoreError> {
        let select = sqlx::query_as::<_, (i64, i64)>(
            "SELECT COUNT(*), CAST(COALESCE(SUM(u.size_bytes), 0)
                + (SELECT COALESCE(SUM(f.size_bytes), 0) FROM files f WHERE f.owner_id = $1)
                AS BIGINT)
             FROM uploads u WHERE u.owner_id = $1",
        )
        .bind(owner.as_str());
        let usage = self.db.fetch_optional("sum up a person's files", select);
        let (open_uploads, bytes) = usage.await?.unwrap_or_default();
        Ok(FileUsage {
            open_uploads,
            bytes,
        })
    }

    /// What all files and begun uploads take.
    pub(crate) async fn all_file_bytes(&self) -> Result<i64, StoreError> {
        let select = sqlx::query_scalar(
            "SELECT CAST((SELECT COALESCE(SUM(size_bytes), 0) FROM files)
                + (SELECT COALESCE(SUM(size_bytes), 0) FROM uploads) AS BIGINT)",
        );
        self.db.fetch_value("sum up all files", select).await
    }

    /// Makes the finished upload a file, in one step.
    pub(crate) async fn finish_upload(
        &self,
        upload: &UploadId,
        file: &FileRow,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin finishing upload").await?;
        insert_file(&mut tx, file).await?;
        let delete = sqlx::query("DELETE FROM uploads WHERE id = $1").bind(upload.as_str());
        tx.execute("delete finished upload", delete).await?;
        tx.commit().await
    }

    /// Makes bytes that came at once a file.
    pub(crate) async fn insert_file(&self, file: &FileRow) -> Result<(), StoreError> {
        let mut tx = self.begin("begin inserting file").await?;
        insert_file(&mut tx, file).await?;
        tx.commit().await
    }

    pub(crate) async fn file(&self, id: &str) -> Result<Option<FileRow>, StoreError> {
        let select = sqlx::query_as(SELECT_FILE).bind(id);
        self.db.fetch_optional("read file", select).await
    }

    /// The rooms in which a living post carries this file.
    pub(crate) async fn rooms_showing(&self, file: &FileId) -> Result<Vec<RoomRow>, StoreError> {
        let select = sqlx::query_as(
            "SELECT DISTINCT r.* FROM rooms r JOIN posts p ON p.room_id = r.id
             JOIN post_files l ON l.post_id = p.id WHERE l.file_id = $1 AND p.deleted_at = 0",
        )
        .bind(file.as_str());
        self.db
            .fetch_all("list rooms that show a file", select)
            .await
    }

    /// Those of the ids that a file or an upload has.
    pub(crate) async fn known_files(&self, ids: &[&str]) -> Result<Vec<String>, StoreError> {
        let mut known = Vec::new();
        if ids.is_empty() {
            return Ok(known);
        }
        for begin in [
            "SELECT id FROM files WHERE id IN (",
            "SELECT file_id FROM uploads WHERE file_id IN (",
        ] {
            let mut query = Builder::new(begin);
            query.push_list(ids.iter().copied()).push(")");
            let rows: Vec<(String,)> = self
                .db
                .fetch_all("look for files by id", query.select())
                .await?;
            known.extend(rows.into_iter().map(|(id,)| id));
        }
        Ok(known)
    }

    /// What this database is called where it keeps files; `fresh` the first time.
    pub(crate) async fn server_mark(&self, fresh: &str) -> Result<String, StoreError> {
        let insert = sqlx::query(
            "INSERT INTO server_marks (name, mark) VALUES ('files', $1)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(fresh);
        self.db.execute("mark this server", insert).await?;
        let select = sqlx::query_scalar("SELECT mark FROM server_marks WHERE name = 'files'");
        self.db.fetch_value("read this server's mark", select).await
    }
}

async fn insert_file(tx: &mut Transaction, file: &FileRow) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "INSERT INTO files (id, owner_id, room_id, name, extension, mime, size_bytes, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(file.id.as_str())
    .bind(file.owner_id.as_str())
    .bind(file.room_id.as_str())
    .bind(&file.name)
    .bind(&file.extension)
    .bind(&file.mime)
    .bind(file.size_bytes)
    .bind(file.created_at);
    tx.execute("insert file", statement).await?;
    Ok(())
}
