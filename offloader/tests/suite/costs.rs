//! What recordings cost: CPU seconds, and the time from the stop to the finished file. Measured on
//! demand: `cargo test --test suite -- --ignored --nocapture costs`.

use std::path::Path;
use std::time::Instant;

use offloader::capture::journal::{Entry, Journal};
use offloader::client::CallEvent;
use offloader::ffmpeg::{MovieOptions, SoundKind};
use offloader::finish::film::Film;
use offloader::finish::make_sound;
use offloader::finish::plan::Plan;
use offloader::order::Look;
use proto::id::{SessionId, UserId};
use proto::rtcd::TrackType;

use crate::capture::{Call, options};
use crate::sound::{moving_packets, tone_packets};

const SECONDS: u64 = 60;
/// Pictures of the shared screen per second.
const SCREEN_FPS: u64 = 20;

/// CPU seconds of this process, all threads.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    fields[11].parse::<f64>().unwrap() / 100.0 + fields[12].parse::<f64>().unwrap() / 100.0
}

/// A minute of ten people who take turns every second, and of a screen on which everything moves.
fn minute(folder: &Path, screen: bool) -> Plan {
    let mut call = Call::begin(folder);
    let tone = tone_packets(400.0, SECONDS as usize * 50);
    let quiet = tone_packets(0.0, SECONDS as usize * 50);
    for n in 0..10u32 {
        let owner = SessionId::parse(format!("person{n}")).unwrap();
        let user = UserId::parse(format!("user{n}")).unwrap();
        let (track, kind, session) = (10 + n, TrackType::Voice, owner.clone());
        call.event(
            0,
            &CallEvent::UserJoined {
                user,
                session: session.clone(),
            },
        );
        call.event(0, &CallEvent::TrackAdded { track, kind, owner });
        call.event(
            0,
            &CallEvent::Muted {
                session,
                muted: false,
            },
        );
        for at in 0..SECONDS * 50 {
            let sound = if (at / 50) % 10 == u64::from(n) {
                &tone
            } else {
                &quiet
            };
            call.packet(track, at * 20, at, at * 960, &sound[at as usize]);
        }
    }
    if screen {
        let mut seq_no = 0;
        for (n, picture) in (0..).zip(moving_packets(1280, 720, SCREEN_FPS * SECONDS)) {
            let ms = n * 1000 / SCREEN_FPS;
            let pieces = picture.chunks(1100).count();
            for (piece, bytes) in picture.chunks(1100).enumerate() {
                let payload = [&[if piece == 0 { 0x10 } else { 0 }], bytes].concat();
                let marker = piece + 1 == pieces;
                call.piece(2, [ms, seq_no, ms * 90], &payload, marker);
                seq_no += 1;
            }
        }
    }
    let end = call.at(SECONDS * 1000);
    call.capture.end("the minute is over", end).unwrap();
    Plan::read(folder).unwrap()
}

#[test]
#[ignore = "measures"]
fn what_a_minute_costs_while_it_lasts_and_when_it_is_over() {
    for (what, screen) in [("ten voices", false), ("ten voices, a screen", true)] {
        let folder = tempfile::tempdir().unwrap();
        let plan = minute(folder.path(), screen);
        let options = MovieOptions {
            frame_rate: 20,
            preset: "veryfast".to_owned(),
            ..options()
        };
        let open = || Film::open(folder.path(), &options, &Look::default(), 1).unwrap();
        let begun = (cpu(), Instant::now());
        let path = open().finish(&plan, |_| ()).unwrap();
        let whole = (cpu() - begun.0, begun.1.elapsed().as_secs_f64());
        let bytes = path.metadata().unwrap().len();

        // All but what has not settled is made while the minute lasts.
        let mut film = open();
        let tick = Entry::Tick { t_ms: plan.span_ms };
        Journal::open(folder.path()).unwrap().record(&tick).unwrap();
        let begun = cpu();
        film.look();
        while film.behind_ms() > 0 {
            film.advance(1000).unwrap();
        }
        let live = cpu() - begun;
        let begun = (cpu(), Instant::now());
        film.finish(&plan, |_| ()).unwrap();
        let rest = (cpu() - begun.0, begun.1.elapsed().as_secs_f64());
        let begun = cpu();
        make_sound(&plan, SoundKind::Opus, 64, &folder.path().join("alone.ogg")).unwrap();
        let sound = cpu() - begun;
        println!(
            "{what}: {SECONDS} s; all after the call {:.1} CPU s, {:.1} s; live {live:.1} CPU s \
             ({:.2} cores), then {:.1} CPU s, {:.1} s; sound alone {sound:.1} CPU s; {:.0} kbit/s",
            whole.0,
            whole.1,
            live / SECONDS as f64,
            rest.0,
            rest.1,
            bytes as f64 * 8.0 / 1000.0 / SECONDS as f64,
        );
        assert!(rest.0 < whole.0, "what was made live is not made again");
    }
}
