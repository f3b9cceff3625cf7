//! A transcript or a recording that does not come: told at once in the call, and for good in its
//! thread.

use proto::calls::action::Action;
use serde_json::{Value, json};

use crate::client::short;
use crate::fake_jobs::FakeJobs;
use crate::recording::{job_news, recorded};
use crate::world::{Person, World};

const KIND: &str = "custom_calls_no_transcript";

/// The posts that say so, when there is one.
pub(crate) async fn told_in_thread(world: &World) -> Vec<Value> {
    posts_of(world, KIND).await
}

async fn posts_of(world: &World, kind: &str) -> Vec<Value> {
    let path = format!("/channels/{}/posts", world.channel);
    for _ in 0..200 {
        let (_, page) = world.chat_get(&world.anna, &path).await;
        let posts = page["posts"].as_object().unwrap().values();
        let told: Vec<Value> = posts.filter(|post| post["type"] == kind).cloned().collect();
        if !told.is_empty() {
            return told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("there is no post of type {kind} in the thread");
}

pub(crate) async fn report_failure(
    world: &World,
    bot: &Person,
    job: &str,
    why: &str,
) -> (u16, Value) {
    let path = format!("/bot{}", world.call_path(&format!("jobs/{job}/status")));
    let failed = json!({"JobType": "transcribing", "Status": "failed", "omitempty": why});
    world.post(bot, &path, failed).await
}

#[tokio::test]
async fn a_transcription_that_the_service_refuses_is_told_with_its_reason() {
    let jobs = FakeJobs::start().await;
    jobs.refuse("transcribing", "no model is installed");
    let world = World::with(Some(jobs), |_| {}).await;
    let (mut anna, _ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    let (status, state) = world.post(&world.anna, &path, json!({})).await;
    assert_eq!((status, &state["type"]), (200, &json!("recording")));
    let state = loop {
        let state = job_news(&mut anna, "transcribing").await;
        if state["end_at"].as_i64().unwrap() > 0 {
            break state;
        }
    };
    let reason = "failed to create transcribing job: no model is installed";
    assert_eq!(state["err"], reason);
    let told = told_in_thread(&world).await;
    let [post] = told.as_slice() else {
        panic!("{told:?}");
    };
    let message = format!("There is no transcript of this call: {reason}");
    assert_eq!(post["message"], message);
    assert_eq!(post["root_id"], post["props"]["call_post_id"]);
    assert_eq!(post["user_id"], world.bot().await.id.as_str());
    assert_eq!(post["props"]["failure"], "not_taken");
    assert_eq!(post["props"]["reason"], reason);
}

#[tokio::test]
async fn a_transcription_that_fails_in_the_call_is_told_once() {
    let (world, mut anna, _ben, bot, _, transcribing) = recorded().await;
    for _ in 0..2 {
        let told = report_failure(&world, &bot, &transcribing, "the model is broken").await;
        assert_eq!(told.0, 200, "{told:?}");
    }
    let state = loop {
        let state = job_news(&mut anna, "transcribing").await;
        if state["end_at"].as_i64().unwrap() > 0 {
            break state;
        }
    };
    assert_eq!(state["err"], "the model is broken");
    let told = told_in_thread(&world).await;
    // The second report was put behind the first, and this behind both.
    let (_, again) = report_failure(&world, &bot, &transcribing, "the model is broken").await;
    assert_eq!(again["message"], "success");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["props"]["failure"], "told");
    assert_eq!(told_in_thread(&world).await.len(), 1);
}

async fn until_inactive(world: &World, bot: &Person) {
    let path = world.call_path("active");
    while world.get(bot, &path).await.1["active"] != false {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_transcription_that_fails_after_the_call_is_told_all_the_same() {
    let (world, mut anna, mut ben, bot, _, transcribing) = recorded().await;
    anna.act(&Action::Leave).await;
    ben.act(&Action::Leave).await;
    until_inactive(&world, &bot).await;
    let mut admin = world.connect(&world.admin).await;
    let other = report_failure(&world, &bot, "nosuchjob", "out of memory").await;
    assert_eq!(
        (other.0, &other.1["message"]),
        (400, &json!("no call ongoing"))
    );
    let told = report_failure(&world, &bot, &transcribing, "out of memory").await;
    assert_eq!(told.0, 200, "{told:?}");
    // News of the end of the call's jobs may still be under way.
    while job_news(&mut admin, "transcribing").await["err"] != "out of memory" {}
    let told = told_in_thread(&world).await;
    let message = "There is no transcript of this call: out of memory";
    assert_eq!(told[0]["message"], message);
    let call = call_that_names(&world, "transcriptions", &transcribing, &told[0]).await;
    assert_eq!(
        call["message"], "Call ended",
        "what was written before stays"
    );
}

/// The call's post, when it names where it is said that there is none: it is written behind that.
async fn call_that_names(world: &World, list: &str, job: &str, told: &Value) -> Value {
    let path = format!("/posts/{}", told["root_id"].as_str().unwrap());
    for _ in 0..200 {
        let (_, call) = world.chat_get(&world.anna, &path).await;
        if call["props"][list][job]["failed_post_id"] == told["id"] {
            return call;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the call's post does not name {told}");
}

#[tokio::test]
async fn a_recording_above_the_largest_file_is_refused_by_its_size_and_said_in_the_thread() {
    let jobs = FakeJobs::start().await;
    let world = World::with(Some(jobs), |raw| raw.chat.max_file_bytes = 1 << 20).await;
    let bot = world.bot().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &path, json!({})).await.0, 200);
    let recording = world.jobs.as_ref().unwrap().jobs()[0]["input_data"]["recording_id"].clone();
    let recording = recording.as_str().unwrap();
    let film = json!({
        "channel_id": world.channel, "filename": "call.mp4", "file_size": (1 << 20) + 1,
    });
    let (status, refused) = world.post(&bot, "/bot/uploads", film).await;
    let why = refused["message"].as_str().unwrap();
    // No worker tries that again (`BotError::remedy`).
    assert_eq!(status, 400, "{why}");
    assert!(
        why.contains("larger than 1048576 bytes (`chat.max_file_bytes`)"),
        "{why}"
    );

    anna.act(&Action::Leave).await;
    ben.act(&Action::Leave).await;
    anna.wait_for("post_edited").await;
    let path = format!(
        "/bot{}",
        world.call_path(&format!("jobs/{recording}/status"))
    );
    let cut_off = json!({"JobType": "recording", "Status": "failed", "omitempty": "cut off"});
    assert_eq!(world.post(&bot, &path, cut_off).await.0, 200);
    let lost = json!({
        "JobType": "recording", "Status": "failed", "omitempty": why, "no_result": true,
    });
    for _ in 0..2 {
        assert_eq!(world.post(&bot, &path, lost.clone()).await.0, 200);
    }
    let told = posts_of(&world, "custom_calls_no_recording").await;
    assert_eq!(told.len(), 1, "once, and not of one that was cut off");
    let message = format!("There is no recording of this call: {why}");
    assert_eq!(told[0]["message"], message);
    assert_eq!(told[0]["props"]["failure"], "lost");
    assert_eq!(told[0]["props"]["recording_id"], recording);
    call_that_names(&world, "recordings", recording, &told[0]).await;
}

#[tokio::test]
async fn a_recorder_that_fails_late_says_nothing_of_the_recording_of_the_next_call() {
    let (world, mut anna, mut ben, bot, first, _) = recorded().await;
    anna.act(&Action::Leave).await;
    ben.act(&Action::Leave).await;
    until_inactive(&world, &bot).await;
    let mut anna = world.connect(&world.anna).await;
    anna.join(&world.channel).await;
    let path = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &path, json!({})).await.0, 200);
    while job_news(&mut anna, "captioning").await["init_at"] == 0 {}
    anna.settled().await;
    anna.events.clear();

    let path = format!("/bot{}", world.call_path(&format!("jobs/{first}/status")));
    let lost = json!({
        "JobType": "recording", "Status": "failed", "omitempty": "cut off", "no_result": true,
    });
    assert_eq!(world.post(&bot, &path, lost).await.0, 200);
    // Of the first call its thread tells; who is recorded now goes on reading so.
    assert_eq!(posts_of(&world, "custom_calls_no_recording").await.len(), 1);
    anna.settled().await;
    let ended = anna
        .events
        .iter()
        .filter(|event| short(event) == "call_job_state" && event.data["jobState"]["end_at"] != 0);
    assert_eq!(ended.count(), 0, "{:?}", anna.events);
    let state = anna.current_state(&world.channel).await;
    assert_eq!(state["recording"]["end_at"], 0);
}
