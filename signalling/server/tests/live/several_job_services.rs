//! Several job services: who takes a job, and what becomes of a recording whose service is lost.

use serde_json::{Value, json};
use settings::Link;

use crate::client::Client;
use crate::fake_jobs::FakeJobs;
use crate::overview::ask;
use crate::recording::job_news;
use crate::world::{World, until};

/// A world whose first job service has `busy` jobs already, and whose second has none.
async fn with_two(busy: usize) -> (World, FakeJobs) {
    let (first, second) = (FakeJobs::start().await, FakeJobs::start().await);
    first.is_busy_with(busy);
    second.is_busy_with(0);
    let further = second.url();
    let world = World::with(Some(first), |raw| {
        raw.offloader.further_urls = vec![Link(further)];
    });
    (world.await, second)
}

async fn start_recording(world: &World) -> (u16, Value) {
    let path = world.call_path("recording/start");
    world.post(&world.anna, &path, json!({})).await
}

fn kinds(service: &FakeJobs) -> Vec<String> {
    let kind = |job: &Value| job["type"].as_str().unwrap().to_owned();
    service.jobs().iter().map(kind).collect()
}

/// The first recorder comes, begins, and is gone without a word; returns the id of its job.
async fn recorder_dies(world: &World, service: &FakeJobs) -> String {
    let asked = service.jobs();
    let recording = asked.first().unwrap()["input_data"]["recording_id"].clone();
    let recording = recording.as_str().unwrap().to_owned();
    let bot = world.bot().await;
    let mut recorder = world.connect(&bot).await;
    recorder.ask_to_join(&world.channel, Some(&recording)).await;
    recorder.wait_for("join").await;
    let path = world.call_path(&format!("jobs/{recording}/status"));
    let started = json!({"JobType": "recording", "Status": "started"});
    let told = world.post(&bot, &format!("/bot{path}"), started).await;
    assert_eq!(told.0, 200, "{}", told.1);
    drop(recorder);
    recording
}

async fn ended(client: &mut Client) -> Value {
    loop {
        let state = job_news(client, "recording").await;
        if state["end_at"].as_i64().unwrap() > 0 {
            return state;
        }
    }
}

#[tokio::test]
async fn a_job_goes_to_whoever_has_the_fewest_and_its_transcript_along() {
    let (world, second) = with_two(1).await;
    let _people = world.anna_and_ben().await;
    let (status, told) = start_recording(&world).await;
    assert_eq!(status, 200, "{told}");
    until("both jobs are asked for", || second.jobs().len() == 2).await;
    assert_eq!(kinds(&second), ["recording", "transcribing"]);
    let first = world.jobs.as_ref().unwrap();
    assert_eq!(kinds(first), [""; 0], "though it has no more by then");

    // Administrators see the jobs of both, and the fuller disk.
    let (_, jobs) = ask(&world, &world.admin.token, "/jobs").await;
    assert_eq!(
        (&jobs["problem"], &jobs["free_bytes"]),
        (&json!(""), &json!(5))
    );
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1 + 2);
}

#[tokio::test]
async fn who_refuses_or_is_away_is_passed_over_and_only_when_all_are_full_one_waits() {
    let (world, second) = with_two(3).await;
    let _people = world.anna_and_ben().await;
    second.refuse("recording", "failed to create recording job: it is full");
    let (status, told) = start_recording(&world).await;
    assert_eq!(status, 200, "{told}");
    let first = world.jobs.as_ref().unwrap();
    until("both jobs are asked for", || first.jobs().len() == 2).await;
    assert_eq!(kinds(first), ["recording", "transcribing"]);
    let waits = |service: &FakeJobs| -> Vec<u64> {
        let jobs = service.jobs();
        let wait = |job: &Value| job["wait_sec"].as_u64().unwrap_or_default();
        jobs.iter().map(wait).collect()
    };
    assert_eq!(waits(&second), [0]);
    assert_eq!(waits(first), [0, 0]);
    let stop = world.call_path("recording/stop");
    assert_eq!(world.post(&world.anna, &stop, json!({})).await.0, 200);

    // Nobody has a place: it is waited for, at both where they do not keep one waiting; the words of the
    // one with the fewest are told.
    first.refuse(
        "recording",
        "failed to create recording job: so is the first",
    );
    let (status, told) = start_recording(&world).await;
    assert_eq!(status, 500);
    let words = told["message"].as_str().unwrap();
    assert!(
        words.ends_with("failed to create recording job: it is full"),
        "{words}"
    );
    assert_eq!(waits(&second), [0, 0, 20]);
    assert_eq!(waits(first), [0, 0, 0, 20]);
}

#[tokio::test]
async fn a_recording_whose_service_is_gone_goes_on_at_another() {
    let (mut world, second) = with_two(0).await;
    let (mut anna, _ben) = world.anna_and_ben().await;
    assert_eq!(start_recording(&world).await.0, 200);
    let first = world.jobs.take().unwrap();
    until("both jobs are asked for", || first.jobs().len() == 2).await;
    let lost = recorder_dies(&world, &first).await;
    drop(first);
    tokio::time::sleep(signalling_core::RECONNECT_GRACE).await;

    let state = ended(&mut anna).await;
    assert_eq!(state["err"], "the recorder stopped unexpectedly");
    until("it goes on", || second.jobs().len() == 2).await;
    assert_eq!(kinds(&second), ["recording", "transcribing"]);
    let further = second.jobs()[0]["input_data"]["recording_id"].clone();
    assert_ne!(further, json!(lost));
    let state = job_news(&mut anna, "recording").await;
    assert_eq!((&state["end_at"], &state["err"]), (&json!(0), &json!("")));

    // Of the one that is away administrators are told, and which it is.
    let (_, jobs) = ask(&world, &world.admin.token, "/jobs").await;
    let problem = jobs["problem"].as_str().unwrap();
    assert!(problem.contains("http://127.0.0.1:"), "{problem}");
}
