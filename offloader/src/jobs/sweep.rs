//! The end of what jobs leave: folders and records are removed when their time is over.
//!
//! ```text
//! done    -> at once, or after jobs.done_jobs_retention_time
//! failed  -> after jobs.failed_jobs_retention_time
//! parked  -> never: it is whole, and an operator can hand it in (`parked`)
//! folder without a record (a crash between two steps) -> after `ABANDONED`
//! half a model of a `models pull` that was killed     -> after `ABANDONED`
//! ```
//! Invariant: a folder goes before its record, so that nothing is left that nobody knows; a folder
//! that a worker holds is never touched.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Jobs, remove_folder};
use crate::auth::unix_ms;
use crate::order::{FolderLock, is_older};
use crate::store::Phase;

/// Age at which something that nobody knows is removed. Longer than any pull of a model takes.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

impl Jobs {
    /// Removes what is older than the configuration allows.
    ///
    /// # Errors
    /// When the database or the folders cannot be read.
    pub async fn sweep(&self) -> anyhow::Result<()> {
        let config = &self.inner.config;
        if let Some(keep) = config.failed_jobs_retention {
            self.forget_ended(Phase::Failed, keep).await?;
        }
        let keep = config.done_jobs_retention.unwrap_or_default();
        self.forget_ended(Phase::Done, keep).await?;
        self.remove_abandoned().await?;
        let models = config.speech.models_dir.clone();
        tokio::task::spawn_blocking(move || crate::models::remove_half_pulled(&models, ABANDONED))
            .await?;
        Ok(())
    }

    /// Removes the folder and the record of an ended job.
    pub(super) async fn forget(&self, id: &str) -> anyhow::Result<()> {
        remove_folder(self.folder(id)).await?;
        self.inner.store.remove_job(id).await?;
        Ok(())
    }

    async fn forget_ended(&self, phase: Phase, keep: Duration) -> anyhow::Result<()> {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let before = unix_ms().saturating_sub(keep_ms);
        for row in self.inner.store.ended_before(phase, before).await? {
            tracing::info!(
                job = row.id,
                phase = phase.as_str(),
                "an ended job is removed"
            );
            self.forget(&row.id).await?;
        }
        Ok(())
    }

    async fn remove_abandoned(&self) -> anyhow::Result<()> {
        let jobs_dir = self.inner.config.data_dir.join("jobs");
        for folder in tokio::task::spawn_blocking(move || old_folders(&jobs_dir)).await?? {
            let id = folder.file_name().unwrap_or_default().to_string_lossy();
            if self.inner.store.job(&id).await?.is_some() || FolderLock::take(&folder)?.is_none() {
                continue;
            }
            tracing::warn!(folder = %folder.display(), "a folder that belongs to no job is removed");
            remove_folder(folder).await?;
        }
        Ok(())
    }
}

/// The folders that nothing was written to for long.
fn old_folders(jobs_dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut old = Vec::new();
    for entry in std::fs::read_dir(jobs_dir)? {
        let entry = entry?;
        if is_older(&entry.metadata()?, ABANDONED) {
            old.push(entry.path());
        }
    }
    Ok(old)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use service::Tasks;
    use storage::{Location, Sealer};

    use super::*;
    use crate::config::Config;
    use crate::jobs::speech::Speech;
    use crate::metrics::Metrics;
    use crate::store::{JobRow, Store};

    const HOUR_MS: i64 = 3_600_000;

    fn row(id: &str, phase: Phase, stop_at: i64) -> JobRow {
        JobRow {
            id: id.to_owned(),
            tenant: "tenant".to_owned(),
            request: "{}".to_owned(),
            sealed: Vec::new(),
            phase,
            start_at: 1,
            stop_at,
            attempts: 1,
            note: String::new(),
        }
    }

    fn age(path: &Path, age: Duration) {
        let file = fs::File::open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn what_is_over_goes_and_what_is_needed_stays() {
        let dir = tempfile::tempdir().unwrap();
        let models = dir.path().join("models");
        let config = Config {
            data_dir: dir.path().to_path_buf(),
            failed_jobs_retention: Some(Duration::from_secs(2 * 3600)),
            done_jobs_retention: Some(Duration::from_secs(3600)),
            speech: crate::config::SpeechConfig {
                models_dir: models.clone(),
                ..Config::default().speech
            },
            ..Config::default()
        };
        fs::create_dir(&models).unwrap();
        for name in [".pull-old", ".pull-new", "ggml-old.bin"] {
            fs::write(models.join(name), "x").unwrap();
        }
        age(&models.join(".pull-old"), 2 * ABANDONED);
        age(&models.join("ggml-old.bin"), 2 * ABANDONED);
        let store = Store::open(&Location::File(dir.path().join("a.db")))
            .await
            .unwrap();
        let now = unix_ms();
        for row in [
            row("fresh-done", Phase::Done, now),
            row("old-done", Phase::Done, now - HOUR_MS - 1),
            row("fresh-failed", Phase::Failed, now - HOUR_MS - 1),
            row("old-failed", Phase::Failed, now - 2 * HOUR_MS - 1),
            row("old-parked", Phase::Parked, now - 20 * HOUR_MS),
            row("running", Phase::Capturing, 0),
        ] {
            store.add_job(&row).await.unwrap();
        }
        let jobs_dir = dir.path().join("jobs");
        let rows = [
            "fresh-done",
            "old-done",
            "fresh-failed",
            "old-failed",
            "old-parked",
            "running",
        ];
        for id in rows.into_iter().chain(["nobodys", "nobodys-new", "held"]) {
            fs::create_dir_all(jobs_dir.join(id)).unwrap();
        }
        let _held = FolderLock::take(&jobs_dir.join("held")).unwrap().unwrap();
        for id in ["running", "nobodys", "held"] {
            age(&jobs_dir.join(id), 2 * ABANDONED);
        }
        let tasks = Tasks::new("offloader");
        let jobs = Jobs::new(
            config.clone(),
            store.clone(),
            Sealer::open(&dir.path().join("secret.key")).unwrap(),
            Metrics::new().unwrap(),
            Speech::new(&config, &tasks).unwrap(),
            tasks,
        );

        jobs.sweep().await.unwrap();

        assert_eq!(
            names(&jobs_dir),
            [
                "fresh-done",
                "fresh-failed",
                "held",
                "nobodys-new",
                "old-parked",
                "running"
            ]
        );
        assert_eq!(names(&models), [".pull-new", "ggml-old.bin"]);
        for (id, there) in [
            ("old-done", false),
            ("old-failed", false),
            ("fresh-done", true),
            ("old-parked", true),
        ] {
            assert_eq!(store.job(id).await.unwrap().is_some(), there, "{id}");
        }
    }
}
