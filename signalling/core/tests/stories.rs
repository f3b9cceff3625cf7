//! What depends on the clock, told on virtual time.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::time::{Duration, Instant};

use proto::calls::action::{Action, Join, Reconnect};
use proto::calls::{CallState, Event, JobKind, JobState};
use proto::id::{ChannelId, ConnId, JobId, PostId, SessionId, UserId};
use signalling_core::{
    Calls, Features, HostControl, Input, JobStatus, JoinFacts, JoinRequest, MediaHost, Moment,
    Output, Record, RestoredCall, ThreadFact,
};

#[test]
fn a_client_may_stay_away_for_ten_seconds_and_not_for_longer() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    world.input(Input::Disconnected {
        connection: conn("ben"),
    });
    world.pass(Duration::from_millis(9_900));
    assert_eq!(world.people(), 2);
    world.reconnect("ben-2", "ben");
    world.pass(Duration::from_secs(60));
    assert_eq!(world.people(), 2);
    world.input(Input::Disconnected {
        connection: conn("ben-2"),
    });
    world.pass(Duration::from_secs(10));
    assert_eq!(world.people(), 1);
}

#[test]
fn a_bot_that_does_not_come_in_a_minute_has_failed_in_words() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world
        .calls
        .start_recording(&channel(), &user("anna"), world.at)
        .unwrap();
    world.drain();
    world.input(Input::JobAnswered {
        channel: channel(),
        job,
        answer: Ok("x".to_owned()),
    });
    world.pass(Duration::from_millis(59_900));
    assert_eq!(world.state().recording.unwrap().end_at, 0);
    world.pass(Duration::from_millis(200));

    let state = world.state();
    let recording = state.recording.unwrap();
    assert!(recording.end_at > 0);
    assert_eq!(
        recording.err,
        "failed to start recording job: timed out waiting for bot to join call"
    );
    let ended = |job: Option<JobState>| job.is_some_and(|job| job.end_at > 0);
    assert!(ended(state.transcription) && ended(state.live_captions));
    let again = world
        .calls
        .start_recording(&channel(), &user("anna"), world.at);
    assert!(again.is_ok(), "a failed recording does not block the next");
}

#[test]
fn whoever_does_not_go_is_closed_three_seconds_after_removal_and_five_after_the_end() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let session = SessionId::parse("ben").unwrap();
    world.control(HostControl::Remove { session });
    world.pass(Duration::from_millis(2_900));
    assert_eq!(world.people(), 2);
    world.pass(Duration::from_millis(100));
    assert_eq!(world.people(), 1);
    world.control(HostControl::End);
    world.pass(Duration::from_millis(4_900));
    assert_eq!(world.people(), 1);
    world.pass(Duration::from_millis(100));
    assert!(world.calls.active_channels().is_empty());
}

#[test]
fn a_restart_brings_back_the_same_call_and_gives_clients_time() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    world.act("ben", Action::RaiseHand);
    world.act(
        "anna",
        Action::ScreenOn {
            stream: "s".to_owned(),
        },
    );
    let before = world.state();
    let stored = world.stored();

    world.calls = Calls::restore(features(), vec![stored], world.at, Duration::from_secs(30));
    world.drain();
    assert_eq!(world.state(), before);
    world.pass(Duration::from_secs(29));
    world.reconnect("anna-2", "anna");
    world.pass(Duration::from_secs(2));
    let after = world.state();
    assert_eq!(after.sessions.len(), 1);
    assert_eq!(after.host_id, Some(user("anna")));
    assert_eq!(
        after.screen_sharing_session_id,
        before.screen_sharing_session_id
    );
}

#[test]
fn a_restart_after_everybody_left_ends_the_call() {
    let mut world = World::new();
    world.join("anna");
    let stored = RestoredCall {
        sessions: Vec::new(),
        ..world.stored()
    };
    world.records.clear();
    world.calls = Calls::restore(features(), vec![stored], world.at, Duration::from_secs(30));
    world.drain();
    assert!(world.calls.active_channels().is_empty());
    let ended = |record: &Record| matches!(record, Record::Call(call) if call.end_at_ms > 0);
    assert!(world.records.iter().any(ended));
}

#[test]
fn a_refused_job_stops_nothing_but_the_jobs() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world
        .calls
        .start_recording(&channel(), &user("anna"), world.at)
        .unwrap();
    world.drain();
    let answer = Err("max concurrent jobs reached".to_owned());
    world.input(Input::JobAnswered {
        channel: channel(),
        job,
        answer,
    });
    let recording = world.state().recording.unwrap();
    assert_eq!(
        recording.err,
        "failed to create recording job: max concurrent jobs reached"
    );
    assert_eq!(world.people(), 1);
    assert!(world.requested.len() == 1, "transcribing is not asked for");
}

#[test]
fn a_job_stopped_before_the_service_answered_starts_nothing_more() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world
        .calls
        .start_recording(&channel(), &user("anna"), world.at)
        .unwrap();
    world
        .calls
        .stop_recording(&channel(), &user("anna"), world.at)
        .unwrap();
    world.drain();
    world.input(Input::JobAnswered {
        channel: channel(),
        job,
        answer: Ok("late".to_owned()),
    });
    assert_eq!(world.requested.len(), 1);
    assert!(world.state().transcription.is_none());
}

