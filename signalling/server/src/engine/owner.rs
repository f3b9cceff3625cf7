//! The task that owns the call of one channel.
//!
//! In: turns from a bounded queue, the clock, settled batches. Out: effects (`effects`), behind
//! their records (`pipeline`).
//! Not here: finding the owner (`registry`), what a call does with an input (`signalling_core`).
//! Invariants: a turn awaits nothing; a panic in a turn ends this call and nothing else; an owner
//! without a call and without anything to do is gone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proto::id::ChannelId;
use signalling_core::{Call, Input, Moment, Output};
use tokio::sync::{mpsc, oneshot};

use super::effects::Effect;
use super::mirror::Mirror;
use super::pipeline::{Pipeline, TurnRecords};
use super::{Engine, moment};

/// Turns that wait for an owner; whoever sends more waits.
const QUEUE: usize = 256;

/// How long an owner without a call stays: longer than it takes to send to one just found.
const IDLE_GRACE: Duration = Duration::from_secs(1);

/// What to do once the effects of a turn are under way: the answer to whoever asked.
pub(crate) type Reply = Box<dyn FnOnce() + Send>;

/// Something asked of a call at a moment.
pub(crate) type Question = Box<dyn FnOnce(&mut Call, Moment) -> Reply + Send>;

/// One thing for a call to do.
pub(crate) enum Turn {
    /// `taken` is told when the call has taken the input; its effects may still wait for the disk.
    Input {
        input: Input,
        taken: Option<oneshot::Sender<()>>,
    },
    /// A question that may change the call. The reply goes out behind the turn's effects.
    Ask(Question),
    Look(Box<dyn FnOnce(&Call) + Send>),
    /// What was put off goes to the disk now.
    Flush(oneshot::Sender<()>),
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Input { input, .. } => f.debug_tuple("Input").field(input).finish(),
            Self::Ask(_) => f.write_str("Ask"),
            Self::Look(_) => f.write_str("Look"),
            Self::Flush(_) => f.write_str("Flush"),
        }
    }
}

impl Turn {
    pub(super) fn begins_a_call(&self) -> bool {
        let Self::Input { input, .. } = self else {
            return false;
        };
        matches!(input, Input::Join(_))
    }

    pub(crate) fn input(input: Input) -> Self {
        Self::Input { input, taken: None }
    }
}

/// One owner.
pub(super) struct OwnerTask {
    engine: Arc<Engine>,
    channel: ChannelId,
    number: u64,
    call: Call,
    mirror: Mirror,
    pipeline: Pipeline<Effect>,
    deadline: Option<Instant>,
    /// When it is gone unless something comes.
    idle_until: Option<Instant>,
    is_running: Arc<AtomicBool>,
}

/// An owner's ends: what others hold, and what its task holds.
pub(super) struct Ends {
    pub(super) sender: mpsc::Sender<Turn>,
    pub(super) receiver: mpsc::Receiver<Turn>,
    pub(super) is_running: Arc<AtomicBool>,
}

pub(super) fn ends() -> Ends {
    let (sender, receiver) = mpsc::channel(QUEUE);
    Ends {
        sender,
        receiver,
        is_running: Arc::default(),
    }
}

impl OwnerTask {
    pub(super) fn new(
        engine: Arc<Engine>,
        number: u64,
        channel: ChannelId,
        call: Call,
        is_running: Arc<AtomicBool>,
    ) -> Self {
        let pipeline = Pipeline::new(engine.writer.clone());
        Self {
            engine,
            channel,
            number,
            call,
            mirror: Mirror::default(),
            pipeline,
            deadline: None,
            idle_until: None,
            is_running,
        }
    }

    /// Starts with what is known of a stored call.
    pub(super) fn with_mirror(self, mirror: Mirror) -> Self {
        Self { mirror, ..self }
    }

