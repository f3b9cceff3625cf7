//! What depends on the clock, told on virtual time.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};
use signalling_core::{
    Call, CallView, Capabilities, Features, HostControl, Input, JobFailure, JobKind, JobStatus,
    JobView, JoinError, JoinFacts, JoinRequest, MediaHost, Moment, News, Output, PostEdit, Record,
    Request, RestoredCall, ThreadFact, Usage,
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
fn people_are_told_of_in_the_order_of_joining() {
    let mut world = World::new();
    for name in ["ines", "anna", "ben"] {
        world.join(name);
        world.pass(Duration::from_secs(1));
    }
    let order = |world: &World| -> Vec<String> {
        let sessions = world.state().sessions.into_iter();
        sessions.map(|view| view.session.to_string()).collect()
    };
    assert_eq!(order(&world), ["ines", "anna", "ben"]);
    let stored = world.stored();
    world.restore(stored);
    assert_eq!(order(&world), ["ines", "anna", "ben"]);
}

#[test]
fn a_bot_that_does_not_come_in_a_minute_has_failed_in_words() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.call.start_recording(&user("anna"), world.at).unwrap();
    world.drain();
    world.input(Input::JobAnswered {
        job,
        answer: Ok("x".to_owned()),
    });
    world.pass(Duration::from_millis(59_900));
    assert_eq!(world.state().recording.unwrap().end_at_ms, 0);
    world.pass(Duration::from_millis(200));

    let state = world.state();
    let recording = state.recording.unwrap();
    assert!(recording.end_at_ms > 0);
    let late = JobFailure::BotDidNotCome(JobKind::Recording);
    assert_eq!(recording.failure, Some(late));
    let ended = |job: Option<JobView>| job.is_some_and(|job| job.end_at_ms > 0);
    assert!(ended(state.transcribing) && ended(state.captioning));
    let again = world.call.start_recording(&user("anna"), world.at);
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
    assert!(world.call.is_idle());
}

#[test]
fn a_call_counts_how_long_screens_and_cameras_were_shown() {
    let stream = || "s".to_owned();
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    assert_eq!(world.stored().call.usage, Usage::default());
    world.act("anna", Request::ShareScreen { stream: stream() });
    world.pass(Duration::from_secs(3));
    for name in ["anna", "ben"] {
        world.act(name, Request::ShowVideo { stream: stream() });
    }
    // Another stream of the same camera goes on.
    world.act("ben", Request::ShowVideo { stream: stream() });
    world.pass(Duration::from_secs(2));
    let stored = world.stored();
    world.restore(stored);
    for name in ["anna", "ben"] {
        world.reconnect(&format!("{name}-2"), name);
    }
    world.pass(Duration::from_secs(1));
    world.act("anna-2", Request::StopScreen);
    world.input(Input::Leave {
        connection: conn("ben-2"),
    });
    world.pass(Duration::from_secs(1));
    let usage = world.stored().call.usage;
    assert_eq!((usage.screen_seconds, usage.video_seconds), (6, 3));
    assert!(usage.has_used_screen && usage.has_used_video);
    assert_eq!(usage.screen_since, None);
    let showing: Vec<&str> = usage.video_since.keys().map(SessionId::as_str).collect();
    assert_eq!(showing, ["anna"]);
}

#[test]
fn a_restart_brings_back_the_same_call_and_gives_clients_time() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    world.act("ben", Request::RaiseHand);
    world.act(
        "anna",
        Request::ShareScreen {
            stream: "s".to_owned(),
        },
    );
    let before = world.state();
    let stored = world.stored();

    world.restore(stored);
    assert_eq!(world.state(), before);
    world.pass(Duration::from_secs(29));
    world.reconnect("anna-2", "anna");
    world.pass(Duration::from_secs(2));
    let after = world.state();
    assert_eq!(after.sessions.len(), 1);
    assert_eq!(after.host, Some(user("anna")));
    assert_eq!(after.presenter, before.presenter);
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
    world.restore(stored);
    assert!(world.call.is_idle());
    let ended = |record: &Record| matches!(record, Record::Call(call) if call.end_at_ms > 0);
    assert!(world.records.iter().any(ended));
}

