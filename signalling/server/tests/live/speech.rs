//! What people are told of speech before they rely on it, by a job service that says what it can.

use serde_json::{Value, json};

use crate::client::Client;
use crate::fake_jobs::FakeJobs;
use crate::recording::job_news;
use crate::world::{Person, World, until};

const NO_MODEL: &str = "this server has no speech model that can be used";

fn without_model() -> Value {
    json!({"problem": NO_MODEL, "models": []})
}

fn with_models(languages: &[&str]) -> Value {
    let models = languages.iter();
    let models: Vec<Value> = models
        .map(|languages| json!({"name": "m", "languages": languages}))
        .collect();
    json!({"models": models})
}

async fn told(world: &World, person: &Person) -> (Value, Value) {
    let (status, config) = world.get(person, "/config").await;
    assert_eq!(status, 200, "{config}");
    (
        config["SpeechProblem"].clone(),
        config["SpeechLanguages"].clone(),
    )
}

/// Waits until the configuration says it: it is asked for beside everything else.
async fn until_told(world: &World, problem: &str, languages: Value) {
    // The bot may ask as often as it likes.
    let (bot, expected) = (world.bot().await, (json!(problem), languages));
    let mut last = told(world, &bot).await;
    for _ in 0..500 {
        if last == expected {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        last = told(world, &bot).await;
    }
    assert_eq!(last, expected);
    for person in [&world.ben, &world.admin] {
        assert_eq!(told(world, person).await, expected);
    }
}

async fn ended(client: &mut Client, kind: &str) -> Value {
    loop {
        let state = job_news(client, kind).await;
        if state["end_at"].as_i64().unwrap() > 0 {
            return state;
        }
    }
}

#[tokio::test]
async fn everybody_reads_what_can_be_expected_of_speech() {
    let jobs = FakeJobs::start().await;
    jobs.can_speak(without_model());
    let world = World::with(Some(jobs), |_| {}).await;
    until_told(&world, NO_MODEL, json!([])).await;

    let jobs = FakeJobs::start().await;
    jobs.can_speak(with_models(&["english", "many"]));
    let world = World::with(Some(jobs), |_| {}).await;
    until_told(&world, "", json!(["en", "*"])).await;

    // One that has no word of it, one where nothing is transcribed, one without a job service.
    let nothing = (json!(""), json!([]));
    let world = World::with_jobs().await;
    assert_eq!(told(&world, &world.ben).await, nothing);
    let jobs = FakeJobs::start().await;
    jobs.can_speak(without_model());
    let world = World::with(Some(jobs), |raw| raw.transcribing.enabled = false).await;
    let jobs = world.jobs.as_ref().unwrap();
    until("it is asked", || jobs.was_asked_for_its_version()).await;
    assert_eq!(told(&world, &world.ben).await, nothing);
    let world = World::new().await;
    assert_eq!(told(&world, &world.ben).await, nothing);
}

#[tokio::test]
async fn without_a_model_a_recording_starts_and_says_that_there_will_be_no_transcript() {
    let jobs = FakeJobs::start().await;
    jobs.can_speak(without_model());
    let world = World::with(Some(jobs), |_| {}).await;
    until_told(&world, NO_MODEL, json!([])).await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &path, json!({})).await.0, 200);
    for kind in ["transcribing", "captioning"] {
        let state = ended(&mut ben, kind).await;
        assert_eq!(
            (&state["err"], &state["start_at"]),
            (&json!(NO_MODEL), &json!(0))
        );
    }
    let call = anna.current_state(&world.channel).await;
    assert_eq!(call["recording"]["end_at"], 0);
    assert_eq!(call["transcription"]["err"], NO_MODEL);
    assert_eq!(call["live_captions"]["err"], NO_MODEL);
    let asked = world.jobs.as_ref().unwrap().jobs();
    let kinds: Vec<&Value> = asked.iter().map(|job| &job["type"]).collect();
    assert_eq!(kinds, ["recording"], "of the service");
    let said = crate::transcripts::told_in_thread(&world).await;
    let message = format!("There is no transcript of this call: {NO_MODEL}");
    assert_eq!(said[0]["message"], message);
    assert_eq!(said[0]["props"]["failure"], "no_speech");
    assert_eq!(said.len(), 1);
}

#[tokio::test]
async fn a_model_that_was_pulled_since_is_used_and_ours_may_fail_alone() {
    let jobs = FakeJobs::start().await;
    jobs.can_speak(without_model());
    let world = World::with(Some(jobs), |_| {}).await;
    until_told(&world, NO_MODEL, json!([])).await;
    let jobs = world.jobs.as_ref().unwrap();
    jobs.can_speak(with_models(&["english"]));
    // Whoever reads the configuration makes it be asked anew.
    until_told(&world, "", json!(["en"])).await;

    let (mut anna, _ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &path, json!({})).await.0, 200);
    until("both jobs are asked for", || jobs.jobs().len() == 2).await;
    let input = jobs.jobs()[0]["input_data"].clone();
    let input = proto::offload::RecordingInput::parse(input.as_object().unwrap());
    assert!(input.unwrap().may_go_on, "another bot is let in");
    let input = jobs.jobs()[1]["input_data"].clone();
    assert_eq!(input["transcript_may_fail_alone"], true);
    assert_eq!(input["transcript_further_formats"], true);
    let input = proto::offload::TranscribingInput::parse(input.as_object().unwrap());
    assert!(input.unwrap().may_fail_alone);

    let bot = world.bot().await;
    let job = jobs.jobs()[1]["input_data"]["transcription_id"].clone();
    let failed = crate::transcripts::report_failure(&world, &bot, job.as_str().unwrap(), "broken");
    assert_eq!(failed.await.0, 200);
    assert_eq!(ended(&mut anna, "transcribing").await["err"], "broken");
    let call = anna.current_state(&world.channel).await;
    assert_eq!(call["recording"]["end_at"], 0, "the recording goes on");
}

#[tokio::test]
async fn a_service_that_is_not_ours_is_asked_for_what_it_knows() {
    let world = World::with_jobs().await;
    let (_anna, _ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &path, json!({})).await.0, 200);
    let jobs = world.jobs.as_ref().unwrap();
    until("both jobs are asked for", || jobs.jobs().len() == 2).await;
    let asked = jobs.jobs();
    let input = asked[1]["input_data"].as_object().unwrap();
    assert!(
        !input.keys().any(|key| key.starts_with("transcript_")),
        "{input:?}"
    );
}
