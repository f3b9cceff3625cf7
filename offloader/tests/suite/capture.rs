//! Packets in, files out: what a capture makes of loss, reordering, silence and sudden death.

use std::path::Path;
use std::time::{Duration, Instant};

use offloader::capture::journal::Entry;
use offloader::capture::writer::log_path;
use offloader::capture::{Capture, journal};
use offloader::client::CallEvent;
use offloader::finish::pictures::Pictures;
use offloader::finish::plan::Plan;
use offloader::finish::sound::TrackSound;
use offloader::finish::talk::Talk;
use offloader::finish::{MOVIE, Sections, make_movie, make_voices, voices};
use offloader::order::Look;
use proto::id::SessionId;

use crate::call::{Call, options, session};
use crate::sound::{HEARD, picture_packets, probe, tone_packets};

/// Ten seconds: Anna speaks from 1 s to 4 s with jitter, swaps and losses, and again from 7 s on
/// with a clock that stood still while she was muted; Ben from 5 s to 6 s; a white screen from
/// 3 s to 6 s.
pub(crate) fn record(folder: &Path) {
    let mut call = Call::begin(folder);
    let anna = tone_packets(400.0, 300);
    let ben = tone_packets(1000.0, 50);
    let screen = picture_packets(235, 640, 360, 90);
    for n in 0..150u64 {
        if n % 20 == 7 {
            continue;
        }
        // Every tenth packet is overtaken by the one after it.
        let late = if n % 10 == 3 { 25 } else { n % 3 * 4 };
        call.packet(
            0,
            1000 + n * 20 + late,
            500 + n,
            90_000 + n * 960,
            &anna[n as usize],
        );
    }
    for n in 0..50u64 {
        call.packet(1, 5000 + n * 20, n, n * 960, &ben[n as usize]);
    }
    for n in 0..90u64 {
        let mut payload = vec![0x10];
        payload.extend(&screen[n as usize]);
        call.packet(2, 3000 + n * 33, 70 + n, n * 2970, &payload);
    }
    call.event(6000, &CallEvent::ScreenOff);
    for n in 150..300u64 {
        call.packet(
            0,
            4000 + n * 20,
            500 + n,
            90_000 + n * 960,
            &anna[n as usize],
        );
    }
    let end = call.at(10_000);
    call.capture.end("the test is over", end).unwrap();
}

#[test]
fn a_capture_with_loss_reordering_and_silence_becomes_a_file_with_sound_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let plan = Plan::read(folder.path()).unwrap();
    assert_eq!((plan.span_ms, plan.tracks.len()), (10_000, 3));
    let path = make_movie(folder.path(), &plan, &options(), &Look::default()).unwrap();
    assert_eq!(path, folder.path().join(MOVIE));

    let movie = probe(&path);
    assert!((movie.seconds - 10.0).abs() < 0.3, "{} s", movie.seconds);
    let (codec, width, height) = movie.video.unwrap();
    assert_eq!(
        (codec, width, height),
        (ffmpeg_next::codec::Id::H264, 1280, 720)
    );
    assert_eq!(movie.audio, Some(ffmpeg_next::codec::Id::AAC));

    for (from, until) in [(1.2, 2.0), (2.0, 3.0), (3.0, 3.8), (7.2, 8.0), (9.0, 9.8)] {
        assert!(movie.tone(400.0, from, until) > HEARD, "Anna at {from}");
        assert!(movie.tone(1000.0, from, until) < 0.02, "Ben at {from}");
    }
    assert!(movie.tone(1000.0, 5.1, 5.9) > HEARD);
    for (from, until) in [(0.0, 0.9), (4.2, 4.9), (6.2, 6.9)] {
        let level = movie
            .tone(400.0, from, until)
            .max(movie.tone(1000.0, from, until));
        assert!(level < 0.01, "{level} at {from}");
    }

    let luma = |at: f64| {
        let shown = movie
            .pictures
            .iter()
            .rev()
            .find(|(time, _)| *time <= at + 0.001)
            .unwrap();
        shown.1
    };
    assert!(luma(4.0) > 200 && luma(5.8) > 200, "the screen is white");
    assert!(luma(1.0) < 120 && luma(7.5) < 120, "the card is dark");
    let still = movie
        .pictures
        .iter()
        .filter(|(time, _)| (6.5..9.5).contains(time))
        .count();
    assert!(
        (2..=4).contains(&still),
        "{still} pictures of a card in 3 s"
    );
}

