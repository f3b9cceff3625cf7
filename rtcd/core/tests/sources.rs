//! What a participant that misuses its own connection costs: nothing that lasts.

use std::time::Duration;

use harness::world::{Media, Style, World, shard_address};
use proto::rtcd::{RtcKind, SdpKind, SessionDescription, TrackType};
use rtcd_core::{DropReason, Input, Transport};

const SECOND: Duration = Duration::from_secs(1);
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// The server's latest answer to somebody.
fn answer(world: &mut World, name: &str) -> String {
    let signals = world.of(name).signals.iter().rev();
    signals
        .filter(|message| message.kind == RtcKind::Sdp)
        .map(|message| SessionDescription::from_json(&message.data).expect("ours is JSON"))
        .find(|description| description.kind == SdpKind::Answer)
        .expect("an answer")
        .sdp
}

/// The m-line of the microphone, and the id of the header extension that names it.
fn microphone(sdp: &str) -> (String, u8) {
    let section = sdp.split("m=").find(|part| part.starts_with("audio"));
    let section = section.expect("a microphone");
    let value = |prefix: &str| {
        let line = section.lines().find_map(|line| line.strip_prefix(prefix));
        line.expect("the attribute").to_owned()
    };
    let extension = section.lines().find(|line| line.ends_with(MID));
    let id = extension.and_then(|line| line.strip_prefix("a=extmap:"));
    let id = id.and_then(|rest| rest.split(['/', ' ']).next());
    (
        value("a=mid:"),
        id.expect("an id").parse().expect("a number"),
    )
}

/// A header of an Opus packet whose SSRC nobody has announced, only the m-line.
fn header(ssrc: u32, mid: &str, id: u8) -> Vec<u8> {
    let mut header = vec![0x90, 111, 0, 1, 0, 0, 0, 1];
    header.extend(ssrc.to_be_bytes());
    let len = u8::try_from(mid.len()).expect("short");
    let mut elements = vec![id << 4 | (len - 1)];
    elements.extend(mid.bytes());
    elements.resize(elements.len().next_multiple_of(4), 0);
    let words = u8::try_from(elements.len() / 4).expect("short");
    header.extend([0xbe, 0xde, 0, words]);
    header.extend(elements);
    header
}

#[test]
fn a_new_ssrc_with_every_packet_comes_to_an_end() {
    let mut world = World::new(1);
    let by_control = Style {
        dc_signalling: false,
        ..Style::default()
    };
    world.join(0, "call", "anna", by_control);
    world.join(0, "call", "bert", Style::default());
    world.until("both have a data channel", |world| {
        world.participants.values().all(|p| p.channel_open)
    });
    for name in ["anna", "bert"] {
        world.of(name).publish(Media::Sound, "mic");
    }
    world.until("both hear each other", |world| {
        world.of("bert").heard_of("anna", TrackType::Voice).len() > 5
            && world.of("anna").heard_of("bert", TrackType::Voice).len() > 5
    });
    let sdp = answer(&mut world, "anna");
    let (mid, id) = microphone(&sdp);
    let source = world.of("anna").seen_at();
    for number in 0..5000u32 {
        let header = header(0x1000_0000 + number, &mid, id);
        let sealed = world.of("anna").seal_rtp(1, &header, b"noise");
        let contents = sealed.expect("keys");
        let input = Input::Datagram {
            transport: Transport::Udp,
            source,
            destination: shard_address(0),
            contents: &contents,
        };
        world.input(0, input);
    }
    let refused = world.shards[0]
        .counters()
        .dropped(DropReason::TooManySources);
    assert!((2900..3000).contains(&refused), "{refused} of 5000");
    // The others do not notice, and neither does she where she listens.
    let before = world.of("anna").heard_of("bert", TrackType::Voice).len();
    world.run(SECOND);
    let heard = world.of("anna").heard_of("bert", TrackType::Voice).len() - before;
    assert!((48..=52).contains(&heard), "{heard} packets in a second");
    assert!(world.closed.is_empty());
}
