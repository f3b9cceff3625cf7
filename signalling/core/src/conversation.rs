//! One conversation from its first join on: its sessions, host, presenter and jobs.
//!
//! In: inputs of its channel. Out: outputs in the outbox.
//! Not here: judging joins (`join`), what sessions ask for (`request`), jobs (`jobs`).
//! Invariant: what people are told of was put into the outbox behind the record it is about.

pub(crate) mod comings;
mod restored;
pub(crate) mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use proto::id::{CallId, PostId, SessionId, UserId};

use crate::END_GRACE;
use crate::io::{Input, JoinRequest, Moment, Observation, Output, PostEdit, Refusal, Setting};
use crate::jobs::Jobs;
use crate::join::JoinError;
use crate::media::MediaCommand;
use crate::news::{CallView, News, To, Who};
use crate::outbox::Outbox;
use crate::record::{CallRecord, Record};
use crate::rush::Rush;
use crate::usage::Usage;
use session::Session;

#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) setting: Setting,
    pub(crate) id: CallId,
    pub(crate) title: String,
    pub(crate) start_at_ms: i64,
    pub(crate) owner: UserId,
    pub(crate) host: Option<UserId>,
    /// Whom people were told last as the host.
    pub(crate) told_host: Option<UserId>,
    /// Made host by hand: host again whenever present.
    pub(crate) host_locked: Option<UserId>,
    pub(crate) post: Option<PostId>,
    pub(crate) thread: Option<PostId>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) presenter: Option<SessionId>,
    /// Everybody who ever was in the call.
    pub(crate) participants: BTreeSet<UserId>,
    pub(crate) dismissed: BTreeSet<UserId>,
    pub(crate) usage: Usage,
    pub(crate) jobs: Jobs,
    /// Joins that wait for the call's post, or in a rush for each other.
    pub(crate) waiting: Vec<JoinRequest>,
    pub(crate) rush: Rush,
    /// Leaves that come in a rush: who is the host is told when it is over.
    pub(crate) leaving: Rush,
    /// When everybody is closed because the call was ended for all.
    pub(crate) ends_until: Option<Instant>,
    /// Who lost the media and comes back, until when: as long the call lasts without them.
    awaited: BTreeMap<UserId, Instant>,
    is_over: bool,
    pub(crate) out: Outbox,
}

