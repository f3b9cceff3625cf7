//! A recording whose processes die: what is lost, who goes on, what is told.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use offloader::capture::journal::{self, Entry};
use offloader::capture::writer::log_path;
use offloader::order::FolderLock;
use serde_json::json;

use crate::recorder::{
    LONG, Service, assert_handed_in, failures, kill, movie, started, two_voices,
};
use crate::sfu::Script;
use crate::siege::{Besieged, Victim, holes, record_under_fire};
use crate::site::{Site, eventually};
use crate::sound::HEARD;

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
        assert!(movie.mean_tone(hertz, 2.0, killed - 4.0) > HEARD, "{hertz}");
        assert!(
            movie.mean_tone(hertz, last - 1.0, last - 0.5) > HEARD,
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
    assert!(movie(&site).mean_tone(400.0, 1.0, 2.5) > HEARD);
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
    let first = maker();
    kill(&first);
    eventually("another that goes on with it", LONG, async || {
        !maker().is_empty() && maker() != first
    })
    .await;
    tokio::time::sleep_until((begun + Duration::from_secs(3)).into()).await;
    site.stop_job();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    assert!(failures(&site).is_empty());
    assert!(movie(&site).mean_tone(400.0, 1.0, 2.5) > HEARD);
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
    assert!(movie.mean_tone(400.0, 0.5, 1.5) > HEARD);
    assert!(movie.mean_tone(400.0, movie.seconds - 0.7, movie.seconds - 0.2) > HEARD);
    service.running.unwrap().stop().await;
}

/// A server of ours asks the bot to begin anew when the media host of its session is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_whose_media_host_is_gone_goes_on_at_another_where_the_server_allows_it() {
    for may_go_on in [true, false] {
        let site = Site::start(two_voices()).await;
        let service = Service::start().await;
        let mut input = site.recording_input();
        input["recording_may_go_on"] = json!(may_go_on);
        let id = service.record_with(input).await;
        let begun = started(&site).await;
        tokio::time::sleep_until((begun + Duration::from_secs(3)).into()).await;
        // What is said of others is none of the bot's business.
        site.tell("media_moves", &json!({ "session_id": "useranna" }));
        let own = site.sessions.lock().unwrap().concat();
        site.tell("media_moves", &json!({ "session_id": own }));
        if may_go_on {
            let folder = service.job_folder(&id);
            eventually("the sound of the other part", LONG, async || {
                log_path(&folder, 3)
                    .metadata()
                    .is_ok_and(|log| log.len() > 10_000)
            })
            .await;
            site.stop_job();
        }
        let lasted = begun.elapsed().as_secs_f64();
        service.wait_for(&id, "done").await;
        assert_handed_in(&site);
        let (joins, told) = (site.joins.load(Ordering::Relaxed), failures(&site));
        if may_go_on {
            assert_eq!((joins, &*told), (2, &[] as &[String]));
        } else {
            assert_eq!((joins, told.len()), (1, 1), "{told:?}");
        }
        let movie = movie(&site);
        assert!(
            (movie.seconds - lasted).abs() < 1.5,
            "{} s of {lasted}",
            movie.seconds
        );
        assert!(movie.mean_tone(400.0, 0.5, 1.5) > HEARD);
        let end = movie.seconds - 0.7;
        assert!(movie.mean_tone(400.0, end, end + 0.5) > HEARD);
        service.running.unwrap().stop().await;
    }
}

/// Whose service died is alone until it is back: then it goes where it is asked to, as any other; also when
/// the program's file was replaced meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_service_is_back_leaves_a_media_host_that_goes() {
    let site = Site::start(two_voices()).await;
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = place.path().join("offloader");
    std::fs::hard_link(env!("CARGO_BIN_EXE_offloader"), &program).unwrap();
    let mut service = Besieged::start(&program, Vec::new()).await;
    let mut input = site.recording_input();
    input["recording_may_go_on"] = json!(true);
    let id = service
        .ask("recording", "calls-recorder:v0.8.13", &input)
        .await;
    let begun = started(&site).await;
    let folder = service.job_folder(&id);
    service.kill(Victim::Service).await;
    eventually("a service that waits for the worker", LONG, async || {
        FolderLock::is_followed(&folder).unwrap()
    })
    .await;
    std::fs::remove_file(&program).unwrap();
    let own = site.sessions.lock().unwrap().concat();
    eventually("the sound of the other part", LONG, async || {
        // Not heard by a worker that has not looked yet.
        site.tell("media_moves", &json!({ "session_id": own }));
        let log = log_path(&folder, 3).metadata();
        log.is_ok_and(|log| log.len() > 10_000)
    })
    .await;
    site.stop_job();
    let lasted = begun.elapsed().as_secs_f64();
    eventually("the film", LONG, async || {
        !site.recordings.lock().unwrap().is_empty()
    })
    .await;
    assert_handed_in(&site);
    assert_eq!(failures(&site), [""; 0], "it went on");
    assert_eq!(site.joins.load(Ordering::Relaxed), 2);
    let film = movie(&site);
    assert!(
        (film.seconds - lasted).abs() < 1.5,
        "{} s of {lasted}",
        film.seconds
    );
}

/// The ten minutes of `benches/run offloader --only kills`, shortened.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_service_and_workers_are_killed_in_turn_is_one_film_with_short_holes() {
    let site = Site::start(Script::default().voice("anna", 400.0).endless()).await;
    let program = Path::new(env!("CARGO_BIN_EXE_offloader"));
    let mut service = Besieged::start(program, Vec::new()).await;
    let mut input = site.recording_input();
    input["recording_may_go_on"] = json!(true);
    service
        .ask("recording", "calls-recorder:v0.8.13", &input)
        .await;
    let turns = [
        Victim::Worker,
        Victim::Service,
        Victim::Worker,
        Victim::Service,
        Victim::Service,
        Victim::Worker,
    ];
    let turns = turns.map(|victim| (Duration::from_secs(4), victim));
    let (lasted, killed) = record_under_fire(&site, &mut service, turns.into_iter()).await;
    assert_eq!(killed, 6);
    assert_handed_in(&site);
    assert_eq!(failures(&site), [""; 0], "it went on");
    let film = movie(&site);
    assert!(
        (film.seconds - lasted).abs() < 1.5,
        "{} s of {lasted}",
        film.seconds
    );
    let holes = holes(&film, 400.0);
    let longest = holes.iter().copied().fold(0.0, f64::max);
    let all: f64 = holes.iter().sum();
    println!("{killed} killed in {lasted:.0} s: longest hole {longest:.1} s, all {all:.1} s");
    assert!(longest <= 4.0 && all <= 12.0, "{longest} s, all {all} s");
}
