//! One job from its request to its end, whatever dies in between.

use std::time::Duration;

use serde_json::Value;

use crate::service::{KEY, Service, basic, job};
use crate::site::eventually;

const PATIENCE: Duration = Duration::from_secs(10);

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
    eventually("the worker's log", PATIENCE, async || {
        let (_, log) = service.send("GET", &format!("{path}/logs"), mine, "").await;
        log.contains("worker at work")
    })
    .await;
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
        eventually("the job's failure", PATIENCE, async || {
            let (_, answer) = service.send("GET", &path, Some(&mine), "").await;
            answer.contains(r#""status":"failed""#) && answer.contains("/no/such/worker")
        })
        .await;
        eventually("the free place", PATIENCE, async || {
            let (_, metrics) = service.send("GET", "/metrics", None, "").await;
            metrics.contains("offloader_jobs_running 0")
        })
        .await;
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_follower_is_gone_has_failed_and_frees_its_place() {
    let service = Service::start(|config| config.max_concurrent_jobs = 1).await;
    let mine = basic("mine", KEY);
    let ask = async || {
        let (status, answer) = service
            .send("POST", "/jobs", Some(&mine), &job().to_string())
            .await;
        assert_eq!(status, 200, "{answer}");
        let created: Value = serde_json::from_str(&answer).unwrap();
        format!("/jobs/{}", created["id"].as_str().unwrap())
    };
    let path = ask().await;
    assert!(service.running().tasks().kill("job"), "it is watched");
    eventually("the job's failure", PATIENCE, async || {
        let (_, answer) = service.send("GET", &path, Some(&mine), "").await;
        answer.contains(r#""status":"failed""#) && answer.contains("it was cancelled")
    })
    .await;
    eventually("the free place", PATIENCE, async || {
        let (_, metrics) = service.send("GET", "/metrics", None, "").await;
        metrics.contains("offloader_jobs_running 0")
    })
    .await;
    let (status, told) = service.send("GET", "/readyz", None, "").await;
    assert_eq!(status, 200, "one job's trouble is nobody else's: {told}");
    ask().await;
    service.stop().await;
}
