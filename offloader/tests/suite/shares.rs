//! Screens that come and go, and grow and shrink: what the film shows of them.

use offloader::client::CallEvent;
use offloader::finish::make_movie;
use offloader::finish::plan::Plan;
use offloader::order::Look;
use proto::rtcd::TrackType;

use crate::call::{Call, options, session};
use crate::sound::{Probe, picture_packets, probe};

/// Shares of one call.
const SHARES: u64 = 20;
/// From the begin of one to the begin of the next, and how long each is, in milliseconds.
const EVERY: u64 = 1_500;
const LASTS: u64 = 800;

fn film(folder: &std::path::Path, call: Call, until_ms: u64) -> Probe {
    let end = call.at(until_ms);
    call.capture.end("the test is over", end).unwrap();
    let plan = Plan::read(folder).unwrap();
    probe(&make_movie(folder, &plan, &options(), &Look::default()).unwrap())
}

/// How light the middle is at a time in milliseconds.
fn luma(film: &Probe, ms: u64) -> u8 {
    let at = ms as f64 / 1000.0;
    let shown = film.pictures.iter().rev().find(|(time, _)| *time <= at);
    shown.unwrap().1
}

fn near(got: u8, expected: u8) -> bool {
    got.abs_diff(expected) <= 12
}

/// Shows pictures of one shade on a track, 30 a second; the number of the next packet.
fn show(call: &mut Call, track: u32, [at_ms, lasts, first]: [u64; 3], pictures: &[Vec<u8>]) -> u64 {
    let count = lasts / 33;
    for (n, picture) in (0..count).zip(pictures) {
        let payload = [&[0x10], picture.as_slice()].concat();
        let place = [at_ms + n * 33, first + n, (first + n) * 2970];
        call.piece(track, place, &payload, true);
    }
    first + count
}

#[test]
fn a_screen_that_is_shared_twenty_times_is_seen_twenty_times_and_not_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::begin(folder.path());
    let sizes = [(640, 360), (320, 568), (1280, 720)];
    let count = (LASTS / 33) as usize;
    let shades: Vec<_> = [235, 150]
        .map(|luma| sizes.map(|(width, height)| picture_packets(luma, width, height, count)))
        .into();
    for n in 0..SHARES {
        let (begin, track) = (1000 + n * EVERY, 10 + n as u32);
        let owner = session(["anna", "ben"][n as usize % 2]);
        let shared = CallEvent::ScreenOn {
            session: owner.clone(),
        };
        call.event(begin, &shared);
        let kind = TrackType::Screen;
        call.event(begin, &CallEvent::TrackAdded { track, kind, owner });
        let pictures = &shades[n as usize % 2][n as usize % 3];
        show(&mut call, track, [begin, LASTS, 7], pictures);
        call.event(begin + LASTS, &CallEvent::ScreenOff);
        call.event(begin + LASTS, &CallEvent::TrackEnded { track });
    }
    let film = film(folder.path(), call, 1000 + SHARES * EVERY);
    for n in 0..SHARES {
        let begin = 1000 + n * EVERY;
        let expected = [235, 150][n as usize % 2];
        let (during, after) = (luma(&film, begin + LASTS / 2), luma(&film, begin + 1_200));
        assert!(near(during, expected), "share {n}: {during} of {expected}");
        assert!(after < 120, "after share {n}: {after}");
    }
}

#[test]
fn what_is_seen_last_is_seen_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::begin(folder.path());
    let pictures = picture_packets(235, 640, 360, 60);
    show(&mut call, 2, [100, 2_000, 7], &pictures);
    call.event(2_100, &CallEvent::ScreenOff);
    // Soon enough that nothing else changes, as the clock does once a second.
    let film = film(folder.path(), call, 2_150);
    let last = film.pictures.last().unwrap();
    assert!(last.0 >= 2.1 && last.1 < 120, "{last:?}");
    assert!(near(luma(&film, 2_000), 235));
}

#[test]
fn a_screen_that_changes_its_size_while_it_is_shared_is_seen_in_each() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::begin(folder.path());
    let mut next = 70;
    let sizes = [
        (640, 360, 235),
        (1280, 720, 150),
        (360, 640, 200),
        (2, 2, 235),
    ];
    for (n, (width, height, luma)) in (0..).zip(sizes) {
        // Each size begins with a keyframe, as encoders do.
        let pictures = picture_packets(luma, width, height, 30);
        next = show(&mut call, 2, [1000 + n * 1000, 990, next], &pictures);
    }
    let film = film(folder.path(), call, 5_000);
    for (n, (width, height, expected)) in (0..).zip(sizes) {
        let got = luma(&film, 1500 + n * 1000);
        assert!(near(got, expected), "{width}x{height}: {got} of {expected}");
    }
}
