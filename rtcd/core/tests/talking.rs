//! People talk: sound crosses, mutes leave no hole, late joiners hear everybody.

use std::time::Duration;

use harness::world::{Media, Style, World};
use proto::rtcd::{RtcKind, TrackType, parse_track_id};
use rtcd_core::{CloseReason, TrackDirection};

const SECOND: Duration = Duration::from_secs(1);

/// A world with these people in one call, all connected.
fn with(names: &[&str], style: Style) -> World {
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

fn hears(world: &mut World, listener: &str, speaker: &str) -> usize {
    world.of(listener).heard_of(speaker, TrackType::Voice).len()
}

/// Joining is a handful of round trips: nothing in it may wait for a retransmission or an idle
/// wake-up.
#[test]
fn joining_takes_a_few_round_trips() {
    let mut world = World::new(1);
    world.join(0, "call", "anna", Style::default());
    let began = world.now;
    world.until("anna has a data channel", |world| {
        world.participants["anna"].channel_open
    });
    let took = world.now - began;
    assert!(took < Duration::from_millis(600), "joining took {took:?}");
}

#[test]
fn two_people_hear_each_other() {
    let mut world = with(&["anna", "bert"], Style::default());
    world.of("anna").publish(Media::Sound, "mic-a");
    world.of("bert").publish(Media::Sound, "mic-b");
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
            .starts_with(b"op")
    );
    // Every packet arrived in order, none twice.
    let numbers: Vec<u64> = bert
        .heard_of("anna", TrackType::Voice)
        .iter()
        .map(|heard| heard.seq_no)
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    assert!(
        numbers[0] < 32_768,
        "a receiver's rollover counter starts at zero"
    );
    let group = &world.shards[0].counters().groups[&harness::world::group()];
    assert_eq!(group.sessions, 2);
    assert_eq!(group.tracks(TrackDirection::In, rtcd_core::Codec::Opus), 2);
    assert_eq!(group.tracks(TrackDirection::Out, rtcd_core::Codec::Opus), 2);
}

#[test]
fn clients_without_data_channel_signalling_talk_over_the_control_socket() {
    let style = Style {
        dc_signalling: false,
        ..Style::default()
    };
    let mut world = with(&["anna", "bert"], style);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.until("bert hears anna", |world| hears(world, "bert", "anna") > 20);
    let offers = world.of("bert").signals.iter();
    assert!(
        offers
            .filter(|message| message.kind == RtcKind::Sdp)
            .count()
            >= 2
    );
}

