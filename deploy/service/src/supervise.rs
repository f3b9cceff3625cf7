//! The watched set of a service's long-lived tasks and threads.
//!
//! In: futures and threads with a name. Out: whether all of them live (`/readyz`), how often one was
//! restarted (metrics), and the one whose end takes the process down.
//! Not here: what a service does when one is over; its `main` waits for [`Tasks::fatal`].
//! Invariant: no end goes unseen: a return, a panic and a cancelled task are all told, except after
//! [`Tasks::begin_stop`].

#[cfg(feature = "fault-injection")]
mod faults;
mod life;
mod report;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use life::End;
use life::{Entry, Watched};

/// Why the process cannot go on: a task that must live is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task `{task}` of {service} {end}: {service} cannot go on without it")]
pub struct TaskOver {
    pub service: &'static str,
    pub task: String,
    pub end: End,
}

/// When and how often a task is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restarts {
    /// Before the first new start; doubles with each end up to `longest_pause`. Shorter: back sooner;
    /// longer: less load from a task that ends at once.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// A task that has lived this long starts anew with `first_pause`.
    pub calm: Duration,
    /// Ends in a row, each before `calm`, after which the process is given up.
    pub most_in_a_row: u32,
}

impl Default for Restarts {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            calm: Duration::from_secs(60),
            most_in_a_row: 20,
        }
    }
}

/// The watched tasks of one service. Clones are handles to the same set.
#[derive(Debug, Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
    running: Arc<Mutex<JoinSet<()>>>,
}

#[derive(Debug)]
struct Shared {
    service: &'static str,
    entries: Mutex<Vec<Arc<Entry>>>,
    /// Set at an orderly stop: ends are no failures any more.
    stopping: AtomicBool,
    fatal: watch::Sender<Option<TaskOver>>,
}

impl Tasks {
    /// Makes an empty set; `service` is how log lines and errors call it.
    #[must_use]
    pub fn new(service: &'static str) -> Self {
        Self {
            shared: Arc::new(Shared {
                service,
                entries: Mutex::default(),
                stopping: AtomicBool::new(false),
                fatal: watch::Sender::new(None),
            }),
            running: Arc::default(),
        }
    }

