//! One call with its surroundings, and what they were told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};
use signalling_core::{
    Call, CallView, Capabilities, Envelope, Features, Hint, HostControl, Input, JobKind, JobStatus,
    JobStatusError, JobTaken, JobView, JoinError, JoinFacts, JoinRequest, MediaHost, Moment, News,
    Output, PostEdit, Record, Request, RestoredCall, ThreadFact, To,
};

pub(crate) struct World {
    pub(crate) call: Call,
    pub(crate) at: Moment,
    pub(crate) records: Vec<Record>,
    pub(crate) requested: Vec<JobId>,
    /// Whether the chat server answers at once.
    pub(crate) posts_come: bool,
    /// The calls whose posts are still to be made.
    pub(crate) asked_posts: Vec<CallId>,
    pub(crate) closed_posts: Vec<PostId>,
    pub(crate) refused: Vec<(ConnId, JoinError)>,
    /// Where whoever joins next has its media.
    pub(crate) media: String,
    /// The hosts that were told something.
    pub(crate) to_media: Vec<String>,
    /// What the bot was told of jobs, in order.
    pub(crate) to_bot: Vec<News>,
    /// How people were told that jobs stand, in order.
    pub(crate) jobs_told: Vec<JobView>,
    /// Whatever was written into the call's post beside its end.
    pub(crate) edits: Vec<PostEdit>,
    /// How many people are in the channel.
    pub(crate) room_members: usize,
    /// News for everybody in the channel, in order.
    pub(crate) to_room: Vec<News>,
    /// What single people were shown beside refusals.
    pub(crate) hints: Vec<(UserId, Hint)>,
    /// Whom the participants were told as their host, in order.
    pub(crate) hosts_told: Vec<UserId>,
    /// Sessions that were asked to join anew.
    pub(crate) moves: Vec<String>,
    /// Sessions that another host is told of from now on: from which, and to which.
    pub(crate) handed: Vec<(String, MediaHost, MediaHost)>,
}

pub(crate) fn post_of(call: &CallId, id: &str) -> Input {
    let post = PostId::parse(id).unwrap();
    Input::PostCreated {
        call: call.clone(),
        thread: post.clone(),
        post,
    }
}

