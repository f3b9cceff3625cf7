//! What other nodes are told and may say.

use std::sync::Mutex;

use proto::rtcd::{CallName, LegMessage, LegToLeg, NodeLegs, NodeMessage};

use super::*;
use crate::node_link::{FarPacket, NodeLink};
use crate::placement::NodeSerial;

/// Another node, which writes down what it is told.
#[derive(Debug)]
struct Other {
    serial: u32,
    told: Mutex<Vec<String>>,
}

impl Other {
    fn new(serial: u32) -> Arc<Self> {
        Arc::new(Self {
            serial,
            told: Mutex::default(),
        })
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

impl NodeLink for Other {
    fn serial(&self) -> NodeSerial {
        NodeSerial(self.serial)
    }

    fn node(&self) -> Arc<str> {
        "other".into()
    }

    fn url(&self) -> Option<String> {
        Some("http://other:8045".to_owned())
    }

    fn room(&self) -> Option<u16> {
        Some(0)
    }

    fn is_congested(&self) -> bool {
        false
    }

    fn say(&self, message: &NodeMessage) {
        let text = match message {
            NodeMessage::Legs(legs) => format!("legs of {} {:?}", legs.call.call, legs.shards),
            NodeMessage::Asked(asked) => format!("asked {}", about(&asked.message)),
            NodeMessage::Told(told) => format!("told {}", about(&told.message)),
            NodeMessage::Leg(_) | NodeMessage::Track(_) | NodeMessage::TrackOver { .. } => {
                format!("{message:?}")
            }
        };
        self.told.lock().unwrap().push(text);
    }

    fn send(&self, _packet: &FarPacket) -> bool {
        true
    }

    fn forget(&self, _call: &CallKey, _from: ShardId) {}
}

fn about(message: &ControlMessage) -> String {
    match message {
        ControlMessage::Join(join) => format!("join {}", join.session),
        ControlMessage::Leave(session) => format!("leave {session}"),
        ControlMessage::Reconnect(session) => format!("reconnect {session}"),
        ControlMessage::Rtc(message) => format!("rtc {}", message.session),
        ControlMessage::Close(session) => format!("close {session}"),
        ControlMessage::Vad(_) | ControlMessage::Hello(_) | ControlMessage::Unknown(_) => {
            format!("{message:?}")
        }
    }
}

fn legs(call: &str, shards: &[u8]) -> NodeLegs {
    NodeLegs {
        call: CallName {
            group: id("g"),
            call: CallId::parse(call).unwrap(),
        },
        shards: shards.to_vec(),
    }
}

fn node_name() -> Arc<str> {
    "other".into()
}

#[test]
fn legs_here_are_told_and_joined_with_those_of_other_nodes() {
    let node = node(2, 1);
    let connection = node.control.connect(&id("g"));
    node.join(&connection, join("c", "s1")).unwrap();
    let other = Other::new(7);
    node.control.node_came(other.clone());
    assert_eq!(other.told(), ["legs of c [0]"]);
    node.control.node_legs(NodeSerial(7), legs("c", &[3]));
    assert_eq!(node.received(0), ["join s1", "link up to 3 of node 7"]);
    node.join(&connection, join("c", "s2")).unwrap();
    assert_eq!(other.told(), ["legs of c [0, 1]"]);
    let joined = node.received(1);
    assert_eq!(joined.len(), 3, "both legs, near and far: {joined:?}");

    // What a leg there says reaches the one that is meant.
    node.received(0);
    node.control.leg_said(
        NodeSerial(7),
        LegToLeg {
            call: legs("c", &[]).call,
            from: 3,
            to: 1,
            said: LegMessage::Greeting { is_answer: true },
        },
    );
    assert_eq!(node.received(0), [""; 0]);
    assert_eq!(node.received(1).len(), 1);
    node.closed("g", "s2");
    assert_eq!(other.told(), ["legs of c [0]"]);
    node.received(0);
    node.control.node_went(NodeSerial(7));
    let down = node.received(0);
    assert!(down.len() == 1 && down[0].ends_with("down"), "{down:?}");
    // One that has gone says nothing more.
    node.control.node_legs(NodeSerial(7), legs("c", &[3]));
    assert_eq!(node.received(0), [""; 0]);
}

#[tokio::test]
async fn a_session_that_was_given_away_is_spoken_to_and_heard_through_this_node() {
    let node = node(1, 10);
    let mut connection = node.control.connect(&id("g"));
    let other = Other::new(7);
    node.control.node_came(other.clone());
    node.control.drain();
    node.join(&connection, join("c", "s")).unwrap();
    assert_eq!(
        node.join(&connection, join("c", "s")),
        Err(ControlError::DuplicateJoin)
    );
    assert_eq!(node.received(0), [""; 0]);
    node.control.rtc(&id("g"), rtc("s")).await.unwrap();
    assert_eq!(other.told(), ["asked join s", "asked rtc s"]);
    assert_eq!(
        node.control.sessions_of_call(&id("g"), "c").unwrap().len(),
        1
    );

    let told = |from: &Arc<str>, message| node.control.told_by(from, &id("g"), message);
    told(&node_name(), ControlMessage::Rtc(rtc("s")));
    told(&node_name(), ControlMessage::Vad(rtc("s")));
    // Another node has no say in it, and nobody has one in what is not there.
    told(&"third".into(), ControlMessage::Rtc(rtc("s")));
    told(&node_name(), ControlMessage::Rtc(rtc("t")));
    assert_eq!(queued(&mut connection), ["rtc s", "vad s"]);

    // The connection between the nodes is made anew; what was wanted meanwhile is said then.
    node.control.node_went(NodeSerial(7));
    node.control
        .leave(&id("g"), SessionId::parse("s").unwrap())
        .unwrap();
    let again = Other::new(8);
    node.control.node_came(again.clone());
    assert_eq!(again.told(), ["asked leave s"]);
    told(
        &node_name(),
        ControlMessage::Close(SessionId::parse("s").unwrap()),
    );
    assert_eq!(queued(&mut connection), ["close s"]);
    assert_eq!(node.control.session_count(), 0);
}

#[test]
fn who_stays_away_is_given_up_and_who_comes_back_in_time_is_not() {
    let node = node(1, 10);
    let mut connection = node.control.connect(&id("g"));
    node.control.node_came(Other::new(7));
    node.control.drain();
    node.join(&connection, join("c", "s")).unwrap();
    node.control.node_went(NodeSerial(7));
    let again = Other::new(8);
    node.control.node_came(again.clone());
    assert_eq!(again.told(), ["asked reconnect s"]);
    node.control.node_stays_away(&node_name());
    assert_eq!(queued(&mut connection), [""; 0], "it is back");
    node.control.node_went(NodeSerial(8));
    node.control.node_stays_away(&node_name());
    assert_eq!(queued(&mut connection), ["close s"]);
}

#[test]
fn a_session_that_another_node_gave_is_told_of_there() {
    let node = node(1, 10);
    let other = Other::new(7);
    node.control.node_came(other.clone());
    let join_for = |session: &str| {
        let join = join("c", session);
        node.control
            .join_for(&node_name(), &id("g"), join, Arc::default())
    };
    join_for("s").unwrap();
    assert_eq!(join_for("s"), Err(ControlError::DuplicateJoin));
    assert_eq!(other.told(), ["legs of c [0]", "told close s"]);
    node.signal("g", "s");
    assert_eq!(other.told(), ["told rtc s"]);

    // The other node is gone, and whoever it asked for is connected here, too.
    node.control.node_went(NodeSerial(7));
    let mut connection = node.control.connect(&id("g"));
    node.signal("g", "s");
    assert_eq!(queued(&mut connection), ["rtc s"]);
    node.control.node_came(Other::new(8));
    let session = |name: &str| SessionId::parse(name).unwrap();
    node.control
        .rebind_for(&node_name(), &id("g"), session("s"));
    let back = Other::new(9);
    node.control.node_went(NodeSerial(8));
    node.control.node_came(back.clone());
    node.control
        .rebind_for(&node_name(), &id("g"), session("t"));
    assert_eq!(
        back.told(),
        ["legs of c [0]", "told close t"],
        "it is not here"
    );
    node.signal("g", "s");
    assert_eq!(back.told(), ["told rtc s"]);
}

#[tokio::test]
async fn who_has_a_session_is_said_and_whoever_speaks_to_that_node_needs_this_one_no_more() {
    let given = node(1, 10);
    let mut connection = given.control.connect(&id("g"));
    given.control.node_came(Other::new(7));
    given.control.drain();
    given.join(&connection, join("c", "s")).unwrap();
    let answer = RtcMessage {
        kind: RtcKind::Sdp,
        ..rtc("s")
    };
    let told = |message| given.control.told_by(&node_name(), &id("g"), message);
    told(ControlMessage::Rtc(answer));
    let heard = std::iter::from_fn(|| connection.queue.try_recv().ok());
    let nodes = heard.filter_map(|message| {
        if let ControlMessage::Rtc(about) = message {
            Some(about.node)
        } else {
            None
        }
    });
    assert_eq!(nodes.collect::<Vec<_>>(), ["http://other:8045"]);
    let session = SessionId::parse("s").unwrap();
    told(ControlMessage::Reconnect(session.clone()));
    assert_eq!(given.control.session_count(), 0);
    assert_eq!(queued(&mut connection), [""; 0], "it goes on");
    // What was said before is passed on, and no more than that.
    let candidate = RtcMessage {
        kind: RtcKind::Ice,
        ..rtc("s")
    };
    given.control.rtc(&id("g"), candidate).await.unwrap();
    let late = given.control.rtc(&id("g"), rtc("s")).await;
    assert_eq!(late, Err(ControlError::UnknownSession));

    // At the node that has it.
    let has = node(1, 10);
    let other = Other::new(7);
    has.control.node_came(other.clone());
    let join = join("c", "s");
    has.control
        .join_for(&node_name(), &id("g"), join, Arc::default())
        .unwrap();
    let mut connection = has.control.connect(&id("g"));
    has.control.rebind(&connection, session.clone()).unwrap();
    assert_eq!(other.told(), ["legs of c [0]", "told reconnect s"]);
    has.signal("g", "s");
    assert_eq!(queued(&mut connection), ["rtc s"]);
    // The other may have been away, and knows of nothing.
    let asked = async |message| {
        let done = has.control.asked_by(&node_name(), &id("g"), message).await;
        done.unwrap();
        has.received(0)
    };
    has.received(0);
    for overtaken in [
        ControlMessage::Leave(session.clone()),
        ControlMessage::Reconnect(session.clone()),
        ControlMessage::Rtc(rtc("s")),
    ] {
        assert_eq!(asked(overtaken).await, [""; 0]);
        assert_eq!(other.told(), ["told reconnect s"]);
    }
    let description = RtcMessage {
        kind: RtcKind::Sdp,
        ..rtc("s")
    };
    assert_eq!(asked(ControlMessage::Rtc(description)).await, ["control s"]);
    // Whoever asks for one that is not here is told.
    let gone = SessionId::parse("gone").unwrap();
    assert!(has.control.rebind(&connection, gone).is_err());
    assert_eq!(queued(&mut connection), ["close gone"]);
}