    /// Returns how log lines and errors call the service.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.shared.service
    }

    /// Returns a handle to the same set whose tasks are ended apart: by their own means, until
    /// [`Tasks::finish`], while [`Tasks::stop`] ends the others at once.
    #[must_use]
    pub fn group(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            running: Arc::default(),
        }
    }

    /// Runs a task without which the service is of no use: its end, of whatever kind, is fatal.
    ///
    /// # Panics
    /// Outside a tokio runtime, as do all that start a task.
    pub fn must_live(
        &self,
        name: impl Into<Cow<'static, str>>,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let mut watched = self.watch(name.into());
        self.spawn(async move {
            let end = watched.live(work).await;
            watched.is_over(end);
        });
    }

    /// Runs a task that is started again whenever it ends, by return or panic.
    pub fn restarted<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        start: impl FnMut() -> F + Send + 'static,
        restarts: Restarts,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let watched = self.watch(name.into());
        self.spawn(watched.live_again(start, restarts, false));
    }

    /// Runs a task that ends when its work is done; after a panic it is started again.
    pub fn until_done<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        start: impl FnMut() -> F + Send + 'static,
        restarts: Restarts,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let watched = self.watch(name.into());
        self.spawn(watched.live_again(start, restarts, true));
    }

    /// Runs one of many tasks of a kind, such as the owner of one call. Its panic is counted and told
    /// to `after`, and harms nobody else; `after` runs whenever the task is over, except when the set
    /// is stopped.
    pub fn one_of(
        &self,
        kind: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
        after: impl FnOnce(&End) + Send + 'static,
    ) {
        let mut watched = self.watch_kind(kind);
        self.spawn(async move {
            let end = watched.live(work).await;
            after(&end);
            watched.one_is_over(&end);
        });
    }

    /// Runs a thread without which the service is of no use. The thread bears the name.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn must_live_thread(
        &self,
        name: impl Into<String>,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let name = name.into();
        let builder = std::thread::Builder::new().name(name.clone());
        let mut watched = self.watch(name.into());
        let entry = watched.entry();
        let started = builder.spawn(move || match catch_unwind(AssertUnwindSafe(work)) {
            Ok(()) => watched.is_over(End::Returned),
            Err(panic) => {
                let end = watched.panicked(&*panic);
                watched.is_over(end);
                resume_unwind(panic);
            }
        });
        started.inspect_err(|_| self.forget(&entry))
    }

    /// Returns what `/readyz` has to tell: one text per task that does not run and should.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let entries = lock(&self.shared.entries);
        entries.iter().filter_map(|entry| entry.trouble()).collect()
    }

    /// Returns how this process came to its end, if it did: the first task that is over and must live.
    #[must_use]
    pub fn over(&self) -> Option<TaskOver> {
        self.shared.fatal.borrow().clone()
    }

    /// Waits until a task that must live is over. Never returns while all of them live.
    pub async fn fatal(&self) -> TaskOver {
        let mut fatal = self.shared.fatal.subscribe();
        let over = fatal.wait_for(Option::is_some).await;
        let over = over.ok().and_then(|over| over.clone());
        // The set outlives this wait, so that the channel is never closed.
        over.expect("the sender lives as long as `self`")
    }

    /// Says that what ends from now on ends in order: for threads and tasks that are told to stop by
    /// their own means, before [`Tasks::stop`].
    pub fn begin_stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
    }

    /// Ends the tasks started by this handle and its clones, and waits until they are gone. Threads
    /// are told and joined by their owner.
    pub async fn stop(&self) {
        self.begin_stop();
        let mut running = std::mem::take(&mut *lock(&self.running));
        running.shutdown().await;
    }

    /// Waits until the tasks of this handle, which have been told to stop, have ended; says whether
    /// they did within this time. Those that did not are cut off.
    pub async fn finish(&self, within: Duration) -> bool {
        self.begin_stop();
        let mut running = std::mem::take(&mut *lock(&self.running));
        let all = async { while running.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout(within, all).await.is_ok();
        running.shutdown().await;
        in_time
    }

    /// Ends a task of this name as a fault would: nobody has asked it to stop. Says whether there is
    /// one. This is how tests learn that the service notices.
    #[must_use]
    pub fn kill(&self, name: &str) -> bool {
        let entries = lock(&self.shared.entries);
        let found = entries.iter().find(|entry| entry.name() == name);
        found.is_some_and(|entry| entry.kill())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = lock(&self.running);
        while running.try_join_next().is_some() {}
        if !self.shared.stopping.load(Ordering::SeqCst) {
            running.spawn(task);
        }
    }

    fn watch(&self, name: Cow<'static, str>) -> Watched {
        let entry = Arc::new(Entry::new(name));
        lock(&self.shared.entries).push(Arc::clone(&entry));
        #[cfg(feature = "fault-injection")]
        faults::end_if_asked(self.shared.service, &entry);
        Watched::new(Arc::clone(&self.shared), entry)
    }

    fn watch_kind(&self, kind: &'static str) -> Watched {
        let mut entries = lock(&self.shared.entries);
        let known = entries.iter().find(|entry| entry.name() == kind).cloned();
        let entry = known.unwrap_or_else(|| {
            let entry = Arc::new(Entry::of_many(kind));
            entries.push(Arc::clone(&entry));
            entry
        });
        drop(entries);
        Watched::new(Arc::clone(&self.shared), entry)
    }

    fn forget(&self, gone: &Arc<Entry>) {
        lock(&self.shared.entries).retain(|entry| !Arc::ptr_eq(entry, gone));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
