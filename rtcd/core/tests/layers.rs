//! Simulcast layers that come and go, on one shard and over a link: nobody is left with a still.

use std::time::{Duration, Instant};

use harness::world::{Media, Style, World, call};
use proto::rtcd::{ChannelMessage, RtcKind, TrackType};
use rtcd_core::{Layer, LinkMessage};

const SECOND: Duration = Duration::from_secs(1);
const SCREEN_ON: &str = r#"{"screenStreamID":"screen-a"}"#;
/// Positions among the layers of `Media::Layers`.
const LOW: u8 = 0;
const HIGH: u8 = 1;

/// Anna shows a screen in two layers; Ben looks on on her shard, Carl on the last one. Both have
/// said that they lose nothing, and are sent the high layer.
fn showing(shards: usize) -> World {
    let style = Style {
        // Viewers say themselves how their network is.
        tells_arrivals: false,
        ..Style::default()
    };
    let mut world = World::new(shards);
    for (shard, name) in [(0, "anna"), (0, "ben"), (shards - 1, "carl")] {
        world.join(shard, "call", name, style);
    }
    if shards > 1 {
        world.link(&call("call"), 0, shards - 1);
    }
    world.until("everybody has a data channel", |world| {
        world.participants.values().all(|p| p.channel_open)
    });
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Layers, "screen-a");
    for viewer in ["ben", "carl"] {
        world.until("it is seen", |world| layer(world, viewer) == Some(LOW));
    }
    world.run(SECOND);
    for viewer in ["ben", "carl"] {
        world.of(viewer).send(ChannelMessage::LossRate(0.0));
        world.until("the high layer is seen", |world| {
            layer(world, viewer) == Some(HIGH)
        });
    }
    world.run(2 * SECOND);
    world
}

/// The layer of the packet that came last.
fn layer(world: &mut World, viewer: &str) -> Option<u8> {
    let seen = world.of(viewer).heard_of("anna", TrackType::Screen);
    seen.last()?.payload.last().copied()
}

/// The longest time without a new picture since then.
fn longest_freeze(world: &mut World, viewer: &str, since: Instant) -> Duration {
    let now = world.now;
    let mut shown = world.of(viewer).shown_of("anna", TrackType::Screen);
    shown.retain(|at| *at >= since);
    shown.insert(0, since);
    shown.push(now);
    let pauses = shown.iter().zip(shown.iter().skip(1)).map(|(a, b)| *b - *a);
    pauses.max().expect("two moments")
}

fn crossing(world: &World, wanted: Layer) -> usize {
    let log = world.link_log.iter();
    log.filter(|message| matches!(message, LinkMessage::Rtp { layer, .. } if *layer == wanted))
        .count()
}

#[test]
fn viewers_go_on_with_the_low_layer_when_the_high_one_ends_and_return() {
    for shards in [1, 2] {
        let mut world = showing(shards);
        for round in 0..3 {
            let began = world.now;
            world.of("anna").feed_layer(0, HIGH, false);
            world.run(3 * SECOND);
            for viewer in ["ben", "carl"] {
                let freeze = longest_freeze(&mut world, viewer, began);
                assert!(
                    freeze < SECOND,
                    "{shards} shards, round {round}: {viewer} looks at a still for {freeze:?}"
                );
                assert_eq!(layer(&mut world, viewer), Some(LOW));
            }
            let began = world.now;
            world.of("anna").feed_layer(0, HIGH, true);
            world.run(3 * SECOND);
            for viewer in ["ben", "carl"] {
                let freeze = longest_freeze(&mut world, viewer, began);
                assert!(freeze < SECOND / 5, "{viewer}: {freeze:?} on the way back");
                assert_eq!(layer(&mut world, viewer), Some(HIGH), "{viewer} is back");
            }
        }
        assert_eq!(world.of("carl").offers_received, 1, "nothing is negotiated");
    }
}

#[test]
fn viewers_of_the_low_layer_get_the_high_one_when_theirs_ends() {
    for shards in [1, 2] {
        let mut world = showing(shards);
        for viewer in ["ben", "carl"] {
            world.of(viewer).send(ChannelMessage::LossRate(0.3));
        }
        world.run(2 * SECOND);
        assert_eq!(layer(&mut world, "carl"), Some(LOW));
        let began = world.now;
        world.of("anna").feed_layer(0, LOW, false);
        world.run(3 * SECOND);
        for viewer in ["ben", "carl"] {
            let freeze = longest_freeze(&mut world, viewer, began);
            assert!(freeze < 2 * SECOND, "{viewer}: {freeze:?}");
            assert_eq!(layer(&mut world, viewer), Some(HIGH));
        }
    }
}

#[test]
fn only_layers_that_somebody_needs_cross_a_link() {
    let mut world = showing(2);
    let (low, high) = (crossing(&world, Layer::LOW), crossing(&world, Layer::HIGH));
    world.run(SECOND);
    assert_eq!(crossing(&world, Layer::LOW), low, "nobody there needs it");
    assert!(crossing(&world, Layer::HIGH) > high + 40);
    // Somebody who needs the low one joins there: both cross, each once.
    let silent = Style {
        tells_arrivals: false,
        ..Style::default()
    };
    world.join(1, "call", "dora", silent);
    world.until("dora sees it", |world| layer(world, "dora") == Some(LOW));
    world.run(SECOND);
    let (low, high) = (crossing(&world, Layer::LOW), crossing(&world, Layer::HIGH));
    world.run(SECOND);
    assert!((45..=55).contains(&(crossing(&world, Layer::LOW) - low)));
    assert!((45..=55).contains(&(crossing(&world, Layer::HIGH) - high)));
    assert_eq!(layer(&mut world, "carl"), Some(HIGH), "carl keeps his");
}

#[test]
fn a_still_screen_does_not_lose_its_layers() {
    let mut world = showing(1);
    let requests = world.of("anna").keyframe_requests.len();
    // One picture a second of both, as browsers send of what does not change.
    for _ in 0..5 {
        world.of("anna").feed_layer(0, LOW, false);
        world.of("anna").feed_layer(0, HIGH, false);
        world.run(SECOND);
        world.of("anna").feed_layer(0, LOW, true);
        world.of("anna").feed_layer(0, HIGH, true);
        world.run(Duration::from_millis(20));
        assert_eq!(layer(&mut world, "ben"), Some(HIGH));
    }
    assert_eq!(world.of("anna").keyframe_requests.len(), requests);
}
