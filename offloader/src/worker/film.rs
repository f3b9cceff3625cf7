//! The film of a recording, made in a process of its own from the first minute on.
//!
//! ```text
//! worker --order, later `end`--> film process --per cent--> worker
//! ```
//! In: the job's folder. Out: the finished file in it, and how far it is.
//! Why a process: decoding what others sent is C, and what kills it must not end the recording.
//! Its turn at the processor: while its call lasts a thread makes the film that gives way to everybody
//! else, media first; on a busy machine the film falls behind, and is made later. When the call is over
//! people wait for it: another thread takes the film over, with the same right as anybody. A thread may
//! not take back that it gives way, so these are two.
//! A process that dies is followed by another, which goes on with the film as it is; only one that
//! cannot be gone on with is made anew.
//! Invariant: one process at a time makes a folder's film; one that nobody waits for ends.

use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use proto::offload::{RecordingInput, RecordingOutput};
use rustix::process::{getpriority_process, setpriority_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Details, Job};
use crate::ffmpeg::MovieOptions;
use crate::finish::film::Film;
use crate::finish::plan::Plan;
use crate::finish::{self, reel};
use crate::order::{FRUGAL, FolderLock, Look};

/// The line that says that the capture is over.
const END_LINE: &str = "end";
/// How much the film gives way while its call lasts: a tenth of the processor beside one busy program.
const NICENESS: i32 = 10;
/// Nobody gives way more.
const NICEST: i32 = 19;
/// How often the capture, and the process itself, are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How much of the film is made before somebody is listened to, in milliseconds. On a busy machine the
/// last stretch that gives way takes seconds where it is long.
const STRETCH_MS: i64 = 200;
/// How often a film that another process still makes is looked at.
const LOCKED_AGAIN: Duration = Duration::from_millis(100);

/// How many processes may follow the first while a call lasts.
const MOST_FURTHER: u32 = 5;

/// What the process is told first. Holds no secrets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FilmOrder {
    film_of: PathBuf,
    options: MovieOptions,
    look: Look,
}

