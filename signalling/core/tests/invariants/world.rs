//! Calls with their surroundings: what was announced, what is stored, what the media host knows.
//!
//! In: steps. As the shell does, the world keeps by the roster which connection is whose, and says
//! with a join whether its connection is taken. Every announcement is checked as it comes, `check` compares the whole.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};
use signalling_core::{
    Call, Capabilities, Caption, Emoji, Features, HostControl, Input, JobKind, JobStatus, JobView,
    JoinFacts, JoinRequest, MediaCommand, MediaHost, Moment, News, Output, Record, Request, Roster,
    Seat, ThreadFact, To,
};

const USERS: [&str; 4] = ["anna", "ben", "cora", "bot"];

/// One step of a random history. Numbers choose among users, connections, channels.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Join {
        user: usize,
        conn: usize,
        channel: usize,
        allowed: bool,
        dm: bool,
    },
    BotJoin {
        conn: usize,
        channel: usize,
        known_job: bool,
    },
    Act {
        conn: usize,
        what: usize,
    },
    Leave {
        conn: usize,
    },
    Disconnect {
        conn: usize,
    },
    Reconnect {
        user: usize,
        conn: usize,
        original: usize,
        channel: usize,
    },
    MediaCloses {
        conn: usize,
    },
    LeavesRoom {
        user: usize,
        channel: usize,
    },
    LoginEnds {
        user: usize,
    },
    Control {
        user: usize,
        channel: usize,
        target: usize,
        what: usize,
    },
    Record {
        user: usize,
        channel: usize,
        start: bool,
    },
    BotReports {
        channel: usize,
        transcribing: bool,
        failed: bool,
    },
    Archive {
        channel: usize,
    },
    /// The chat server answers, oldest question first.
    Post {
        refused: bool,
    },
    Wait {
        ms: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Waits(ChannelId),
    Sits(ChannelId, SessionId),
}

pub(crate) struct World {
    calls: BTreeMap<ChannelId, Call>,
    at: Moment,
    /// Connections with a session, or waiting for one.
    places: BTreeMap<ConnId, Place>,
    /// Posts that the chat server was asked for.
    asked_posts: Vec<(ChannelId, CallId)>,
    posts_come: bool,
    /// Joins asked minus answers, per connection.
    unanswered: BTreeMap<ConnId, i64>,
    /// What a restart would find.
    stored_sessions: BTreeSet<SessionId>,
    open_calls: BTreeSet<String>,
    open_jobs: BTreeSet<JobId>,
    /// What the media host was told.
    in_media: BTreeSet<SessionId>,
    pending_jobs: Vec<(ChannelId, JobId)>,
    jobs: BTreeMap<(ChannelId, JobKind), JobId>,
    posts: usize,
    /// Channels whose call was announced with the last input.
    begun: Vec<ChannelId>,
}

fn session(at: usize) -> SessionId {
    SessionId::parse(conn(at).as_str()).unwrap()
}

fn user(at: usize) -> UserId {
    UserId::parse(USERS[at]).unwrap()
}

fn conn(at: usize) -> ConnId {
    ConnId::parse(format!("conn{at}")).unwrap()
}

