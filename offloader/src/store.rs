//! What must survive a restart: clients and jobs, on SQLite or PostgreSQL.
//!
//! In: rows to keep. Out: rows kept. Every write is durable when the call returns.
//! Not here: media (a folder per job), bearer tokens (memory only).
//! Invariant: no secret stands in a row in clear: keys are hashed, job secrets sealed.

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};
use storage::sql::text;
use storage::{Database, Domain, Durability, Location, Migration, SqlError};

/// The database did not do what was asked.
pub type StoreError = SqlError;

/// What is kept, and how.
const JOBS: Domain = Domain {
    name: "jobs",
    migrations: &[Migration::new(
        1,
        "jobs",
        include_str!("store/migrations/0001_jobs.sql"),
    )],
    durability: Durability::PowerCut,
    exclusive: false,
};

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
    /// As `Failed`, and its result is made: an operator can have it handed in again.
    Parked,
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
            Self::Parked => "parked",
        }
    }

    fn parse(text: &str) -> Self {
        [Self::Capturing, Self::Finishing, Self::Done, Self::Parked]
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .unwrap_or(Self::Failed)
    }
}

/// One job as kept.
#[derive(Debug, Clone, PartialEq)]
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
    db: Database,
}

impl Store {
    /// Opens (or makes) the database.
    ///
    /// # Errors
    /// When it cannot be opened or is not ours.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        let db = Database::open(location, &JOBS).await?;
        Ok(Self { db })
    }

    /// Whether the database can be written, found out by writing.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.db.check().await
    }

    /// The hash of a client's key.
    pub async fn key_hash(&self, client: &str) -> Result<Option<String>, StoreError> {
        let select = sqlx::query_as("SELECT key_hash FROM clients WHERE id = $1");
        let row = self
            .db
            .fetch_optional("look up a client", select.bind(client));
        let row: Option<(String,)> = row.await?;
        Ok(row.map(|(hash,)| hash))
    }

    /// Adds a client; `false` when it is there already.
    pub async fn add_client(&self, client: &str, hash: &str, at: i64) -> Result<bool, StoreError> {
        let statement = sqlx::query(
            "INSERT INTO clients (id, key_hash, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO NOTHING",
        );
        let statement = statement.bind(client).bind(hash).bind(at);
        Ok(self.db.execute("add a client", statement).await? == 1)
    }

    /// Removes a client; `false` when there is none.
    pub async fn remove_client(&self, client: &str) -> Result<bool, StoreError> {
        let statement = sqlx::query("DELETE FROM clients WHERE id = $1").bind(client);
        Ok(self.db.execute("remove a client", statement).await? == 1)
    }

    /// Keeps a new job.
    pub async fn add_job(&self, job: &JobRow) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "INSERT INTO jobs (id, tenant, request, sealed, phase, start_at, stop_at, attempts, note)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&job.id)
        .bind(&job.tenant)
        .bind(text(&job.request).into_owned())
        .bind(&job.sealed)
        .bind(job.phase.as_str())
        .bind(job.start_at)
        .bind(job.stop_at)
        .bind(job.attempts)
        .bind(text(&job.note).into_owned());
        self.db.execute("keep a job", statement).await?;
        Ok(())
    }

    /// Keeps what changes in a job.
    pub async fn update_job(&self, job: &JobRow) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "UPDATE jobs SET phase = $1, stop_at = $2, attempts = $3, note = $4, sealed = $5
             WHERE id = $6",
        )
        .bind(job.phase.as_str())
        .bind(job.stop_at)
        .bind(job.attempts)
        .bind(text(&job.note).into_owned())
        .bind(&job.sealed)
        .bind(&job.id);
        self.db.execute("update a job", statement).await?;
        Ok(())
    }

    /// One job.
    pub async fn job(&self, id: &str) -> Result<Option<JobRow>, StoreError> {
        let select = sqlx::query_as("SELECT * FROM jobs WHERE id = $1");
        self.db
            .fetch_optional("look up a job", select.bind(id))
            .await
    }

    /// Jobs that had not ended when this was asked.
    pub async fn unfinished(&self) -> Result<Vec<JobRow>, StoreError> {
        let select = "SELECT * FROM jobs WHERE phase IN ('capturing', 'finishing')
            ORDER BY start_at, id";
        self.db.fetch_all("list jobs", sqlx::query_as(select)).await
    }

    /// Jobs whose results wait for an operator, the oldest first.
    pub async fn parked(&self) -> Result<Vec<JobRow>, StoreError> {
        let select = "SELECT * FROM jobs WHERE phase = 'parked' ORDER BY stop_at, id";
        let select = sqlx::query_as(select);
        self.db.fetch_all("list parked jobs", select).await
    }

    /// Jobs of an end phase that ended before `before` (Unix milliseconds).
    pub async fn ended_before(&self, phase: Phase, before: i64) -> Result<Vec<JobRow>, StoreError> {
        let select = "SELECT * FROM jobs WHERE phase = $1 AND stop_at < $2";
        let select = sqlx::query_as(select).bind(phase.as_str()).bind(before);
        self.db.fetch_all("list ended jobs", select).await
    }

    /// Forgets a job.
    pub async fn remove_job(&self, id: &str) -> Result<(), StoreError> {
        let statement = sqlx::query("DELETE FROM jobs WHERE id = $1").bind(id);
        self.db.execute("remove a job", statement).await?;
        Ok(())
    }

    /// Closes the database; later calls fail.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

