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
