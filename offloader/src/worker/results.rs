//! The worker after the call: finished files, handed in.
//!
//! In: the folder. Out: an outcome. Each step finds out by itself whether it is done already.

use anyhow::Context;
use proto::offload::RecordingInput;

use super::{Details, Job, failed, report_failure, transcript};
use crate::capture::journal::{Entry, Journal};
use crate::finish;
use crate::finish::plan::Plan;
use crate::order::{Ending, Outcome};
use crate::publish::{Pace, PublishError, Publisher};

/// Makes what is missing and hands it in.
pub(super) async fn make_and_hand_in(job: &Job) -> anyhow::Result<Outcome> {
    let folder = job.order.folder.clone();
    let plan = tokio::task::spawn_blocking(move || Plan::read(&folder)).await?;
    let Some(plan) = plan else {
        let why = "the worker died before the capture began".to_owned();
        return Ok(report_failure(job, why).await);
    };
    tracing::info!(span_ms = plan.span_ms, tracks = plan.tracks.len(), "finish");
    let made = match &job.details {
        Details::Recording(input) => record(job, plan, input.clone()).await?,
        Details::Transcribing(input) => transcript::make(job, plan, input).await?,
    };
    Ok(match made {
        Made::HandedIn => done(""),
        Made::NothingToHandIn(note) => done(note),
        Made::Impossible(why) => report_failure(job, why).await,
        Made::Refused(error @ PublishError::Credentials(_)) => Outcome {
            ending: Ending::Parked,
            note: error.to_string(),
        },
        Made::Refused(error) => failed(format!("{:#}", anyhow::Error::from(error))),
    })
}

fn done(note: &str) -> Outcome {
    Outcome {
        ending: Ending::Done,
        note: note.to_owned(),
    }
}

/// What became of the result.
pub(super) enum Made {
    HandedIn,
    /// The job is done all the same.
    NothingToHandIn(&'static str),
    /// It cannot be made here; what was captured is kept.
    Impossible(String),
    /// It is made, and the messaging server does not take it.
    Refused(PublishError),
}

impl From<Result<(), PublishError>> for Made {
    fn from(published: Result<(), PublishError>) -> Self {
        published.map_or_else(Self::Refused, |()| Self::HandedIn)
    }
}

async fn record(job: &Job, plan: Plan, input: RecordingInput) -> anyhow::Result<Made> {
    let (folder, look) = (job.order.folder.clone(), job.order.look.clone());
    if !folder.join(finish::MOVIE).is_file() {
        let begun = std::time::Instant::now();
        tokio::task::spawn_blocking(move || {
            finish::make_voices(&folder, &plan)?;
            finish::make_movie(&folder, &plan, &input, &look)
        })
        .await?
        .context("make the recording")?;
        let took_ms = begun.elapsed().as_millis();
        tracing::info!(took_ms, "the recording is made");
        let entry = Entry::Made {
            file: finish::MOVIE.to_owned(),
        };
        Journal::open(&job.order.folder)?.record(&entry)?;
    }
    let mut publisher = Publisher::open(&job.bot, &job.order.folder, Pace::default())?;
    let done = publisher
        .recording(&job.call.job_id, &job.call.post_id, finish::MOVIE)
        .await;
    Ok(done.into())
}
