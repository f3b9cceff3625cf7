//! Calls with their surroundings: what was announced, what is stored, what the media host knows.
//!
//! In: steps. Every announcement is checked as it comes, `check` compares the whole.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proto::calls::action::{Action, Caption, Emoji, Join, Reconnect};
use proto::calls::{Event, JobKind};
use proto::id::{ChannelId, ConnId, JobId, PostId, SessionId, UserId};
use proto::rtcd::ControlMessage;
use signalling_core::{
    Calls, Features, HostControl, Input, JobStatus, JoinFacts, JoinRequest, MediaHost, Moment,
    Output, Record, ThreadFact, To,
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
    Wait {
        ms: u64,
    },
}

pub(crate) struct World {
    calls: Calls,
    at: Moment,
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
    /// Channels whose call began with the last input.
    begun: Vec<ChannelId>,
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
        let features = Features {
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
        };
        Self {
            calls: Calls::new(features),
            at: beginning(),
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

    fn input(&mut self, input: Input) {
        self.calls.handle_input(input, self.at);
        self.drain();
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
                self.input(Input::Action {
                    connection: conn(on),
                    action: Action::Leave,
                });
            }
            Step::Disconnect { conn: on } => {
                self.unanswered.remove(&conn(on));
                self.input(Input::Disconnected {
                    connection: conn(on),
                });
            }
            Step::Reconnect {
                user: who,
                conn: on,
                original,
                channel: of,
            } => {
                let ask = Reconnect {
                    channel: channel(of),
                    original: conn(original),
                    previous: conn(original),
                };
                self.input(Input::Reconnect {
                    connection: conn(on),
                    user: user(who),
                    may_post: true,
                    ask,
                });
            }
            other => self.take_from_outside(other),
        }
    }

    /// What does not come from the people's own clients.
    fn take_from_outside(&mut self, step: Step) {
        match step {
            Step::MediaCloses { conn: on } => {
                let session = SessionId::parse(conn(on).as_str()).unwrap();
                self.in_media.remove(&session);
                self.input(Input::MediaClosed { session });
            }
            Step::LeavesRoom {
                user: who,
                channel: of,
            } => {
                self.input(Input::LeftRoom {
                    channel: channel(of),
                    user: user(who),
                });
            }
            Step::LoginEnds { user: who } => {
                self.input(Input::LoginEnded {
                    login: USERS[who].to_owned(),
                });
            }
            Step::Control {
                user: who,
                channel: of,
                target,
                what,
            } => {
                self.control(who, &channel(of), target, what);
            }
            Step::Archive { channel: of } => {
                self.input(Input::RoomArchived {
                    channel: channel(of),
                });
            }
            Step::Wait { ms } => {
                self.at.now += Duration::from_millis(ms);
                self.at.unix_ms += i64::try_from(ms).unwrap();
                self.input(Input::Timeout);
            }
            other => self.take_job(other),
        }
    }

    fn take_job(&mut self, step: Step) {
        match step {
            Step::Record {
                user: who,
                channel: of,
                start,
            } => {
                if start {
                    let _ = self
                        .calls
                        .start_recording(&channel(of), &user(who), self.at);
                } else {
                    let _ = self.calls.stop_recording(&channel(of), &user(who), self.at);
                }
                self.drain();
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
                        err: "broken".to_owned(),
                    }
                } else {
                    JobStatus::Started
                };
                if let Some(job) = self.jobs.get(&(channel(of), kind)).cloned() {
                    let _ = self
                        .calls
                        .report_job(&channel(of), &job, kind, status, self.at);
                }
                self.drain();
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
        let connection = conn(on);
        *self.unanswered.entry(connection.clone()).or_default() += 1;
        self.input(Input::Join(Box::new(JoinRequest {
            connection,
            login: who.to_string(),
            name: who.to_string(),
            user: who,
            ask: Join {
                channel: channel(into),
                title: String::new(),
                thread: None,
                job,
                av1_support: false,
                dc_signalling: true,
            },
            facts: JoinFacts {
                may_post,
                archived: false,
                direct,
                thread: ThreadFact::NotAsked,
                enabled: None,
                is_admin: false,
                media: Ok(MediaHost("http://media".to_owned())),
            },
        })));
    }

    fn act(&mut self, on: usize, what: usize) {
        let session = SessionId::parse(conn(0).as_str()).unwrap();
        let stream = "stream".to_owned();
        let action = match what {
            0 => Action::Mute,
            1 => Action::Unmute,
            2 => Action::RaiseHand,
            3 => Action::UnraiseHand,
            4 => Action::React(Emoji::default()),
            5 | 6 => Action::ScreenOn { stream },
            7 => Action::ScreenOff,
            8 => Action::VideoOn { stream },
            9 => Action::VideoOff,
            10 => Action::Ping,
            _ => Action::Caption(Caption {
                session,
                text: "x".to_owned(),
                new_audio_len_ms: 1.0,
            }),
        };
        self.input(Input::Action {
            connection: conn(on),
            action,
        });
    }

    fn control(&mut self, who: usize, of: &ChannelId, target: usize, what: usize) {
        let session = SessionId::parse(conn(target).as_str()).unwrap();
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
        let _ = self
            .calls
            .host_control(of, &user(who), false, control, self.at);
        self.drain();
    }

    fn answer_jobs(&mut self) {
        while let Some((channel, job)) = self.pending_jobs.pop() {
            let answer = Ok("service".to_owned());
            self.input(Input::JobAnswered {
                channel,
                job,
                answer,
            });
        }
    }

    fn drain(&mut self) {
        loop {
            match self.calls.poll_output() {
                Output::Timeout(_) => return,
                Output::Publish(envelope) => self.heard(&envelope.event, &envelope.to),
                Output::Store(record) => self.store(record),
                Output::ToMedia {
                    message: ControlMessage::Join(join),
                    ..
                } => {
                    assert!(
                        self.in_media.insert(join.session),
                        "joined twice at the media host"
                    );
                }
                Output::ToMedia {
                    message: ControlMessage::Leave(session),
                    ..
                } => {
                    assert!(self.in_media.remove(&session), "left without having joined");
                }
                Output::ToMedia { .. } | Output::EditPost { .. } | Output::Observed(_) => {}
                Output::CreatePost(post) => {
                    self.posts += 1;
                    self.begun.push(post.channel.clone());
                    let id = PostId::parse(format!("post{}", self.posts)).unwrap();
                    let (channel, thread) = (post.channel, id.clone());
                    let input = Input::PostCreated {
                        channel,
                        post: id,
                        thread,
                    };
                    self.calls.handle_input(input, self.at);
                }
                Output::RequestJob(request) => {
                    let key = (request.channel.clone(), request.kind);
                    self.jobs.insert(key, request.job.clone());
                    self.pending_jobs.push((request.channel, request.job));
                }
            }
        }
    }

    fn heard(&mut self, event: &Event, to: &To) {
        let answered = match event {
            Event::Join(joined) => &joined.connection,
            Event::Error(refused) => &refused.connection,
            _ => return,
        };
        assert_eq!(*to, To::Connection(answered.clone()));
        let open = self
            .unanswered
            .get_mut(answered)
            .expect("an answer to a join that was asked");
        *open -= 1;
        assert!(*open >= 0, "a join is answered once");
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
        self.calls.active_channels().is_empty()
            && self.calls.sessions().count() == 0
            && self.stored_sessions.is_empty()
            && self.open_calls.is_empty()
            && self.open_jobs.is_empty()
            && self.in_media.is_empty()
    }

    pub(crate) fn check(&self) {
        let unanswered: Vec<_> = self
            .unanswered
            .iter()
            .filter(|(_, open)| **open != 0)
            .collect();
        assert!(
            unanswered.is_empty(),
            "joins without an answer: {unanswered:?}"
        );
        let live: Vec<_> = self.calls.sessions().collect();
        let ids: BTreeSet<SessionId> = live.iter().map(|session| session.session.clone()).collect();
        assert_eq!(ids.len(), live.len(), "a session is in one call, once");
        let connections: BTreeSet<_> = live.iter().map(|session| &session.connection).collect();
        assert_eq!(
            connections.len(),
            live.len(),
            "a connection has one session"
        );
        for at in 0..6 {
            let live = connections.contains(&conn(at));
            assert_eq!(
                self.calls.has_session(&conn(at)),
                live,
                "connections of sessions only"
            );
        }
        assert_eq!(ids, self.stored_sessions, "what is stored is what is");
        assert_eq!(
            ids, self.in_media,
            "the media host has exactly our sessions"
        );
        let active = self.calls.active_channels();
        let idle = self.begun.iter().find(|channel| !active.contains(channel));
        assert_eq!(idle, None, "a call is announced only if somebody gets in");
        for channel in active {
            self.check_call(&channel);
        }
    }

    fn check_call(&self, channel: &ChannelId) {
        let state = self.calls.state(channel, &user(0)).unwrap();
        let in_call = self
            .calls
            .sessions()
            .filter(|session| session.channel == *channel);
        let all = in_call.count();
        assert!(
            (1..=4).contains(&all),
            "a call has people, and no more than the limit"
        );
        let people: BTreeSet<_> = state.sessions.iter().map(|s| s.user_id.clone()).collect();
        assert!(!people.contains(&user(3)), "bots are not listed");
        match &state.host_id {
            Some(host) => assert!(people.contains(host), "the host is in the call"),
            None => assert!(people.is_empty(), "people have a host"),
        }
        if let Some(presenter) = &state.screen_sharing_session_id {
            assert!(
                state
                    .sessions
                    .iter()
                    .any(|session| session.session_id == *presenter)
            );
        }
        let jobs = [&state.recording, &state.transcription, &state.live_captions];
        for job in jobs.into_iter().flatten() {
            assert!(job.end_at == 0 || job.end_at >= job.init_at);
            assert!(job.end_at == 0 || job.start_at <= job.end_at);
        }
        let open =
            |job: &Option<proto::calls::JobState>| job.as_ref().is_some_and(|j| j.end_at == 0);
        if people.is_empty() {
            assert!(!open(&state.recording), "nobody is left to record");
        }
        if open(&state.transcription) {
            assert!(
                open(&state.recording),
                "transcribing never outlives recording"
            );
        }
    }
}
