//! Judging who may start or join a call, and taking sessions over to new connections.
//!
//! The checks run in the order of the wire contract; each has its own words, which the person sees.
//! Invariant: a refused join changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use proto::calls::Event;
use proto::calls::action::Reconnect;
use proto::calls::event::{Joined, Refused, UserSession};
use proto::id::{CallId, ConnId, SessionId, UserId};
use proto::rtcd::{ControlMessage, JoinMessage};

use crate::call::Call;
use crate::call::session::Session;
use crate::calls::Calls;
use crate::io::{
    Features, JoinRequest, MediaHost, Moment, NewCallPost, Observation, Output, Record, Refusal,
    ThreadFact,
};
use crate::jobs::Jobs;
use crate::limit::Allowance;

/// Why somebody may not join; the texts are the wire's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum JoinError {
    #[error("forbidden")]
    Forbidden,
    #[error("JobID should not be empty for bot connections")]
    BotWithoutJob,
    #[error("cannot join call in archived channel")]
    Archived,
    #[error("cannot attach call to deleted thread")]
    ThreadDeleted,
    #[error("thread is not a root post")]
    ThreadNotRoot,
    #[error("unlicensed servers only allow calls in DMs")]
    GroupCalls,
    #[error("calls are disabled in the channel")]
    Disabled,
    #[error("insufficient permissions")]
    NotEnabled,
    #[error("failed to get rtcd host: {0}")]
    NoMedia(String),
    #[error("call has ended")]
    Ended,
    #[error("session is already connected")]
    AlreadyConnected,
    #[error("user cannot join because of limits")]
    Full,
    #[error("no job in progress")]
    NoJob,
    #[error("job not in progress or already started")]
    JobNotPending,
}

impl Calls {
    pub(crate) fn handle_join(&mut self, request: JoinRequest, at: Moment) {
        let is_bot = request.user == self.features.bot;
        if let Err(error) = check_person(&request, is_bot) {
            return self.refuse_join(&request.connection, error.to_string());
        }
        let channel = request.ask.channel.clone();
        if let Some(call) = self.calls.get_mut(&channel) {
            if call.post.is_some() {
                self.judge_later_join(request, at);
            } else if call
                .waiting
                .iter()
                .any(|other| other.connection == request.connection)
            {
                let error = JoinError::AlreadyConnected.to_string();
                self.refuse_join(&request.connection, error);
            } else {
                call.waiting.push(request);
            }
            return;
        }
        match check_start(&self.features, &request, is_bot) {
            Err(error) => self.refuse_join(&request.connection, error.to_string()),
            Ok(_) if self.is_connected(&request.connection) => {
                let error = JoinError::AlreadyConnected.to_string();
                self.refuse_join(&request.connection, error);
            }
            Ok(media) => self.start_call(request, media, at),
        }
    }

    /// Judges a join of a call that runs.
    pub(crate) fn judge_later_join(&mut self, request: JoinRequest, at: Moment) {
        let is_bot = request.user == self.features.bot;
        match self.check_running(&request, is_bot) {
            Err(error) => self.refuse_join(&request.connection, error.to_string()),
            Ok(()) => self.admit(request, is_bot, at),
        }
    }

    pub(crate) fn refuse_join(&mut self, connection: &ConnId, reason: String) {
        let refused = Refused {
            data: reason.clone(),
            connection: connection.clone(),
        };
        self.out.tell_connection(connection, Event::Error(refused));
        self.out
            .push(Output::Observed(Observation::JoinRefused { reason }));
    }

    /// The call exists from here on; people get in once its post is there.
    fn start_call(&mut self, request: JoinRequest, media: MediaHost, at: Moment) {
        let channel = request.ask.channel.clone();
        let call = Call {
            id: CallId::random(),
            channel: channel.clone(),
            title: request.ask.title.clone(),
            start_at_ms: at.unix_ms,
            owner: request.user.clone(),
            host: Some(request.user.clone()),
            host_locked: None,
            post: None,
            thread: None,
            sessions: BTreeMap::new(),
            presenter: None,
            participants: BTreeSet::new(),
            dismissed: BTreeSet::new(),
            media,
            jobs: Jobs::default(),
            waiting: Vec::new(),
            ends_until: None,
        };
        let starter = BTreeSet::from([request.user.clone()]);
        let change = proto::calls::event::HostChange {
            host: call.host.clone(),
            call_id: call.id.clone(),
        };
        self.out
            .tell_participants(&channel, &starter, &Event::CallHostChanged(change));
        self.out.push(Output::CreatePost(NewCallPost {
            channel: channel.clone(),
            author: request.user.clone(),
            root: request.ask.thread.clone(),
            message: format!("{} started a call", request.name),
            title: request.ask.title.clone(),
            start_at_ms: at.unix_ms,
        }));
        let call = Call {
            waiting: vec![request],
            ..call
        };
        self.calls.insert(channel, call);
    }

    fn check_running(&self, request: &JoinRequest, is_bot: bool) -> Result<(), JoinError> {
        let call = self
            .calls
            .get(&request.ask.channel)
            .ok_or(JoinError::Ended)?;
        if call.ends_until.is_some() {
            return Err(JoinError::Ended);
        }
        if self.is_connected(&request.connection) {
            return Err(JoinError::AlreadyConnected);
        }
        let limit = self.features.max_participants;
        if limit > 0 && call.sessions.len() >= limit {
            return Err(JoinError::Full);
        }
        if is_bot {
            let job = request
                .ask
                .job
                .as_ref()
                .and_then(|id| call.jobs.bot_job(id));
            let job = job.ok_or(JoinError::NoJob)?;
            if job.start_at_ms > 0 || job.end_at_ms > 0 || job.bot_connection.is_some() {
                return Err(JoinError::JobNotPending);
            }
        }
        Ok(())
    }

