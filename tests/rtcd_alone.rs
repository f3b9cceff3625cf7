//! rtcd alone: a client that speaks the control protocol, and participants on webrtc-rs.
//!
//! Real sockets on loopback, an independent WebRTC implementation at the other end. Every story runs
//! on one shard, and on two with a call spread over them, where media crosses a link and most
//! datagrams arrive at the wrong socket.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests, too: a panic is how a test says no"
)]

#[path = "rtcd_alone/control.rs"]
mod control;
#[path = "rtcd_alone/engine.rs"]
mod engine;
#[path = "rtcd_alone/nodes.rs"]
mod nodes;
#[path = "rtcd_alone/participant.rs"]
mod participant;
#[path = "rtcd_alone/relay.rs"]
mod relay;
#[path = "rtcd_alone/tcp.rs"]
mod tcp;
#[path = "rtcd_alone/wired.rs"]
mod wired;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use control::Node;
use engine::Reach;
use participant::Participant;
use proto::id::SessionId;
use proto::rtcd::{ControlMessage, RtcKind, RtcMessage, TrackType};
use wired::{Way, Wired};

/// How a call lies on the shards of a node.
#[derive(Debug, Clone, Copy)]
struct Layout {
    shards: usize,
    leg_sessions: usize,
}

const ONE_SHARD: Layout = Layout {
    shards: 1,
    leg_sessions: 200,
};
const SPREAD: Layout = Layout {
    shards: 2,
    leg_sessions: 1,
};