/// The process, seen from the worker.
#[derive(Debug)]
pub(super) struct FilmMaker {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl FilmMaker {
    /// Starts it.
    ///
    /// # Errors
    /// When FFmpeg lacks an encoder or no process can be had.
    pub(super) async fn start(job: &Job, input: &RecordingInput) -> anyhow::Result<Self> {
        let look = job.order.look.clone();
        let order = FilmOrder {
            film_of: job.order.folder.clone(),
            options: finish::movie_options(input, look.engine)?,
            look,
        };
        let mut child = spawn().context("start the process of the film")?;
        let mut input = child.stdin.take().context("it has an input")?;
        let output = child.stdout.take().context("it has an output")?;
        let mut line = serde_json::to_string(&order)?;
        line.push('\n');
        // One that dies before it read its order is noticed by `finish`.
        let _ = input.write_all(line.as_bytes()).await;
        let _ = input.flush().await;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    /// Whether it is there no more.
    fn is_dead(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Says that the capture is over, and waits for the film; `told` hears how far it is, in per cent.
    ///
    /// # Errors
    /// When the process died or could not make it.
    pub(super) async fn finish(mut self, mut told: impl FnMut(u8)) -> anyhow::Result<()> {
        // One that is dead is noticed below.
        let _ = self
            .input
            .write_all(format!("{END_LINE}\n").as_bytes())
            .await;
        let _ = self.input.flush().await;
        while let Ok(Some(line)) = self.output.next_line().await {
            if let Ok(percent) = line.parse() {
                told(percent);
            }
        }
        let status = self.child.wait().await.context("wait for the film")?;
        anyhow::ensure!(status.success(), "the process of the film: {status}");
        Ok(())
    }
}

/// A call's film in the making, by one process after the other if they die.
#[derive(Debug, Default)]
pub(super) struct Filming {
    maker: Option<FilmMaker>,
    /// When it was last looked at.
    looked: Option<Instant>,
    further: u32,
}

impl Filming {
    /// Begins the film with the first call; sees later whether its process still lives. A film that
    /// cannot be begun now is made at the end, and what is missing is told then.
    pub(super) async fn look(&mut self, job: &Job) {
        let Details::Recording(input) = &job.details else {
            return;
        };
        let is_first = match self.looked {
            None => true,
            Some(looked) if looked.elapsed() < LOOK_EVERY => return,
            Some(_) => false,
        };
        self.looked = Some(Instant::now());
        let died = self.maker.as_mut().is_some_and(FilmMaker::is_dead);
        if died && self.further < MOST_FURTHER {
            self.further += 1;
            tracing::warn!("the process of the film died: another goes on with it");
        } else if !is_first {
            return;
        }
        if input.output == RecordingOutput::Mp4 {
            let maker = FilmMaker::start(job, input).await;
            let maker = maker.inspect_err(|error| {
                tracing::warn!("the film is made after the call: {error:#}");
            });
            self.maker = maker.ok();
        }
    }

    /// The process that is to finish the film.
    pub(super) fn end(self) -> Option<FilmMaker> {
        self.maker
    }
}

/// Starts this program as it was started itself (`offloader worker`, or what the all-in-one binary
/// calls it).
fn spawn() -> io::Result<Child> {
    Command::new(crate::order::this_program()?)
        .args(std::env::args_os().skip(1))
        .envs(FRUGAL)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Makes the film with the process that has begun it, else with one that goes on with it; with one from
/// the start if what was begun is of no use.
pub(super) async fn make(
    job: &Job,
    begun: Option<FilmMaker>,
    input: &RecordingInput,
    mut told: impl FnMut(u8),
) -> anyhow::Result<()> {
    if let Some(maker) = begun {
        let Err(error) = maker.finish(&mut told).await else {
            return Ok(());
        };
        tracing::warn!("another process goes on with the film: {error:#}");
    }
    let Err(error) = FilmMaker::start(job, input).await?.finish(&mut told).await else {
        return Ok(());
    };
    tracing::warn!("the film is made anew: {error:#}");
    // There is none when it died before it began one.
    let _ = std::fs::remove_file(reel::path(&job.order.folder));
    FilmMaker::start(job, input).await?.finish(told).await
}

/// The process itself.
pub(super) async fn run(
    order: FilmOrder,
    mut lines: Lines<BufReader<Stdin>>,
) -> anyhow::Result<()> {
    let (sender, heard) = channel();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    tokio::task::spawn_blocking(move || follow(&order, heard)).await?
}

fn follow(order: &FilmOrder, heard: Receiver<String>) -> anyhow::Result<()> {
    let folder = &order.film_of;
    let _lock = loop {
        let lock = FolderLock::take_file(&folder.join("film.lock"));
        if let Some(lock) = lock.context("lock the film")? {
            break lock;
        }
        std::thread::sleep(LOCKED_AGAIN);
    };
    if folder.join(finish::MOVIE).is_file() {
        // The process that had the lock has made it.
        return Ok(());
    }
    let behind_others = move || {
        if let Err(error) = give_way() {
            tracing::warn!("the film takes the processor from its call: {error}");
        }
        keep_up(order, &heard)
    };
    let film = std::thread::scope(|scope| scope.spawn(behind_others).join());
    let Some(film) = film.unwrap_or_else(|panic| resume_unwind(panic))? else {
        return Ok(());
    };
    let behind_ms = film.behind_ms();
    tracing::info!(behind_ms, "the capture is over, the film is finished");
    let plan = Plan::read(folder).context("the capture never began")?;
    let mut last = None;
    film.finish(&plan, |percent| {
        if last.replace(percent) != Some(percent) {
            // Whoever does not listen any more needs no number.
            let _ = writeln!(io::stdout(), "{percent}");
        }
    })?;
    Ok(())
}

/// Lets everybody else go first whom this thread has met on an equal footing.
fn give_way() -> io::Result<()> {
    let niceness = getpriority_process(None)? + NICENESS;
    Ok(setpriority_process(None, niceness.min(NICEST))?)
}

/// Makes the film behind its capture until that is over; `None` when nobody waits for it any more.
fn keep_up(order: &FilmOrder, heard: &Receiver<String>) -> anyhow::Result<Option<Film>> {
    let mut film = Film::open(&order.film_of, &order.options, &order.look, 1)?;
    let mut pause = Duration::ZERO;
    loop {
        match heard.recv_timeout(pause) {
            Ok(line) if line.trim() == END_LINE => return Ok(Some(film)),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
        film.look();
        film.advance(STRETCH_MS)?;
        pause = if film.behind_ms() > 0 {
            Duration::ZERO
        } else {
            LOOK_EVERY
        };
    }
}
