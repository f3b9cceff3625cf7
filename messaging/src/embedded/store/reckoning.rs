//! What there is, counted for administrators.

use sqlx::AssertSqlSafe;

use super::{RoomRow, Store, StoreError, begins_with};

/// How much there is of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reckoning {
    pub(crate) people: i64,
    pub(crate) shut_out: i64,
    pub(crate) sessions: i64,
    pub(crate) teams: i64,
    pub(crate) public_rooms: i64,
    pub(crate) private_rooms: i64,
    pub(crate) personal_rooms: i64,
    pub(crate) posts: i64,
    pub(crate) files: i64,
    pub(crate) file_bytes: i64,
    pub(crate) uploads: i64,
    pub(crate) upload_bytes: i64,
}

impl Store {
    /// `now` tells which sessions are good.
    pub(crate) async fn reckon(&self, now: i64) -> Result<Reckoning, StoreError> {
        Ok(Reckoning {
            people: self
                .count("people WHERE is_bot = 0 AND deleted_at = 0")
                .await?,
            shut_out: self
                .count("people WHERE is_bot = 0 AND deleted_at <> 0")
                .await?,
            sessions: self.count_sessions(now).await?,
            teams: self.count("teams WHERE deleted_at = 0").await?,
            public_rooms: self
                .count("rooms WHERE kind = 'O' AND deleted_at = 0")
                .await?,
            private_rooms: self
                .count("rooms WHERE kind = 'P' AND deleted_at = 0")
                .await?,
            personal_rooms: self.count("rooms WHERE kind IN ('D', 'G')").await?,
            posts: self.count("posts WHERE deleted_at = 0").await?,
            files: self.count("files").await?,
            file_bytes: self.bytes("files").await?,
            uploads: self.count("uploads").await?,
            upload_bytes: self.bytes("uploads").await?,
        })
    }

    async fn count(&self, of: &'static str) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM {of}")));
        self.db
            .fetch_value("count for an administrator", count)
            .await
    }

    async fn bytes(&self, of: &'static str) -> Result<i64, StoreError> {
        let sum = format!("SELECT COALESCE(CAST(SUM(size_bytes) AS BIGINT), 0) FROM {of}");
        let sum = sqlx::query_scalar(AssertSqlSafe(sum));
        self.db
            .fetch_value("sum up for an administrator", sum)
            .await
    }

    async fn count_sessions(&self, now: i64) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar(
            "SELECT COUNT(*) FROM logins l JOIN people p ON p.id = l.person_id
             WHERE p.is_bot = 0 AND (l.expires_at = 0 OR l.expires_at > $1)",
        )
        .bind(now);
        self.db.fetch_value("count sessions", count).await
    }

    /// Rooms of all teams, by shown name; `term` is how either name begins.
    pub(crate) async fn all_rooms(
        &self,
        term: &str,
        with_archived: bool,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<RoomRow>, StoreError> {
        let archived = i64::from(with_archived);
        let select = sqlx::query_as(
            "SELECT * FROM rooms WHERE kind IN ('O', 'P') AND (deleted_at = 0 OR $1 = 1)
               AND (name LIKE $2 ESCAPE '!' OR LOWER(display_name) LIKE $2 ESCAPE '!')
             ORDER BY display_name, id LIMIT $3 OFFSET $4",
        )
        .bind(archived)
        .bind(begins_with("", term))
        .bind(limit)
        .bind(offset);
        self.db.fetch_all("list all rooms", select).await
    }
}
