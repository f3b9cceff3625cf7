//! The film while the call lasts: made behind the capture, gone on with by another, paused, without
//! parts under the GPL; when it gives way to others.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use offloader::capture::journal::{self, Entry, Journal};
use offloader::capture::log::{LogReader, LogWriter};
use offloader::client::CallEvent;
use offloader::ffmpeg::{Engine, MovieOptions};
use offloader::finish::film::Film;
use offloader::finish::plan::Plan;
use offloader::finish::{make_movie, reel};
use offloader::order::Look;
use proto::id::{SessionId, UserId};
use proto::rtcd::TrackType;
use rustix::process::getpriority_process;
use serde_json::json;

use crate::call::{Call, options, session};
use crate::capture::record;
use crate::recorder::LONG;
use crate::site::eventually;
use crate::sound::{HEARD, Probe, probe, tone_packets};

/// A film whose pictures are made in one thread, as in a call.
fn open(folder: &Path) -> Film {
    Film::open(folder, &options(), &Look::default(), 1).unwrap()
}

fn finish(film: Film, folder: &Path) -> Vec<u8> {
    let plan = Plan::read(folder).unwrap();
    let mut told = Vec::new();
    let path = film.finish(&plan, |percent| told.push(percent)).unwrap();
    assert!(
        told.is_sorted() && told.iter().any(|percent| *percent > 50),
        "{told:?}"
    );
    std::fs::read(path).unwrap()
}

/// What a capture had written by a moment, as its writer leaves it.
fn as_of(whole: &Path, t_ms: i64, folder: &Path) {
    let mut lines = String::new();
    for entry in journal::read(whole) {
        let at = serde_json::to_value(&entry).unwrap()["t_ms"].as_i64();
        if at.unwrap_or(0) <= t_ms && !matches!(entry, Entry::Stopped { .. }) {
            lines += &format!("{}\n", serde_json::to_string(&entry).unwrap());
        }
    }
    // What was read already stays as it was: the tick comes behind it.
    let old = std::fs::read_to_string(journal::path(folder)).unwrap_or_default();
    let told: Vec<&str> = old
        .lines()
        .filter(|line| !line.contains("\"tick\""))
        .collect();
    let mut journal = Journal::open(folder).unwrap();
    for line in lines.lines().skip(told.len()) {
        journal
            .append(&serde_json::from_str(line).unwrap())
            .unwrap();
    }
    for file in std::fs::read_dir(whole).unwrap().flatten() {
        if file
            .path()
            .extension()
            .is_some_and(|ending| ending == "rtplog")
        {
            let mut log = LogWriter::create(&folder.join(file.file_name())).unwrap();
            let packets = LogReader::open(&file.path()).unwrap();
            for packet in packets.filter(|packet| packet.arrival_us <= t_ms * 1000) {
                log.append(&packet).unwrap();
            }
            log.flush().unwrap();
        }
    }
    journal.append(&Entry::Tick { t_ms }).unwrap();
}

fn follow(film: &mut Film, whole: &Path, folder: &Path, seconds: std::ops::RangeInclusive<i64>) {
    for second in seconds {
        as_of(whole, second * 1000, folder);
        film.look();
        while film.behind_ms() > 0 {
            film.advance(1000).unwrap();
        }
    }
}

fn stop(whole: &Path, folder: &Path) {
    as_of(whole, i64::MAX / 2000, folder);
    for entry in journal::read(whole) {
        if matches!(entry, Entry::Stopped { .. }) {
            Journal::open(folder).unwrap().record(&entry).unwrap();
        }
    }
}

