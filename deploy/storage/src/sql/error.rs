//! Why a statement did not run: the operation, the database, and the engine's own words.

use std::sync::Arc;

use sqlx::error::{DatabaseError, ErrorKind};

/// A statement did not run, or a database did not open.
#[derive(Debug, thiserror::Error)]
#[error("{operation} in `{database}`")]
pub struct SqlError {
    operation: &'static str,
    database: Arc<str>,
    #[source]
    source: sqlx::Error,
}

/// What SQLite says (its primary result codes) when there is no room or a file cannot be written.
const SQLITE_CANTOPEN: i64 = 14;
const SQLITE_FULL: i64 = 13;
const SQLITE_IOERR: i64 = 10;
/// PostgreSQL's class for "insufficient resources", disk full among them.
const POSTGRES_RESOURCES: &str = "53";

impl SqlError {
    pub(super) fn new(operation: &'static str, database: Arc<str>, source: sqlx::Error) -> Self {
        Self {
            operation,
            database,
            source,
        }
    }

    /// Verb and object, for example `insert post`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether a row with the same unique key is there already.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        let error = self.source.as_database_error();
        error.is_some_and(DatabaseError::is_unique_violation)
    }

    /// Whether the data broke a rule of the tables; the connection is as good as before.
    pub(super) fn is_about_data(&self) -> bool {
        let error = self.source.as_database_error();
        error.is_some_and(|error| !matches!(error.kind(), ErrorKind::Other))
    }

    /// Whether the disk had no room, or would not take a file.
    pub(super) fn is_out_of_space(&self) -> bool {
        let Some(error) = self.source.as_database_error() else {
            return false;
        };
        let Some(code) = error.code() else {
            return false;
        };
        match code.parse::<i64>() {
            Ok(extended) if code.len() < 5 => {
                matches!(
                    extended & 0xff,
                    SQLITE_FULL | SQLITE_IOERR | SQLITE_CANTOPEN
                )
            }
            _ => code.starts_with(POSTGRES_RESOURCES),
        }
    }
}
