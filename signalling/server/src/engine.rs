//! Runs the calls: an owner for each (`owner`), and the way to it (`registry`).
//!
//! A turn of a call awaits nothing. What needs the disk, the chat server or the job service leaves
//! a turn as a request and comes back as an input: records through one writer for all calls
//! (`writer`), effects behind the records they are about (`pipeline`), posts one after the other
//! (`lanes`). Clients are served side by side, each in order (`clients`).
//! Invariants: no call waits for another, and none for a disk, a chat server or a media host; an
//! event leaves after the record it is about was kept.

mod chores;
mod clients;
mod effects;
mod lanes;
mod late;
mod lookup;
mod mirror;
mod news;
mod observe;
mod owner;
mod pipeline;
mod push;
mod registry;
pub(crate) mod writer;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use messaging::ChatBackend;
use proto::id::{ChannelId, JobId, UserId};
use proto::redact::Secret;
use service::supervise::{End, Tasks};
use signalling_core::{Call, CallView, Features, Input, Moment, RestoredCall};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::config::Config;
use crate::door;
use crate::door::calls::words::Language;
use crate::door::rtcd::MediaHosts;
use crate::jobs::{JobServices, Speech};
use crate::metrics::Metrics;
use crate::store::{ChannelSwitch, Store};
use lanes::Lanes;
use mirror::Mirror;
use observe::Sampler;
use owner::{OwnerTask, Turn};
use push::Push;
use registry::Registry;
use writer::Batch;

pub(crate) use chores::{ask_about_speech, check_logins, count_usage, read_gauges};
pub(crate) use clients::Clients;
pub(crate) use effects::{CHAT_LIMIT, Publisher};
pub(crate) use lanes::LaneFull;
pub(crate) use news::{run_chat_news, run_media_news};

/// Owners of one channel tried for one turn: each but the last had ended just then.
const MOST_OWNERS_TRIED: usize = 100;

/// How long a host who starts a recording waits to hear whether speech works. Shorter: the word may
/// be up to a minute old.
const SPEECH_WAIT: Duration = Duration::from_secs(3);

/// The account of the bot that records and transcribes.
#[derive(Debug, Clone)]
pub(crate) struct Bot {
    pub(crate) id: UserId,
    pub(crate) token: Secret,
}

/// Everything calls may need.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) registry: Registry,
    pub(crate) features: Arc<Features>,
    pub(crate) chat: Arc<dyn ChatBackend>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) store: Store,
    pub(crate) writer: mpsc::Sender<Batch>,
    pub(crate) media_hosts: MediaHosts,
    pub(crate) jobs: Option<JobServices>,
    pub(crate) lanes: Lanes,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
    pub(crate) bot: Bot,
    pub(crate) tasks: Tasks,
    /// Where calls were switched on or off.
    switches: Mutex<BTreeMap<ChannelId, ChannelSwitch>>,
    /// Requests that wait for the job service.
    answers: Mutex<BTreeMap<JobId, oneshot::Sender<Result<(), String>>>>,
    join_log: Sampler,
    push: Option<Push>,
    /// Somebody is about to rely on what we know of speech.
    pub(crate) speech_wanted: Notify,
}

/// What an engine is made of.
pub(crate) struct Parts {
    pub(crate) features: Features,
    pub(crate) chat: Arc<dyn ChatBackend>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) store: Store,
    pub(crate) writer: mpsc::Sender<Batch>,
    pub(crate) media_hosts: MediaHosts,
    pub(crate) jobs: Option<JobServices>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
    pub(crate) bot: Bot,
    pub(crate) tasks: Tasks,
    pub(crate) switches: BTreeMap<ChannelId, ChannelSwitch>,
}