#[test]
fn a_muted_stretch_is_neither_heard_nor_missed() {
    let mut world = with(&["anna", "bert"], Style::default());
    world.of("anna").publish(Media::Sound, "mic-a");
    world.until("bert hears anna", |world| hears(world, "bert", "anna") > 20);
    world.control("anna", RtcKind::Mute, "");
    world.run(SECOND / 4);
    let before = hears(&mut world, "bert", "anna");
    let offers = world.of("bert").offers_received;
    world.run(SECOND);
    assert_eq!(
        hears(&mut world, "bert", "anna"),
        before,
        "the client feeds on, nobody hears"
    );
    world.control("anna", RtcKind::Unmute, "");
    world.until("bert hears anna again", |world| {
        hears(world, "bert", "anna") > before + 20
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
    assert_eq!(
        world.of("bert").offers_received,
        offers,
        "nothing is renegotiated"
    );
}

#[test]
fn a_late_joiner_is_offered_everybody_at_once() {
    let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = with(&names, Style::default());
    for name in &names {
        world.of(name).publish(Media::Sound, "mic");
    }
    world.until("everybody hears everybody", |world| {
        names.iter().all(|listener| {
            names
                .iter()
                .all(|speaker| listener == speaker || hears(world, listener, speaker) > 5)
        })
    });
    world.join(0, "call", "late", Style::default());
    world.until("the late one hears everybody", |world| {
        names
            .iter()
            .all(|speaker| hears(world, "late", speaker) > 5)
    });
    assert_eq!(world.of("late").offers_received, 1);
    assert_eq!(world.of("late").announced.len(), 8);
}

#[test]
fn leaving_closes_once_and_frees_the_lines_for_others() {
    let mut world = with(&["anna", "bert", "carl"], Style::default());
    world.of("anna").publish(Media::Sound, "mic-a");
    world.until("bert hears anna", |world| hears(world, "bert", "anna") > 5);
    world.leave("anna");
    world.leave("anna");
    assert_eq!(world.closed, [("anna".to_owned(), CloseReason::Left)]);
    assert_eq!(world.shards[0].sessions(), 2);
    world.run(SECOND);
    // The next voice comes with the withdrawal of the first; the one after uses its m-line again.
    world.of("carl").publish(Media::Sound, "mic-c");
    world.until("bert hears carl", |world| hears(world, "bert", "carl") > 5);
    let lines = world.of("bert").last_offer.matches("m=audio").count();
    world.join(0, "call", "dora", Style::default());
    world.until("dora is there", |world| world.of("dora").channel_open);
    world.of("dora").publish(Media::Sound, "mic-d");
    world.until("bert hears dora", |world| hears(world, "bert", "dora") > 5);
    assert_eq!(
        world.of("bert").last_offer.matches("m=audio").count(),
        lines
    );
    assert!(hears(&mut world, "bert", "carl") > 5);
    for name in ["bert", "carl", "dora"] {
        world.leave(name);
    }
    assert_eq!(world.closed.len(), 4);
    assert_eq!((world.shards[0].sessions(), world.shards[0].legs()), (0, 0));
    let group = &world.shards[0].counters().groups[&harness::world::group()];
    assert_eq!(group.sessions, 0);
    for direction in TrackDirection::ALL {
        assert_eq!(group.tracks(direction, rtcd_core::Codec::Opus), 0);
    }
}

#[test]
fn voice_activity_follows_the_levels_and_ends_with_every_mute() {
    let mut world = with(&["anna"], Style::default());
    world.control("anna", RtcKind::Mute, "");
    world.run(SECOND / 4);
    assert!(world.voices.is_empty(), "there is no voice to mute yet");
    world.of("anna").publish(Media::Sound, "mic-a");
    for turn in 0..100 {
        world.of("anna").audio_level = if turn % 2 == 0 { -20 } else { -90 };
        world.run(Duration::from_millis(60));
    }
    let on = ("anna".to_owned(), RtcKind::VoiceOn);
    let off = ("anna".to_owned(), RtcKind::VoiceOff);
    assert_eq!(world.voices, std::slice::from_ref(&on));
    world.run(3 * SECOND);
    assert_eq!(world.voices, [on.clone(), off.clone()]);
    world.control("anna", RtcKind::Mute, "");
    world.run(SECOND / 4);
    assert_eq!(world.voices, [on, off.clone(), off]);
}

#[test]
fn a_participant_that_vanishes_is_given_up() {
    let mut world = with(&["anna", "bert"], Style::default());
    world.lose = Some(Box::new(|_, _| true));
    world.run(60 * SECOND);
    let mut closed = world.closed.clone();
    closed.sort();
    let failed = CloseReason::IceFailed;
    assert_eq!(
        closed,
        [("anna".to_owned(), failed), ("bert".to_owned(), failed)]
    );
}

#[test]
fn a_duplicate_join_changes_nothing() {
    let mut world = with(&["anna"], Style::default());
    let request = rtcd_core::JoinRequest {
        key: harness::world::key("anna"),
        call: proto::id::CallId::parse("other").unwrap(),
        user: proto::id::UserId::parse("somebody").unwrap(),
        channel: None,
        av1_support: false,
        dialect: rtcd_core::Dialect::Calls {
            offers_over_channel: true,
        },
        candidates: None,
    };
    world.input(0, rtcd_core::Input::Join(request));
    assert_eq!((world.shards[0].sessions(), world.shards[0].legs()), (1, 1));
    world.run(2 * SECOND);
    assert!(world.of("anna").pongs > 1);
}

#[test]
fn a_participant_without_udp_talks_over_tcp() {
    let mut world = World::new(1);
    world.join(0, "call", "anna", Style::default());
    world.join(
        0,
        "call",
        "bert",
        Style {
            tcp: true,
            ..Style::default()
        },
    );
    world.until("both are there", |world| {
        world
            .participants
            .values()
            .all(|participant| participant.channel_open)
    });
    let tcp = world.of("bert").signals.iter().filter(|message| {
        message.kind == RtcKind::Ice
            && String::from_utf8_lossy(&message.data).contains("tcptype passive")
    });
    assert_eq!(tcp.count(), 1, "the passive candidate is told");
    world.of("anna").publish(Media::Sound, "mic-a");
    world.of("bert").publish(Media::Sound, "mic-b");
    world.until("both hear the other", |world| {
        hears(world, "anna", "bert") > 20 && hears(world, "bert", "anna") > 20
    });
}

#[test]
fn a_participant_that_cannot_connect_is_given_up_after_half_a_minute() {
    let mut world = World::new(1);
    world.lose = Some(Box::new(|_, _| true));
    world.join(0, "call", "anna", Style::default());
    world.run(29 * SECOND);
    assert_eq!(world.closed, []);
    world.run(3 * SECOND);
    assert_eq!(world.closed, [("anna".to_owned(), CloseReason::IceFailed)]);
}

#[test]
fn a_voice_may_come_back_on_the_line_another_goes_out_on() {
    let mut world = with(&["anna", "bert"], Style::default());
    world.of("anna").publish(Media::Sound, "mic-a");
    world.until("bert hears anna", |world| hears(world, "bert", "anna") > 5);
    let mid = world.of("bert").announced[0].0.clone();
    world.of("bert").publish_back(&mid);
    world.until("anna hears bert", |world| hears(world, "anna", "bert") > 20);
    let before = hears(&mut world, "bert", "anna");
    world.run(SECOND);
    assert!(
        hears(&mut world, "bert", "anna") > before + 40,
        "and still the other way"
    );
    // When anna leaves, bert is still heard by others.
    world.join(0, "call", "carl", Style::default());
    world.leave("anna");
    carl_and_bert_talk(&mut world);
}

/// Carl hears bert, speaks himself, and goes on hearing him.
fn carl_and_bert_talk(world: &mut World) {
    world.until("carl hears bert", |world| hears(world, "carl", "bert") > 20);
    world.of("carl").publish(Media::Sound, "mic-c");
    world.until("bert hears carl", |world| hears(world, "bert", "carl") > 20);
    let heard = hears(world, "carl", "bert");
    world.run(SECOND);
    assert!(hears(world, "carl", "bert") > heard + 40);
}

/// As the reference does it: one m-line less for everybody who speaks.
#[test]
fn the_first_voice_comes_back_on_the_line_of_the_own_microphone() {
    for dc_signalling in [true, false] {
        let style = Style {
            dc_signalling,
            ..Style::default()
        };
        let mut world = with(&["anna", "bert"], style);
        world.of("anna").publish(Media::Sound, "mic-a");
        world.of("bert").publish(Media::Sound, "mic-b");
        world.until("both hear the other", |world| {
            hears(world, "anna", "bert") > 20 && hears(world, "bert", "anna") > 20
        });
        for name in ["anna", "bert"] {
            let offer = world.of(name).last_offer.clone();
            let lines = offer.matches("m=audio").count();
            let both = offer.matches("a=sendrecv").count();
            assert_eq!((lines, both), (1, 1), "{offer}");
        }
        // When the other goes, one is still heard on it; the next voice comes back there again.
        world.leave("anna");
        world.join(0, "call", "carl", style);
        carl_and_bert_talk(&mut world);
    }
}

/// Every voice needs an m-line, and keeps it when it goes: these are none of the participant's own.
#[test]
fn one_may_begin_to_speak_after_many_others_have_left() {
    let names: Vec<String> = (0..40).map(|number| format!("p{number}")).collect();
    let mut world = with(&["bert", "carl"], Style::default());
    for name in &names {
        world.join(0, "call", name, Style::default());
    }
    world.until("everybody is there", |world| {
        world.participants.values().all(|p| p.channel_open)
    });
    for name in &names {
        world.of(name).publish(Media::Sound, "mic");
    }
    world.until("bert hears everybody", |world| {
        names.iter().all(|name| hears(world, "bert", name) > 2)
    });
    for name in &names {
        world.leave(name);
        world.vanish(name);
    }
    world.of("carl").publish(Media::Sound, "mic-c");
    world.until("bert hears carl", |world| hears(world, "bert", "carl") > 5);
    world.of("bert").publish(Media::Sound, "mic-b");
    world.until("carl hears bert", |world| hears(world, "carl", "bert") > 5);
}

#[test]
fn a_microphone_that_is_offered_one_way_stays_so() {
    let one_way = Style {
        one_way: true,
        ..Style::default()
    };
    let mut world = with(&["anna", "bert"], one_way);
    world.of("anna").publish(Media::Sound, "mic-a");
    world.until("anna is heard", |world| hears(world, "bert", "anna") > 5);
    world.of("bert").publish(Media::Sound, "mic-b");
    world.until("both hear the other", |world| {
        hears(world, "anna", "bert") > 20 && hears(world, "bert", "anna") > 20
    });
    let offer = world.of("anna").last_offer.clone();
    assert_eq!(offer.matches("m=audio").count(), 2, "{offer}");
}

#[test]
fn lasting_silence_is_not_sent_and_leaves_no_hole() {
    let mut world = with(&["anna", "bert"], Style::default());
    world.of("anna").publish(Media::Sound, "mic-a");
    world.run(2 * SECOND);
    world.of("anna").audio_level = -127;
    world.run(2 * SECOND);
    let before = hears(&mut world, "bert", "anna");
    world.run(2 * SECOND);
    assert_eq!(hears(&mut world, "bert", "anna"), before);
    world.of("anna").audio_level = -30;
    world.run(SECOND);
    assert!(hears(&mut world, "bert", "anna") >= before + 45);
    let heard = world.of("bert").heard_of("anna", TrackType::Voice);
    let numbers: Vec<u64> = heard.iter().map(|heard| heard.seq_no).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn a_voice_goes_on_when_its_sequence_numbers_begin_again() {
    let mut world = with(&["anna", "bert"], Style::default());
    world.of("anna").publish(Media::Sound, "mic-a");
    world.run(SECOND);
    // Numbers begin at 1000; 50 a second need 22 minutes to pass 2^16.
    for _ in 0..22 {
        world.of("bert").heard.clear();
        world.run(60 * SECOND);
    }
    let heard = world.of("bert").heard_of("anna", TrackType::Voice);
    let numbers: Vec<u64> = heard.iter().map(|heard| heard.seq_no).collect();
    assert!(numbers.last().unwrap() > &(1 << 16));
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn a_voice_is_heard_when_its_first_packets_are_lost() {
    let mut world = with(&["anna", "bert"], Style::default());
    let mut lost = 0;
    world.lose = Some(Box::new(move |to, contents| {
        let is_media = to == "bert" && matches!(contents, [128..=191, 0..=191 | 224.., ..]);
        lost += usize::from(is_media);
        is_media && lost <= 100
    }));
    world.of("anna").publish(Media::Sound, "mic-a");
    world.run(4 * SECOND);
    assert!(hears(&mut world, "bert", "anna") > 50);
}
