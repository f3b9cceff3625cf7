//! All calls of this installation: which input belongs to which call.
//!
//! Not here: what a call does with it (`call`, `join`, `session_action`, `jobs`).
//! Invariant: `channels_by_session` names exactly the sessions of all calls, and every connection
//! in `sessions_by_connection` leads to one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use proto::calls::event::{Signal, UserSession};
use proto::calls::{CallState, Event};
use proto::id::{CallId, ChannelId, ConnId, PostId, SessionId, UserId};
use proto::rtcd::ControlMessage;

use crate::announce::Outbox;
use crate::call::Call;
use crate::io::{
    Features, Input, MediaHost, Moment, Observation, Output, PostEdit, Record, Refusal,
};
use crate::{END_GRACE, RECONNECT_GRACE};

/// All running calls, at most one per channel.
#[derive(Debug)]
pub struct Calls {
    pub(crate) features: Features,
    pub(crate) calls: BTreeMap<ChannelId, Call>,
    pub(crate) sessions_by_connection: BTreeMap<ConnId, SessionId>,
    pub(crate) channels_by_session: BTreeMap<SessionId, ChannelId>,
    pub(crate) out: Outbox,
}

/// A session as the shell needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    pub session: SessionId,
    pub connection: ConnId,
    pub user: UserId,
    pub login: String,
    pub channel: ChannelId,
    pub call: CallId,
    pub media: MediaHost,
    pub is_bot: bool,
}

impl Calls {
    /// Makes an installation without calls.
    #[must_use]
    pub fn new(features: Features) -> Self {
        let out = Outbox::new(features.bot.clone());
        Self {
            features,
            calls: BTreeMap::new(),
            sessions_by_connection: BTreeMap::new(),
            channels_by_session: BTreeMap::new(),
            out,
        }
    }

    /// Takes one input. Poll all outputs before the next.
    pub fn handle_input(&mut self, input: Input, at: Moment) {
        match input {
            Input::Join(request) => self.handle_join(*request, at),
            Input::Reconnect {
                connection,
                user,
                may_post,
                ask,
            } => {
                self.handle_reconnect(&connection, &user, may_post, &ask, at);
            }
            Input::Action { connection, action } => self.handle_action(&connection, action, at),
            Input::StateWanted {
                connection,
                user,
                may_read,
                channel,
            } => {
                self.handle_state_wanted(&connection, &user, may_read, &channel);
            }
            Input::Disconnected { connection } => self.handle_disconnected(&connection, at),
            Input::LeftRoom { channel, user } => self.handle_left_room(&channel, &user, at),
            Input::RoomArchived { channel } => self.end_for_everybody(&channel, at),
            Input::LoginEnded { login } => {
                let ended = self.sessions().filter(|session| session.login == login);
                let ended: Vec<SessionId> = ended.map(|session| session.session).collect();
                ended
                    .iter()
                    .for_each(|session| self.remove_session(session, true, at));
            }
            Input::MediaSignal { session, json } => self.handle_media_signal(&session, json),
            Input::MediaVoice { session, on } => self.handle_media_voice(&session, on),
            Input::MediaClosed { session } => self.remove_session(&session, false, at),
            Input::PostCreated {
                channel,
                post,
                thread,
            } => {
                self.handle_post_created(&channel, post, thread, at);
            }
            Input::PostRefused { channel, reason } => self.handle_post_refused(&channel, &reason),
            Input::JobAnswered {
                channel,
                job,
                answer,
            } => {
                self.handle_job_answered(&channel, &job, answer, at);
            }
            Input::Timeout => self.handle_timeout(at),
        }
    }

    /// Returns the next output; `Output::Timeout` says that there is none.
    pub fn poll_output(&mut self) -> Output {
        self.out
            .queue
            .pop_front()
            .unwrap_or_else(|| Output::Timeout(self.next_deadline()))
    }

    /// Returns the running call of a channel as `viewer` may see it.
    #[must_use]
    pub fn state(&self, channel: &ChannelId, viewer: &UserId) -> Option<CallState> {
        self.running(channel).map(|call| call.state(viewer))
    }

    /// Returns the channels with a running call.
    #[must_use]
    pub fn active_channels(&self) -> Vec<ChannelId> {
        self.calls
            .values()
            .filter(|call| call.post.is_some())
            .map(|c| c.channel.clone())
            .collect()
    }

    /// Returns every session of every call.
    pub fn sessions(&self) -> impl Iterator<Item = LiveSession> {
        self.calls.values().flat_map(|call| {
            call.sessions.values().map(|session| LiveSession {
                session: session.id.clone(),
                connection: session.connection.clone(),
                user: session.user.clone(),
                login: session.login.clone(),
                channel: call.channel.clone(),
                call: call.id.clone(),
                media: call.media.clone(),
                is_bot: session.is_bot,
            })
        })
    }

