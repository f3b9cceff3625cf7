//! A keyframe is spread over time, and voices do not wait behind it.

use std::time::{Duration, Instant};

use harness::world::{Media, Path, RawPacket, Style, Wire, World};
use proto::rtcd::{RtcKind, TrackType};
use rtcd_core::DropReason;

const SECOND: Duration = Duration::from_secs(1);
const SCREEN_ON: &str = r#"{"screenStreamID":"screen-a"}"#;
const OPUS: u8 = 111;
const VP8: u8 = 96;
/// Packets of a keyframe of 72 kB.
const KEYFRAME: u64 = 60;

/// Anna talks and shows a screen, which stands still; Ben listens and looks on over 2 Mbit/s.
fn showing() -> World {
    let mut world = World::new(1);
    world.wire = Some(Wire::default());
    for name in ["anna", "ben"] {
        world.join(0, "call", name, Style::default());
    }
    world.until("everybody has a data channel", |world| {
        world.participants.values().all(|p| p.channel_open)
    });
    world.of("anna").publish(Media::Sound, "mic-a");
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Picture, "screen-a");
    world.until("ben hears and sees anna", |world| {
        world.of("ben").heard_of("anna", TrackType::Voice).len() > 20
            && world.of("ben").heard_of("anna", TrackType::Screen).len() > 20
    });
    let now = world.now;
    world.of("anna").feed(1, false, now);
    *world.network.down("ben") = Path::narrow(2_000_000);
    world.run(SECOND);
    world
}

/// Anna sends a picture of so many packets at once, in the numbers from there on.
fn send_picture(world: &mut World, first: u64, packets: u64) {
    let at = world.now;
    for number in 0..packets {
        // VP8: the descriptor begins a partition only in the first packet, which is a keyframe's.
        let head: [u8; 2] = if number == 0 { [0x10, 0] } else { [0, 0] };
        let payload = [head.as_slice(), &[7; 1200]].concat();
        let packet = RawPacket {
            at,
            seq_no: first + number,
            timestamp: 90_000 + u32::try_from(first).expect("small") * 90,
            marker: number + 1 == packets,
            nackable: true,
            payload,
        };
        world.of("anna").write(1, &packet);
    }
}

fn sent(world: &World, payload_type: u8, since: Instant) -> Vec<Instant> {
    let wire = world.wire.as_ref().expect("kept");
    let streams = wire.to("ben").into_values().flatten();
    let mut times: Vec<Instant> = streams
        .filter(|sent| sent.payload_type == payload_type && sent.at >= since)
        .filter(|sent| !sent.repeated)
        .map(|sent| sent.at)
        .collect();
    times.sort();
    times
}

/// The longest time between two packets of the voice, as it arrives.
fn longest_pause(world: &mut World, since: Instant) -> Duration {
    let heard = world.of("ben").heard_of("anna", TrackType::Voice);
    let times: Vec<Instant> = heard
        .iter()
        .map(|h| h.at)
        .filter(|at| *at >= since)
        .collect();
    let pauses = times.iter().zip(times.iter().skip(1)).map(|(a, b)| *b - *a);
    pauses.max().expect("a voice")
}

#[test]
fn a_keyframe_leaves_in_slices_and_the_voice_beside_it_on_time() {
    let mut world = showing();
    let began = world.now;
    send_picture(&mut world, 5000, KEYFRAME);
    world.run(SECOND);
    let video = sent(&world, VP8, began);
    assert_eq!(video.len() as u64, KEYFRAME, "all of it, once");
    let slices: Vec<usize> = video.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
    assert!(slices[0] <= 10, "at once: {slices:?}");
    assert!(slices[1..].iter().all(|slice| *slice <= 3), "{slices:?}");
    let took = *video.last().unwrap() - video[0];
    let range = Duration::from_millis(200)..Duration::from_millis(500);
    assert!(range.contains(&took), "over {took:?}");
    // Voices leave every 20 ms, whatever waits.
    let audio = sent(&world, OPUS, began);
    let even = audio.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(even.max().unwrap() <= Duration::from_millis(21));
    // And arrive: a burst of 72 kB would have kept the line busy for 288 ms.
    let pause = longest_pause(&mut world, began);
    assert!(pause < Duration::from_millis(80), "a pause of {pause:?}");
    // What arrives is whole and in order.
    let seen = world.of("ben").heard_of("anna", TrackType::Screen);
    let numbers: Vec<u64> = seen
        .iter()
        .rev()
        .take(60)
        .map(|heard| heard.seq_no)
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[0] == pair[1] + 1),
        "{numbers:?}"
    );
}

