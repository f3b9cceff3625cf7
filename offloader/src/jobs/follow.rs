//! One job from its first worker to its end.
//!
//! ```text
//! capture --ends by itself--> outcome: done | failed | parked
//!    |  dies, or its media host does: captures on, if the messaging server lets another bot do so
//!    |  dies otherwise                        ^
//!    v                                        |
//! finish --ends by itself---------------------+
//!    |  dies: again, later, at most MAX_FINISHES times
//! ```
//! A transcript goes on as a recording does, and who waits for it is told as well.
//! Invariant: at most one worker has the folder; a worker of an earlier service is waited for. A job
//! that cannot be followed has failed, and those who wait for it are told.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use proto::offload::{JobRequest, JobType, RecordingInput, TranscribingInput};
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use super::echo::Echo;
use super::{Jobs, WORKER_LOG};
use crate::auth::unix_ms;
use crate::capture::journal::{self, Entry};
use crate::order::{self, Ending, FRUGAL, FolderLock, Outcome, STOP_LINE, Task, WorkerOrder};
use crate::store::{JobRow, Phase};

/// What people in the call are told.
const RECORDER_DIED: &str =
    "the recorder stopped unexpectedly: what was recorded until now will be posted";
const TRANSCRIBER_DIED: &str =
    "the transcriber stopped unexpectedly: what was said until now will be posted";
/// Workers that go on with one capture, beyond which something is wrong with it.
const MOST_PARTS: u32 = 100;
/// Finishing runs of one job before it counts as failed.
const MAX_FINISHES: i64 = 5;
/// Pause before the first repeated finishing run; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Pause before what could not be kept is kept again: the disk may be full for a while.
const KEEP_AGAIN: Duration = Duration::from_secs(2);
/// How often what workers log is repeated, where that is wanted.
const ECHO_EVERY: Duration = Duration::from_millis(500);
/// How often the folder of a worker that is not our child is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Follows a job until it is done or failed.
pub(super) async fn follow(
    jobs: &Jobs,
    mut row: JobRow,
    mut stop: watch::Receiver<bool>,
    recovered: bool,
) -> anyhow::Result<()> {
    let folder = jobs.folder(&row.id);
    let mut order = match make_order(jobs, &row, &folder) {
        Ok(order) => order,
        Err(error) => {
            let note = format!("its secrets cannot be read: {error:#}");
            let outcome = Outcome {
                ending: Ending::Failed,
                note,
            };
            return end(jobs, &mut row, outcome).await;
        }
    };
    // Also for a worker of an earlier service that is still at it: its speech process went with that.
    if order.kind == JobType::Transcribing {
        jobs.inner.speech.ensure();
    }
    let mut parts = 0;
    let mut died = false;
    if row.phase == Phase::Finishing {
        // It was decided then that nobody goes on with the capture.
        order.task = Task::Finish;
    }
    if recovered {
        tokio::fs::create_dir_all(&folder).await?;
        wait_for_folder(&folder, &stop).await?;
        died = true;
    }
    loop {
        if let Some(outcome) = Outcome::read(&folder) {
            return end(jobs, &mut row, outcome).await;
        }
        if died && parts < MOST_PARTS && !*stop.borrow() && may_go_on(&order) {
            parts += 1;
            tracing::info!(
                job = row.id,
                parts,
                "another worker goes on with the capture"
            );
            jobs.inner.metrics.recoveries.inc();
        } else if died {
            if order.task == Task::Capture && is_cut_off(&order) {
                // People would see an ordinary stop.
                let why = match order.kind {
                    JobType::Recording => RECORDER_DIED,
                    JobType::Transcribing => TRANSCRIBER_DIED,
                };
                crate::worker::tell_cut_off(&order, why).await;
            }
            row.phase = Phase::Finishing;
            order.task = Task::Finish;
            if row.attempts > MAX_FINISHES {
                let note = format!("its worker died {} times; see its log", row.attempts);
                crate::worker::tell_failure(&order, &note).await;
                return end(
                    jobs,
                    &mut row,
                    Outcome {
                        ending: Ending::Failed,
                        note,
                    },
                )
                .await;
            }
            jobs.inner.metrics.recoveries.inc();
            if row.attempts > 1 {
                let doublings = u32::try_from(row.attempts - 2).unwrap_or(0).min(6);
                tokio::time::sleep(FIRST_PAUSE * 2u32.pow(doublings)).await;
            }
        }
        if order.task == Task::Finish || parts == 0 {
            row.attempts += 1;
        }
        keep(jobs, &row).await;
        let status = run_worker(jobs, &order, &mut stop).await?;
        if Outcome::read(&folder).is_none() {
            died = true;
            note_death(jobs, &order, status);
        }
    }
}

