//! Results that the messaging server refuses, and what an operator sees of a job.

use std::path::Path;
use std::process::Output;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::recorder::{LONG, Service, assert_handed_in, movie, started, two_voices};
use crate::sfu::Script;
use crate::siege::{Besieged, STDERR};
use crate::site::{POST, Site, TOKEN, eventually};

/// What the verb `jobs` says beside a service.
fn jobs(service: &Service, arguments: &[&str]) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_offloader"))
        .env("STORE_DATASOURCE", service.folder.path())
        .arg("jobs")
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_refused_waits_for_an_operator_who_hands_it_in() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let none = jobs(&service, &["parked"]);
    assert!(said(&none).starts_with("no result waits"), "{none:?}");
    let id = service.record(&site).await;
    started(&site).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    // As of a token that was revoked.
    site.always.store(401, Ordering::Relaxed);
    site.stop_job();
    let job = service.wait_for(&id, "failed").await;
    assert_eq!(job["output_data"]["parked"], true);
    let why = job["output_data"]["err"].as_str().unwrap();
    assert!(why.contains("refuses the bot"), "{why}");

    let listed = said(&jobs(&service, &["parked"]));
    let folder = service.job_folder(&id);
    for part in [id.as_str(), POST, why, folder.to_str().unwrap()] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    site.always.store(0, Ordering::Relaxed);
    let unknown = jobs(&service, &["hand-in", "nosuchjob", "--token", TOKEN]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said(&unknown).contains("no parked job `nosuchjob`"));
    let released = jobs(&service, &["hand-in", &id, "--token", TOKEN]);
    assert!(released.status.success(), "{released:?}");
    assert!(!said(&released).contains(TOKEN));

    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    assert!(movie(&site).seconds > 1.0);
    assert_eq!(site.joins.load(Ordering::Relaxed), 1, "the call is over");
    assert!(said(&jobs(&service, &["parked"])).starts_with("no result waits"));
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_workers_log_is_repeated_and_given_out() {
    let site = Site::start(Script::default()).await;
    *site.no_join.lock().unwrap() = "not today".to_owned();
    let program = Path::new(env!("CARGO_BIN_EXE_offloader"));
    let further = vec![("JOBS_DOCKER_OUTPUTLOGS", "true".to_owned())];
    let mut service = Besieged::start(program, further).await;
    let input = site.recording_input();
    let job = service
        .ask("recording", "calls-recorder:v0.8.13", &input)
        .await;
    let stderr = service.folder.path().join(STDERR);
    eventually("the worker's last words", LONG, async || {
        let repeated = std::fs::read_to_string(&stderr).unwrap();
        let given = service.get(&format!("/jobs/{job}/logs")).send().await;
        let given = given.unwrap().text().await.unwrap();
        [repeated, given]
            .iter()
            .all(|log| log.contains("the capture ends"))
    })
    .await;
}
