//! What the bot reads, uploads and publishes.

use serde_json::{Value, json};

use crate::world::{Person, World};

pub(crate) async fn upload(world: &World, bot: &Person, name: &str, contents: &[u8]) -> String {
    let body = json!({"channel_id": world.channel, "filename": name, "file_size": contents.len()});
    let (status, session) = world.post(bot, "/bot/uploads", body).await;
    assert_eq!(status, 200, "{session}");
    let path = format!("/bot/uploads/{}", session["id"].as_str().unwrap());
    let (first, rest) = contents.split_at(contents.len() / 2);
    let (status, _) = world.post_bytes(bot, &path, first.to_vec()).await;
    assert_eq!(status, 204);
    let (_, session) = world.get(bot, &path).await;
    assert_eq!(session["file_offset"], first.len());
    let (status, file) = world.post_bytes(bot, &path, rest.to_vec()).await;
    assert_eq!(status, 200, "{file}");
    file["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_bot_reads_what_it_needs_and_nobody_else_may() {
    let world = World::with_jobs().await;
    let (anna, _ben) = world.anna_and_ben().await;
    let bot = world.bot().await;
    let profile = format!(
        "/bot{}",
        world.call_path(&format!("sessions/{}/profile", anna.connection))
    );

    let (status, person) = world.get(&bot, &profile).await;
    assert_eq!((status, person["username"].as_str()), (200, Some("anna")));
    assert!(person.get("email").is_none());
    let (status, name) = world
        .get(&bot, &format!("/bot{}", world.call_path("filename")))
        .await;
    assert_eq!(status, 200);
    assert!(
        name["filename"]
            .as_str()
            .unwrap()
            .starts_with("Call_Talk_20")
    );
    let (status, channel) = world
        .get(&bot, &format!("/bot/channels/{}", world.channel))
        .await;
    assert_eq!((status, channel["type"].as_str()), (200, Some("P")));
    let (status, _) = world
        .get(&bot, &format!("/bot/users/{}/image", world.anna.id))
        .await;
    assert_eq!(status, 200);
    let missing = format!("/bot{}", world.call_path("sessions/nobody/profile"));
    assert_eq!(world.get(&bot, &missing).await.0, 404);

    for path in [profile.as_str(), "/bot/uploads/x"] {
        assert_eq!(world.get(&world.admin, path).await.0, 403);
        let anonymous = world.http.get(world.url(path)).send().await.unwrap();
        assert_eq!(anonymous.status(), 401);
    }
}

#[tokio::test]
async fn results_appear_in_the_thread_even_when_the_call_is_over() {
    let world = World::with_jobs().await;
    let bot = world.bot().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &path, json!({})).await.0, 200);
    let jobs = world.jobs.as_ref().unwrap();
    crate::world::until("both jobs are asked for", || jobs.jobs().len() == 2).await;
    let input = |at: usize| jobs.jobs()[at]["input_data"].clone();
    let (recording, transcribing) = (input(0), input(1));
    anna.wait_for("post_edited").await;
    anna.act(&proto::calls::action::Action::Leave).await;
    ben.act(&proto::calls::action::Action::Leave).await;
    anna.wait_for("post_edited").await;

    let (vtt, txt) = (
        upload(&world, &bot, "t.vtt", b"WEBVTT\n").await,
        upload(&world, &bot, "t.txt", b"hello").await,
    );
    let report = json!({
        "JobID": transcribing["transcription_id"], "PostID": transcribing["post_id"],
        "Transcriptions": [{"Language": "en", "FileIDs": [vtt, txt]}],
        "Summary": {"Language": "en", "Text": "Anna said hello."},
    });
    let path = format!("/bot{}", world.call_path("transcriptions"));
    for _ in 0..2 {
        let (status, told) = world.post(&bot, &path, report.clone()).await;
        assert_eq!(status, 200, "{told}");
    }
    let mp4 = upload(&world, &bot, "call.mp4", b"not really a film").await;
    let report = json!({
        "jobid": recording["recording_id"], "postid": recording["post_id"], "fileids": [mp4],
    });
    let path = format!("/bot{}", world.call_path("recordings"));
    // The bot repeats what it thinks was not heard; it is published once.
    for _ in 0..2 {
        let (status, told) = world.post(&bot, &path, report.clone()).await;
        assert_eq!(status, 200, "{told}");
    }

    let thread = thread(&world, recording["post_id"].as_str().unwrap()).await;
    let of_kind =
        |kind: &str| -> Vec<&Value> { thread.iter().filter(|post| post["type"] == kind).collect() };
    let films = of_kind("custom_calls_recording");
    assert_eq!(films.len(), 1);
    assert_eq!(films[0]["file_ids"], json!([mp4]));
    assert_eq!(films[0]["props"]["captions"][0]["file_id"], vtt.as_str());
    let transcripts = of_kind("custom_calls_transcription");
    assert_eq!(transcripts[0]["file_ids"], json!([txt]));
    let summaries = of_kind("custom_calls_summary");
    assert_eq!(summaries.len(), 1);
    let message = summaries[0]["message"].as_str().unwrap();
    assert!(message.contains("\nAnna said hello.\n"), "{message}");
    assert!(message.contains("Written by a machine"), "{message}");
    let call = of_kind("custom_calls")[0];
    let entry = &call["props"]["recordings"][recording["recording_id"].as_str().unwrap()];
    assert_eq!(entry["file_id"], mp4.as_str());
    assert_eq!(entry["post_id"], films[0]["id"]);
    let entry =
        &call["props"]["transcriptions"][transcribing["transcription_id"].as_str().unwrap()];
    assert_eq!(entry["post_id"], transcripts[0]["id"]);
    // Whoever may read the channel may read the captions.
    let captions = world
        .http
        .get(format!("http://{}/api/v4/files/{vtt}", world.addr()))
        .bearer_auth(&world.ben.token)
        .send()
        .await
        .unwrap();
    assert_eq!(captions.status(), 200);
}

