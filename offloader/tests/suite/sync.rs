//! Sound and picture, and voices among themselves, in a finished film: flashes and beeps.

use offloader::ffmpeg::MovieOptions;
use offloader::finish::make_movie;
use offloader::finish::plan::Plan;
use offloader::order::Look;

use crate::call::{Call, options};
use crate::sound::{Probe, beep_packets, picture_packets, probe};

/// Flashes and beeps: one a second, from one second on, each of 200 ms.
const TIMES: u64 = 12;

/// A network that holds packets up, never less than 20 ms and seldom much longer.
fn delay(n: u64) -> u64 {
    20 + [0, 3, 11, 0, 40, 7, 0, 25][n as usize % 8]
}

fn film() -> (tempfile::TempDir, Probe) {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::begin(folder.path());
    for (track, hertz) in [(0, 400.0), (1, 1000.0)] {
        let sound = beep_packets(hertz, 50 * 14, |n| n >= 50 && n % 50 < 10);
        // Two senders whose clocks have nothing to do with each other.
        let clock = u64::from(track) * 7_777_777;
        for n in 0..(TIMES + 1) * 50 {
            let at = n * 20 + delay(n + u64::from(track) * 3);
            call.packet(track, at, n, clock + n * 960, &sound[n as usize]);
        }
    }
    let (white, black) = (
        picture_packets(235, 640, 360, 1),
        picture_packets(16, 640, 360, 1),
    );
    for n in 0..TIMES * 2 + 1 {
        // Dark at first, then light for 200 ms at each second.
        let (ms, light) = match n {
            0 => (0, false),
            n => (n.div_ceil(2) * 1000 + (1 - n % 2) * 200, n % 2 == 1),
        };
        let picture = if light { &white[0] } else { &black[0] };
        let payload = [&[0x10], picture.as_slice()].concat();
        call.packet(2, ms + delay(n * 5), n, 90_000 + ms * 90, &payload);
    }
    let end = call.at((TIMES + 1) * 1000);
    call.capture.end("the test is over", end).unwrap();
    let plan = Plan::read(folder.path()).unwrap();
    let options = MovieOptions {
        frame_rate: 30,
        ..options()
    };
    let path = make_movie(folder.path(), &plan, &options, &Look::default()).unwrap();
    let movie = probe(&path);
    (folder, movie)
}

/// When each beep begins, in milliseconds: where a window of 5 ms is half as loud as the beep.
fn beeps(movie: &Probe, hertz: f32) -> Vec<f64> {
    let loud = |ms: u64| {
        let from = ms as f64 / 1000.0;
        movie.tone(hertz, from, from + 0.005)
    };
    let begins = (1..=TIMES).map(|second| {
        let full = movie.tone(hertz, second as f64 + 0.07, second as f64 + 0.17);
        let first = (second * 1000 - 100..second * 1000 + 200).find(|ms| loud(*ms) > full / 2.0);
        first.unwrap() as f64 + 2.5
    });
    begins.collect()
}

fn flashes(movie: &Probe) -> Vec<f64> {
    let pairs = movie.pictures.iter().zip(movie.pictures.iter().skip(1));
    let rises = pairs.filter(|((_, before), (_, after))| *before < 100 && *after > 200);
    rises.map(|(_, (time, _))| time * 1000.0).collect()
}

#[test]
fn sound_and_picture_and_voices_among_themselves_are_where_they_were() {
    let (_folder, movie) = film();
    let (anna, ben) = (beeps(&movie, 400.0), beeps(&movie, 1000.0));
    let flashes = flashes(&movie);
    assert_eq!(flashes.len(), TIMES as usize, "{flashes:?}");
    let distances = |these: &[f64], those: &[f64]| {
        let pairs = these.iter().zip(those);
        let mut distances: Vec<_> = pairs.map(|(one, two)| (one - two).abs()).collect();
        distances.sort_by(f64::total_cmp);
        distances
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    println!("flashes {flashes:.1?}\nbeeps {anna:.1?} {ben:.1?}");
    let seen = distances(&flashes, &anna);
    let voices = distances(&anna, &ben);
    println!(
        "A/V mean {:.1} ms, most {:.1} ms",
        mean(&seen),
        seen[seen.len() - 1]
    );
    println!(
        "voices mean {:.1} ms, most {:.1} ms",
        mean(&voices),
        voices[voices.len() - 1]
    );
    assert!(
        mean(&seen) <= 40.0 && seen[seen.len() - 1] <= 80.0,
        "{seen:?}"
    );
    assert!(voices[voices.len() - 1] <= 20.0, "{voices:?}");
}