#[test]
fn a_film_made_behind_the_capture_is_the_film_made_after_it() {
    let (whole, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    record(whole.path());
    let mut film = open(folder.path());
    follow(&mut film, whole.path(), folder.path(), 0..=9);
    let made = reel::Pictures::open(folder.path()).unwrap().count();
    assert!(made > 20, "{made} pictures in the call");
    stop(whole.path(), folder.path());
    let live = finish(film, folder.path());
    let after = finish(open(whole.path()), whole.path());
    assert!(live == after, "{} and {} bytes", live.len(), after.len());
    assert!(
        !reel::path(folder.path()).exists(),
        "nobody needs it any more"
    );
}

/// The times and the luma in the middle of each picture.
fn shown(movie: &Probe) -> Vec<(i64, u8)> {
    let pictures = movie.pictures.iter();
    pictures
        .map(|(time, luma)| ((time * 1000.0).round() as i64, luma / 16))
        .collect()
}

#[test]
fn who_goes_on_with_a_film_makes_the_same_one() {
    let (whole, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    record(whole.path());
    let mut film = open(folder.path());
    follow(&mut film, whole.path(), folder.path(), 0..=9);
    drop(film);
    let reel = std::fs::read(reel::path(folder.path())).unwrap();
    stop(whole.path(), folder.path());
    finish(open(whole.path()), whole.path());
    let expected = probe(&whole.path().join("recording.mp4"));
    for share in [0.4, 0.8, 1.0] {
        let cut = (reel.len() as f64 * share) as usize;
        std::fs::write(reel::path(folder.path()), &reel[..cut]).unwrap();
        let again = open(folder.path());
        finish(again, folder.path());
        let movie = probe(&folder.path().join("recording.mp4"));
        assert_eq!(shown(&movie), shown(&expected), "cut at {share}");
        assert!((movie.seconds - expected.seconds).abs() < 0.05);
        assert!(movie.tone(400.0, 1.2, 2.0) > HEARD);
    }
}

#[test]
fn a_film_needs_no_part_under_the_gpl() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let options = MovieOptions {
        engine: Engine::choose(Some(Engine::Vp9)).unwrap(),
        ..options()
    };
    let plan = Plan::read(folder.path()).unwrap();
    let path = make_movie(folder.path(), &plan, &options, &Look::default()).unwrap();
    let movie = probe(&path);
    let vp9 = ffmpeg_next::codec::Id::VP9;
    assert_eq!(movie.video, Some((vp9, 1280, 720)));
    assert_eq!(movie.audio, Some(ffmpeg_next::codec::Id::AAC));
    assert!((movie.seconds - 10.0).abs() < 0.3, "{}", movie.seconds);
    let at = |s: f64| movie.pictures.iter().rev().find(|(time, _)| *time <= s);
    assert!(at(5.0).unwrap().1 > 200 && at(8.0).unwrap().1 < 120);
    assert!(movie.tone(400.0, 1.2, 2.0) > HEARD);
}

#[test]
fn a_pause_takes_no_time_and_nothing_of_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::begin(folder.path());
    let (anna, ben) = (tone_packets(400.0, 500), tone_packets(1000.0, 500));
    for n in 0..500u64 {
        let at = n * 20;
        // Anna speaks before and after the pause of 3 s to 7 s, Ben in it; his last packets are
        // taken from the network only after it.
        if n == 150 {
            let now = call.at(3000);
            assert!(call.capture.pause(now) && !call.capture.pause(now));
        }
        if n == 350 {
            let now = call.at(7000);
            assert!(call.capture.resume(now) && !call.capture.resume(now));
            for late in 345..350u64 {
                call.packet(1, late * 20, late, late * 960, &ben[late as usize]);
            }
        }
        if (150..345).contains(&n) {
            call.packet(1, at, n, n * 960, &ben[n as usize]);
        } else if !(345..350).contains(&n) {
            call.packet(0, at, n, n * 960, &anna[n as usize]);
        }
    }
    let end = call.at(10_000);
    call.capture.end("the test is over", end).unwrap();
    let plan = Plan::read(folder.path()).unwrap();
    assert_eq!((plan.span_ms, plan.pauses.len()), (6000, 1));
    assert_eq!(plan.pauses[0].t_ms, 3000);
    // The clock on the wall goes on. The test's pause took no time on it.
    assert_eq!(
        plan.clock_at(5000) - plan.clock_at(1000),
        4000 + plan.pauses[0].lasted_ms()
    );
    let path = make_movie(folder.path(), &plan, &options(), &Look::default()).unwrap();
    let movie = probe(&path);
    assert!((movie.seconds - 6.0).abs() < 0.3, "{}", movie.seconds);
    for (from, until) in [(0.5, 2.5), (2.5, 3.5), (3.5, 5.5)] {
        assert!(movie.tone(400.0, from, until) > HEARD * 0.9, "{from}");
        assert!(movie.tone(1000.0, from, until) < 0.005, "{from}");
    }
}

