//! One watched task: its lives, and how they end.
//!
//! In: a future, run here. Out: what became of it, told to the set.
//! Invariant: a [`Watched`] that is dropped in the middle of its work tells of a cancelled task.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{error, warn};

use super::{Restarts, Shared, TaskOver, lock};

/// How a task came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Returned,
    /// With the panic's own words.
    Panicked(String),
    /// Dropped in the middle of its work.
    Cancelled,
    /// Has ended too often, this time like that.
    GivenUp(u32, Box<Self>),
}

impl End {
    fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let words = panic
            .downcast_ref::<&str>()
            .map(|words| (*words).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Panicked(words.unwrap_or_else(|| "no words".to_owned()))
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned => f.write_str("has ended, and should not"),
            Self::Panicked(words) => write!(f, "panicked: {words}"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::GivenUp(times, last) => {
                write!(
                    f,
                    "was given up after {times} ends in a row, the last: {last}"
                )
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Runs,
    /// One of many of a kind: coming and going is its nature.
    Many,
    Paused(End),
    Done,
    Over(End),
}

/// What the set knows of one task, or of one kind of tasks.
#[derive(Debug)]
pub(super) struct Entry {
    name: Cow<'static, str>,
    state: Mutex<State>,
    alive: AtomicU64,
    restarts: AtomicU64,
    panics: AtomicU64,
    kill: Notify,
}

impl Entry {
    pub(super) fn new(name: Cow<'static, str>) -> Self {
        Self::in_state(name, State::Runs)
    }

    pub(super) fn of_many(kind: &'static str) -> Self {
        Self::in_state(kind.into(), State::Many)
    }

    fn in_state(name: Cow<'static, str>, state: State) -> Self {
        Self {
            name,
            state: Mutex::new(state),
            alive: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            kill: Notify::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn alive(&self) -> u64 {
        self.alive.load(Ordering::Relaxed)
    }

    pub(super) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(super) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(super) fn trouble(&self) -> Option<String> {
        match &*lock(&self.state) {
            State::Runs | State::Many | State::Done => None,
            State::Paused(end) => Some(format!("task `{}` {end}; it is started again", self.name)),
            State::Over(end) => Some(format!("task `{}` {end}", self.name)),
        }
    }

    /// Says whether one was there to be killed. The order is kept for a task between two lives.
    pub(super) fn kill(&self) -> bool {
        let is_there = self.alive() > 0;
        if is_there {
            self.kill.notify_one();
        }
        is_there
    }

    fn set(&self, state: State) {
        *lock(&self.state) = state;
    }
}

/// A task's bond with the set, held by the task itself.
#[derive(Debug)]
pub(super) struct Watched {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    is_told: bool,
}

impl Watched {
    pub(super) fn new(shared: Arc<Shared>, entry: Arc<Entry>) -> Self {
        entry.alive.fetch_add(1, Ordering::Relaxed);
        Self {
            shared,
            entry,
            is_told: false,
        }
    }

    pub(super) fn entry(&self) -> Arc<Entry> {
        Arc::clone(&self.entry)
    }

    /// Runs one life to its end.
    pub(super) async fn live(&self, work: impl Future<Output = ()>) -> End {
        tokio::select! {
            ended = AssertUnwindSafe(work).catch_unwind() => match ended {
                Ok(()) => End::Returned,
                Err(panic) => self.panicked(&*panic),
            },
            () = self.entry.kill.notified() => End::Cancelled,
        }
    }

    /// Counts a panic and keeps its words.
    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) -> End {
        self.entry.panics.fetch_add(1, Ordering::Relaxed);
        End::of_panic(panic)
    }

    /// Runs life after life, until the work is done or given up.
    pub(super) async fn live_again<F>(
        mut self,
        mut start: impl FnMut() -> F + Send,
        restarts: Restarts,
        ends_when_done: bool,
    ) where
        F: Future<Output = ()> + Send,
    {
        let mut pause = restarts.first_pause;
        let mut in_a_row = 0;
        loop {
            let since = Instant::now();
            // Making the future may panic as well as running it.
            let end = self.live(async { start().await }).await;
            if ends_when_done && end == End::Returned {
                self.entry.set(State::Done);
                self.is_told = true;
                return;
            }
            if since.elapsed() >= restarts.calm {
                (pause, in_a_row) = (restarts.first_pause, 0);
            }
            in_a_row += 1;
            if in_a_row > restarts.most_in_a_row {
                self.is_over(End::GivenUp(in_a_row, Box::new(end)));
                return;
            }
            self.pause(end, pause).await;
            pause = (pause * 2).min(restarts.longest_pause);
        }
    }

    async fn pause(&self, end: End, pause: Duration) {
        let (service, task) = (self.shared.service, self.entry.name());
        warn!(service, task, %end, pause_ms = pause.as_millis(), "task is started again");
        self.entry.restarts.fetch_add(1, Ordering::Relaxed);
        self.entry.set(State::Paused(end));
        tokio::time::sleep(pause).await;
        self.entry.set(State::Runs);
    }

    /// One of many is gone; the others live.
    pub(super) fn one_is_over(&mut self, end: &End) {
        self.is_told = true;
        if *end != End::Returned && !self.is_stopping() {
            let (service, task) = (self.shared.service, self.entry.name());
            error!(service, task, %end, "one task of many is over");
        }
    }

    /// What must live is over: whoever waits for it hears.
    pub(super) fn is_over(&mut self, end: End) {
        self.is_told = true;
        if self.is_stopping() {
            return;
        }
        let over = TaskOver {
            service: self.shared.service,
            task: self.entry.name().to_owned(),
            end: end.clone(),
        };
        error!(service = over.service, task = over.task, end = %over.end, "a task that must live is over");
        self.entry.set(State::Over(end));
        self.shared.fatal.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                *first = Some(over);
            }
            is_first
        });
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::SeqCst)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.entry.alive.fetch_sub(1, Ordering::Relaxed);
        if self.is_told {
            return;
        }
        if *lock(&self.entry.state) == State::Many {
            self.one_is_over(&End::Cancelled);
        } else {
            self.is_over(End::Cancelled);
        }
    }
}
