//! Whole transcribing jobs: a call in which somebody speaks, captions, a restart of the service, a
//! translation and a summary by a server that a language model stands behind.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use offloader::config::SpeechConfig;
use offloader::text::{EndpointOrder, TextOrder};
use offloader::{Config, Running};
use proto::redact::Secret;
use serde_json::{Value, json};

use crate::sfu::Script;
use crate::site::{CHANNEL, JOB, Site, eventually};

/// Builds on a busy machine are slow; nothing here waits that long when all is well.
pub(crate) const LONG: Duration = Duration::from_secs(180);
const KEY: &str = "a key of thirty-two bytes or more";

/// A language model that puts what it is told into capitals, and what it was asked.
#[derive(Default)]
struct Model {
    asked: Mutex<Vec<(Value, String)>>,
}

impl Model {
    async fn start() -> (Arc<Self>, String) {
        let model = Arc::new(Self::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/v1/chat/completions", post(answer))
            .with_state(model.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (model, url)
    }
}

async fn answer(
    State(model): State<Arc<Model>>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> Json<Value> {
    let key = headers
        .get("authorization")
        .map(|key| key.to_str().unwrap());
    let task = asked["messages"][0]["content"].as_str().unwrap();
    let text = asked["messages"][1]["content"].as_str().unwrap();
    let said = if task.starts_with("You translate") {
        text.to_uppercase()
    } else {
        "They met. To do: Anna writes.".to_owned()
    };
    let key = key.unwrap_or_default().to_owned();
    model.asked.lock().unwrap().push((asked.clone(), key));
    Json(json!({ "choices": [{ "message": { "role": "assistant", "content": said } }] }))
}

fn models_dir() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let dir = std::env::var_os("PARLEY_MODELS")
        .map_or_else(|| root.join(".parley/models"), PathBuf::from);
    assert!(
        offloader::models::installed(&dir, "tiny.en").is_some(),
        "model `tiny.en` is not in `{}`: run `models pull tiny.en base silero-vad`",
        dir.display()
    );
    dir
}

pub(crate) async fn service(folder: &Path, text: TextOrder) -> Running {
    let program = env!("CARGO_BIN_EXE_offloader");
    let config = Config {
        done_jobs_retention: Some(Duration::from_secs(3600)),
        listen_address: "127.0.0.1:0".to_owned(),
        data_dir: folder.to_path_buf(),
        archive_dir: Some(folder.join("archive")),
        allow_self_registration: true,
        worker_command: vec![program.into(), "worker".into()],
        speech: SpeechConfig {
            models_dir: models_dir(),
            model: "tiny.en".to_owned(),
            command: vec![program.into(), "speech".into()],
            ..Config::default().speech
        },
        text,
        ..Config::default()
    };
    offloader::start(config).await.unwrap()
}

/// Asks for a job; returns its id.
pub(crate) async fn ask(running: &Running, kind: &str, runner: &str, input: &Value) -> String {
    let request = json!({
        "type": kind, "runner": format!("mattermost/{runner}"), "max_duration_sec": 600,
        "input_data": input,
    });
    let http = reqwest::Client::new();
    let answer = http
        .post(format!("http://{}/jobs", running.http_addr))
        .basic_auth("client", Some(KEY))
        .json(&request)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let job: Value = answer.json().await.unwrap();
    job["id"].as_str().unwrap().to_owned()
}

/// Starts a job with captions and lets its time begin.
pub(crate) async fn begin(running: &Running, site: &Arc<Site>, further: Value) -> String {
    let mut input = site.recording_input();
    input["transcription_id"] = json!(JOB);
    input["output_format"] = json!("vtt");
    input["live_captions_on"] = json!(true);
    for (key, value) in further.as_object().unwrap() {
        input[key] = value.clone();
    }
    let job = ask(running, "transcribing", "calls-transcriber:v0.7.2", &input).await;
    let state = json!({
        "callID": CHANNEL, "channelID": CHANNEL,
        "jobState": { "type": "recording", "init_at": 1, "start_at": 2, "end_at": 0, "err": "" },
    });
    eventually("the report that it started", LONG, async || {
        site.tell("call_job_state", &state);
        let statuses = site.statuses.lock().unwrap();
        statuses
            .iter()
            .any(|told| told["JobType"] == "transcribing")
    })
    .await;
    job
}

pub(crate) async fn handed_in(site: &Site) -> Value {
    eventually("the transcript", LONG, async || {
        !site.transcriptions.lock().unwrap().is_empty()
    })
    .await;
    site.transcriptions.lock().unwrap()[0].clone()
}

pub(crate) fn captions(site: &Site) -> usize {
    site.captions.lock().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_captioned_translated_and_summed_up_even_when_the_service_restarts() {
    let site = Site::start(Script::default().speaker("anna", "prompts", 60)).await;
    let (model, url) = Model::start().await;
    let folder = tempfile::tempdir().unwrap();
    let text = TextOrder {
        endpoint: Some(EndpointOrder {
            url,
            model: "small".to_owned(),
            key: Secret::new("sesame"),
        }),
        transcript_languages: vec!["de".to_owned()],
        summaries: true,
        ..TextOrder::default()
    };
    let running = service(folder.path(), text.clone()).await;
    let further = json!({ "transcript_takes_summary": true });
    begin(&running, &site, further).await;
    eventually("captions", LONG, async || captions(&site) > 0).await;
    assert!(
        model.asked.lock().unwrap().is_empty(),
        "before the call is over"
    );

    // The worker goes on; its speech process goes with the service, and another comes.
    running.leave().await;
    let running = service(folder.path(), text).await;
    let before = captions(&site);
    eventually("captions after the restart", LONG, async || {
        captions(&site) > before + 12
    })
    .await;
    site.stop_job();

    let report = handed_in(&site).await;
    let versions = report["Transcriptions"].as_array().unwrap();
    let languages: Vec<_> = versions.iter().map(|one| &one["Language"]).collect();
    assert_eq!(languages, ["en", "de"]);
    let files: Vec<_> = versions
        .iter()
        .map(|one| one["FileIDs"].as_array().unwrap().len())
        .collect();
    assert_eq!(files, [2, 2]);
    let summary = json!({ "Language": "en", "Text": "They met. To do: Anna writes." });
    assert_eq!(report["Summary"], summary);
    let text = |ending| String::from_utf8(site.file(ending)).unwrap();
    let (own, german) = (text("00.vtt"), text(".de.vtt"));
    let times = |vtt: &str| vtt.lines().filter(|line| line.contains("-->")).count();
    assert!(
        times(&own) > 1 && times(&own) == times(&german),
        "{own}{german}"
    );
    let said = |vtt: &str| {
        let texts = vtt
            .lines()
            .filter_map(|line| Some(line.split_once(") ")?.1));
        texts.map(str::to_owned).collect::<Vec<_>>()
    };
    let loud: Vec<_> = said(&own).iter().map(|text| text.to_uppercase()).collect();
    assert_eq!(said(&german), loud);
    let asked = model.asked.lock().unwrap().clone();
    for (question, key) in &asked {
        assert_eq!(
            (key.as_str(), &question["model"]),
            ("Bearer sesame", &json!("small"))
        );
    }
    running.stop().await;
}

/// Nothing but the messaging server is asked where no server is named, whatever a job wishes.
#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_nothing_leaves_and_the_transcript_comes_all_the_same() {
    let site = Site::start(Script::default().speaker("anna", "prompts", 30)).await;
    let (model, url) = Model::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = service(folder.path(), TextOrder::default()).await;
    let further = json!({
        "transcript_takes_summary": true, "transcript_further_languages": "de, fr",
        "text": { "endpoint": url }, "endpoint": url,
    });
    begin(&running, &site, further).await;
    eventually("captions", LONG, async || captions(&site) > 3).await;
    site.stop_job();
    let report = handed_in(&site).await;
    assert_eq!(report["Transcriptions"].as_array().unwrap().len(), 1);
    assert_eq!(report.get("Summary"), None);
    assert!(model.asked.lock().unwrap().is_empty());
    running.stop().await;
}

/// A server that knows no summaries gets it above the text, which every one shows.
#[tokio::test(flavor = "multi_thread")]
async fn behind_another_server_the_summary_stands_above_the_text() {
    let site = Site::start(Script::default().speaker("anna", "prompts", 30)).await;
    let (_model, url) = Model::start().await;
    let folder = tempfile::tempdir().unwrap();
    let text = TextOrder {
        endpoint: Some(EndpointOrder {
            url,
            ..EndpointOrder::default()
        }),
        summaries: true,
        ..TextOrder::default()
    };
    let running = service(folder.path(), text).await;
    begin(&running, &site, json!({})).await;
    eventually("captions", LONG, async || captions(&site) > 3).await;
    site.stop_job();
    let report = handed_in(&site).await;
    assert_eq!(report.get("Summary"), None);
    let text = String::from_utf8(site.file(".txt")).unwrap();
    let above =
        "Summary, written by a machine\n\nThey met. To do: Anna writes.\n\n----------\n\n00:00:";
    assert!(text.starts_with(above), "{text}");
    running.stop().await;
}

async fn translated(running: &Running, asked: &Value) -> (u16, Value) {
    let answer = reqwest::Client::new()
        .post(format!("http://{}/translate", running.http_addr))
        .basic_auth("client", Some(KEY))
        .json(asked)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// What readers of captions in another language are given, by way of their messaging server.
#[tokio::test(flavor = "multi_thread")]
async fn lines_are_translated_for_clients_of_the_service() {
    let (model, url) = Model::start().await;
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Some(EndpointOrder {
        url,
        ..EndpointOrder::default()
    });
    let text = TextOrder {
        endpoint,
        ..TextOrder::default()
    };
    let running = service(folder.path(), text).await;
    let asked = json!({ "from": "en", "to": "de", "lines": ["hello", "bye"] });
    let answer = translated(&running, &asked).await;
    assert_eq!(answer, (200, json!({ "lines": ["HELLO", "BYE"] })));
    let asked_of_model = model.asked.lock().unwrap().len();
    let same = json!({ "from": "en", "to": "en", "lines": ["hello"] });
    let answer = translated(&running, &same).await;
    assert_eq!(answer, (200, json!({ "lines": ["hello"] })));
    let unknown = json!({ "from": "en", "to": "klingon", "lines": ["hello"] });
    let (status, told) = translated(&running, &unknown).await;
    assert_eq!((status, &told["code"]), (400, &json!("400")));
    assert_eq!(model.asked.lock().unwrap().len(), asked_of_model);
    running.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let running = service(folder.path(), TextOrder::default()).await;
    let (status, told) = translated(&running, &asked).await;
    assert_eq!(status, 501, "{told}");
    let error = told["error"].as_str().unwrap();
    assert!(error.contains("text.endpoint"), "{error}");
    running.stop().await;
}
