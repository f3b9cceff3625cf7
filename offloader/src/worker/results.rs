//! The worker after the call: finished files, handed in.
//!
//! In: the folder. Out: an outcome. Each step finds out by itself whether it is done already.

use std::path::Path;

use anyhow::Context;
use proto::offload::{RecordingInput, TranscribingInput};

use super::{Details, Job, failed, report_failure};
use crate::capture::journal::{Entry, Journal};
use crate::finish::plan::Plan;
use crate::finish::{self, Section, Sections};
use crate::order::{Ending, Outcome, SpeechOrder};
use crate::publish::{Pace, PublishError, Publisher};
use crate::speech::{Compaction, SpeechClient, SpeechConfig, SpeechError, Transcript};

/// The transcript's files in the folder.
const VTT: &str = "transcript.vtt";
const TXT: &str = "transcript.txt";

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
        Details::Transcribing(input) => transcribe(job, plan, input).await?,
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
enum Made {
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

async fn transcribe(job: &Job, plan: Plan, input: &TranscribingInput) -> anyhow::Result<Made> {
    let folder = &job.order.folder;
    let speech = match speech_client(&job.order.speech, input) {
        Ok(speech) => speech,
        Err(error) => {
            let note = format!("no transcript: {error}");
            tracing::warn!(note, "the sound is kept");
            tokio::task::spawn_blocking({
                let folder = folder.clone();
                move || finish::make_voices(&folder, &plan)
            })
            .await??;
            return Ok(Made::Impossible(note));
        }
    };
    let mut tracks = Vec::new();
    for track in finish::voices(&plan) {
        let speaker = plan.name(&track.session);
        let mut language = None;
        let mut sections = Sections::open(track)?;
        loop {
            let (section, rest) = tokio::task::spawn_blocking(move || {
                let section = sections.next();
                (section, sections)
            })
            .await?;
            sections = rest;
            let Some(Section { offset_ms, pcm }) = section else {
                break;
            };
            let heard = match speech.transcribe(pcm, language.clone()).await {
                Ok(heard) => heard,
                // The same window would be refused again: a model that is damaged or gone.
                Err(error @ SpeechError::Refused { .. }) => {
                    return Ok(Made::Impossible(format!("no transcript: {error}")));
                }
                Err(error) => return Err(error.into()),
            };
            language = heard.language.clone().or(language);
            tracks.push(heard.of_speaker(speaker.clone(), offset_ms));
        }
    }
    speech.stop();
    let transcript = Transcript::merge(tracks);
    if transcript.is_empty() {
        return Ok(Made::NothingToHandIn("nobody said anything"));
    }
    let rules = Compaction {
        silence_threshold_ms: u64::from(input.silence_threshold_ms),
        max_segment_duration_ms: u64::from(input.max_segment_ms),
    };
    write(folder, VTT, &transcript.to_vtt(input.omit_speaker))?;
    write(folder, TXT, &transcript.to_txt(rules))?;
    let mut publisher = Publisher::open(&job.bot, folder, Pace::default())?;
    let (id, post) = (&job.call.job_id, &job.call.post_id);
    let done = publisher
        .transcript(id, post, transcript.language(), (VTT, TXT))
        .await;
    Ok(done.into())
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let part = folder.join(format!("{name}.part"));
    std::fs::write(&part, text).with_context(|| format!("write {name}"))?;
    Ok(finish::keep(&part, &folder.join(name))?)
}

/// Opens the way to the node's speech process. The operator's model wins over the job's size.
pub(super) fn speech_client(
    order: &SpeechOrder,
    input: &TranscribingInput,
) -> Result<SpeechClient, SpeechError> {
    let mut config = SpeechConfig::new(Vec::new(), order.models_dir.clone());
    config.socket = Some(order.socket.clone());
    let wanted = if order.model.is_empty() {
        &input.model_size
    } else {
        &order.model
    };
    config.transcript_model = choose_model(&order.models_dir, &[wanted, "base"]);
    // The small model is quick enough for captions, but knows English only.
    let quick = if input.captions_language.starts_with("en") {
        "tiny.en"
    } else {
        "base"
    };
    config.caption_model = choose_model(&order.models_dir, &[quick, wanted, "base"]);
    SpeechClient::start(config)
}

/// The first model that is there, in its English form if need be; else the one to ask for.
fn choose_model(dir: &Path, wanted: &[&str]) -> String {
    wanted
        .iter()
        .flat_map(|name| {
            [
                (*name).to_owned(),
                format!("{name}.en"),
                format!("ggml-{name}.bin"),
            ]
        })
        .find(|name| crate::models::installed(dir, name).is_some())
        .unwrap_or_else(|| "tiny.en".to_owned())
}