/// A worker that leaves its job to another, because the media host of its call is gone, ends in order.
fn note_death(jobs: &Jobs, order: &WorkerOrder, status: ExitStatus) {
    if status.success() {
        tracing::info!(job = order.id, "the worker leaves its job to another");
        return;
    }
    jobs.inner.metrics.worker_deaths.inc();
    tracing::warn!(job = order.id, %status, task = ?order.task, "the worker died");
}

/// Whether a capture was going on when its worker died: of one that was being finished what is there
/// still comes, and nobody need be told.
fn is_cut_off(order: &WorkerOrder) -> bool {
    let entries = journal::read(&order.folder);
    let begun = entries
        .iter()
        .any(|entry| matches!(entry, Entry::Zero { .. }));
    let over = entries
        .iter()
        .any(|entry| matches!(entry, Entry::Stopped { .. }));
    begun && !over
}

/// Whether a capture was cut off that another worker may go on with.
fn may_go_on(order: &WorkerOrder) -> bool {
    let is_let_in = match order.kind {
        JobType::Recording => {
            RecordingInput::parse(&order.input_data).is_ok_and(|input| input.may_go_on)
        }
        JobType::Transcribing => {
            TranscribingInput::parse(&order.input_data).is_ok_and(|input| input.may_go_on)
        }
    };
    order.task == Task::Capture && is_cut_off(order) && is_let_in
}

async fn end(jobs: &Jobs, row: &mut JobRow, outcome: Outcome) -> anyhow::Result<()> {
    let word = match outcome.ending {
        Ending::Done => "done",
        Ending::Failed => "failed",
        Ending::Parked => "parked",
    };
    row.phase = match outcome.ending {
        Ending::Done => Phase::Done,
        Ending::Failed => Phase::Failed,
        Ending::Parked => Phase::Parked,
    };
    row.stop_at = unix_ms();
    row.note = outcome.note;
    // The token has served, whatever the ending was: whoever hands in again brings another.
    row.sealed = Vec::new();
    jobs.inner
        .metrics
        .jobs_ended
        .with_label_values(&[word])
        .inc();
    if outcome.ending == Ending::Parked {
        tracing::warn!(
            job = row.id,
            note = row.note,
            folder = %jobs.folder(&row.id).display(),
            "a result is not handed in, and is kept: see `offloader jobs`"
        );
    } else {
        tracing::info!(job = row.id, outcome = word, note = row.note, "job ended");
    }
    // Kept before anything is removed: a crash in between leaves a folder that the sweep knows.
    keep(jobs, row).await;
    if row.phase == Phase::Done && jobs.inner.config.done_jobs_retention.is_none() {
        jobs.forget(&row.id).await?;
    }
    Ok(())
}

/// Keeps how a job stands, as soon as its disk lets that be done: a full one is no reason to give up what
/// was recorded, and whoever would finish it needs the same room.
async fn keep(jobs: &Jobs, row: &JobRow) {
    while let Err(error) = jobs.inner.store.update_job(row).await {
        let error = anyhow::Error::from(error);
        tracing::error!(job = row.id, "how a job stands is not kept yet: {error:#}");
        tokio::time::sleep(KEEP_AGAIN).await;
    }
}

/// Ends a job that cannot be followed: as failed, with the reason, which the call is told too.
pub(super) async fn give_up(jobs: &Jobs, mut row: JobRow, reason: String) {
    if let Ok(order) = make_order(jobs, &row, &jobs.folder(&row.id)) {
        crate::worker::tell_failure(&order, &reason).await;
    }
    let outcome = Outcome {
        ending: Ending::Failed,
        note: reason,
    };
    if let Err(error) = end(jobs, &mut row, outcome).await {
        tracing::error!(job = row.id, "end the job: {error:#}");
    }
}