    /// Whether a connection has a session.
    #[must_use]
    pub fn has_session(&self, connection: &ConnId) -> bool {
        self.sessions_by_connection.contains_key(connection)
    }

    /// Notes that a person does not want to be rung for the running call.
    ///
    /// # Errors
    /// When no call runs there.
    pub fn dismiss(&mut self, channel: &ChannelId, user: &UserId) -> Result<(), NoCall> {
        let call = self.calls.get_mut(channel).ok_or(NoCall)?;
        call.dismissed.insert(user.clone());
        call.store(&mut self.out);
        let dismissal = proto::calls::event::Dismissal {
            user: user.clone(),
            call: call.id.clone(),
        };
        self.out.tell_user(
            user,
            Some(channel),
            Event::UserDismissedNotification(dismissal),
        );
        Ok(())
    }

    /// Announces that calls were switched on or off in a channel.
    pub fn announce_switch(&mut self, channel: &ChannelId, enabled: bool) {
        let nothing = proto::calls::event::Nothing {};
        let event = if enabled {
            Event::ChannelEnableVoice(nothing)
        } else {
            Event::ChannelDisableVoice(nothing)
        };
        self.out.tell_channel(channel, event);
    }

    pub(crate) fn running(&self, channel: &ChannelId) -> Option<&Call> {
        self.calls.get(channel).filter(|call| call.post.is_some())
    }

    pub(crate) fn call_of(&mut self, session: &SessionId) -> Option<&mut Call> {
        let channel = self.channels_by_session.get(session)?;
        self.calls.get_mut(channel)
    }

    /// Ends a session and all that follows from it: presenter, host, jobs, the call itself.
    pub(crate) fn remove_session(&mut self, session: &SessionId, tell_media: bool, at: Moment) {
        let Some(channel) = self.channels_by_session.remove(session) else {
            return;
        };
        self.sessions_by_connection.retain(|_, of| of != session);
        let Some(call) = self.calls.get_mut(&channel) else {
            return;
        };
        let Some(gone) = call.take_session(&mut self.out, session, tell_media) else {
            return;
        };
        if gone.is_bot {
            call.bot_left(&mut self.out, &gone, at);
        }
        let people_left = call.people().next().is_some();
        if !people_left && call.waiting.is_empty() {
            call.stop_jobs(&mut self.out, at);
        }
        if call.sessions.is_empty() && call.waiting.is_empty() {
            self.finish(&channel, at);
        }
    }

    /// Announces the end; whoever has not left five seconds later is closed.
    pub(crate) fn end_for_everybody(&mut self, channel: &ChannelId, at: Moment) {
        let Some(call) = self.calls.get_mut(channel) else {
            return;
        };
        if call.ends_until.is_none() {
            call.ends_until = Some(at.now + END_GRACE);
            self.out
                .tell_channel(channel, Event::CallEnd(proto::calls::event::Nothing {}));
        }
    }

    fn finish(&mut self, channel: &ChannelId, at: Moment) {
        let Some(mut call) = self.calls.remove(channel) else {
            return;
        };
        call.stop_jobs(&mut self.out, at);
        self.out.store(Record::Call(call.record(at.unix_ms)));
        if let Some(post) = &call.post {
            let edit = PostEdit::Ended {
                message: "Call ended".to_owned(),
                end_at_ms: at.unix_ms,
                participants: call.participants.clone(),
            };
            self.out.push(Output::EditPost {
                post: post.clone(),
                edit,
            });
        }
        self.out
            .push(Output::Observed(Observation::CallEnded { call: call.id }));
    }

    fn handle_state_wanted(
        &mut self,
        connection: &ConnId,
        user: &UserId,
        may_read: bool,
        channel: &ChannelId,
    ) {
        if !may_read && *user != self.features.bot {
            self.out.refused(Refusal::NotAllowed, "call_state");
            return;
        }
        if let Some(event) = self.running(channel).map(|call| call.state_event(user)) {
            self.out.tell_connection(connection, event);
        }
    }

    fn handle_disconnected(&mut self, connection: &ConnId, at: Moment) {
        self.calls.values_mut().for_each(|call| {
            call.waiting
                .retain(|request| request.connection != *connection);
        });
        let Some(session) = self.sessions_by_connection.get(connection).cloned() else {
            return;
        };
        let Some(call) = self.call_of(&session) else {
            return;
        };
        if let Some(session) = call.sessions.get_mut(&session) {
            session.lost_until = Some(at.now + RECONNECT_GRACE);
        }
    }

