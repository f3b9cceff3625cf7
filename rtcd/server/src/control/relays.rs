//! Relayed addresses of sessions: asked for at the join, told when they can be made use of.

use std::net::SocketAddr;

use proto::rtcd::ControlMessage;
use rtcd_core::{Request, SessionKey, Signal};
use tracing::info;

use super::Control;
use super::delivery::{Ids, message};
use crate::door::rtcd::{self as door, Said};
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
    pub(super) fn permit(&self, said: &Said) {
        match said {
            Said::Candidate(line) => self.relay.permit_candidate(line),
            Said::Asks(Request::Describe(description)) => {
                self.relay.permit_description(&description.sdp);
            }
            Said::Asks(
                Request::DescribeUnreadably
                | Request::Mute(_)
                | Request::ScreenOn { .. }
                | Request::ScreenOff
                | Request::CameraOn { .. },
            )
            | Said::Nothing => {}
        }
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
        let signal = Signal::Candidate(turn::candidate(address));
        let (kind, data) = door::write(signal);
        let message = message(Ids { key, session }, kind, data);
        info!(sessionID = %key.session, %address, "relayed address told");
        self.deliver(
            &mut state,
            &key.group,
            &key.session,
            ControlMessage::Rtc(message),
        );
    }
}