fn make_order(jobs: &Jobs, row: &JobRow, folder: &std::path::Path) -> anyhow::Result<WorkerOrder> {
    let request: JobRequest = serde_json::from_str(&row.request).context("read the request")?;
    let secrets = jobs.inner.sealer.unseal(&row.id, &row.sealed)?;
    let secrets: Map<String, Value> = serde_json::from_slice(&secrets)?;
    let mut input_data = request.input_data;
    input_data.extend(secrets);
    Ok(WorkerOrder {
        task: Task::Capture,
        id: row.id.clone(),
        folder: folder.to_path_buf(),
        kind: JobType::parse(&request.kind).context("read the kind of job")?,
        max_duration_sec: request.max_duration_sec,
        input_data,
        speech: jobs.inner.speech.order(),
        text: jobs.inner.config.text.clone(),
        look: jobs.inner.config.look.clone(),
        archive: jobs.inner.config.archive_dir.clone(),
    })
}

/// Waits until no worker of an earlier service has the folder; such a one knows meanwhile that it is followed
/// again. Not while this service stops, for then nobody would follow.
async fn wait_for_folder(folder: &Path, stop: &watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut followed = None;
    let mut told = false;
    while FolderLock::take(folder)
        .context("look at the folder's lock")?
        .is_none()
    {
        if *stop.borrow() {
            followed = None;
        } else if followed.is_none() {
            match FolderLock::follow(folder) {
                Ok(lock) => followed = lock,
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(
                        folder = %folder.display(), %error,
                        "a worker cannot be told that it is followed: it stays where it is"
                    );
                }
                Err(_) => {}
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

async fn run_worker(
    jobs: &Jobs,
    order: &WorkerOrder,
    stop: &mut watch::Receiver<bool>,
) -> anyhow::Result<ExitStatus> {
    let mut echo = Echo::begin(&order.folder.join(WORKER_LOG));
    let (mut child, mut input) = start_worker(order, &jobs.inner.config.worker_command).await?;
    tracing::info!(job = order.id, pid = child.id(), task = ?order.task, "worker started");
    let mut timer = tokio::time::interval(ECHO_EVERY);
    let echoes = jobs.inner.config.output_logs;
    let mut told = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => {
                drop(input);
                break status;
            }
            _ = timer.tick(), if echoes => echo.repeat().await,
            changed = stop.changed(), if !told => {
                if changed.is_err() || *stop.borrow() {
                    // The worker may have ended meanwhile; then `wait` says so.
                    let _ = input.write_all(format!("{STOP_LINE}\n").as_bytes()).await;
                    let _ = input.flush().await;
                    told = true;
                }
            }
        }
    };
    if echoes {
        echo.repeat().await;
    }
    status.context("wait for the worker")
}

async fn start_worker(
    order: &WorkerOrder,
    command: &[String],
) -> anyhow::Result<(Child, ChildStdin)> {
    let (program, arguments) = worker_command(command)?;
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(order.folder.join(WORKER_LOG))
        .context("open the worker's log")?;
    let mut child = Command::new(&program)
        .args(arguments)
        .envs(FRUGAL)
        // A terminal's Ctrl-C is for the service: it says whether workers go on.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("start the worker `{}`", program.display()))?;
    let mut input = child.stdin.take().context("the worker has an input")?;
    let mut line = serde_json::to_string(order)?;
    line.push('\n');
    // A worker that dies before it read its order is noticed by `wait`.
    let _ = input.write_all(line.as_bytes()).await;
    let _ = input.flush().await;
    Ok((child, input))
}

fn worker_command(configured: &[String]) -> anyhow::Result<(PathBuf, Vec<String>)> {
    match configured.split_first() {
        Some((program, arguments)) => Ok((PathBuf::from(program), arguments.to_vec())),
        None => {
            let program = order::this_program().context("find this program")?;
            Ok((program, vec!["worker".to_owned()]))
        }
    }
}
