//! Processes of `parley`: one that serves, and ones that do something and end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "violet harbour lantern";

/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names that would change what is tested.
const UNSET: [&str; 10] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "PARLEY_LISTEN",
    "PARLEY_DATA",
];

/// A command line of `parley`; `words` are split at spaces.
pub(crate) fn parley(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parley"));
    command.args(words.split_whitespace());
    UNSET.iter().for_each(|name| {
        command.env_remove(name);
    });
    command
}

/// What a process that ended left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn last_line(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }
}

/// Runs a process that ends by itself.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            let said = std::fs::read_to_string(&err).unwrap();
            panic!("it does not end; it said:\n{said}");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Ended {
        code: status.code(),
        stdout: std::fs::read_to_string(&out).unwrap(),
        stderr: std::fs::read_to_string(&err).unwrap(),
    }
}

/// Adds an account with the usual password.
pub(crate) fn add(data: &Path, name: &str) {
    let mut command = parley("people add");
    let command = command.arg(name).arg("--data-dir").arg(data);
    let added = ended(command.env("PARLEY_PASSWORD", PASSWORD));
    assert_eq!(added.code, Some(0), "{added:?}");
}

/// A process that serves.
pub(crate) struct House {
    child: Child,
    pub(crate) url: String,
    pub(crate) ready_file: PathBuf,
    pub(crate) log: PathBuf,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        // it may be gone already
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl House {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, |_| ())
    }

    pub(crate) fn start_with(data: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ready_file, log) = (folder.path().join("ready.json"), folder.path().join("log"));
        let mut command = parley("run --listen 127.0.0.1:0 --rtc-port 0");
        command.arg("--data-dir").arg(data);
        command.arg("--ready-file").arg(&ready_file);
        change(&mut command);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut house = Self {
            child,
            url: String::new(),
            ready_file,
            log,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            _folder: folder,
        };
        let ready = wait_for("it is ready", &house.log, || {
            let text = std::fs::read_to_string(&house.ready_file).ok()?;
            serde_json::from_str::<Value>(&text).ok()
        });
        let url = ready.get("url").and_then(Value::as_str);
        url.unwrap().clone_into(&mut house.url);
        house
    }

    /// Waits until it has logged this.
    pub(crate) fn says(&self, words: &str) {
        wait_for(words, &self.log, || {
            let log = std::fs::read_to_string(&self.log).ok()?;
            log.contains(words).then_some(())
        });
    }

    /// Waits until it ends; returns its code and the last thing it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let log = self.log.clone();
        let status = wait_for("its end", &log, || self.child.try_wait().unwrap());
        let log = std::fs::read_to_string(&log).unwrap();
        (
            status.code(),
            log.lines().last().unwrap_or_default().to_owned(),
        )
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> (u16, String) {
        let request = self.http.get(format!("{}{path}", self.url));
        let answer = request.bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).json(&body);
        let answer = request.bearer_auth(token).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// The token, or the status of the refusal.
    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Result<String, u16> {
        let request = self.http.post(format!("{}/api/v4/users/login", self.url));
        let body = json!({ "login_id": name, "password": password });
        let answer = request.json(&body).send().await.unwrap();
        let token = answer.headers().get("token");
        token
            .map(|token| token.to_str().unwrap().to_owned())
            .ok_or(answer.status().as_u16())
    }
}

fn wait_for<T>(what: &str, log: &Path, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        if Instant::now() > deadline {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            panic!("waited in vain for: {what}; it said:\n{said}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
