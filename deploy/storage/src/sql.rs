//! One database for one domain: SQLite in a file (default) or a schema on a PostgreSQL server.
//!
//! In: a `Location`, a `Domain` (its migrations, how much a power cut may take), statements.
//! Out: rows; errors that name the operation and the database, never a password.
//! Not here: any domain's tables or statements; each service owns its own.
//!
//! One text of SQL serves both engines, through sqlx's `Any`. What is portable was tried on both:
//! - parameters are `$1`, `$2`; a list of unknown length is made with `Builder` (sqlx's
//!   `QueryBuilder` writes `?` for `Any`, which PostgreSQL does not take);
//! - columns are `BIGINT`, `TEXT` or `BLOB`. A yes or no is a BIGINT of 0 or 1 (`flag`): `Any`
//!   refuses a whole row with a SQLite column that is declared `BOOLEAN`, and a bound `bool`
//!   meets a BOOLEAN on one engine and an integer on the other;
//! - `COUNT(*)` and `COALESCE` are as they stand, `SUM(x)` is a NUMERIC on PostgreSQL and is
//!   written `CAST(SUM(x) AS BIGINT)`;
//! - `ON CONFLICT ... DO UPDATE/NOTHING`, `LIKE ... ESCAPE '!'`; texts compare by bytes on both
//!   (see `migrations`); no text holds U+0000, which PostgreSQL cannot keep (`text`);
//! - after a statement that failed a transaction does nothing more on PostgreSQL, so here it
//!   cannot be committed on either.
//!
//! Invariant: one writer. Writes pass through one connection of the process, and writing
//! transactions of several processes wait for each other (`BEGIN IMMEDIATE`, an advisory lock).
//! Invariant: a connection whose write failed for any reason but the data itself is closed, so
//! that the next write begins afresh.

mod builder;
mod connect;
mod error;
mod health;
mod leadership;
mod location;
mod migrations;
mod reserve;
mod transaction;
mod writer;

use std::sync::Arc;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{Any, AnyPool, Decode, FromRow, Type};

pub use builder::Builder;
pub use error::SqlError;
pub use leadership::{Candidate, Leader, Leadership};
pub use location::{Location, LocationError};
pub use migrations::Migration;
pub use transaction::Transaction;

use health::Health;
use writer::{Turn, Writer};

/// What one service keeps, and how.
#[derive(Debug)]
pub struct Domain {
    /// The word for it: the schema on PostgreSQL, and the name of the lock of its writers.
    pub name: &'static str,
    /// The tables, as numbered steps: a released step is never edited.
    pub migrations: &'static [Migration],
    pub durability: Durability,
    /// Whether a second process that opens it is refused.
    pub exclusive: bool,
}

/// What a commit that was answered survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: each commit waits for the disk.
    PowerCut,
    /// The death of the process; a power cut may take the last moments.
    ProcessDeath,
}

/// An open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// How errors name it.
    name: Arc<str>,
    /// `None` where the writer reads too: it keeps everybody else out of the file.
    read: Option<AnyPool>,
    write: Writer,
    begin: String,
    /// What makes SQLite write the log into the file and empty it.
    checkpoint: Option<&'static str>,
    health: Health,
}

/// A statement that changes something.
pub type Statement<'q> = Query<'q, Any, AnyArguments>;
/// A statement that gives rows.
pub type Select<'q, O> = QueryAs<'q, Any, O, AnyArguments>;
/// A statement that gives one value.
pub type SelectValue<'q, O> = QueryScalar<'q, Any, O, AnyArguments>;

/// A yes or no as both engines keep it.
#[must_use]
pub fn flag(value: bool) -> i64 {
    i64::from(value)
}

/// A text as both engines can keep it: U+0000 becomes the replacement character.
#[must_use]
pub fn text(value: &str) -> std::borrow::Cow<'_, str> {
    if value.contains('\0') {
        value.replace('\0', "\u{fffd}").into()
    } else {
        value.into()
    }
}

impl Database {
    /// Opens the database, creates it when missing, and brings its tables up to date. Nothing is
    /// written when they are: a database on a full disk opens and reads.
    ///
    /// # Errors
    /// When it cannot be opened or its tables cannot be brought up to date.
    pub async fn open(location: &Location, domain: &Domain) -> Result<Self, SqlError> {
        let database = match connect::open(location, domain).await {
            Err(error) if error.is_out_of_space() && reserve::give_back(location) => {
                tracing::warn!(%error, "the disk is full: the reserve beside the database is used up");
                connect::open(location, domain).await?
            }
            opened => opened?,
        };
        reserve::put_aside(location);
        Ok(database)
    }

