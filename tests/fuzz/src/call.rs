//! A running call of two: what one of them can do, and what a stranger can do to it.
//!
//! The participants are real WebRTC stacks with keys, so that what Anna sends is decrypted and
//! goes all the way to Ben. Orders:
//!
//! ```text
//!  0 index at xor   a datagram Anna sent, with one byte changed
//!  1 piece          any datagram from Anna's address
//!  2 kind piece     a control message in Anna's name
//!  3 piece          any bytes over Anna's data channel
//!  4 seq time flags piece    an RTP packet of hers with this payload
//!  5 byte           so many times 5 ms pass
//!  6 index len      a datagram Anna sent, cut short
//!  7 index          a datagram Anna sent, again
//!  8                her address changes
//!  9 kind piece     a control message in Ben's name
//! 10 piece          any RTCP, sealed with her keys
//! 11 piece piece    any RTP header and payload, sealed with her keys
//! ```

use std::time::Duration;

use harness::world::{Media, RawPacket, Style, World};
use proto::rtcd::{RtcKind, TrackType};
use rtcd_core::{Input, Transport};

use crate::bytes::Bytes;

/// Datagrams of the beginning that are kept to be changed: checks, the handshake, first media.
const KEPT: usize = 64;
const MOST_ORDERS: usize = 64;

/// Does what the input says to a call, and looks whether another call on the shard noticed.
pub(crate) fn call(input: &[u8]) {
    let mut world = running();
    let mut bytes = Bytes::new(input);
    for _ in 0..MOST_ORDERS {
        let Some(order) = bytes.order() else { break };
        obey(&mut world, order, &mut bytes);
    }
    world.run(Duration::from_millis(200));
    let shard = world.shards.first().expect("a shard");
    assert_eq!(shard.counters().panics, 0, "a call ended by a panic");
    let heard = world.of("dora").heard_of("carl", TrackType::Voice).len();
    world.run(Duration::from_millis(500));
    let more = world.of("dora").heard_of("carl", TrackType::Voice).len() - heard;
    assert!(
        more >= 20,
        "the call beside it: {more} packets of 25 in half a second"
    );
}

/// Anna and Ben in one call, Carl and Dora in another.
fn running() -> World {
    let mut world = World::new(1);
    world.captured = Some(Vec::new());
    for (name, place) in [
        ("anna", "call"),
        ("ben", "call"),
        ("carl", "other"),
        ("dora", "other"),
    ] {
        world.join(0, place, name, Style::default());
    }
    world.until("everybody has a data channel", |world| {
        world.participants.values().all(|p| p.channel_open)
    });
    world.of("anna").publish(Media::Sound, "mic-a");
    world.control(
        "anna",
        RtcKind::ScreenOn,
        r#"{"screenStreamID":"screen-a"}"#,
    );
    world.of("anna").publish(Media::Layers, "screen-a");
    world.of("carl").publish(Media::Sound, "mic-c");
    world.until("Ben hears and sees Anna, Dora hears Carl", |world| {
        world.of("ben").heard_of("anna", TrackType::Voice).len() > 2
            && world.of("ben").heard_of("anna", TrackType::Screen).len() > 2
            && world.of("dora").heard_of("carl", TrackType::Voice).len() > 2
    });
    let captured = world.captured.as_mut().expect("kept");
    let excess = captured.len().saturating_sub(KEPT);
    captured.drain(KEPT / 2..KEPT / 2 + excess);
    world.of("anna").forgive();
    world.of("ben").forgive();
    world
}

fn obey(world: &mut World, order: u8, bytes: &mut Bytes<'_>) {
    match order % 12 {
        0 => {
            let mut datagram = kept(world, bytes.byte());
            let (at, change) = (usize::from(bytes.byte()), bytes.byte());
            if let Some(byte) = datagram.get_mut(at) {
                *byte ^= change;
            }
            from_anna(world, &datagram);
        }
        1 => from_anna(world, bytes.piece()),
        2 => message(world, "anna", bytes),
        3 => {
            let piece = bytes.piece().to_vec();
            let anna = world.of("anna");
            if anna.channel_open {
                anna.send_bytes(piece);
            }
        }
        4 => packet(world, bytes),
        5 => world.run(Duration::from_millis(5) * u32::from(bytes.byte())),
        6 => {
            let mut datagram = kept(world, bytes.byte());
            datagram.truncate(usize::from(bytes.byte()));
            from_anna(world, &datagram);
        }
        7 => {
            let datagram = kept(world, bytes.byte());
            from_anna(world, &datagram);
        }
        8 => world.rebind("anna"),
        9 => message(world, "ben", bytes),
        10 => {
            let compound = bytes.piece();
            let sealed = world.of("anna").seal_rtcp(compound);
            from_anna(world, &sealed.unwrap_or_default());
        }
        _ => {
            let (header, payload) = (bytes.piece(), bytes.piece());
            let number = header.get(2..4).and_then(|number| number.try_into().ok());
            let index = number.map(u16::from_be_bytes).unwrap_or_default();
            let sealed = world.of("anna").seal_rtp(index.into(), header, payload);
            from_anna(world, &sealed.unwrap_or_default());
        }
    }
}

fn kept(world: &World, index: u8) -> Vec<u8> {
    let captured = world.captured.as_deref().unwrap_or_default();
    let index = usize::from(index).checked_rem(captured.len());
    index
        .and_then(|index| captured.get(index))
        .cloned()
        .unwrap_or_default()
}

fn from_anna(world: &mut World, contents: &[u8]) {
    let source = world.of("anna").seen_at();
    let input = Input::Datagram {
        transport: Transport::Udp,
        source,
        destination: harness::world::shard_address(0),
        contents,
    };
    world.input(0, input);
}

fn message(world: &mut World, name: &str, bytes: &mut Bytes<'_>) {
    let kind = RtcKind::from_number(i64::from(bytes.byte() % 12)).unwrap_or(RtcKind::Sdp);
    if let Some(request) = harness::world::request(kind, bytes.piece()) {
        let key = harness::world::key(name);
        world.input(0, Input::Control { key, request });
    }
}

/// A packet whose number and time are near those of the running track, or far from them.
fn packet(world: &mut World, bytes: &mut Bytes<'_>) {
    let (seq_no, timestamp, flags) = (bytes.short(), bytes.word(), bytes.byte());
    let payload = bytes.piece();
    let at = world.now;
    let packet = RawPacket {
        at,
        seq_no: u64::from(seq_no),
        timestamp,
        marker: flags & 1 != 0,
        nackable: flags & 2 != 0,
        payload: payload
            .get(..payload.len().min(1200))
            .unwrap_or_default()
            .to_vec(),
    };
    let position = usize::from(flags >> 2 & 1);
    world.of("anna").write(position, &packet);
    world.run(Duration::from_millis(1));
}
