//! Negotiation: the lock, unanswered offers, nonsense, other people's names.

use std::time::Duration;

use harness::world::{Media, Style, World, group, key};
use proptest::prelude::*;
use proto::id::GroupId;
use proto::rtcd::{ChannelMessage, RtcKind, SdpKind, SessionDescription, TrackType};
use rtcd_core::{
    CloseReason, Description, DescriptionKind, DropReason, ErrorKind, Input, Request, SessionKey,
    Transport,
};

const SECOND: Duration = Duration::from_secs(1);

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
fn the_server_waits_while_a_participant_holds_the_lock() {
    let mut world = with(&["anna", "bert"]);
    // Bert takes the lock and wants nothing with it.
    world.of("bert").send(ChannelMessage::Lock);
    world.run(SECOND / 4);
    assert_eq!(world.of("bert").lock_results, [true]);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.run(3 * SECOND);
    assert_eq!(world.of("bert").offers_received, 0);
    world.of("bert").send(ChannelMessage::Lock);
    world.run(SECOND / 4);
    assert_eq!(world.of("bert").lock_results, [true, false], "it is taken");
    world.of("bert").send(ChannelMessage::Unlock);
    world.until("bert hears anna", |world| hears(world, "bert", "anna") > 5);
    // An unlock of what is free is harmless.
    world.of("bert").send(ChannelMessage::Unlock);
    world.run(SECOND);
    assert!(hears(&mut world, "bert", "anna") > 40);
}

#[test]
fn a_lock_that_is_never_released_is_taken_away() {
    let mut world = with(&["anna", "bert"]);
    world.of("bert").send(ChannelMessage::Lock);
    world.run(SECOND / 4);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.run(11 * SECOND);
    assert_eq!(world.of("bert").offers_received, 0);
    world.run(2 * SECOND);
    assert!(hears(&mut world, "bert", "anna") > 5);
    let counters = &world.shards[0].counters().groups[&group()];
    assert_eq!(counters.errors(ErrorKind::SignallingLockTimeout), 1);
}

#[test]
fn an_unlock_does_not_free_the_servers_hold() {
    let mut world = World::new(1);
    world.join(0, "call", "anna", Style::default());
    world.join(
        0,
        "call",
        "deaf",
        Style {
            answers: false,
            ..Style::default()
        },
    );
    world.until("both are there", |world| {
        world
            .participants
            .values()
            .all(|participant| participant.channel_open)
    });
    world.of("anna").publish(Media::Sound, "mic-a");
    world.until("the deaf one is offered it", |world| {
        world.of("deaf").offers_received == 1
    });
    world.of("deaf").send(ChannelMessage::Unlock);
    world.of("deaf").send(ChannelMessage::Lock);
    world.run(SECOND);
    assert_eq!(world.of("deaf").lock_results, [false]);
    // After ten seconds without an answer the lock is free, and the offer comes again.
    world.run(12 * SECOND);
    assert_eq!(world.of("deaf").offers_received, 2);
    assert_eq!(world.closed, [], "not answering closes nothing");
    assert!(world.shards[0].counters().groups[&group()].errors(ErrorKind::Signalling) >= 1);
}

