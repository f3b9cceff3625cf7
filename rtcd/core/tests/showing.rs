//! People show things: screens and cameras are told apart, repaired, and refreshed by keyframes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harness::world::{Media, Path, Style, World};
use proto::rtcd::{ChannelMessage, RtcKind, TrackType};
use rtcd_core::{Codec, TrackDirection};

const SECOND: Duration = Duration::from_secs(1);
const SCREEN_ON: &str = r#"{"screenStreamID":"screen-a"}"#;

fn with(names: &[&str]) -> World {
    with_style(names, Style::default())
}

fn with_style(names: &[&str], style: Style) -> World {
    let mut world = World::new(1);
    for name in names {
        world.join(0, "call", name, style);
    }
    world.until("everybody has a data channel", |world| {
        world
            .participants
            .values()
            .all(|participant| participant.channel_open)
    });
    world
}

fn sees(world: &mut World, viewer: &str, presenter: &str, kind: TrackType) -> usize {
    world.of(viewer).heard_of(presenter, kind).len()
}

#[test]
fn a_screen_with_its_sound_is_told_from_a_voice() {
    let mut world = with(&["anna", "bert"]);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.run(SECOND / 2);
    world.of("anna").publish(Media::Sound, "screen-a");
    world.of("anna").publish(Media::Picture, "screen-a");
    for kind in [TrackType::Voice, TrackType::Screen, TrackType::ScreenAudio] {
        world.until("bert gets everything", |world| {
            sees(world, "bert", "anna", kind) > 10
        });
    }
    let mut kinds: Vec<_> = world
        .of("bert")
        .media_map
        .values()
        .map(|entry| entry.kind)
        .collect();
    kinds.sort();
    assert_eq!(
        kinds,
        [TrackType::Voice, TrackType::Screen, TrackType::ScreenAudio]
    );
    // Muting the voice leaves the screen's sound alone.
    world.control("anna", RtcKind::Mute, "");
    world.run(SECOND / 2);
    let voice = sees(&mut world, "bert", "anna", TrackType::Voice);
    let sound = sees(&mut world, "bert", "anna", TrackType::ScreenAudio);
    world.run(SECOND);
    assert_eq!(sees(&mut world, "bert", "anna", TrackType::Voice), voice);
    assert!(sees(&mut world, "bert", "anna", TrackType::ScreenAudio) > sound + 30);
}

#[test]
fn a_screen_is_recognised_when_its_announcement_comes_late() {
    let mut world = with(&["anna", "bert"]);
    world
        .delay_control
        .insert(RtcKind::ScreenOn.number(), SECOND);
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Picture, "screen-a");
    world.of("anna").publish(Media::Sound, "screen-a");
    world.run(SECOND / 2);
    assert!(
        world.of("bert").media_map.is_empty(),
        "nobody knows yet what it is"
    );
    world.until("bert sees the screen", |world| {
        sees(world, "bert", "anna", TrackType::Screen) > 10
            && sees(world, "bert", "anna", TrackType::ScreenAudio) > 10
    });
}

