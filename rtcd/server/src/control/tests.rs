//! Which connection hears about a session.

use std::cell::RefCell;
use std::time::Duration;

use proto::rtcd::RtcKind;
use rtcd_core::SessionKey;

use super::*;
use crate::driver::{Inbox, mailbox};

struct Node {
    control: Control,
    inboxes: Vec<RefCell<Inbox>>,
    _polls: Vec<mio::Poll>,
}

fn node(shards: usize, leg_sessions: usize) -> Node {
    let (mut senders, mut inboxes, mut polls) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..shards {
        let (poll, sender, inbox) = mailbox().unwrap();
        senders.push(sender);
        inboxes.push(RefCell::new(inbox));
        polls.push(poll);
    }
    let control = Control::new(
        senders,
        Room {
            leg_sessions,
            call_sessions: 0,
            load: None,
        },
        None,
        Arc::new(Metrics::new().unwrap()),
    );
    Node {
        control,
        inboxes,
        _polls: polls,
    }
}

impl Node {
    fn join(&self, connection: &Connection, join: JoinMessage) -> Result<(), ControlError> {
        self.control.join(connection, join, Arc::default())
    }

    /// What a shard was sent: first what is for sessions, then the rest.
    fn received(&self, shard: usize) -> Vec<String> {
        let mut inbox = self.inboxes[shard].borrow_mut();
        let others: Vec<_> = std::iter::from_fn(|| inbox.next()).collect();
        std::iter::from_fn(|| inbox.next_order())
            .chain(others)
            .map(|message| match message {
                ShardMessage::Join(request) => format!("join {}", request.key.session),
                ShardMessage::Leave(key) => format!("leave {}", key.session),
                ShardMessage::Control { key, .. } => format!("control {}", key.session),
                ShardMessage::LinkUp { link, peer, .. } => {
                    format!("link {} up to {}", link.0, peer.0)
                }
                ShardMessage::FarLinkUp { leg, .. } => {
                    format!("link up to {} of node {}", leg.shard, leg.node.0)
                }
                ShardMessage::LinkDown { link, .. } => format!("link {} down", link.0),
                other @ (ShardMessage::Linked { .. }
                | ShardMessage::Datagram { .. }
                | ShardMessage::TcpOpened { .. }
                | ShardMessage::TcpClosed { .. }
                | ShardMessage::Stop) => format!("{other:?}"),
            })
            .collect()
    }

    fn closed(&self, group: &str, session: &str) {
        let key = SessionKey {
            group: id(group),
            session: SessionId::parse(session).unwrap(),
        };
        self.control.shard_event(ShardEvent::Closed {
            key,
            reason: CloseReason::Left,
        });
    }

    fn signal(&self, group: &str, session: &str) {
        let signal = Signal::Candidate("candidate:1".to_owned());
        let key = SessionKey {
            group: id(group),
            session: SessionId::parse(session).unwrap(),
        };
        self.control.shard_event(ShardEvent::Signal { key, signal });
    }
}

fn id(group: &str) -> GroupId {
    GroupId::parse(group).unwrap()
}

fn rtc(session: &str) -> RtcMessage {
    let session = SessionId::parse(session).unwrap();
    RtcMessage::for_session(&session, RtcKind::Mute, Vec::new())
}

fn join(call: &str, session: &str) -> JoinMessage {
    JoinMessage {
        call: CallId::parse(call).unwrap(),
        user: UserId::parse("user").unwrap(),
        session: SessionId::parse(session).unwrap(),
        channel: "channel".to_owned(),
        av1_support: false,
        dc_signalling: true,
    }
}

/// What waits in a connection's queue, `hello` left out.
fn queued(connection: &mut Connection) -> Vec<String> {
    std::iter::from_fn(|| connection.queue.try_recv().ok())
        .filter_map(|message| match message {
            ControlMessage::Hello(_) => None,
            ControlMessage::Rtc(message) => Some(format!("rtc {}", message.session)),
            ControlMessage::Vad(message) => Some(format!("vad {}", message.session)),
            ControlMessage::Close(session) => Some(format!("close {session}")),
            other @ (ControlMessage::Join(_)
            | ControlMessage::Leave(_)
            | ControlMessage::Reconnect(_)
            | ControlMessage::Unknown(_)) => Some(format!("{other:?}")),
        })
        .collect()
}

