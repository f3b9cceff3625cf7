//! Handing in under misfortune: partial pieces, failures, lost sessions, refused tokens, restarts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use offloader::capture::journal::{Entry, Journal};
use offloader::client::bot::BotApi;
use offloader::publish::{Pace, PublishError, Publisher, Version};
use proto::id::ChannelId;
use proto::redact::Secret;
use serde_json::json;

use crate::recorder::LONG;
use crate::sfu::Script;
use crate::site::{CHANNEL, JOB, POST, Site, TOKEN, eventually};

const FILE: &str = "recording.mp4";

fn pace() -> Pace {
    Pace {
        first_pause: Duration::from_millis(5),
        patience: Duration::from_secs(20),
        piece: 10_000,
    }
}

fn contents() -> Vec<u8> {
    (0..95_001u32).map(|n| (n * 7 % 251) as u8).collect()
}

fn bot(site: &Site) -> BotApi {
    let channel = ChannelId::parse(CHANNEL).unwrap();
    BotApi::new(&site.url, channel, Secret::new(TOKEN)).unwrap()
}

async fn publish(site: &Arc<Site>, folder: &Path) -> Result<(), PublishError> {
    std::fs::write(folder.join(FILE), contents()).unwrap();
    hand_in(site, folder, pace()).await
}

async fn hand_in(site: &Arc<Site>, folder: &Path, pace: Pace) -> Result<(), PublishError> {
    let bot = bot(site);
    Publisher::open(&bot, folder, pace)?
        .recording(JOB, POST, FILE)
        .await
}

