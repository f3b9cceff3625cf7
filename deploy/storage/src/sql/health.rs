//! Whether a database can be written, found out by writing one row.
//!
//! Invariant: however often it is asked, it writes at most once in `FRESH`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Database, SqlError};

/// How long a good answer is repeated: questions come from outside, and a write is a disk's flush.
const FRESH: Duration = Duration::from_secs(1);

/// When the last good answer was.
#[derive(Debug, Default)]
pub(super) struct Health {
    good: tokio::sync::Mutex<Option<Instant>>,
}

impl Health {
    pub(super) async fn check(&self, database: &Database) -> Result<(), SqlError> {
        let mut good = self.good.lock().await;
        if good.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        *good = None;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
        let mut transaction = database
            .begin("begin a write that shows the health")
            .await?;
        let row = "INSERT INTO storage_health (id, checked_at) VALUES (1, $1)
                   ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at";
        transaction
            .execute(
                "write the row that shows the health",
                sqlx::query(row).bind(now),
            )
            .await?;
        transaction.commit().await?;
        *good = Some(Instant::now());
        Ok(())
    }
}