    /// Runs until there is no call and nothing left to do.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Turn>) {
        // A restored call has something to say already.
        self.step(|owner| owner.drain(None));
        loop {
            if self.has_been_idle() && self.retire(&mut queue) {
                break;
            }
            let due = [self.deadline, self.pipeline.soon_due(), self.idle_until];
            let due = due.into_iter().flatten().min();
            let has_room = self.pipeline.has_room();
            tokio::select! {
                turn = queue.recv(), if has_room => match turn {
                    Some(turn) => self.step(|owner| owner.take(turn)),
                    None => break,
                },
                () = self.pipeline.progress() => self.step(Self::carry_out),
                () = sleep_until(due) => self.step(Self::handle_time),
            }
        }
        // Whoever found this owner in the registry just before finds the next one.
        while let Some(turn) = queue.recv().await {
            self.engine.deliver(&self.channel, turn).await;
        }
    }

    /// Whether it had nothing to do for a while: whoever found it in the registry has sent by then.
    fn has_been_idle(&mut self) -> bool {
        let now = Instant::now();
        if self.call.is_idle() && self.pipeline.is_empty() {
            *self.idle_until.get_or_insert(now + IDLE_GRACE) <= now
        } else {
            self.idle_until = None;
            false
        }
    }

    fn retire(&mut self, queue: &mut mpsc::Receiver<Turn>) -> bool {
        let registry = &self.engine.registry;
        let retired = registry.retire(&self.channel, self.number, || !queue.is_empty());
        if retired {
            queue.close();
        }
        self.idle_until = None;
        retired
    }

    /// Does something that may panic: then the call ends, and nothing else.
    fn step(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.engine.metrics.call_panics.inc();
            tracing::error!(channel = %self.channel, "a panic in a call: the call ends");
            let ended = catch_unwind(AssertUnwindSafe(|| self.break_off()));
            if ended.is_err() {
                tracing::error!(channel = %self.channel, "the call could not be ended in order");
                self.call = Call::new(self.engine.features.clone(), self.channel.clone());
            }
            self.engine.sweep(&self.channel);
            self.is_running.store(false, Ordering::Relaxed);
        }
    }

    /// Takes the call up as it was last recorded, and closes everybody in it.
    fn break_off(&mut self) {
        let features = self.engine.features.clone();
        let stored = std::mem::take(&mut self.mirror).into_stored();
        self.call = match stored {
            Some(stored) => Call::restored(features, stored, moment(), Duration::ZERO),
            None => Call::new(features, self.channel.clone()),
        };
        self.call.handle_input(Input::Broken, moment());
        self.drain(None);
    }

    fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Input { input, taken } => {
                self.call.handle_input(input, moment());
                self.drain(None);
                if let Some(taken) = taken {
                    // A connection that is gone does not wait any more.
                    let _ = taken.send(());
                }
            }
            Turn::Ask(ask) => {
                let reply = ask(&mut self.call, moment());
                self.drain(Some(reply));
            }
            Turn::Look(look) => look(&self.call),
            Turn::Flush(done) => {
                self.pipeline.flush();
                let _ = done.send(());
            }
        }
    }

    fn handle_time(&mut self) {
        let at = moment();
        if self.pipeline.soon_due().is_some_and(|due| due <= at.now) {
            self.pipeline.flush();
        }
        if self.deadline.is_some_and(|due| due <= at.now) {
            self.call.handle_input(Input::Timeout, at);
        }
        self.drain(None);
    }

    /// Takes what the call asks for, and carries out what need not wait.
    fn drain(&mut self, reply: Option<Reply>) {
        let mut effects = Vec::new();
        let mut turn = TurnRecords::default();
        let deadline = loop {
            match self.call.poll_output() {
                Output::Store(record) => {
                    self.mirror.note(&record);
                    turn.records.push(record);
                    turn.is_awaited = true;
                }
                Output::StoreSoon(record) => {
                    self.mirror.note(&record);
                    turn.records.push(record);
                }
                Output::Roster(change) => self.engine.registry.seat(&self.channel, change),
                Output::Observed(observation) => self.engine.observe(observation),
                Output::Publish(envelope) => effects.push(Effect::Publish(envelope)),
                Output::ToMedia { host, command } => {
                    effects.push(Effect::ToMedia { host, command });
                }
                Output::HandOver { session, from, to } => {
                    effects.push(Effect::HandOver { session, from, to });
                }
                Output::CreatePost(post) => effects.push(Effect::CreatePost(post)),
                Output::EditPost { post, edit } => effects.push(Effect::EditPost { post, edit }),
                Output::RequestJob(request) => effects.push(Effect::RequestJob(request)),
                Output::Hint { user, hint } => effects.push(Effect::Hint { user, hint }),
                Output::Timeout(deadline) => break deadline,
            }
        };
        self.deadline = deadline;
        if self.call.is_idle() {
            self.mirror = Mirror::default();
        }
        let is_running = self.call.is_running();
        self.is_running.store(is_running, Ordering::Relaxed);
        effects.extend(reply.map(Effect::Reply));
        self.pipeline.put(turn, effects, Instant::now());
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for effect in self.pipeline.ready() {
            self.engine.carry_out(&self.channel, effect);
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
