//! Streams as browsers and servers really send them: numbers that run over, packets that hold nothing,
//! another source within a track, a track that comes again, packets that are lost, people whose names
//! nobody knows.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::lossy::Lossy;
use crate::recorder::{Service, assert_handed_in, movie, started};
use crate::sfu::Script;
use crate::site::Site;
use crate::sound::{HEARD, Probe, shaded_packets};

/// Records a call of six seconds.
async fn record(script: Script) -> (Probe, u64) {
    let site = Site::start(script).await;
    let service = Service::start().await;
    let id = service.record(&site).await;
    let begun = started(&site).await;
    tokio::time::sleep_until((begun + Duration::from_secs(6)).into()).await;
    let condition = std::fs::read(service.job_folder(&id).join("state.json")).unwrap();
    let condition: serde_json::Value = serde_json::from_slice(&condition).unwrap();
    site.stop_job();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    service.running.unwrap().stop().await;
    (movie(&site), condition["missing_packets"].as_u64().unwrap())
}

/// A screen that becomes lighter from picture to picture.
fn dawn() -> Vec<Vec<u8>> {
    shaded_packets(|n| 60 + (n / 2).min(160) as u8, 640, 360, 300)
}

/// How many shades of the dawn were seen.
fn shades(film: &Probe) -> usize {
    let shown = film.pictures.iter().map(|(_, luma)| *luma);
    let mut shown: Vec<_> = shown.filter(|luma| (62..230).contains(luma)).collect();
    shown.sort_unstable();
    shown.dedup();
    shown.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_times_that_run_over_are_no_gap() {
    let script = Script::default().voice("anna", 400.0).nearly_over();
    let (film, missing) = record(script.screen_of("anna", dawn(), Duration::ZERO)).await;
    assert!(film.mean_tone(400.0, 0.5, 5.0) > HEARD * 0.9);
    assert!(shades(&film) > 25, "{} shades", shades(&film));
    assert_eq!(missing, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_hold_nothing_are_no_loss() {
    let script = Script::default().voice("anna", 400.0).padded();
    let (film, missing) = record(script.screen_of("anna", dawn(), Duration::ZERO)).await;
    assert!(shades(&film) > 25, "{} shades", shades(&film));
    assert_eq!(missing, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_goes_on_under_another_source_is_heard_on() {
    let script = Script::default().voice("anna", 400.0).other_source_at(100);
    let (film, missing) = record(script).await;
    for second in 0..5 {
        let (from, until) = (0.5 + f64::from(second), 1.3 + f64::from(second));
        let heard = film.mean_tone(400.0, from, until);
        assert!(heard > HEARD * 0.8, "{heard} from {from} s on");
    }
    assert_eq!(missing, 0);
}

/// One packet of a hundred, and everything for 200 ms.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_network_loses_is_a_short_hole_and_moves_nothing() {
    let burst = Duration::from_millis(200);
    let network = Lossy::one_of(100).burst(Duration::from_secs(3), burst);
    let script = Script::default().voice("anna", 400.0).through(network);
    let (film, missing) = record(script.screen_of("anna", dawn(), Duration::ZERO)).await;
    let quiet = (25..250).filter(|n| {
        let from = f64::from(*n) / 50.0;
        film.tone(400.0, from, from + 0.02) < HEARD / 2.0
    });
    let quiet: Vec<_> = quiet.collect();
    println!(
        "missing {missing}, quiet {quiet:?}, shades {}",
        shades(&film)
    );
    assert!(quiet.len() <= 12, "{quiet:?}");
    assert!(shades(&film) > 20, "{} shades", shades(&film));
    assert!((8..40).contains(&missing), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_that_is_taken_away_and_added_again_is_heard_on() {
    let script = Script::default().voice("anna", 400.0).voice("ben", 1000.0);
    let (film, missing) = record(script.again_at(Duration::from_millis(2500))).await;
    for second in [0, 1, 3, 4] {
        let (from, until) = (0.5 + f64::from(second), 1.3 + f64::from(second));
        for hertz in [400.0, 1000.0] {
            let heard = film.mean_tone(hertz, from, until);
            assert!(heard > HEARD * 0.8, "{hertz}: {heard} from {from} s on");
        }
    }
    assert_eq!(missing, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anybodys_profile_a_call_is_recorded_all_the_same() {
    let site = Site::start(Script::default().voice("anna", 400.0)).await;
    site.no_profiles.store(true, Ordering::Relaxed);
    let service = Service::start().await;
    let id = service.record(&site).await;
    let begun = started(&site).await;
    tokio::time::sleep_until((begun + Duration::from_secs(3)).into()).await;
    site.stop_job();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    assert!(movie(&site).mean_tone(400.0, 0.5, 2.0) > HEARD * 0.9);
    service.running.unwrap().stop().await;
}