    /// Whether the connection has a session, or once made one that lives on elsewhere: a new one
    /// would have the same id.
    fn is_connected(&self, connection: &ConnId) -> bool {
        self.has_session(connection)
            || self
                .channels_by_session
                .contains_key(&session_id(connection))
    }

    fn admit(&mut self, request: JoinRequest, is_bot: bool, at: Moment) {
        let Some(call) = self.calls.get_mut(&request.ask.channel) else {
            return;
        };
        let latest = call
            .sessions
            .values()
            .map(|session| session.join_at_ms)
            .max()
            .unwrap_or(0);
        let session = Session {
            id: session_id(&request.connection),
            user: request.user.clone(),
            login: request.login,
            connection: request.connection.clone(),
            join_at_ms: at.unix_ms.max(latest + 1),
            unmuted: false,
            raised_hand_ms: 0,
            video: false,
            job: request.ask.job.clone().filter(|_| is_bot),
            is_bot,
            lost_until: None,
            removed_until: None,
            allowance: Allowance::full(at.now),
        };
        let id = session.id.clone();
        self.sessions_by_connection
            .insert(request.connection.clone(), id.clone());
        self.channels_by_session
            .insert(id.clone(), call.channel.clone());
        let out = &mut self.out;
        out.store(Record::Session(session.record(&call.id)));
        call.sessions.insert(id.clone(), session);
        if !is_bot {
            call.participants.insert(request.user.clone());
            call.elect_host(out);
        }
        call.store(out);
        let join = JoinMessage {
            call: call.id.clone(),
            user: request.user.clone(),
            session: id.clone(),
            channel: call.channel.to_string(),
            av1_support: request.ask.av1_support,
            dc_signalling: request.ask.dc_signalling,
        };
        out.tell_media(&call.media, ControlMessage::Join(join));
        let joined = Joined {
            connection: request.connection.clone(),
        };
        out.tell_connection(&request.connection, Event::Join(joined));
        if !is_bot {
            let joined = UserSession {
                user_id: request.user.clone(),
                session_id: id,
            };
            out.tell_channel(&call.channel, Event::UserJoined(joined));
        }
        let state = call.state_event(&request.user);
        out.tell_user(&request.user, Some(&call.channel), state);
        if let Some(job) = request.ask.job.filter(|_| is_bot) {
            call.bot_joined(out, &job, &request.connection);
        }
    }

    pub(crate) fn handle_reconnect(
        &mut self,
        connection: &ConnId,
        user: &UserId,
        may_post: bool,
        ask: &Reconnect,
        at: Moment,
    ) {
        let id = session_id(&ask.original);
        let is_bot = *user == self.features.bot;
        let taken = self
            .sessions_by_connection
            .get(connection)
            .is_some_and(|of| *of != id);
        let call = self.calls.get_mut(&ask.channel);
        let session = call.and_then(|call| {
            let session = call
                .sessions
                .get_mut(&id)
                .filter(|session| session.user == *user)?;
            Some((call.id.clone(), session))
        });
        let Some((call, session)) = session.filter(|_| (may_post || is_bot) && !taken) else {
            return self.out.refused(Refusal::Reconnect, "reconnect");
        };
        session.connection = connection.clone();
        session.lost_until = None;
        session.allowance.take(at.now);
        let record = session.record(&call);
        self.out.store(Record::Session(record));
        self.sessions_by_connection.retain(|_, of| *of != id);
        self.sessions_by_connection
            .insert(connection.clone(), id.clone());
        if let Some(call) = self.calls.get_mut(&ask.channel).filter(|_| is_bot) {
            call.bot_moved(&mut self.out, &ask.previous, connection);
        }
        self.tell_media(&id, ControlMessage::Reconnect(id.clone()));
    }
}

/// A session keeps the id of the connection it was made on.
pub(crate) fn session_id(connection: &ConnId) -> SessionId {
    SessionId::parse(connection.as_str()).unwrap_or_else(|_| SessionId::random())
}

fn check_person(request: &JoinRequest, is_bot: bool) -> Result<(), JoinError> {
    let facts = &request.facts;
    if !is_bot && !facts.may_post {
        return Err(JoinError::Forbidden);
    }
    if is_bot && request.ask.job.is_none() {
        return Err(JoinError::BotWithoutJob);
    }
    if facts.archived {
        return Err(JoinError::Archived);
    }
    match facts.thread {
        ThreadFact::NotAsked | ThreadFact::Root => Ok(()),
        ThreadFact::Elsewhere => Err(JoinError::Forbidden),
        ThreadFact::Deleted => Err(JoinError::ThreadDeleted),
        ThreadFact::Reply => Err(JoinError::ThreadNotRoot),
    }
}

fn check_start(
    features: &Features,
    request: &JoinRequest,
    is_bot: bool,
) -> Result<MediaHost, JoinError> {
    let facts = &request.facts;
    if is_bot {
        return Err(JoinError::NoJob);
    }
    if !features.group_calls && !facts.direct {
        return Err(JoinError::GroupCalls);
    }
    if facts.enabled == Some(false) {
        return Err(JoinError::Disabled);
    }
    if facts.enabled != Some(true) && !features.default_enabled && !facts.is_admin {
        return Err(JoinError::NotEnabled);
    }
    facts.media.clone().map_err(JoinError::NoMedia)
}