    fn handle_left_room(&mut self, channel: &ChannelId, user: &UserId, at: Moment) {
        let Some(call) = self.calls.get_mut(channel) else {
            return;
        };
        call.waiting.retain(|request| request.user != *user);
        let gone = call.people().filter(|session| session.user == *user);
        let gone: Vec<SessionId> = gone.map(|session| session.id.clone()).collect();
        for session in &gone {
            self.remove_session(session, true, at);
            // Events of the channel no longer reach the one who left it.
            let left = UserSession {
                user_id: user.clone(),
                session_id: session.clone(),
            };
            self.out
                .tell_user(user, Some(channel), Event::UserLeft(left));
        }
    }

    fn handle_media_signal(&mut self, session: &SessionId, json: String) {
        let Some(call) = self.call_of(session) else {
            return;
        };
        let Some(connection) = call.sessions.get(session).map(|s| s.connection.clone()) else {
            return;
        };
        let signal = Signal {
            data: json,
            session: session.clone(),
        };
        self.out.tell_connection(&connection, Event::Signal(signal));
    }

    fn handle_media_voice(&mut self, session: &SessionId, on: bool) {
        let Some(channel) = self.channels_by_session.get(session) else {
            return;
        };
        let Some(call) = self.calls.get(channel) else {
            return;
        };
        let Some(who) = call.session_of_user(session) else {
            return;
        };
        let event = if on {
            Event::UserVoiceOn(who)
        } else {
            Event::UserVoiceOff(who)
        };
        call.to_participants(&mut self.out, &event);
    }

    fn handle_post_created(
        &mut self,
        channel: &ChannelId,
        post: PostId,
        thread: PostId,
        at: Moment,
    ) {
        let Some(call) = self.calls.get_mut(channel) else {
            return;
        };
        call.post = Some(post);
        call.thread = Some(thread);
        call.store(&mut self.out);
        let start = proto::calls::event::CallStart {
            id: call.id.clone(),
            channel: channel.clone(),
            start_at: call.start_at_ms,
            thread_id: call.thread.clone(),
            post_id: call.post.clone(),
            owner_id: call.owner.clone(),
            host_id: call.host.clone(),
        };
        self.out.tell_channel(channel, Event::CallStart(start));
        self.out.push(Output::Observed(Observation::CallStarted {
            call: call.id.clone(),
        }));
        let waiting = std::mem::take(&mut call.waiting);
        waiting
            .into_iter()
            .for_each(|request| self.judge_later_join(request, at));
        if self
            .calls
            .get(channel)
            .is_some_and(|call| call.sessions.is_empty())
        {
            self.finish(channel, at);
        }
    }

    fn handle_post_refused(&mut self, channel: &ChannelId, reason: &str) {
        let Some(call) = self.calls.remove(channel) else {
            return;
        };
        for request in call.waiting {
            self.refuse_join(
                &request.connection,
                format!("failed to create call post: {reason}"),
            );
        }
    }

    fn handle_timeout(&mut self, at: Moment) {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|due| due <= at.now);
        let mut gone: BTreeSet<SessionId> = BTreeSet::new();
        for call in self.calls.values_mut() {
            call.fail_late_jobs(&mut self.out, at);
            let everybody = due(call.ends_until);
            let sessions = call.sessions.values();
            gone.extend(
                sessions
                    .filter(|s| everybody || due(s.deadline()))
                    .map(|s| s.id.clone()),
            );
        }
        gone.iter()
            .for_each(|session| self.remove_session(session, true, at));
        // A call that was ended for all while its post was still being made has no sessions.
        let ended = self.calls.values().filter(|call| due(call.ends_until));
        let ended: Vec<ChannelId> = ended.map(|call| call.channel.clone()).collect();
        ended.iter().for_each(|channel| self.finish(channel, at));
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.calls.values().filter_map(Call::deadline).min()
    }
}

/// There is no call in the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no call ongoing")]
pub struct NoCall;

impl Calls {
    /// Takes over the calls that ran when the process ended. Their clients have `grace` to come back.
    #[must_use]
    pub fn restore(
        features: Features,
        stored: Vec<crate::io::RestoredCall>,
        at: Moment,
        grace: std::time::Duration,
    ) -> Self {
        let mut calls = Self::new(features);
        for restored in stored {
            let bot = calls.features.bot.clone();
            let call = Call::restored(restored, &bot, at, grace);
            for session in call.sessions.values() {
                let (id, connection) = (session.id.clone(), session.connection.clone());
                calls.sessions_by_connection.insert(connection, id.clone());
                calls.channels_by_session.insert(id, call.channel.clone());
            }
            let (channel, empty) = (call.channel.clone(), call.sessions.is_empty());
            calls.calls.insert(channel.clone(), call);
            if empty {
                calls.finish(&channel, at);
            }
        }
        calls
    }

    /// Sends a message about a session to its call's media host.
    pub(crate) fn tell_media(&mut self, session: &SessionId, message: ControlMessage) {
        let Some(host) = self.call_of(session).map(|call| call.media.clone()) else {
            return;
        };
        self.out.tell_media(&host, message);
    }
}