#[test]
fn an_unannounced_video_is_never_shown_and_an_announced_camera_is() {
    let mut world = with(&["anna", "bert"]);
    world.of("anna").publish(Media::Picture, "camera-a");
    world.run(3 * SECOND);
    assert!(world.of("bert").media_map.is_empty());
    world.control("anna", RtcKind::VideoOn, r#"{"videoStreamID":"camera-a"}"#);
    world.until("bert sees anna", |world| {
        sees(world, "bert", "anna", TrackType::Video) > 10
    });
    // Off and on again keeps the track, whatever the new id.
    let offers = world.of("bert").offers_received;
    world.control("anna", RtcKind::VideoOff, "");
    world.control("anna", RtcKind::VideoOn, r#"{"videoStreamID":"another"}"#);
    let seen = sees(&mut world, "bert", "anna", TrackType::Video);
    world.run(SECOND);
    assert!(sees(&mut world, "bert", "anna", TrackType::Video) > seen + 20);
    assert_eq!(world.of("bert").offers_received, offers);
}

#[test]
fn a_screen_that_is_switched_off_is_withdrawn_and_can_be_shown_again() {
    let mut world = with(&["anna", "bert"]);
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    let screen = world.of("anna").publish(Media::Picture, "screen-a");
    world.until("bert sees it", |world| {
        sees(world, "bert", "anna", TrackType::Screen) > 10
    });
    world.of("anna").withdraw(screen);
    world.control("anna", RtcKind::ScreenOff, "");
    world.until("it is withdrawn", |world| {
        world.of("bert").media_map.is_empty()
    });
    let lines = world.of("bert").last_offer.matches("m=video").count();
    world.control(
        "anna",
        RtcKind::ScreenOn,
        r#"{"screenStreamID":"screen-2"}"#,
    );
    world.of("anna").publish(Media::Picture, "screen-2");
    world.until("bert sees the second", |world| {
        sees(world, "bert", "anna", TrackType::Screen) > 10
    });
    assert_eq!(
        world.of("bert").last_offer.matches("m=video").count(),
        lines,
        "line used again"
    );
}

#[test]
fn two_presenters_at_once_are_one() {
    let mut world = with(&["anna", "bert", "carl"]);
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Picture, "screen-a");
    world.until("carl sees anna's", |world| {
        sees(world, "carl", "anna", TrackType::Screen) > 5
    });
    world.control(
        "bert",
        RtcKind::ScreenOn,
        r#"{"screenStreamID":"screen-b"}"#,
    );
    world.of("bert").publish(Media::Picture, "screen-b");
    world.run(SECOND);
    assert_eq!(sees(&mut world, "carl", "bert", TrackType::Screen), 0);
    // When the first ends, the second is shown.
    world.control("anna", RtcKind::ScreenOff, "");
    world.control(
        "bert",
        RtcKind::ScreenOn,
        r#"{"screenStreamID":"screen-b"}"#,
    );
    world.until("carl sees bert's", |world| {
        sees(world, "carl", "bert", TrackType::Screen) > 5
    });
}

#[test]
fn lost_pictures_are_sent_again() {
    let mut world = with(&["anna", "bert"]);
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Picture, "screen-a");
    world.until("bert sees it", |world| {
        sees(world, "bert", "anna", TrackType::Screen) > 10
    });
    // Every 9th media packet is lost, on the way in and on the way out.
    let lost: &'static AtomicUsize = Box::leak(Box::default());
    let mut count = 0;
    world.lose = Some(Box::new(move |_, contents| {
        let is_media = contents
            .first()
            .is_some_and(|byte| (128..192).contains(byte))
            && contents
                .get(1)
                .is_some_and(|byte| !(192..=223).contains(byte));
        count += usize::from(is_media);
        let lose = is_media && count % 9 == 0;
        lost.fetch_add(usize::from(lose), Ordering::Relaxed);
        lose
    }));
    world.run(4 * SECOND);
    world.lose = None;
    world.run(SECOND);
    let mut numbers: Vec<u64> = world
        .of("bert")
        .heard_of("anna", TrackType::Screen)
        .iter()
        .map(|heard| heard.seq_no)
        .collect();
    numbers.sort_unstable();
    let (first, last) = (numbers[0], *numbers.last().unwrap());
    let missing = last - first + 1 - numbers.len() as u64;
    assert!(numbers.len() > 200);
    assert!(
        missing < 10,
        "{missing} of {} are missing",
        last - first + 1
    );
}

#[test]
fn many_viewers_cause_one_keyframe_request_a_second() {
    let mut world = with(&["anna"]);
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Picture, "screen-a");
    world.run(2 * SECOND);
    let before = world.of("anna").keyframe_requests.len();
    for number in 0..12 {
        world.join(0, "call", &format!("viewer{number}"), Style::default());
    }
    world.run(4 * SECOND);
    let requests = world.of("anna").keyframe_requests[before..].to_vec();
    assert!(!requests.is_empty(), "new viewers need a keyframe");
    assert!(requests.len() <= 3, "{requests:?}");
    assert!(requests.windows(2).all(|pair| pair[1] - pair[0] >= SECOND));
    for number in 0..12 {
        let name = format!("viewer{number}");
        let seen = world.of(&name).heard_of("anna", TrackType::Screen);
        let keyframe = |heard: &&harness::world::Heard| heard.payload[1] & 1 == 0;
        assert!(
            seen.into_iter().any(|heard| keyframe(&heard)),
            "{name} never got a keyframe"
        );
    }
}

