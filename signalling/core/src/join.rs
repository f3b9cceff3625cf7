//! Judging who may start or join a call.
//!
//! The checks run in the order in which people are told of them: person, thread, place, limits.
//! Invariant: a refused join changes nothing.

use proto::id::{ConnId, SessionId};

use crate::conversation::Conversation;
use crate::conversation::comings::Newcomer;
use crate::io::{Features, JoinRequest, Moment, NewCallPost, Output, Setting, ThreadFact};
use crate::jobs::Job;
use crate::media::MediaHost;
use crate::news::{News, To};
use crate::rush::{LARGE_ROOM, MOST_GATHERED};

/// Why somebody may not join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinError {
    /// What was asked cannot be read, with the reason.
    Unreadable(String),
    /// May not post here, or the thread is not of this channel.
    Forbidden,
    BotWithoutJob,
    Archived,
    ThreadDeleted,
    ThreadNotRoot,
    /// Calls of more than two are not allowed.
    GroupCalls,
    /// Calls were switched off in the channel.
    Disabled,
    /// Calls were not switched on in the channel.
    NotEnabled,
    /// No media host can be used, with the reason.
    NoMedia(String),
    /// The call could not be announced, with the chat server's reason.
    NoPost(String),
    Ended,
    AlreadyConnected,
    Full,
    NoJob,
    JobNotPending,
}

impl Conversation {
    /// Starts a call, if whoever asks may.
    pub(crate) fn start(
        setting: Setting,
        request: JoinRequest,
        at: Moment,
    ) -> Result<Self, JoinError> {
        let is_bot = request.user == setting.features.bot;
        check_person(&request, is_bot)?;
        check_start(&setting.features, &request, is_bot)?;
        if request.facts.is_connected {
            return Err(JoinError::AlreadyConnected);
        }
        let (author, name) = (request.user.clone(), request.name.clone());
        let (root, title) = (request.thread.clone(), request.title.clone());
        let mut started = Self::begin(setting, request, at);
        let first_host = News::HostChanged {
            call: started.id.clone(),
            host: started.host.clone(),
        };
        let starter = To::Participants(vec![author.clone()]);
        started.out.tell(starter, first_host);
        started.out.push(Output::CreatePost(NewCallPost {
            call: started.id.clone(),
            author,
            name,
            root,
            title,
            start_at_ms: at.unix_ms,
        }));
        Ok(started)
    }

    pub(crate) fn handle_join(&mut self, request: JoinRequest, at: Moment) {
        let is_bot = request.user == self.setting.features.bot;
        if let Err(error) = check_person(&request, is_bot) {
            return self.refuse(&request, error);
        }
        let is_waiting = request.facts.is_connected || self.is_waiting(&request.connection);
        if self.is_announced() && self.goes_on_at_once(&request, is_bot, at) {
            let newcomer = self.judge(request, at);
            self.welcome(newcomer.into_iter().collect(), at);
        } else if is_waiting {
            self.refuse(&request, JoinError::AlreadyConnected);
        } else {
            let room_members = request.facts.room_members;
            self.waiting.push(request);
            if self.is_announced() && self.waiting.len() >= room_members.min(MOST_GATHERED) {
                self.let_in_waiting(at);
            }
        }
    }

    /// Whether a join of a running call waits for no other.
    fn goes_on_at_once(&mut self, request: &JoinRequest, is_bot: bool, at: Moment) -> bool {
        is_bot || request.facts.room_members < LARGE_ROOM || self.rush.admits(at.now)
    }

    /// Judges a join of a call that runs; who may come in has a session then, and nobody was told.
    pub(crate) fn judge(&mut self, request: JoinRequest, at: Moment) -> Option<Newcomer> {
        match self.check_running(&request) {
            Err(error) => {
                self.refuse(&request, error);
                None
            }
            Ok(media) => Some(self.admit(request, media, at)),
        }
    }

    pub(crate) fn refuse(&mut self, request: &JoinRequest, error: JoinError) {
        let had_place = !request.facts.is_connected;
        self.out.refuse_join(&request.connection, had_place, error);
    }

    fn check_running(&self, request: &JoinRequest) -> Result<MediaHost, JoinError> {
        let features = &self.setting.features;
        let media = request.facts.media.clone().map_err(JoinError::NoMedia)?;
        if self.ends_until.is_some() {
            return Err(JoinError::Ended);
        }
        let id = session_id(&request.connection);
        let is_connected =
            self.session_on(&request.connection).is_some() || self.sessions.contains_key(&id);
        if request.facts.is_connected || is_connected {
            return Err(JoinError::AlreadyConnected);
        }
        let limit = features.max_participants;
        if limit > 0 && self.sessions.len() >= limit {
            return Err(JoinError::Full);
        }
        if request.user == features.bot {
            let job = request.job.as_ref().and_then(|id| self.jobs.bot_job(id));
            let job = job.ok_or(JoinError::NoJob)?;
            let is_pending = job.start_at_ms == 0 && job.bot_connection.is_none();
            let is_left = job.awaits_another() || job.is_moving() || self.has_lost_its_bot(job);
            let is_free = is_pending || is_left;
            if job.end_at_ms > 0 || !is_free {
                return Err(JoinError::JobNotPending);
            }
        }
        Ok(media)
    }

    /// Whether the bot of a job that runs has vanished: then another may go on with it.
    fn has_lost_its_bot(&self, job: &Job) -> bool {
        let on = job.bot_connection.as_ref();
        let bot = on.and_then(|connection| self.session_on(connection));
        let bot = bot.and_then(|id| self.sessions.get(&id));
        bot.is_some_and(|bot| bot.lost_until.is_some())
    }

    fn is_waiting(&self, connection: &ConnId) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|request| request.connection == *connection)
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
    if is_bot && request.job.is_none() {
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

fn check_start(features: &Features, request: &JoinRequest, is_bot: bool) -> Result<(), JoinError> {
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
    match &facts.media {
        Ok(_) => Ok(()),
        Err(reason) => Err(JoinError::NoMedia(reason.clone())),
    }
}