#[test]
fn who_cannot_follow_misses_packets_but_no_number_and_goes_on_with_a_keyframe() {
    let mut world = showing();
    let began = world.now;
    send_picture(&mut world, 5000, 900);
    world.run(2 * SECOND);
    let shed = world.shards[0].counters().dropped(DropReason::Waiting);
    assert!(shed > 200, "{shed} of 900");
    let kept = sent(&world, VP8, began).len() as u64;
    assert!(kept <= 900 - shed);
    // A keyframe is asked for, and comes.
    world.until("a keyframe is asked for", |world| {
        let requests = &world.of("anna").keyframe_requests;
        requests.last().is_some_and(|at| *at >= began)
    });
    let now = world.now;
    send_picture(&mut world, 7000, 10);
    world.run(SECOND);
    assert_eq!(sent(&world, VP8, now).len(), 10);
    let streams = world.wire.as_ref().expect("kept").to("ben").into_values();
    for sent in streams {
        let since = sent.iter().filter(|sent| sent.at >= began);
        let mut numbers: Vec<u64> = since.map(|sent| sent.seq_no).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert!(
            numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "a hole"
        );
    }
}

/// The layer of the packet that came last.
fn layer(world: &mut World, viewer: &str) -> Option<u8> {
    let seen = world.of(viewer).heard_of("anna", TrackType::Screen);
    seen.last()?.payload.last().copied()
}

#[test]
fn of_viewers_who_wait_for_different_layers_each_ones_is_asked_for() {
    let mut world = World::new(1);
    for name in ["anna", "ben", "carl"] {
        world.join(0, "call", name, Style::default());
    }
    world.until("everybody has a data channel", |world| {
        world.participants.values().all(|p| p.channel_open)
    });
    // Enough for the low layer and too little for the high one.
    *world.network.down("carl") = Path::narrow(300_000);
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Layers, "screen-a");
    world.until("ben sees the high layer and carl the low one", |world| {
        layer(world, "ben") == Some(1) && layer(world, "carl") == Some(0)
    });
    let now = world.now;
    world.of("anna").feed(0, false, now);
    assert_eq!(
        world.of("anna").keyframes_owed(0),
        [0; 0],
        "both have pictures"
    );
    // More than anybody's queue holds: both are cut, and go on with a keyframe of their own layer.
    let at = world.now;
    for number in 0..900 {
        for layer in [1, 0] {
            let packet = RawPacket {
                at,
                seq_no: 5000 + number,
                timestamp: 90_000 * 60,
                marker: false,
                nackable: true,
                payload: vec![0; 1200],
            };
            world.of("anna").write_layer(0, layer, &packet);
        }
    }
    world.run(2 * SECOND);
    assert!(world.shards[0].counters().dropped(DropReason::Waiting) > 0);
    assert_eq!(world.of("anna").keyframes_owed(0), [0, 1]);
}

#[test]
fn a_packet_that_is_too_long_leaves_no_hole() {
    let mut world = showing();
    let before = world.of("ben").heard_of("anna", TrackType::Screen).len();
    let at = world.now;
    for (number, len) in [
        (5000, 100),
        (5001, 1400),
        (5002, 100),
        (5003, 1301),
        (5004, 1300),
    ] {
        let payload = [[0x10, 0].as_slice(), &vec![7; len - 2]].concat();
        let packet = RawPacket {
            at,
            seq_no: number,
            timestamp: 90_000 * 6,
            marker: true,
            nackable: true,
            payload,
        };
        world.of("anna").write(1, &packet);
    }
    world.run(SECOND);
    let counters = world.shards[0].counters();
    assert_eq!(counters.dropped(DropReason::TooLong), 2);
    assert_eq!(counters.dropped(DropReason::Late), 0);
    let missing = counters.missing;
    let seen = world.of("ben").heard_of("anna", TrackType::Screen);
    let numbers: Vec<u64> = seen[before..].iter().map(|heard| heard.seq_no).collect();
    assert_eq!(numbers.len(), 3);
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    world.run(2 * SECOND);
    assert_eq!(
        world.shards[0].counters().missing,
        missing,
        "nobody misses one"
    );
}
