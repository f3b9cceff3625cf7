//! The credentials of clients: client id -> bcrypt hash, in SQLite.
//!
//! In: ids and hashes. Out: the same, durable when a call returns.
//! Not here: hashing, who may register (`auth`, `http`).
//! Invariant: one process at a time has the store open; a second one is refused at its start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Row as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

const FILE_NAME: &str = "clients.sqlite";

/// The open store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
}

/// The store could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("create directory `{path}` (store.data_source)")]
    Directory {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("open `{path}` (store.data_source); it may be in use by another rtcd")]
    Database {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
}

/// A client could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    #[error("empty key")]
    EmptyKey,
    #[error("already registered")]
    Conflict,
    #[error("write client to the store")]
    Database(#[source] sqlx::Error),
}

/// A client could not be read or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("empty key")]
    EmptyKey,
    #[error("read or change the store")]
    Database(#[source] sqlx::Error),
}

impl Store {
    /// Opens the store in a directory and creates both when missing (modes 0700 and 0600).
    ///
    /// # Errors
    /// When the directory or file cannot be created or opened, or another process holds it.
    pub(crate) async fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(FILE_NAME);
        prepare(directory, &path).map_err(|source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Delete)
            .synchronous(SqliteSynchronous::Full)
            .locking_mode(SqliteLockingMode::Exclusive)
            .busy_timeout(Duration::from_secs(2));
        let open = async {
            // One connection, never closed: it holds the lock that keeps others out.
            let pool = SqlitePoolOptions::new()
                .min_connections(1)
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(Duration::from_secs(10))
                .connect_with(options)
                .await?;
            sqlx::query(
                "CREATE TABLE IF NOT EXISTS clients \
                 (client_id TEXT PRIMARY KEY NOT NULL, key_hash TEXT NOT NULL) STRICT",
            )
            .execute(&pool)
            .await?;
            // An exclusive lock is taken by the first write only.
            sqlx::query("PRAGMA user_version = 1")
                .execute(&pool)
                .await?;
            Ok(Self { pool })
        };
        open.await
            .map_err(|source| OpenError::Database { path, source })
    }

    /// Adds a client.
    ///
    /// # Errors
    /// `Conflict` when the id exists already.
    pub(crate) async fn put(&self, client_id: &str, key_hash: &str) -> Result<(), PutError> {
        if client_id.is_empty() {
            return Err(PutError::EmptyKey);
        }
        let written = sqlx::query("INSERT INTO clients (client_id, key_hash) VALUES (?, ?)")
            .bind(client_id)
            .bind(key_hash)
            .execute(&self.pool)
            .await;
        match written {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(PutError::Conflict)
            }
            Err(error) => Err(PutError::Database(error)),
        }
    }

    /// Returns the hash of a client's key.
    ///
    /// # Errors
    /// When the id is empty or the store cannot be read.
    pub(crate) async fn get(&self, client_id: &str) -> Result<Option<String>, AccessError> {
        if client_id.is_empty() {
            return Err(AccessError::EmptyKey);
        }
        sqlx::query("SELECT key_hash FROM clients WHERE client_id = ?")
            .bind(client_id)
            .fetch_optional(&self.pool)
            .await
            .map(|row| row.map(|row| row.get(0)))
            .map_err(AccessError::Database)
    }

    /// Removes a client; absent ones are fine. Returns whether it was there.
    ///
    /// # Errors
    /// When the id is empty or the store cannot be written.
    pub(crate) async fn delete(&self, client_id: &str) -> Result<bool, AccessError> {
        if client_id.is_empty() {
            return Err(AccessError::EmptyKey);
        }
        sqlx::query("DELETE FROM clients WHERE client_id = ?")
            .bind(client_id)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() > 0)
            .map_err(AccessError::Database)
    }

    /// Closes the file; another process may open it afterwards.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(unix)]
fn prepare(directory: &Path, file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    // Created before SQLite does, so that the mode is right from the first moment.
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .map(drop)
}

#[cfg(not(unix))]
fn prepare(directory: &Path, _file: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_clients_over_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let store = Store::open(&path).await.unwrap();
        store.put("a", "hash").await.unwrap();
        assert!(matches!(
            store.put("a", "other").await,
            Err(PutError::Conflict)
        ));
        assert!(matches!(
            store.put("", "hash").await,
            Err(PutError::EmptyKey)
        ));
        store.close().await;

        let store = Store::open(&path).await.unwrap();
        assert_eq!(store.get("a").await.unwrap().as_deref(), Some("hash"));
        assert_eq!(store.get("b").await.unwrap(), None);
        assert!(store.delete("a").await.unwrap());
        assert!(!store.delete("a").await.unwrap());
        assert!(matches!(store.delete("").await, Err(AccessError::EmptyKey)));
        assert!(matches!(store.get("").await, Err(AccessError::EmptyKey)));
    }

    #[tokio::test]
    async fn a_second_process_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Store::open(directory.path()).await.unwrap();
        let refused = Store::open(directory.path()).await.unwrap_err();
        assert!(
            refused.to_string().contains("in use by another rtcd"),
            "{refused}"
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let _store = Store::open(&path).await.unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(FILE_NAME)), 0o600);
    }
}
