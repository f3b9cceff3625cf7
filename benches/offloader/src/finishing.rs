//! How long whoever waits for a film waits: what is left to do when a call is over.
//!
//! A capture is written as a call writes it, then its film is made in one thread: once by a process that
//! was there during the call and has made all pictures that were settled, once by one that finds only the
//! capture, as after a crash. Time is the processor's, so that others do not count.

use std::path::Path;

use anyhow::Context;
use nix::time::{ClockId, clock_gettime};
use offloader::capture::journal::{Entry, Journal};
use offloader::client::CallEvent;
use offloader::ffmpeg::MovieOptions;
use offloader::finish::film::Film;
use offloader::finish::plan::Plan;
use offloader::order::Look;
use proto::id::{SessionId, UserId};
use proto::rtcd::TrackType;

use crate::call::{Call, options};
use crate::figures::{Figure, Good, Seen};
use crate::sound::{moving_packets, tone_packets};

/// Packets of a voice in a minute, and pictures of a screen.
const VOICE: u64 = 50 * 60;
const SCREEN: u64 = 20 * 60;
/// Least bytes of a picture in a packet.
const PIECE: usize = 1100;
/// How much is made at once.
const STRETCH_MS: i64 = 1_000;

pub(crate) fn measure(minutes: u64, wanted: &dyn Fn(&str) -> bool) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (row, screen, must, aim) in [
        ("finish-voices", false, 5.0, 20.0),
        ("finish-screen", true, 2.0, 20.0),
    ] {
        if wanted(row) {
            let (waited, anew) = finish(minutes, screen)?;
            let figure = |what, value, aim| Figure {
                row: row.to_owned(),
                what,
                unit: "x",
                value,
                must,
                aim,
                good: Good::AtLeast,
                seen: Seen::Nothing,
            };
            figures.push(figure("real time, pictures made in the call", waited, aim));
            figures.push(figure("the same with nothing made before", anew, must));
        }
    }
    Ok(figures)
}

/// By how much faster than the call its film is finished: with the pictures made in it, and without.
fn finish(minutes: u64, screen: bool) -> anyhow::Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let plan = call(folder.path(), minutes, screen)?;
    let options = MovieOptions {
        frame_rate: 20,
        preset: "veryfast".to_owned(),
        ..options()
    };
    let open = || Film::open(folder.path(), &options, &Look::default(), 1);
    let seconds = 60.0 * minutes as f64;
    let begun = processor_seconds()?;
    open()?.finish(&plan, |_| ())?;
    let anew = seconds / (processor_seconds()? - begun);

    let mut film = open()?;
    let tick = Entry::Tick { t_ms: plan.span_ms };
    Journal::open(folder.path())?.record(&tick)?;
    film.look();
    while film.behind_ms() > 0 {
        film.advance(STRETCH_MS)?;
    }
    let begun = processor_seconds()?;
    film.finish(&plan, |_| ())?;
    Ok((seconds / (processor_seconds()? - begun), anew))
}

/// Of this process, all threads.
fn processor_seconds() -> anyhow::Result<f64> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}

/// A call of ten people who take turns every second, and of a screen on which everything moves.
fn call(folder: &Path, minutes: u64, screen: bool) -> anyhow::Result<Plan> {
    let mut call = Call::begin(folder);
    let (tone, quiet) = (
        tone_packets(400.0, VOICE as usize),
        tone_packets(0.0, VOICE as usize),
    );
    let pictures = if screen {
        moving_packets(1280, 720, SCREEN)
    } else {
        Vec::new()
    };
    for n in 0..10u32 {
        let owner = SessionId::parse(format!("person{n}"))?;
        let user = UserId::parse(format!("user{n}"))?;
        let (track, kind, session) = (10 + n, TrackType::Voice, owner.clone());
        let joined = session.clone();
        for event in [
            CallEvent::UserJoined {
                user,
                session: joined,
            },
            CallEvent::TrackAdded { track, kind, owner },
            CallEvent::Muted {
                session,
                muted: false,
            },
        ] {
            call.event(0, &event);
        }
    }
    let mut seq_no = 0;
    for at in 0..VOICE * minutes {
        for n in 0..10u32 {
            let speaks = (at / 50) % 10 == u64::from(n);
            let sound = if speaks { &tone } else { &quiet };
            let packet = &sound[(at % VOICE) as usize];
            call.packet(10 + n, at * 20, at, at * 960, packet);
        }
        // Twenty pictures in a second of fifty packets.
        if screen && at % 5 < 2 {
            let number = at / 5 * 2 + at % 5;
            let picture = &pictures[(number % SCREEN) as usize];
            let ms = number * 50;
            let count = picture.chunks(PIECE).count();
            for (piece, bytes) in picture.chunks(PIECE).enumerate() {
                let payload = [&[if piece == 0 { 0x10 } else { 0 }], bytes].concat();
                call.piece(2, [ms, seq_no, ms * 90], &payload, piece + 1 == count);
                seq_no += 1;
            }
        }
    }
    let end = call.at(60_000 * minutes);
    call.capture.end("everything is said", end)?;
    Plan::read(folder).context("nothing was captured")
}