#[test]
fn who_joins_a_layered_screen_late_gets_a_keyframe_of_the_layer_it_is_sent() {
    let mut world = with(&["anna", "bert"]);
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Layers, "screen-a");
    world.until("bert sees it", |world| {
        sees(world, "bert", "anna", TrackType::Screen) > 10
    });
    // Too little for the high layer, so that only a keyframe of the low one helps.
    world.join(0, "call", "carl", Style::default());
    *world.network.down("carl") = Path::narrow(300_000);
    world.run(3 * SECOND);
    let shown = world.of("carl").shown_of("anna", TrackType::Screen);
    assert!(shown.len() > 10, "carl was shown {} pictures", shown.len());
}

#[test]
fn a_viewer_with_a_good_link_is_moved_to_the_high_layer_without_a_break() {
    let mut world = with(&["anna", "bert"]);
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Layers, "screen-a");
    world.until("bert sees it", |world| {
        sees(world, "bert", "anna", TrackType::Screen) > 10
    });
    let layers = |world: &mut World| -> Vec<u8> {
        let seen = world.of("bert").heard_of("anna", TrackType::Screen);
        seen.iter()
            .map(|heard| *heard.payload.last().unwrap())
            .collect()
    };
    assert!(
        layers(&mut world).iter().all(|layer| *layer == 0),
        "the low layer first"
    );
    world.until("bert sees the high layer", |world| {
        layers(world).last() == Some(&1)
    });
    // High takes about 480 kbit/s, low 130.
    *world.network.down("bert") = Path::narrow(300_000);
    world.until("bert sees the low layer again", |world| {
        layers(world).last() == Some(&0)
    });
    world.run(2 * SECOND);
    let mut numbers: Vec<u64> = world
        .of("bert")
        .heard_of("anna", TrackType::Screen)
        .iter()
        .map(|heard| heard.seq_no)
        .collect();
    numbers.sort_unstable();
    assert!(
        numbers.windows(2).all(|pair| pair[1] > pair[0]),
        "{numbers:?}"
    );
    let last: Vec<u64> = numbers.iter().rev().take(60).copied().collect();
    assert!(
        last.windows(2).all(|pair| pair[0] == pair[1] + 1),
        "whole again with the low layer: {last:?}"
    );
    assert_eq!(
        world.of("bert").offers_received,
        1,
        "nothing is renegotiated"
    );
}

#[test]
fn a_viewer_without_transport_wide_feedback_is_moved_by_the_loss_it_reports() {
    let style = Style {
        tells_arrivals: false,
        ..Style::default()
    };
    let mut world = with_style(&["anna", "bert"], style);
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Layers, "screen-a");
    world.run(3 * SECOND);
    let last = |world: &mut World| {
        let seen = world.of("bert").heard_of("anna", TrackType::Screen);
        seen.last().and_then(|heard| heard.payload.last().copied())
    };
    assert_eq!(last(&mut world), Some(0), "the low layer first");
    world.of("bert").send(ChannelMessage::LossRate(0.0));
    world.until("bert sees the high layer", |world| last(world) == Some(1));
    world.of("bert").send(ChannelMessage::LossRate(0.3));
    world.until("bert sees the low layer again", |world| {
        last(world) == Some(0)
    });
}

#[test]
fn of_two_codecs_each_viewer_gets_the_better_one_it_knows() {
    let mut world = World::new(1);
    world.join(
        0,
        "call",
        "anna",
        Style {
            av1: true,
            ..Style::default()
        },
    );
    world.join(
        0,
        "call",
        "bert",
        Style {
            av1: true,
            ..Style::default()
        },
    );
    world.join(0, "call", "carl", Style::default());
    world.until("everybody is there", |world| {
        world
            .participants
            .values()
            .all(|participant| participant.channel_open)
    });
    world.control("anna", RtcKind::ScreenOn, SCREEN_ON);
    world.of("anna").publish(Media::Picture, "screen-a");
    world.of("anna").publish(Media::Av1Picture, "screen-a");
    world.until("both see it", |world| {
        sees(world, "bert", "anna", TrackType::Screen) > 20
            && sees(world, "carl", "anna", TrackType::Screen) > 20
    });
    world.run(SECOND);
    let group = &world.shards[0].counters().groups[&harness::world::group()];
    assert_eq!(group.tracks(TrackDirection::Out, Codec::Av1), 1);
    assert_eq!(group.tracks(TrackDirection::Out, Codec::Vp8), 1);
    for viewer in ["bert", "carl"] {
        assert_eq!(
            world.of(viewer).media_map.len(),
            1,
            "{viewer} has one screen"
        );
    }
}
