//! Other nodes that have legs of the calls of this one.
//!
//! In: nodes that come and go, and which legs they have. Out: links between those and the legs here; to
//! every node, which legs are here.
//! Everybody tells everybody: whoever has a session of a call joins all its legs without asking anyone.

use std::sync::Arc;

use proto::rtcd::{LegToLeg, NodeLegs, NodeMessage};
use rtcd_core::CallKey;
use tracing::{debug, info};

use super::{Control, State};
use crate::driver::ShardMessage;
use crate::node_link::{NodeLink, call_key, call_name, read};
use crate::placement::{FarLeg, FarLink, NodeSerial, ShardId};

impl Control {
    /// There is a connection to another node: it learns of all legs here.
    pub(crate) fn node_came(&self, node: Arc<dyn NodeLink>) {
        let mut state = self.lock();
        for call in state.placement.calls() {
            let shards = state.placement.legs_of(call);
            node.say(&legs(call, &shards));
        }
        Self::ask_for_sessions(&state, &*node);
        state.nodes.insert(node.serial(), node);
    }

    /// A connection to another node is over, and with it all links to legs there.
    pub(crate) fn node_went(&self, node: NodeSerial) {
        let mut state = self.lock();
        state.nodes.remove(&node);
        for (call, broken) in state.placement.far_node_went(node) {
            info!(groupID = %call.group, callID = %call.call, "legs of a node are gone");
            for link in broken {
                self.far_link_down(&call, link);
            }
        }
    }

    /// Another node has these legs of a call.
    pub(crate) fn node_legs(&self, node: NodeSerial, legs: NodeLegs) {
        let call = call_key(legs.call);
        let mut state = self.lock();
        if !state.nodes.contains_key(&node) {
            return;
        }
        debug!(groupID = %call.group, callID = %call.call, shards = ?legs.shards, "legs of a node");
        let (broken, made) = state.placement.far_legs(&call, node, legs.shards);
        for link in broken {
            self.far_link_down(&call, link);
        }
        for link in made {
            self.far_link_up(&state, &call, link);
        }
    }

    /// A leg of another node says something to one here.
    pub(crate) fn leg_said(&self, node: NodeSerial, said: LegToLeg) {
        let leg = FarLeg {
            node,
            shard: said.from,
        };
        let Some(message) = read(said.said) else {
            self.metrics.dropped("node_link", "malformed");
            return;
        };
        let message = ShardMessage::Linked {
            call: call_key(said.call),
            link: leg.link(),
            message,
        };
        // Refused only by a shard that stands still, which is logged and counted there.
        let _ = self.shards.send(ShardId(usize::from(said.to)), message);
    }

    /// Tells every other node which legs of a call there are here now.
    pub(super) fn tell_legs(&self, state: &State, call: &CallKey) {
        if !state.nodes.is_empty() {
            tell(state, call, &state.placement.legs_of(call));
        }
    }

    /// The leg on this shard is another now: the other nodes join it anew.
    pub(super) fn rejoin_far(&self, state: &State, call: &CallKey, shard: ShardId) {
        let links = state.placement.far_links(call, shard);
        for link in &links {
            self.far_link_down(call, *link);
        }
        let mut others = state.placement.legs_of(call);
        others.retain(|other| *other != shard);
        tell(state, call, &others);
        for link in links {
            self.far_link_up(state, call, link);
        }
        self.tell_legs(state, call);
    }

    pub(super) fn far_link_up(&self, state: &State, call: &CallKey, link: FarLink) {
        let Some(node) = state.nodes.get(&link.there.node) else {
            return;
        };
        let message = ShardMessage::FarLinkUp {
            call: call.clone(),
            leg: link.there,
            node: Arc::clone(node),
        };
        // As above.
        let _ = self.shards.send(link.here, message);
    }

    pub(super) fn far_link_down(&self, call: &CallKey, link: FarLink) {
        let message = ShardMessage::LinkDown {
            call: call.clone(),
            link: link.there.link(),
        };
        // As above.
        let _ = self.shards.send(link.here, message);
    }
}

fn tell(state: &State, call: &CallKey, shards: &[ShardId]) {
    let message = legs(call, shards);
    for node in state.nodes.values() {
        node.say(&message);
    }
}

fn legs(call: &CallKey, shards: &[ShardId]) -> NodeMessage {
    let shards = shards.iter().filter_map(|shard| u8::try_from(shard.0).ok());
    NodeMessage::Legs(NodeLegs {
        call: call_name(call),
        shards: shards.collect(),
    })
}