#[test]
fn a_bot_that_leaves_takes_its_job_and_the_sibling_along() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.record();
    world.input(Input::JobAnswered {
        channel: channel(),
        job: job.clone(),
        answer: Ok("x".to_owned()),
    });
    world.join_as("bot", Some(job.clone()));
    let started = world.calls.report_job(
        &channel(),
        &job,
        JobKind::Recording,
        JobStatus::Started,
        world.at,
    );
    started.unwrap();
    world.drain();
    assert_eq!(world.state().recording.unwrap().end_at, 0);

    world.act("bot", Action::Leave);

    let state = world.state();
    assert!(state.recording.unwrap().end_at > 0);
    assert!(state.transcription.unwrap().end_at > 0);
    assert_eq!(state.sessions.len(), 1);
}

#[test]
fn captions_end_with_the_reason_of_the_transcribing_that_failed() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.record();
    world.input(Input::JobAnswered {
        channel: channel(),
        job,
        answer: Ok("x".to_owned()),
    });
    let transcribing = world.requested.last().unwrap().clone();
    let status = JobStatus::Failed {
        err: "no model".to_owned(),
    };
    let kind = JobKind::Transcribing;
    world
        .calls
        .report_job(&channel(), &transcribing, kind, status, world.at)
        .unwrap();
    world.drain();
    let state = world.state();
    assert_eq!(state.live_captions.unwrap().err, "no model");
    assert_eq!(state.transcription.unwrap().err, "no model");
    let recording = state.recording.unwrap();
    assert!(recording.end_at > 0 && recording.err.is_empty());
}

#[test]
fn a_restart_ends_the_jobs_of_a_call_that_nobody_is_in() {
    let mut world = World::new();
    world.join("anna");
    world.record();
    let stored = RestoredCall {
        sessions: Vec::new(),
        ..world.stored()
    };
    assert_eq!(stored.jobs.len(), 1);
    world.records.clear();
    world.calls = Calls::restore(features(), vec![stored], world.at, Duration::from_secs(30));
    world.drain();
    let ended = |record: &Record| matches!(record, Record::Job(job) if job.end_at_ms > 0);
    assert!(world.records.iter().any(ended));
}

struct World {
    calls: Calls,
    at: Moment,
    records: Vec<Record>,
    requested: Vec<JobId>,
}

fn channel() -> ChannelId {
    ChannelId::parse("channel").unwrap()
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn conn(name: &str) -> ConnId {
    ConnId::parse(name).unwrap()
}

fn features() -> Features {
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
        job_service: true,
    }
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
    fn new() -> Self {
        let (records, requested) = (Vec::new(), Vec::new());
        Self {
            calls: Calls::new(features()),
            at: beginning(),
            records,
            requested,
        }
    }

    fn record(&mut self) -> (JobId, JobState) {
        let started = self
            .calls
            .start_recording(&channel(), &user("anna"), self.at);
        self.drain();
        started.unwrap()
    }

    /// A person joins on a connection of the same name.
    fn join(&mut self, name: &str) {
        self.join_as(name, None);
    }

    fn join_as(&mut self, name: &str, job: Option<JobId>) {
        self.input(Input::Join(Box::new(JoinRequest {
            connection: conn(name),
            login: name.to_owned(),
            user: user(name),
            name: name.to_owned(),
            ask: Join {
                channel: channel(),
                title: String::new(),
                thread: None,
                job,
                av1_support: false,
                dc_signalling: true,
            },
            facts: JoinFacts {
                may_post: true,
                archived: false,
                direct: false,
                thread: ThreadFact::NotAsked,
                enabled: None,
                is_admin: false,
                media: Ok(MediaHost("http://media".to_owned())),
            },
        })));
    }

    fn reconnect(&mut self, now_on: &str, original: &str) {
        let (original, previous) = (conn(original), conn(original));
        self.input(Input::Reconnect {
            connection: conn(now_on),
            user: user(original.as_str()),
            may_post: true,
            ask: Reconnect {
                channel: channel(),
                original,
                previous,
            },
        });
    }

    fn act(&mut self, on: &str, action: Action) {
        self.input(Input::Action {
            connection: conn(on),
            action,
        });
    }

    fn control(&mut self, control: HostControl) {
        let by = user("anna");
        self.calls
            .host_control(&channel(), &by, false, control, self.at)
            .unwrap();
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        self.at.now += time;
        self.at.unix_ms += i64::try_from(time.as_millis()).unwrap();
        self.input(Input::Timeout);
    }

    fn state(&self) -> CallState {
        self.calls.state(&channel(), &user("anna")).unwrap()
    }

    fn people(&self) -> usize {
        self.state().sessions.len()
    }

    /// What a restart finds.
    fn stored(&self) -> RestoredCall {
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

    fn input(&mut self, input: Input) {
        self.calls.handle_input(input, self.at);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.calls.poll_output() {
                Output::Timeout(_) => return,
                Output::Store(record) => self.records.push(record),
                Output::RequestJob(request) => self.requested.push(request.job),
                Output::CreatePost(_) => {
                    let post = PostId::parse("post").unwrap();
                    let (channel, thread) = (channel(), post.clone());
                    self.calls.handle_input(
                        Input::PostCreated {
                            channel,
                            post,
                            thread,
                        },
                        self.at,
                    );
                }
                Output::Publish(envelope) => {
                    assert!(
                        !matches!(envelope.event, Event::Error(_)),
                        "nobody is refused here"
                    );
                }
                Output::ToMedia { .. } | Output::EditPost { .. } | Output::Observed(_) => {}
            }
        }
    }
}