impl Conversation {
    pub(crate) fn handle_input(&mut self, input: Input, at: Moment) {
        match input {
            Input::Join(request) => self.handle_join(*request, at),
            Input::Reconnect {
                connection,
                user,
                session,
                previous,
                may_post,
                is_taken,
            } => {
                let is_bot = user == self.setting.features.bot;
                let allowed = (may_post || is_bot) && !is_taken;
                if !allowed || !self.take_over(&connection, &user, &session, &previous) {
                    self.out.refused(Refusal::Reconnect, "reconnect");
                }
            }
            Input::Request {
                connection,
                request,
            } => self.handle_request(&connection, request, at),
            Input::Leave { connection } => self.handle_leave(&connection, at),
            Input::StateWanted {
                connection,
                user,
                may_read,
            } => {
                if !may_read && user != self.setting.features.bot {
                    self.out.refused(Refusal::NotAllowed, "call_state");
                } else if self.is_announced() {
                    let state = self.state_news(&user, at);
                    self.out.tell_connection(&connection, state);
                }
            }
            Input::Disconnected { connection } => self.handle_disconnected(&connection, at),
            Input::LeftRoom { user } => self.handle_left_room(&user, at),
            Input::RoomArchived => self.end_for_everybody(at),
            Input::LoginEnded { login } => self.handle_login_ended(&login, at),
            Input::MediaSignal { session, json } => {
                if let Some(to) = self.sessions.get(&session).map(|s| s.connection.clone()) {
                    let signal = News::Signal { session, json };
                    self.out.tell_connection(&to, signal);
                }
            }
            Input::MediaVoice { session, on } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.hear(on, at);
                    let who = session.who();
                    self.tell_participants(News::Speaking { who, on });
                }
            }
            Input::MediaClosed { session } => self.media_closed(&session, at),
            Input::MediaLost { session } => self.media_lost(&session, at),
            Input::MediaElsewhere {
                session,
                from,
                host,
            } => self.media_is_at(&session, &from, host),
            Input::MediaHostStops { host } => self.ask_to_move(&host, at),
            Input::PostCreated { call, post, thread } => {
                if call == self.id && !self.is_announced() {
                    self.handle_post_created(post, thread, at);
                } else {
                    self.out.close_post(post, at);
                }
            }
            Input::PostRefused { call, reason } => {
                if call == self.id {
                    self.handle_post_refused(&reason);
                }
            }
            Input::JobAnswered { job, answer } => self.handle_job_answered(&job, answer, at),
            Input::Broken => self.break_off(at),
            Input::Timeout => self.handle_timeout(at),
        }
    }

    /// Makes what a first join starts: the call exists from here on, people get in once its post is
    /// there.
    pub(crate) fn begin(setting: Setting, request: JoinRequest, at: Moment) -> Self {
        Self {
            setting,
            id: CallId::random(),
            title: request.title.clone(),
            start_at_ms: at.unix_ms,
            owner: request.user.clone(),
            host: Some(request.user.clone()),
            told_host: Some(request.user.clone()),
            host_locked: None,
            post: None,
            thread: None,
            sessions: BTreeMap::new(),
            presenter: None,
            participants: BTreeSet::new(),
            dismissed: BTreeSet::new(),
            usage: Usage::default(),
            jobs: Jobs::default(),
            waiting: vec![request],
            rush: Rush::default(),
            leaving: Rush::default(),
            ends_until: None,
            awaited: BTreeMap::new(),
            is_over: false,
            out: Outbox::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether its post was made: before that nobody knows of it.
    pub(crate) fn is_announced(&self) -> bool {
        self.post.is_some()
    }

    pub(crate) fn record(&self, end_at_ms: i64) -> CallRecord {
        CallRecord {
            id: self.id.clone(),
            channel: self.setting.channel.clone(),
            start_at_ms: self.start_at_ms,
            end_at_ms,
            title: self.title.clone(),
            post: self.post.clone(),
            thread: self.thread.clone(),
            owner: self.owner.clone(),
            host: self.host.clone(),
            host_locked: self.host_locked.clone(),
            presenter: self.presenter.clone(),
            participants: self.participants.clone(),
            dismissed: self.dismissed.clone(),
            usage: self.usage.clone(),
        }
    }

    /// The call as `viewer` may see it: no bots, only the viewer's own dismissal.
    pub(crate) fn view(&self, viewer: &UserId, at: Moment) -> CallView {
        let job = |job: &Option<crate::jobs::Job>| job.as_ref().map(crate::jobs::Job::view);
        // In the order of joining, so that who joins late shows people in the same order as the others.
        let mut people: Vec<&Session> = self.people().collect();
        people.sort_by_key(|session| session.join_at_ms);
        CallView {
            id: self.id.clone(),
            start_at_ms: self.start_at_ms,
            sessions: people.into_iter().map(|session| session.view(at)).collect(),
            post: self.post.clone(),
            thread: self.thread.clone(),
            presenter: self.presenter.clone(),
            owner: self.owner.clone(),
            host: self.host.clone(),
            recording: job(&self.jobs.recording),
            transcribing: job(&self.jobs.transcribing),
            captioning: job(&self.jobs.captioning),
            dismissed_by: self.dismissed.get(viewer).cloned(),
        }
    }

    pub(crate) fn state_news(&self, viewer: &UserId, at: Moment) -> News {
        News::State(Box::new(self.view(viewer, at)))
    }

    /// The sessions that are not the bot's.
    pub(crate) fn people(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(|session| !session.is_bot)
    }

    pub(crate) fn has_person(&self, user: &UserId) -> bool {
        self.people().any(|session| session.user == *user)
    }

    pub(crate) fn who(&self, session: &SessionId) -> Option<Who> {
        self.sessions.get(session).map(Session::who)
    }

    /// To everybody with a session, each person once, and to the bot.
    pub(crate) fn tell_participants(&mut self, news: News) {
        let people: BTreeSet<&UserId> = self.people().map(|session| &session.user).collect();
        let people = people.into_iter().cloned().collect();
        self.out.tell(To::Participants(people), news);
    }

    pub(crate) fn store(&mut self) {
        let record = self.record(0);
        self.out.store(Record::Call(record));
    }

    pub(crate) fn dismiss(&mut self, user: &UserId) {
        self.dismissed.insert(user.clone());
        self.store();
        let (call, user) = (self.id.clone(), user.clone());
        self.out
            .tell(To::User(user.clone()), News::Dismissed { call, user });
    }

    /// Elects the host anew; tells everybody when it is another one.
    pub(crate) fn elect_host(&mut self) {
        self.elect_host_quietly();
        if self.host == self.told_host {
            return;
        }
        self.told_host.clone_from(&self.host);
        self.tell_participants(News::HostChanged {
            call: self.id.clone(),
            host: self.host.clone(),
        });
    }

    /// Elects the host anew; `elect_host` is to follow.
    pub(crate) fn elect_host_quietly(&mut self) {
        self.host = self.rightful_host();
    }

    /// Whether people are awaited who lost their media.
    pub(crate) fn lingers(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// The locked host if present, else the present host, else who has been here longest. Whoever only
    /// lost the media is as good as present.
    fn rightful_host(&self) -> Option<UserId> {
        let present = |user: &&UserId| self.awaited.contains_key(*user) || self.has_person(user);
        self.host_locked
            .as_ref()
            .filter(present)
            .or_else(|| self.host.as_ref().filter(present))
            .cloned()
            .or_else(|| {
                self.people()
                    .min_by_key(|session| session.join_at_ms)
                    .map(|s| s.user.clone())
            })
    }

    /// `known`: the session is still there, and is named to the others.
    pub(crate) fn stop_presenting(&mut self, session: &SessionId, known: bool, at: Moment) {
        if self.presenter.as_ref() != Some(session) {
            return;
        }
        self.presenter = None;
        self.usage.screen_off(at);
        let who = self.who(session).filter(|_| known);
        self.tell_participants(News::ScreenOff(who));
    }

    /// Announces the end; whoever has not left five seconds later is closed.
    pub(crate) fn end_for_everybody(&mut self, at: Moment) {
        if self.ends_until.is_none() {
            self.ends_until = Some(at.now + END_GRACE);
            self.out.tell(To::Room, News::Ending);
        }
    }

    /// Closes everybody at once, for the call's owner can do nothing more for them.
    fn break_off(&mut self, at: Moment) {
        if self.is_announced() {
            self.end_for_everybody(at);
        }
        self.is_over = !self.is_announced();
        for request in std::mem::take(&mut self.waiting) {
            self.refuse(&request, JoinError::Ended);
        }
        let sessions: Vec<SessionId> = self.sessions.keys().cloned().collect();
        self.remove_sessions(&sessions, true, at);
        if !self.is_over {
            self.finish(at);
        }
    }

    /// Ends the call: records, post, whoever counts calls.
    pub(crate) fn finish(&mut self, at: Moment) {
        self.is_over = true;
        if self.leaving.due().is_some() {
            self.elect_host();
        }
        self.stop_jobs(at);
        self.forget_what_passes();
        self.out.store(Record::Call(self.record(at.unix_ms)));
        if let Some(post) = self.post.clone() {
            let edit = PostEdit::Ended {
                end_at_ms: at.unix_ms,
                participants: self.participants.clone(),
            };
            self.out.push(Output::EditPost { post, edit });
        }
        let ended = Observation::CallEnded(self.id.clone());
        self.out.push(Output::Observed(ended));
    }

    /// Of a call that is over nobody is host, and nobody is rung for it.
    fn forget_what_passes(&mut self) {
        self.host = None;
        self.host_locked = None;
        self.presenter = None;
        self.dismissed.clear();
    }

    fn handle_post_created(&mut self, post: PostId, thread: PostId, at: Moment) {
        self.post = Some(post);
        self.thread = Some(thread);
        self.store();
        let started = News::Started {
            call: self.id.clone(),
            start_at_ms: self.start_at_ms,
            post: self.post.clone(),
            thread: self.thread.clone(),
            owner: self.owner.clone(),
            host: self.host.clone(),
        };
        self.out.tell(To::Room, started);
        let started = Observation::CallStarted(self.id.clone());
        self.out.push(Output::Observed(started));
        self.let_in_waiting(at);
        if self.sessions.is_empty() {
            self.finish(at);
        }
    }

    fn handle_post_refused(&mut self, reason: &str) {
        for request in std::mem::take(&mut self.waiting) {
            let error = JoinError::NoPost(reason.to_owned());
            self.refuse(&request, error);
        }
        self.is_over = !self.is_announced();
    }

    fn handle_timeout(&mut self, at: Moment) {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|due| due <= at.now);
        self.fail_late_jobs(at);
        let everybody = due(self.ends_until);
        // Of a call that ends now they hear that it did.
        if self.is_announced() && (everybody || due(self.rush.due())) {
            self.let_in_waiting(at);
        }
        let sessions = self.sessions.values();
        let gone: Vec<SessionId> = sessions
            .filter(|session| everybody || due(session.deadline()))
            .map(|session| session.id.clone())
            .collect();
        self.remove_sessions(&gone, true, at);
        let before = self.awaited.len();
        self.awaited.retain(|_, until| *until > at.now);
        if self.awaited.len() < before && !self.is_over {
            self.settle();
            if !self.lingers() {
                self.end_if_nobody_is_left(at);
            }
        }
        if due(self.leaving.due()) && !self.is_over {
            self.leaving.end();
            self.settle();
        }
        // A call that was ended for all while its post was still being made has no sessions, and
        // the post is still to come.
        if everybody && !self.is_over && self.is_announced() {
            self.finish(at);
        }
    }

    /// When something of this call is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let sessions = self.sessions.values().filter_map(Session::deadline);
        let ends = self.ends_until.filter(|_| self.is_announced());
        let rushes = self.rush.due().into_iter().chain(self.leaving.due());
        let others = self.jobs.deadline().into_iter().chain(rushes);
        let others = others.chain(self.awaited.values().copied());
        sessions.chain(others).chain(ends).min()
    }

    /// Sends a command about a session to its media host.
    pub(crate) fn tell_media(
        &mut self,
        session: &SessionId,
        command: impl FnOnce(SessionId) -> MediaCommand,
    ) {
        if let Some(session) = self.sessions.get(session) {
            self.out
                .tell_media(&session.media, command(session.id.clone()));
        }
    }
}
