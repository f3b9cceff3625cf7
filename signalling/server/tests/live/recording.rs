//! Recording, transcribing and captions from start to stop, with a job service that is asked and
//! bots that come, report, and go.

use proto::calls::action::{Action, Caption, CaptionLine};
use proto::id::SessionId;
use proto::offload::{RecordingInput, RecordingOutput, TranscribingInput};
use serde_json::{Value, json};
use settings::Auto;

use crate::client::Client;
use crate::fake_jobs::FakeJobs;
use crate::world::{Person, World};

/// A world in which Anna records, with the ids of both jobs.
pub(crate) async fn recorded() -> (World, Client, Client, Person, String, String) {
    let world = World::with_jobs().await;
    // The token the server knows stays good beside the one made here.
    let bot = world.bot().await;
    let (mut anna, ben) = world.anna_and_ben().await;
    let (status, state) = world
        .post(&world.anna, &world.call_path("recording/start"), json!({}))
        .await;
    assert_eq!(status, 200, "{state}");
    assert_eq!(state["type"], "recording");
    assert_eq!(job_news(&mut anna, "recording").await["start_at"], 0);
    assert_eq!(job_news(&mut anna, "transcribing").await["start_at"], 0);
    assert_eq!(job_news(&mut anna, "captioning").await["start_at"], 0);
    let jobs = world.jobs.as_ref().unwrap();
    crate::world::until("both jobs are asked for", || jobs.jobs().len() == 2).await;
    let asked = jobs.jobs();
    let id = |job: &Value, key: &str| job["input_data"][key].as_str().unwrap().to_owned();
    let (recording, transcribing) = (
        id(&asked[0], "recording_id"),
        id(&asked[1], "transcription_id"),
    );
    (world, anna, ben, bot, recording, transcribing)
}

pub(crate) async fn job_news(client: &mut Client, kind: &str) -> Value {
    loop {
        let news = client.wait_for("call_job_state").await;
        if news.data["jobState"]["type"] == kind {
            return news.data["jobState"].clone();
        }
    }
}

#[tokio::test]
async fn jobs_are_asked_for_with_everything_a_runner_needs() {
    let (world, ..) = recorded().await;
    let jobs = world.jobs.as_ref().unwrap();
    assert_eq!(
        jobs.runners().first().unwrap(),
        &json!([
            "mattermost/calls-recorder:v0.8.13",
            "mattermost/calls-transcriber:v0.7.2"
        ])
    );
    let asked = jobs.jobs();
    let (recording, transcribing) = (&asked[0], &asked[1]);
    assert_eq!(recording["type"], "recording");
    assert_eq!(recording["max_duration_sec"], 3600);
    assert_eq!(transcribing["max_duration_sec"], 7200);
    let input = &recording["input_data"];
    assert_eq!(input["site_url"], format!("http://{}", world.addr()));
    assert_eq!(input["call_id"], world.channel.as_str());
    assert_eq!(input["width"], 1280);
    assert!(proto::offload::RecordingInput::parse(input.as_object().unwrap()).is_ok());
    let input = transcribing["input_data"].as_object().unwrap();
    assert!(proto::offload::TranscribingInput::parse(input).is_ok());
    assert_eq!(input["live_captions_on"], true);
}

#[tokio::test]
async fn jobs_are_asked_for_with_what_the_settings_say() {
    let world = World::with(Some(FakeJobs::start().await), |raw| {
        raw.offloader.site_url = "http://inside:8065".to_owned();
        raw.offloader.transcriber_site_url = "http://further.inside:8065".to_owned();
        raw.recording.frame_rate = Auto(Some(30));
        raw.recording.output_format = "webm".to_owned();
        raw.transcribing.omit_speaker = true;
        raw.transcribing.paragraph_silence_ms = 700;
    });
    let world = world.await;
    let (_anna, _ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &path, json!({})).await.0, 200);
    let jobs = world.jobs.as_ref().unwrap();
    crate::world::until("both jobs are asked for", || jobs.jobs().len() == 2).await;
    let asked = jobs.jobs();
    let input = RecordingInput::parse(asked[0]["input_data"].as_object().unwrap()).unwrap();
    assert_eq!(input.call.site_url, "http://inside:8065");
    assert_eq!((input.width, input.frame_rate), (1280, 30));
    assert_eq!(input.output, RecordingOutput::Webm);
    let input = TranscribingInput::parse(asked[1]["input_data"].as_object().unwrap()).unwrap();
    assert_eq!(input.call.site_url, "http://further.inside:8065");
    assert!(input.omit_speaker);
    assert_eq!(
        (input.silence_threshold_ms, input.max_segment_ms),
        (700, 10_000)
    );
}