/// The call could not answer: it ended by a fault of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call ended by a fault in the middle of the request")]
pub(crate) struct Interrupted;

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
    /// The language of what everybody reads.
    pub(crate) fn language(&self) -> Language {
        Language::of(&self.config.chat.default_locale).unwrap_or(Language::English)
    }

    /// The language of a person whose profile names `locale`, else the server's.
    pub(crate) fn language_of(&self, locale: &str) -> Language {
        Language::of(locale).unwrap_or_else(|| self.language())
    }

    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let push = parts.config.push_relay.clone().map(Push::to);
        Arc::new(Self {
            push,
            registry: Registry::default(),
            features: Arc::new(parts.features),
            chat: parts.chat,
            publisher: parts.publisher,
            store: parts.store,
            writer: parts.writer,
            media_hosts: parts.media_hosts,
            jobs: parts.jobs,
            lanes: Lanes::default(),
            metrics: parts.metrics,
            config: parts.config,
            bot: parts.bot,
            tasks: parts.tasks,
            switches: Mutex::new(parts.switches),
            answers: Mutex::default(),
            join_log: Sampler::default(),
            speech_wanted: Notify::new(),
        })
    }

    /// Gives a call one input and waits until it has taken it.
    pub(crate) async fn input(self: &Arc<Self>, channel: &ChannelId, input: Input) {
        let (sender, taken) = oneshot::channel();
        let taken_by = Some(sender);
        let turn = Turn::Input {
            input,
            taken: taken_by,
        };
        self.deliver(channel, turn).await;
        // Not told when the call panicked: then there is nothing to wait for.
        let _ = taken.await;
    }

    /// Asks a call something that may change it. The answer comes when what follows is under way,
    /// its records kept.
    pub(crate) async fn turn<R: Send + 'static>(
        self: &Arc<Self>,
        channel: &ChannelId,
        ask: impl FnOnce(&mut Call, Moment) -> R + Send + 'static,
    ) -> Result<R, Interrupted> {
        let (sender, answer) = oneshot::channel();
        let ask = Turn::Ask(Box::new(move |call, at| {
            let answer = ask(call, at);
            // Whoever asked may be gone.
            Box::new(move || drop(sender.send(answer)))
        }));
        self.deliver(channel, ask).await;
        answer.await.map_err(|_| Interrupted)
    }

    /// The running call of a channel as `viewer` may see it.
    pub(crate) async fn view(
        self: &Arc<Self>,
        channel: &ChannelId,
        viewer: &UserId,
    ) -> Option<CallView> {
        let viewer = viewer.clone();
        self.look(channel, move |call| call.view(&viewer, moment()))
            .await?
    }

    /// Reads something of a call; `None` where there is none.
    pub(crate) async fn look<R: Send + 'static>(
        self: &Arc<Self>,
        channel: &ChannelId,
        look: impl FnOnce(&Call) -> R + Send + 'static,
    ) -> Option<R> {
        if !self.registry.has_owner(channel) {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        let look = Turn::Look(Box::new(move |call| drop(sender.send(look(call)))));
        self.deliver(channel, look).await;
        answer.await.ok()
    }

    /// Sends a turn to the owner of a channel's call. Joins make one where there is none. While the
    /// server stops there are no new owners: then the turn is dropped, and whoever waits for it with
    /// it.
    pub(crate) async fn deliver(self: &Arc<Self>, channel: &ChannelId, mut turn: Turn) {
        for _ in 0..MOST_OWNERS_TRIED {
            let queue = if turn.begins_a_call() {
                let make = |number| self.spawn_owner(channel, number);
                self.registry.owner_or_new(channel, make)
            } else if let Some(queue) = self.registry.owner(channel) {
                queue
            } else {
                return self.without_owner(channel, turn);
            };
            match queue.send(turn).await {
                Ok(()) => return,
                Err(unsent) => turn = unsent.0,
            }
            // It ended just now, and is about to be taken out of the registry.
            tokio::task::yield_now().await;
        }
    }

    /// Starts the owner of a call that is about to begin.
    fn spawn_owner(
        self: &Arc<Self>,
        channel: &ChannelId,
        number: u64,
    ) -> (mpsc::Sender<Turn>, Arc<AtomicBool>) {
        let call = Call::new(self.features.clone(), channel.clone());
        self.spawn_owner_of(channel, number, call, Mirror::default())
    }

    /// Takes over a call that ran when the process ended.
    pub(crate) fn restore(self: &Arc<Self>, stored: RestoredCall, grace: std::time::Duration) {
        let channel = stored.call.channel.clone();
        let mirror = Mirror::of(&stored);
        let call = Call::restored(self.features.clone(), stored, moment(), grace);
        let seats: Vec<_> = call.seats().collect();
        self.registry.owner_or_new(&channel, |number| {
            self.spawn_owner_of(&channel, number, call, mirror)
        });
        for seat in seats {
            let entered = signalling_core::Roster::Entered(seat);
            self.registry.seat(&channel, entered);
        }
    }

    fn spawn_owner_of(
        self: &Arc<Self>,
        channel: &ChannelId,
        number: u64,
        call: Call,
        mirror: Mirror,
    ) -> (mpsc::Sender<Turn>, Arc<AtomicBool>) {
        let ends = owner::ends();
        let is_running = ends.is_running.clone();
        let task = OwnerTask::new(self.clone(), number, channel.clone(), call, is_running);
        let work = task.with_mirror(mirror).run(ends.receiver);
        let (engine, channel) = (self.clone(), channel.clone());
        self.tasks.one_of("call", work, move |end| match end {
            End::Returned => {}
            // A fault of the owner itself: its call is lost, and those in it are told.
            End::Panicked(_) | End::Cancelled | End::GivenUp(..) => {
                engine.registry.retire(&channel, number, || false);
                engine.sweep(&channel);
            }
        });
        (ends.sender, ends.is_running)
    }

    /// Brings everything that calls have to record to the disk.
    pub(crate) async fn settle(&self) {
        for queue in self.registry.owners() {
            let (sender, flushed) = oneshot::channel();
            if queue.send(Turn::Flush(sender)).await.is_ok() {
                let _ = flushed.await;
            }
        }
        let (settled, all_kept) = oneshot::channel();
        let last = Batch {
            records: Vec::new(),
            settled,
        };
        if self.writer.send(last).await.is_ok() {
            let _ = all_kept.await;
        }
    }

    /// Announces that calls were switched on or off in a channel.
    pub(crate) fn announce_switch(&self, channel: &ChannelId, enabled: bool) {
        self.send_out(door::calls::announcement(channel, &self.bot.id, enabled));
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

    /// Waits for the job service's answer about a job.
    pub(crate) fn await_job(&self, job: &JobId) -> oneshot::Receiver<Result<(), String>> {
        let (sender, receiver) = oneshot::channel();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(job.clone(), sender);
        receiver
    }

    /// Why recordings would have no transcript, where they should and that is known.
    pub(crate) async fn no_speech(&self) -> Option<String> {
        let jobs = self.jobs.as_ref()?;
        let fresh = tokio::time::timeout(SPEECH_WAIT, jobs.fresh_speech()).await;
        let speech = fresh.unwrap_or_else(|_| jobs.speech());
        let is_promised = self.config.transcribing.enabled;
        (is_promised && !speech.problem.is_empty()).then_some(speech.problem)
    }

    /// What people may expect of speech, as it was heard last. Where nothing is transcribed, nothing.
    pub(crate) fn speech(&self) -> Speech {
        let jobs = self.jobs.as_ref();
        let jobs = jobs.filter(|_| self.config.transcribing.enabled);
        jobs.map(JobServices::speech).unwrap_or_default()
    }

    fn answer_job(&self, job: &JobId, answer: Result<(), String>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = answers.remove(job) {
            let _ = waiting.send(answer);
        }
    }
}

#[cfg(test)]
mod tests;
