//! Whole jobs: the service, a worker process, a call with real media, files read back.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use offloader::capture::journal::{self, Entry};
use offloader::capture::writer::log_path;
use offloader::config::SpeechConfig;
use offloader::finish::{faces, reel};
use offloader::order::lock_path;
use offloader::{Config, Running};
use serde_json::{Value, json};
use service::telemetry::testing::{Discretion, Secrets};

use crate::sfu::Script;
use crate::site::{FACE, JOB, LAST_NAME, POST, Site, TOKEN, eventually};
use crate::sound::{HEARD, Probe, probe};

const KEY: &str = "a key of thirty-two bytes or more";
/// Builds on a busy machine are slow; nothing here waits that long when all is well.
const LONG: Duration = Duration::from_secs(90);

struct Service {
    running: Option<Running>,
    /// Ends before the folder does.
    _logs: Logs,
    folder: tempfile::TempDir,
}

/// What the service logs, and its workers.
struct Logs {
    jobs: PathBuf,
    discretion: Discretion,
}

impl Drop for Logs {
    fn drop(&mut self) {
        for job in std::fs::read_dir(&self.jobs)
            .into_iter()
            .flatten()
            .flatten()
        {
            let log = std::fs::read_to_string(job.path().join("worker.log"));
            self.discretion.overhear(&log.unwrap_or_default());
        }
    }
}

impl Service {
    /// A service that keeps what it made for an hour, so that a test can look at it.
    async fn start() -> Self {
        Self::start_keeping(Some(Duration::from_secs(3600))).await
    }

    async fn start_keeping(done: Option<Duration>) -> Self {
        let secrets = Secrets::default();
        secrets.keep("bot token", TOKEN);
        secrets.keep("auth key", KEY);
        secrets.keep("last name", LAST_NAME);
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs {
            jobs: folder.path().join("jobs"),
            discretion: Discretion::begin(&[&secrets]),
        };
        let running = Some(run(folder.path(), done).await);
        Self {
            running,
            _logs: logs,
            folder,
        }
    }

    async fn restart(&mut self) {
        self.running = Some(run(self.folder.path(), Some(Duration::from_secs(3600))).await);
    }

    fn http(&self) -> String {
        format!("http://{}", self.running.as_ref().unwrap().http_addr)
    }

    async fn create(&self, kind: &str, runner: &str, input: Value) -> String {
        let body = json!({
            "type": kind, "runner": format!("mattermost/{runner}"), "max_duration_sec": 600,
            "input_data": input,
        });
        let answer = reqwest::Client::new()
            .post(format!("{}/jobs", self.http()))
            .basic_auth("tenant", Some(KEY))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        answer.json::<Value>().await.unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn record(&self, site: &Site) -> String {
        self.record_with(site.recording_input()).await
    }

    async fn record_with(&self, input: Value) -> String {
        self.create("recording", "calls-recorder:v0.8.13", input)
            .await
    }

    async fn job(&self, id: &str) -> Value {
        let request = reqwest::Client::new()
            .get(format!("{}/jobs/{id}", self.http()))
            .basic_auth("tenant", Some(KEY));
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn wait_for(&self, id: &str, status: &str) -> Value {
        let mut last = Value::Null;
        let until = Instant::now() + LONG;
        while last["output_data"]["status"] != status {
            let log = std::fs::read_to_string(self.job_folder(id).join("worker.log"));
            assert!(
                Instant::now() < until,
                "{last}\n{}",
                log.unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
            last = self.job(id).await;
        }
        last
    }

    fn job_folder(&self, id: &str) -> PathBuf {
        self.folder.path().join("jobs").join(id)
    }

    fn worker_pid(&self, id: &str) -> String {
        std::fs::read_to_string(lock_path(&self.job_folder(id))).unwrap()
    }
}

async fn run(folder: &Path, done_jobs_retention: Option<Duration>) -> Running {
    let config = Config {
        done_jobs_retention,
        listen_address: "127.0.0.1:0".to_owned(),
        data_dir: folder.to_path_buf(),
        // Where a test looks at what was made.
        archive_dir: done_jobs_retention.map(|_| folder.join("archive")),
        allow_self_registration: true,
        worker_command: vec![env!("CARGO_BIN_EXE_offloader").into(), "worker".into()],
        speech: SpeechConfig {
            models_dir: folder.join("no models"),
            ..Config::default().speech
        },
        ..Config::default()
    };
    offloader::start(config).await.unwrap()
}

fn two_voices() -> Script {
    Script::default()
        .voice("anna", 400.0)
        .voice("ben", 1000.0)
        .screen("anna", 235, Duration::from_secs(1))
}

async fn started(site: &Arc<Site>) -> Instant {
    eventually("the report that it started", LONG, async || {
        !site.statuses.lock().unwrap().is_empty()
    })
    .await;
    let status = site.statuses.lock().unwrap()[0].clone();
    assert_eq!(
        status,
        json!({ "JobType": "recording", "Status": "started" })
    );
    Instant::now()
}

fn movie(site: &Site) -> Probe {
    let mut file = tempfile::NamedTempFile::with_suffix(".mp4").unwrap();
    file.write_all(&site.file(".mp4")).unwrap();
    probe(file.path())
}

fn kill(pid: &str) {
    let killed = std::process::Command::new("kill")
        .args(["-9", pid.trim()])
        .status()
        .unwrap();
    assert!(killed.success());
}

fn assert_handed_in(site: &Site) {
    let recordings = site.recordings.lock().unwrap();
    assert_eq!(recordings.len(), 1);
    assert_eq!(
        (&recordings[0]["JobID"], &recordings[0]["PostID"]),
        (&json!(JOB), &json!(POST))
    );
}

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
            movie.tone(hertz, 2.0, 5.0) > HEARD,
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
    assert_eq!(kept.len(), 1, "{kept:?}");
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
    assert!(sound.tone(400.0, 1.0, 2.5) > HEARD);
    service.running.unwrap().stop().await;
}

/// The voices a job's folder holds, one file each.
fn voices(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|e| e == "mka"))
        .collect()
}

