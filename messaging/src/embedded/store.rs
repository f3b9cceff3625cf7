//! The durable records of the embedded server: every SQL statement lives below this file.
//!
//! In: ids and plain values. Out: rows. Not here: permissions, events, files on disk.
//! Statements are kept portable (numbered parameters, `ON CONFLICT`, BIGINT, BOOLEAN, TEXT), so
//! that PostgreSQL can join by another `Db` alias. Times are Unix milliseconds; 0 means never.
//! Invariant: SQLite has one writer, so writes go through a pool of one connection.

mod accounts;
mod files;
mod posts;
mod rooms;
mod rows;
mod schema;

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub(crate) use accounts::{NewLogin, NewPerson, PersonFilter};
pub(crate) use posts::PostPage;
pub(crate) use rooms::NewRoom;
pub(crate) use rows::{
    FileRow, LoginRow, MemberRow, PersonRow, PostRow, PreferenceRow, RoomRow, TeamMemberRow,
    TeamRow, UploadRow,
};

type Db = sqlx::Sqlite;
type Row = sqlx::sqlite::SqliteRow;

/// Connections that only read; more would wait for the two cores of a small machine.
const READERS: u32 = 4;
/// How long a statement waits for another process that holds the write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A statement did not run.
#[derive(Debug, thiserror::Error)]
#[error("{operation}")]
pub(crate) struct StoreError {
    pub(crate) operation: &'static str,
    #[source]
    source: sqlx::Error,
}

impl StoreError {
    /// `Ok` when a row with the same unique key is there already, else the error itself.
    pub(crate) fn into_duplicate(self) -> Result<(), super::fault::Fault> {
        let error = self.source.as_database_error();
        if error.is_some_and(sqlx::error::DatabaseError::is_unique_violation) {
            return Ok(());
        }
        Err(self.into())
    }
}

/// Names the operation that failed.
fn during(operation: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError { operation, source }
}

/// The database.
#[derive(Debug)]
pub(crate) struct Store {
    read: sqlx::Pool<Db>,
    write: sqlx::Pool<Db>,
}

impl Store {
    /// Opens the database file, creates it when missing, and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An answered write survives a power cut, not only a crash of the process.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .disable_statement_logging();
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(during("open database"))?;
        schema::bring_up_to_date(&write).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options)
            .await
            .map_err(during("open database for reading"))?;
        Ok(Self { read, write })
    }

    /// Closes all connections; statements after this fail.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.write.is_closed()
    }

    async fn begin(
        &self,
        operation: &'static str,
    ) -> Result<sqlx::Transaction<'static, Db>, StoreError> {
        // Takes the write lock at once: a lock taken later could not wait for another process.
        self.write
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(during(operation))
    }
}

/// Turns what a person typed into a prefix pattern for `LIKE ... ESCAPE '!'`.
fn prefix_pattern(term: &str) -> String {
    let mut pattern = String::with_capacity(term.len() + 1);
    for c in term.trim_start_matches('@').to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_hold_what_was_typed_and_no_wildcard_of_the_typist() {
        assert_eq!(prefix_pattern("@An_"), "an!_%");
        assert_eq!(prefix_pattern("100%"), "100!%%");
    }

    #[tokio::test]
    async fn a_database_opens_twice_with_the_same_schema() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let first = Store::open(&path).await.unwrap();
        first.close().await;
        let second = Store::open(&path).await.unwrap();
        assert_eq!(second.count_people().await.unwrap(), 0);
    }
}
