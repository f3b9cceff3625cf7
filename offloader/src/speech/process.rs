//! The speech process of a node: models in memory, a thread per connection, a fixed pool of workers.
//!
//! In: `--socket` and the models folder, then frames (`wire`) on every connection. Out: one reply
//! each.
//! Not here: retries (the client), who waits for whom (`pool`), what recognising means (`engine`).
//! Invariant: it ends when its standard input ends, so it never outlives the service, and when one
//! window hangs, so that it is started again.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::engine::{Engine, Worker};
use super::pool::Pool;
use super::wire::{self, Reply, WireError};

/// The line on standard output that tells the service to go on.
pub(super) const READY: &str = "ready";

const WATCH_EVERY: Duration = Duration::from_secs(5);
/// Exit code of a process that ends itself because a window hangs.
const HUNG: i32 = 70;

/// Arguments of the `speech` verb. The service makes them; nobody types them.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct SpeechArgs {
    /// Unix socket to listen on.
    #[arg(long)]
    pub socket: PathBuf,
    /// Folder of the models.
    #[arg(long)]
    pub models_dir: PathBuf,
    /// Model to load at once rather than when it is first asked for; may be given several times.
    #[arg(long)]
    pub preload: Vec<String>,
    /// Windows of captions that may run at once.
    #[arg(long, default_value_t = 1)]
    pub caption_workers: usize,
    /// Windows of either kind that may run at once besides.
    #[arg(long, default_value_t = 1)]
    pub shared_workers: usize,
    /// Caption windows that may wait.
    #[arg(long, default_value_t = 8)]
    pub caption_queue: usize,
    /// Threads for one window.
    #[arg(long, default_value_t = 1)]
    pub threads: u32,
}

impl SpeechArgs {
    /// The command line that gives these arguments.
    pub(super) fn to_command_line(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![
            "--socket".into(),
            self.socket.clone().into(),
            "--models-dir".into(),
            self.models_dir.clone().into(),
        ];
        for model in &self.preload {
            words.extend(["--preload".into(), model.into()]);
        }
        for (key, value) in [
            ("--caption-workers", self.caption_workers.to_string()),
            ("--shared-workers", self.shared_workers.to_string()),
            ("--caption-queue", self.caption_queue.to_string()),
            ("--threads", self.threads.to_string()),
        ] {
            words.extend([key.into(), value.into()]);
        }
        words
    }
}

/// Why the speech process ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("bind the speech socket `{}`", path.display())]
    Bind { path: PathBuf, source: io::Error },
    #[error("tell the service that speech is ready")]
    Report(#[source] io::Error),
    #[error("accept a connection of the service")]
    Accept(#[source] io::Error),
    #[error("start a thread of the speech process")]
    Thread(#[source] io::Error),
}

/// Runs the speech process until standard input ends. Blocks; call it before any runtime starts.
///
/// # Errors
/// When the socket cannot be bound or a model cannot be loaded.
pub fn main(args: &SpeechArgs) -> Result<(), ProcessError> {
    start_thread("speech-parent", exit_with_parent)?;
    let engine = Engine::load(args.models_dir.clone(), &args.preload, args.threads);
    let engine = Arc::new(engine);
    let workers = |count: usize| (0..count).map(|_| Worker::new(engine.clone())).collect();
    let pool = Pool::new(
        workers(args.caption_workers),
        workers(args.shared_workers.max(1)),
        args.caption_queue,
    );
    let pool = Arc::new(pool);
    let watched = pool.clone();
    start_thread("speech-watchdog", move || exit_when_hanging(&watched))?;
    let listener = bind(&args.socket).map_err(|source| ProcessError::Bind {
        path: args.socket.clone(),
        source,
    })?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{READY}")
        .and_then(|()| stdout.flush())
        .map_err(ProcessError::Report)?;
    loop {
        let (stream, _) = listener.accept().map_err(ProcessError::Accept)?;
        let pool = pool.clone();
        start_thread("speech-lane", move || serve(stream, &pool))?;
    }
}

fn start_thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), ProcessError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map(drop).map_err(ProcessError::Thread)
}

/// For this user only: whoever reaches the socket could spend our processor.
fn bind(path: &Path) -> io::Result<UnixListener> {
    // The one before us may have been killed; two living services have different folders.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The service holds the other end of standard input; when it is gone there is nobody to serve.
fn exit_with_parent() {
    let mut sink = [0; 64];
    let mut stdin = io::stdin();
    while matches!(stdin.read(&mut sink), Ok(1..)) {}
    std::process::exit(0);
}

fn exit_when_hanging(pool: &Pool<Worker>) {
    while !pool.is_stuck() {
        thread::sleep(WATCH_EVERY);
    }
    tracing::error!("a speech window hangs, the process ends");
    std::process::exit(HUNG);
}

/// Answers one connection until it closes or sends something that is not a frame.
fn serve(mut stream: UnixStream, pool: &Pool<Worker>) {
    loop {
        let request = match read_frame(&mut stream) {
            Ok(frame) => wire::decode_request(&frame),
            Err(error) => {
                tracing::debug!(%error, "speech connection closed");
                return;
            }
        };
        let reply = match request {
            Ok((request, pcm)) => {
                let answer =
                    pool.use_worker(request.purpose(), |worker| worker.answer(&request, &pcm));
                answer.unwrap_or(Reply::Shed)
            }
            Err(error) => Reply::Refused {
                reason: error.to_string(),
            },
        };
        let sent = wire::encode(&reply, &[]).map_err(io::Error::other);
        if let Err(error) = sent.and_then(|frame| stream.write_all(&frame)) {
            tracing::debug!(%error, "the asker has gone");
            return;
        }
    }
}

fn read_frame(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut prefix = [0; wire::PREFIX];
    stream.read_exact(&mut prefix)?;
    let (header, body) =
        wire::lengths(prefix).map_err(|error: WireError| io::Error::other(error))?;
    let mut frame = vec![0; wire::PREFIX + header + body];
    let (head, rest) = frame.split_at_mut(wire::PREFIX);
    head.copy_from_slice(&prefix);
    stream.read_exact(rest)?;
    Ok(frame)
}
