//! A recording that pauses, goes on, and is finished, with bots that do as they are told.

use proto::calls::action::Action;
use serde_json::{Value, json};

use crate::client::Client;
use crate::recording::{job_news, recorded};
use crate::world::{Person, World};

async fn ask(world: &World, person: &Person, action: &str) -> (u16, Value) {
    let path = world.call_path(&format!("recording/{action}"));
    world.post(person, &path, json!({})).await
}

async fn report(
    world: &World,
    bot: &Person,
    (job, kind): (&str, &str),
    status: Value,
) -> (u16, Value) {
    let path = format!("/bot{}", world.call_path(&format!("jobs/{job}/status")));
    let mut report = json!({"JobType": kind});
    for (key, value) in status.as_object().unwrap() {
        report[key] = value.clone();
    }
    world.post(bot, &path, report).await
}

fn said(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["message"].as_str().unwrap_or_default())
}

/// A bot in the call whose job has begun.
async fn bot_at_work(world: &World, bot: &Person, (job, kind): (&str, &str)) -> Client {
    let mut client = world.connect(bot).await;
    client.ask_to_join(&world.channel, Some(job)).await;
    client.wait_for("join").await;
    let started = report(world, bot, (job, kind), json!({"Status": "started"})).await;
    assert_eq!(started.0, 200, "{started:?}");
    client
}

/// The first news of a job's kind that fits.
async fn news_with(client: &mut Client, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let state = job_news(client, kind).await;
        if fits(&state) {
            return state;
        }
    }
}

fn paused_at(state: &Value) -> i64 {
    state["paused_at"].as_i64().unwrap_or(0)
}

#[tokio::test]
async fn a_recording_pauses_for_its_host_and_everybody_sees_when_it_does() {
    let (world, mut anna, mut ben, bot, recording, transcribing) = recorded().await;
    assert_eq!(
        said(&ask(&world, &world.anna, "pause").await),
        (400, "no recording in progress"),
        "it has not begun"
    );
    let mut recorder = bot_at_work(&world, &bot, (&recording, "recording")).await;
    let mut transcriber = bot_at_work(&world, &bot, (&transcribing, "transcribing")).await;
    for action in ["pause", "resume"] {
        let refused = ask(&world, &world.ben, action).await;
        assert_eq!(
            said(&refused),
            (403, "no permissions to record"),
            "{action}"
        );
    }
    let refused = ask(&world, &world.anna, "resume").await;
    assert_eq!(said(&refused), (400, "recording not paused"));

    let (status, state) = ask(&world, &world.anna, "pause").await;
    assert_eq!(
        (status, paused_at(&state)),
        (200, 0),
        "the bot has not said so"
    );
    let refused = ask(&world, &world.anna, "pause").await;
    assert_eq!(said(&refused), (400, "recording already paused"));
    let told = [
        recorder.wait_for("job_pause").await.data["job_id"].clone(),
        recorder.wait_for("job_pause").await.data["job_id"].clone(),
    ];
    assert_eq!(told, [json!(recording), json!(transcribing)]);
    transcriber.wait_for("job_pause").await;

    for (job, kind) in [(&recording, "recording"), (&transcribing, "transcribing")] {
        let paused = json!({"Status": "paused"});
        assert_eq!(report(&world, &bot, (job, kind), paused).await.0, 200);
    }
    let state = news_with(&mut ben, "recording", |state| paused_at(state) > 0).await;
    assert_eq!(state["end_at"], 0);
    news_with(&mut ben, "captioning", |state| paused_at(state) > 0).await;
    // As it is for who comes later.
    let call = ben.current_state(&world.channel).await;
    assert_eq!(call["recording"]["paused_at"], state["paused_at"]);
    assert!(paused_at(&call["transcription"]) > 0 && paused_at(&call["live_captions"]) > 0);

    assert_eq!(ask(&world, &world.anna, "resume").await.0, 200);
    recorder.wait_for("job_resume").await;
    let resumed = json!({"Status": "resumed"});
    assert_eq!(
        report(&world, &bot, (&recording, "recording"), resumed)
            .await
            .0,
        200
    );
    let state = news_with(&mut anna, "recording", |state| paused_at(state) == 0).await;
    assert!(state.get("paused_at").is_none(), "{state}");
}