#[test]
fn a_refused_job_stops_nothing_but_the_jobs() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.call.start_recording(&user("anna"), world.at).unwrap();
    world.drain();
    let answer = Err("max concurrent jobs reached".to_owned());
    world.input(Input::JobAnswered { job, answer });
    let recording = world.state().recording.unwrap();
    let reason = "max concurrent jobs reached".to_owned();
    let kind = JobKind::Recording;
    let refused = JobFailure::NotTaken { kind, reason };
    assert_eq!(recording.failure, Some(refused));
    assert_eq!(world.people(), 1);
    assert!(world.requested.len() == 1, "transcribing is not asked for");
}

#[test]
fn a_job_stopped_before_the_service_answered_starts_nothing_more() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.call.start_recording(&user("anna"), world.at).unwrap();
    world.call.stop_recording(&user("anna"), world.at).unwrap();
    world.drain();
    world.input(Input::JobAnswered {
        job,
        answer: Ok("late".to_owned()),
    });
    assert_eq!(world.requested.len(), 1);
    assert!(world.state().transcribing.is_none());
}

#[test]
fn a_bot_that_leaves_takes_its_job_and_the_sibling_along() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.record();
    world.input(Input::JobAnswered {
        job: job.clone(),
        answer: Ok("x".to_owned()),
    });
    world.join_as("bot", Some(job.clone()));
    let (kind, status) = (JobKind::Recording, JobStatus::Started);
    let started = world.call.report_job(&job, kind, status, world.at);
    started.unwrap();
    world.drain();
    assert_eq!(world.state().recording.unwrap().end_at_ms, 0);

    world.input(Input::Leave {
        connection: conn("bot"),
    });

    let state = world.state();
    assert!(state.recording.unwrap().end_at_ms > 0);
    assert!(state.transcribing.unwrap().end_at_ms > 0);
    assert_eq!(state.sessions.len(), 1);
}

#[test]
fn captions_end_with_the_reason_of_the_transcribing_that_failed() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.record();
    world.input(Input::JobAnswered {
        job,
        answer: Ok("x".to_owned()),
    });
    let transcribing = world.requested.last().unwrap().clone();
    let status = JobStatus::Failed {
        reason: "no model".to_owned(),
    };
    let kind = JobKind::Transcribing;
    let reported = world.call.report_job(&transcribing, kind, status, world.at);
    reported.unwrap();
    world.drain();
    let state = world.state();
    let told = Some(JobFailure::Told("no model".to_owned()));
    assert_eq!(state.captioning.unwrap().failure, told);
    assert_eq!(state.transcribing.unwrap().failure, told);
    let recording = state.recording.unwrap();
    assert!(recording.end_at_ms > 0 && recording.failure.is_none());
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
    world.restore(stored);
    let ended = |record: &Record| matches!(record, Record::Job(job) if job.end_at_ms > 0);
    assert!(world.records.iter().any(ended));
}

#[test]
fn who_waits_for_a_post_that_is_refused_hears_why_and_the_next_starts_anew() {
    let mut world = World::new();
    world.posts_come = false;
    world.ask("anna");
    world.ask("ben");
    let first = world.asked_posts.remove(0);
    let reason = "the chat hangs".to_owned();
    world.input(Input::PostRefused {
        call: first.clone(),
        reason: reason.clone(),
    });
    let refused = (conn("anna"), JoinError::NoPost(reason.clone()));
    assert_eq!(
        world.refused,
        [refused, (conn("ben"), JoinError::NoPost(reason))]
    );
    assert!(world.call.is_idle() && world.records.is_empty());

    world.ask("cora");
    let second = world.asked_posts.remove(0);
    world.input(post_of(&second, "second"));
    assert_eq!(world.people(), 1);
    // The first post came after all: nobody is in its call.
    world.input(post_of(&first, "first"));
    assert_eq!(world.closed_posts, [PostId::parse("first").unwrap()]);
    assert_eq!(world.state().post, Some(PostId::parse("second").unwrap()));
}

#[test]
fn whoever_is_sent_out_of_the_room_or_signs_out_no_longer_waits_for_the_post() {
    let mut world = World::new();
    world.posts_come = false;
    for name in ["anna", "ben", "cora"] {
        world.ask(name);
    }
    world.input(Input::LeftRoom { user: user("anna") });
    world.input(Input::LoginEnded {
        login: "ben".to_owned(),
    });
    let refused = |name| (conn(name), JoinError::Forbidden);
    assert_eq!(world.refused, [refused("anna"), refused("ben")]);
    let call = world.asked_posts.remove(0);
    world.input(post_of(&call, "post"));
    assert_eq!(world.people(), 1);
}

