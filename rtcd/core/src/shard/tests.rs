//! A shard by itself: panics, timeouts, other tenants.

use proto::id::{CallId, GroupId, SessionId, UserId};

use super::*;
use crate::io::{Description, DescriptionKind, Dialect, Request, Signal};
use crate::session::test_epoch;

fn key(session: &str) -> SessionKey {
    SessionKey {
        group: GroupId::parse("g").unwrap(),
        session: SessionId::parse(session).unwrap(),
    }
}

fn join(shard: &mut Shard, call: &str, session: &str) {
    join_as("u", shard, call, session);
}

fn join_as(user: &str, shard: &mut Shard, call: &str, session: &str) {
    let request = JoinRequest {
        key: key(session),
        call: CallId::parse(call).unwrap(),
        user: UserId::parse(user).unwrap(),
        channel: None,
        av1_support: false,
        dialect: Dialect::Calls {
            offers_over_channel: true,
        },
        candidates: None,
    };
    shard.handle_input(shard.now, Input::Join(request));
}

fn drain(shard: &mut Shard) -> Vec<Output> {
    let mut outputs = Vec::new();
    loop {
        match shard.poll_output() {
            Output::Timeout(_) => return outputs,
            output => outputs.push(output),
        }
    }
}

#[test]
fn a_panic_ends_its_call_and_no_other() {
    let mut shard = Shard::new(CoreConfig::default(), test_epoch());
    join_as("panics-when-muted", &mut shard, "broken", "a");
    for (call, session) in [("broken", "b"), ("whole", "c")] {
        join(&mut shard, call, session);
    }
    drain(&mut shard);
    shard.handle_input(
        shard.now,
        Input::Control {
            key: key("a"),
            request: Request::Mute(true),
        },
    );
    let outputs = drain(&mut shard);
    let Some(Output::LegLost { call }) = outputs.last() else {
        panic!("the loss of the leg is the last word: {outputs:?}");
    };
    assert_eq!(call.call.as_str(), "broken");
    let closed: Vec<_> = outputs
        .into_iter()
        .filter_map(|output| match output {
            Output::Closed { key, reason, .. } => Some((key.session.to_string(), reason)),
            _ => None,
        })
        .collect();
    let panicked = CloseReason::Panicked;
    assert_eq!(
        closed,
        [("a".to_owned(), panicked), ("b".to_owned(), panicked)]
    );
    assert_eq!(
        (shard.sessions(), shard.legs(), shard.counters().panics),
        (1, 1, 1)
    );
    assert_eq!(shard.counters().groups[&key("a").group].sessions, 1);
    // The other call goes on, and the id may be used again.
    shard.handle_input(
        shard.now,
        Input::Control {
            key: key("c"),
            request: Request::Mute(true),
        },
    );
    join(&mut shard, "broken", "a");
    assert_eq!((shard.sessions(), shard.counters().panics), (2, 1));
}

#[test]
fn what_is_gone_leaves_no_place_behind() {
    let mut shard = Shard::new(CoreConfig::default(), test_epoch());
    join(&mut shard, "c", "stays");
    for number in 0..100 {
        let session = format!("s{number}");
        join(&mut shard, "c", &session);
        shard.handle_input(shard.now, Input::Leave(key(&session)));
        drain(&mut shard);
    }
    let leg = shard.legs.get(&0).unwrap();
    assert_eq!((shard.sessions(), leg.places()), (1, 2));
    assert_eq!(shard.counters().groups.len(), 1);
    shard.forget_idle_groups();
    assert_eq!(shard.counters().groups.len(), 1, "the tenant is here");
    shard.handle_input(shard.now, Input::Leave(key("stays")));
    shard.forget_idle_groups();
    assert!(shard.counters().groups.is_empty());
}

#[test]
fn a_session_without_an_offer_is_closed_after_ten_seconds() {
    let mut shard = Shard::new(CoreConfig::default(), test_epoch());
    join(&mut shard, "c", "a");
    let start = shard.now;
    let mut now = start;
    let closed_at = loop {
        let mut closed = None;
        let next = loop {
            match shard.poll_output() {
                Output::Timeout(at) => break at,
                Output::Closed { reason, .. } => closed = Some(reason),
                _ => {}
            }
        };
        if let Some(reason) = closed {
            assert_eq!(reason, CloseReason::NoFirstOffer);
            break now - start;
        }
        assert!(now - start < Duration::from_secs(20), "never closed");
        now = next.max(now + Duration::from_millis(1));
        shard.handle_input(now, Input::Timeout);
    };
    assert!(closed_at >= Duration::from_secs(10) && closed_at < Duration::from_secs(11));
    assert_eq!((shard.sessions(), shard.legs()), (0, 0));
}

#[test]
fn another_groups_session_is_unknown() {
    let mut shard = Shard::new(CoreConfig::default(), test_epoch());
    join(&mut shard, "c", "a");
    let foreign = SessionKey {
        group: GroupId::parse("other").unwrap(),
        ..key("a")
    };
    shard.handle_input(
        shard.now,
        Input::Control {
            key: foreign.clone(),
            request: Request::Mute(true),
        },
    );
    assert_eq!(shard.counters().dropped(DropReason::UnknownSession), 1);
    shard.handle_input(shard.now, Input::Leave(foreign));
    assert_eq!(shard.sessions(), 1);
    shard.handle_input(shard.now, Input::Leave(key("a")));
    shard.handle_input(shard.now, Input::Leave(key("a")));
    let closed = drain(&mut shard)
        .into_iter()
        .filter(|output| matches!(output, Output::Closed { .. }))
        .count();
    assert_eq!(closed, 1);
}

/// What a browser offers first, shortened.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:them\r\na=ice-pwd:their-password-is-long\r\na=ice-options:trickle\r\n\
    a=fingerprint:sha-256 11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:\
    11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

/// Offers something; returns how many answers came back, and why the session closed.
fn offered(shard: &mut Shard, session: &str, sdp: &str) -> (usize, Option<CloseReason>) {
    let request = Request::Describe(Description {
        kind: DescriptionKind::Offer,
        sdp: sdp.to_owned(),
    });
    let key = key(session);
    shard.handle_input(shard.now, Input::Control { key, request });
    let (mut answers, mut reason) = (0, None);
    for output in drain(shard) {
        match output {
            Output::Signal { signal, .. } => {
                answers += usize::from(matches!(signal, Signal::Describe(_)));
            }
            Output::Closed { reason: why, .. } => reason = Some(why),
            _ => {}
        }
    }
    (answers, reason)
}

#[test]
fn a_long_offer_is_answered_if_little_of_it_is_read_and_refused_otherwise() {
    let mut shard = Shard::new(CoreConfig::default(), test_epoch());
    let fill = |line: &str| [OFFER, &line.repeat(300_000 / line.len())].concat();
    let answered = (1, None);
    let refused = (0, Some(CloseReason::BadFirstOffer));
    let table = [
        (
            fill("a=x-noise:what nobody reads in a description\r\n"),
            &answered,
        ),
        (fill("a=x\r\n"), &refused),
        (
            fill("a=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\n"),
            &answered,
        ),
        (fill("a=ssrc:1 cname:what is read\r\n"), &refused),
        (
            fill("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendrecv\r\n"),
            &refused,
        ),
        (fill("a=mid:a-long-name"), &refused),
    ];
    for (number, (offer, expected)) in table.iter().enumerate() {
        let session = format!("s{number}");
        join(&mut shard, "call", &session);
        drain(&mut shard);
        assert_eq!(&&offered(&mut shard, &session, offer), expected, "{number}");
    }
}