#[tokio::test]
async fn a_bot_that_comes_back_after_a_restart_in_a_pause_hears_of_it() {
    let (world, anna, ben, bot, recording, _) = recorded().await;
    let recorder = bot_at_work(&world, &bot, (&recording, "recording")).await;
    assert_eq!(ask(&world, &world.anna, "pause").await.0, 200);
    let original = recorder.connection.clone();
    for session in [&anna.connection, &ben.connection, &original] {
        world.rtcd.wait_for(session, "join").await;
    }
    drop(recorder);
    let world = world.restart().await;
    let mut recorder = world.connect(&bot).await;
    recorder.reconnect_as(&world.channel, &original).await;
    let told = recorder.wait_for("job_pause").await;
    assert_eq!(told.data["job_id"], recording.as_str());
}

#[tokio::test]
async fn the_host_pauses_by_writing_it_too() {
    let (world, _anna, _ben, bot, recording, _) = recorded().await;
    let mut recorder = bot_at_work(&world, &bot, (&recording, "recording")).await;
    let run = async |person: &Person, command: &str| {
        let body = json!({"channel_id": world.channel, "command": command});
        let (status, answer) = world.chat_post(person, "/commands/execute", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["text"].as_str().unwrap().to_owned()
    };
    let refused = run(&world.ben, "/call recording pause").await;
    assert_eq!(refused, "Error: no permissions to record");
    assert_eq!(run(&world.anna, "/call recording pause").await, "");
    recorder.wait_for("job_pause").await;
    assert_eq!(run(&world.anna, "/call recording resume").await, "");
    recorder.wait_for("job_resume").await;
}

#[tokio::test]
async fn who_waits_for_a_recording_hears_how_far_it_is_also_when_the_call_is_over() {
    let (world, mut anna, mut ben, bot, recording, transcribing) = recorded().await;
    let of_recording = (recording.as_str(), "recording");
    let mut recorder = bot_at_work(&world, &bot, of_recording).await;
    let progress = |percent: Value| json!({"Status": "progress", "progress": percent});
    let early = report(&world, &bot, of_recording, progress(json!(1))).await;
    assert_eq!(said(&early), (400, "job has not ended"));
    assert_eq!(ask(&world, &world.anna, "stop").await.0, 200);
    for bad in [json!(101), json!(-1), json!(1.5), Value::Null] {
        let refused = report(&world, &bot, of_recording, progress(bad.clone())).await;
        assert_eq!(refused.0, 400, "{bad}");
    }
    let told = report(&world, &bot, of_recording, progress(json!(20))).await;
    assert_eq!(told.0, 200, "{told:?}");
    let state = news_with(&mut ben, "recording", |state| state["progress"] == 20).await;
    assert!(state["end_at"].as_i64().unwrap() > 0);
    assert_eq!(
        ben.current_state(&world.channel).await["recording"]["progress"],
        20
    );

    for client in [&mut anna, &mut ben, &mut recorder] {
        client.act(&Action::Leave).await;
    }
    loop {
        let (_, active) = world.get(&bot, &world.call_path("active")).await;
        if active["active"] == false {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // Everybody of the channel hears it now, also who was not in the call.
    let mut admin = world.connect(&world.admin).await;
    for (job, kind, percent) in [
        (&recording, "recording", 60),
        (&transcribing, "transcribing", 70),
    ] {
        let told = report(&world, &bot, (job, kind), progress(json!(percent))).await;
        assert_eq!(told.0, 200, "{told:?}");
        news_with(&mut admin, kind, |state| state["progress"] == percent).await;
    }
    let unknown = report(&world, &bot, ("nosuchjob", "recording"), progress(json!(1))).await;
    assert_eq!(said(&unknown), (400, "no call ongoing"));

    // In another call it would be taken for that call's.
    anna.ask_to_join(&world.channel, None).await;
    anna.wait_for("call_state").await;
    admin.wait_for("user_joined").await;
    let told = report(&world, &bot, of_recording, progress(json!(80))).await;
    assert_eq!(told.0, 200, "{told:?}");
    admin.settled().await;
    let heard = admin.events.iter().map(crate::client::short);
    assert!(
        !heard
            .collect::<Vec<_>>()
            .contains(&"call_job_state".to_owned())
    );
}
