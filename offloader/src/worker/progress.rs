//! How far a result is, for those who wait for it.
//!
//! In: per cent. Out: reports to the messaging server, at most one a second, each number once.
//! A server of another make knows no such report: then none more is sent.
//! Invariant: nothing goes wrong because of it.

use std::time::Duration;

use proto::calls::bot::StatusReport;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Job;
use crate::client::bot::BotError;

/// Least time between two reports.
const PAUSE: Duration = Duration::from_secs(1);

/// Begins to tell what is sent; ends with the sender.
pub(super) fn begin(job: &Job) -> (watch::Sender<u8>, JoinHandle<()>) {
    let (progress, mut made) = watch::channel(0);
    let (bot, kind, id) = (job.bot.clone(), job.kind(), job.call.job_id.clone());
    let telling = tokio::spawn(async move {
        while made.changed().await.is_ok() {
            let report = StatusReport::progress(kind, *made.borrow_and_update());
            match bot.status(&id, &report).await {
                Err(error @ BotError::Refused { .. }) => {
                    tracing::debug!(%error, "nobody wants to know how far the result is");
                    return;
                }
                Ok(()) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    });
    (progress, telling)
}
