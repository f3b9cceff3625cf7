//! What must survive a restart: clients and jobs, in SQLite.
//!
//! In: rows to keep. Out: rows kept. Every write is durable when the call returns.
//! Not here: media (a folder per job), bearer tokens (memory only).
//! Invariant: no secret stands in a row in clear: keys are hashed, job secrets sealed.

use std::path::Path;
use std::str::FromStr;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::sqlite::{SqliteRow, SqliteSynchronous};

/// The database did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{operation}")]
pub struct StoreError {
    operation: &'static str,
    #[source]
    source: sqlx::Error,
}

fn failed(operation: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError { operation, source }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A worker is in the call, or should be.
    Capturing,
    /// The capture ended without its worker: what it left is being finished.
    Finishing,
    /// Handed in.
    Done,
    /// Nothing more will happen by itself.
    Failed,
}

impl Phase {
    /// Returns the word of the database and of `output_data.status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capturing => "capturing",
            Self::Finishing => "finishing",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Self {
        [Self::Capturing, Self::Finishing, Self::Done]
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .unwrap_or(Self::Failed)
    }
}

/// One job as kept.
#[derive(Debug, Clone)]
pub struct JobRow {
    pub id: String,
    /// The client that asked for it.
    pub tenant: String,
    /// The request as JSON, secrets redacted.
    pub request: String,
    /// The secret inputs as sealed JSON.
    pub sealed: Vec<u8>,
    pub phase: Phase,
    /// Unix milliseconds.
    pub start_at: i64,
    /// Unix milliseconds; 0 while it runs.
    pub stop_at: i64,
    /// Workers started for it.
    pub attempts: i64,
    /// Why it failed or what is missing, for people.
    pub note: String,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens (or makes) the database of a data folder.
    ///
    /// # Errors
    /// When the file cannot be opened or is not ours.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str("sqlite://")
            .map_err(failed("read the database address"))?
            .filename(data_dir.join("offloader.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await
            .map_err(failed("open the database"))?;
        for statement in [
            "CREATE TABLE IF NOT EXISTS clients (
                id TEXT PRIMARY KEY, key_hash TEXT NOT NULL, created_at INTEGER NOT NULL)",
            "CREATE TABLE IF NOT EXISTS jobs (
                id TEXT PRIMARY KEY, tenant TEXT NOT NULL, request TEXT NOT NULL,
                sealed BLOB NOT NULL, phase TEXT NOT NULL, start_at INTEGER NOT NULL,
                stop_at INTEGER NOT NULL, attempts INTEGER NOT NULL, note TEXT NOT NULL)",
        ] {
            sqlx::query(statement)
                .execute(&pool)
                .await
                .map_err(failed("prepare the database"))?;
        }
        Ok(Self { pool })
    }

    /// The hash of a client's key.
    pub async fn key_hash(&self, client: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT key_hash FROM clients WHERE id = ?")
            .bind(client)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("look up a client"))
    }

    /// Adds a client; `false` when it is there already.
    pub async fn add_client(&self, client: &str, hash: &str, at: i64) -> Result<bool, StoreError> {
        sqlx::query("INSERT OR IGNORE INTO clients (id, key_hash, created_at) VALUES (?, ?, ?)")
            .bind(client)
            .bind(hash)
            .bind(at)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(failed("add a client"))
    }

    /// Removes a client; `false` when there is none.
    pub async fn remove_client(&self, client: &str) -> Result<bool, StoreError> {
        sqlx::query("DELETE FROM clients WHERE id = ?")
            .bind(client)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(failed("remove a client"))
    }

    /// Keeps a new job.
    pub async fn add_job(&self, job: &JobRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO jobs (id, tenant, request, sealed, phase, start_at, stop_at, attempts, note)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&job.id)
        .bind(&job.tenant)
        .bind(&job.request)
        .bind(&job.sealed)
        .bind(job.phase.as_str())
        .bind(job.start_at)
        .bind(job.stop_at)
        .bind(job.attempts)
        .bind(&job.note)
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("keep a job"))
    }

    /// Keeps what changes in a job.
    pub async fn update_job(&self, job: &JobRow) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE jobs SET phase = ?, stop_at = ?, attempts = ?, note = ?, sealed = ?
             WHERE id = ?",
        )
        .bind(job.phase.as_str())
        .bind(job.stop_at)
        .bind(job.attempts)
        .bind(&job.note)
        .bind(&job.sealed)
        .bind(&job.id)
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("update a job"))
    }

    /// One job.
    pub async fn job(&self, id: &str) -> Result<Option<JobRow>, StoreError> {
        sqlx::query("SELECT * FROM jobs WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .and_then(|row| row.as_ref().map(read_job).transpose())
            .map_err(failed("look up a job"))
    }

    /// Jobs that had not ended when this was asked.
    pub async fn unfinished(&self) -> Result<Vec<JobRow>, StoreError> {
        self.jobs("SELECT * FROM jobs WHERE phase IN ('capturing', 'finishing') ORDER BY start_at")
            .await
    }

    /// Jobs of an end phase that ended before `before` (Unix milliseconds).
    pub async fn ended_before(&self, phase: Phase, before: i64) -> Result<Vec<JobRow>, StoreError> {
        sqlx::query("SELECT * FROM jobs WHERE phase = ? AND stop_at < ?")
            .bind(phase.as_str())
            .bind(before)
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(read_job).collect())
            .map_err(failed("list ended jobs"))
    }

    /// Forgets a job.
    pub async fn remove_job(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM jobs WHERE id = ?")
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(failed("remove a job"))
    }

    /// Closes the database; later calls fail.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn jobs(&self, statement: &'static str) -> Result<Vec<JobRow>, StoreError> {
        sqlx::query(statement)
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(read_job).collect())
            .map_err(failed("list jobs"))
    }
}

fn read_job(row: &SqliteRow) -> Result<JobRow, sqlx::Error> {
    Ok(JobRow {
        id: row.try_get("id")?,
        tenant: row.try_get("tenant")?,
        request: row.try_get("request")?,
        sealed: row.try_get("sealed")?,
        phase: Phase::parse(row.try_get("phase")?),
        start_at: row.try_get("start_at")?,
        stop_at: row.try_get("stop_at")?,
        attempts: row.try_get("attempts")?,
        note: row.try_get("note")?,
    })
}
