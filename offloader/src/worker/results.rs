//! The worker after the call: finished files, handed in.
//!
//! In: the folder. Out: an outcome. Each step finds out by itself whether it is done already.

use std::time::Duration;

use anyhow::Context;
use proto::calls::JobKind;
use proto::calls::bot::StatusReport;
use proto::offload::{RecordingInput, RecordingOutput};
use tokio::sync::watch;

use super::{Details, Job, archive, film, progress, report_failure, tell, transcript};
use crate::capture::journal::{Entry, Journal};
use crate::finish::manifest::{self, Manifest};
use crate::finish::plan::Plan;
use crate::finish::unseen;
use crate::order::{Ending, Outcome};
use crate::publish::{Pace, PublishError, Publisher};

/// Whoever has no service any more hands in for so long: a service that comes back takes the job up, and
/// until then nobody would see that it is still tried.
const ALONE_FOR: Duration = Duration::from_secs(600);

/// Makes what is missing and hands it in.
///
/// # Errors
/// Also when the service has been gone for long: the next one goes on.
pub(super) async fn make_and_hand_in(job: &mut Job) -> anyhow::Result<Outcome> {
    let mut alone = job.alone.clone();
    tokio::select! {
        outcome = finish_and_hand_in(job) => outcome,
        () = alone_for(&mut alone, ALONE_FOR) => {
            anyhow::bail!("the service is gone, and the result is not handed in yet: the next service does it")
        }
    }
}

async fn alone_for(alone: &mut watch::Receiver<bool>, span: Duration) {
    loop {
        if alone.wait_for(|alone| *alone).await.is_err() {
            // Whoever listened to the service is gone with this process.
            std::future::pending::<()>().await;
        }
        let is_back = alone.wait_for(|alone| !*alone);
        if tokio::time::timeout(span, is_back).await.is_err() {
            return;
        }
    }
}

async fn finish_and_hand_in(job: &mut Job) -> anyhow::Result<Outcome> {
    let folder = job.order.folder.clone();
    let plan = tokio::task::spawn_blocking(move || Plan::read(&folder)).await?;
    let Some(plan) = plan else {
        let why = "the worker died before the capture began".to_owned();
        return Ok(report_failure(job, why).await);
    };
    tracing::info!(span_ms = plan.span_ms, tracks = plan.tracks.len(), "finish");
    let made = match &job.details {
        Details::Recording(input) => {
            let input = input.clone();
            record(job, plan, &input).await?
        }
        Details::Transcribing(input) => transcript::make(job, plan, input).await?,
    };
    Ok(match made {
        Made::HandedIn(note) => done(&note),
        Made::NothingToHandIn(note) => {
            if matches!(job.details, Details::Transcribing(_)) {
                tell_that_nothing_comes(job, note).await;
            }
            done(note)
        }
        Made::Impossible(why) => report_failure(job, why).await,
        Made::Refused(error @ PublishError::Credentials(_)) => Outcome {
            ending: Ending::Parked,
            note: error.to_string(),
        },
        // Such as a film above the largest file.
        Made::Refused(error) => {
            let why = format!("{error}; it is kept on the recording server for its operator");
            Outcome {
                ending: Ending::Parked,
                ..report_failure(job, why).await
            }
        }
    })
}

/// Who waits for a result is told that there is none.
pub(super) async fn tell_that_nothing_comes(job: &Job, why: &str) {
    if job.details.may_fail() {
        let report = StatusReport::lost(job.kind(), why);
        tell(&job.bot, &job.call.job_id, &report).await;
    }
}

pub(super) fn done(note: &str) -> Outcome {
    Outcome {
        ending: Ending::Done,
        note: note.to_owned(),
    }
}

/// What became of the result.
pub(super) enum Made {
    /// With what is missing in it; empty when all is well.
    HandedIn(String),
    /// The job is done all the same.
    NothingToHandIn(&'static str),
    /// It cannot be made here; what was captured is kept.
    Impossible(String),
    /// It is made, and the messaging server does not take it.
    Refused(PublishError),
}

impl From<Result<(), PublishError>> for Made {
    fn from(published: Result<(), PublishError>) -> Self {
        published.map_or_else(Self::Refused, |()| Self::HandedIn(String::new()))
    }
}

async fn record(job: &mut Job, plan: Plan, input: &RecordingInput) -> anyhow::Result<Made> {
    let begun = job.film.take();
    let job = &*job;
    let folder = &job.order.folder;
    let unseen = unseen::note(&plan);
    let file = format!("recording.{}", input.output.as_str());
    let archive = archive::place(job, &plan);
    if !folder.join(&file).is_file() {
        let since = std::time::Instant::now();
        let copies = tokio::task::spawn_blocking({
            let (folder, plan, archive) = (folder.clone(), plan.clone(), archive.clone());
            move || archive::keep(&folder, &plan, archive.as_deref())
        });
        let (progress, told) = progress::begin(job);
        let made = if input.output == RecordingOutput::Mp4 {
            let told = |percent| {
                progress.send_replace(percent);
            };
            film::make(job, begun, input, told).await
        } else {
            let (path, input, plan) = (folder.join(&file), input.clone(), plan.clone());
            tokio::task::spawn_blocking(move || archive::make_other(&plan, &input, &path)).await?
        };
        told.abort();
        made.context("make the recording")?;
        copies.await?.context("keep what was sent")?;
        let took_ms = since.elapsed().as_millis();
        tracing::info!(took_ms, "the recording is made");
        let file = file.clone();
        Journal::open(folder)?.record(&Entry::Made { file })?;
    }
    // Also of one that a worker before had finished.
    if !folder.join(manifest::NAME).is_file() {
        let described = tokio::task::spawn_blocking({
            let (folder, file, archive) = (folder.clone(), file.clone(), archive.clone());
            let call = job.call.clone();
            move || {
                let manifest = Manifest::of(&plan, JobKind::Recording.as_str(), &call);
                archive::describe(&manifest, &folder, &file, archive.as_deref())
            }
        });
        described.await?.context("say what was kept")?;
    }
    let mut publisher = Publisher::open(&job.bot, folder, Pace::default())?;
    let done = publisher
        .recording(&job.call.job_id, &job.call.post_id, &file)
        .await;
    Ok(match (Made::from(done), unseen) {
        (Made::HandedIn(_), Some(unseen)) => Made::HandedIn(unseen),
        (made, _) => made,
    })
}
