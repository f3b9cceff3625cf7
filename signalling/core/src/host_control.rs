//! What the host (or a system admin) may do to others.
//!
//! Mute, screen off and lower hand are requests to the client; only removal and the end are
//! enforced, after a grace.

use proto::calls::Event;
use proto::calls::event::{HostRequest, LowerHand, Removal};
use proto::id::{ChannelId, SessionId, UserId};

use crate::REMOVAL_GRACE;
use crate::calls::Calls;
use crate::io::Moment;

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

/// Why a host control was refused; the texts are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostControlError {
    #[error("no call ongoing")]
    NoCall,
    #[error("no permissions")]
    NotHost,
    #[error("requested session or user is not in the call")]
    NotInCall,
    #[error("cannot assign the bot to be host: not allowed")]
    BotHost,
}

impl Calls {
    /// Carries out a host control.
    ///
    /// # Errors
    /// When no call runs, `by` is neither host nor admin, or the target is not in the call.
    pub fn host_control(
        &mut self,
        channel: &ChannelId,
        by: &UserId,
        is_admin: bool,
        control: HostControl,
        at: Moment,
    ) -> Result<(), HostControlError> {
        let call = self.running(channel).ok_or(HostControlError::NoCall)?;
        if call.host.as_ref() != Some(by) && !is_admin {
            return Err(HostControlError::NotHost);
        }
        match control {
            HostControl::Make { new_host } => self.make_host(channel, &new_host),
            HostControl::Mute { session } => self.ask_to_mute(channel, &session),
            HostControl::MuteOthers => {
                let others = call.people().filter(|s| s.unmuted && s.user != *by);
                let others: Vec<SessionId> = others.map(|session| session.id.clone()).collect();
                others
                    .iter()
                    .try_for_each(|session| self.ask_to_mute(channel, session))
            }
            HostControl::ScreenOff { session } => self.ask_screen_off(channel, &session),
            HostControl::LowerHand { session } => self.ask_to_lower_hand(channel, by, &session),
            HostControl::Remove { session } => self.ask_to_go(channel, &session, at),
            HostControl::End => {
                self.end_for_everybody(channel, at);
                Ok(())
            }
        }
    }

    fn make_host(
        &mut self,
        channel: &ChannelId,
        new_host: &UserId,
    ) -> Result<(), HostControlError> {
        if *new_host == self.features.bot {
            return Err(HostControlError::BotHost);
        }
        let call = self
            .calls
            .get_mut(channel)
            .ok_or(HostControlError::NoCall)?;
        if !call.has_person(new_host) {
            return Err(HostControlError::NotInCall);
        }
        call.host_locked = Some(new_host.clone());
        call.elect_host(&mut self.out);
        call.store(&mut self.out);
        Ok(())
    }

    fn ask_to_mute(
        &mut self,
        channel: &ChannelId,
        session: &SessionId,
    ) -> Result<(), HostControlError> {
        let call = self.calls.get(channel).ok_or(HostControlError::NoCall)?;
        let target = call
            .sessions
            .get(session)
            .ok_or(HostControlError::NotInCall)?;
        if target.unmuted {
            let request = HostRequest {
                channel_id: channel.clone(),
                session_id: session.clone(),
            };
            self.out
                .tell_user(&target.user, Some(channel), Event::HostMute(request));
        }
        Ok(())
    }

    fn ask_screen_off(
        &mut self,
        channel: &ChannelId,
        session: &SessionId,
    ) -> Result<(), HostControlError> {
        let call = self.calls.get(channel).ok_or(HostControlError::NoCall)?;
        let target = call
            .sessions
            .get(session)
            .ok_or(HostControlError::NotInCall)?;
        if call.presenter.as_ref() == Some(session) {
            let request = HostRequest {
                channel_id: channel.clone(),
                session_id: session.clone(),
            };
            self.out
                .tell_user(&target.user, Some(channel), Event::HostScreenOff(request));
        }
        Ok(())
    }

    fn ask_to_lower_hand(
        &mut self,
        channel: &ChannelId,
        by: &UserId,
        session: &SessionId,
    ) -> Result<(), HostControlError> {
        let call = self.calls.get(channel).ok_or(HostControlError::NoCall)?;
        let target = call
            .sessions
            .get(session)
            .ok_or(HostControlError::NotInCall)?;
        if target.raised_hand_ms > 0 {
            let request = LowerHand {
                call_id: call.id.clone(),
                channel_id: channel.clone(),
                session_id: session.clone(),
                host_id: by.clone(),
            };
            self.out
                .tell_user(&target.user, Some(channel), Event::HostLowerHand(request));
        }
        Ok(())
    }

    fn ask_to_go(
        &mut self,
        channel: &ChannelId,
        session: &SessionId,
        at: Moment,
    ) -> Result<(), HostControlError> {
        let call = self
            .calls
            .get_mut(channel)
            .ok_or(HostControlError::NoCall)?;
        let target = call
            .sessions
            .get_mut(session)
            .ok_or(HostControlError::NotInCall)?;
        target.removed_until = Some(at.now + REMOVAL_GRACE);
        let removal = Removal {
            call_id: call.id.clone(),
            channel_id: channel.clone(),
            session_id: session.clone(),
            user_id: target.user.clone(),
        };
        call.to_participants(&mut self.out, &Event::HostRemoved(removal));
        Ok(())
    }
}
