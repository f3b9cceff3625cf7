//! Sessions that come, move and go, with all that follows: presenter, host, jobs, the call itself.

use proto::id::{ConnId, JobId, SessionId, UserId};

use super::Conversation;
use super::session::Session;
use crate::io::{JoinRequest, Moment, Output, Refusal, Roster};
use crate::jobs::{Job, JobFailure};
use crate::join::{JoinError, session_id};
use crate::media::{Capabilities, MediaCommand, MediaHost};
use crate::news::{News, To, Who};
use crate::record::Record;
use crate::rush::LARGE_CALL;
use crate::{MEDIA_GRACE, RECONNECT_GRACE};

/// Somebody who was let in and is still to be told of.
#[derive(Debug)]
pub(crate) struct Newcomer {
    who: Who,
    connection: ConnId,
    media: MediaHost,
    capabilities: Capabilities,
    /// The bot's.
    job: Option<JobId>,
    is_bot: bool,
}

impl Conversation {
    /// Lets everybody in who waits and may come in.
    pub(crate) fn let_in_waiting(&mut self, at: Moment) {
        self.rush.end();
        let mut newcomers = Vec::new();
        for request in std::mem::take(&mut self.waiting) {
            newcomers.extend(self.judge(request, at));
        }
        self.welcome(newcomers, at);
    }

    /// Gives somebody a session whose join was found good.
    pub(crate) fn admit(&mut self, request: JoinRequest, media: MediaHost, at: Moment) -> Newcomer {
        let is_bot = request.user == self.setting.features.bot;
        let latest = self.sessions.values().map(|session| session.join_at_ms);
        let latest = latest.max().unwrap_or(0);
        let session = Session {
            id: session_id(&request.connection),
            user: request.user.clone(),
            login: request.login,
            connection: request.connection.clone(),
            media: media.clone(),
            join_at_ms: at.unix_ms.max(latest + 1),
            unmuted: false,
            raised_hand_ms: 0,
            video: false,
            voice: None,
            job: request.job.clone().filter(|_| is_bot),
            is_bot,
            lost_until: None,
            removed_until: None,
        };
        // Whoever is there with a session that has not left yet may still go back to it, and leave both.
        if !self.has_person(&request.user) {
            self.awaited.remove(&request.user);
        }
        let who = session.who();
        self.out.seat(Roster::Entered(session.seat()));
        self.out.store(Record::Session(session.record(&self.id)));
        self.sessions.insert(session.id.clone(), session);
        if !is_bot {
            self.participants.insert(request.user);
        }
        Newcomer {
            who,
            connection: request.connection,
            media,
            capabilities: request.capabilities,
            job: request.job,
            is_bot,
        }
    }

    /// Tells everybody of those who were let in: what concerns the call once, the rest for each.
    pub(crate) fn welcome(&mut self, newcomers: Vec<Newcomer>, at: Moment) {
        if newcomers.is_empty() {
            return;
        }
        if newcomers.iter().any(|newcomer| !newcomer.is_bot) {
            self.elect_host();
        }
        self.store();
        for newcomer in newcomers {
            let Newcomer {
                who,
                connection,
                media,
                capabilities,
                job,
                is_bot,
            } = newcomer;
            let enter = MediaCommand::Enter {
                call: self.id.clone(),
                channel: self.setting.channel.clone(),
                user: who.user.clone(),
                session: who.session.clone(),
                capabilities,
            };
            self.out.tell_media(&media, enter);
            let joined = News::Joined(connection.clone());
            self.out.tell_connection(&connection, joined);
            if !is_bot {
                self.out.tell(To::Room, News::Entered(who.clone()));
            }
            let state = self.state_news(&who.user, at);
            self.out.tell_user(&who.user, state);
            if let Some(job) = job.filter(|_| is_bot) {
                self.bot_joined(&job, &connection);
            }
        }
    }

    /// Takes a session over to a new connection; says whether that was done.
    pub(super) fn take_over(
        &mut self,
        connection: &ConnId,
        user: &UserId,
        id: &SessionId,
        previous: &ConnId,
    ) -> bool {
        let call = self.id.clone();
        let session = self.sessions.get_mut(id);
        let Some(session) = session.filter(|session| session.user == *user) else {
            return false;
        };
        let is_bot = session.is_bot;
        session.connection = connection.clone();
        session.lost_until = None;
        let record = session.record(&call);
        self.out.seat(Roster::Moved {
            session: id.clone(),
            to: connection.clone(),
        });
        self.out.store_soon(Record::Session(record));
        if is_bot {
            self.bot_moved(previous, connection);
        }
        self.tell_media(id, MediaCommand::Resume);
        true
    }

