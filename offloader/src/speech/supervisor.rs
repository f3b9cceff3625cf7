//! Keeps the speech process running and its lanes busy.
//!
//! In: waiting windows (`queue`). Out: their answers; a crashed process is started again.
//! Invariant: a window is lost only after the process ended twice while it worked on it, and a
//! process that cannot start fails its waiting windows instead of holding them for ever.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::client::{Counters, SpeechConfig, SpeechError};
use super::process::{READY, SpeechArgs};
use super::queue::{Job, Lane, Queue};
use super::wire::{self, Reply};
use crate::models;

/// Loading the models takes 0.1 s; a busy disk may take longer.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// A window takes about 2 s of one core; longer than this the process hangs.
const WINDOW_LIMIT: Duration = Duration::from_secs(120);
/// Shorter: a model that cannot be loaded burns a core. Longer: captions come back later.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// After running this long a crash counts as the first again.
const HEALTHY: Duration = Duration::from_secs(60);
/// Failed starts in a row after which waiting windows are failed.
const PATIENCE: u32 = 3;
/// How often one window may be under a process that ends.
const TRIES: u32 = 2;

/// Why one life of the process ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("make a folder for its socket")]
    Folder(#[source] io::Error),
    #[error("start `{program}`")]
    Spawn { program: String, source: io::Error },
    #[error("model `{0}` has gone from the models folder")]
    NoModel(String),
    #[error("wait until it is ready")]
    NotReady(#[source] io::Error),
    #[error("connect to it")]
    Connect(#[source] io::Error),
    #[error("it stopped answering")]
    Silent,
    #[error("it ended with `{0}`")]
    Exit(String),
}

impl End {
    /// Whether it ever served anything.
    fn was_ready(&self) -> bool {
        match self {
            Self::Silent | Self::Exit(_) => true,
            Self::Folder(_)
            | Self::Spawn { .. }
            | Self::NoModel(_)
            | Self::NotReady(_)
            | Self::Connect(_) => false,
        }
    }
}

/// Runs until `stopped` says true or its sender is gone.
pub(super) async fn run(
    config: SpeechConfig,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut backoff = FIRST_BACKOFF;
    let mut failed_starts = 0;
    while !*stopped.borrow() {
        let begun = Instant::now();
        let end = tokio::select! {
            end = live(&config, &queue, &counters) => end,
            // Dropping the other branch kills the child and tells the owners of its windows.
            _ = stopped.changed() => break,
        };
        counters.child_pid.store(0, Ordering::Relaxed);
        let cause = std::error::Error::source(&end)
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::warn!(%end, cause, ?backoff, "the speech process ended, starting it again");
        if end.was_ready() {
            failed_starts = 0;
        } else {
            failed_starts += 1;
            if failed_starts >= PATIENCE {
                queue.fail_all(&SpeechError::NotStarting {
                    reason: format!("{end}: {cause}"),
                });
            }
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
    counters.child_pid.store(0, Ordering::Relaxed);
}

/// One life of the process, from its start to its end.
async fn live(config: &SpeechConfig, queue: &Arc<Queue>, counters: &Arc<Counters>) -> End {
    match begin(config, counters).await {
        Ok((child, streams, _folder)) => serve(child, streams, queue, counters).await,
        Err(end) => end,
    }
}

type Started = (Child, Vec<(Lane, UnixStream)>, tempfile::TempDir);

async fn begin(config: &SpeechConfig, counters: &Counters) -> Result<Started, End> {
    // Private to this user: whoever reaches the socket could spend our CPU.
    let folder = tempfile::Builder::new()
        .prefix("speech-")
        .tempdir()
        .map_err(End::Folder)?;
    let model = |name: &str| {
        models::installed(&config.models_dir, name).ok_or_else(|| End::NoModel(name.to_owned()))
    };
    let args = SpeechArgs {
        socket: folder.path().join("socket"),
        caption_model: model(&config.caption_model)?,
        transcript_model: model(&config.transcript_model)?,
        vad_model: model(models::VAD)?,
        threads: config.threads_per_window,
    };
    let mut words = config.command.iter().cloned().chain(args.to_command_line());
    let program = words.next().unwrap_or_default();
    let mut child = Command::new(&program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| End::Spawn {
            program: program.to_string_lossy().into_owned(),
            source,
        })?;
    counters.starts.fetch_add(1, Ordering::Relaxed);
    counters
        .child_pid
        .store(u64::from(child.id().unwrap_or(0)), Ordering::Relaxed);
    timeout(READY_LIMIT, wait_ready(&mut child))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(End::NotReady)?;
    let mut streams = Vec::new();
    for lane in config.lanes() {
        streams.push((
            lane,
            UnixStream::connect(&args.socket)
                .await
                .map_err(End::Connect)?,
        ));
    }
    Ok((child, streams, folder))
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

async fn serve(
    mut child: Child,
    streams: Vec<(Lane, UnixStream)>,
    queue: &Arc<Queue>,
    counters: &Arc<Counters>,
) -> End {
    let (died, watching) = watch::channel(false);
    let mut lanes = JoinSet::new();
    for (kind, stream) in streams {
        lanes.spawn(lane(
            kind,
            stream,
            queue.clone(),
            counters.clone(),
            watching.clone(),
        ));
    }
    let end = tokio::select! {
        status = child.wait() => {
            End::Exit(status.map_or_else(|error| error.to_string(), |status| status.to_string()))
        }
        _ = lanes.join_next() => {
            // A broken stream usually is a dead child: then its exit status is the better reason.
            let exit = timeout(Duration::from_millis(500), child.wait()).await;
            exit.map_or(End::Silent, |status| {
                End::Exit(status.map_or_else(|error| error.to_string(), |status| status.to_string()))
            })
        }
    };
    // It may hang rather than be dead; an error here means that it is gone.
    let _ = child.start_kill();
    died.send_replace(true);
    // Busy lanes see the end of their stream and put their window back.
    while lanes.join_next().await.is_some() {}
    end
}

/// Serves one connection until it breaks or the process is known to be dead.
async fn lane(
    kind: Lane,
    mut stream: UnixStream,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    mut died: watch::Receiver<bool>,
) {
    loop {
        let (purpose, mut job) = tokio::select! {
            next = queue.next(kind) => next,
            _ = died.changed() => return,
        };
        match timeout(WINDOW_LIMIT, exchange(&mut stream, &job)).await {
            Ok(Ok(reply)) => {
                counters.windows.fetch_add(1, Ordering::Relaxed);
                // The owner may have lost interest meanwhile.
                let _ = job.done.send(Ok(reply));
            }
            Ok(Err(_)) | Err(_) => {
                job.tries += 1;
                if job.tries >= TRIES {
                    let _ = job
                        .done
                        .send(Err(SpeechError::Crashed { tries: job.tries }));
                } else {
                    queue.push_back(purpose, job);
                }
                return;
            }
        }
    }
}

async fn exchange(stream: &mut UnixStream, job: &Job) -> io::Result<Reply> {
    stream.write_all(&job.frame).await?;
    let mut prefix = [0; wire::PREFIX];
    stream.read_exact(&mut prefix).await?;
    let (header, body) = wire::lengths(prefix).map_err(io::Error::other)?;
    let mut frame = vec![0; wire::PREFIX + header + body];
    let (head, rest) = frame.split_at_mut(wire::PREFIX);
    head.copy_from_slice(&prefix);
    stream.read_exact(rest).await?;
    wire::decode_reply(&frame).map_err(io::Error::other)
}
