//! Keeps the speech process of this node running.
//!
//! In: how to start it. Out: a process that answers on a Unix socket, started again when it ends.
//! Not here: asking it something (`link`, `client`).
//! Invariant: the process is killed when its host is dropped; one that cannot start is tried again
//! more and more slowly, and those who wait for it are told.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use service::{Restarts, Tasks};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::client::SpeechError;
use super::process::{READY, SpeechArgs};
use super::queue::Queue;
use crate::order::this_program;

/// Loading the models takes 0.1 s; a busy disk may take longer.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Shorter: a model that cannot be loaded burns a core. Longer: captions come back later.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// After running this long a crash counts as the first again.
const HEALTHY: Duration = Duration::from_secs(60);
/// Failed starts in a row after which waiting windows are failed.
const PATIENCE: u32 = 3;
/// As a command: the program that runs, as it is whenever the process is started.
pub const THIS_PROGRAM: &str = "this program";

/// Why one life of the process ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("start `{program}`")]
    Spawn { program: String, source: io::Error },
    #[error("wait until it is ready")]
    NotReady(#[source] io::Error),
    #[error("it ended with `{0}`")]
    Exit(String),
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) starts: AtomicU64,
    pub(super) child_pid: AtomicU64,
}

/// The speech process of this node. Dropping the handle ends it.
#[derive(Debug)]
pub struct SpeechHost {
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
}

impl SpeechHost {
    /// Starts the process; what keeps it running is one of `tasks`. `command` is the program and leading arguments that
    /// reach `speech::process::main`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`SpeechError::NoCommand`]; [`SpeechError::Processor`]; [`SpeechError::NoModel`] when voice activity detection or a model
    /// to preload is not installed.
    pub fn start(
        command: Vec<OsString>,
        args: SpeechArgs,
        tasks: &Tasks,
    ) -> Result<Self, SpeechError> {
        let (host, life, stopped) = Self::prepare(command, args, None)?;
        let live = move || Arc::clone(&life).supervise(stopped.clone());
        tasks.until_done("speech process", live, Restarts::default());
        Ok(host)
    }

    /// As [`SpeechHost::start`], for one worker: the process lives as long as the handle, and one
    /// that does not start fails what waits in `queue`.
    pub(super) fn start_for(
        command: Vec<OsString>,
        args: SpeechArgs,
        queue: Arc<Queue>,
    ) -> Result<Self, SpeechError> {
        let (host, life, stopped) = Self::prepare(command, args, Some(queue))?;
        tokio::spawn(life.supervise(stopped));
        Ok(host)
    }

    fn prepare(
        command: Vec<OsString>,
        args: SpeechArgs,
        queue: Option<Arc<Queue>>,
    ) -> Result<(Self, Arc<Life>, watch::Receiver<bool>), SpeechError> {
        if command.is_empty() {
            return Err(SpeechError::NoCommand);
        }
        super::client::check_models(&args.models_dir, args.preload.iter().map(String::as_str))?;
        let counters = Arc::new(Counters::default());
        let (stop, stopped) = watch::channel(false);
        let life = Arc::new(Life {
            command,
            args,
            counters: counters.clone(),
            queue,
        });
        Ok((Self { counters, stop }, life, stopped))
    }

    /// Times the process was started; 1 when nothing ever went wrong.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.counters.starts.load(Ordering::Relaxed)
    }

    /// Process id of the running child, 0 when there is none at the moment.
    #[must_use]
    pub fn child_pid(&self) -> u64 {
        self.counters.child_pid.load(Ordering::Relaxed)
    }

    /// Ends the process.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Drop for SpeechHost {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Life {
    command: Vec<OsString>,
    args: SpeechArgs,
    counters: Arc<Counters>,
    queue: Option<Arc<Queue>>,
}

impl Life {
    async fn supervise(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let mut backoff = FIRST_BACKOFF;
        let mut failed_starts = 0;
        while !*stopped.borrow() {
            let begun = Instant::now();
            let end = tokio::select! {
                end = self.live() => end,
                // Dropping the other branch kills the child.
                _ = stopped.changed() => break,
            };
            self.counters.child_pid.store(0, Ordering::Relaxed);
            let cause = std::error::Error::source(&end)
                .map(ToString::to_string)
                .unwrap_or_default();
            tracing::warn!(%end, cause, ?backoff, "the speech process ended, starting it again");
            failed_starts = match end {
                End::Exit(_) => 0,
                End::Spawn { .. } | End::NotReady(_) => failed_starts + 1,
            };
            if failed_starts >= PATIENCE
                && let Some(queue) = &self.queue
            {
                queue.fail_all(&SpeechError::NotStarting {
                    reason: format!("{end}: {cause}"),
                });
            }
            if begun.elapsed() > HEALTHY {
                backoff = FIRST_BACKOFF;
            }
            tokio::select! {
                () = tokio::time::sleep(backoff) => {}
                _ = stopped.changed() => break,
            }
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
        }
        self.counters.child_pid.store(0, Ordering::Relaxed);
    }

    /// One life of the process, from its start to its end.
    async fn live(&self) -> End {
        match self.begin().await {
            // It ends when its standard input does, which waiting for it would close: held apart.
            Ok((mut child, _stdin)) => {
                let status = child.wait().await;
                End::Exit(
                    status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                )
            }
            Err(end) => end,
        }
    }

    async fn begin(&self) -> Result<(Child, Option<ChildStdin>), End> {
        let mut words = self
            .command
            .iter()
            .cloned()
            .chain(self.args.to_command_line());
        let mut program = words.next().unwrap_or_default();
        if program == THIS_PROGRAM {
            program = this_program()
                .map_err(|source| End::Spawn {
                    program: THIS_PROGRAM.to_owned(),
                    source,
                })?
                .into_os_string();
        }
        let spawn = |source| End::Spawn {
            program: program.to_string_lossy().into_owned(),
            source,
        };
        let mut child = Command::new(&program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(spawn)?;
        self.counters.starts.fetch_add(1, Ordering::Relaxed);
        self.counters
            .child_pid
            .store(u64::from(child.id().unwrap_or(0)), Ordering::Relaxed);
        timeout(READY_LIMIT, wait_ready(&mut child))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(End::NotReady)?;
        let stdin = child.stdin.take();
        Ok((child, stdin))
    }
}

async fn wait_ready(child: &mut Child) -> io::Result<()> {
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    if line.trim() == READY {
        return Ok(());
    }
    Err(io::Error::other(
        "it ended before it was ready; its messages say why",
    ))
}

/// A folder for the socket of a private process, for this user only.
pub(super) fn private_folder() -> Result<(tempfile::TempDir, PathBuf), SpeechError> {
    let made = service::private::passing_folder("parley-speech-");
    let folder = made.map_err(|source| SpeechError::Folder(Arc::new(source)))?;
    let socket = folder.path().join("socket");
    Ok((folder, socket))
}
