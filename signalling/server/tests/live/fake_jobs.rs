//! A job service that accepts everything, or nothing, and writes down what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use proto::id::new_id;
use serde_json::{Value, json};
use service::telemetry::testing::Secrets;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Debug, Default)]
struct Asked {
    runners: Vec<Value>,
    jobs: Vec<Value>,
    refuse: Option<(String, String)>,
    registered: bool,
    translates: bool,
    version: bool,
    report: Option<Value>,
    /// Jobs beside those it was asked for, where it tells how many it has.
    busy_with: Option<usize>,
    /// What `/version` says of speech, if it says anything: the reference's does not.
    speech: Option<Value>,
    secrets: Secrets,
}

#[derive(Debug)]
pub struct FakeJobs {
    pub addr: SocketAddr,
    /// What the server told it in confidence.
    pub secrets: Secrets,
    asked: Arc<Mutex<Asked>>,
    task: JoinHandle<()>,
}

impl FakeJobs {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Asked>> = Arc::default();
        let app = Router::new()
            .route("/version", get(version))
            .route("/jobs/init", post(init))
            .route("/jobs/status", get(status))
            .route("/jobs", post(create))
            .route("/register", post(register))
            .route("/translate", post(translate))
            .with_state(asked.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let secrets = asked.lock().unwrap().secrets.clone();
        Self {
            addr,
            secrets,
            asked,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Refuses jobs of that kind from now on.
    pub fn refuse(&self, kind: &str, reason: &str) {
        self.asked.lock().unwrap().refuse = Some((kind.to_owned(), reason.to_owned()));
    }

    pub fn was_asked_for_its_version(&self) -> bool {
        self.asked.lock().unwrap().version
    }

    /// What it tells of its jobs from now on; before, it knows no such question.
    pub fn tells(&self, report: Value) {
        self.asked.lock().unwrap().report = Some(report);
    }

    /// From now on it tells of so many jobs, and of those that it took.
    pub fn is_busy_with(&self, jobs: usize) {
        self.asked.lock().unwrap().busy_with = Some(jobs);
    }

    /// What can be expected of speech from now on.
    pub fn can_speak(&self, ability: Value) {
        self.asked.lock().unwrap().speech = Some(ability);
    }

    pub fn jobs(&self) -> Vec<Value> {
        self.asked.lock().unwrap().jobs.clone()
    }

    /// Translates from now on: what it is given, backwards.
    pub fn begin_to_translate(&self) {
        self.asked.lock().unwrap().translates = true;
    }

    pub fn runners(&self) -> Vec<Value> {
        self.asked.lock().unwrap().runners.clone()
    }
}

impl Drop for FakeJobs {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn knows(asked: &Asked, headers: &HeaderMap) -> bool {
    asked.registered && headers.get("authorization").is_some()
}

async fn register(State(asked): State<Arc<Mutex<Asked>>>, Json(body): Json<Value>) -> Response {
    let key = body["authKey"].as_str().unwrap();
    assert!(key.len() >= 32);
    let mut asked = asked.lock().unwrap();
    asked.secrets.keep("auth key", key);
    asked.registered = true;
    (
        StatusCode::CREATED,
        Json(json!({"clientID": body["clientID"], "code": "201"})),
    )
        .into_response()
}

async fn version(State(asked): State<Arc<Mutex<Asked>>>) -> Json<Value> {
    let mut version = json!({
        "buildDate": "", "buildVersion": "v0.9.5", "buildHash": "", "goVersion": "",
    });
    let mut asked = asked.lock().unwrap();
    asked.version = true;
    if let Some(speech) = &asked.speech {
        version["speech"] = speech.clone();
    }
    Json(version)
}

async fn status(State(asked): State<Arc<Mutex<Asked>>>, headers: HeaderMap) -> Response {
    let asked = asked.lock().unwrap();
    if !knows(&asked, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if let Some(busy_with) = asked.busy_with {
        let job = json!({
            "id": "j", "type": "recording", "phase": "capturing", "start_at": 1, "workers": 1, "problem": "",
        });
        let jobs = vec![job; busy_with + asked.jobs.len()];
        return Json(json!({"jobs": jobs, "free_bytes": 5 + busy_with})).into_response();
    }
    match &asked.report {
        Some(report) => Json(report.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn init(
    State(asked): State<Arc<Mutex<Asked>>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let mut asked = asked.lock().unwrap();
    if !knows(&asked, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    asked.runners.push(body["Runners"].clone());
    StatusCode::OK.into_response()
}

async fn create(
    State(asked): State<Arc<Mutex<Asked>>>,
    headers: HeaderMap,
    Json(mut body): Json<Value>,
) -> Response {
    let mut asked = asked.lock().unwrap();
    if !knows(&asked, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let token = body["input_data"]["auth_token"].as_str();
    asked.secrets.keep("bot token", token.unwrap_or_default());
    asked.jobs.push(body.clone());
    let refuses = asked.refuse.iter().find(|(kind, _)| body["type"] == *kind);
    if let Some((_, reason)) = refuses {
        let reply = json!({"error": reason, "code": "500"});
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(reply)).into_response();
    }
    body["id"] = json!(new_id());
    body["start_at"] = json!(1);
    Json(body).into_response()
}

async fn translate(
    State(asked): State<Arc<Mutex<Asked>>>,
    Json(translation): Json<Value>,
) -> Response {
    if !asked.lock().unwrap().translates {
        let refusal = json!({ "error": "nobody translates", "code": "501" });
        return (StatusCode::NOT_IMPLEMENTED, Json(refusal)).into_response();
    }
    let lines = translation["lines"].as_array().unwrap().iter();
    let backwards = |line: &Value| line.as_str().unwrap().chars().rev().collect::<String>();
    let lines: Vec<_> = lines.map(backwards).collect();
    Json(json!({ "lines": lines })).into_response()
}
