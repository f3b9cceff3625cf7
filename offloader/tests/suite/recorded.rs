//! What is in the film of a recorded call, and in what is kept beside it.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use offloader::capture::journal::{self, Entry};
use offloader::finish::{faces, reel};
use serde_json::json;

use crate::recorder::{
    LONG, Service, assert_handed_in, manifest, movie, started, told, two_voices, voices,
};
use crate::site::{FACE, JOB, POST, Site, eventually};
use crate::sound::{HEARD, probe};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_picture_shows_is_kept_while_the_call_lasts() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let id = service.record(&site).await;
    started(&site).await;
    let folder = service.job_folder(&id);
    let raised = |at: i64| json!({ "userID": "useranna", "session_id": "anna", "raised_hand": at });
    site.tell("user_raise_hand", &raised(1_795_905_202_000));
    site.tell("user_unraise_hand", &raised(0));
    let face = faces::path(&folder, "useranna");
    let hands = || {
        let entries = journal::read(&folder).into_iter();
        let hands = entries.filter_map(|entry| match entry {
            Entry::Hand {
                session, raised, ..
            } => Some((session, raised)),
            _ => None,
        });
        hands.collect::<Vec<_>>()
    };
    eventually("a face, a title and two hands", LONG, async || {
        let title = Entry::Titled {
            title: "Town Hall".to_owned(),
        };
        let entries = journal::read(&folder);
        // Ended before its time began a recording would have failed.
        let begun = entries
            .iter()
            .any(|entry| matches!(entry, Entry::Tick { .. }));
        begun && face.is_file() && entries.contains(&title) && hands().len() == 2
    })
    .await;
    assert_eq!(
        hands(),
        [("anna".to_owned(), true), ("anna".to_owned(), false)]
    );
    assert_eq!(std::fs::read(face).unwrap(), FACE);
    site.stop_job();
    service.wait_for(&id, "done").await;
    assert!(!faces::path(&folder, "userben").exists(), "a drawing");
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_recorded_and_handed_in() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let id = service.record(&site).await;
    let begun = started(&site).await;
    tokio::time::sleep_until((begun + Duration::from_secs(6)).into()).await;
    site.stop_job();
    let lasted = begun.elapsed().as_secs_f64();
    let job = service.wait_for(&id, "done").await;
    assert!(job["stop_at"].as_i64().unwrap() >= job["start_at"].as_i64().unwrap());
    assert_handed_in(&site);
    assert_eq!(site.leaves.load(Ordering::Relaxed), 1);

    let movie = movie(&site);
    assert!(
        (movie.seconds - lasted).abs() < 1.0,
        "{} s of {lasted}",
        movie.seconds
    );
    assert_eq!(
        movie.video.map(|(_, width, height)| (width, height)),
        Some((1280, 720))
    );
    for hertz in [400.0, 1000.0] {
        assert!(
            movie.mean_tone(hertz, 2.0, 5.0) > HEARD,
            "{hertz}: {}",
            movie.tone(hertz, 2.0, 5.0)
        );
    }
    assert!(movie.tone(700.0, 2.0, 5.0) < 0.01);
    let white = movie
        .pictures
        .iter()
        .filter(|(_, luma)| *luma > 200)
        .count();
    assert!(white > 20, "{white} pictures of the white screen");
    assert!(movie.pictures[0].1 < 120, "a card before the screen");
    assert_eq!(voices(&service.job_folder(&id)).len(), 2);
    let kept = std::fs::read_dir(service.folder.path().join("archive").join(POST)).unwrap();
    let kept: Vec<_> = kept.flatten().map(|file| file.path()).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let (described, kept): (Vec<_>, Vec<_>) = kept
        .into_iter()
        .partition(|path| path.to_string_lossy().ends_with(".manifest.json"));
    let archived = manifest(&described[0]);
    assert_eq!(archived["files"].as_array().unwrap().len(), 1);
    let described = manifest(&service.job_folder(&id).join("manifest.json"));
    let names = described["files"].as_array().unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|file| file["name"].as_str().unwrap())
        .collect();
    assert_eq!((names.len(), names[0]), (3, "recording.mp4"), "{names:?}");
    assert_eq!(described["gaps"], json!([]));
    assert_eq!(described["post_id"], POST);
    let span = described["end_at"].as_i64().unwrap() - described["start_at"].as_i64().unwrap();
    assert_eq!(described["span_ms"], span);
    assert!(
        (span as f64 / 1000.0 - lasted).abs() < 1.0,
        "{span} ms of {lasted} s"
    );
    let tracks = described["tracks"].as_array().unwrap();
    let anna = tracks
        .iter()
        .find(|track| track["session_id"] == "anna" && track["kind"] == "voice");
    let anna = anna.unwrap();
    assert_eq!((tracks.len(), &anna["user_id"]), (3, &json!("useranna")));
    assert!(anna["packets"].as_u64().unwrap() > 200, "{anna}");
    assert_eq!(anna["missing_packets"], 0);
    assert!(kept[0].to_string_lossy().ends_with(&format!("_{JOB}.mkv")));
    let kept = probe(&kept[0]);
    let heard = [400.0, 1000.0].map(|hertz| kept.mean_tone(hertz, 2.0, 5.0) > 0.2);
    assert!(
        heard == [true, false] || heard == [false, true],
        "one voice as it was sent"
    );
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_without_pictures_is_handed_in_when_a_job_asks_for_one() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let mut input = site.recording_input();
    input["output_format"] = json!("ogg");
    let id = service.record_with(input).await;
    let begun = started(&site).await;
    tokio::time::sleep_until((begun + Duration::from_secs(3)).into()).await;
    site.stop_job();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    let mut file = tempfile::NamedTempFile::with_suffix(".ogg").unwrap();
    file.write_all(&site.file(".ogg")).unwrap();
    let sound = probe(file.path());
    assert_eq!(
        (sound.audio, sound.video),
        (Some(ffmpeg_next::codec::Id::OPUS), None)
    );
    assert!(sound.mean_tone(400.0, 1.0, 2.5) > HEARD);
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_made_while_the_call_lasts_and_leaves_out_its_pause() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let mut input = site.recording_input();
    input["frame_rate"] = json!(10);
    let id = service.record_with(input).await;
    let begun = started(&site).await;
    let folder = service.job_folder(&id);
    eventually("a film that grows in the call", LONG, async || {
        reel::Pictures::open(&folder).is_ok_and(|mut film| film.next().is_some())
    })
    .await;
    let job = json!({ "job_id": JOB });
    site.tell("job_pause", &job);
    eventually("the pause", LONG, async || told(&site, "paused").len() == 1).await;
    let paused = Instant::now();
    tokio::time::sleep_until((paused + Duration::from_secs(3)).into()).await;
    site.tell("job_resume", &job);
    eventually("the end of the pause", LONG, async || {
        told(&site, "resumed").len() == 1
    })
    .await;
    let paused = paused.elapsed().as_secs_f64();
    let resumed = Instant::now();
    tokio::time::sleep_until((resumed + Duration::from_secs(2)).into()).await;
    site.stop_job();
    let lasted = begun.elapsed().as_secs_f64();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    let movie = movie(&site);
    let expected = lasted - paused;
    assert!(
        (movie.seconds - expected).abs() < 1.5,
        "{} s of {lasted}, {paused} of them paused",
        movie.seconds
    );
    assert!(movie.mean_tone(400.0, expected - 1.5, expected - 0.5) > HEARD * 0.9);
    let made = told(&site, "progress");
    let made: Vec<_> = made.iter().map(|told| told["progress"].as_u64()).collect();
    assert!(!made.is_empty() && made.is_sorted(), "{made:?}");
    let ended = journal::read(&folder)
        .into_iter()
        .find_map(|entry| match entry {
            Entry::Stopped { reason, .. } => Some(reason),
            _ => None,
        });
    assert_ne!(
        ended.as_deref(),
        Some("the host stopped it"),
        "nobody knows who"
    );
    service.running.unwrap().stop().await;
}