#[tokio::test]
async fn a_recording_runs_from_the_bots_join_to_the_hosts_stop() {
    let (world, mut anna, mut ben, bot, recording, transcribing) = recorded().await;
    let mut recorder = world.connect(&bot).await;
    recorder.ask_to_join(&world.channel, Some(&recording)).await;
    assert_eq!(
        recorder.wait_for("join").await.data["connID"],
        recorder.connection.as_str()
    );
    let mut transcriber = world.connect(&bot).await;
    transcriber
        .ask_to_join(&world.channel, Some(&transcribing))
        .await;
    let state = transcriber.state().await;
    assert_eq!(
        state["sessions"].as_array().unwrap().len(),
        2,
        "bots are not listed"
    );

    let started = |kind: &str| json!({"JobType": kind, "Status": "started"});
    let path = world.call_path(&format!("jobs/{recording}/status"));
    let path = format!("/bot{path}");
    assert_eq!(world.post(&bot, &path, started("recording")).await.0, 200);
    assert!(
        job_news(&mut ben, "recording").await["init_at"]
            .as_i64()
            .unwrap()
            > 0
    );
    // The transcriber waits for this, under the channel's id.
    let news = loop {
        let news = transcriber.wait_for("call_job_state").await;
        if news.data["jobState"]["start_at"].as_i64().unwrap() > 0 {
            break news;
        }
    };
    assert_eq!(news.data["callID"], world.channel.as_str());
    assert_eq!(news.data["channelID"], world.channel.as_str());
    let (status, again) = world.post(&bot, &path, started("recording")).await;
    assert_eq!(
        (status, again["message"].as_str()),
        (400, Some("job has already started"))
    );
    let path = world.call_path(&format!("jobs/{transcribing}/status"));
    let path = format!("/bot{path}");
    assert_eq!(
        world.post(&bot, &path, started("transcribing")).await.0,
        200
    );
    while job_news(&mut anna, "captioning").await["start_at"] == 0 {}

    let session = SessionId::parse(anna.connection.clone()).unwrap();
    let caption = Caption {
        session,
        text: "good morning".to_owned(),
        new_audio_len_ms: 2000.0,
        line: None,
    };
    transcriber.act(&Action::Caption(caption)).await;
    let shown = ben.wait_for("caption").await;
    assert_eq!(shown.data["text"], "good morning");
    assert_eq!(shown.data["user_id"], world.anna.id.as_str());

    assert!(shown.data.get("utterance_id").is_none());
    let speaker = anna.connection.clone();
    utterances_are_passed_on(&mut transcriber, speaker, &mut ben).await;

    let (status, refused) = world
        .post(&world.ben, &world.call_path("recording/stop"), json!({}))
        .await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (403, Some("no permissions to record"))
    );
    let (status, stopped) = world
        .post(&world.anna, &world.call_path("recording/stop"), json!({}))
        .await;
    assert_eq!(status, 200);
    assert!(stopped["end_at"].as_i64().unwrap() > 0);
    let mut told = Vec::new();
    for _ in 0..2 {
        let stop = recorder.wait_for("job_stop").await;
        told.push(stop.data["job_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(told, [recording, transcribing]);
}

async fn utterances_are_passed_on(bot: &mut Client, speaker: String, reader: &mut Client) {
    for (text, is_final) in [("good", false), ("good morning, Ben", true)] {
        let line = CaptionLine {
            utterance: "7.1".to_owned(),
            is_final,
            settled_len: 4,
            language: "en".to_owned(),
            is_notice: false,
        };
        let caption = Caption {
            session: SessionId::parse(speaker.clone()).unwrap(),
            text: text.to_owned(),
            new_audio_len_ms: 2000.0,
            line: Some(line),
        };
        bot.act(&Action::Caption(caption)).await;
        let shown = reader.wait_for("caption").await;
        assert_eq!(shown.data["text"], text);
        assert_eq!(shown.data["utterance_id"], "7.1");
        assert_eq!(shown.data["settled_len"], 4);
        assert_eq!(shown.data["final"], is_final);
    }
}

#[tokio::test]
async fn a_failed_recording_is_told_in_words_and_takes_its_transcript_along() {
    let (world, mut anna, _ben, bot, recording, transcribing) = recorded().await;
    let path = format!(
        "/bot{}",
        world.call_path(&format!("jobs/{recording}/status"))
    );
    // The key of the error text is what the reference's bots send.
    let failed = json!({"jobtype": "recording", "STATUS": "failed", "omitempty": "disk is full"});
    assert_eq!(world.post(&bot, &path, failed).await.0, 200);

    let state = loop {
        let state = job_news(&mut anna, "recording").await;
        if state["end_at"].as_i64().unwrap() > 0 {
            break state;
        }
    };
    assert_eq!(state["err"], "disk is full");
    assert!(
        job_news(&mut anna, "transcribing").await["end_at"]
            .as_i64()
            .unwrap()
            > 0
    );
    let mut late = world.connect(&bot).await;
    late.ask_to_join(&world.channel, Some(&transcribing)).await;
    assert_eq!(
        late.wait_for("error").await.data["data"],
        "job not in progress or already started"
    );
}

#[tokio::test]
async fn a_job_service_that_refuses_is_quoted() {
    let world = World::with_jobs().await;
    world.jobs.as_ref().unwrap().refuse(
        "recording",
        "failed to create recording job: max concurrent jobs reached",
    );
    let (mut anna, _ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    let (status, refused) = world.post(&world.anna, &path, json!({})).await;
    assert_eq!(status, 500);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("max concurrent jobs reached")
    );
    job_news(&mut anna, "recording").await;
    let state = job_news(&mut anna, "recording").await;
    assert!(
        state["err"]
            .as_str()
            .unwrap()
            .contains("max concurrent jobs reached")
    );
    assert!(state["end_at"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn the_last_person_to_leave_sends_the_bots_away_and_their_leaving_ends_the_call() {
    let (world, mut anna, mut ben, bot, recording, _) = recorded().await;
    let mut recorder = world.connect(&bot).await;
    recorder.ask_to_join(&world.channel, Some(&recording)).await;
    recorder.wait_for("join").await;
    anna.act(&Action::Leave).await;
    ben.act(&Action::Leave).await;

    assert_eq!(
        recorder.wait_for("job_stop").await.data["job_id"],
        recording.as_str()
    );

    let (_, active) = world.get(&world.anna, &world.call_path("active")).await;
    assert_eq!(active["active"], true);
    recorder.act(&Action::Leave).await;
    anna.wait_for("post_edited").await;
    world.rtcd.wait_for(&recorder.connection, "leave").await;
    let (_, active) = world.get(&world.anna, &world.call_path("active")).await;
    assert_eq!(active["active"], false);
}

#[tokio::test]
async fn recording_needs_an_offloader_a_call_and_its_host() {
    let world = World::new().await;
    let path = world.call_path("recording/start");
    let (status, refused) = world.post(&world.anna, &path, json!({})).await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (403, Some("recordings are not enabled"))
    );

    let world = World::with_jobs().await;
    let path = world.call_path("recording/start");
    let (status, refused) = world.post(&world.anna, &path, json!({})).await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (403, Some("no call ongoing"))
    );
    let (_anna, _ben) = world.anna_and_ben().await;
    let (status, refused) = world.post(&world.ben, &path, json!({})).await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (403, Some("no permissions to record"))
    );
    let (status, _) = world.post(&world.anna, &path, json!({})).await;
    assert_eq!(status, 200);
    let (status, refused) = world.post(&world.anna, &path, json!({})).await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (403, Some("recording already in progress"))
    );
}
