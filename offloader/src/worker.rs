//! The worker: one process for one job, from joining the call to handing in the result.
//!
//! In: an order on standard input. Out: files in the job's folder and an `Outcome`.
//! Stages: `live` (in the call) -> `results` (finish and hand in). A worker ordered to finish
//! begins with the second.
//! Invariant: it may die at any moment; the next one goes on from what is on disk.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use proto::calls::JobKind;
use proto::calls::bot::StatusReport;
use proto::id::{ChannelId, JobId};
use proto::offload::input::CallInput;
use proto::offload::{InputProblem, JobType, RecordingInput, TranscribingInput};
use serde::Deserialize;
use service::telemetry::{self, Log};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::sync::watch;

use crate::capture::journal::{self, Entry, Journal};
use crate::client::bot::BotApi;
use crate::client::{Coding, JoinOrder};
use crate::ffmpeg::PictureDecoder;
use crate::order::{Ending, FolderLock, Outcome, STOP_LINE, Task, WorkerOrder};

mod archive;
mod captions;
mod company;
mod film;
mod listening;
mod live;
mod names;
mod progress;
mod results;
pub(crate) mod state;
mod transcript;

use film::{FilmMaker, FilmOrder};

/// Said of a job that was stopped in the moment in which it began.
const NOTHING_RECORDED: &str = "it was stopped before anything was recorded";

/// How often whoever has lost its service looks whether another waits for the folder.
const FOLLOWED_AGAIN: Duration = Duration::from_millis(500);

/// Everything that stages share.
struct Job {
    order: WorkerOrder,
    call: CallInput,
    details: Details,
    bot: BotApi,
    /// Becomes true when the service asks to end the capture.
    stop: watch::Receiver<bool>,
    /// True while no service follows: it is gone, and none that came back waits for the folder yet.
    alone: watch::Receiver<bool>,
    /// Makes a recording's film while the call lasts.
    film: Option<FilmMaker>,
}

/// The first line of standard input.
#[derive(Deserialize)]
#[serde(untagged)]
enum Order {
    Job(Box<WorkerOrder>),
    Film(FilmOrder),
}

enum Details {
    Recording(RecordingInput),
    Transcribing(TranscribingInput),
}

impl Details {
    fn kind(&self) -> JobKind {
        match self {
            Self::Recording(_) => JobKind::Recording,
            Self::Transcribing(_) => JobKind::Transcribing,
        }
    }

    /// Whether the server lets another bot go on with the job.
    fn may_go_on(&self) -> bool {
        match self {
            Self::Recording(input) => input.may_go_on,
            Self::Transcribing(input) => input.may_go_on,
        }
    }

    /// Whether a failure may be told while the call lasts. A server that does not know of transcripts that
    /// fail alone would take one for a fault of the recording, and end that.
    fn may_fail(&self) -> bool {
        match self {
            Self::Recording(_) => true,
            Self::Transcribing(input) => input.may_fail_alone,
        }
    }
}

impl Job {
    fn kind(&self) -> JobKind {
        self.details.kind()
    }

    /// Whether a screen in AV1 can be shown in what comes of this job.
    fn takes_av1(&self) -> bool {
        let found = PictureDecoder::find(Coding::Av1);
        let is_recording = self.kind() == JobKind::Recording;
        if let Err(error) = found.as_ref()
            && is_recording
        {
            tracing::warn!("a screen that comes in AV1 alone will not be recorded: {error}");
        }
        is_recording && found.is_ok()
    }

    fn join_order(&self) -> anyhow::Result<JoinOrder> {
        Ok(JoinOrder {
            site_url: self.call.site_url.clone(),
            channel: ChannelId::parse(self.call.channel_id.as_str())?,
            job: JobId::parse(self.call.job_id.as_str())?,
            token: self.call.auth_token.clone(),
            patience: crate::client::PATIENCE,
            av1: self.takes_av1(),
            alone: self.alone.clone(),
        })
    }
}

