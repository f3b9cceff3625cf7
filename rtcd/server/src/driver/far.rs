//! A shard's links to legs of other nodes.
//!
//! In: what legs here say. Out: the same, to the connections of those nodes; a packet that several legs
//! of one node want goes there once.
//! Invariant: nothing that is said or sent later goes out before a packet that waits here, and none waits
//! beyond the turn.

use std::collections::HashMap;
use std::sync::Arc;

use proto::rtcd::{LegToLeg, NodeMessage};
use rtcd_core::{CallKey, LinkId, LinkMessage};

use crate::node_link::{FarPacket, NodeLink, call_name, write};
use crate::placement::{FarLeg, ShardId};

#[derive(Debug)]
struct Link {
    node: Arc<dyn NodeLink>,
    leg: FarLeg,
    /// Calls that use it.
    calls: usize,
}

/// The links of one shard to legs of other nodes.
#[derive(Debug)]
pub(super) struct FarLinks {
    own: ShardId,
    links: HashMap<LinkId, Link>,
    /// The last packet, which further legs of the same node may want.
    waiting: Option<(Arc<dyn NodeLink>, FarPacket)>,
}

impl FarLinks {
    pub(super) fn new(own: ShardId) -> Self {
        Self {
            own,
            links: HashMap::new(),
            waiting: None,
        }
    }

    /// Another call has a leg there.
    pub(super) fn up(&mut self, node: Arc<dyn NodeLink>, leg: FarLeg) {
        let link = self.links.entry(leg.link()).or_insert(Link {
            node,
            leg,
            calls: 0,
        });
        link.calls += 1;
    }

    /// A call has none there any more; false when the link is another shard's.
    pub(super) fn down(&mut self, call: &CallKey, id: LinkId) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        link.node.forget(call, self.own);
        link.calls -= 1;
        if link.calls == 0 {
            self.links.remove(&id);
        }
        true
    }

    /// Sends what a leg says, or keeps it for a moment. False when a packet did not leave: this one, or
    /// the one that waited.
    pub(super) fn send(&mut self, call: CallKey, id: LinkId, message: LinkMessage) -> bool {
        // Its other end went while this was on its way.
        let Some(link) = self.links.get(&id) else {
            return true;
        };
        let LinkMessage::Rtp {
            track,
            layer,
            packet,
        } = message
        else {
            let node = Arc::clone(&link.node);
            let to = link.leg.shard;
            let left = self.flush();
            if let Some(said) = write(&message) {
                node.say(&NodeMessage::Leg(LegToLeg {
                    call: call_name(&call),
                    from: u8::try_from(self.own.0).unwrap_or(u8::MAX),
                    to,
                    said,
                }));
            }
            return left;
        };
        let to = 1 << link.leg.shard;
        if let Some((node, waiting)) = &mut self.waiting
            && node.serial() == link.leg.node
            && Arc::ptr_eq(&waiting.packet.payload, &packet.payload)
        {
            waiting.to |= to;
            return true;
        }
        let packet = FarPacket {
            call,
            from: self.own,
            to,
            track,
            layer,
            packet,
        };
        let node = Arc::clone(&link.node);
        let left = self.flush();
        self.waiting = Some((node, packet));
        left
    }

    /// Sends the packet that waits, if any; false when it did not leave.
    pub(super) fn flush(&mut self) -> bool {
        let waiting = self.waiting.take();
        waiting.is_none_or(|(node, packet)| node.send(&packet))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proto::id::{CallId, GroupId, SessionId};
    use rtcd_core::{Layer, LinkedPacket, LinkedTrackId};

    use super::*;
    use crate::placement::NodeSerial;

    /// Writes down what it is given.
    #[derive(Debug, Default)]
    struct Node(u32, Mutex<Vec<String>>);

    impl NodeLink for Node {
        fn serial(&self) -> NodeSerial {
            NodeSerial(self.0)
        }

        fn node(&self) -> Arc<str> {
            "n".into()
        }

        fn url(&self) -> Option<String> {
            None
        }

        fn room(&self) -> Option<u16> {
            None
        }

        fn is_congested(&self) -> bool {
            false
        }

        fn say(&self, message: &NodeMessage) {
            let NodeMessage::Leg(leg) = message else {
                panic!("{message:?}")
            };
            self.note(format!("{} to {}", leg.from, leg.to));
        }

        fn send(&self, packet: &FarPacket) -> bool {
            self.note(format!(
                "packet {} to {:b}",
                packet.packet.seq_no, packet.to
            ));
            true
        }

        fn forget(&self, _call: &CallKey, from: ShardId) {
            self.note(format!("nothing more from {}", from.0));
        }
    }

    impl Node {
        fn note(&self, what: String) {
            self.1.lock().unwrap().push(what);
        }

        fn told(&self) -> Vec<String> {
            std::mem::take(&mut *self.1.lock().unwrap())
        }
    }

    fn call() -> CallKey {
        CallKey {
            group: GroupId::parse("g").unwrap(),
            call: CallId::parse("c").unwrap(),
        }
    }

    fn packet(seq_no: u64) -> LinkMessage {
        LinkMessage::Rtp {
            track: LinkedTrackId {
                publisher: SessionId::parse("anna").unwrap(),
                number: 1,
            },
            layer: Layer::LOW,
            packet: LinkedPacket {
                seq_no,
                timestamp: 0,
                marker: false,
                audio_level: None,
                payload: [1, 2].into(),
            },
        }
    }

    #[test]
    fn a_packet_goes_to_a_node_once_and_before_what_is_said_later() {
        let nodes = [1, 2].map(|serial| Arc::new(Node(serial, Mutex::default())));
        let leg = |node: u32, shard| FarLeg {
            node: NodeSerial(node),
            shard,
        };
        let legs = [leg(1, 0), leg(1, 5), leg(2, 0)];
        let mut far = FarLinks::new(ShardId(3));
        for leg in legs {
            let node = &nodes[leg.node.0 as usize - 1];
            far.up(node.clone(), leg);
        }
        let first = packet(1);
        for leg in legs {
            assert!(far.send(call(), leg.link(), first.clone()));
        }
        assert!(far.send(call(), legs[0].link(), packet(2)));
        let greeting = LinkMessage::Greeting { is_answer: false };
        assert!(far.send(call(), legs[1].link(), greeting));
        assert_eq!(
            nodes[0].told(),
            ["packet 1 to 100001", "packet 2 to 1", "3 to 5"]
        );
        assert_eq!(nodes[1].told(), ["packet 1 to 1"]);
        assert!(far.send(call(), legs[2].link(), packet(3)));
        assert_eq!(
            nodes[1].told(),
            Vec::<String>::new(),
            "another leg may want it"
        );
        assert!(far.flush());
        assert_eq!(nodes[1].told(), ["packet 3 to 1"]);

        // Another call uses the same link, and goes on with it.
        far.up(nodes[1].clone(), legs[2]);
        assert!(far.down(&call(), legs[2].link()));
        assert!(far.send(call(), legs[2].link(), packet(4)));
        assert!(far.down(&call(), legs[2].link()));
        assert!(!far.down(&call(), legs[2].link()), "it is gone");
        far.flush();
        assert_eq!(
            nodes[1].told(),
            [
                "nothing more from 3",
                "nothing more from 3",
                "packet 4 to 1"
            ]
        );
    }
}
