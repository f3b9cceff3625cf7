//! Calls with their surroundings: what was announced, what is stored, what the media host knows.
//!
//! In: steps. As the shell does, the world keeps by the roster which connection is whose, and says
//! with a join whether its connection is taken. Every announcement is checked as it comes (`told`), and
//! then the whole is compared (`check`).

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod check;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};
use signalling_core::{
    Call, Capabilities, Caption, Emoji, Features, HostControl, Input, JobKind, JobStatus, JobTaken,
    JobView, JoinFacts, JoinRequest, MEDIA_GRACE, MediaCommand, MediaHost, Moment, News, Output,
    Record, Request, Roster, Seat, ThreadFact, To,
};

const USERS: [&str; 4] = ["anna", "ben", "cora", "bot"];
const MEDIA: [&str; 2] = ["http://media", "http://other"];

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
        /// With its host.
        lost: bool,
    },
    /// One of two media hosts says that the other has the session.
    MediaElsewhere {
        conn: usize,
        from: usize,
    },
    /// The media host is going to stop.
    MediaStops {
        channel: usize,
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
        what: Recording,
    },
    BotReports {
        channel: usize,
        transcribing: bool,
        what: usize,
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

/// What a host asks of a recording.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Recording {
    Start,
    StartWithoutSpeech,
    Stop,
    Pause,
    Resume,
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
    /// Whom media hosts have, as they were told.
    in_media: BTreeMap<SessionId, MediaHost>,
    pending_jobs: Vec<(ChannelId, JobId)>,
    jobs: BTreeMap<(ChannelId, JobKind), JobId>,
    posts: usize,
    /// Channels whose call was announced with the last input.
    begun: Vec<ChannelId>,
    /// Who lost the media of a session, and until when the call waits for them to come back.
    awaited: BTreeMap<(ChannelId, UserId), Instant>,
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
            job_services: 1,
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
            in_media: BTreeMap::new(),
            pending_jobs: Vec::new(),
            jobs: BTreeMap::new(),
            posts: 0,
            begun: Vec::new(),
            awaited: BTreeMap::new(),
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

    /// Whoever has this session may come back when its media is gone.
    fn await_owner(&mut self, session: &SessionId) {
        let until = self.at.now + MEDIA_GRACE;
        for (channel, call) in &self.calls {
            let seen = call.view(&user(0), self.at);
            let sessions = seen.into_iter().flat_map(|seen| seen.sessions);
            let of_it = sessions.filter(|one| one.session == *session);
            let owners = of_it.map(|one| ((channel.clone(), one.user), until));
            self.awaited.extend(owners);
        }
    }

    /// Whether a call waits for somebody.
    pub(crate) fn awaits(&self, channel: &ChannelId, who: Option<&UserId>) -> bool {
        self.awaited.iter().any(|((of, user), until)| {
            of == channel && who.is_none_or(|who| who == user) && *until > self.at.now
        })
    }

    /// What does not come from the people's own clients.
    fn take_from_outside(&mut self, step: Step) {
        match step {
            Step::MediaCloses { conn: on, lost } => {
                let session = session(on);
                if lost {
                    self.await_owner(&session);
                }
                self.everywhere(|| {
                    let session = session.clone();
                    if lost {
                        Input::MediaLost { session }
                    } else {
                        Input::MediaClosed { session }
                    }
                });
                // A bot at work stays for a moment, and is taken out there as well.
                if !self.sits(&session) {
                    self.in_media.remove(&session);
                }
            }
            Step::MediaElsewhere { conn: on, from } => {
                let hosts = |at: usize| MediaHost(MEDIA[at].to_owned());
                self.everywhere(|| Input::MediaElsewhere {
                    session: session(on),
                    from: hosts(from),
                    host: hosts(1 - from),
                });
            }
            Step::MediaStops { channel: of } => {
                let sessions = self.calls[&channel(of)].view(&user(0), self.at);
                let sessions = sessions.into_iter().flat_map(|seen| seen.sessions);
                for one in sessions.collect::<Vec<_>>() {
                    self.await_owner(&one.session);
                }
                let host = MediaHost(MEDIA[0].to_owned());
                self.input(&channel(of), Input::MediaHostStops { host });
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
                what,
            } => {
                let call = self.calls.get_mut(&channel(of)).unwrap();
                let (by, at) = (user(who), self.at);
                let no_speech = "no model".to_owned();
                let _ = match what {
                    Recording::Start => call.start_recording(&by, None, at).map(drop),
                    Recording::StartWithoutSpeech => {
                        call.start_recording(&by, Some(no_speech), at).map(drop)
                    }
                    Recording::Stop => call.stop_recording(&by, at).map(drop),
                    Recording::Pause => call.pause_recording(&by).map(drop),
                    Recording::Resume => call.resume_recording(&by).map(drop),
                };
                self.drain(&channel(of));
                self.answer_jobs();
            }
            Step::BotReports {
                channel: of,
                transcribing,
                what,
            } => {
                let kind = if transcribing {
                    JobKind::Transcribing
                } else {
                    JobKind::Recording
                };
                let status = match what {
                    0 => JobStatus::Failed {
                        reason: "broken".to_owned(),
                    },
                    1 => JobStatus::Paused,
                    2 => JobStatus::Resumed,
                    3 => JobStatus::Progress(50),
                    4 => JobStatus::Lost {
                        reason: "too large".to_owned(),
                    },
                    _ => JobStatus::Started,
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
                room_members: 150,
                thread: ThreadFact::NotAsked,
                enabled: None,
                is_admin: false,
                is_connected,
                media: Ok(MediaHost(MEDIA[0].to_owned())),
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
                line: None,
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
            let answer = Ok(JobTaken {
                service_id: "service".to_owned(),
                may_move: true,
            });
            self.input(&channel, Input::JobAnswered { job, answer });
        }
    }
}