#[test]
fn a_bad_first_offer_closes_and_a_bad_later_one_does_not() {
    let mut world = with(&["anna", "bert"]);
    world.control("anna", RtcKind::Sdp, r#"{"type":"offer","sdp":"nonsense"}"#);
    world.control("anna", RtcKind::Sdp, "{");
    world.run(SECOND);
    assert_eq!(world.closed, []);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.until("bert hears anna", |world| hears(world, "bert", "anna") > 5);
    let request = rtcd_core::JoinRequest {
        key: key("newcomer"),
        call: proto::id::CallId::parse("call").unwrap(),
        user: proto::id::UserId::parse("u").unwrap(),
        channel: None,
        av1_support: false,
        dialect: rtcd_core::Dialect::Calls {
            offers_over_channel: true,
        },
        candidates: None,
    };
    world.input(0, Input::Join(request));
    let request = Request::Describe(Description {
        kind: DescriptionKind::Offer,
        sdp: "nonsense".to_owned(),
    });
    world.input(
        0,
        Input::Control {
            key: key("newcomer"),
            request,
        },
    );
    assert_eq!(
        world.closed,
        [("newcomer".to_owned(), CloseReason::BadFirstOffer)]
    );
}

#[test]
fn another_tenant_cannot_name_a_session() {
    let mut world = with(&["anna", "bert"]);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.until("bert hears anna", |world| hears(world, "bert", "anna") > 5);
    let stranger = SessionKey {
        group: GroupId::parse("strangers").unwrap(),
        session: key("anna").session,
    };
    world.input(
        0,
        Input::Control {
            key: stranger.clone(),
            request: Request::Mute(true),
        },
    );
    world.input(0, Input::Leave(stranger));
    let before = hears(&mut world, "bert", "anna");
    world.run(SECOND);
    assert!(hears(&mut world, "bert", "anna") > before + 40);
    assert_eq!(
        world.shards[0]
            .counters()
            .dropped(DropReason::UnknownSession),
        1
    );
    assert_eq!(world.closed, []);
}

#[test]
fn unreadable_data_channel_messages_are_ignored() {
    let mut world = with(&["anna"]);
    let pongs = world.of("anna").pongs;
    for number in [0, 10, 255] {
        world.of("anna").send(ChannelMessage::Unknown(number));
    }
    world.of("anna").send(ChannelMessage::LegacyPing);
    world.run(2 * SECOND);
    assert!(world.of("anna").pongs > pongs + 1);
    assert_eq!(
        world.shards[0].counters().dropped(DropReason::BadMessage),
        3
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_disturb_nobody(
        packets in prop::collection::vec(
            (0u8..4, prop::collection::vec(any::<u8>(), 0..300)), 100..200),
    ) {
        let mut world = with(&["anna", "bert"]);
        world.of("anna").publish(Media::Sound, "mic-a");
        world.until("bert hears anna", |world| hears(world, "bert", "anna") > 5);
        let anna = world.of("anna").address;
        let destination = harness::world::shard_address(0);
        for (kind, bytes) in &packets {
            match kind {
                // From nowhere, and from anna's own address.
                0 | 1 => {
                    let source = if *kind == 0 { "9.9.9.9:9".parse().unwrap() } else { anna };
                    let transport = Transport::Udp;
                    let contents = bytes.as_slice();
                    world.input(0, Input::Datagram { transport, source, destination, contents });
                }
                2 => {
                    let kinds = [RtcKind::Ice, RtcKind::Sdp, RtcKind::ScreenOn, RtcKind::VideoOn];
                    let kind = kinds[bytes.len() % 4];
                    if let Some(request) = harness::world::request(kind, bytes) {
                        world.input(0, Input::Control { key: key("bert"), request });
                    }
                }
                _ => {
                    world.input(0, Input::TcpClosed { source: "9.9.9.9:9".parse().unwrap() });
                }
            }
        }
        let before = hears(&mut world, "bert", "anna");
        world.run(SECOND);
        prop_assert!(hears(&mut world, "bert", "anna") > before + 40);
        prop_assert_eq!(world.shards[0].counters().panics, 0);
    }
}

#[test]
fn an_offer_of_very_many_lines_is_refused() {
    let mut world = World::new(1);
    world.join(0, "call", "anna", Style::default());
    world.until("anna is connected", |world| world.of("anna").channel_open);
    let lines = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:x\r\na=sendrecv\r\n".repeat(40);
    let offer = format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{lines}");
    let data = SessionDescription {
        kind: SdpKind::Offer,
        sdp: offer,
    };
    let answers = world.of("anna").signals.len();
    world.control("anna", RtcKind::Sdp, &data.to_json());
    world.run(SECOND);
    assert_eq!(world.of("anna").signals.len(), answers, "not answered");
    assert!(world.closed.is_empty(), "and the call goes on");
    let group = &world.shards[0].counters().groups[&harness::world::group()];
    assert_eq!(group.errors(ErrorKind::Signalling), 1);
}
