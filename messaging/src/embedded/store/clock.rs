//! What the records know of the clock: their last time, and when it was set back.

use super::rows::StepRow;
use super::{Store, StoreError};
use crate::embedded::clock::StepBack;

/// Steps that are kept; older ones are of no use to any client.
const MAX_STEPS: i64 = 100;

impl Store {
    /// When the last post was made; 0 without any.
    pub(crate) async fn newest_post_time(&self) -> Result<i64, StoreError> {
        let newest = sqlx::query_scalar(
            "SELECT COALESCE((SELECT created_at FROM posts ORDER BY seq DESC LIMIT 1), 0)",
        );
        self.db
            .fetch_value("read time of newest post", newest)
            .await
    }

    /// When the clock was set back, oldest first.
    pub(crate) async fn clock_steps(&self) -> Result<Vec<StepBack>, StoreError> {
        let steps = sqlx::query_as("SELECT from_ms, to_ms FROM clock_steps ORDER BY number");
        let steps: Vec<StepRow> = self.db.fetch_all("read steps of the clock", steps).await?;
        let step = |row: &StepRow| StepBack {
            from_ms: row.from_ms,
            to_ms: row.to_ms,
        };
        Ok(steps.iter().map(step).collect())
    }

    pub(crate) async fn keep_clock_steps(&self, steps: &[StepBack]) -> Result<(), StoreError> {
        let mut tx = self.begin("begin keeping a step of the clock").await?;
        for step in steps {
            let insert = sqlx::query(
                "INSERT INTO clock_steps (number, from_ms, to_ms)
                 VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM clock_steps), $1, $2)",
            );
            let insert = insert.bind(step.from_ms).bind(step.to_ms);
            tx.execute("keep a step of the clock", insert).await?;
        }
        let forget = sqlx::query(
            "DELETE FROM clock_steps
             WHERE number <= (SELECT COALESCE(MAX(number), 0) FROM clock_steps) - $1",
        );
        tx.execute("forget steps of the clock", forget.bind(MAX_STEPS))
            .await?;
        tx.commit().await
    }
}
