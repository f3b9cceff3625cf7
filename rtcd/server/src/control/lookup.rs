//! Which sessions there are, as the HTTP API tells a tenant about its own.

use proto::id::{GroupId, SessionId};
use proto::rtcd::{SessionConfig, SessionProps};
use rtcd_core::SessionKey;

use super::{Control, Home, Session, State};

/// Why no session was found, in the words the API answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("group not found")]
    Group,
    #[error("call not found")]
    Call,
    #[error("session not found")]
    Session,
}

impl Control {
    /// Lists the sessions of a call of one tenant.
    ///
    /// # Errors
    /// Which of tenant and call is not here.
    pub(crate) fn sessions_of_call(
        &self,
        group: &GroupId,
        call: &str,
    ) -> Result<Vec<SessionConfig>, LookupError> {
        let state = self.lock();
        let mut group_exists = false;
        let found: Vec<SessionConfig> = state
            .of_group(group)
            .inspect(|_| group_exists = true)
            .filter(|(_, session)| session.call.as_str() == call)
            .map(|(key, session)| session.describe(key))
            .collect();
        match (group_exists, found.is_empty()) {
            (false, _) => Err(LookupError::Group),
            (true, true) => Err(LookupError::Call),
            (true, false) => Ok(found),
        }
    }

    /// Describes one session of a call of one tenant.
    ///
    /// # Errors
    /// Which of tenant, call and session is not here.
    pub(crate) fn session_of_call(
        &self,
        group: &GroupId,
        call: &str,
        session: &str,
    ) -> Result<SessionConfig, LookupError> {
        self.sessions_of_call(group, call)?
            .into_iter()
            .find(|config| config.session_id == session)
            .ok_or(LookupError::Session)
    }
}

impl State {
    fn of_group(&self, group: &GroupId) -> impl Iterator<Item = (&SessionKey, &Session)> {
        let wanted = group.clone();
        // The map is ordered by tenant first; ids are never empty, so nothing sorts before "!".
        let first = SessionKey {
            group: group.clone(),
            session: SessionId::parse("!").expect("one printable character is an id"),
        };
        self.sessions
            .range(first..)
            .take_while(move |(key, _)| key.group == wanted)
    }
}

impl Session {
    fn describe(&self, key: &SessionKey) -> SessionConfig {
        SessionConfig {
            group_id: key.group.to_string(),
            call_id: self.call.to_string(),
            user_id: self.user.to_string(),
            session_id: key.session.to_string(),
            props: Some(SessionProps {
                av1_support: Some(self.av1_support),
                channel_id: Some(self.channel.clone()),
                dc_signalling: Some(self.dc_signalling),
                node: match &self.home {
                    Home::Here(_) => None,
                    Home::There(node) => Some(node.to_string()),
                },
            }),
        }
    }
}
