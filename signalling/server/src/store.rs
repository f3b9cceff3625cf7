//! What survives a restart: calls, sessions, jobs, channels' switches, our own keys.
//!
//! Tables and columns follow the reference's (`calls`, `calls_sessions`, `calls_jobs`,
//! `calls_channels`), with its `props` columns as JSON.
//! Invariant: a record is committed before the caller goes on; the records of one turn are kept
//! together or not at all. No key stands in a row in clear.

mod figures;
mod keys;
mod rows;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use proto::id::{ChannelId, JobId};
use serde_json::{Map, Value};
use signalling_core::{CallRecord, JobRecord, Record, RestoredCall};
use storage::sql::{Select, flag};
use storage::{Database, Domain, Durability, Location, Migration, SqlError};

use crate::metrics::Metrics;
pub(crate) use figures::Figures;
use rows::Kept;

/// Why something could not be stored or read.
pub(crate) type StoreError = SqlError;

/// Whether calls are switched on or off in a channel, and the channel's other settings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChannelSwitch {
    pub(crate) enabled: bool,
    pub(crate) props: Map<String, Value>,
}

/// What is kept, and how.
const CALLS: Domain = Domain {
    name: "calls",
    migrations: &[Migration::new(
        1,
        "calls",
        include_str!("store/migrations/0001_calls.sql"),
    )],
    // a power cut may take the last moments of state that only matters while the process lives
    durability: Durability::ProcessDeath,
    exclusive: false,
};

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    db: Database,
    /// Where it is counted what is read and written, if it is.
    metrics: Option<Arc<Metrics>>,
}

/// What a method does with the records.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Read,
    Write,
}

impl Store {
    /// Opens or creates the database.
    pub(crate) async fn open(location: &Location) -> Result<Self, StoreError> {
        let db = Database::open(location, &CALLS).await?;
        let metrics = None;
        Ok(Self { db, metrics })
    }

    /// Counts from now on what is read and written.
    pub(crate) fn counted_by(self, metrics: Arc<Metrics>) -> Self {
        let metrics = Some(metrics);
        Self { metrics, ..self }
    }

    async fn timed<T>(&self, method: &str, kind: Kind, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = work.await;
        if let Some(metrics) = &self.metrics {
            let kind = match kind {
                Kind::Read => "read",
                Kind::Write => "write",
            };
            metrics.stored(method, kind, began);
        }
        done
    }

    pub(crate) async fn close(&self) {
        self.db.close().await;
    }

    /// Whether the database can be written, found out by writing.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        self.db.check().await
    }

    /// Keeps these records, all of them or, with an error, none.
    pub(crate) async fn keep_all(&self, records: &[Record]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let keep = async {
            let mut tx = self.db.begin("begin keeping records").await?;
            for record in records {
                let (operation, statement) = write::statement(record);
                tx.execute(operation, statement).await?;
            }
            tx.commit().await
        };
        self.timed("keep_all", Kind::Write, keep).await
    }

    /// The calls that had not ended, each with its sessions and its newest job of each kind.
    /// Rows that cannot be read are left out and logged.
    pub(crate) async fn running_calls(&self) -> Result<Vec<RestoredCall>, StoreError> {
        let open = "SELECT * FROM calls WHERE endat = 0 AND deleteat = 0 ORDER BY startat, id";
        let calls: Vec<Kept<CallRecord>> = self
            .db
            .fetch_all("read running calls", sqlx::query_as(open))
            .await?;
        let mut restored = Vec::new();
        for Kept(call) in calls {
            let Some(call) = call else {
                tracing::warn!("a stored call cannot be read and is left out");
                continue;
            };
            let sessions = "SELECT s.*, c.props AS call_props FROM calls_sessions s \
                JOIN calls c ON c.id = s.callid WHERE s.callid = $1 ORDER BY s.joinat, s.id";
            let sessions = self.of_call(sqlx::query_as(sessions), &call).await?;
            let jobs = "SELECT * FROM calls_jobs WHERE callid = $1 ORDER BY initat, id";
            let jobs: Vec<JobRecord> = self.of_call(sqlx::query_as(jobs), &call).await?;
            let newest: BTreeMap<_, JobRecord> =
                jobs.into_iter().map(|job| (job.kind, job)).collect();
            restored.push(RestoredCall {
                call,
                sessions,
                jobs: newest.into_values().collect(),
            });
        }
        Ok(restored)
    }

    async fn of_call<T>(
        &self,
        select: Select<'_, Kept<T>>,
        call: &CallRecord,
    ) -> Result<Vec<T>, StoreError>
    where
        Kept<T>: for<'r> sqlx::FromRow<'r, sqlx::any::AnyRow>,
        T: Send + Unpin,
    {
        let select = select.bind(call.id.as_str().to_owned());
        let rows = self.db.fetch_all("read a running call", select).await?;
        let read = rows.into_iter().filter_map(|Kept(row)| {
            if row.is_none() {
                tracing::warn!(call = %call.id, "a stored session or job cannot be read and is left out");
            }
            row
        });
        Ok(read.collect())
    }

    /// A job and its call, running or long ended; `None` when one of them is not known or cannot be
    /// read.
    pub(crate) async fn job(
        &self,
        id: &JobId,
    ) -> Result<Option<(JobRecord, CallRecord)>, StoreError> {
        self.timed("job", Kind::Read, self.read_job(id)).await
    }

    async fn read_job(&self, id: &JobId) -> Result<Option<(JobRecord, CallRecord)>, StoreError> {
        let job = sqlx::query_as("SELECT * FROM calls_jobs WHERE id = $1").bind(id.to_string());
        let job: Vec<Kept<JobRecord>> = self.db.fetch_all("read a job", job).await?;
        let Some(Kept(Some(job))) = job.into_iter().next() else {
            return Ok(None);
        };
        let call = sqlx::query_as("SELECT * FROM calls WHERE id = $1").bind(job.call.to_string());
        let call: Vec<Kept<CallRecord>> = self.db.fetch_all("read a job's call", call).await?;
        let call = call.into_iter().next().and_then(|Kept(call)| call);
        Ok(call.map(|call| (job, call)))
    }

    pub(crate) async fn switches(&self) -> Result<BTreeMap<ChannelId, ChannelSwitch>, StoreError> {
        let select = sqlx::query_as("SELECT * FROM calls_channels");
        let rows: Vec<Kept<(ChannelId, ChannelSwitch)>> =
            self.db.fetch_all("read channels' switches", select).await?;
        Ok(rows.into_iter().filter_map(|Kept(row)| row).collect())
    }

    pub(crate) async fn keep_switch(
        &self,
        channel: &ChannelId,
        switch: &ChannelSwitch,
    ) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "INSERT INTO calls_channels (channelid, enabled, props) VALUES ($1, $2, $3) \
             ON CONFLICT (channelid) DO UPDATE SET enabled = excluded.enabled, \
             props = excluded.props",
        )
        .bind(channel.as_str())
        .bind(flag(switch.enabled))
        .bind(Value::Object(switch.props.clone()).to_string());
        let keep = self.db.execute("keep a channel's switch", statement);
        self.timed("keep_switch", Kind::Write, keep).await?;
        Ok(())
    }
}
