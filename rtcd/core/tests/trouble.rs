//! Bad networks: a call lives through them, nobody stays frozen, and no number is used twice.

#![expect(
    clippy::indexing_slicing,
    reason = "helpers of tests, too: a panic is how a test says no"
)]

use std::time::{Duration, Instant};

use harness::random::Random;
use harness::world::{Media, Path, Style, Wire, World};
use proto::rtcd::{ChannelMessage, RtcKind, TrackType};
use rtcd_core::CoreConfig;

const SECOND: Duration = Duration::from_secs(1);
const SCREEN_ON: &str = r#"{"screenStreamID":"screen-a"}"#;
/// From a change of address until what is sent to the participant arrives again.
const MOVES_WITHIN: Duration = Duration::from_secs(6);
const OPUS: u8 = 111;
const VP8: u8 = 96;

/// Anna, who talks and shows her screen; Ben, who talks; Carl, who listens.
fn call(seed: u64, picture: Media) -> World {
    on_shards([0, 0, 0], seed, picture)
}

/// The same, each of them on this shard of two.
fn on_shards(places: [usize; 3], seed: u64, picture: Media) -> World {
    let mut world = World::new(2);
    world.network.seed(seed);
    world.wire = Some(Wire::default());
    for (shard, name) in places.into_iter().zip(["anna", "ben", "carl"]) {
        world.join(shard, "call", name, Style::default());
    }
    if places.contains(&1) {
        world.link(&harness::world::call("call"), 0, 1);
    }
    world.until("everybody has a data channel", |world| {
        world.participants.values().all(|p| p.channel_open)
    });
    world.of("anna").publish(Media::Sound, "mic-a");
    world.of("ben").publish(Media::Sound, "mic-b");
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(picture, "screen-a");
    world.until("everything arrives", |world| {
        heard(world, "ben", "anna", TrackType::Voice) > 10
            && heard(world, "anna", "ben", TrackType::Voice) > 10
            && heard(world, "carl", "anna", TrackType::Screen) > 10
    });
    world
}

fn heard(world: &mut World, who: &str, whom: &str, kind: TrackType) -> usize {
    world.of(who).heard_of(whom, kind).len()
}

/// How many packets of a voice arrive in this time.
fn voice(world: &mut World, who: &str, whom: &str, time: Duration) -> usize {
    let before = heard(world, who, whom, TrackType::Voice);
    world.run(time);
    heard(world, who, whom, TrackType::Voice) - before
}

/// The longest time without a new picture since then.
fn longest_freeze(world: &mut World, who: &str, since: Instant) -> Duration {
    let now = world.now;
    let mut shown = world.of(who).shown_of("anna", TrackType::Screen);
    shown.retain(|at| *at >= since);
    shown.insert(0, since);
    shown.push(now);
    shown
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .expect("two moments")
}

/// Everything is well again within two seconds.
fn recovers(world: &mut World) {
    world.network.heal();
    world.run(2 * SECOND);
    let well = world.now;
    for (who, whom) in [("ben", "anna"), ("anna", "ben"), ("carl", "anna")] {
        let arrived = voice(world, who, whom, SECOND);
        assert!(
            (48..=52).contains(&arrived),
            "{who} gets {arrived} packets of {whom}'s voice"
        );
    }
    for viewer in ["ben", "carl"] {
        let freeze = longest_freeze(world, viewer, well);
        assert!(freeze < SECOND / 5, "{viewer} is frozen for {freeze:?}");
    }
    assert!(world.closed.is_empty(), "{:?}", world.closed);
}

/// What must hold for every stream that left a shard, whatever happened.
///
/// `in_order`: nothing was mixed up or repaired on the way in, so nothing may be on the way out.
fn numbers_are_sound(world: &World, in_order: bool) {
    let wire = world.wire.as_ref().expect("kept");
    for name in world.participants.keys() {
        for (ssrc, sent) in wire.to(name) {
            let what = format!("stream {ssrc} to {name}");
            let mut first: Vec<_> = sent.iter().filter(|sent| !sent.repeated).collect();
            let is_audio = first.iter().any(|sent| sent.payload_type == OPUS);
            assert!(
                !is_audio || first.len() == sent.len(),
                "{what}: a voice is sent twice"
            );
            if in_order && is_audio {
                let ordered = first.windows(2).all(|pair| pair[0].seq_no < pair[1].seq_no);
                assert!(ordered, "{what}: numbers go back");
            }
            first.sort_by_key(|sent| sent.seq_no);
            for pair in first.windows(2) {
                assert!(
                    pair[0].seq_no < pair[1].seq_no,
                    "{what}: {} stands for two packets",
                    pair[0].seq_no
                );
                // A stream of repairs carries the timestamps of what it repairs.
                let is_media = [OPUS, VP8].contains(&pair[0].payload_type);
                let ahead = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
                assert!(
                    !is_media || ahead < 1 << 31,
                    "{what}: time goes back from {:?} to {:?}",
                    pair[0],
                    pair[1]
                );
            }
        }
    }
}

