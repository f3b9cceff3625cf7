//! What is kept comes back, on both engines, from earlier versions too.

use std::path::Path;

use proto::id::ChannelId;
use serde_json::{Map, json};
use signalling_core::{Record, RestoredCall, Usage};
use storage::{Location, Sealer};

use super::{ChannelSwitch, Store};

const OLD: &str = include_str!("tests/before_numbered_steps.sql");

/// The store of an earlier version, with a running call, its people and its recordings.
async fn adopted(folder: &Path) -> Store {
    let path = folder.join("calls.db");
    storage::testing::sqlite_of_old(&path, OLD).await;
    Store::open(&Location::File(path)).await.unwrap()
}

async fn old_call() -> RestoredCall {
    let folder = tempfile::tempdir().unwrap();
    let mut calls = adopted(folder.path()).await.running_calls().await.unwrap();
    calls.pop().expect("a call was running")
}

fn records(call: &RestoredCall) -> Vec<Record> {
    let sessions = call.sessions.iter().cloned().map(Record::Session);
    let jobs = call.jobs.iter().cloned().map(Record::Job);
    let call = Record::Call(call.call.clone());
    std::iter::once(call).chain(sessions).chain(jobs).collect()
}

#[tokio::test]
async fn a_store_of_an_earlier_version_is_adopted() {
    let call = old_call().await;
    assert_eq!(call.call.id.as_str(), "call1");
    assert_eq!(call.call.title, "Stand-up");
    let sessions: Vec<_> = call
        .sessions
        .iter()
        .map(|session| (session.user.as_str(), session.unmuted, session.video))
        .collect();
    assert_eq!(sessions, [("anna", true, false), ("ben", false, true)]);
    let jobs: Vec<_> = call.jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(jobs, ["job2"], "the newest of its kind");
    let folder = tempfile::tempdir().unwrap();
    let switches = adopted(folder.path()).await.switches().await.unwrap();
    let enabled: Vec<_> = switches.values().map(|switch| switch.enabled).collect();
    assert_eq!(enabled, [true, false]);
}

async fn the_records_of_a_turn_come_back(location: Location) {
    let mut call = old_call().await;
    let since = call.sessions.iter().map(|session| (session.id.clone(), 40));
    call.call.usage = Usage {
        screen_seconds: 3,
        video_seconds: 5,
        has_used_screen: true,
        has_used_video: true,
        screen_since: Some(30),
        video_since: since.collect(),
    };
    let store = Store::open(&location).await.unwrap();
    store.keep_all(&[]).await.unwrap();
    // a second time changes nothing
    for _ in 0..2 {
        store.keep_all(&records(&call)).await.unwrap();
        let kept = store.running_calls().await.unwrap();
        assert_eq!(format!("{kept:?}"), format!("[{call:?}]"));
    }
    let gone = call.sessions.iter().map(|session| session.id.clone());
    let mut end: Vec<Record> = gone.map(Record::SessionGone).collect();
    let mut ended = call.call.clone();
    ended.end_at_ms = 200;
    end.push(Record::Call(ended));
    store.keep_all(&end).await.unwrap();
    assert!(store.running_calls().await.unwrap().is_empty());
    let job = store.job(&call.jobs[0].id).await.unwrap();
    let (job, of) = job.expect("jobs of calls that are over are known");
    assert_eq!((job.call, of.end_at_ms), (call.call.id.clone(), 200));
    let figures = store.figures(200).await.unwrap();
    assert_eq!((figures.calls, figures.ended_calls), (1, 1));
    assert_eq!((figures.video_calls, figures.video_seconds), (1, 5));
    assert_eq!(figures.screen_calls, 1);
    assert_eq!(
        figures.participants,
        i64::try_from(of.participants.len()).unwrap()
    );
    assert_eq!(figures.calls_by_day, [(0, 1)]);
    store.check().await.unwrap();
}

async fn switches_are_kept(location: Location) {
    let store = Store::open(&location).await.unwrap();
    let room = ChannelId::parse("room").unwrap();
    for enabled in [true, false] {
        let props: Map<_, _> = [("a".to_owned(), json!([1, "x"]))].into_iter().collect();
        let switch = ChannelSwitch { enabled, props };
        store.keep_switch(&room, &switch).await.unwrap();
        let kept = store.switches().await.unwrap();
        assert_eq!(kept.get(&room), Some(&switch));
    }
}

async fn keys_are_made_once_and_sealed(location: Location) {
    let folder = tempfile::tempdir().unwrap();
    let sealer = Sealer::open(&folder.path().join("secret.key")).unwrap();
    let store = Store::open(&location).await.unwrap();
    let made = store.key(&sealer, "rtcd_auth_key", || "first".to_owned());
    assert_eq!(made.await.unwrap(), "first");
    let kept = store.key(&sealer, "rtcd_auth_key", || "second".to_owned());
    assert_eq!(kept.await.unwrap(), "first");
    let select = sqlx::query_as("SELECT value FROM keys");
    let rows: Vec<(String,)> = store.db.fetch_all("look", select).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert!(!format!("{rows:?}").contains("first"), "{rows:?}");

    let other = Sealer::open(&folder.path().join("other.key")).unwrap();
    let closed = store.key(&other, "rtcd_auth_key", String::new).await;
    let said = closed.unwrap_err().to_string();
    assert!(said.contains("rtcd_auth_key"), "{said}");
}

storage::on_both_engines! {
    the_records_of_a_turn_come_back
    switches_are_kept
    keys_are_made_once_and_sealed
}

/// The bytes of the database too: an overwritten value must not stay in a page or in the log.
#[tokio::test]
async fn keys_of_an_earlier_version_are_sealed_at_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let sealer = Sealer::open(&folder.path().join("secret.key")).unwrap();
    let store = adopted(folder.path()).await;
    store.seal_keys(&sealer).await.unwrap();
    for (name, expected) in [
        ("rtcd_auth_key", "our key in clear"),
        ("client_id", "our id"),
    ] {
        let key = store.key(&sealer, name, String::new).await.unwrap();
        assert_eq!(key, expected);
    }
    store.close().await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(16).any(|piece| piece == b"our key in clear");
        assert!(!found, "{}", path.display());
    }
}
