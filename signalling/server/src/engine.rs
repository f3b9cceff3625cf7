//! Runs the state machine: feeds it, carries out what it asks for, wakes it when something is due.
//!
//! One lock around `signalling_core::Calls` gives every input its turn; its outputs are carried out
//! in order before the next turn. What takes long (the job service) runs beside and comes back as
//! an input.
//! Invariant: an event leaves after the record it is about was kept.

mod chores;
mod lookup;
mod notices;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use messaging::ChatBackend;
use messaging::gateway::Gateway;
use messaging::model::{Audience, ClientEvent, Person};
use proto::id::{ChannelId, JobId, UserId};
use proto::redact::Secret;
use signalling_core::{
    Calls, Envelope, Input, JobRequest, Moment, NewCallPost, Observation, Output, Record, To,
};
use tokio::sync::{Mutex, MutexGuard, Notify, oneshot};

use crate::config::Config;
use crate::jobs::JobService;
use crate::links::Links;
use crate::metrics::Metrics;
use crate::store::{ChannelSwitch, Store};

pub(crate) use chores::{read_gauges, run_chores};
pub(crate) use notices::{Clients, run_chat_news, run_media_news};

/// The account of the bot that records and transcribes.
#[derive(Debug, Clone)]
pub(crate) struct Bot {
    pub(crate) id: UserId,
    pub(crate) token: Secret,
}

/// Everything a turn may need.
#[derive(Debug)]
pub(crate) struct Engine {
    calls: Mutex<Calls>,
    pub(crate) chat: Arc<dyn ChatBackend>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) store: Store,
    pub(crate) links: Links,
    pub(crate) jobs: Option<JobService>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
    pub(crate) bot: Bot,
    /// Where calls were switched on or off.
    switches: StdMutex<BTreeMap<ChannelId, ChannelSwitch>>,
    /// Requests that wait for the job service.
    answers: StdMutex<BTreeMap<JobId, oneshot::Sender<Result<(), String>>>>,
    /// When the state machine must be woken.
    deadline: StdMutex<Option<Instant>>,
    deadline_moved: Notify,
}

/// What an engine is made of.
pub(crate) struct Parts {
    pub(crate) calls: Calls,
    pub(crate) chat: Arc<dyn ChatBackend>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) store: Store,
    pub(crate) links: Links,
    pub(crate) jobs: Option<JobService>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
    pub(crate) bot: Bot,
    pub(crate) switches: BTreeMap<ChannelId, ChannelSwitch>,
}

/// Both clocks, read once.
pub(crate) fn moment() -> Moment {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let unix_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    Moment {
        now: Instant::now(),
        unix_ms,
    }
}