#[test]
fn loss_takes_its_share_of_a_voice_and_no_more() {
    let cases = [(1, 1), (5, 2), (10, 3), (20, 4), (30, 5)];
    for (percent, seed) in cases {
        let mut world = call(seed, Media::Picture);
        for name in ["anna", "ben", "carl"] {
            world.network.both(name, &Path::lossy(percent));
        }
        let expected = 500 * (100 - percent) * (100 - percent) / 10_000;
        let arrived = voice(&mut world, "ben", "anna", 10 * SECOND) as u64;
        assert!(
            arrived.abs_diff(expected) <= 45,
            "{percent} % each way: {arrived} packets, {expected} expected"
        );
        recovers(&mut world);
        numbers_are_sound(&world, false);
    }
}

#[test]
fn a_viewer_is_not_frozen_for_long_while_packets_are_lost() {
    for (percent, most) in [(1, 600), (5, 1500), (10, 2500)] {
        let mut world = call(percent, Media::Picture);
        for name in ["anna", "carl"] {
            world.network.both(name, &Path::lossy(percent));
        }
        let began = world.now;
        world.run(15 * SECOND);
        let freeze = longest_freeze(&mut world, "carl", began);
        assert!(
            freeze < Duration::from_millis(most),
            "{percent} % each way: frozen for {freeze:?}"
        );
        recovers(&mut world);
        numbers_are_sound(&world, false);
    }
}

#[test]
fn packets_that_are_doubled_late_and_lost_are_heard_once() {
    for seed in 0..4 {
        let mut world = call(seed, Media::Picture);
        for name in ["anna", "ben", "carl"] {
            world.network.both(name, &Path::rough());
        }
        world.run(10 * SECOND);
        for (who, whom) in [("ben", "anna"), ("carl", "ben")] {
            let mut numbers: Vec<u64> = world
                .of(who)
                .heard_of(whom, TrackType::Voice)
                .iter()
                .map(|heard| heard.seq_no)
                .collect();
            let all = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all, "{who} hears a packet of {whom} twice");
            assert!(all > 400, "{who} hears {all} packets of {whom}");
        }
        recovers(&mut world);
        numbers_are_sound(&world, false);
    }
}

#[test]
fn bursts_pass() {
    for (length, seed) in [(100, 1), (400, 2), (1500, 3)] {
        let mut world = call(seed, Media::Picture);
        let path = Path {
            bursts: Some((4 * SECOND, Duration::from_millis(length))),
            ..Path::default()
        };
        world.network.both("anna", &path);
        world.network.both("carl", &path);
        let began = world.now;
        world.run(12 * SECOND);
        let freeze = longest_freeze(&mut world, "carl", began);
        // The burst, the wait for repairs, and a keyframe that was asked for once a second at most.
        let most = Duration::from_millis(length) + 2 * SECOND;
        assert!(
            freeze < most,
            "bursts of {length} ms: frozen for {freeze:?}"
        );
        recovers(&mut world);
        numbers_are_sound(&world, false);
    }
}

#[test]
fn one_way_may_be_cut_for_a_while() {
    for upwards in [true, false] {
        let mut world = call(7, Media::Picture);
        let path = if upwards {
            world.network.up("anna")
        } else {
            world.network.down("anna")
        };
        path.cut = true;
        let others = voice(&mut world, "carl", "ben", 8 * SECOND);
        assert!(
            (398..=402).contains(&others),
            "the others: {others} packets"
        );
        world.network.heal();
        world.run(3 * SECOND);
        recovers(&mut world);
        numbers_are_sound(&world, upwards);
    }
}

#[test]
fn a_participant_whose_address_changes_stays_in_the_call() {
    let mut world = call(8, Media::Picture);
    for name in ["anna", "ben", "carl", "anna"] {
        world.rebind(name);
        // What it sends arrives with its next check.
        world.run(SECOND);
        let sent = voice(&mut world, "ben", "anna", SECOND);
        assert!(
            name != "anna" || sent >= 49,
            "{sent} packets from a new address"
        );
        world.run(MOVES_WITHIN);
        for (who, whom) in [("anna", "ben"), ("ben", "anna"), ("carl", "anna")] {
            let arrived = voice(&mut world, who, whom, SECOND);
            assert!(
                arrived >= 49,
                "{name} moved: {who} gets {arrived} of {whom}"
            );
        }
    }
    recovers(&mut world);
    numbers_are_sound(&world, true);
}