#[test]
fn who_is_heard_is_seen_to_speak_and_a_raised_hand_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::begin(folder.path());
    for session in ["anna", "ben"] {
        let (session, muted) = (SessionId::parse(session).unwrap(), false);
        call.event(0, &CallEvent::Muted { session, muted });
    }
    let anna = tone_packets(400.0, 100);
    for n in 0..100u64 {
        call.packet(0, 2000 + n * 20, n, n * 960, &anna[n as usize]);
    }
    let session = session("ben");
    call.event(
        6000,
        &CallEvent::Hand {
            session,
            raised: true,
        },
    );
    let end = call.at(8000);
    call.capture.end("the test is over", end).unwrap();
    let plan = Plan::read(folder.path()).unwrap();

    let (talk, ear) = Talk::new();
    let sound = TrackSound::open(&plan.tracks[0].log).unwrap();
    let pieces: Vec<_> = sound.collect();
    assert!(pieces.len() > 90);
    pieces.iter().for_each(|piece| ear.hear("anna", piece));
    let look = Look::default();
    let mut pictures = Pictures::new(folder.path(), &look, (640, 360), talk);
    pictures.known_until(&plan, None);
    let mut changes = Vec::new();
    let mut seen = Vec::new();
    for t_ms in (0..8000).step_by(50) {
        let before = pictures.scene().cloned();
        pictures.change_at(&plan, t_ms).unwrap();
        let scene = pictures.scene().unwrap();
        let state: Vec<_> = scene
            .people
            .iter()
            .map(|seen| (seen.person.name.as_str(), seen.speaks, seen.person.hand_up))
            .collect();
        if before.is_none_or(|before| before.people != scene.people) {
            changes.push(t_ms);
            seen.push(format!("{state:?}"));
        }
    }
    let expected = [
        r#"[("Name anna", false, false), ("Name ben", false, false)]"#,
        r#"[("Name anna", true, false), ("Name ben", false, false)]"#,
        r#"[("Name anna", false, false), ("Name ben", false, false)]"#,
        r#"[("Name anna", false, false), ("Name ben", false, true)]"#,
    ];
    assert_eq!(seen, expected);
    let near = |n: usize, ms: i64| (changes[n] - ms).abs() <= 100;
    assert!(
        near(1, 2050) && near(2, 4650) && near(3, 6000),
        "{changes:?}"
    );
}

#[test]
fn the_same_capture_gives_the_same_film() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    record(one.path());
    for entry in std::fs::read_dir(one.path()).unwrap().flatten() {
        std::fs::copy(entry.path(), two.path().join(entry.file_name())).unwrap();
    }
    let film = |folder: &Path| {
        let plan = Plan::read(folder).unwrap();
        std::fs::read(make_movie(folder, &plan, &options(), &Look::default()).unwrap()).unwrap()
    };
    assert!(film(one.path()) == film(two.path()));
}

#[test]
fn each_voice_is_kept_as_it_was_sent_and_given_to_recognition_in_time() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let plan = Plan::read(folder.path()).unwrap();
    let files = make_voices(folder.path(), &plan).unwrap();
    assert_eq!(files.len(), 2);
    let anna = probe(&files[0]);
    assert_eq!(anna.audio, Some(ffmpeg_next::codec::Id::OPUS));
    assert!(anna.mean_tone(400.0, 2.0, 3.0) > 0.2 && anna.mean_tone(400.0, 8.0, 9.0) > 0.2);

    let anna = voices(&plan).next().unwrap();
    assert_eq!(plan.name(&anna.session), "Name anna");
    let sections: Vec<_> = Sections::open(anna).unwrap().collect();
    // A pause of three seconds does not part it; the silence is in it.
    let (offset, ms) = (sections[0].offset_ms, sections[0].pcm.len() / 16);
    assert_eq!(sections.len(), 1);
    assert!(offset.abs_diff(1000) < 40, "{offset}");
    assert!(ms.abs_diff(9000) < 60, "{ms}");
    let energy = |from: usize, until: usize| {
        let piece = &sections[0].pcm[from * 16..until * 16];
        (piece.iter().map(|s| s * s).sum::<f32>() / piece.len() as f32).sqrt()
    };
    assert!(energy(500, 2500) > 0.15 && energy(3200, 5800) < 0.005 && energy(6500, 8500) > 0.15);
}