fn channel(at: usize) -> ChannelId {
    ChannelId::parse(format!("channel{at}")).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs one instant to begin with"
)]
fn beginning() -> Moment {
    Moment {
        now: Instant::now(),
        unix_ms: 1_000_000,
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let features = Arc::new(Features {
            bot: user(3),
            default_enabled: true,
            group_calls: false,
            max_participants: 4,
            screen_sharing: true,
            video: true,
            recordings: true,
            transcriptions: true,
            captions: true,
            job_service: true,
        });
        let channels = (0..2).map(channel);
        let calls = channels.map(|channel| {
            let call = Call::new(features.clone(), channel.clone());
            (channel, call)
        });
        Self {
            calls: calls.collect(),
            at: beginning(),
            places: BTreeMap::new(),
            asked_posts: Vec::new(),
            posts_come: true,
            unanswered: BTreeMap::new(),
            stored_sessions: BTreeSet::new(),
            open_calls: BTreeSet::new(),
            open_jobs: BTreeSet::new(),
            in_media: BTreeSet::new(),
            pending_jobs: Vec::new(),
            jobs: BTreeMap::new(),
            posts: 0,
            begun: Vec::new(),
        }
    }

    /// The chat server answers when a step says so, not at once.
    pub(crate) fn with_slow_chat() -> Self {
        let posts_come = false;
        Self {
            posts_come,
            ..Self::new()
        }
    }

    fn input(&mut self, of: &ChannelId, input: Input) {
        let call = self.calls.get_mut(of).unwrap();
        call.handle_input(input, self.at);
        self.drain(of);
    }

    /// To the call that the connection belongs to.
    fn input_on(&mut self, on: usize, input: Input) {
        if let Some(Place::Waits(of) | Place::Sits(of, _)) = self.places.get(&conn(on)).cloned() {
            self.input(&of, input);
        }
    }

    fn everywhere(&mut self, input: impl Fn() -> Input) {
        let channels: Vec<ChannelId> = self.calls.keys().cloned().collect();
        for channel in channels {
            self.input(&channel, input());
        }
    }

    pub(crate) fn take(&mut self, step: Step) {
        self.at.unix_ms += 1;
        self.begun.clear();
        match step {
            Step::Join {
                user: who,
                conn: on,
                channel: into,
                allowed,
                dm,
            } => {
                self.join(user(who), on, into, None, (allowed, dm));
            }
            Step::BotJoin {
                conn: on,
                channel: into,
                known_job,
            } => {
                let known = self.jobs.get(&(channel(into), JobKind::Recording)).cloned();
                let job = known.filter(|_| known_job).unwrap_or_else(JobId::random);
                self.join(user(3), on, into, Some(job), (true, true));
            }
            Step::Act { conn: on, what } => self.act(on, what),
            Step::Leave { conn: on } => {
                self.unanswered.remove(&conn(on));
                let connection = conn(on);
                self.input_on(on, Input::Leave { connection });
            }
            Step::Disconnect { conn: on } => {
                self.unanswered.remove(&conn(on));
                let connection = conn(on);
                self.input_on(on, Input::Disconnected { connection });
            }
            Step::Reconnect {
                user: who,
                conn: on,
                original,
                channel: of,
            } => self.reconnect(user(who), on, original, &channel(of)),
            other => self.take_from_outside(other),
        }
    }

    fn reconnect(&mut self, who: UserId, on: usize, original: usize, of: &ChannelId) {
        let here = Place::Sits(of.clone(), session(original));
        let place = self.places.get(&conn(on));
        let is_taken = place.is_some_and(|place| *place != here);
        let ask = Input::Reconnect {
            connection: conn(on),
            user: who,
            session: session(original),
            previous: conn(original),
            may_post: true,
            is_taken,
        };
        self.input(of, ask);
    }

    /// What does not come from the people's own clients.
    fn take_from_outside(&mut self, step: Step) {
        match step {
            Step::MediaCloses { conn: on } => {
                let session = session(on);
                self.in_media.remove(&session);
                self.everywhere(|| Input::MediaClosed {
                    session: session.clone(),
                });
            }
            Step::LeavesRoom {
                user: who,
                channel: of,
            } => self.input(&channel(of), Input::LeftRoom { user: user(who) }),
            Step::LoginEnds { user: who } => self.everywhere(|| Input::LoginEnded {
                login: USERS[who].to_owned(),
            }),
            Step::Control {
                user: who,
                channel: of,
                target,
                what,
            } => {
                self.control(who, &channel(of), target, what);
            }
            Step::Archive { channel: of } => self.input(&channel(of), Input::RoomArchived),
            Step::Post { refused } => {
                if !self.asked_posts.is_empty() {
                    self.answer_post(refused);
                }
            }
            Step::Wait { ms } => {
                self.at.now += Duration::from_millis(ms);
                self.at.unix_ms += i64::try_from(ms).unwrap();
                self.everywhere(|| Input::Timeout);
            }
            other => self.take_job(other),
        }
    }

    fn answer_post(&mut self, refused: bool) {
        let (of, call) = self.asked_posts.remove(0);
        if refused {
            let reason = "no disk".to_owned();
            return self.input(&of, Input::PostRefused { call, reason });
        }
        self.posts += 1;
        let post = PostId::parse(format!("post{}", self.posts)).unwrap();
        let thread = post.clone();
        self.input(&of, Input::PostCreated { call, post, thread });
    }

    fn take_job(&mut self, step: Step) {
        match step {
            Step::Record {
                user: who,
                channel: of,
                start,
            } => {
                let call = self.calls.get_mut(&channel(of)).unwrap();
                if start {
                    let _ = call.start_recording(&user(who), self.at);
                } else {
                    let _ = call.stop_recording(&user(who), self.at);
                }
                self.drain(&channel(of));
                self.answer_jobs();
            }
            Step::BotReports {
                channel: of,
                transcribing,
                failed,
            } => {
                let kind = if transcribing {
                    JobKind::Transcribing
                } else {
                    JobKind::Recording
                };
                let status = if failed {
                    JobStatus::Failed {
                        reason: "broken".to_owned(),
                    }
                } else {
                    JobStatus::Started
                };
                if let Some(job) = self.jobs.get(&(channel(of), kind)).cloned() {
                    let call = self.calls.get_mut(&channel(of)).unwrap();
                    let _ = call.report_job(&job, kind, status, self.at);
                }
                self.drain(&channel(of));
            }
            other => panic!("{other:?} is taken elsewhere"),
        }
    }

    fn join(
        &mut self,
        who: UserId,
        on: usize,
        into: usize,
        job: Option<JobId>,
        (may_post, direct): (bool, bool),
    ) {
        let (connection, of) = (conn(on), channel(into));
        *self.unanswered.entry(connection.clone()).or_default() += 1;
        let id_is_taken = self.sits(&session(on));
        let is_connected = self.places.contains_key(&connection) || id_is_taken;
        if !is_connected {
            let place = Place::Waits(of.clone());
            self.places.insert(connection.clone(), place);
        }
        let ask = JoinRequest {
            connection,
            login: who.to_string(),
            name: who.to_string(),
            user: who,
            title: String::new(),
            thread: None,
            job,
            capabilities: Capabilities::default(),
            facts: JoinFacts {
                may_post,
                archived: false,
                direct,
                thread: ThreadFact::NotAsked,
                enabled: None,
                is_admin: false,
                is_connected,
                media: Ok(MediaHost("http://media".to_owned())),
            },
        };
        self.input(&of, Input::Join(Box::new(ask)));
    }

    fn sits(&self, session: &SessionId) -> bool {
        let mut places = self.places.values();
        places.any(|place| matches!(place, Place::Sits(_, of) if of == session))
    }

    fn act(&mut self, on: usize, what: usize) {
        let stream = "stream".to_owned();
        let request = match what {
            0 => Request::Mute,
            1 => Request::Unmute,
            2 => Request::RaiseHand,
            3 => Request::LowerHand,
            4 | 10 => Request::React(Emoji::default()),
            5 | 6 => Request::ShareScreen { stream },
            7 => Request::StopScreen,
            8 => Request::ShowVideo { stream },
            9 => Request::StopVideo,
            _ => Request::Caption(Caption {
                session: session(0),
                text: "x".to_owned(),
                new_audio_ms: 1.0,
            }),
        };
        let connection = conn(on);
        let input = Input::Request {
            connection,
            request,
        };
        self.input_on(on, input);
    }

    fn control(&mut self, who: usize, of: &ChannelId, target: usize, what: usize) {
        let session = session(target);
        let control = match what {
            0 => HostControl::Make {
                new_host: user(target % 4),
            },
            1 => HostControl::Mute { session },
            2 => HostControl::MuteOthers,
            3 => HostControl::ScreenOff { session },
            4 => HostControl::LowerHand { session },
            5 => HostControl::Remove { session },
            _ => HostControl::End,
        };
        let call = self.calls.get_mut(of).unwrap();
        let _ = call.host_control(&user(who), false, control, self.at);
        self.drain(of);
    }

    fn answer_jobs(&mut self) {
        while let Some((channel, job)) = self.pending_jobs.pop() {
            let answer = Ok("service".to_owned());
            self.input(&channel, Input::JobAnswered { job, answer });
        }
    }

    fn drain(&mut self, of: &ChannelId) {
        loop {
            match self.calls.get_mut(of).unwrap().poll_output() {
                Output::Timeout(_) => return,
                Output::Publish(envelope) => {
                    if matches!(envelope.news, News::Started { .. }) {
                        self.begun.push(of.clone());
                    }
                    self.heard(&envelope.news, &envelope.to);
                }
                Output::Store(record) | Output::StoreSoon(record) => self.store(record),
                Output::ToMedia { command, .. } => self.tell_media(command),
                Output::Roster(change) => self.seat(of, change),
                Output::EditPost { .. } | Output::Observed(_) => {}
                Output::CreatePost(post) => {
                    self.asked_posts.push((of.clone(), post.call));
                    if self.posts_come {
                        self.answer_post(false);
                    }
                }
                Output::RequestJob(request) => {
                    let key = (of.clone(), request.kind);
                    self.jobs.insert(key, request.job.clone());
                    self.pending_jobs.push((of.clone(), request.job));
                }
            }
        }
    }

    fn tell_media(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Enter { session, .. } => {
                let is_new = self.in_media.insert(session);
                assert!(is_new, "joined twice at the media host");
            }
            MediaCommand::Leave(session) => {
                let was_in = self.in_media.remove(&session);
                assert!(was_in, "left without having joined");
            }
            about => assert!(
                self.in_media.contains(about.session()),
                "the media host is told of sessions it has"
            ),
        }
    }

    fn seat(&mut self, of: &ChannelId, change: Roster) {
        match change {
            Roster::Entered(seat) => {
                let place = Place::Sits(of.clone(), seat.session);
                let before = self.places.insert(seat.connection, place);
                assert_eq!(before, Some(Place::Waits(of.clone())), "who enters waited");
            }
            Roster::Moved { session, to } => {
                self.vacate(&session);
                self.places.insert(to, Place::Sits(of.clone(), session));
            }
            Roster::Left { session } => {
                assert!(self.sits(&session), "who leaves had a session");
                self.vacate(&session);
            }
            Roster::TurnedAway { connection } => {
                let here = Place::Waits(of.clone());
                if self.places.get(&connection) == Some(&here) {
                    self.places.remove(&connection);
                }
            }
        }
    }

    fn vacate(&mut self, session: &SessionId) {
        self.places
            .retain(|_, place| !matches!(place, Place::Sits(_, of) if of == session));
    }

    fn heard(&mut self, news: &News, to: &To) {
        let (News::Joined(answered)
        | News::JoinRefused {
            connection: answered,
            ..
        }) = news
        else {
            return;
        };
        assert_eq!(*to, To::Connection(answered.clone()));
        // Who left in the meantime may be told or not.
        if let Some(open) = self.unanswered.get_mut(answered) {
            *open -= 1;
            assert!(*open >= 0, "a join is answered once");
        }
    }

    fn store(&mut self, record: Record) {
        match record {
            Record::Call(call) if call.end_at_ms == 0 => {
                self.open_calls.insert(call.id.to_string());
            }
            Record::Call(call) => {
                self.open_calls.remove(call.id.as_str());
            }
            Record::Session(session) => {
                self.stored_sessions.insert(session.id);
            }
            Record::SessionGone(session) => {
                self.stored_sessions.remove(&session);
            }
            Record::Job(job) if job.end_at_ms == 0 => {
                self.open_jobs.insert(job.id);
            }
            Record::Job(job) => {
                self.open_jobs.remove(&job.id);
            }
        }
    }

    /// Whether nothing of any call is left, here or with anybody who was told of one.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.values().all(Call::is_idle)
            && self.places.is_empty()
            && self.stored_sessions.is_empty()
            && self.open_calls.is_empty()
            && self.open_jobs.is_empty()
            && self.in_media.is_empty()
    }

    /// Whether somebody still waits for the chat server.
    pub(crate) fn awaits_posts(&self) -> bool {
        !self.asked_posts.is_empty()
    }

    pub(crate) fn check(&self) {
        let waiting = self.places.values();
        let waiting = waiting.filter(|place| matches!(place, Place::Waits(_)));
        let waiting = i64::try_from(waiting.count()).unwrap();
        let unanswered: i64 = self.unanswered.values().sum();
        assert!(
            unanswered <= waiting,
            "joins without an answer: {:?}",
            self.unanswered
        );
        let live: Vec<(ChannelId, Seat)> = self
            .calls
            .iter()
            .flat_map(|(channel, call)| call.seats().map(|seat| (channel.clone(), seat)))
            .collect();
        let ids: BTreeSet<SessionId> = live.iter().map(|(_, seat)| seat.session.clone()).collect();
        assert_eq!(ids.len(), live.len(), "a session is in one call, once");
        for (channel, seat) in &live {
            let place = Place::Sits(channel.clone(), seat.session.clone());
            assert_eq!(
                self.places.get(&seat.connection),
                Some(&place),
                "the roster knows every session"
            );
        }
        let sitting = self.places.values();
        let sitting = sitting.filter(|place| matches!(place, Place::Sits(..)));
        assert_eq!(
            sitting.count(),
            live.len(),
            "the roster knows only sessions that are"
        );
        assert_eq!(ids, self.stored_sessions, "what is stored is what is");
        assert_eq!(
            ids, self.in_media,
            "the media host has exactly our sessions"
        );
        for channel in &self.begun {
            let runs = self.calls[channel].is_running();
            assert!(
                runs || !self.posts_come,
                "a call is announced only if somebody gets in"
            );
        }
        for (channel, call) in &self.calls {
            if call.is_running() {
                self.check_call(channel, call);
            }
        }
    }

    fn check_call(&self, channel: &ChannelId, call: &Call) {
        let state = call.view(&user(0)).unwrap();
        let all = call.seats().count();
        assert!(
            (1..=4).contains(&all),
            "a call has people, and no more than the limit: {all} in {channel}"
        );
        let people: BTreeSet<_> = state.sessions.iter().map(|s| s.user.clone()).collect();
        assert!(!people.contains(&user(3)), "bots are not listed");
        match &state.host {
            Some(host) => assert!(people.contains(host), "the host is in the call"),
            None => assert!(people.is_empty(), "people have a host"),
        }
        if let Some(presenter) = &state.presenter {
            let mut sessions = state.sessions.iter();
            assert!(sessions.any(|session| session.session == *presenter));
        }
        let jobs = [&state.recording, &state.transcribing, &state.captioning];
        for job in jobs.into_iter().flatten() {
            assert!(job.end_at_ms == 0 || job.end_at_ms >= job.init_at_ms);
            assert!(job.end_at_ms == 0 || job.start_at_ms <= job.end_at_ms);
        }
        let open = |job: &Option<JobView>| job.as_ref().is_some_and(|j| j.end_at_ms == 0);
        if people.is_empty() {
            assert!(!open(&state.recording), "nobody is left to record");
        }
        if open(&state.transcribing) {
            assert!(
                open(&state.recording),
                "transcribing never outlives recording"
            );
        }
    }
}
