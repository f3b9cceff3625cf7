//! Relayed addresses of sessions: asked for at the join, told when they can be made use of.

use std::net::SocketAddr;

use proto::rtcd::{ControlMessage, RtcKind, RtcMessage};
use rtcd_core::SessionKey;
use tracing::info;

use super::Control;
use crate::turn::{self, Relay};

/// A relayed address, had or asked for. The participant is told after our first description: before
/// it a candidate has no connection to belong to.
#[derive(Debug)]
pub(super) struct SessionRelay {
    relay: Relay,
    address: Option<SocketAddr>,
    is_described: bool,
}

impl SessionRelay {
    /// Lets through the addresses that a participant's message names.
    pub(super) fn permit(&self, message: &RtcMessage) {
        self.relay.permit(message);
    }

    /// Our description is on its way to the participant.
    pub(super) fn described(&mut self) {
        self.is_described = true;
    }

    /// The relay has an address.
    pub(super) fn had(&mut self, address: SocketAddr) {
        self.address = Some(address);
    }
}

impl Control {
    pub(super) fn relay_for(&self, key: &SessionKey) -> Option<SessionRelay> {
        let relay = self.relays.as_ref()?.open(key)?;
        Some(SessionRelay {
            relay,
            address: None,
            is_described: false,
        })
    }

    /// Tells a relayed address once both it and our description are there.
    pub(super) fn relay_changed(&self, key: &SessionKey, change: impl FnOnce(&mut SessionRelay)) {
        let mut state = self.lock();
        let Some(session) = state.sessions.get_mut(key) else {
            return;
        };
        let Some(relay) = session.relay.as_mut() else {
            return;
        };
        change(relay);
        let Some(address) = relay.address.take_if(|_| relay.is_described) else {
            return;
        };
        let message = RtcMessage {
            group: key.group.to_string(),
            user: session.user.to_string(),
            session: key.session.to_string(),
            call: session.call.to_string(),
            kind: RtcKind::Ice,
            data: turn::candidate(address),
        };
        info!(sessionID = %key.session, %address, "relayed address told");
        self.deliver(
            &mut state,
            &key.group,
            &key.session,
            ControlMessage::Rtc(message),
        );
    }
}