fn assert_handed_in_once(site: &Site) {
    assert_eq!(site.file("Call_Town_2026-11-22_00-00-00.mp4"), contents());
    let recordings = site.recordings.lock().unwrap();
    assert_eq!(recordings.len(), 1);
    assert_eq!(recordings[0]["JobID"], JOB);
    assert_eq!(recordings[0]["PostID"], POST);
    assert_eq!(recordings[0]["FileIDs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pieces_are_sent_until_the_server_has_all_even_if_it_takes_less_than_given() {
    let site = Site::start(Script::default()).await;
    site.piece_limit.store(7_001, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    publish(&site, folder.path()).await.unwrap();
    assert_handed_in_once(&site);
    // A second run finds everything done.
    publish(&site, folder.path()).await.unwrap();
    assert_handed_in_once(&site);
}

#[tokio::test]
async fn failures_are_waited_out_and_the_upload_goes_on_where_it_was() {
    let site = Site::start(Script::default()).await;
    site.failures.store(5, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    publish(&site, folder.path()).await.unwrap();
    assert_handed_in_once(&site);
    assert_eq!(site.begun.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_upload_that_is_cut_off_at_37_per_cent_goes_on_from_that_byte() {
    let site = Site::start(Script::default()).await;
    let cut = contents().len() * 37 / 100;
    site.cut_at.store(cut, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    publish(&site, folder.path()).await.unwrap();
    assert_handed_in_once(&site);
    assert_eq!(site.begun.load(Ordering::Relaxed), 1, "one upload");
    assert_eq!(site.cut_at.load(Ordering::Relaxed), 0, "it was cut off");
}

/// By a server that takes a megabyte of whatever it is sent at once, as one with such a largest file does.
#[tokio::test(flavor = "multi_thread")]
async fn a_film_of_100_mb_arrives_over_a_break_and_a_restart_in_one_upload() {
    let site = Site::start(Script::default()).await;
    site.piece_limit.store(1 << 20, Ordering::Relaxed);
    let whole = contents().repeat((100 << 20) / contents().len() + 1);
    site.cut_at.store(whole.len() * 37 / 100, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), &whole).unwrap();
    let pace = Pace {
        piece: Pace::default().piece,
        ..pace()
    };
    let arrived = || {
        let uploads = site.uploads.lock().unwrap();
        uploads
            .values()
            .map(|upload| upload.bytes.len())
            .sum::<usize>()
    };
    tokio::select! {
        ended = hand_in(&site, folder.path(), pace) => panic!("all at once: {ended:?}"),
        () = eventually("more than half of it", LONG, async || arrived() > whole.len() / 2) => {}
    }
    assert_eq!(site.cut_at.load(Ordering::Relaxed), 0, "it was cut off");
    hand_in(&site, folder.path(), pace).await.unwrap();
    assert!(site.file(".mp4") == whole, "{} bytes", arrived());
    assert_eq!(site.begun.load(Ordering::Relaxed), 1, "one upload");
    assert_eq!(site.recordings.lock().unwrap().len(), 1);
}

/// Of a server that takes the same twice, as the Calls plugin does.
#[tokio::test]
async fn a_result_whose_answer_was_lost_is_not_handed_in_twice() {
    let site = Site::start(Script::default()).await;
    site.lost_answers.store(1, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    publish(&site, folder.path()).await.unwrap();
    assert_handed_in_once(&site);
    assert_eq!(site.lost_answers.load(Ordering::Relaxed), 0, "it was lost");

    // As of a worker that died before it had the answer.
    let folder = tempfile::tempdir().unwrap();
    publish(&site, folder.path()).await.unwrap();
    assert_eq!(site.recordings.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_result_is_handed_in_where_the_bot_may_not_read_the_post_of_the_call() {
    let site = Site::start(Script::default()).await;
    site.no_posts.store(true, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    publish(&site, folder.path()).await.unwrap();
    assert_handed_in_once(&site);
}

#[tokio::test]
async fn a_restart_resumes_the_upload_session_of_the_run_before() {
    let site = Site::start(Script::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let upload = bot(&site)
        .create_upload("Call_Town_2026-11-22_00-00-00.mp4", contents().len() as u64)
        .await
        .unwrap();
    let first = contents()[..40_000].to_vec();
    bot(&site)
        .upload_piece(upload.id.as_str(), first.into())
        .await
        .unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    let name = "Call_Town_2026-11-22_00-00-00".to_owned();
    journal.record(&Entry::Named { name }).unwrap();
    let (file, id) = (FILE.to_owned(), upload.id.to_string());
    journal.record(&Entry::Upload { file, id }).unwrap();

    publish(&site, folder.path()).await.unwrap();
    assert_handed_in_once(&site);
    assert_eq!(site.begun.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_lost_upload_session_is_begun_anew() {
    let site = Site::start(Script::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    let (file, id) = (FILE.to_owned(), "gone".to_owned());
    journal.record(&Entry::Upload { file, id }).unwrap();
    publish(&site, folder.path()).await.unwrap();
    assert_handed_in_once(&site);
}

#[tokio::test]
async fn a_refused_token_and_a_refusal_for_good_are_told_apart_and_end_at_once() {
    let site = Site::start(Script::default()).await;
    let folder = tempfile::tempdir().unwrap();
    site.always.store(401, Ordering::Relaxed);
    let error = publish(&site, folder.path()).await.unwrap_err();
    assert!(matches!(error, PublishError::Credentials(_)), "{error}");
    site.always.store(400, Ordering::Relaxed);
    let error = publish(&site, folder.path()).await.unwrap_err();
    assert!(matches!(error, PublishError::Never(_)), "{error}");
    assert!(!error.to_string().contains(TOKEN));
    site.always.store(0, Ordering::Relaxed);
    publish(&site, folder.path()).await.unwrap();
    assert_handed_in_once(&site);
}

#[tokio::test]
async fn a_transcript_is_its_files_vtt_and_text_first() {
    let site = Site::start(Script::default()).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.vtt"), "WEBVTT\n").unwrap();
    std::fs::write(folder.path().join("t.txt"), "text").unwrap();
    std::fs::write(folder.path().join("t.json"), "{}").unwrap();
    let bot = bot(&site);
    let mut publisher = Publisher::open(&bot, folder.path(), pace()).unwrap();
    let version = Version {
        language: "en".to_owned(),
        files: ["t.vtt", "t.txt", "t.json"].map(str::to_owned).into(),
    };
    publisher
        .transcript(JOB, POST, &[version], None)
        .await
        .unwrap();
    let reports = site.transcriptions.lock().unwrap();
    let expected = json!({
        "JobID": JOB, "PostID": POST, "Transcriptions": [
            { "Title": "en", "Language": "en",
              "FileIDs": ["file-upload0", "file-upload1", "file-upload2"] },
        ],
    });
    assert_eq!(*reports, [expected]);
    assert_eq!(site.file(".vtt"), b"WEBVTT\n");
    assert_eq!(site.file(".txt"), b"text");
    assert_eq!(site.file(".json"), b"{}");
}
