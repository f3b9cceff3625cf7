//! Results that are made and not handed in, and how an operator hands them in again.
//!
//! In: a configuration, a fresh token. Out: lines for people; a job that the service takes up.
//! Not here: handing in (`publish`): the service that runs, or the next one, does it.
//! Invariant: a parked folder stays until somebody deletes its job.

use std::path::PathBuf;

use anyhow::Context;
use proto::offload::{JobRequest, JobType};
use serde_json::{Value, json};
use storage::Sealer;

use crate::config::Config;
use crate::order::Outcome;
use crate::service::{database, key_file};
use crate::store::{JobRow, Phase, Store};

/// Arguments of the `jobs` verb.
#[derive(Debug, Clone, clap::Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    pub command: JobsCommand,
}

/// What to do with results that the messaging server refused.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum JobsCommand {
    /// Show results that are made and not handed in, with their folders.
    Parked,
    /// Hand one in again, with a token that the messaging server takes. The service does it within
    /// seconds, or when it starts.
    HandIn {
        /// The job, as `parked` shows it.
        job: String,
        /// A token of the Calls bot.
        #[arg(long, env = "OFFLOADER_BOT_TOKEN", hide_env_values = true)]
        token: String,
    },
}

/// Runs the verb; what it has to say.
///
/// # Errors
/// When the database cannot be used, or there is no such parked job.
pub async fn run(config: &Config, command: JobsCommand) -> anyhow::Result<String> {
    let place = database(config);
    let store = Store::open(&place)
        .await
        .context("open the database of jobs")?;
    let said = match command {
        JobsCommand::Parked => list(config, &store).await,
        JobsCommand::HandIn { job, token } => release(config, &store, &job, &token).await,
    };
    store.close().await;
    said
}

/// Whether a job waits for the service to hand it in: every other that is finished has had a worker.
pub(super) fn is_released(row: &JobRow) -> bool {
    row.phase == Phase::Finishing && row.attempts == 0
}

async fn list(config: &Config, store: &Store) -> anyhow::Result<String> {
    let rows = store.parked().await?;
    if rows.is_empty() {
        return Ok("no result waits to be handed in\n".to_owned());
    }
    Ok(rows.iter().map(|row| describe(config, row)).collect())
}

fn describe(config: &Config, row: &JobRow) -> String {
    let request: JobRequest = serde_json::from_str(&row.request).unwrap_or_default();
    let input = |key: &str| {
        let value = request.input_data.get(key).and_then(Value::as_str);
        value.unwrap_or("?").to_owned()
    };
    let job = match JobType::parse(&request.kind) {
        Some(JobType::Transcribing) => input("transcription_id"),
        Some(JobType::Recording) | None => input("recording_id"),
    };
    format!(
        "{}  {} `{job}` of the call `{}` in the channel `{}` at {}\n  {}\n  {}\n",
        row.id,
        request.kind,
        input("post_id"),
        input("call_id"),
        input("site_url"),
        row.note,
        folder(config, row).display(),
    )
}

fn folder(config: &Config, row: &JobRow) -> PathBuf {
    config.data_dir.join("jobs").join(&row.id)
}

async fn release(config: &Config, store: &Store, job: &str, token: &str) -> anyhow::Result<String> {
    let row = store.job(job).await?;
    let row = row.filter(|row| row.phase == Phase::Parked);
    let Some(mut row) = row else {
        anyhow::bail!(
            "there is no parked job `{job}`: `offloader jobs parked` shows those there are"
        );
    };
    let folder = folder(config, &row);
    anyhow::ensure!(
        folder.is_dir(),
        "nothing is left of the job `{job}`: `{}` is gone",
        folder.display()
    );
    let sealer = Sealer::open(&key_file(config)).context("open the key that seals secrets")?;
    let secrets = json!({ "auth_token": token }).to_string();
    row.sealed = sealer.seal(&row.id, secrets.as_bytes())?;
    row.phase = Phase::Finishing;
    (row.stop_at, row.attempts) = (0, 0);
    row.note = String::new();
    Outcome::remove(&folder).context("take back how the job ended")?;
    store.update_job(&row).await?;
    Ok(format!(
        "`{job}` is handed in by the service within seconds, or when it starts\n"
    ))
}
