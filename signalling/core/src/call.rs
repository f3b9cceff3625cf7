//! The call of one channel: what an input means while there is none, and while there is one.
//!
//! ```text
//! idle --join--> starting --post created--> running --last session left--> idle
//!                   |                          |
//!                   +--post refused--> idle    +--host ends--> ending --5 s--> idle
//! ```
//! Not here: what a call does with an input (`conversation`, `join`, `request`, `jobs`).
//! Invariant: whatever comes too late for a call is refused as if there had never been one.

use std::sync::Arc;
use std::time::Duration;

use proto::id::{ChannelId, SessionId, UserId};

use crate::conversation::Conversation;
use crate::io::{Features, Hint, Input, Moment, Output, Refusal, Seat, Setting};
use crate::join::JoinError;
use crate::news::CallView;
use crate::outbox::Outbox;
use crate::record::RestoredCall;

/// The state machine of one channel's call.
#[derive(Debug)]
pub struct Call {
    setting: Setting,
    conversation: Option<Box<Conversation>>,
    /// What a call that is over, or never came to be, has left to say.
    left_over: Outbox,
}

/// There is no call in the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCall;

/// Why a session was not ended for whom it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveError {
    NoCall,
    /// The session is not in the call, or is somebody else's.
    NotYours,
}

impl Call {
    /// Makes a channel without a call.
    #[must_use]
    pub fn new(features: Arc<Features>, channel: ChannelId) -> Self {
        Self {
            setting: Setting { channel, features },
            conversation: None,
            left_over: Outbox::default(),
        }
    }

    /// Takes over a call that ran when its owner ended. Its clients have `grace` to come back.
    #[must_use]
    pub fn restored(
        features: Arc<Features>,
        stored: RestoredCall,
        at: Moment,
        grace: Duration,
    ) -> Self {
        let mut call = Self::new(features, stored.call.channel.clone());
        let conversation = Conversation::restored(call.setting.clone(), stored, at, grace);
        call.conversation = Some(Box::new(conversation));
        call.tidy();
        call
    }

    /// Takes one input. Poll all outputs before the next.
    pub fn handle_input(&mut self, input: Input, at: Moment) {
        match &mut self.conversation {
            Some(conversation) => conversation.handle_input(input, at),
            None => self.handle_without_call(input, at),
        }
        self.tidy();
    }

    /// Returns the next output; `Output::Timeout` says that there is none.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.left_over.pop() {
            return output;
        }
        let Some(conversation) = &mut self.conversation else {
            return Output::Timeout(None);
        };
        let output = conversation.out.pop();
        output.unwrap_or_else(|| Output::Timeout(conversation.deadline()))
    }

    /// Whether there is no call: none began, or it is over. All that is left are its outputs.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.conversation.is_none()
    }

    /// Whether the call was announced and is not over.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// Returns the running call as `viewer` may see it.
    #[must_use]
    pub fn view(&self, viewer: &UserId, at: Moment) -> Option<CallView> {
        self.running()
            .map(|conversation| conversation.view(viewer, at))
    }

    /// Returns whose a person's session is; bots' are not told of.
    #[must_use]
    pub fn person_of(&self, session: &SessionId) -> Option<UserId> {
        let session = self.running()?.sessions.get(session)?;
        (!session.is_bot).then(|| session.user.clone())
    }

    /// Returns every session.
    pub fn seats(&self) -> impl Iterator<Item = Seat> {
        let sessions = self.conversation.iter().flat_map(|c| c.sessions.values());
        sessions.map(|session| session.seat())
    }

    /// Notes that a person does not want to be rung for the running call.
    ///
    /// # Errors
    /// When no call runs here.
    pub fn dismiss(&mut self, user: &UserId) -> Result<(), NoCall> {
        let conversation = self.conversation.as_mut().ok_or(NoCall)?;
        conversation.dismiss(user);
        Ok(())
    }

    /// Ends a session of `by`, whichever client it is asked from.
    ///
    /// # Errors
    /// When no call runs here, or `by` has no such session in it.
    pub fn leave_own(
        &mut self,
        by: &UserId,
        session: &SessionId,
        at: Moment,
    ) -> Result<(), LeaveError> {
        let call = self.running_mut().ok_or(LeaveError::NoCall)?;
        let own = call.sessions.get(session);
        if own.is_none_or(|own| own.user != *by) {
            return Err(LeaveError::NotYours);
        }
        call.remove_session(session, true, at);
        self.tidy();
        Ok(())
    }

    pub(crate) fn running(&self) -> Option<&Conversation> {
        let conversation = self.conversation.as_deref();
        conversation.filter(|conversation| conversation.is_announced())
    }

    pub(crate) fn running_mut(&mut self) -> Option<&mut Conversation> {
        let conversation = self.conversation.as_deref_mut();
        conversation.filter(|conversation| conversation.is_announced())
    }

    /// Announced or not.
    pub(crate) fn any_mut(&mut self) -> Option<&mut Conversation> {
        self.conversation.as_deref_mut()
    }

    pub(crate) fn features(&self) -> &Features {
        &self.setting.features
    }

    fn handle_without_call(&mut self, input: Input, at: Moment) {
        match input {
            Input::Join(request) => {
                let connection = request.connection.clone();
                let user = request.user.clone();
                let had_place = !request.facts.is_connected;
                match Conversation::start(self.setting.clone(), *request, at) {
                    Ok(conversation) => self.conversation = Some(Box::new(conversation)),
                    Err(error) => {
                        let is_for_groups = error == JoinError::GroupCalls;
                        self.left_over.refuse_join(&connection, had_place, error);
                        if is_for_groups {
                            let hint = Hint::GroupCallsOff;
                            self.left_over.push(Output::Hint { user, hint });
                        }
                    }
                }
            }
            Input::Reconnect { .. } => self.left_over.refused(Refusal::Reconnect, "reconnect"),
            Input::Request { request, .. } => {
                self.left_over.refused(Refusal::NoSession, request.name());
            }
            Input::Leave { .. } => self.left_over.refused(Refusal::NoSession, "leave"),
            // Its call is over before it began.
            Input::PostCreated { post, .. } => self.left_over.close_post(post, at),
            Input::StateWanted { .. }
            | Input::Disconnected { .. }
            | Input::LeftRoom { .. }
            | Input::RoomArchived
            | Input::LoginEnded { .. }
            | Input::MediaSignal { .. }
            | Input::MediaVoice { .. }
            | Input::MediaClosed { .. }
            | Input::MediaLost { .. }
            | Input::MediaElsewhere { .. }
            | Input::MediaHostStops { .. }
            | Input::PostRefused { .. }
            | Input::JobAnswered { .. }
            | Input::Broken
            | Input::Timeout => {}
        }
    }

    /// Lets go of a call that is over.
    fn tidy(&mut self) {
        if let Some(over) = self.conversation.take_if(|c| c.is_over()) {
            let mut out = over.out;
            while let Some(output) = out.pop() {
                self.left_over.push(output);
            }
        }
    }
}
