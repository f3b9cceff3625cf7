//! The speech process: models in memory, one thread per connection, nothing else.
//!
//! In: `--socket` and model files, then frames (`wire`) on every connection. Out: one reply each.
//! Not here: order and retries (the client decides), what recognising means (`engine`).
//! Invariant: it ends when its standard input ends, so it never outlives the service.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use super::engine::{Engine, EngineError, Worker};
use super::wire::{self, Reply, WireError};

/// The line on standard output that tells the client to connect.
pub(super) const READY: &str = "ready";

/// Arguments of the `speech` verb. The client makes them; nobody types them.
#[derive(Debug, Clone, clap::Args)]
pub struct SpeechArgs {
    /// Unix socket to listen on.
    #[arg(long)]
    pub socket: PathBuf,
    /// Model file of live captions.
    #[arg(long)]
    pub caption_model: PathBuf,
    /// Model file of transcripts.
    #[arg(long)]
    pub transcript_model: PathBuf,
    /// Model file of voice activity detection.
    #[arg(long)]
    pub vad_model: PathBuf,
    /// Threads for one window.
    #[arg(long, default_value_t = 1)]
    pub threads: u32,
}

impl SpeechArgs {
    /// The command line that gives these arguments.
    pub(super) fn to_command_line(&self) -> Vec<OsString> {
        vec![
            "--socket".into(),
            self.socket.clone().into(),
            "--caption-model".into(),
            self.caption_model.clone().into(),
            "--transcript-model".into(),
            self.transcript_model.clone().into(),
            "--vad-model".into(),
            self.vad_model.clone().into(),
            "--threads".into(),
            self.threads.to_string().into(),
        ]
    }
}

/// Why the speech process ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("bind the speech socket `{}`", path.display())]
    Bind { path: PathBuf, source: io::Error },
    #[error("load the speech models")]
    Load(#[source] EngineError),
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
    thread::Builder::new()
        .name("speech-parent".to_owned())
        .spawn(exit_with_parent)
        .map_err(ProcessError::Thread)?;
    let engine = Arc::new(Engine::load(args).map_err(ProcessError::Load)?);
    let listener = UnixListener::bind(&args.socket).map_err(|source| ProcessError::Bind {
        path: args.socket.clone(),
        source,
    })?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{READY}")
        .and_then(|()| stdout.flush())
        .map_err(ProcessError::Report)?;
    loop {
        let (stream, _) = listener.accept().map_err(ProcessError::Accept)?;
        let worker = Worker::new(engine.clone());
        thread::Builder::new()
            .name("speech-lane".to_owned())
            .spawn(move || serve(stream, worker))
            .map_err(ProcessError::Thread)?;
    }
}

/// The service holds the other end of standard input; when it is gone there is nobody to serve.
fn exit_with_parent() {
    let mut sink = [0; 64];
    let mut stdin = io::stdin();
    while matches!(stdin.read(&mut sink), Ok(1..)) {}
    std::process::exit(0);
}

/// Answers one connection until it closes or sends something that is not a frame.
fn serve(mut stream: UnixStream, mut worker: Worker) {
    loop {
        let request = match read_frame(&mut stream) {
            Ok(frame) => wire::decode_request(&frame),
            Err(error) => {
                tracing::debug!(%error, "speech connection closed");
                return;
            }
        };
        let reply = match request {
            Ok((request, pcm)) => worker.answer(&request, &pcm),
            Err(error) => Reply::Refused {
                reason: error.to_string(),
            },
        };
        let sent = wire::encode(&reply, &[]).map_err(io::Error::other);
        if let Err(error) = sent.and_then(|frame| stream.write_all(&frame)) {
            tracing::warn!(%error, "answer the speech client");
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