/// Starts the log of a worker or of the speech process: standard error, which is the job's log or the
/// service's.
pub fn start_log() {
    let log = Log::on_stderr(tracing::Level::INFO, "OFFLOADER_WORKER_LEVEL");
    // Only whoever embeds this has set one up already, and then that one is right.
    let _ = log.and_then(|log| telemetry::start(&log));
}

/// Runs a worker to its end: the `worker` verb, and what the all-in-one binary calls for it.
/// Blocks; makes its own runtime.
#[must_use]
pub fn worker_main() -> ExitCode {
    start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let done = runtime.context("start the runtime").and_then(|runtime| {
        let done = runtime.block_on(run());
        // A reader of standard input may still be waiting for a line.
        runtime.shutdown_background();
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the worker cannot go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let line = lines
        .next_line()
        .await?
        .context("read the order from standard input")?;
    let order = match serde_json::from_str(&line).context("read the order")? {
        Order::Job(order) => *order,
        Order::Film(order) => {
            // A stop is the worker's to hear.
            tokio::spawn(hear_signals(Arc::default()));
            return film::run(order, lines).await;
        }
    };
    let folder = order.folder.clone();
    let lock = FolderLock::take(&folder).context("lock the job's folder")?;
    let Some(_lock) = lock else {
        anyhow::bail!("another worker has the folder `{}`", folder.display());
    };
    let Some(outcome) = work(order, lines).await? else {
        tracing::info!("another worker goes on with the job");
        return Ok(());
    };
    tracing::info!(ending = ?outcome.ending, note = outcome.note, "the job ended");
    outcome.write(&folder).context("write the outcome")
}

/// Returns no outcome where another worker is to go on.
async fn work(
    order: WorkerOrder,
    lines: Lines<BufReader<Stdin>>,
) -> anyhow::Result<Option<Outcome>> {
    let (call, details) = match parse(&order) {
        Ok(parsed) => parsed,
        Err(problems) => return Ok(Some(failed(describe(&problems)))),
    };
    if let Err(error) = crate::sites::check(&call.site_url, &[]) {
        return Ok(Some(failed(format!("input_data.site_url: {error}"))));
    }
    let channel = ChannelId::parse(call.channel_id.as_str())?;
    let bot = BotApi::new(&call.site_url, channel, call.auth_token.clone())?;
    let (stop_sender, stop) = watch::channel(false);
    let stop_sender = Arc::new(stop_sender);
    let (is_alone, alone) = watch::channel(false);
    tokio::spawn(listen(
        lines,
        stop_sender.clone(),
        is_alone,
        order.folder.clone(),
    ));
    tokio::spawn(hear_signals(stop_sender));
    let task = order.task;
    let mut job = Job {
        order,
        call,
        details,
        bot,
        stop,
        alone,
        film: None,
    };
    company::announce(&job.order.folder, job.kind(), &job.call)
        .context("say in the folder which call it is")?;
    if let Details::Transcribing(input) = &job.details
        && input.may_fail_alone
        && task == Task::Capture
        // Whoever goes on with a capture has something to hand in, whatever is missing now.
        && !journal::has_begun(&job.order.folder)
        && let Some(why) = listening::foreseen(&job.order.speech, input).await?
    {
        return Ok(Some(report_failure(&job, why).await));
    }
    match task {
        Task::Capture => match Box::pin(live::capture(&mut job)).await? {
            live::Captured::Something => {}
            live::Captured::PassedOn => return Ok(None),
            live::Captured::Nothing { why } => return Ok(Some(report_failure(&job, why).await)),
            live::Captured::NotWanted { why, is_awaited } => {
                if is_awaited {
                    results::tell_that_nothing_comes(&job, NOTHING_RECORDED).await;
                }
                return Ok(Some(results::done(&why)));
            }
        },
        Task::Finish => {
            let at_ms = crate::auth::unix_ms();
            Journal::open(&job.order.folder)?.record(&Entry::Recovered { at_ms })?;
        }
    }
    results::make_and_hand_in(&mut job).await.map(Some)
}

/// Hears the service. The end of the input means that the service is gone: the work goes on, alone until
/// a service is there that waits for the folder.
async fn listen(
    mut lines: Lines<BufReader<Stdin>>,
    stop: Arc<watch::Sender<bool>>,
    alone: watch::Sender<bool>,
    folder: PathBuf,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        if line.trim() == STOP_LINE {
            stop.send_replace(true);
        }
    }
    // Looked at for good: the end of these senders would look like another word of the service.
    loop {
        let looked_at = folder.clone();
        let look = tokio::task::spawn_blocking(move || FolderLock::is_followed(&looked_at));
        let followed = match look.await {
            Ok(Ok(followed)) => followed,
            Ok(Err(error)) => {
                tracing::debug!(%error, "whether a service waits for the folder is not known");
                false
            }
            Err(_) => false,
        };
        alone.send_if_modified(|alone| std::mem::replace(alone, !followed) == followed);
        tokio::time::sleep(FOLLOWED_AGAIN).await;
    }
}

/// A terminal's Ctrl-C and a service manager's stop reach workers too: the capture ends, the work
/// is finished.
async fn hear_signals(stop: Arc<watch::Sender<bool>>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("asked to stop");
        stop.send_replace(true);
    }
}