async fn two_people_talk(layout: Layout) {
    let node = Node::start(layout.shards, layout.leg_sessions).await;
    let client = node.client("clientA").await;
    let anna = Participant::join(&client, "call1", "anna").await;
    let ben = Participant::join(&client, "call1", "ben").await;
    anna.speak().await;
    ben.speak().await;
    ben.hears("anna").await;
    anna.hears("ben").await;

    // Track and stream name the publisher; the media map said so before.
    let track = ben.track(TrackType::Voice, "anna").await;
    assert_eq!(track.stream_id, "anna");
    assert!(track.announced, "media map did not come before the track");

    anna.control(RtcKind::Mute, Vec::new()).await;
    ben.hears_nothing_of("anna").await;
    anna.hears("ben").await;
    anna.control(RtcKind::Unmute, Vec::new()).await;
    ben.hears("anna").await;

    // Somebody who comes late gets what is there.
    let carla = Participant::join(&client, "call1", "carla").await;
    carla.hears("anna").await;
    carla.hears("ben").await;

    for participant in [&anna, &ben, &carla] {
        participant.leave().await;
    }
    for session in ["anna", "ben", "carla"] {
        client.closed_once(session).await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_talk_on_one_shard() {
    two_people_talk(ONE_SHARD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_talk_over_two_shards() {
    two_people_talk(SPREAD).await;
}

async fn a_screen_is_shared(layout: Layout) {
    let node = Node::start(layout.shards, layout.leg_sessions).await;
    let client = node.client("clientA").await;
    let anna = Participant::join(&client, "call1", "anna").await;
    let ben = Participant::join(&client, "call1", "ben").await;
    anna.speak().await;
    ben.hears("anna").await;
    anna.share_screen().await;
    ben.sees_screen_of("anna").await;
    ben.hears("anna").await;
    anna.control(RtcKind::ScreenOff, Vec::new()).await;
    ben.sees_no_screen_of("anna").await;
    ben.hears("anna").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_screen_is_shared_on_one_shard() {
    a_screen_is_shared(ONE_SHARD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_screen_is_shared_over_two_shards() {
    a_screen_is_shared(SPREAD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_goes_on_while_the_control_socket_is_away() {
    let node = Node::start(SPREAD.shards, SPREAD.leg_sessions).await;
    let client = node.client("clientA").await;
    let anna = Participant::join(&client, "call1", "anna").await;
    let ben = Participant::join(&client, "call1", "ben").await;
    anna.speak().await;
    ben.hears("anna").await;

    let lost_before = ben.gaps_of("anna").await;
    client.disconnect().await;
    ben.hears("anna").await;
    client.connect().await;
    ben.hears("anna").await;
    assert_eq!(
        ben.gaps_of("anna").await,
        lost_before,
        "packets lost with the control socket"
    );
    assert_eq!(client.closes("anna"), 0);

    // One session is bound to the new socket by name, the other has to find it by itself.
    client
        .send(&ControlMessage::Reconnect(
            SessionId::parse("anna").unwrap(),
        ))
        .await;
    anna.leave().await;
    client.closed_once("anna").await;
    ben.leave().await;
    client.closed_once("ben").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_disturbs_a_running_call() {
    let node = Node::start(SPREAD.shards, SPREAD.leg_sessions).await;
    let client = node.client("clientA").await;
    let stranger = node.client("clientB").await;
    let anna = Participant::join(&client, "call1", "anna").await;
    let ben = Participant::join(&client, "call1", "ben").await;
    anna.speak().await;
    ben.hears("anna").await;

    let session = SessionId::parse("anna").unwrap();
    // Another tenant, with every message there is, under this tenant's ids.
    for kind in RtcKind::ALL {
        let message = RtcMessage::for_session(&session, kind, b"{}".to_vec());
        stranger.send(&ControlMessage::Rtc(message)).await;
    }
    stranger
        .send(&ControlMessage::Reconnect(session.clone()))
        .await;
    stranger.send(&ControlMessage::Leave(session.clone())).await;
    // The same ids at another tenant are another call and another session.
    let namesake = Participant::join(&stranger, "call1", "anna").await;
    namesake.speak().await;

    // The right tenant, with what makes no sense.
    let unknown = SessionId::parse("nobody").unwrap();
    client.send(&ControlMessage::Leave(unknown.clone())).await;
    client
        .send(&ControlMessage::Reconnect(unknown.clone()))
        .await;
    client.send(&ControlMessage::Close(session.clone())).await;
    client
        .send(&ControlMessage::Unknown("dance".to_owned()))
        .await;
    client.join("call1", "anna").await;
    client.join("another-call", "anna").await;
    for junk in [
        &b"{"[..],
        b"",
        b"{\"type\":\"offer\",\"sdp\":\"v=0\"}",
        b"\xff\xfe",
    ] {
        for kind in [
            RtcKind::Sdp,
            RtcKind::Ice,
            RtcKind::ScreenOn,
            RtcKind::VideoOn,
        ] {
            let message = RtcMessage::for_session(&session, kind, junk.to_vec());
            client.send(&ControlMessage::Rtc(message)).await;
        }
    }
    for seed in 0..200u8 {
        client.send_bytes(vec![seed; usize::from(seed)]).await;
    }
    // A session that never offers anything, and one that begins with an answer.
    client.join("call1", "silent").await;
    client.join("call1", "backwards").await;
    let backwards = SessionId::parse("backwards").unwrap();
    let answer = br#"{"type":"answer","sdp":"v=0\r\n"}"#.to_vec();
    let message = RtcMessage::for_session(&backwards, RtcKind::Sdp, answer);
    client.send(&ControlMessage::Rtc(message)).await;

    node.throw_at_media_port().await;
    // Too long: ends that socket, and only that.
    stranger.send_bytes(vec![0xc0; (1 << 20) + 1]).await;

    ben.hears("anna").await;
    anna.control(RtcKind::Mute, Vec::new()).await;
    ben.hears_nothing_of("anna").await;
    anna.control(RtcKind::Unmute, Vec::new()).await;
    ben.hears("anna").await;
    assert_eq!((client.closes("anna"), client.closes("ben")), (0, 0));
    let only_ours = ben.speakers();
    assert_eq!(only_ours, ["anna"], "another tenant was heard");
    // Without a first offer a session ends by itself.
    client.closed_once("silent").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speaking_is_told_and_stopping_too() {
    let node = Node::start(ONE_SHARD.shards, ONE_SHARD.leg_sessions).await;
    let client = node.client("clientA").await;
    let anna = Participant::join(&client, "call1", "anna").await;
    anna.speak().await;
    client.voice("anna", RtcKind::VoiceOn).await;
    anna.control(RtcKind::Mute, Vec::new()).await;
    client.voice("anna", RtcKind::VoiceOff).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_that_closes_is_gone() {
    let node = Node::start(SPREAD.shards, SPREAD.leg_sessions).await;
    let client = node.client("clientA").await;
    let anna = Participant::join(&client, "call1", "anna").await;
    let ben = Participant::join(&client, "call1", "ben").await;
    anna.speak().await;
    ben.speak().await;
    anna.hears("ben").await;
    ben.hears("anna").await;
    anna.hang_up().await;
    client.closed_once("anna").await;
    // Leaving afterwards is fine and answered by nothing.
    client
        .send(&ControlMessage::Leave(SessionId::parse("anna").unwrap()))
        .await;
    ben.leave().await;
    client.closed_once("ben").await;
    assert_eq!(client.closes("anna"), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connectivity_checks_over_tcp_are_answered() {
    for layout in [ONE_SHARD, SPREAD] {
        let node = Node::start(layout.shards, layout.leg_sessions).await;
        let client = node.client("clientA").await;
        for session in ["anna", "ben"] {
            let (offer, answer) = Participant::first_exchange(&client, "call1", session).await;
            tcp::check(node.tcp_addr(), &offer, &answer, Duration::from_secs(10)).await;
        }
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reaches_a_relay_only_is_heard_and_hears() {
    let server = relay::Coturn::start().await;
    for layout in [ONE_SHARD, SPREAD] {
        let use_relay = |rtc: &mut rtcd::config::RtcConfig| server.configure(rtc);
        let node = Node::start_with(layout.shards, layout.leg_sessions, use_relay).await;
        let client = node.client("clientA").await;
        let anna = Participant::join_by(Reach::RelayOnly, &client, "call1", "anna").await;
        let ben = Participant::join(&client, "call1", "ben").await;
        anna.speak().await;
        ben.speak().await;
        ben.hears("anna").await;
        anna.hears("ben").await;
        let metrics = node.metrics().await;
        assert!(metrics.contains("rtcd_rtc_relays_total 2\n"), "{metrics}");
        anna.leave().await;
        client.closed_once("anna").await;
        node.stop().await;
    }
}

/// Whether this machine has IPv6, be it to itself only; says so where it has not.
#[expect(
    clippy::print_stderr,
    reason = "whoever reads the test's output is told"
)]
fn has_ipv6() -> bool {
    let loopback = "00000000000000000000000000000001 ";
    let addresses = std::fs::read_to_string("/proc/net/if_inet6");
    let has = addresses.is_ok_and(|list| list.lines().any(|line| line.starts_with(loopback)));
    if !has {
        eprintln!("this machine has no IPv6: the node falls back to IPv4, and that is looked at");
    }
    has
}

/// A node that is to listen at both loopback addresses, or at that of IPv6 only.
async fn start_with_ipv6(layout: Layout, addresses: &[IpAddr]) -> Node {
    let listen = |rtc: &mut rtcd::config::RtcConfig| {
        rtc.enable_ipv6 = true;
        rtc.udp_addresses = addresses.to_vec();
        rtc.tcp_addresses = addresses.to_vec();
    };
    Node::start_with(layout.shards, layout.leg_sessions, listen).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_talk_over_ipv6_where_there_is_ipv6() {
    let both = [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::from(Ipv6Addr::LOCALHOST),
    ];
    for layout in [ONE_SHARD, SPREAD] {
        let node = start_with_ipv6(layout, &both).await;
        let client = node.client("clientA").await;
        // Who has no IPv6 gets along with who has it.
        let anna = Participant::join(&client, "call1", "anna").await;
        let reach = if has_ipv6() { Reach::Ipv6 } else { Reach::All };
        let ben = Participant::join_by(reach, &client, "call1", "ben").await;
        anna.speak().await;
        ben.speak().await;
        ben.hears("anna").await;
        anna.hears("ben").await;
        let used = ben.path().await;
        assert_eq!(used.is_ipv6(), has_ipv6(), "Ben's media goes by {used}");
        assert!(anna.path().await.is_ipv4());
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_talk_over_tcp_of_either_family() {
    let mut addresses = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    if has_ipv6() {
        addresses.push(IpAddr::from(Ipv6Addr::LOCALHOST));
    }
    for layout in [ONE_SHARD, SPREAD] {
        for address in &addresses {
            let node = start_with_ipv6(layout, &[*address]).await;
            let client = node.client("clientA").await;
            let (udp, tcp) = (Way::Udp(node.udp_addr()), Way::Tcp(node.tcp_addr()));
            let anna = Wired::join(&client, "call1", "anna", tcp).await;
            let ben = Wired::join(&client, "call1", "ben", udp).await;
            anna.speak();
            ben.speak();
            ben.hears("anna").await;
            anna.hears("ben").await;
            node.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_panics_ends_alone() {
    let node = Node::start(ONE_SHARD.shards, ONE_SHARD.leg_sessions).await;
    let client = node.client("clientA").await;
    let udp = Way::Udp(node.udp_addr());
    let carl = Wired::join(&client, "whole", "carl", udp).await;
    let dora = Wired::join(&client, "whole", "dora", udp).await;
    carl.speak();
    dora.hears("carl").await;
    // A name that makes rtcd panic, in tests only.
    let broken = Participant::join(&client, "broken", "panics-when-muted").await;
    let anna = Participant::join(&client, "broken", "anna").await;
    broken.speak().await;
    anna.hears("panics-when-muted").await;
    dora.hears("carl").await;

    broken.control(RtcKind::Mute, Vec::new()).await;
    client.closed_once("panics-when-muted").await;
    client.closed_once("anna").await;
    dora.hears("carl").await;
    dora.hears("carl").await;
    let numbers = dora.numbers_of("carl");
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "packets lost or doubled beside a panic: {numbers:?}"
    );
    assert_eq!((client.closes("carl"), client.closes("dora")), (0, 0));
    let metrics = node.metrics().await;
    assert!(
        metrics.contains("rtcd_call_panics_total 1\n"),
        "the panic is counted: {metrics}"
    );
    // The name of the call is free again.
    let eva = Participant::join(&client, "broken", "eva").await;
    let finn = Participant::join(&client, "broken", "finn").await;
    eva.speak().await;
    finn.hears("eva").await;
    node.stop().await;
}
