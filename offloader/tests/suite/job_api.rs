//! The job API over real sockets: a table of requests and the answers other servers rely on.

use serde_json::{Value, json};

use crate::service::{KEY, Service, basic, with};

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
    let both = |other: &str| {
        json!({ "Runners": ["mattermost/calls-recorder:v0.8.13", other] }).to_string()
    };
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
        (
            "GET",
            "/jobs/status",
            None,
            String::new(),
            401,
            r#""code":"401""#,
        ),
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
            known,
            both("mattermost/calls-transcriber:v0.7.2-dev12"),
            200,
            "",
        ),
        (
            "POST",
            "/jobs/init",
            known,
            both("mattermost/calls-transcriber@sha256:abcd"),
            400,
            r#"failed to validate runner \"mattermost/calls-transcriber@sha256:abcd\""#,
        ),
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