    pub(super) fn handle_leave(&mut self, connection: &ConnId, at: Moment) {
        let withdrawn = self.withdraw(connection);
        match self.session_on(connection) {
            Some(session) => {
                // Its media may have ended a moment before: whoever takes its leave has not vanished.
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.lost_until = None;
                }
                self.note_arrival(&session);
                self.remove_session(&session, true, at);
            }
            None if withdrawn => {}
            None => self.out.refused(Refusal::NoSession, "leave"),
        }
    }

    /// Whoever ends the older of two sessions has come over with the other. Its media may be closed before its
    /// leave is heard; a host that is lost has ended it by itself.
    fn note_arrival(&mut self, left: &SessionId) {
        let Some(left) = self.sessions.get(left) else {
            return;
        };
        let is_newer =
            |other: &Session| other.user == left.user && other.join_at_ms > left.join_at_ms;
        if self.awaited.contains_key(&left.user) && self.people().any(is_newer) {
            let user = left.user.clone();
            self.awaited.remove(&user);
        }
    }

    pub(super) fn handle_disconnected(&mut self, connection: &ConnId, at: Moment) {
        self.withdraw(connection);
        let mut sessions = self.sessions.values_mut();
        if let Some(session) = sessions.find(|session| session.connection == *connection) {
            session.lost_until = Some(at.now + RECONNECT_GRACE);
        }
    }

    /// A bot at work whose media ends says in a moment that it leaves, or its machine is gone, which says
    /// nothing any more: then it has vanished.
    pub(super) fn media_closed(&mut self, id: &SessionId, at: Moment) {
        let job = |bot: &Session| bot.job.as_ref().and_then(|id| self.jobs.bot_job(id));
        let bot = self.sessions.get(id);
        let is_at_work = bot.and_then(job).is_some_and(Job::is_running);
        match self.sessions.get_mut(id).filter(|_| is_at_work) {
            Some(bot) => _ = bot.lost_until.get_or_insert(at.now + RECONNECT_GRACE),
            None => {
                self.note_arrival(id);
                self.remove_session(id, false, at);
            }
        }
    }

    /// With its host: whoever comes back by itself is waited for.
    pub(super) fn media_lost(&mut self, id: &SessionId, at: Moment) {
        let known = self.sessions.get(id);
        if let Some(user) = known.and_then(Session::comes_back).cloned() {
            self.awaited.insert(user, at.now + MEDIA_GRACE);
        }
        self.ask_bot_to_begin_anew(id, at);
        self.remove_session(id, false, at);
    }

    pub(super) fn handle_left_room(&mut self, user: &UserId, at: Moment) {
        self.turn_away_waiting(|request| request.user == *user);
        let gone = self.people().filter(|session| session.user == *user);
        let gone: Vec<_> = gone.map(Session::who).collect();
        let ids: Vec<SessionId> = gone.iter().map(|who| who.session.clone()).collect();
        self.remove_sessions(&ids, true, at);
        for who in gone {
            // News for the channel no longer reaches the one who left it.
            self.out.tell_user(user, News::Left(who));
        }
    }

    pub(super) fn handle_login_ended(&mut self, login: &str, at: Moment) {
        self.turn_away_waiting(|request| request.login == login);
        let gone = self.sessions.values().filter(|s| s.login == login);
        let gone: Vec<SessionId> = gone.map(|session| session.id.clone()).collect();
        self.remove_sessions(&gone, true, at);
    }

    /// Ends a session and all that follows from it. `tell_media`: its media host still has it.
    pub(crate) fn remove_session(&mut self, id: &SessionId, tell_media: bool, at: Moment) {
        self.remove_sessions(std::slice::from_ref(id), tell_media, at);
    }

    /// Ends sessions that go at the same moment.
    pub(crate) fn remove_sessions(&mut self, ids: &[SessionId], tell_media: bool, at: Moment) {
        let before = self.sessions.len();
        let gone = ids
            .iter()
            .filter_map(|id| self.take_out(id, tell_media, at));
        let gone: Vec<Session> = gone.collect();
        if gone.is_empty() {
            return;
        }
        self.settle_leaves(before, at);
        for bot in gone.iter().filter(|session| session.is_bot) {
            self.bot_left(bot, at);
        }
        // A call is never empty while somebody waits at its door.
        if self.sessions.is_empty() && self.is_announced() {
            self.let_in_waiting(at);
        }
        if !self.lingers() {
            self.end_if_nobody_is_left(at);
        }
    }

    /// The media of a session is at another host than the one that was asked: that is spoken to from now on.
    pub(super) fn media_is_at(&mut self, id: &SessionId, from: &MediaHost, host: MediaHost) {
        let session = self.sessions.get_mut(id);
        let Some(session) = session.filter(|session| session.media == *from) else {
            return;
        };
        let from = std::mem::replace(&mut session.media, host.clone());
        // Before it is carried out: whoever goes on after this process asks the right host.
        let record = session.record(&self.id);
        self.out.store(Record::Session(record));
        self.out.seat(Roster::MediaAt {
            session: id.clone(),
            media: host.clone(),
        });
        self.out.push(Output::HandOver {
            session: id.clone(),
            from,
            to: host,
        });
    }

    /// Asks everybody whose media is at this host to come over to another, by joining anew. Not who shows
    /// something, which would end: they are asked again when they have stopped. Of bots, those that can.
    pub(super) fn ask_to_move(&mut self, host: &MediaHost, at: Moment) {
        let presenter = self.presenter.as_ref();
        let is_there = |session: &Session| session.media == *host && session.lost_until.is_none();
        let asked = self.people().filter(|session| {
            let shows = session.video || presenter == Some(&session.id);
            is_there(session) && !shows
        });
        let asked: Vec<(ConnId, Who)> = asked
            .map(|session| (session.connection.clone(), session.who()))
            .collect();
        for (connection, Who { user, session }) in asked {
            self.awaited.insert(user, at.now + MEDIA_GRACE);
            let news = News::MediaMoves { session };
            self.out.tell_connection(&connection, news);
        }
        let bots = self.sessions.values().filter(|session| session.is_bot);
        let can_move = |bot: &&Session| {
            let job = bot.job.as_ref().and_then(|id| self.jobs.bot_job(id));
            is_there(bot) && job.is_some_and(Job::may_move)
        };
        let bots = bots.filter(can_move);
        let bots: Vec<(ConnId, SessionId)> = bots
            .map(|bot| (bot.connection.clone(), bot.id.clone()))
            .collect();
        for (connection, session) in bots {
            self.jobs.note_move(&connection);
            let news = News::MediaMoves { session };
            self.out.tell_connection(&connection, news);
        }
    }

    /// A call without people ends its jobs, and one without sessions is over.
    pub(super) fn end_if_nobody_is_left(&mut self, at: Moment) {
        let people_left = self.people().next().is_some();
        if !people_left && self.waiting.is_empty() {
            self.stop_jobs(at);
        }
        if self.sessions.is_empty() && self.waiting.is_empty() {
            self.finish(at);
        }
    }

    fn take_out(&mut self, id: &SessionId, tell_media: bool, at: Moment) -> Option<Session> {
        if tell_media {
            self.tell_media(id, MediaCommand::Leave);
        }
        if self.sessions.contains_key(id) {
            self.out.seat(Roster::Left {
                session: id.clone(),
            });
            self.out.store(Record::SessionGone(id.clone()));
            if self.presenter.as_ref() == Some(id) {
                self.stop_presenting(id, false, at);
                self.store();
            }
            self.usage.video_off(id, at);
        }
        let session = self.sessions.remove(id)?;
        if !session.is_bot {
            self.out.tell(To::Room, News::Left(session.who()));
        }
        Some(session)
    }

    /// What leaves cost the call beside their own sessions: word of another host to everybody, the
    /// call's record. In a rush out of a large call they are paid once for all who go within a second.
    fn settle_leaves(&mut self, sessions_before: usize, at: Moment) {
        let is_rush = self.leaving.due().is_some();
        let is_large = sessions_before >= LARGE_CALL;
        if (is_rush || is_large) && !self.leaving.admits(at.now) {
            return self.elect_host_quietly();
        }
        self.settle();
    }

    pub(crate) fn settle(&mut self) {
        self.elect_host();
        self.store();
    }

    pub(crate) fn session_on(&self, connection: &ConnId) -> Option<SessionId> {
        // Most sessions keep the connection they were made on.
        let made_on = session_id(connection);
        let at_home = self.sessions.get(&made_on);
        let at_home = at_home.filter(|session| session.connection == *connection);
        let moved = || {
            let mut sessions = self.sessions.values();
            sessions.find(|session| session.connection == *connection)
        };
        at_home.or_else(moved).map(|session| session.id.clone())
    }

    /// Whoever waits on this connection no longer does.
    fn withdraw(&mut self, connection: &ConnId) -> bool {
        let before = self.waiting.len();
        self.waiting
            .retain(|request| request.connection != *connection);
        let withdrawn = self.waiting.len() < before;
        if withdrawn {
            self.out.seat(Roster::TurnedAway {
                connection: connection.clone(),
            });
        }
        withdrawn
    }

    fn turn_away_waiting(&mut self, is_meant: impl Fn(&JoinRequest) -> bool) {
        let (away, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(is_meant);
        self.waiting = waiting;
        let away: Vec<JoinRequest> = away;
        for request in away {
            self.refuse(&request, JoinError::Forbidden);
        }
    }

    fn bot_left(&mut self, bot: &Session, at: Moment) {
        let job = bot.job.as_ref().and_then(|id| self.jobs.bot_job(id));
        // Another bot may have taken the job over from one that had vanished.
        let is_its = |job: &&Job| {
            let its = job.bot_connection.as_ref();
            its.is_none_or(|its| *its == bot.connection)
        };
        let job = job.filter(|job| job.is_open() && !job.awaits_another());
        let job = job.filter(is_its);
        let Some((kind, is_moving)) = job.map(|job| (job.kind, job.is_moving())) else {
            return;
        };
        if is_moving {
            if let Some(job) = self.jobs.get_mut(kind) {
                job.await_another(at);
            }
        } else if bot.lost_until.is_some() {
            // It did not take its leave: its process has died.
            self.fail_job(kind, JobFailure::BotVanished(kind), at);
        } else {
            self.stop_with(kind, at);
        }
    }
}
