//! Carries waiting windows to the speech process and brings their answers back.
//!
//! In: windows (`queue`). Out: their answers.
//! Not here: the process's life (`host`).
//! Invariant: a window is lost only after the connection broke [`TRIES`] times while it was on its
//! way; a process that is away for long fails what waits instead of holding it for ever.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::client::SpeechError;
use super::queue::{Lane, Queue, Waiting};
use super::wire::{self, Reply};

/// How often one window may be under a process that ends.
const TRIES: u32 = 3;
/// Before every look whether the process is back. A process that was killed still accepts
/// connections for a moment; windows sent to it then are lost again.
const RETRY: Duration = Duration::from_millis(200);
/// A process that is away this long is not just being started again.
const AWAY: Duration = Duration::from_secs(90);

/// One connection of a client.
#[derive(Debug, Clone)]
pub(super) struct Carrier {
    pub(super) socket: PathBuf,
    pub(super) queue: Arc<Queue>,
    pub(super) answered: Arc<AtomicU64>,
}

impl Carrier {
    /// Serves one lane until the task is aborted.
    pub(super) async fn run(self, lane: Lane) {
        loop {
            let mut stream = self.connect().await;
            while self.serve_one(lane, &mut stream).await {}
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn connect(&self) -> UnixStream {
        let mut since = Instant::now();
        loop {
            match UnixStream::connect(&self.socket).await {
                Ok(stream) => return stream,
                Err(error) if since.elapsed() > AWAY => {
                    let reason = format!("connect to `{}`: {error}", self.socket.display());
                    self.queue.fail_all(&SpeechError::NotStarting { reason });
                    since = Instant::now();
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// Carries one window there and back. False when the connection broke.
    async fn serve_one(&self, lane: Lane, stream: &mut UnixStream) -> bool {
        let (purpose, mut window) = tokio::select! {
            next = self.queue.next(lane) => next,
            // Nothing is ever sent unasked: readable means closed.
            _ = stream.readable() => return false,
        };
        if let Ok(reply) = exchange(stream, &window).await {
            self.answered.fetch_add(1, Ordering::Relaxed);
            // The owner may have lost interest meanwhile.
            let _ = window.done.send(Ok(reply));
            return true;
        }
        window.tries += 1;
        if window.tries >= TRIES {
            let _ = window.done.send(Err(SpeechError::Crashed {
                tries: window.tries,
            }));
        } else {
            self.queue.push_back(purpose, window);
        }
        false
    }
}

async fn exchange(stream: &mut UnixStream, window: &Waiting) -> io::Result<Reply> {
    stream.write_all(&window.frame).await?;
    let mut prefix = [0; wire::PREFIX];
    stream.read_exact(&mut prefix).await?;
    let (header, body) = wire::lengths(prefix).map_err(io::Error::other)?;
    let mut frame = vec![0; wire::PREFIX + header + body];
    let (head, rest) = frame.split_at_mut(wire::PREFIX);
    head.copy_from_slice(&prefix);
    stream.read_exact(rest).await?;
    wire::decode_reply(&frame).map_err(io::Error::other)
}