pub(crate) fn channel() -> ChannelId {
    ChannelId::parse("channel").unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn conn(name: &str) -> ConnId {
    ConnId::parse(name).unwrap()
}

pub(crate) fn features() -> Features {
    Features {
        bot: user("bot"),
        default_enabled: true,
        group_calls: true,
        max_participants: 0,
        screen_sharing: true,
        video: true,
        recordings: true,
        transcriptions: true,
        captions: true,
        job_services: 1,
    }
}

/// A job that a service of ours has taken.
pub(crate) fn taken(service_id: &str) -> JobTaken {
    JobTaken {
        service_id: service_id.to_owned(),
        may_move: true,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs one instant to begin with"
)]
pub(crate) fn beginning() -> Moment {
    Moment {
        now: Instant::now(),
        unix_ms: 1_000_000,
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            call: Call::new(Arc::new(features()), channel()),
            at: beginning(),
            records: Vec::new(),
            requested: Vec::new(),
            posts_come: true,
            asked_posts: Vec::new(),
            closed_posts: Vec::new(),
            refused: Vec::new(),
            media: "http://media".to_owned(),
            to_media: Vec::new(),
            to_bot: Vec::new(),
            jobs_told: Vec::new(),
            edits: Vec::new(),
            room_members: 3,
            to_room: Vec::new(),
            hints: Vec::new(),
            hosts_told: Vec::new(),
            moves: Vec::new(),
            handed: Vec::new(),
        }
    }

    /// A server whose calls are for direct messages only.
    pub(crate) fn without_group_calls() -> Self {
        let features = Features {
            group_calls: false,
            ..features()
        };
        Self {
            call: Call::new(Arc::new(features), channel()),
            ..Self::new()
        }
    }

    /// A server with another job service beside the first.
    pub(crate) fn with_two_job_services() -> Self {
        let features = Features {
            job_services: 2,
            ..features()
        };
        Self {
            call: Call::new(Arc::new(features), channel()),
            ..Self::new()
        }
    }

    pub(crate) fn restore(&mut self, stored: RestoredCall) {
        let grace = Duration::from_secs(30);
        self.call = Call::restored(Arc::new(features()), stored, self.at, grace);
        self.drain();
    }

    pub(crate) fn record(&mut self) -> (JobId, JobView) {
        let started = self.call.start_recording(&user("anna"), None, self.at);
        self.drain();
        started.unwrap()
    }

    /// A person joins on a connection of the same name.
    pub(crate) fn join(&mut self, name: &str) {
        self.join_as(name, None);
        assert!(self.refused.is_empty(), "nobody is refused here");
    }

    pub(crate) fn ask(&mut self, name: &str) {
        self.join_as(name, None);
    }

    pub(crate) fn join_as(&mut self, name: &str, job: Option<JobId>) {
        self.join_on(name, name, job);
    }

    pub(crate) fn join_on(&mut self, connection: &str, name: &str, job: Option<JobId>) {
        self.input(Input::Join(Box::new(JoinRequest {
            connection: conn(connection),
            login: name.to_owned(),
            user: user(name),
            name: name.to_owned(),
            title: String::new(),
            thread: None,
            job,
            capabilities: Capabilities::default(),
            facts: JoinFacts {
                may_post: true,
                archived: false,
                direct: false,
                room_members: self.room_members,
                thread: ThreadFact::NotAsked,
                enabled: None,
                is_admin: false,
                is_connected: false,
                media: Ok(MediaHost(self.media.clone())),
            },
        })));
    }

    pub(crate) fn reconnect(&mut self, now_on: &str, original: &str) {
        self.reconnect_as(original, now_on, original);
    }

    fn reconnect_as(&mut self, who: &str, now_on: &str, original: &str) {
        self.input(Input::Reconnect {
            connection: conn(now_on),
            user: user(who),
            session: SessionId::parse(original).unwrap(),
            previous: conn(original),
            may_post: true,
            is_taken: false,
        });
    }

    pub(crate) fn act(&mut self, on: &str, request: Request) {
        self.input(Input::Request {
            connection: conn(on),
            request,
        });
    }

    pub(crate) fn control(&mut self, control: HostControl) {
        let by = user("anna");
        let done = self.call.host_control(&by, false, control, self.at);
        done.unwrap();
        self.drain();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.at.now += time;
        self.at.unix_ms += i64::try_from(time.as_millis()).unwrap();
        self.input(Input::Timeout);
    }

    pub(crate) fn state(&self) -> CallView {
        self.call.view(&user("anna"), self.at).unwrap()
    }

    pub(crate) fn people(&self) -> usize {
        self.state().sessions.len()
    }

    /// What a restart finds.
    pub(crate) fn stored(&self) -> RestoredCall {
        let mut stored = None;
        let mut sessions = std::collections::BTreeMap::new();
        let mut jobs = std::collections::BTreeMap::new();
        for record in self.records.clone() {
            match record {
                Record::Call(call) => stored = Some(call),
                Record::Session(session) => {
                    sessions.insert(session.id.clone(), session);
                }
                Record::SessionGone(session) => {
                    sessions.remove(&session);
                }
                Record::Job(job) => {
                    jobs.insert(job.kind, job);
                }
            }
        }
        let sessions = sessions.into_values().collect();
        RestoredCall {
            call: stored.unwrap(),
            sessions,
            jobs: jobs.into_values().collect(),
        }
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.call.handle_input(input, self.at);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        loop {
            match self.call.poll_output() {
                Output::Timeout(_) => return,
                Output::Store(record) | Output::StoreSoon(record) => self.records.push(record),
                Output::RequestJob(request) => self.requested.push(request.job),
                Output::CreatePost(post) if self.posts_come => {
                    self.call.handle_input(post_of(&post.call, "post"), self.at);
                }
                Output::CreatePost(post) => self.asked_posts.push(post.call),
                Output::EditPost { post, edit } => {
                    if matches!(edit, PostEdit::Ended { .. }) {
                        self.closed_posts.push(post);
                    } else {
                        self.edits.push(edit);
                    }
                }
                Output::Publish(envelope) => self.hear(envelope),
                Output::ToMedia { host, .. } => self.to_media.push(host.0),
                Output::HandOver { session, from, to } => {
                    self.handed.push((session.to_string(), from, to));
                }
                Output::Hint { user, hint } => self.hints.push((user, hint)),
                Output::Roster(_) | Output::Observed(_) => {}
            }
        }
    }

    fn hear(&mut self, envelope: Envelope) {
        let for_bot = envelope.to == To::Bot;
        if envelope.to == To::Room {
            self.to_room.push(envelope.news.clone());
        }
        if let News::JoinRefused { connection, error } = envelope.news {
            self.refused.push((connection, error));
        } else if let News::HostChanged { host, .. } = envelope.news {
            self.hosts_told.extend(host);
        } else if let News::MediaMoves { session } = envelope.news {
            self.moves.push(session.to_string());
        } else if let News::Job(view) = envelope.news {
            self.jobs_told.push(view);
        } else if for_bot {
            self.to_bot.push(envelope.news);
        }
    }

    pub(crate) fn bot_joins(&mut self, connection: &str, job: &JobId) {
        self.join_on(connection, "bot", Some(job.clone()));
    }

    pub(crate) fn bot_returns(&mut self, now_on: &str, original: &str) {
        self.reconnect_as("bot", now_on, original);
    }

    /// Anna records, the job service has taken both jobs: their ids.
    pub(crate) fn record_all(&mut self) -> (JobId, JobId) {
        let (job, _) = self.record();
        let answer = Ok(taken("x"));
        let answered = Input::JobAnswered {
            job: job.clone(),
            answer,
        };
        self.input(answered);
        let transcribing = self.requested.last().unwrap().clone();
        assert_ne!(job, transcribing);
        let answer = Ok(taken("y"));
        let answered = Input::JobAnswered {
            job: transcribing.clone(),
            answer,
        };
        self.input(answered);
        (job, transcribing)
    }

    pub(crate) fn report(
        &mut self,
        job: &JobId,
        kind: JobKind,
        status: JobStatus,
    ) -> Result<(), JobStatusError> {
        let done = self.call.report_job(job, kind, status, self.at);
        self.drain();
        done
    }
}
