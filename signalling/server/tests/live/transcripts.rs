//! A transcript that does not come: told at once in the call, and for good in its thread.

use proto::calls::action::Action;
use serde_json::{Value, json};

use crate::fake_jobs::FakeJobs;
use crate::recording::{job_news, recorded};
use crate::world::{Person, World};

const KIND: &str = "custom_calls_no_transcript";

/// The posts that say so, when there is one.
async fn told_in_thread(world: &World) -> Vec<Value> {
    let path = format!("/channels/{}/posts", world.channel);
    for _ in 0..200 {
        let (_, page) = world.chat_get(&world.anna, &path).await;
        let posts = page["posts"].as_object().unwrap().values();
        let told: Vec<Value> = posts.filter(|post| post["type"] == KIND).cloned().collect();
        if !told.is_empty() {
            return told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("nothing in the thread says that there is no transcript");
}

async fn report_failure(world: &World, bot: &Person, job: &str, why: &str) -> (u16, Value) {
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

#[tokio::test]
async fn a_transcription_that_fails_after_the_call_is_told_all_the_same() {
    let (world, mut anna, mut ben, bot, _, transcribing) = recorded().await;
    anna.act(&Action::Leave).await;
    ben.act(&Action::Leave).await;
    loop {
        let (_, active) = world.get(&bot, &world.call_path("active")).await;
        if active["active"] == false {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
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
    let path = format!("/posts/{}", told[0]["root_id"].as_str().unwrap());
    let (_, call) = world.chat_get(&world.anna, &path).await;
    assert_eq!(
        call["message"], "Call ended",
        "what was written before stays"
    );
    let entry = &call["props"]["transcriptions"][&transcribing];
    assert_eq!(entry["failed_post_id"], told[0]["id"]);
}