#[test]
fn small_packets_are_enough() {
    let mut world = World::new(1);
    world.wire = Some(Wire::default());
    let names: Vec<String> = (0..16).map(|number| format!("p{number}")).collect();
    for name in &names {
        // IPv6 at its least MTU.
        let path = Path {
            mtu: 1280 - 48,
            ..Path::default()
        };
        world.network.both(name, &path);
        world.join(0, "call", name, Style::default());
    }
    world.until("everybody has a data channel", |world| {
        world.participants.values().all(|p| p.channel_open)
    });
    for name in &names {
        world.of(name).publish(Media::Sound, "mic");
    }
    // Descriptions of sixteen voices are many packets long.
    world.until("everybody hears everybody", |world| {
        names.iter().all(|who| {
            names
                .iter()
                .all(|whom| who == whom || heard(world, who, whom, TrackType::Voice) > 5)
        })
    });
    numbers_are_sound(&world, true);
}

#[test]
fn voices_that_come_and_go_leave_no_holes() {
    for seed in 0..3 {
        let mut random = Random::new(seed);
        let config = CoreConfig {
            max_speakers: 2,
            ..CoreConfig::default()
        };
        let mut world = World::with_config(1, &config);
        world.wire = Some(Wire::default());
        let names: Vec<String> = (0..6).map(|number| format!("p{number}")).collect();
        for name in &names {
            world.join(0, "call", name, Style::default());
        }
        world.until("everybody has a data channel", |world| {
            world.participants.values().all(|p| p.channel_open)
        });
        for name in &names {
            world.of(name).publish(Media::Sound, "mic");
        }
        for _ in 0..40 {
            // Silence, whispers and shouts, in no order.
            let name = &names[random.place(names.len())];
            world.of(name).audio_level = [-127, -127, -60, -40, -20, -5][random.place(6)];
            world.run(Duration::from_millis(100 + random.below(1200)));
        }
        numbers_are_sound(&world, true);
        let wire = world.wire.as_ref().expect("kept");
        let streams = names.iter().flat_map(|name| wire.to(name));
        let mut heard = 0;
        for (ssrc, sent) in streams {
            let voice: Vec<_> = sent.iter().filter(|s| s.payload_type == OPUS).collect();
            heard += voice.len();
            let hole = voice
                .windows(2)
                .find(|two| two[1].seq_no != two[0].seq_no + 1);
            assert!(hole.is_none(), "a hole in stream {ssrc}: {hole:?}");
        }
        assert!(heard > 5000, "{heard} packets");
    }
}

/// One of the things people do, or networks do to them.
fn something_happens(world: &mut World, random: &mut Random, muted: &mut bool, shown: &mut bool) {
    match random.below(6) {
        0 => {
            *muted = !*muted;
            let kind = if *muted {
                RtcKind::Mute
            } else {
                RtcKind::Unmute
            };
            world.control("anna", kind, "");
        }
        1 => {
            let ratio = if random.chance(50) { 0.0 } else { 0.2 };
            world.of("carl").send(ChannelMessage::LossRate(ratio));
        }
        2 => {
            let ratio = if random.chance(50) { 0.0 } else { 0.2 };
            world.of("ben").send(ChannelMessage::LossRate(ratio));
        }
        3 => {
            *shown = !*shown;
            let now = world.now;
            // Fed again it goes on with its numbers; what was not sent is no loss.
            world.of("anna").feed(1, *shown, now);
        }
        4 => world.rebind("carl"),
        _ => world.network.both("carl", &Path::lossy(random.below(8))),
    }
}

#[test]
fn numbers_are_sound_whatever_is_muted_switched_and_moved() {
    // On one shard, and behind a link.
    for seed in 0..5 {
        let mut random = Random::new(seed);
        let places = if seed < 3 { [0, 0, 0] } else { [0, 1, 1] };
        let mut world = on_shards(places, seed, Media::Layers);
        let (mut muted, mut shown) = (false, true);
        for _ in 0..60 {
            something_happens(&mut world, &mut random, &mut muted, &mut shown);
            world.run(Duration::from_millis(20 + random.below(1500)));
        }
        world.network.heal();
        if muted {
            world.control("anna", RtcKind::Unmute, "");
        }
        let now = world.now;
        world.of("anna").feed(1, true, now);
        world.run(MOVES_WITHIN);
        recovers(&mut world);
        numbers_are_sound(&world, true);
    }
}
