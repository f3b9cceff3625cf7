//! What survives a restart: calls, sessions, jobs, channels' switches, our own keys. SQLite.
//!
//! Tables and columns follow the reference's (`calls`, `calls_sessions`, `calls_jobs`,
//! `calls_channels`), with its `props` columns as JSON.
//! Invariant: a record is committed before the caller goes on.

mod rows;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proto::id::ChannelId;
use serde_json::{Map, Value};
use signalling_core::{CallRecord, JobRecord, Record, RestoredCall, SessionRecord};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row as _, SqlitePool};

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[error("{operation}")]
pub(crate) struct StoreError {
    operation: &'static str,
    #[source]
    source: sqlx::Error,
}

/// Whether calls are switched on or off in a channel, and the channel's other settings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChannelSwitch {
    pub(crate) enabled: bool,
    pub(crate) props: Map<String, Value>,
}

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
}

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS calls_channels (
    channelid TEXT PRIMARY KEY, enabled INTEGER NOT NULL, props TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    id TEXT PRIMARY KEY, channelid TEXT NOT NULL, startat INTEGER NOT NULL, endat INTEGER NOT NULL,
    createat INTEGER NOT NULL, deleteat INTEGER NOT NULL, title TEXT NOT NULL, postid TEXT NOT NULL,
    threadid TEXT NOT NULL, ownerid TEXT NOT NULL, participants TEXT NOT NULL, stats TEXT NOT NULL,
    props TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_channelid ON calls (channelid);
CREATE INDEX IF NOT EXISTS calls_endat ON calls (endat);
CREATE TABLE IF NOT EXISTS calls_sessions (
    id TEXT PRIMARY KEY, callid TEXT NOT NULL, userid TEXT NOT NULL, joinat INTEGER NOT NULL,
    unmuted INTEGER NOT NULL, raisedhand INTEGER NOT NULL, video INTEGER NOT NULL,
    props TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_sessions_callid ON calls_sessions (callid);
CREATE TABLE IF NOT EXISTS calls_jobs (
    id TEXT PRIMARY KEY, callid TEXT NOT NULL, type TEXT NOT NULL, creatorid TEXT NOT NULL,
    initat INTEGER NOT NULL, startat INTEGER NOT NULL, endat INTEGER NOT NULL, props TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_jobs_callid ON calls_jobs (callid);
CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, value TEXT NOT NULL);
";

impl Store {
    /// Opens or creates the database.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // With a write-ahead log this survives the death of the process; a power cut may take
            // the last moments of state that only matters while the process lives.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5));
        // One connection: every record is written in the order it was made.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await;
        let store = Self {
            pool: pool.map_err(failed("open the calls database"))?,
        };
        sqlx::raw_sql(SCHEMA)
            .execute(&store.pool)
            .await
            .map_err(failed("create the calls tables"))?;
        Ok(store)
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether the database answers.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        let answer = sqlx::query("SELECT 1").execute(&self.pool).await;
        answer.map(|_| ()).map_err(failed("ask the calls database"))
    }

    /// Keeps all of them with one commit, or none.
    pub(crate) async fn keep_all(&self, records: &[Record]) -> Result<(), StoreError> {
        let begun = self.pool.begin().await;
        let mut transaction = begun.map_err(failed("begin to keep records"))?;
        for record in records {
            keep(&mut transaction, record).await?;
        }
        let kept = transaction.commit().await;
        kept.map_err(failed("commit records"))
    }

    /// The calls that had not ended, each with its sessions and its newest job of each kind.
    /// Rows that cannot be read are left out and logged.
    pub(crate) async fn running_calls(&self) -> Result<Vec<RestoredCall>, StoreError> {
        let open = "SELECT * FROM calls WHERE endat = 0 AND deleteat = 0 ORDER BY startat";
        let calls = sqlx::query(open).fetch_all(&self.pool).await;
        let mut restored = Vec::new();
        for row in calls.map_err(failed("read running calls"))? {
            let Some(call) = rows::call(&row) else {
                tracing::warn!("a stored call cannot be read and is left out");
                continue;
            };
            let sessions = self.of_call("SELECT * FROM calls_sessions WHERE callid = ?", &call);
            let host = rows::host_of_all(&row);
            let session = |row| rows::session(row, host.as_ref());
            let sessions = sessions.await?.iter().filter_map(session).collect();
            let jobs = "SELECT * FROM calls_jobs WHERE callid = ? ORDER BY initat";
            let jobs = self.of_call(jobs, &call).await?;
            let newest: BTreeMap<_, JobRecord> = jobs
                .iter()
                .filter_map(rows::job)
                .map(|job| (job.kind, job))
                .collect();
            restored.push(RestoredCall {
                call,
                sessions,
                jobs: newest.into_values().collect(),
            });
        }
        Ok(restored)
    }

    async fn of_call(
        &self,
        query: &'static str,
        call: &CallRecord,
    ) -> Result<Vec<sqlx::sqlite::SqliteRow>, StoreError> {
        let rows = sqlx::query(query)
            .bind(call.id.as_str())
            .fetch_all(&self.pool)
            .await;
        rows.map_err(failed("read a running call"))
    }

    pub(crate) async fn switches(&self) -> Result<BTreeMap<ChannelId, ChannelSwitch>, StoreError> {
        let rows = sqlx::query("SELECT * FROM calls_channels")
            .fetch_all(&self.pool)
            .await;
        let rows = rows.map_err(failed("read channels' switches"))?;
        Ok(rows.iter().filter_map(rows::switch).collect())
    }

    pub(crate) async fn keep_switch(
        &self,
        channel: &ChannelId,
        switch: &ChannelSwitch,
    ) -> Result<(), StoreError> {
        let done = sqlx::query("INSERT OR REPLACE INTO calls_channels VALUES (?, ?, ?)")
            .bind(channel.as_str())
            .bind(switch.enabled)
            .bind(Value::Object(switch.props.clone()).to_string())
            .execute(&self.pool)
            .await;
        done.map(|_| ()).map_err(failed("keep a channel's switch"))
    }

    /// Returns a key of ours, made by `make` at the first call.
    pub(crate) async fn key(
        &self,
        name: &str,
        make: impl FnOnce() -> String,
    ) -> Result<String, StoreError> {
        sqlx::query("INSERT OR IGNORE INTO keys VALUES (?, ?)")
            .bind(name)
            .bind(make())
            .execute(&self.pool)
            .await
            .map_err(failed("keep a key"))?;
        let row = sqlx::query("SELECT value FROM keys WHERE name = ?").bind(name);
        let row = row
            .fetch_one(&self.pool)
            .await
            .map_err(failed("read a key"))?;
        row.try_get("value").map_err(failed("read a key"))
    }
}

type Transaction = sqlx::Transaction<'static, sqlx::Sqlite>;

async fn keep(to: &mut Transaction, record: &Record) -> Result<(), StoreError> {
    match record {
        Record::Call(call) => keep_call(to, call).await,
        Record::Session(session) => keep_session(to, session).await,
        Record::Job(job) => keep_job(to, job).await,
        Record::SessionGone(session) => {
            let query = sqlx::query("DELETE FROM calls_sessions WHERE id = ?");
            let done = query.bind(session.as_str()).execute(&mut **to).await;
            done.map(|_| ()).map_err(failed("forget a session"))
        }
    }
}

async fn keep_call(to: &mut Transaction, call: &CallRecord) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT INTO calls (id, channelid, startat, endat, createat, deleteat, title, postid, \
         threadid, ownerid, participants, stats, props) \
         VALUES (?1, ?2, ?3, ?4, ?3, 0, ?5, ?6, ?7, ?8, ?9, '{}', ?10) \
         ON CONFLICT (id) DO UPDATE SET endat = ?4, title = ?5, postid = ?6, threadid = ?7, \
         participants = ?9, props = ?10",
    );
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    let done = query
        .bind(call.id.as_str())
        .bind(call.channel.as_str())
        .bind(call.start_at_ms)
        .bind(call.end_at_ms)
        .bind(&call.title)
        .bind(text(call.post.as_ref().map(AsRef::as_ref)))
        .bind(text(call.thread.as_ref().map(AsRef::as_ref)))
        .bind(call.owner.as_str())
        .bind(serde_json::to_string(&call.participants).unwrap_or_default())
        .bind(rows::call_props(call).to_string())
        .execute(&mut **to)
        .await;
    done.map(|_| ()).map_err(failed("keep a call"))
}

async fn keep_session(to: &mut Transaction, session: &SessionRecord) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT OR REPLACE INTO calls_sessions \
         (id, callid, userid, joinat, unmuted, raisedhand, video, props) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
    let done = query
        .bind(session.id.as_str())
        .bind(session.call.as_str())
        .bind(session.user.as_str())
        .bind(session.join_at_ms)
        .bind(session.unmuted)
        .bind(session.raised_hand_ms)
        .bind(session.video)
        .bind(rows::session_props(session).to_string())
        .execute(&mut **to)
        .await;
    done.map(|_| ()).map_err(failed("keep a session"))
}

async fn keep_job(to: &mut Transaction, job: &JobRecord) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT OR REPLACE INTO calls_jobs \
         (id, callid, type, creatorid, initat, startat, endat, props) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
    let done = query
        .bind(job.id.as_str())
        .bind(job.call.as_str())
        .bind(job.kind.as_str())
        .bind(job.creator.as_str())
        .bind(job.init_at_ms)
        .bind(job.start_at_ms)
        .bind(job.end_at_ms)
        .bind(rows::job_props(job).to_string())
        .execute(&mut **to)
        .await;
    done.map(|_| ()).map_err(failed("keep a job"))
}

fn failed(operation: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError { operation, source }
}