async fn thread(world: &World, post: &str) -> Vec<Value> {
    let url = format!("http://{}/api/v4/posts/{post}/thread", world.addr());
    let answer = world
        .http
        .get(url)
        .bearer_auth(&world.ben.token)
        .send()
        .await
        .unwrap();
    let (status, list) = crate::world::read(answer).await;
    assert_eq!(status, 200, "{list}");
    list["posts"]
        .as_object()
        .unwrap()
        .values()
        .cloned()
        .collect()
}

#[tokio::test]
async fn wrong_reports_are_answered_with_what_is_wrong() {
    let world = World::with_jobs().await;
    let bot = world.bot().await;
    let (_anna, _ben) = world.anna_and_ben().await;
    let status_path = format!("/bot{}", world.call_path("jobs/other/status"));
    for (path, body, words) in [
        ("recordings", json!({}), "not the JSON"),
        (
            "recordings",
            json!({"JobID": "", "PostID": "p", "FileIDs": ["f"]}),
            "JobID",
        ),
        (
            "recordings",
            json!({"JobID": "j", "PostID": "p", "FileIDs": []}),
            "FileIDs",
        ),
        (
            "recordings",
            json!({"JobID": "j", "PostID": "p", "FileIDs": ["f"]}),
            "does not exist",
        ),
        (
            "transcriptions",
            json!({"JobID": "j", "PostID": "p", "Transcriptions": []}),
            "Transcriptions",
        ),
        (
            "transcriptions",
            json!({"JobID": "j", "PostID": "p", "Transcriptions": [{"Language": "en", "FileIDs": ["v"]}]}),
            "at least 2 FileIDs",
        ),
        (
            "jobs/other/status",
            json!({"JobType": "baking", "Status": "started"}),
            "invalid job type",
        ),
        (
            "jobs/other/status",
            json!({"JobType": "recording", "Status": "baked"}),
            "unsupported status type",
        ),
        (
            "jobs/other/status",
            json!({"JobType": "recording", "Status": "started"}),
            "no job ongoing",
        ),
    ] {
        let (status, told) = world
            .post(&bot, &format!("/bot{}", world.call_path(path)), body)
            .await;
        assert!((400..500).contains(&status), "{path}: {status}");
        assert!(
            told["message"].as_str().unwrap().contains(words),
            "{path}: {told}"
        );
    }
    assert_eq!(
        world
            .post_bytes(&bot, &status_path, b"\xff\xfe".to_vec())
            .await
            .0,
        400
    );
}