#[test]
fn in_a_call_of_fifty_the_five_who_speak_are_heard() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::begin(folder.path());
    let hertz = |n: u32| 300.0 + 170.0 * f64::from(n) as f32;
    for n in 0..50u32 {
        let owner = SessionId::parse(format!("person{n}")).unwrap();
        let user = UserId::parse(format!("user{n}")).unwrap();
        let session = owner.clone();
        call.event(0, &CallEvent::UserJoined { user, session });
        let (track, kind) = (10 + n, TrackType::Voice);
        call.event(0, &CallEvent::TrackAdded { track, kind, owner });
        if n % 10 == 7 {
            let tone = tone_packets(hertz(n / 10), 150);
            for at in 0..150u64 {
                call.packet(track, at * 20, at, at * 960, &tone[at as usize]);
            }
        }
    }
    let end = call.at(3000);
    call.capture.end("the test is over", end).unwrap();
    let plan = Plan::read(folder.path()).unwrap();
    let path = make_movie(folder.path(), &plan, &options(), &Look::default()).unwrap();
    let movie = probe(&path);
    for n in 0..5 {
        // Five that are equally loud share what the limiter leaves.
        assert!(movie.tone(hertz(n), 0.5, 2.5) > HEARD * 0.8, "{}", hertz(n));
    }
    assert!(movie.tone(hertz(6), 0.5, 2.5) < 0.005, "nobody's tone");
}

/// Ticks of the processor that the threads of a process used which give way by so much more than this one.
fn used(process: &Child, more: i32) -> u64 {
    let mut used = BTreeMap::new();
    for thread in std::fs::read_dir(format!("/proc/{}/task", process.id())).unwrap() {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
        // Behind the name: the state, and ten numbers before the times.
        let Some((_, numbers)) = stat.rsplit_once(')') else {
            continue;
        };
        let number = |n: usize| numbers.split_whitespace().nth(n).unwrap().parse::<i64>();
        let [user, system, niceness] = [11, 12, 16].map(|n| number(n).unwrap());
        *used.entry(niceness).or_default() += (user + system) as u64;
    }
    let own = getpriority_process(None).unwrap();
    used.get(&i64::from(own + more)).copied().unwrap_or(0)
}

#[tokio::test]
async fn a_film_gives_way_while_its_call_lasts_and_not_while_people_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::begin(folder.path());
    // Every picture is another, for longer than this test looks.
    for n in 0..6000 {
        let (session, raised) = (session("ben"), n % 2 == 0);
        call.event(n * 100, &CallEvent::Hand { session, raised });
    }
    let end = call.at(600_000);
    call.capture.end("the test is over", end).unwrap();
    let tick = Entry::Tick { t_ms: 600_000 };
    Journal::open(folder.path()).unwrap().record(&tick).unwrap();
    let order = json!({
        "film_of": folder.path(), "options": options(), "look": Look::default(),
    });
    let mut process = Command::new(env!("CARGO_BIN_EXE_offloader"))
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    writeln!(input, "{order}").unwrap();
    eventually("a film that gives way", LONG, async || {
        used(&process, 10) > 5
    })
    .await;
    let (before, gave_way) = (used(&process, 0), used(&process, 10));
    assert!(
        before < 20,
        "{before} ticks as everybody, {gave_way} behind them"
    );
    writeln!(input, "end").unwrap();
    eventually("a film as of right", LONG, async || {
        used(&process, 0) > before + 20
    })
    .await;
    assert_eq!(used(&process, 10), 0, "the thread that gave way is gone");
    process.kill().unwrap();
    process.wait().unwrap();
}