impl Engine {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            calls: Mutex::new(parts.calls),
            chat: parts.chat,
            gateway: parts.gateway,
            store: parts.store,
            links: parts.links,
            jobs: parts.jobs,
            metrics: parts.metrics,
            config: parts.config,
            bot: parts.bot,
            switches: StdMutex::new(parts.switches),
            answers: StdMutex::default(),
            deadline: StdMutex::default(),
            deadline_moved: Notify::new(),
        })
    }

    /// Gives the state machine one input and carries out what follows.
    pub(crate) async fn input(self: &Arc<Self>, input: Input) {
        self.turn(|calls, at| calls.handle_input(input, at)).await;
    }

    /// Asks the state machine something and carries out what follows.
    pub(crate) async fn turn<R>(self: &Arc<Self>, ask: impl FnOnce(&mut Calls, Moment) -> R) -> R {
        let mut calls = self.calls.lock().await;
        let answer = ask(&mut calls, moment());
        self.carry_out(&mut calls).await;
        answer
    }

    /// Reads the state machine.
    pub(crate) async fn read<R>(&self, ask: impl FnOnce(&Calls) -> R) -> R {
        ask(&*self.calls.lock().await)
    }

    /// Keeps everybody else out, for changes of posts that must not cross.
    pub(crate) async fn alone(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().await
    }

    /// Whether calls were switched on or off explicitly in a channel.
    pub(crate) fn switch(&self, channel: &ChannelId) -> Option<ChannelSwitch> {
        let switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        switches.get(channel).cloned()
    }

    pub(crate) fn set_switch(&self, channel: ChannelId, switch: ChannelSwitch) {
        let mut switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        switches.insert(channel, switch);
    }

    /// Waits for the job service's answer about a job; the sender of the answer is `answer_job`.
    pub(crate) fn await_job(&self, job: &JobId) -> oneshot::Receiver<Result<(), String>> {
        let (sender, receiver) = oneshot::channel();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(job.clone(), sender);
        receiver
    }

    async fn carry_out(self: &Arc<Self>, calls: &mut Calls) {
        loop {
            match calls.poll_output() {
                Output::Publish(envelope) => self.publish(envelope),
                Output::ToMedia { host, message } => self.links.send(&host, message),
                Output::Store(record) => self.keep(record).await,
                Output::CreatePost(post) => {
                    let answer = self.create_call_post(post).await;
                    calls.handle_input(answer, moment());
                }
                Output::EditPost { post, edit } => {
                    if let Err(error) = crate::posts::edit(&*self.chat, &post, edit).await {
                        tracing::warn!(%error, %post, "call post not edited");
                    }
                }
                Output::RequestJob(request) => self.request_job(request),
                Output::Observed(observation) => self.observe(observation),
                Output::Timeout(deadline) => {
                    self.set_deadline(deadline);
                    return;
                }
            }
        }
    }

    fn publish(&self, envelope: Envelope) {
        self.metrics
            .events
            .with_label_values(&["out", envelope.event.short_name()])
            .inc();
        let (name, data) = (envelope.event.name(), envelope.data());
        let audience = match envelope.to {
            To::Connection(connection) => Audience {
                connection: Some(connection),
                ..Audience::default()
            },
            To::User(user) => Audience {
                user: Some(user),
                ..Audience::default()
            },
            To::UserIn(user, room) => Audience {
                user: Some(user),
                room: Some(room),
                ..Audience::default()
            },
            To::Channel(room) => Audience {
                room: Some(room),
                omit_users: vec![self.bot.id.clone()],
                ..Audience::default()
            },
        };
        self.gateway.publish(&ClientEvent {
            name,
            data,
            audience,
        });
    }

    /// A record that cannot be kept does not end the call: people go on talking, and the operator
    /// is told that a restart would forget.
    async fn keep(&self, record: Record) {
        let operation = match &record {
            Record::Call(_) => "call",
            Record::Session(_) | Record::SessionGone(_) => "session",
            Record::Job(_) => "job",
        };
        if let Err(error) = self.store.keep_all(&[record]).await {
            self.metrics
                .store_failures
                .with_label_values(&[operation])
                .inc();
            tracing::error!(error = &error as &dyn std::error::Error, "record not kept");
        }
    }

    async fn create_call_post(&self, post: NewCallPost) -> Input {
        let channel = post.channel.clone();
        match crate::posts::announce_call(&*self.chat, post).await {
            Ok(post) => {
                let thread = post.root.unwrap_or_else(|| post.id.clone());
                Input::PostCreated {
                    channel,
                    post: post.id,
                    thread,
                }
            }
            Err(error) => Input::PostRefused {
                channel,
                reason: error.to_string(),
            },
        }
    }

    fn request_job(self: &Arc<Self>, request: JobRequest) {
        let engine = self.clone();
        tokio::spawn(async move {
            let kind = request.kind;
            let answer = match &engine.jobs {
                Some(jobs) => jobs.create(&request, &engine.bot.token).await,
                None => Err("job service is not initialized".to_owned()),
            };
            let outcome = if answer.is_ok() {
                "accepted"
            } else {
                "refused"
            };
            engine
                .metrics
                .jobs
                .with_label_values(&[kind.as_str(), outcome])
                .inc();
            if let Err(reason) = &answer {
                tracing::warn!(kind = kind.as_str(), reason, "job service refused a job");
            }
            let told = answer.as_ref().map(|_| ()).map_err(Clone::clone);
            let (channel, job) = (request.channel, request.job);
            engine
                .input(Input::JobAnswered {
                    channel,
                    job: job.clone(),
                    answer,
                })
                .await;
            let mut answers = engine
                .answers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(waiting) = answers.remove(&job) {
                let _ = waiting.send(told);
            }
        });
    }

    fn observe(&self, observation: Observation) {
        let metrics = &self.metrics;
        match observation {
            Observation::Refused { refusal, action } => {
                metrics
                    .actions_refused
                    .with_label_values(&[refusal.as_str(), action])
                    .inc();
                tracing::debug!(reason = refusal.as_str(), action, "action refused");
            }
            Observation::JoinRefused { reason } => {
                // The part before a colon is one of a fixed set of texts.
                let label = reason.split(':').next().unwrap_or_default();
                metrics.joins_refused.with_label_values(&[label]).inc();
                tracing::info!(reason, "join refused");
            }
            Observation::CallStarted { call } => {
                metrics.calls_total.with_label_values(&["started"]).inc();
                tracing::info!(%call, "call started");
            }
            Observation::CallEnded { call } => {
                metrics.calls_total.with_label_values(&["ended"]).inc();
                tracing::info!(%call, "call ended");
            }
            Observation::Metric(metric) => chores::count_measurement(metrics, &metric),
            Observation::CaptionAudio { ms } => metrics.caption_audio.observe(ms),
        }
    }

    fn set_deadline(&self, deadline: Option<Instant>) {
        let mut current = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != deadline {
            *current = deadline;
            self.deadline_moved.notify_one();
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name shown in "... started a call".
pub(crate) fn shown_name(person: &Person) -> String {
    person.display_name()
}
