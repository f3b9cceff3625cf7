//! People talk: sound crosses, mutes leave no hole, late joiners hear everybody.

use std::time::Duration;

use harness::world::{Style, World};
use proto::rtcd::{RtcKind, TrackType, parse_track_id};

const SECOND: Duration = Duration::from_secs(1);

/// A world with these people in one call, all connected.
fn with(names: &[&str]) -> World {
    let mut world = World::new(1);
    for name in names {
        world.join(0, "call", name, Style::default());
    }
    world.until("everybody has a data channel", |world| {
        world
            .participants
            .values()
            .all(|participant| participant.channel_open)
    });
    world
}

fn hears(world: &mut World, listener: &str, speaker: &str) -> usize {
    world.of(listener).heard_of(speaker, TrackType::Voice).len()
}

#[test]
fn two_people_hear_each_other() {
    let mut world = with(&["anna", "bert"]);
    world.of("anna").publish(true, "mic-a");
    world.of("bert").publish(true, "mic-b");
    world.until("both hear the other", |world| {
        hears(world, "anna", "bert") > 50 && hears(world, "bert", "anna") > 50
    });
    let bert = world.of("bert");
    let (_, stream, track) = bert.announced.first().unwrap();
    assert_eq!(stream, "anna");
    let (kind, publisher) = parse_track_id(track).unwrap();
    assert_eq!((kind, publisher.as_str()), (TrackType::Voice, "anna"));
    assert!(
        bert.heard_of("anna", TrackType::Voice)[0]
            .payload
            .starts_with(b"opus")
    );
}
