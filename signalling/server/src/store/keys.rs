//! Our own keys at other services: made once, sealed, kept.
//!
//! Invariant: no key stands in a row in clear; one that an earlier version left so is sealed
//! before anybody gets it.

use storage::{SealError, Sealer};

use super::{Store, StoreError};

/// A key could not be read or made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Store {
    /// Seals the keys that an earlier version left in clear; nothing of them stays on the disk.
    pub(crate) async fn seal_keys(&self, sealer: &Sealer) -> Result<(), KeyError> {
        let select = sqlx::query_as("SELECT name, value FROM keys");
        let kept: Vec<(String, String)> = self.db.fetch_all("read keys", select).await?;
        let mut clear = Vec::new();
        for (name, value) in kept {
            if sealer.unseal_text(&name, &value)?.is_none() {
                clear.push((sealer.seal_text(&name, &value)?, name));
            }
        }
        if clear.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin("begin sealing keys").await?;
        for (sealed, name) in clear {
            let statement = sqlx::query("UPDATE keys SET value = $1 WHERE name = $2");
            tx.execute("seal a key", statement.bind(sealed).bind(name))
                .await?;
        }
        tx.commit().await?;
        Ok(self.db.forget_overwritten().await?)
    }

    /// Returns a key of ours, made by `make` at the first call.
    pub(crate) async fn key(
        &self,
        sealer: &Sealer,
        name: &str,
        make: impl FnOnce() -> String + Send,
    ) -> Result<String, KeyError> {
        let mut tx = self.db.begin("begin reading a key").await?;
        let select = sqlx::query_as("SELECT value FROM keys WHERE name = $1");
        let kept: Option<(String,)> = tx.fetch_optional("read a key", select.bind(name)).await?;
        let key = match kept {
            None => make(),
            Some((kept,)) => match sealer.unseal_text(name, &kept)? {
                Some(key) => {
                    tx.rollback().await?;
                    return Ok(key);
                }
                None => kept,
            },
        };
        let statement = sqlx::query(
            "INSERT INTO keys (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        );
        let statement = statement.bind(name).bind(sealer.seal_text(name, &key)?);
        tx.execute("keep a key", statement).await?;
        tx.commit().await?;
        Ok(key)
    }
}