/// Every tenth packet is lost, one in ten times three in a row: 60 ms, as in bursts of a radio link.
#[test]
fn lost_packets_are_no_holes_and_a_long_loss_is_silence_of_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::begin(folder.path());
    let tone = tone_packets(400.0, 500);
    let is_lost = |n: u64| n % 10 == 5 || matches!(n % 100, 56 | 57) || (300..340).contains(&n);
    for n in (0..500).filter(|n| !is_lost(*n)) {
        call.packet(0, 1000 + n * 20, n, n * 960, &tone[n as usize]);
    }
    let end = call.at(11_500);
    call.capture.end("the test is over", end).unwrap();
    let plan = Plan::read(folder.path()).unwrap();
    let anna = voices(&plan).next().unwrap();
    let sections: Vec<_> = Sections::open(anna).unwrap().collect();
    let pcm = &sections[0].pcm;
    assert!((pcm.len() / 16).abs_diff(10_000) < 60, "{}", pcm.len());
    // Two periods of the tone at a time.
    let level = |ms: usize| {
        let piece = &pcm[ms * 16..(ms + 5) * 16];
        (piece.iter().map(|s| s * s).sum::<f32>() / 80.0).sqrt()
    };
    let silent = |range: std::ops::Range<usize>| range.filter(|ms| level(*ms) < 0.1).count();
    assert_eq!(silent(100..5_990), 0, "holes where packets were lost");
    assert_eq!(silent(6_820..9_900), 0);
    assert!(silent(6_150..6_750) == 600, "800 ms were continued");
}

#[test]
fn after_a_sudden_end_everything_that_reached_the_disk_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let log = std::fs::read(log_path(folder.path(), 0)).unwrap();
    let entries = journal::read(folder.path());
    // The journal ends before `Stopped`, the logs in the middle of a record.
    let kept: Vec<_> = entries
        .iter()
        .filter(|entry| !matches!(entry, Entry::Stopped { .. }))
        .collect();
    let lines: Vec<_> = kept
        .iter()
        .map(|entry| serde_json::to_string(entry).unwrap())
        .collect();
    for share in [0.3, 0.5, 0.77] {
        std::fs::write(journal::path(folder.path()), lines.join("\n")).unwrap();
        let cut = (log.len() as f64 * share) as usize;
        std::fs::write(log_path(folder.path(), 0), &log[..cut]).unwrap();
        std::fs::write(log_path(folder.path(), 2), []).unwrap();
        let plan = Plan::read(folder.path()).unwrap();
        let movie = probe(&make_movie(folder.path(), &plan, &options(), &Look::default()).unwrap());
        assert!((movie.seconds - plan.span_ms as f64 / 1000.0).abs() < 0.3);
        assert!(movie.tone(400.0, 1.2, 2.0) > HEARD, "cut at {share}");
    }
}

#[test]
fn an_empty_capture_gives_a_short_file_with_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let mut capture = Capture::begin(folder.path()).unwrap();
    assert!(Plan::read(folder.path()).is_none());
    let zero = Instant::now();
    capture.set_zero(zero);
    capture
        .end("nothing happened", zero + Duration::from_millis(1500))
        .unwrap();
    let plan = Plan::read(folder.path()).unwrap();
    let movie = probe(&make_movie(folder.path(), &plan, &options(), &Look::default()).unwrap());
    assert!((movie.seconds - 1.5).abs() < 0.3);
    assert!(!movie.pictures.is_empty());
}
