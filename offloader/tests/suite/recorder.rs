//! Jobs of a whole service for the tests of recordings: what is asked of it, what it left behind.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use offloader::config::SpeechConfig;
use offloader::order::lock_path;
use offloader::{Config, Running};
use serde_json::{Value, json};
use service::telemetry::testing::{Discretion, Secrets};

use crate::sfu::Script;
use crate::site::{JOB, LAST_NAME, POST, Site, TOKEN, eventually};
use crate::sound::{Probe, probe};

pub(crate) const KEY: &str = "a key of thirty-two bytes or more";
/// Builds on a busy machine are slow; nothing here waits that long when all is well.
pub(crate) const LONG: Duration = Duration::from_secs(90);

pub(crate) struct Service {
    pub(crate) running: Option<Running>,
    /// Ends before the folder does.
    _logs: Logs,
    pub(crate) folder: tempfile::TempDir,
}

/// What the service logs, and its workers.
struct Logs {
    jobs: PathBuf,
    discretion: Discretion,
}

impl Drop for Logs {
    fn drop(&mut self) {
        for job in std::fs::read_dir(&self.jobs)
            .into_iter()
            .flatten()
            .flatten()
        {
            let log = std::fs::read_to_string(job.path().join("worker.log"));
            self.discretion.overhear(&log.unwrap_or_default());
        }
    }
}

impl Service {
    /// A service that keeps what it made for an hour, so that a test can look at it.
    pub(crate) async fn start() -> Self {
        Self::start_keeping(Some(Duration::from_secs(3600))).await
    }

    pub(crate) async fn start_keeping(done: Option<Duration>) -> Self {
        let secrets = Secrets::default();
        secrets.keep("bot token", TOKEN);
        secrets.keep("auth key", KEY);
        secrets.keep("last name", LAST_NAME);
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs {
            jobs: folder.path().join("jobs"),
            discretion: Discretion::begin(&[&secrets]),
        };
        let running = Some(run(folder.path(), done).await);
        Self {
            running,
            _logs: logs,
            folder,
        }
    }

    pub(crate) async fn restart(&mut self) {
        self.running = Some(run(self.folder.path(), Some(Duration::from_secs(3600))).await);
    }

    pub(crate) fn http(&self) -> String {
        format!("http://{}", self.running.as_ref().unwrap().http_addr)
    }

    pub(crate) async fn create(&self, kind: &str, runner: &str, input: Value) -> String {
        self.ask(kind, runner, 600, input).await
    }

    /// Asks for a job of so many seconds at most; returns its id.
    pub(crate) async fn ask(&self, kind: &str, runner: &str, most: i64, input: Value) -> String {
        let body = json!({
            "type": kind, "runner": format!("mattermost/{runner}"), "max_duration_sec": most,
            "input_data": input,
        });
        let answer = reqwest::Client::new()
            .post(format!("{}/jobs", self.http()))
            .basic_auth("tenant", Some(KEY))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        answer.json::<Value>().await.unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn record(&self, site: &Site) -> String {
        self.record_with(site.recording_input()).await
    }

    pub(crate) async fn record_with(&self, input: Value) -> String {
        self.create("recording", "calls-recorder:v0.8.13", input)
            .await
    }

    pub(crate) async fn job(&self, id: &str) -> Value {
        let request = reqwest::Client::new()
            .get(format!("{}/jobs/{id}", self.http()))
            .basic_auth("tenant", Some(KEY));
        request.send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn wait_for(&self, id: &str, status: &str) -> Value {
        let mut last = Value::Null;
        let until = Instant::now() + LONG;
        while last["output_data"]["status"] != status {
            let log = std::fs::read_to_string(self.job_folder(id).join("worker.log"));
            assert!(
                Instant::now() < until,
                "{last}\n{}",
                log.unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
            last = self.job(id).await;
        }
        last
    }

    pub(crate) fn job_folder(&self, id: &str) -> PathBuf {
        self.folder.path().join("jobs").join(id)
    }

    pub(crate) fn worker_pid(&self, id: &str) -> String {
        std::fs::read_to_string(lock_path(&self.job_folder(id))).unwrap()
    }
}

async fn run(folder: &Path, done_jobs_retention: Option<Duration>) -> Running {
    let config = Config {
        done_jobs_retention,
        listen_address: "127.0.0.1:0".to_owned(),
        data_dir: folder.to_path_buf(),
        // Where a test looks at what was made.
        archive_dir: done_jobs_retention.map(|_| folder.join("archive")),
        allow_self_registration: true,
        worker_command: vec![env!("CARGO_BIN_EXE_offloader").into(), "worker".into()],
        speech: SpeechConfig {
            models_dir: folder.join("no models"),
            ..Config::default().speech
        },
        ..Config::default()
    };
    offloader::start(config).await.unwrap()
}

pub(crate) fn two_voices() -> Script {
    Script::default()
        .voice("anna", 400.0)
        .voice("ben", 1000.0)
        .screen("anna", 235, Duration::from_secs(1))
}

pub(crate) async fn started(site: &Arc<Site>) -> Instant {
    eventually("the report that it started", LONG, async || {
        !site.statuses.lock().unwrap().is_empty()
    })
    .await;
    let status = site.statuses.lock().unwrap()[0].clone();
    assert_eq!(
        status,
        json!({ "JobType": "recording", "Status": "started" })
    );
    Instant::now()
}

pub(crate) fn movie(site: &Site) -> Probe {
    let mut file = tempfile::NamedTempFile::with_suffix(".mp4").unwrap();
    file.write_all(&site.file(".mp4")).unwrap();
    probe(file.path())
}

pub(crate) fn kill(pid: &str) {
    let killed = std::process::Command::new("kill")
        .args(["-9", pid.trim()])
        .status()
        .unwrap();
    assert!(killed.success());
}

pub(crate) fn assert_handed_in(site: &Site) {
    let recordings = site.recordings.lock().unwrap();
    assert_eq!(recordings.len(), 1);
    assert_eq!(
        (&recordings[0]["JobID"], &recordings[0]["PostID"]),
        (&json!(JOB), &json!(POST))
    );
}

/// The voices a job's folder holds, one file each.
pub(crate) fn voices(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|e| e == "mka"))
        .collect()
}

/// What people in the call were told of failures.
pub(crate) fn failures(site: &Site) -> Vec<String> {
    let statuses = site.statuses.lock().unwrap();
    let failed = statuses.iter().filter(|told| told["Status"] == "failed");
    failed.map(Value::to_string).collect()
}

/// What a site was told with a status, without the report that it started.
pub(crate) fn told(site: &Site, status: &str) -> Vec<Value> {
    let statuses = site.statuses.lock().unwrap();
    let told = statuses.iter().filter(|told| told["Status"] == status);
    told.cloned().collect()
}

/// A manifest whose files are there, with these bytes.
pub(crate) fn manifest(path: &Path) -> Value {
    let manifest: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let bytes = std::fs::read(path.with_file_name(file["name"].as_str().unwrap())).unwrap();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        let hash: String = hash
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(file["sha256"], hash, "{file}");
        assert_eq!(file["bytes"], bytes.len());
    }
    manifest
}