#[test]
fn a_session_lives_from_join_to_close() {
    let node = node(1, 10);
    let mut connection = node.control.connect(&id("g"));
    node.join(&connection, join("c", "s")).unwrap();
    assert_eq!(
        node.join(&connection, join("c", "s")),
        Err(ControlError::DuplicateJoin)
    );
    node.control
        .leave(&id("g"), SessionId::parse("s").unwrap())
        .unwrap();
    assert_eq!(node.received(0), ["join s", "leave s"]);
    assert_eq!(queued(&mut connection), [""; 0]);
    node.closed("g", "s");
    node.closed("g", "s");
    assert_eq!(queued(&mut connection), ["close s"]);
    assert_eq!(node.control.session_count(), 0);
    assert!(
        node.control
            .leave(&id("g"), SessionId::parse("s").unwrap())
            .is_err()
    );
}

#[tokio::test]
async fn another_tenants_session_is_unknown() {
    let node = node(1, 10);
    let own = node.control.connect(&id("own"));
    let other = node.control.connect(&id("other"));
    node.join(&own, join("c", "s")).unwrap();
    let session = SessionId::parse("s").unwrap();
    assert!(node.control.leave(&id("other"), session.clone()).is_err());
    assert!(node.control.rebind(&other, session).is_err());
    assert!(node.control.rtc(&id("other"), rtc("s")).await.is_err());
    assert_eq!(
        node.control.sessions_of_call(&id("other"), "c"),
        Err(LookupError::Group)
    );
    // The same ids at another tenant are another call and another session.
    node.join(&other, join("c", "s")).unwrap();
    assert_eq!(
        node.control
            .sessions_of_call(&id("other"), "c")
            .unwrap()
            .len(),
        1
    );
    assert_eq!(node.received(0), ["join s", "join s"]);
}

#[test]
fn messages_follow_a_reconnect_and_so_does_close() {
    let node = node(1, 10);
    let mut first = node.control.connect(&id("g"));
    let mut second = node.control.connect(&id("g"));
    node.join(&first, join("c", "s")).unwrap();
    node.signal("g", "s");
    assert_eq!(queued(&mut first), ["rtc s"]);
    node.control
        .rebind(&second, SessionId::parse("s").unwrap())
        .unwrap();
    node.signal("g", "s");
    node.closed("g", "s");
    assert_eq!(queued(&mut first), [""; 0]);
    assert_eq!(queued(&mut second), ["rtc s", "close s"]);
}

#[test]
fn a_dead_connection_of_the_only_node_is_replaced_by_the_next() {
    let node = node(1, 10);
    let first = node.control.connect(&id("g"));
    node.join(&first, join("c", "s")).unwrap();
    let mut stranger = node.control.connect(&id("h"));
    node.control.disconnect(&first, Vec::new());
    let mut next = node.control.connect(&id("g"));
    node.signal("g", "s");
    node.control.disconnect(&next, Vec::new());
    let mut last = node.control.connect(&id("g"));
    node.signal("g", "s");
    assert_eq!(queued(&mut next), ["rtc s"]);
    assert_eq!(queued(&mut last), ["rtc s"]);
    assert_eq!(queued(&mut stranger), [""; 0]);
}