/// What people in the call were told of failures.
fn failures(site: &Site) -> Vec<String> {
    let statuses = site.statuses.lock().unwrap();
    let failed = statuses.iter().filter(|told| told["Status"] == "failed");
    failed.map(Value::to_string).collect()
}

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
async fn a_killed_worker_loses_at_most_four_seconds() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let id = service.record(&site).await;
    let begun = started(&site).await;
    tokio::time::sleep_until((begun + Duration::from_secs(8)).into()).await;
    kill(&service.worker_pid(&id));
    let killed = begun.elapsed().as_secs_f64();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    assert_eq!(
        site.joins.load(Ordering::Relaxed),
        1,
        "the call is not joined again"
    );
    let told = failures(&site);
    assert!(
        told.len() == 1 && told[0].contains("stopped unexpectedly"),
        "{told:?}"
    );

    let movie = movie(&site);
    assert!(
        movie.seconds > killed - 4.0 && movie.seconds < killed + 1.0,
        "{}",
        movie.seconds
    );
    let last = movie.seconds;
    for hertz in [400.0, 1000.0] {
        assert!(movie.tone(hertz, 2.0, killed - 4.0) > HEARD, "{hertz}");
        assert!(
            movie.tone(hertz, last - 1.0, last - 0.5) > HEARD,
            "{hertz} at the end"
        );
    }
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_service_finishes_what_it_finds() {
    let site = Site::start(two_voices()).await;
    let mut service = Service::start().await;
    let id = service.record(&site).await;
    let begun = started(&site).await;
    tokio::time::sleep_until((begun + Duration::from_secs(3)).into()).await;
    // The messaging server is away while the service stops: nothing can be handed in.
    site.always.store(503, Ordering::Relaxed);
    let pid = service.worker_pid(&id);
    service.running.take().unwrap().stop().await;
    kill(&pid);
    assert!(site.recordings.lock().unwrap().is_empty());

    site.always.store(0, Ordering::Relaxed);
    service.restart().await;
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    assert!(movie(&site).tone(400.0, 1.0, 2.5) > HEARD);
    service.running.unwrap().stop().await;
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

/// What a site was told with a status, without the report that it started.
fn told(site: &Site, status: &str) -> Vec<Value> {
    let statuses = site.statuses.lock().unwrap();
    let told = statuses.iter().filter(|told| told["Status"] == status);
    told.cloned().collect()
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
    assert!(movie.tone(400.0, expected - 1.5, expected - 0.5) > HEARD * 0.9);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_film_goes_on_when_the_process_that_made_it_is_killed() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let id = service.record(&site).await;
    let begun = started(&site).await;
    let folder = service.job_folder(&id);
    let maker = || std::fs::read_to_string(folder.join("film.lock")).unwrap_or_default();
    eventually("the process of the film", LONG, async || {
        !maker().is_empty()
    })
    .await;
    kill(&maker());
    tokio::time::sleep_until((begun + Duration::from_secs(3)).into()).await;
    site.stop_job();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    assert!(failures(&site).is_empty());
    assert!(movie(&site).tone(400.0, 1.0, 2.5) > HEARD);
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

/// A server of ours lets another bot go on: workers that die cost seconds of a call, and no call.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_whose_workers_die_goes_on_where_the_server_allows_it() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let mut input = site.recording_input();
    input["recording_may_go_on"] = json!(true);
    let id = service.record_with(input).await;
    let begun = started(&site).await;
    let folder = service.job_folder(&id);
    let heard = |track: u32| {
        let log = log_path(&folder, track);
        log.metadata().map_or(0, |log| log.len())
    };
    for part in 0..3 {
        // Two voices and a screen each time, under numbers of their own.
        eventually("the sound of a part", LONG, async || {
            heard(part * 3) > 10_000
        })
        .await;
        if part < 2 {
            kill(&service.worker_pid(&id));
        }
    }
    site.stop_job();
    let lasted = begun.elapsed().as_secs_f64();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    assert_eq!(site.joins.load(Ordering::Relaxed), 3);
    assert_eq!(failures(&site), [""; 0], "it went on");
    let parts = journal::read(&folder)
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Part { t_ms, .. } => Some(t_ms as f64 / 1000.0),
            _ => None,
        });
    let parts: Vec<_> = parts.collect();
    assert_eq!(parts.len(), 2, "{parts:?}");
    let movie = movie(&site);
    assert!(
        (movie.seconds - lasted).abs() < 1.5,
        "{} s of {lasted}",
        movie.seconds
    );
    assert!(movie.tone(400.0, 0.5, 1.5) > HEARD);
    assert!(movie.tone(400.0, movie.seconds - 0.7, movie.seconds - 0.2) > HEARD);
    service.running.unwrap().stop().await;
}
