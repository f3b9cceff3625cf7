//! What the host (or a system admin) may do to others.
//!
//! Mute, screen off and lower hand are requests to the client; only removal and the end are
//! enforced, after a grace.

use proto::id::{SessionId, UserId};

use crate::REMOVAL_GRACE;
use crate::call::Call;
use crate::conversation::Conversation;
use crate::io::Moment;
use crate::news::News;

/// One host control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostControl {
    Make { new_host: UserId },
    Mute { session: SessionId },
    MuteOthers,
    ScreenOff { session: SessionId },
    LowerHand { session: SessionId },
    Remove { session: SessionId },
    End,
}

/// Why a host control was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostControlError {
    NoCall,
    NotHost,
    /// The person or session meant is not in the call.
    NotInCall,
    /// The bot cannot be host.
    BotHost,
}

impl Call {
    /// Carries out a host control.
    ///
    /// # Errors
    /// When no call runs, `by` is neither host nor admin, or the target is not in the call.
    pub fn host_control(
        &mut self,
        by: &UserId,
        is_admin: bool,
        control: HostControl,
        at: Moment,
    ) -> Result<(), HostControlError> {
        let call = self.running_mut().ok_or(HostControlError::NoCall)?;
        if call.host.as_ref() != Some(by) && !is_admin {
            return Err(HostControlError::NotHost);
        }
        match control {
            HostControl::Make { new_host } => call.make_host(&new_host),
            HostControl::Mute { session } => call.ask_to_mute(by, &session),
            HostControl::MuteOthers => {
                let others = call.people().filter(|s| s.unmuted && s.user != *by);
                let others: Vec<SessionId> = others.map(|session| session.id.clone()).collect();
                others
                    .iter()
                    .try_for_each(|session| call.ask_to_mute(by, session))
            }
            HostControl::ScreenOff { session } => call.ask_to_stop_screen(by, session),
            HostControl::LowerHand { session } => call.ask_to_lower_hand(by, session),
            HostControl::Remove { session } => call.ask_to_go(&session, at),
            HostControl::End => {
                call.end_for_everybody(at);
                Ok(())
            }
        }
    }
}

impl Conversation {
    fn make_host(&mut self, new_host: &UserId) -> Result<(), HostControlError> {
        if *new_host == self.setting.features.bot {
            return Err(HostControlError::BotHost);
        }
        if !self.has_person(new_host) {
            return Err(HostControlError::NotInCall);
        }
        self.host_locked = Some(new_host.clone());
        self.elect_host();
        self.store();
        Ok(())
    }

    fn ask_to_mute(&mut self, by: &UserId, session: &SessionId) -> Result<(), HostControlError> {
        let target = self.sessions.get(session);
        let target = target.ok_or(HostControlError::NotInCall)?;
        if target.unmuted {
            let request = News::AskedToMute {
                session: session.clone(),
                host: by.clone(),
            };
            self.out.tell_user(&target.user, request);
        }
        Ok(())
    }

    fn ask_to_stop_screen(
        &mut self,
        by: &UserId,
        session: SessionId,
    ) -> Result<(), HostControlError> {
        let target = self.sessions.get(&session);
        let target = target.ok_or(HostControlError::NotInCall)?;
        if self.presenter.as_ref() == Some(&session) {
            let request = News::AskedToStopScreen {
                session,
                host: by.clone(),
            };
            self.out.tell_user(&target.user, request);
        }
        Ok(())
    }

    fn ask_to_lower_hand(
        &mut self,
        by: &UserId,
        session: SessionId,
    ) -> Result<(), HostControlError> {
        let target = self.sessions.get(&session);
        let target = target.ok_or(HostControlError::NotInCall)?;
        if target.raised_hand_ms > 0 {
            let request = News::AskedToLowerHand {
                call: self.id.clone(),
                session,
                host: by.clone(),
            };
            self.out.tell_user(&target.user, request);
        }
        Ok(())
    }

    fn ask_to_go(&mut self, session: &SessionId, at: Moment) -> Result<(), HostControlError> {
        let target = self.sessions.get_mut(session);
        let target = target.ok_or(HostControlError::NotInCall)?;
        target.removed_until = Some(at.now + REMOVAL_GRACE);
        let (call, who) = (self.id.clone(), target.who());
        self.tell_participants(News::Removed { call, who });
        Ok(())
    }
}
