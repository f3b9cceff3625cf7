//! Two legs of one call joined by a link: everybody hears and sees everybody, nothing echoes.

use std::time::Duration;

use harness::world::{Media, Style, World, call};
use proto::rtcd::{RtcKind, TrackType, parse_track_id};
use rtcd_core::LinkMessage;

const SECOND: Duration = Duration::from_secs(1);

/// Each of these people on a shard of its own, all legs linked with each other.
fn apart(names: &[&str]) -> World {
    let mut world = World::new(names.len());
    for (shard, name) in names.iter().enumerate() {
        world.join(shard, "call", name, Style::default());
    }
    for one in 0..names.len() {
        for other in one + 1..names.len() {
            world.link(&call("call"), one, other);
        }
    }
    world.until("everybody has a data channel", |world| {
        world
            .participants
            .values()
            .all(|participant| participant.channel_open)
    });
    world
}

fn gets(world: &mut World, receiver: &str, sender: &str, kind: TrackType) -> usize {
    world.of(receiver).heard_of(sender, kind).len()
}

#[test]
fn sound_and_screen_cross_a_link_and_keyframe_requests_come_back() {
    let mut world = apart(&["anna", "bert"]);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.of("bert").publish(Media::Sound, "mic-b");
    world.control(
        "anna",
        RtcKind::ScreenOn,
        r#"{"screenStreamID":"screen-a"}"#,
    );
    world.of("anna").publish(Media::Picture, "screen-a");
    world.until("everything crosses", |world| {
        gets(world, "bert", "anna", TrackType::Voice) > 20
            && gets(world, "anna", "bert", TrackType::Voice) > 20
            && gets(world, "bert", "anna", TrackType::Screen) > 20
    });
    // Tracks name the person, not the link.
    for (_, stream, track) in &world.of("bert").announced {
        assert_eq!(stream, "anna");
        assert_eq!(parse_track_id(track).unwrap().1.as_str(), "anna");
    }
    let requests = world.of("anna").keyframe_requests.len();
    assert!(requests >= 1, "bert's subscription asked for a keyframe");
    world.join(1, "call", "carl", Style::default());
    world.until("carl sees anna's screen", |world| {
        gets(world, "carl", "anna", TrackType::Screen) > 20
    });
    world.run(2 * SECOND);
    assert!(world.of("anna").keyframe_requests.len() > requests);
    // Media crosses once, however many listen.
    let crossed = |world: &World| {
        world
            .link_log
            .iter()
            .filter(|m| matches!(m, LinkMessage::Rtp { .. }))
            .count()
    };
    let before = crossed(&world);
    world.run(SECOND);
    let per_second = crossed(&world) - before;
    assert!(
        (140..=160).contains(&per_second),
        "three tracks of 50: {per_second}"
    );
}

#[test]
fn a_voice_muted_at_home_is_silent_everywhere_and_without_a_hole() {
    let mut world = apart(&["anna", "bert"]);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.until("bert hears", |world| {
        gets(world, "bert", "anna", TrackType::Voice) > 20
    });
    world.control("anna", RtcKind::Mute, "");
    world.run(SECOND);
    world.control("anna", RtcKind::Unmute, "");
    let before = gets(&mut world, "bert", "anna", TrackType::Voice);
    world.until("bert hears again", |world| {
        gets(world, "bert", "anna", TrackType::Voice) > before + 20
    });
    let numbers: Vec<u64> = world
        .of("bert")
        .heard_of("anna", TrackType::Voice)
        .iter()
        .map(|heard| heard.seq_no)
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
}

#[test]
fn three_legs_do_not_echo() {
    let mut world = apart(&["anna", "bert", "carl"]);
    for name in ["anna", "bert", "carl"] {
        world.of(name).publish(Media::Sound, "mic");
    }
    world.until("everybody hears everybody", |world| {
        ["anna", "bert", "carl"].iter().all(|listener| {
            ["anna", "bert", "carl"].iter().all(|speaker| {
                listener == speaker || gets(world, listener, speaker, TrackType::Voice) > 20
            })
        })
    });
    let before = world.link_log.len();
    world.run(SECOND);
    let per_second = world.link_log.len() - before;
    assert!(
        (280..=320).contains(&per_second),
        "three voices over two links each: {per_second}"
    );
    let anna = world.of("anna");
    let mut owners: Vec<_> = anna
        .media_map
        .values()
        .map(|entry| entry.sender.clone())
        .collect();
    owners.sort();
    assert_eq!(owners, ["bert", "carl"], "everybody once");
}

