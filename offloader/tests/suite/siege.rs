//! A service in a process of its own, whose processes are killed while it records a call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use offloader::order::lock_path;
use serde_json::{Value, json};

use super::site::{Site, eventually};
use super::sound::Probe;

/// What the service writes on its standard error is in a file of this name.
pub(crate) const STDERR: &str = "stderr";
const KEY: &str = "a key of thirty-two bytes or more";
/// Nothing here takes that long when all is well.
const LONG: Duration = Duration::from_secs(300);
/// Sound is looked for in pieces of so many seconds.
const PIECE: f64 = 0.1;

/// Which of its processes is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// Whoever records.
    Worker,
    /// Whoever transcribes, where a job has asked for it.
    Transcriber,
    Service,
    /// Speech recognition, where a job has asked for it.
    Speech,
}

/// The service.
pub(crate) struct Besieged {
    program: PathBuf,
    settings: Vec<(&'static str, String)>,
    pub(crate) folder: tempfile::TempDir,
    port: u16,
    child: Child,
    /// The newest job of each kind.
    jobs: BTreeMap<String, String>,
    http: reqwest::Client,
}

impl Besieged {
    /// Starts `program` with further settings, by their names in the environment.
    pub(crate) async fn start(program: &Path, further: Vec<(&'static str, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut settings = vec![
            ("API_HTTP_LISTENADDRESS", format!("127.0.0.1:{port}")),
            ("API_SECURITY_ALLOWSELFREGISTRATION", "true".to_owned()),
            (
                "STORE_DATASOURCE",
                folder.path().join("data").display().to_string(),
            ),
            ("JOBS_DONEJOBSRETENTIONTIME", "1h".to_owned()),
            ("JOBS_MAXCORES", "100".to_owned()),
        ];
        settings.extend(further);
        let besieged = Self {
            child: run(program, &settings, folder.path()),
            program: program.to_owned(),
            settings,
            folder,
            port,
            jobs: BTreeMap::new(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        besieged.serves().await;
        besieged
    }

    async fn serves(&self) {
        eventually("the service", LONG, async || {
            let answer = self.get("/version").send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }

    /// A question to its API.
    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        let asked = self
            .http
            .get(format!("http://127.0.0.1:{}{path}", self.port));
        asked.basic_auth("besieged", Some(KEY))
    }

    /// Asks for a job; returns its id.
    pub(crate) async fn ask(&mut self, kind: &str, runner: &str, input: &Value) -> String {
        let job = json!({
            "type": kind, "runner": format!("mattermost/{runner}"), "max_duration_sec": 3600,
            "input_data": input,
        });
        let request = self
            .http
            .post(format!("http://127.0.0.1:{}/jobs", self.port));
        let request = request.basic_auth("besieged", Some(KEY)).json(&job);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        let job: Value = answer.json().await.unwrap();
        let id = job["id"].as_str().unwrap().to_owned();
        self.jobs.insert(kind.to_owned(), id.clone());
        id
    }

    pub(crate) fn job_folder(&self, job: &str) -> PathBuf {
        self.folder.path().join("data/jobs").join(job)
    }

    /// Kills one of its processes as a machine without memory does, and starts a service that is gone
    /// anew, as whoever supervises it does. Whether there was one to kill.
    pub(crate) async fn kill(&mut self, victim: Victim) -> bool {
        match victim {
            Victim::Worker => self.kill_worker("recording"),
            Victim::Transcriber => self.kill_worker("transcribing"),
            Victim::Speech => {
                let speech = children(self.child.id()).into_iter().find(|pid| {
                    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                    line.split(|byte| *byte == 0).nth(1) == Some(b"speech")
                });
                speech.is_some_and(|pid| kill(&pid.to_string()))
            }
            Victim::Service => {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                self.child = run(&self.program, &self.settings, self.folder.path());
                self.serves().await;
                true
            }
        }
    }

    fn kill_worker(&self, kind: &str) -> bool {
        let Some(job) = self.jobs.get(kind) else {
            return false;
        };
        let pid = std::fs::read_to_string(lock_path(&self.job_folder(job)));
        kill(pid.unwrap_or_default().trim())
    }
}

impl Drop for Besieged {
    fn drop(&mut self) {
        // It is ours, and ended when a test failed before it ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &Path, settings: &[(&'static str, String)], folder: &Path) -> Child {
    let mut options = std::fs::OpenOptions::new();
    let errors = options.create(true).append(true).open(folder.join(STDERR));
    Command::new(program)
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null())
        .stderr(errors.unwrap())
        .spawn()
        .unwrap()
}

fn kill(pid: &str) -> bool {
    let done = Command::new("kill")
        .args(["-9", pid])
        .stderr(Stdio::null())
        .status();
    !pid.is_empty() && done.unwrap().success()
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .flatten();
    let lists = tasks.map(|task| std::fs::read_to_string(task.path().join("children")));
    let lists: Vec<_> = lists.map(Result::unwrap_or_default).collect();
    let pids = lists.iter().flat_map(|list| list.split_whitespace());
    pids.map(|pid| pid.parse().unwrap()).collect()
}

/// Records a call and kills one process after the other, each for its turn; how long the call lasted
/// from the report that it is recorded, in seconds, and how many were killed.
pub(crate) async fn record_under_fire(
    site: &Arc<Site>,
    service: &mut Besieged,
    turns: impl Iterator<Item = (Duration, Victim)>,
) -> (f64, usize) {
    eventually("the recording", LONG, async || {
        let statuses = site.statuses.lock().unwrap();
        statuses.iter().any(|told| told["JobType"] == "recording")
    })
    .await;
    let begun = Instant::now();
    let mut killed = 0;
    for (pause, victim) in turns {
        tokio::time::sleep(pause).await;
        killed += usize::from(service.kill(victim).await);
    }
    // Long enough for who came last to be back.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let lasted = begun.elapsed().as_secs_f64();
    site.stop_job();
    eventually("the film", LONG, async || {
        !site.recordings.lock().unwrap().is_empty()
    })
    .await;
    assert!(site.joins.load(Ordering::Relaxed) > 0);
    (lasted, killed)
}

/// How long each time without a tone in a film is, in seconds.
pub(crate) fn holes(film: &Probe, hertz: f32) -> Vec<f64> {
    let count = (film.samples.len() as f64 / 48_000.0 / PIECE).floor() as u32;
    let level = |n: u32| {
        let from = f64::from(n) * PIECE;
        film.tone(hertz, from, from + PIECE)
    };
    let levels: Vec<_> = (0..count).map(level).collect();
    let loudest = levels.iter().copied().fold(0.0, f32::max);
    let holes = levels.chunk_by(|one, next| (*one < loudest / 2.0) == (*next < loudest / 2.0));
    let holes = holes.filter(|piece| piece[0] < loudest / 2.0);
    holes.map(|piece| piece.len() as f64 * PIECE).collect()
}
