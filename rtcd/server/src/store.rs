//! The credentials of clients: client id -> bcrypt hash.
//!
//! In: ids and hashes. Out: the same, durable when a call returns.
//! Not here: hashing, who may register (`auth`, `http`).
//! Invariant: one process at a time has the store open; a second one is refused at its start.

use std::path::Path;

use storage::{Database, Domain, Durability, Location, Migration, SqlError};

const FILE_NAME: &str = "clients.sqlite";

/// What is kept, and how.
const CLIENTS: Domain = Domain {
    name: "rtcd",
    migrations: &[Migration::new(
        1,
        "clients",
        include_str!("store/migrations/0001_clients.sql"),
    )],
    durability: Durability::PowerCut,
    exclusive: true,
};

/// The open store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    db: Database,
}

/// The store could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("open `{location}` ({setting}); it may be in use by another rtcd")]
pub(crate) struct OpenError {
    location: String,
    setting: &'static str,
    #[source]
    source: SqlError,
}

/// A client could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    #[error("empty key")]
    EmptyKey,
    #[error("already registered")]
    Conflict,
    #[error(transparent)]
    Database(#[from] SqlError),
}

/// A client could not be read or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("empty key")]
    EmptyKey,
    #[error(transparent)]
    Database(#[from] SqlError),
}

/// The database in the directory that `store.data_source` names.
pub(crate) fn in_directory(directory: &Path) -> Location {
    Location::File(directory.join(FILE_NAME))
}

impl Store {
    /// Opens the store and creates it when missing; files and folders are readable by their owner
    /// only.
    ///
    /// # Errors
    /// When it cannot be created or opened, or another process holds it.
    pub(crate) async fn open(location: &Location) -> Result<Self, OpenError> {
        let opened = Database::open(location, &CLIENTS).await;
        let db = opened.map_err(|source| OpenError {
            location: location.to_string(),
            setting: match location {
                Location::File(_) => "store.data_source",
                Location::Postgres { .. } => "store.database",
            },
            source,
        })?;
        Ok(Self { db })
    }

    /// Adds a client.
    ///
    /// # Errors
    /// `Conflict` when the id exists already.
    pub(crate) async fn put(&self, client_id: &str, key_hash: &str) -> Result<(), PutError> {
        if client_id.is_empty() {
            return Err(PutError::EmptyKey);
        }
        let statement = sqlx::query("INSERT INTO clients (client_id, key_hash) VALUES ($1, $2)");
        let statement = statement.bind(client_id).bind(key_hash);
        match self.db.execute("add a client", statement).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_duplicate() => Err(PutError::Conflict),
            Err(error) => Err(error.into()),
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
        let select = sqlx::query_as("SELECT key_hash FROM clients WHERE client_id = $1");
        let row = self
            .db
            .fetch_optional("look up a client", select.bind(client_id));
        let row: Option<(String,)> = row.await?;
        Ok(row.map(|(hash,)| hash))
    }

    /// Removes a client; absent ones are fine. Returns whether it was there.
    ///
    /// # Errors
    /// When the id is empty or the store cannot be written.
    pub(crate) async fn delete(&self, client_id: &str) -> Result<bool, AccessError> {
        if client_id.is_empty() {
            return Err(AccessError::EmptyKey);
        }
        let statement = sqlx::query("DELETE FROM clients WHERE client_id = $1").bind(client_id);
        Ok(self.db.execute("remove a client", statement).await? > 0)
    }

    /// Whether clients can be written, found out by writing.
    pub(crate) async fn check(&self) -> Result<(), SqlError> {
        self.db.check().await
    }

    /// Closes the store; another process may open it afterwards.
    pub(crate) async fn close(&self) {
        self.db.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn clients_come_and_go(location: Location) {
        let store = Store::open(&location).await.unwrap();
        store.put("a", "hash").await.unwrap();
        let twice = store.put("a", "other").await;
        assert!(matches!(twice, Err(PutError::Conflict)));
        assert!(matches!(
            store.put("", "hash").await,
            Err(PutError::EmptyKey)
        ));
        store.close().await;

        let store = Store::open(&location).await.unwrap();
        assert_eq!(store.get("a").await.unwrap().as_deref(), Some("hash"));
        assert_eq!(store.get("b").await.unwrap(), None);
        assert!(store.delete("a").await.unwrap());
        assert!(!store.delete("a").await.unwrap());
        assert!(matches!(store.delete("").await, Err(AccessError::EmptyKey)));
        assert!(matches!(store.get("").await, Err(AccessError::EmptyKey)));
        store.check().await.unwrap();
    }

    async fn a_second_process_is_refused(location: Location) {
        let first = Store::open(&location).await.unwrap();
        let refused = Store::open(&location).await.unwrap_err();
        assert!(
            refused.to_string().contains("in use by another rtcd"),
            "{refused}"
        );
        first.put("a", "hash").await.unwrap();
    }

    storage::on_both_engines! {
        clients_come_and_go
        a_second_process_is_refused
    }

    /// The table as every version before numbered steps made it.
    #[tokio::test]
    async fn a_store_of_an_earlier_version_is_adopted() {
        let directory = tempfile::tempdir().unwrap();
        let location = in_directory(directory.path());
        storage::testing::sqlite_of_old(
            &directory.path().join(FILE_NAME),
            "CREATE TABLE IF NOT EXISTS clients \
             (client_id TEXT PRIMARY KEY NOT NULL, key_hash TEXT NOT NULL) STRICT;
             PRAGMA user_version = 1;
             INSERT INTO clients (client_id, key_hash) VALUES ('plugin', 'hash');",
        )
        .await;
        for _ in 0..2 {
            let store = Store::open(&location).await.unwrap();
            assert_eq!(store.get("plugin").await.unwrap().as_deref(), Some("hash"));
            store.close().await;
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let _store = Store::open(&in_directory(&path)).await.unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(FILE_NAME)), 0o600);
    }
}