#[test]
fn whichever_end_of_a_link_is_there_first_nobody_is_unheard() {
    for (one, other) in [(0, 1), (1, 0)] {
        let mut world = World::new(2);
        for (shard, name) in [(0, "anna"), (1, "bert")] {
            world.join(shard, "call", name, Style::default());
        }
        world.until("everybody has a data channel", |world| {
            world.participants.values().all(|p| p.channel_open)
        });
        world.of("anna").publish(Media::Sound, "mic-a");
        world.of("bert").publish(Media::Sound, "mic-b");
        world.run(SECOND);
        // What one end says before the other is there is lost.
        world.link_after(&call("call"), one, other, SECOND);
        world.until("both hear each other", |world| {
            gets(world, "bert", "anna", TrackType::Voice) > 20
                && gets(world, "anna", "bert", TrackType::Voice) > 20
        });
        // A leg that was lost with its links, and is linked anew.
        world.unlink(&call("call"), 0, 1);
        world.run(SECOND);
        world.link_after(&call("call"), other, one, SECOND);
        let before = gets(&mut world, "anna", "bert", TrackType::Voice);
        world.until("and again", |world| {
            gets(world, "anna", "bert", TrackType::Voice) > before + 20
        });
    }
}

#[test]
fn tracks_end_with_their_publisher_and_with_their_link() {
    let mut world = apart(&["anna", "bert"]);
    world.control(
        "anna",
        RtcKind::ScreenOn,
        r#"{"screenStreamID":"screen-a"}"#,
    );
    world.of("anna").publish(Media::Picture, "screen-a");
    world.until("bert sees it", |world| {
        gets(world, "bert", "anna", TrackType::Screen) > 5
    });
    world.leave("anna");
    world.until("it is gone", |world| world.of("bert").media_map.is_empty());
    world.join(0, "call", "dora", Style::default());
    world.until("dora is there", |world| world.of("dora").channel_open);
    world.control(
        "dora",
        RtcKind::ScreenOn,
        r#"{"screenStreamID":"screen-d"}"#,
    );
    world.of("dora").publish(Media::Picture, "screen-d");
    world.until("bert sees dora's", |world| {
        gets(world, "bert", "dora", TrackType::Screen) > 5
    });
    world.unlink(&call("call"), 0, 1);
    world.until("it is gone too", |world| {
        world.of("bert").media_map.is_empty()
    });
    // A link made later finds what is published already.
    world.link(&call("call"), 0, 1);
    let before = gets(&mut world, "bert", "dora", TrackType::Screen);
    world.until("bert sees it again", |world| {
        gets(world, "bert", "dora", TrackType::Screen) > before + 5
    });
}

#[test]
fn what_a_link_loses_of_a_screen_is_repeated_and_of_a_voice_it_is_not() {
    let mut world = apart(&["anna", "bert"]);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.control(
        "anna",
        RtcKind::ScreenOn,
        r#"{"screenStreamID":"screen-a"}"#,
    );
    world.of("anna").publish(Media::Picture, "screen-a");
    world.until("everything crosses", |world| {
        gets(world, "bert", "anna", TrackType::Voice) > 20
            && gets(world, "bert", "anna", TrackType::Screen) > 20
    });
    // One packet in ten of each, the first time it is sent.
    let mut lost = std::collections::BTreeSet::new();
    world.lose_linked = Some(Box::new(move |message| {
        let LinkMessage::Rtp { track, packet, .. } = message else {
            return false;
        };
        packet.seq_no % 10 == 3 && lost.insert((track.number, packet.seq_no))
    }));
    let begin = world.link_log.len();
    let requests = world.of("anna").keyframe_requests.len();
    world.run(4 * SECOND);
    world.lose_linked = None;
    world.run(SECOND / 2);
    let holes = |world: &mut World, kind| {
        let heard = world.of("bert").heard_of("anna", kind);
        let numbers: std::collections::BTreeSet<u64> =
            heard.iter().map(|heard| heard.seq_no).collect();
        let all = numbers.last().unwrap() - numbers.first().unwrap() + 1;
        all - u64::try_from(numbers.len()).unwrap()
    };
    assert_eq!(holes(&mut world, TrackType::Screen), 0);
    assert!(
        holes(&mut world, TrackType::Voice) > 5,
        "it would come too late"
    );
    let asked = world.link_log.iter().skip(begin);
    let asked = asked.filter(|message| matches!(message, LinkMessage::Missing { .. }));
    let asked = asked.count();
    assert!((10..=40).contains(&asked), "{asked} of about 20");
    let requests = world.of("anna").keyframe_requests.len() - requests;
    assert!(requests <= 1, "{requests} keyframes for single packets");
}