    /// What errors call it: the path of the file, or the server's address without the password.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Closes all connections; statements after this fail.
    pub async fn close(&self) {
        if let Some(read) = &self.inner.read {
            read.close().await;
        }
        self.inner.write.close().await;
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.write.is_closed()
    }

    /// Takes what was overwritten or deleted off the disk now instead of some time later. On
    /// PostgreSQL that is the server's own business (`VACUUM`).
    ///
    /// # Errors
    /// When the file could not be written.
    pub async fn forget_overwritten(&self) -> Result<(), SqlError> {
        let Some(checkpoint) = self.inner.checkpoint else {
            return Ok(());
        };
        let operation = "take overwritten data off the disk";
        let mut connection = self.writer(operation).await?;
        let done = sqlx::raw_sql(checkpoint).execute(&mut *connection).await;
        done.map_err(|source| self.failed(operation, source))?;
        connection.give_back();
        Ok(())
    }

    /// Whether it can be written, found out by writing (at most once a second).
    ///
    /// # Errors
    /// When the write did not succeed.
    pub async fn check(&self) -> Result<(), SqlError> {
        self.inner.health.check(self).await
    }

    /// Begins a writing transaction: nobody else writes until it ends.
    ///
    /// # Errors
    /// When the database cannot be reached or another process writes for too long.
    pub async fn begin(&self, operation: &'static str) -> Result<Transaction, SqlError> {
        let connection = self.writer(operation).await?;
        Transaction::begin(connection, &self.inner, operation).await
    }

    /// Runs one statement that changes something; returns how many rows it touched.
    ///
    /// # Errors
    /// When it did not run; it then changed nothing.
    pub async fn execute(
        &self,
        operation: &'static str,
        statement: Statement<'_>,
    ) -> Result<u64, SqlError> {
        let mut connection = self.writer(operation).await?;
        crate::testing_hook::statement();
        let done = statement.execute(&mut *connection).await;
        crate::testing_hook::statement();
        let done = done.map_err(|source| self.failed(operation, source));
        if done.as_ref().err().is_none_or(SqlError::is_about_data) {
            connection.give_back();
        }
        done.map(|done| done.rows_affected())
    }

    /// All rows of a reading statement.
    ///
    /// # Errors
    /// When it did not run or a row cannot be read.
    pub async fn fetch_all<O>(
        &self,
        operation: &'static str,
        select: Select<'_, O>,
    ) -> Result<Vec<O>, SqlError>
    where
        O: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let rows = match &self.inner.read {
            Some(readers) => select.fetch_all(readers).await,
            None => {
                let mut connection = self.writer(operation).await?;
                let rows = select.fetch_all(&mut *connection).await;
                connection.give_back();
                rows
            }
        };
        rows.map_err(|source| self.failed(operation, source))
    }

    /// The first row of a reading statement.
    ///
    /// # Errors
    /// When it did not run or the row cannot be read.
    pub async fn fetch_optional<O>(
        &self,
        operation: &'static str,
        select: Select<'_, O>,
    ) -> Result<Option<O>, SqlError>
    where
        O: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let row = match &self.inner.read {
            Some(readers) => select.fetch_optional(readers).await,
            None => {
                let mut connection = self.writer(operation).await?;
                let row = select.fetch_optional(&mut *connection).await;
                connection.give_back();
                row
            }
        };
        row.map_err(|source| self.failed(operation, source))
    }

    /// The value of a reading statement that gives exactly one, such as a count.
    ///
    /// # Errors
    /// When it did not run, gave no row, or the value cannot be read.
    pub async fn fetch_value<O>(
        &self,
        operation: &'static str,
        select: SelectValue<'_, O>,
    ) -> Result<O, SqlError>
    where
        O: for<'r> Decode<'r, Any> + Type<Any> + Send + Unpin,
    {
        let value = match &self.inner.read {
            Some(readers) => select.fetch_one(readers).await,
            None => {
                let mut connection = self.writer(operation).await?;
                let value = select.fetch_one(&mut *connection).await;
                connection.give_back();
                value
            }
        };
        value.map_err(|source| self.failed(operation, source))
    }

    async fn writer(&self, operation: &'static str) -> Result<Turn, SqlError> {
        let connection = self.inner.write.acquire().await;
        connection.map_err(|source| self.failed(operation, source))
    }

    fn failed(&self, operation: &'static str, source: sqlx::Error) -> SqlError {
        SqlError::new(operation, self.inner.name.clone(), source)
    }
}
