//! The job API over real sockets: a table of requests and the answers other servers rely on.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use offloader::{Config, Running};
use serde_json::{Value, json};

const KEY: &str = "a key of thirty-two bytes or more";

struct Service {
    running: Option<Running>,
    url: String,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Service {
    /// A service whose workers do nothing until they are told to stop.
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
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
            _folder: folder,
        }
    }

    async fn send(
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

    async fn stop(mut self) {
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

fn basic(client: &str, key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client}:{key}")))
}

fn job() -> Value {
    json!({
        "type": "recording", "max_duration_sec": 60, "runner": "mattermost/calls-recorder:v0.8.13",
        "input_data": { "auth_token": "tokentokentokentokentokent", "width": 1280 },
    })
}

fn with(key: &str, value: Value) -> String {
    let mut job = job();
    job[key] = value;
    job.to_string()
}

#[expect(clippy::too_many_lines, clippy::type_complexity, reason = "one table")]
#[tokio::test(flavor = "multi_thread")]
async fn every_request_gets_the_answer_of_the_contract() {
    let service = Service::start(|_| {}).await;
    let known = basic("tenant", KEY);
    let known = Some(known.as_str());
    let short = basic("other", "short");
    let wrong = basic("tenant", "another key of thirty-two bytes, wrong");
    let register = json!({ "clientID": "c2", "authKey": KEY }).to_string();
    let init = |runner: &str| json!({ "Runners": [runner] }).to_string();
    let good = init("mattermost/calls-recorder:v0.8.13");
    let table: Vec<(&str, &str, Option<&str>, String, u16, &str)> = vec![
        (
            "GET",
            "/version",
            None,
            String::new(),
            200,
            r#""buildVersion":"v0.9.5""#,
        ),
        (
            "POST",
            "/version",
            None,
            String::new(),
            404,
            r#""code":"404""#,
        ),
        ("GET", "/nowhere", None, String::new(), 404, r#""error""#),
        ("GET", "/readyz", None, String::new(), 200, "ready"),
        (
            "GET",
            "/metrics",
            None,
            String::new(),
            200,
            "offloader_jobs_running",
        ),
        ("GET", "/register", None, String::new(), 404, r#""error""#),
        (
            "POST",
            "/register",
            None,
            "{".into(),
            400,
            r#""code":"400""#,
        ),
        (
            "POST",
            "/register",
            None,
            r#"{"clientID":"c2","authKey":"short"}"#.into(),
            400,
            "registration failed: key not long enough",
        ),
        (
            "POST",
            "/register",
            None,
            json!({ "clientID": "", "authKey": KEY }).to_string(),
            400,
            "registration failed: error: empty key",
        ),
        (
            "POST",
            "/register",
            None,
            register.clone(),
            201,
            r#"{"clientID":"c2","code":"201"}"#,
        ),
        (
            "POST",
            "/register",
            None,
            register,
            400,
            "registration failed: already registered",
        ),
        (
            "POST",
            "/login",
            None,
            json!({ "clientID": "nobody", "authKey": KEY }).to_string(),
            400,
            "login failed: authentication failed: error: not found",
        ),
        (
            "POST",
            "/login",
            None,
            json!({ "clientID": "c2", "authKey": KEY }).to_string(),
            200,
            r#""bearerToken":"#,
        ),
        (
            "POST",
            "/jobs/init",
            None,
            good.clone(),
            401,
            r#""code":"401""#,
        ),
        (
            "POST",
            "/jobs/init",
            Some(&short),
            good.clone(),
            400,
            "key not long enough",
        ),
        (
            "POST",
            "/jobs/init",
            Some("Bearer nonsense"),
            good.clone(),
            401,
            "token is invalid",
        ),
        (
            "POST",
            "/jobs/init",
            known,
            "not json".into(),
            400,
            r#""error""#,
        ),
        (
            "POST",
            "/jobs/init",
            known,
            r#"{"Runners":[]}"#.into(),
            400,
            "should not be empty",
        ),
        (
            "POST",
            "/jobs/init",
            known,
            init("other/calls-recorder:v0.8.13"),
            400,
            r#"failed to validate runner \"other/calls-recorder:v0.8.13\""#,
        ),
        (
            "POST",
            "/jobs/init",
            known,
            init("mattermost/calls-recorder:v0.5.0"),
            400,
            "actual version (0.5.0) is lower than minimum supported version (0.6.0)",
        ),
        ("POST", "/jobs/init", known, good.clone(), 200, ""),
        ("POST", "/jobs/init", known, good, 200, ""),
        (
            "POST",
            "/jobs/init",
            Some(&wrong),
            "{}".into(),
            401,
            "authentication failed",
        ),
        (
            "POST",
            "/jobs",
            known,
            with("type", json!("")),
            400,
            "invalid Type value: should not be empty",
        ),
        (
            "POST",
            "/jobs",
            known,
            with("runner", json!("")),
            400,
            "invalid Runner value: should not be empty",
        ),
        (
            "POST",
            "/jobs",
            known,
            with("max_duration_sec", json!(0)),
            400,
            "invalid MaxDurationSec value: should be positive",
        ),
        (
            "POST",
            "/jobs",
            known,
            with("type", json!("dancing")),
            400,
            r#"invalid Type value: \"dancing\""#,
        ),
        (
            "POST",
            "/jobs",
            known,
            with("max_duration_sec", json!("1")),
            400,
            r#""code":"400""#,
        ),
        ("GET", "/jobs", known, String::new(), 405, r#""code":"405""#),
        (
            "GET",
            "/jobs/short",
            known,
            String::new(),
            404,
            r#""error""#,
        ),
        (
            "GET",
            "/jobs/NOTLOWERCASE1",
            known,
            String::new(),
            404,
            r#""error""#,
        ),
        (
            "GET",
            "/jobs/abcdefghijkl",
            known,
            String::new(),
            404,
            r#""code":"404""#,
        ),
        (
            "GET",
            "/jobs/abcdefghijkl",
            None,
            String::new(),
            401,
            r#""code":"401""#,
        ),
        (
            "DELETE",
            "/jobs/abcdefghijkl",
            known,
            String::new(),
            404,
            r#""code":"404""#,
        ),
        (
            "GET",
            "/jobs/abcdefghijkl/logs",
            known,
            String::new(),
            403,
            r#""code":"403""#,
        ),
        (
            "POST",
            "/unregister",
            known,
            r#"{"clientID":""}"#.into(),
            400,
            "should not be empty",
        ),
        (
            "POST",
            "/unregister",
            known,
            r#"{"clientID":"c2"}"#.into(),
            403,
            "client id not valid",
        ),
        (
            "POST",
            "/unregister",
            None,
            r#"{"clientID":"c2"}"#.into(),
            401,
            r#""code":"401""#,
        ),
        (
            "POST",
            "/unregister",
            known,
            r#"{"clientID":"tenant"}"#.into(),
            200,
            "",
        ),
    ];
    for (method, path, auth, body, status, text) in table {
        let (got, answer) = service.send(method, path, auth, &body).await;
        assert_eq!(got, status, "{method} {path} {body}: {answer}");
        assert!(answer.contains(text), "{method} {path} {body}: {answer}");
        if status >= 400 {
            let error: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(error["code"], status.to_string());
        }
    }
    let (status, answer) = service
        .send("POST", "/jobs", known, &" ".repeat((1 << 20) + 1))
        .await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer.contains(r#""code":"400""#), "{answer}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_created_seen_by_its_tenant_only_refused_above_the_limit_and_ended() {
    let service = Service::start(|config| config.max_concurrent_jobs = 1).await;
    let (mine, theirs) = (basic("mine", KEY), basic("theirs", KEY));
    let (mine, theirs) = (Some(mine.as_str()), Some(theirs.as_str()));
    let (status, answer) = service
        .send("POST", "/jobs", mine, &job().to_string())
        .await;
    assert_eq!(status, 200, "{answer}");
    let created: Value = serde_json::from_str(&answer).unwrap();
    let id = created["id"].as_str().unwrap();
    assert_eq!(id.len(), 26);
    assert!(created["start_at"].as_i64().unwrap() > 1_600_000_000_000);
    assert_eq!(created.get("stop_at"), None);
    assert!(!answer.contains("tokentoken"), "{answer}");

    let (status, answer) = service
        .send("POST", "/jobs", mine, &job().to_string())
        .await;
    assert_eq!(status, 500);
    assert!(answer.contains("failed to create recording job: max concurrent jobs reached"));

    let path = format!("/jobs/{id}");
    let (status, answer) = service.send("GET", &path, mine, "").await;
    assert_eq!(status, 200);
    assert!(!answer.contains("tokentoken") && answer.contains(r#""status":"capturing""#));
    assert_eq!(service.send("GET", &path, theirs, "").await.0, 404);
    assert_eq!(service.send("DELETE", &path, theirs, "").await.0, 404);
    assert_eq!(
        service
            .send("GET", &format!("{path}/logs"), theirs, "")
            .await
            .0,
        403
    );
    let (status, answer) = service.send("DELETE", &path, mine, "").await;
    assert!(
        status == 400 && answer.contains("job is running"),
        "{answer}"
    );
    crate::site::eventually(
        "the worker's log",
        std::time::Duration::from_secs(10),
        async || {
            let (_, log) = service.send("GET", &format!("{path}/logs"), mine, "").await;
            log.contains("worker at work")
        },
    )
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_self_registration_only_the_administrator_lets_clients_in() {
    let service = Service::start(|config| {
        config.allow_self_registration = false;
        config.admin_secret_key = Some(proto::redact::Secret::new("the secret"));
    })
    .await;
    let admin = basic("anybody", "the secret");
    let client = basic("c1", KEY);
    let body = json!({ "clientID": "c1", "authKey": KEY }).to_string();
    assert_eq!(service.send("POST", "/register", None, &body).await.0, 401);
    assert_eq!(
        service
            .send("GET", "/jobs/abcdefghijkl", Some(&client), "")
            .await
            .0,
        401
    );
    assert_eq!(
        service
            .send("POST", "/register", Some(&admin), &body)
            .await
            .0,
        201
    );
    assert_eq!(
        service
            .send("GET", "/jobs/abcdefghijkl", Some(&client), "")
            .await
            .0,
        404
    );
    let other = json!({ "clientID": "c2", "authKey": KEY }).to_string();
    assert_eq!(
        service
            .send("POST", "/register", Some(&client), &other)
            .await
            .0,
        403
    );
    let (status, answer) = service.send("POST", "/login", None, &body).await;
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let bearer = format!("Bearer {}", answer["bearerToken"].as_str().unwrap());
    assert_eq!(
        service
            .send("GET", "/jobs/abcdefghijkl", Some(&bearer), "")
            .await
            .0,
        404
    );
    let gone = r#"{"clientID":"c1"}"#;
    assert_eq!(
        service
            .send("POST", "/unregister", Some(&admin), gone)
            .await
            .0,
        200
    );
    assert_eq!(
        service
            .send("GET", "/jobs/abcdefghijkl", Some(&bearer), "")
            .await
            .0,
        401
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_job_lies_in_the_data_folder() {
    let service = Service::start(|_| {}).await;
    let mine = basic("mine", KEY);
    assert_eq!(
        service
            .send("POST", "/jobs", Some(&mine), &job().to_string())
            .await
            .0,
        200
    );
    let mut folders = vec![service._folder.path().to_path_buf()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            files += 1;
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            for secret in ["tokentoken", KEY] {
                let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(!found, "{}", entry.path().display());
            }
        }
    }
    assert!(files >= 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_does_not_take_the_places_of_the_others() {
    let service = Service::start(|config| {
        config.max_concurrent_jobs = 3;
        config.max_concurrent_jobs_per_client = 2;
    })
    .await;
    let (mine, theirs) = (basic("mine", KEY), basic("theirs", KEY));
    let ask = async |who: &str| {
        let (status, answer) = service
            .send("POST", "/jobs", Some(who), &job().to_string())
            .await;
        (status, answer.contains("max concurrent jobs reached"))
    };
    assert_eq!(ask(&mine).await, (200, false));
    assert_eq!(ask(&mine).await, (200, false));
    assert_eq!(ask(&mine).await, (500, true));
    assert_eq!(ask(&theirs).await, (200, false));
    assert_eq!(ask(&theirs).await, (500, true));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_limits_is_refused_with_the_setting_that_says_so() {
    let service = Service::start(|config| {
        config.longest_job = std::time::Duration::from_secs(3600);
        config.allowed_sites = vec!["https://chat.example:443".to_owned()];
    })
    .await;
    let mine = basic("mine", KEY);
    let mut aimed = job();
    aimed["input_data"]["site_url"] = json!("http://169.254.169.254");
    let mut allowed = job();
    allowed["input_data"]["site_url"] = json!("https://chat.example/");
    for (body, status, text) in [
        (
            with("max_duration_sec", json!(3601)),
            400,
            "should be at most 3600 (jobs.longest_job_time)",
        ),
        (
            with("max_duration_sec", json!(i64::MAX)),
            400,
            "jobs.longest_job_time",
        ),
        (aimed.to_string(), 400, "(jobs.allowed_sites)"),
        (job().to_string(), 400, "is not http(s)://host[:port]"),
        (allowed.to_string(), 200, "\"id\""),
    ] {
        let (got, answer) = service.send("POST", "/jobs", Some(&mine), &body).await;
        assert_eq!(got, status, "{answer}");
        assert!(answer.contains(text), "{answer}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_be_started_ends_its_job_and_frees_its_place() {
    let service = Service::start(|config| {
        config.max_concurrent_jobs = 1;
        config.worker_command = vec!["/no/such/worker".into()];
    })
    .await;
    let mine = basic("mine", KEY);
    for _ in 0..2 {
        let (status, answer) = service
            .send("POST", "/jobs", Some(&mine), &job().to_string())
            .await;
        assert_eq!(status, 200, "{answer}");
        let created: Value = serde_json::from_str(&answer).unwrap();
        let path = format!("/jobs/{}", created["id"].as_str().unwrap());
        crate::site::eventually(
            "the job's failure",
            std::time::Duration::from_secs(10),
            async || {
                let (_, answer) = service.send("GET", &path, Some(&mine), "").await;
                answer.contains(r#""status":"failed""#) && answer.contains("/no/such/worker")
            },
        )
        .await;
        crate::site::eventually(
            "the free place",
            std::time::Duration::from_secs(10),
            async || {
                let (_, metrics) = service.send("GET", "/metrics", None, "").await;
                metrics.contains("offloader_jobs_running 0")
            },
        )
        .await;
    }
    service.stop().await;
}
