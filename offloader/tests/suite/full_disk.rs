//! A disk that fills up while a call is recorded: the recording ends with what is there, and the call is
//! told. The disk is a small one, in a namespace of its own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use offloader::text::TextOrder;
use serde_json::json;

use crate::recorder::{
    LONG, Service, assert_handed_in, failures, movie, started, told, two_voices,
};
use crate::sfu::Script;
use crate::site::{Site, eventually};
use crate::sound::HEARD;
use crate::words;

/// Its size in bytes; a twentieth is kept free by the guard.
const SIZE: u64 = 96 << 20;
/// What the job asks for at most must fit three times.
const MOST_SECONDS: i64 = 60;

/// Runs a test of this file whose folders are on a small disk of its own; `false` on a machine that lets
/// nobody mount one.
fn on_a_small_disk(test: &str) -> bool {
    let place = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={SIZE} tmpfs \"$TMPDIR\"");
    // As root, or as whoever may be root in a namespace of users.
    for namespace in ["-m", "-Urm"] {
        let inside = |what: &str| {
            let mut command = Command::new("unshare");
            command.args([namespace, "sh", "-c", &format!("{mount} && {what}")]);
            command.arg(std::env::current_exe().unwrap());
            command.env("TMPDIR", place.path()).output().unwrap()
        };
        if inside("true").status.success() {
            let test = format!("full_disk::{test}");
            let done = inside(&format!(
                r#"exec "$0" --exact {test} --ignored --nocapture"#
            ));
            let told = String::from_utf8_lossy(&done.stdout);
            let trouble = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{told}\n{trouble}");
            assert!(told.contains("1 passed"), "nothing was run: {told}");
            return true;
        }
    }
    false
}

#[test]
fn a_disk_that_is_nearly_full_ends_a_recording_in_order() {
    if !on_a_small_disk("a_recording_ends_in_order_when_its_disk_is_nearly_full") {
        println!("not run: no small disk can be mounted here");
    }
}

#[test]
fn a_recording_whose_disk_was_full_is_handed_in_when_there_is_room_again() {
    if !on_a_small_disk("a_recording_comes_when_its_full_disk_has_room_again") {
        println!("not run: no small disk can be mounted here");
    }
}

#[test]
fn a_disk_that_is_nearly_full_ends_a_transcript_in_order() {
    if !on_a_small_disk("a_transcript_ends_in_order_when_its_disk_is_nearly_full") {
        println!("not run: no small disk can be mounted here");
    }
}

/// Leaves so many bytes free, or fewer if others write meanwhile.
fn fill(folder: &Path, leave: u64) {
    let disk = storage::space::disk(folder).unwrap();
    let rest = usize::try_from(disk.free - leave).unwrap();
    let written = std::fs::write(folder.join("filler"), vec![0; rest]);
    let full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
    assert!(written.as_ref().err().is_none_or(full), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests above, on a small disk"]
async fn a_recording_ends_in_order_when_its_disk_is_nearly_full() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let input = site.recording_input();
    let id = service
        .ask("recording", "calls-recorder:v0.8.13", MOST_SECONDS, input)
        .await;
    started(&site).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    // Less than the guard keeps, and enough for a film of some seconds.
    fill(service.folder.path(), SIZE / 20 - (512 << 10));
    let job = service.wait_for(&id, "done").await;
    let told = failures(&site);
    assert!(
        told.len() == 1 && told[0].contains("disk is nearly full"),
        "{told:?}"
    );
    assert_handed_in(&site);
    let movie = movie(&site);
    assert!(movie.seconds > 3.5 && movie.seconds < 9.0, "{job}");
    assert!(movie.mean_tone(400.0, 1.0, 3.0) > HEARD);
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests above, on a small disk"]
async fn a_transcript_ends_in_order_when_its_disk_is_nearly_full() {
    let site = Site::start(Script::default().speaker("anna", "prompts", 30).endless()).await;
    let folder = tempfile::tempdir().unwrap();
    let running = words::service(folder.path(), TextOrder::default()).await;
    let further = json!({ "transcript_may_fail_alone": true });
    words::begin(&running, &site, further).await;
    eventually("captions", LONG, async || words::captions(&site) > 6).await;
    fill(folder.path(), SIZE / 20 - (512 << 10));
    words::handed_in(&site).await;
    let failed = told(&site, "failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    let (why, cut_off) = (failed[0]["omitempty"].as_str(), &failed[0]["cut_off"]);
    assert!(why.unwrap().contains("disk is nearly full"), "{failed:?}");
    assert_eq!(cut_off, true);
    let text = String::from_utf8(site.file(".txt")).unwrap();
    assert!(text.lines().count() > 4, "what was said before: {text}");
    let end = "[Nothing was heard from here on: the recording server's disk is nearly full";
    assert!(text.contains(end), "{text}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests above, on a small disk"]
async fn a_recording_comes_when_its_full_disk_has_room_again() {
    let site = Site::start(two_voices()).await;
    let service = Service::start().await;
    let input = site.recording_input();
    let id = service
        .ask("recording", "calls-recorder:v0.8.13", MOST_SECONDS, input)
        .await;
    started(&site).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    fill(service.folder.path(), 0);
    eventually("word of it in the call", LONG, async || {
        !failures(&site).is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(site.recordings.lock().unwrap().is_empty());
    std::fs::remove_file(service.folder.path().join("filler")).unwrap();
    service.wait_for(&id, "done").await;
    let told = failures(&site);
    assert!(told[0].contains("disk"), "{told:?}");
    assert_handed_in(&site);
    let movie = movie(&site);
    assert!(movie.seconds > 3.0 && movie.seconds < 9.0);
    assert!(movie.mean_tone(400.0, 1.0, 2.5) > HEARD);
    // Of the worker that could not write its last words the service tells as of one that died.
    assert!(told.len() <= 2, "{told:?}");
    service.running.unwrap().stop().await;
}
