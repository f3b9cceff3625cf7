//! A service of jobs whose workers do nothing, and requests to it over real sockets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use offloader::{Config, Running};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "a key of thirty-two bytes or more";

/// A service, and requests to it.
pub(crate) struct Service {
    running: Option<Running>,
    url: String,
    http: reqwest::Client,
    pub(crate) folder: tempfile::TempDir,
}

impl Service {
    /// A service whose workers do nothing until they are told to stop.
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            listen_address: "127.0.0.1:0".to_owned(),
            data_dir: folder.path().to_path_buf(),
            allow_self_registration: true,
            worker_command: vec!["sh".into(), "-c".into(), SLEEPER.into()],
            ..Config::default()
        };
        change(&mut config);
        let running = offloader::start(config).await.unwrap();
        let url = format!("http://{}", running.http_addr);
        Self {
            running: Some(running),
            url,
            http: reqwest::Client::new(),
            folder,
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        auth: Option<&str>,
        body: &str,
    ) -> (u16, String) {
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .body(body.to_owned());
        if let Some(auth) = auth {
            request = request.header("authorization", auth);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(crate) async fn stop(mut self) {
        self.running.take().unwrap().stop().await;
    }
}

/// Reads the order, waits for the line `stop`, leaves an outcome in the job's folder.
const SLEEPER: &str = r#"
read -r order
folder=$(printf '%s' "$order" | sed 's/.*"folder":"\([^"]*\)".*/\1/')
echo "worker at work" >&2
while read -r line && [ "$line" != stop ]; do :; done
printf '{"ending":"done"}' > "$folder/outcome.json"
"#;

pub(crate) fn basic(client: &str, key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client}:{key}")))
}

pub(crate) fn job() -> Value {
    json!({
        "type": "recording", "max_duration_sec": 60, "runner": "mattermost/calls-recorder:v0.8.13",
        "input_data": { "auth_token": "tokentokentokentokentokent", "width": 1280 },
    })
}

pub(crate) fn with(key: &str, value: Value) -> String {
    let mut job = job();
    job[key] = value;
    job.to_string()
}