#[test]
fn while_one_of_several_nodes_is_away_all_are_told_and_it_too_when_it_is_back() {
    let node = node(1, 10);
    let away = node.control.connect(&id("g"));
    let mut neighbour = node.control.connect(&id("g"));
    let mut stranger = node.control.connect(&id("h"));
    node.join(&away, join("c", "s")).unwrap();
    node.join(&neighbour, join("c", "t")).unwrap();
    node.control.disconnect(&away, Vec::new());
    node.signal("g", "s");
    assert_eq!(queued(&mut neighbour), ["rtc s"]);
    let mut back = node.control.connect(&id("g"));
    assert_eq!(queued(&mut back), ["rtc s"]);
    // Nobody has said yet which of the two is the one.
    node.signal("g", "s");
    assert_eq!(queued(&mut neighbour), ["rtc s"]);
    assert_eq!(queued(&mut back), ["rtc s"]);
    node.control
        .rebind(&back, SessionId::parse("s").unwrap())
        .unwrap();
    node.closed("g", "s");
    node.signal("g", "t");
    assert_eq!(queued(&mut back), ["close s"]);
    assert_eq!(queued(&mut neighbour), ["rtc t"]);
    assert_eq!(queued(&mut stranger), [""; 0]);
}

#[test]
fn when_all_nodes_were_away_each_gets_what_may_be_its_own() {
    let node = node(1, 10);
    let first = node.control.connect(&id("g"));
    let second = node.control.connect(&id("g"));
    node.join(&first, join("c", "s")).unwrap();
    node.join(&second, join("c", "t")).unwrap();
    node.control.disconnect(&first, Vec::new());
    node.control.disconnect(&second, Vec::new());
    node.signal("g", "s");
    node.signal("g", "t");
    for _ in 0..2 {
        let mut back = node.control.connect(&id("g"));
        assert_eq!(queued(&mut back), ["rtc s", "rtc t"]);
    }
}

#[test]
fn a_client_without_a_connection_gets_its_messages_on_the_next() {
    let node = node(1, 10);
    let first = node.control.connect(&id("g"));
    node.join(&first, join("c", "s")).unwrap();
    let unsent = vec![ControlMessage::Rtc(rtc("s"))];
    node.control.disconnect(&first, unsent);
    node.signal("g", "s");
    node.closed("g", "s");
    let mut next = node.control.connect(&id("g"));
    assert_eq!(queued(&mut next), ["rtc s", "rtc s", "close s"]);
    let mut later = node.control.connect(&id("g"));
    assert_eq!(queued(&mut later), [""; 0]);
}

#[test]
fn voice_activity_is_shed_first_and_then_the_connection() {
    let node = node(1, 10);
    let slow = node.control.connect(&id("g"));
    node.join(&slow, join("c", "s")).unwrap();
    let key = SessionKey {
        group: id("g"),
        session: SessionId::parse("s").unwrap(),
    };
    for _ in 0..10_000 {
        node.control.shard_event(ShardEvent::Voice {
            key: key.clone(),
            speaking: true,
        });
    }
    let kept = slow.queue.len();
    assert!(kept < 4096, "{kept}");
    for _ in 0..10_000 {
        node.signal("g", "s");
    }
    // What did not fit is held, and goes on on the next connection.
    assert_eq!(slow.queue.len(), 4096);
    let mut next = node.control.connect(&id("g"));
    assert!(queued(&mut next).len() > 1000);
}

#[test]
fn a_call_over_two_shards_is_linked_and_unlinked() {
    let node = node(2, 1);
    let connection = node.control.connect(&id("g"));
    node.join(&connection, join("c", "s1")).unwrap();
    node.join(&connection, join("c", "s2")).unwrap();
    assert_eq!(node.received(0), ["join s1", "link 1 up to 1"]);
    assert_eq!(node.received(1), ["join s2", "link 1 up to 0"]);
    node.closed("g", "s2");
    assert_eq!(node.received(0), ["link 1 down"]);
    assert_eq!(node.received(1), ["link 1 down"]);
}

