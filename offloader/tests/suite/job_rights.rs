//! Who may do what with jobs, and how much of it; and that a job's secrets are nobody's.

use serde_json::{Value, json};

use crate::service::{KEY, Service, basic, job, with};
use crate::site::eventually;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

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
async fn who_finds_the_cores_taken_is_refused_as_the_reference_does_or_waits_if_it_said_so() {
    let service = Service::start(|config| {
        config.max_concurrent_jobs = 9;
        config.max_cores = "0.15".parse().unwrap();
    })
    .await;
    let mine = basic("mine", KEY);
    let ask = async |body: &str| service.send("POST", "/jobs", Some(&mine), body).await;
    let (status, answer) = ask(&job().to_string()).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = ask(&job().to_string()).await;
    assert_eq!(status, 500);
    assert!(
        answer.contains("failed to create recording job: max concurrent jobs reached"),
        "{answer}"
    );
    let patient = with("wait_sec", json!(40));
    let ((status, answer), ()) = tokio::join!(ask(&patient), async {
        eventually("one that waits", PATIENCE, async || {
            let (_, metrics) = service.send("GET", "/metrics", None, "").await;
            metrics.contains("offloader_jobs_waiting 1")
                && metrics.contains("offloader_cores_promised 0.1")
        })
        .await;
        assert!(service.running().tasks().kill("job"));
    });
    assert_eq!(status, 200, "{answer}");
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
    let mut folders = vec![service.folder.path().to_path_buf()];
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