#[test]
fn a_call_that_breaks_closes_everybody_and_ends_in_the_records() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    world.record();
    let stored = world.stored();
    world.records.clear();

    // What is left of a call whose owner died is what was stored.
    world.restore(stored);
    world.input(Input::Broken);

    assert!(world.call.is_idle());
    let gone = |record: &&Record| matches!(record, Record::SessionGone(_));
    assert_eq!(world.records.iter().filter(gone).count(), 2);
    let ended = |record: &Record| matches!(record, Record::Call(call) if call.end_at_ms > 0);
    assert!(ended(world.records.last().unwrap()));
    let ended = |record: &Record| matches!(record, Record::Job(job) if job.end_at_ms > 0);
    assert!(world.records.iter().any(ended));
    assert_eq!(world.closed_posts.len(), 1);
}

#[test]
fn sessions_of_one_call_may_be_at_different_media_hosts() {
    let mut world = World::new();
    world.join("anna");
    world.media = "http://other".to_owned();
    world.join("ben");
    world.to_media.clear();
    world.act("anna", Request::Mute);
    world.act("ben", Request::Mute);
    assert_eq!(world.to_media, ["http://media", "http://other"]);
    let stored = world.stored();
    world.restore(stored);
    let hosts: Vec<String> = world.call.seats().map(|seat| seat.media.0).collect();
    assert_eq!(hosts, ["http://media", "http://other"]);
}

struct World {
    call: Call,
    at: Moment,
    records: Vec<Record>,
    requested: Vec<JobId>,
    /// Whether the chat server answers at once.
    posts_come: bool,
    /// The calls whose posts are still to be made.
    asked_posts: Vec<CallId>,
    closed_posts: Vec<PostId>,
    refused: Vec<(ConnId, JoinError)>,
    /// Where whoever joins next has its media.
    media: String,
    /// The hosts that were told something.
    to_media: Vec<String>,
}

fn post_of(call: &CallId, id: &str) -> Input {
    let post = PostId::parse(id).unwrap();
    Input::PostCreated {
        call: call.clone(),
        thread: post.clone(),
        post,
    }
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
        }
    }

    fn restore(&mut self, stored: RestoredCall) {
        let grace = Duration::from_secs(30);
        self.call = Call::restored(Arc::new(features()), stored, self.at, grace);
        self.drain();
    }

    fn record(&mut self) -> (JobId, JobView) {
        let started = self.call.start_recording(&user("anna"), self.at);
        self.drain();
        started.unwrap()
    }

    /// A person joins on a connection of the same name.
    fn join(&mut self, name: &str) {
        self.join_as(name, None);
        assert!(self.refused.is_empty(), "nobody is refused here");
    }

    fn ask(&mut self, name: &str) {
        self.join_as(name, None);
    }

    fn join_as(&mut self, name: &str, job: Option<JobId>) {
        self.input(Input::Join(Box::new(JoinRequest {
            connection: conn(name),
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
                thread: ThreadFact::NotAsked,
                enabled: None,
                is_admin: false,
                is_connected: false,
                media: Ok(MediaHost(self.media.clone())),
            },
        })));
    }

    fn reconnect(&mut self, now_on: &str, original: &str) {
        self.input(Input::Reconnect {
            connection: conn(now_on),
            user: user(original),
            session: SessionId::parse(original).unwrap(),
            previous: conn(original),
            may_post: true,
            is_taken: false,
        });
    }

    fn act(&mut self, on: &str, request: Request) {
        self.input(Input::Request {
            connection: conn(on),
            request,
        });
    }

    fn control(&mut self, control: HostControl) {
        let by = user("anna");
        let done = self.call.host_control(&by, false, control, self.at);
        done.unwrap();
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        self.at.now += time;
        self.at.unix_ms += i64::try_from(time.as_millis()).unwrap();
        self.input(Input::Timeout);
    }

    fn state(&self) -> CallView {
        self.call.view(&user("anna")).unwrap()
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
        self.call.handle_input(input, self.at);
        self.drain();
    }

    fn drain(&mut self) {
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
                    }
                }
                Output::Publish(envelope) => {
                    if let News::JoinRefused { connection, error } = envelope.news {
                        self.refused.push((connection, error));
                    }
                }
                Output::ToMedia { host, .. } => self.to_media.push(host.0),
                Output::Roster(_) | Output::Observed(_) => {}
            }
        }
    }
}
