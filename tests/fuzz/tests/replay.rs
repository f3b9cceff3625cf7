//! Every seed, and what is made of it, through its target: nothing panics, hoards or hangs.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, too: a panic is how a test says no"
)]

use std::path::PathBuf;
use std::time::Duration;

use fuzz::mutate::mutate;
use harness::memory::{self, Counting};
use harness::random::Random;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What one input may cost: an offer of the largest size that is read, three times over, and the
/// shards and participants it meets.
const MOST_BYTES: usize = 24 << 20;
/// Time on the processor, so that it says the same on a machine that does much else.
const LONGEST: Duration = Duration::from_secs(2);

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    let mut seeds: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds for `{target}`");
    seeds
}

fn run(target: fuzz::Target, input: &[u8], made_of: &str) {
    let began = processor_time();
    let ((), bytes) = memory::peak(|| {
        let run = std::panic::AssertUnwindSafe(|| (target.run)(input));
        if std::panic::catch_unwind(run).is_err() {
            panic!("`{}` panicked on {made_of}: {input:?}", target.name);
        }
    });
    assert!(
        bytes < MOST_BYTES,
        "`{}` held {bytes} bytes for {made_of}: {input:?}",
        target.name
    );
    let took = processor_time() - began;
    assert!(
        took < LONGEST,
        "`{}` took {took:?} for {made_of}: {input:?}",
        target.name
    );
}

/// How long this thread has run; nothing where the kernel does not count it.
fn processor_time() -> Duration {
    let Ok(text) = std::fs::read_to_string("/proc/thread-self/schedstat") else {
        return Duration::ZERO;
    };
    let nanoseconds = text.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}

fn replay(name: &str) {
    let target = fuzz::find(name).expect("a target");
    let seeds = seeds(name);
    let mut random = Random::new(7);
    for (place, seed) in &seeds {
        run(target, seed, place);
    }
    for number in 0..target.mutations {
        let (place, seed) = &seeds[random.place(seeds.len())];
        let (_, other) = &seeds[random.place(seeds.len())];
        let made = mutate(&mut random, seed, other);
        run(target, &made, &format!("mutation {number}, of {place}"));
    }
}

#[test]
fn control_messages() {
    replay("control");
}

#[test]
fn data_channel_messages() {
    replay("channel");
}

#[test]
fn tcp_frames() {
    replay("framing");
}

#[test]
fn opened_media_packets() {
    replay("media");
}

#[test]
fn configurations() {
    replay("config");
}

#[test]
fn answers_of_turn_servers() {
    replay("relayed");
}

#[test]
fn session_descriptions() {
    replay("offer");
}

#[test]
fn datagrams_for_a_session() {
    replay("datagrams");
}

#[test]
fn a_participant_of_a_call() {
    replay("call");
}

#[test]
fn every_target_is_replayed() {
    let here = include_str!("replay.rs");
    for target in fuzz::TARGETS {
        let replayed = here.contains(&format!("replay(\"{}\")", target.name));
        assert!(replayed, "`{}` is not replayed", target.name);
    }
}