fn failed(note: impl Into<String>) -> Outcome {
    Outcome {
        ending: Ending::Failed,
        note: note.into(),
    }
}

/// Tells the messaging server that nothing will come, so that people need not wait for it.
async fn report_failure(job: &Job, why: String) -> Outcome {
    let report = StatusReport::lost(job.kind(), why.clone());
    tell(&job.bot, &job.call.job_id, &report).await;
    failed(why)
}

/// Tells the messaging server that the capture ends against the call's will. What there is still comes.
async fn report_cut_off(job: &Job, why: String) {
    if job.details.may_fail() {
        // Of a transcript people would think that there is none.
        let is_said = job.kind() == JobKind::Recording || why.contains("until now");
        let why = if is_said {
            why
        } else {
            format!("{why}: what was said until now will be posted")
        };
        let report = StatusReport::cut_off(job.kind(), why);
        tell(&job.bot, &job.call.job_id, &report).await;
    }
}

async fn tell(bot: &BotApi, job: &str, report: &StatusReport) {
    if let Err(error) = bot.status(job, report).await {
        tracing::warn!("report the failure: {:#}", anyhow::Error::from(error));
    }
}

/// As `report_failure`, by the service, for a job that no worker can be started for.
pub(crate) async fn tell_failure(order: &WorkerOrder, why: &str) {
    let report = |details: &Details| Some(StatusReport::lost(details.kind(), why));
    tell_for(order, report).await;
}

/// As `report_cut_off`, by the service, for a worker that died.
pub(crate) async fn tell_cut_off(order: &WorkerOrder, why: &str) {
    let report = |details: &Details| {
        let may_tell = details.may_fail();
        may_tell.then(|| StatusReport::cut_off(details.kind(), why))
    };
    tell_for(order, report).await;
}

async fn tell_for(order: &WorkerOrder, report: impl FnOnce(&Details) -> Option<StatusReport>) {
    // An input that cannot be read names nobody who could be told.
    let Ok((call, details)) = parse(order) else {
        return;
    };
    let Some(report) = report(&details) else {
        return;
    };
    let Ok(channel) = ChannelId::parse(call.channel_id.as_str()) else {
        return;
    };
    match BotApi::new(&call.site_url, channel, call.auth_token.clone()) {
        Ok(bot) => tell(&bot, &call.job_id, &report).await,
        Err(error) => tracing::warn!(%error, "report the failure"),
    }
}

fn parse(order: &WorkerOrder) -> Result<(CallInput, Details), Vec<InputProblem>> {
    match order.kind {
        JobType::Recording => RecordingInput::parse(&order.input_data)
            .map(|input| (input.call.clone(), Details::Recording(input))),
        JobType::Transcribing => TranscribingInput::parse(&order.input_data)
            .map(|input| (input.call.clone(), Details::Transcribing(input))),
    }
}

fn describe(problems: &[InputProblem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
