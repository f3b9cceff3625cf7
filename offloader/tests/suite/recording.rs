//! A recording's or transcript's way as a job: what is refused, what is told meanwhile, what stays.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ebur128::{EbuR128, Mode};
use serde_json::{Value, json};

use crate::recorder::{
    KEY, LONG, Service, assert_handed_in, failures, movie, started, two_voices, voices,
};
use crate::sfu::Script;
use crate::site::{JOB, Site, eventually};

/// Everything below a folder that is not a folder, by its path in there.
fn files_below(folder: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// What a service leaves of a call once its film is handed in: nothing, file by file and row by row.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_recorded_call_stays_at_the_service() {
    let site = Site::start(two_voices()).await;
    let service = Service::start_keeping(None).await;
    let before = files_below(service.folder.path());
    let id = service.record(&site).await;
    let begun = started(&site).await;
    tokio::time::sleep_until((begun + Duration::from_secs(2)).into()).await;
    site.stop_job();
    eventually("the end of the record", LONG, async || {
        service.job(&id).await["code"] == "404"
    })
    .await;
    assert_handed_in(&site);
    assert_eq!(failures(&site), [""; 0], "an ordinary stop");
    assert_eq!(files_below(service.folder.path()), before);
    assert!(!service.job_folder(&id).exists());
    service.running.unwrap().stop().await;
    // Not a trace in the pages of the database either, but for the job's id in freed ones.
    for name in files_below(service.folder.path()) {
        let bytes = std::fs::read(service.folder.path().join(&name)).unwrap();
        for trace in ["anna", "auth_token\":\"a", crate::site::TOKEN] {
            let found = bytes.windows(trace.len()).any(|w| w == trace.as_bytes());
            assert!(!found, "`{trace}` in {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_done_says_why() {
    let site = Site::start(Script::default()).await;
    let service = Service::start().await;
    let mut input = site.recording_input();
    input["width"] = json!("wide");
    let id = service.record_with(input).await;
    let job = service.wait_for(&id, "failed").await;
    let err = job["output_data"]["err"].as_str().unwrap();
    assert!(err.contains("input_data.width: `wide`"), "{err}");
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_a_transcript_job_fails_keeps_the_sound_and_names_the_command() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let mut input = site.recording_input();
    input["transcription_id"] = json!(JOB);
    input["output_format"] = json!("vtt");
    input["live_captions_on"] = json!("true");
    let id = service
        .create("transcribing", "calls-transcriber:v0.7.2", input)
        .await;
    eventually("the join", LONG, async || {
        site.joins.load(Ordering::Relaxed) == 1
    })
    .await;
    let state = json!({
        "callID": crate::site::CHANNEL, "channelID": crate::site::CHANNEL,
        "jobState": { "type": "recording", "init_at": 1, "start_at": 2, "end_at": 0, "err": "" },
    });
    eventually("the report that it started", LONG, async || {
        site.tell("call_job_state", &state);
        !site.statuses.lock().unwrap().is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    site.stop_job();
    let job = service.wait_for(&id, "failed").await;
    let err = job["output_data"]["err"].as_str().unwrap();
    assert!(err.contains("models pull"), "{err}");
    assert!(site.transcriptions.lock().unwrap().is_empty());
    let told = site.statuses.lock().unwrap().last().unwrap().clone();
    assert_eq!(told["Status"], "failed");
    assert!(told["omitempty"].as_str().unwrap().contains("models pull"));
    assert!(!voices(&service.job_folder(&id)).is_empty());
    service.running.unwrap().stop().await;
}

/// A server of ours says that a recording survives its transcript: then nobody waits for the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_that_may_fail_alone_fails_before_it_starts() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let mut input = site.recording_input();
    input["transcription_id"] = json!(JOB);
    input["output_format"] = json!("vtt");
    input["transcript_may_fail_alone"] = json!("true");
    let id = service
        .create("transcribing", "calls-transcriber:v0.7.2", input)
        .await;
    let job = service.wait_for(&id, "failed").await;
    assert!(
        job["output_data"]["err"]
            .as_str()
            .unwrap()
            .contains("models pull")
    );
    let told = site.statuses.lock().unwrap().clone();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["Status"], "failed");
    assert_eq!(site.joins.load(Ordering::Relaxed), 0);
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_above_the_largest_file_is_said_in_the_call_and_kept_for_the_operator() {
    let site = Site::start(two_voices()).await;
    site.largest_file.store(8000, Ordering::Relaxed);
    let service = Service::start().await;
    let id = service
        .create(
            "recording",
            "calls-recorder:v0.8.13",
            site.recording_input(),
        )
        .await;
    started(&site).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    site.stop_job();
    let job = service.wait_for(&id, "failed").await;
    let told = site.statuses.lock().unwrap().last().unwrap().clone();
    assert_eq!(told["Status"], "failed", "{told}");
    assert_eq!(told["no_result"], true);
    let why = told["omitempty"].as_str().unwrap();
    assert!(why.contains("larger than 8000 bytes"), "{why}");
    assert!(why.contains("it is kept"), "{why}");
    assert_eq!(job["output_data"]["err"], why);
    assert!(site.recordings.lock().unwrap().is_empty());
    let film = service.job_folder(&id).join("recording.mp4");
    assert!(film.metadata().unwrap().len() > 8000);
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_recording_does_is_told_to_whoever_asked_for_it_while_it_lasts() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let report = async |client: &str| {
        let url = format!("{}/jobs/status", service.http());
        let request = reqwest::Client::new().get(url);
        let answer = request.basic_auth(client, Some(KEY)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()
    };
    let id = service.record(&site).await;
    started(&site).await;
    let mut job = Value::Null;
    eventually("two seconds of two voices and a screen", LONG, async || {
        job = report("tenant").await["jobs"][0].take();
        job["captured_ms"].as_i64() >= Some(2000) && job["tracks"].as_u64() >= Some(3)
    })
    .await;
    assert_eq!(
        (&job["id"], &job["type"]),
        (&json!(id), &json!("recording"))
    );
    assert_eq!(
        (&job["phase"], &job["workers"]),
        (&json!("capturing"), &json!(1))
    );
    assert_eq!(job["call_id"], crate::site::CHANNEL);
    assert_eq!(job["job_id"], JOB);
    assert_eq!(job["missing_packets"], 0);
    assert!(job["silent_ms"].as_i64().unwrap() < 10_000, "{job}");
    let before = job["bytes"].as_u64().unwrap();
    eventually("what it takes grows", LONG, async || {
        report("tenant").await["jobs"][0]["bytes"].as_u64() > Some(before)
    })
    .await;
    let body = json!({ "clientID": "stranger", "authKey": KEY });
    let url = format!("{}/register", service.http());
    let registered = reqwest::Client::new().post(url).json(&body).send().await;
    assert_eq!(registered.unwrap().status(), 201);
    assert_eq!(report("stranger").await["jobs"], json!([]));
    assert!(report("stranger").await["free_bytes"].as_u64().unwrap() > 0);

    site.stop_job();
    service.wait_for(&id, "done").await;
    assert_eq!(report("tenant").await["jobs"], json!([]));
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_was_stopped_before_its_bot_came_is_no_failure() {
    let site = Site::start(two_voices()).await;
    "job not in progress or already started".clone_into(&mut site.no_join.lock().unwrap());
    let service = Service::start().await;
    let id = service.record(&site).await;
    service.wait_for(&id, "done").await;
    assert_eq!(failures(&site), [""; 0]);
    assert!(site.recordings.lock().unwrap().is_empty());
    service.running.unwrap().stop().await;
}

/// How loud a film is, in LUFS (ITU-R BS.1770), whose two sides are the same.
fn loudness(samples: &[f32]) -> f64 {
    let mut meter = EbuR128::new(2, 48_000, Mode::I).unwrap();
    let sides: Vec<f32> = samples.iter().flat_map(|one| [*one, *one]).collect();
    meter.add_frames_f32(&sides).unwrap();
    meter.loudness_global().unwrap()
}

/// Nobody stops it: its time is over, and what there is becomes a film as loud as a broadcast (EBU R 128).
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_ends_at_its_longest_duration_with_what_there_is() {
    let site = Site::start(Script::default().voice("anna", 400.0)).await;
    let service = Service::start().await;
    let input = site.recording_input();
    let id = service
        .ask("recording", "calls-recorder:v0.8.13", 4, input)
        .await;
    let begun = started(&site).await;
    service.wait_for(&id, "done").await;
    assert!(begun.elapsed() > Duration::from_secs(3));
    assert_handed_in(&site);
    assert_eq!(failures(&site), [""; 0], "an ordinary end");
    assert_eq!(site.leaves.load(Ordering::Relaxed), 1);
    let film = movie(&site);
    // As long as was asked for, however late that was noticed.
    assert!((film.seconds - 4.0).abs() < 0.1, "{} s", film.seconds);
    let loudness = loudness(&film.samples);
    assert!((loudness + 23.0).abs() < 1.0, "{loudness} LUFS");
    service.running.unwrap().stop().await;
}