impl FromRow<'_, AnyRow> for JobRow {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, phase: Phase) -> JobRow {
        JobRow {
            id: id.to_owned(),
            tenant: "plugin".to_owned(),
            request: "{\"a\":1}".to_owned(),
            sealed: vec![0, 1, 255],
            phase,
            start_at: 10,
            stop_at: 20,
            attempts: 1,
            note: String::new(),
        }
    }

    async fn clients_are_added_once(location: Location) {
        let store = Store::open(&location).await.unwrap();
        assert!(store.add_client("plugin", "hash", 1).await.unwrap());
        assert!(!store.add_client("plugin", "other", 2).await.unwrap());
        let hash = store.key_hash("plugin").await.unwrap();
        assert_eq!(hash.as_deref(), Some("hash"));
        assert!(store.remove_client("plugin").await.unwrap());
        assert!(!store.remove_client("plugin").await.unwrap());
        assert_eq!(store.key_hash("plugin").await.unwrap(), None);
        store.check().await.unwrap();
    }

    async fn jobs_are_kept_until_they_are_removed(location: Location) {
        let store = Store::open(&location).await.unwrap();
        let mut running = job("a", Phase::Capturing);
        store.add_job(&running).await.unwrap();
        store.add_job(&job("b", Phase::Failed)).await.unwrap();
        store.close().await;

        let store = Store::open(&location).await.unwrap();
        assert_eq!(store.job("a").await.unwrap(), Some(running.clone()));
        assert_eq!(store.unfinished().await.unwrap(), [running.clone()]);
        let old: Vec<_> = store.ended_before(Phase::Failed, 21).await.unwrap();
        assert_eq!(old, [job("b", Phase::Failed)]);
        let none = store.ended_before(Phase::Failed, 20).await.unwrap();
        assert!(none.is_empty());
        running.phase = Phase::Done;
        running.sealed.clear();
        running.note = "bad\0text".to_owned();
        store.update_job(&running).await.unwrap();
        let done = store.job("a").await.unwrap().unwrap();
        assert!(
            done.sealed.is_empty(),
            "the secrets of an ended job are gone"
        );
        assert_eq!(done.note, "bad\u{fffd}text");
        store.remove_job("a").await.unwrap();
        assert_eq!(store.job("a").await.unwrap(), None);
    }

    storage::on_both_engines! {
        clients_are_added_once
        jobs_are_kept_until_they_are_removed
    }

    /// The tables as every version before numbered steps made them.
    #[tokio::test]
    async fn a_database_of_an_earlier_version_is_adopted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offloader.db");
        storage::testing::sqlite_of_old(
            &path,
            "CREATE TABLE IF NOT EXISTS clients (
                id TEXT PRIMARY KEY, key_hash TEXT NOT NULL, created_at INTEGER NOT NULL);
             CREATE TABLE IF NOT EXISTS jobs (
                id TEXT PRIMARY KEY, tenant TEXT NOT NULL, request TEXT NOT NULL,
                sealed BLOB NOT NULL, phase TEXT NOT NULL, start_at INTEGER NOT NULL,
                stop_at INTEGER NOT NULL, attempts INTEGER NOT NULL, note TEXT NOT NULL);
             INSERT INTO clients VALUES ('plugin', 'hash', 1);
             INSERT INTO jobs VALUES
                ('a', 'plugin', '{\"a\":1}', X'0001FF', 'finishing', 10, 20, 1, '');",
        )
        .await;
        let location = Location::File(path);
        for _ in 0..2 {
            let store = Store::open(&location).await.unwrap();
            let jobs = store.unfinished().await.unwrap();
            assert_eq!(jobs, [job("a", Phase::Finishing)]);
            let hash = store.key_hash("plugin").await.unwrap();
            assert_eq!(hash.as_deref(), Some("hash"));
            store.close().await;
        }
    }
}