#[test]
fn who_joins_a_leg_that_panicked_is_linked_with_the_other_shard() {
    let node = node(2, 1);
    let connection = node.control.connect(&id("g"));
    for session in ["s1", "s2"] {
        node.join(&connection, join("c", session)).unwrap();
    }
    node.received(0);
    node.received(1);
    // The leg on the second shard panics; somebody joins before that is known here.
    node.join(&connection, join("c", "s3")).unwrap();
    node.join(&connection, join("c", "s4")).unwrap();
    let lost = if node.received(1).contains(&"join s3".to_owned()) {
        ["s2", "s3"]
    } else {
        ["s2", "s4"]
    };
    node.received(0);
    node.closed("g", lost[0]);
    assert_eq!(node.received(1), [""; 0], "the leg has a session");
    node.control.shard_event(ShardEvent::LegLost {
        call: CallKey {
            group: id("g"),
            call: CallId::parse("c").unwrap(),
        },
        shard: ShardId(1),
    });
    assert_eq!(node.received(0), ["link 1 down", "link 2 up to 1"]);
    assert_eq!(node.received(1), ["link 1 down", "link 2 up to 0"]);
    // When the last session is gone too, so are the new links.
    node.closed("g", lost[1]);
    assert_eq!(node.received(1), ["link 2 down"]);
}

#[test]
fn a_socket_that_fails_on_any_shard_is_known() {
    let node = node(2, 1);
    assert!(!node.control.has_failing_sockets());
    let gauge = &node.control.metrics.own.sockets_failing;
    gauge.with_label_values(&["1"]).set(1);
    assert!(node.control.has_failing_sockets());
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_goes_no_further() {
    let node = node(1, 10);
    let connection = node.control.connect(&id("g"));
    node.join(&connection, join("c", "s")).unwrap();
    let said = |kind, data: &str| RtcMessage {
        kind,
        data: data.as_bytes().to_vec(),
        ..rtc("s")
    };
    let messages = [
        said(RtcKind::Ice, "{"),
        said(RtcKind::ScreenOn, "{"),
        said(RtcKind::VoiceOn, ""),
        said(RtcKind::Ice, r#"{"candidate":""}"#),
        said(RtcKind::Mute, ""),
    ];
    for message in messages {
        node.control.rtc(&id("g"), message).await.unwrap();
    }
    assert_eq!(node.received(0), ["join s", "control s"]);
    let drops = &node.control.metrics.own.drops;
    let refused = drops.with_label_values(&["door", "bad_message"]).get();
    assert_eq!(refused, 3);
}

#[tokio::test]
async fn a_draining_node_takes_joins_to_its_calls_only() {
    let node = node(1, 10);
    let connection = node.control.connect(&id("g"));
    node.join(&connection, join("c", "s1")).unwrap();
    node.control.drain();
    assert_eq!(
        node.join(&connection, join("d", "s2")),
        Err(ControlError::Draining)
    );
    node.join(&connection, join("c", "s3")).unwrap();
    let drained = node.control.wait_until_empty();
    tokio::pin!(drained);
    assert!(
        tokio::time::timeout(Duration::ZERO, &mut drained)
            .await
            .is_err()
    );
    node.closed("g", "s1");
    assert!(
        tokio::time::timeout(Duration::ZERO, &mut drained)
            .await
            .is_err()
    );
    node.closed("g", "s3");
    drained.await;
}

#[test]
fn sessions_are_listed_within_their_tenant() {
    let node = node(1, 10);
    let connection = node.control.connect(&id("g"));
    let neighbour = node.control.connect(&id("f"));
    node.join(&neighbour, join("c", "s9")).unwrap();
    for session in ["s1", "s2"] {
        node.join(&connection, join("c", session)).unwrap();
    }
    let sessions = node.control.sessions_of_call(&id("g"), "c").unwrap();
    assert_eq!(sessions.len(), 2);
    let found = node.control.session_of_call(&id("g"), "c", "s2").unwrap();
    assert_eq!(
        serde_json::to_string(&found).unwrap(),
        r#"{"GroupID":"g","CallID":"c","UserID":"user","SessionID":"s2","Props":{"av1Support":false,"channelID":"channel","dcSignaling":true}}"#
    );
    let missing = [
        (
            node.control.session_of_call(&id("x"), "c", "s2"),
            LookupError::Group,
        ),
        (
            node.control.session_of_call(&id("g"), "d", "s2"),
            LookupError::Call,
        ),
        (
            node.control.session_of_call(&id("g"), "c", "s9"),
            LookupError::Session,
        ),
    ];
    for (found, error) in missing {
        assert_eq!(found, Err(error));
    }
}

mod nodes;
