//! The worker after the call: finished files, handed in.
//!
//! In: the folder. Out: an outcome. Each step finds out by itself whether it is done already.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use proto::calls::bot::StatusReport;
use proto::offload::{RecordingInput, RecordingOutput, TranscribingInput};
use tokio::sync::watch;

use super::{Details, Job, archive, company, film, progress, report_failure, tell};
use crate::capture::journal::{Entry, Journal};
use crate::finish::plan::Plan;
use crate::finish::{self, Section, Sections};
use crate::order::{Ending, Outcome, SpeechOrder};
use crate::publish::{Pace, PublishError, Publisher};
use crate::speech::{
    Compaction, SpeechClient, SpeechConfig, SpeechError, Transcript, Voice, language,
};

/// The transcript's files in the folder.
const VTT: &str = "transcript.vtt";
const TXT: &str = "transcript.txt";
const SRT: &str = "transcript.srt";
const JSON: &str = "transcript.json";
/// Windows of speech that were recognised already, for a second try.
const WINDOWS: &str = "windows.jsonl";
/// The call's people and place are looked up this long, to be known to the model.
const PATIENCE: Duration = Duration::from_secs(5);

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
    if alone.wait_for(|alone| *alone).await.is_err() {
        // Whoever listened to the service is gone with this process.
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(span).await;
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
        Details::Transcribing(input) => transcribe(job, plan, input).await?,
    };
    Ok(match made {
        Made::HandedIn => done(""),
        Made::NothingToHandIn(note) => {
            // Who waits for the words is told that there are none. A server that does not know of
            // transcripts that fail alone would take it for a fault of the recording.
            if let Details::Transcribing(input) = &job.details
                && input.may_fail_alone
            {
                let report = StatusReport::lost(job.kind(), note.to_owned());
                tell(&job.bot, &job.call.job_id, &report).await;
            }
            done(note)
        }
        Made::Impossible(why) => report_failure(job, why).await,
        Made::Refused(error @ PublishError::Credentials(_)) => Outcome {
            ending: Ending::Parked,
            note: error.to_string(),
        },
        // Such as a film above the largest file. The folder stays, as of every failed job.
        Made::Refused(error) => {
            let why = format!("{error}; it is kept on the recording server for its operator");
            report_failure(job, why).await
        }
    })
}

pub(super) fn done(note: &str) -> Outcome {
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

async fn record(job: &mut Job, plan: Plan, input: &RecordingInput) -> anyhow::Result<Made> {
    let begun = job.film.take();
    let job = &*job;
    let folder = &job.order.folder;
    let file = format!("recording.{}", input.output.as_str());
    if !folder.join(&file).is_file() {
        let since = std::time::Instant::now();
        let copies = tokio::task::spawn_blocking({
            let (folder, plan) = (folder.clone(), plan.clone());
            let archive = archive::place(job, &plan);
            move || archive::keep(&folder, &plan, archive.as_deref())
        });
        let (progress, told) = progress::begin(job);
        let made = if input.output == RecordingOutput::Mp4 {
            let told = |percent| {
                progress.send_replace(percent);
            };
            film::make(job, begun, input, told).await
        } else {
            let (path, input) = (folder.join(&file), input.clone());
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
    let mut publisher = Publisher::open(&job.bot, folder, Pace::default())?;
    let done = publisher
        .recording(&job.call.job_id, &job.call.post_id, &file)
        .await;
    Ok(done.into())
}

async fn transcribe(job: &Job, plan: Plan, input: &TranscribingInput) -> anyhow::Result<Made> {
    let folder = &job.order.folder;
    let kept = Some(folder.join(WINDOWS));
    let speech = match speech_client(&job.order.speech, input, kept) {
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
    let prompt = prompt(job, &plan).await;
    let mut tracks = Vec::new();
    // Who leaves and comes back is heard as before.
    let mut voices: BTreeMap<String, Voice> = BTreeMap::new();
    for track in finish::voices(&plan) {
        let speaker = plan.name(&track.session);
        let voice = voices.entry(speaker.clone()).or_insert_with(|| Voice {
            prompt: prompt.clone(),
            ..Voice::default()
        });
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
            let heard = match speech.transcribe_more(&pcm, voice).await {
                Ok(heard) => heard,
                // The same window would be refused again: a model that is damaged or gone.
                Err(error @ SpeechError::Refused { .. }) => {
                    return Ok(Made::Impossible(format!("no transcript: {error}")));
                }
                Err(error) => return Err(error.into()),
            };
            tracks.push(heard.of_speaker(speaker.clone(), offset_ms));
        }
    }
    let model = speech.transcript_model().to_owned();
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
    write(folder, SRT, &transcript.to_srt())?;
    write(folder, JSON, &transcript.to_json(&model))?;
    let span = Duration::from_millis(u64::try_from(plan.span_ms).unwrap_or(0));
    company::wait_for_recording(folder, &job.call, span).await;
    archive::complete(job, transcript.utterances().to_vec()).await;
    let mut publisher = Publisher::open(&job.bot, folder, Pace::default())?;
    let (id, post) = (&job.call.job_id, &job.call.post_id);
    let files: &[&str] = if input.further_formats {
        &[VTT, TXT, SRT, JSON]
    } else {
        &[VTT, TXT]
    };
    let done = publisher
        .transcript(id, post, transcript.language(), files)
        .await;
    Ok(done.into())
}

/// Names that may be said: the channel's and the people's, as a text that could come before.
async fn prompt(job: &Job, plan: &Plan) -> String {
    let sessions = finish::voices(plan).map(|track| plan.name(&track.session));
    let people: BTreeSet<_> = sessions.filter(|name| !name.is_empty()).collect();
    let people = people.into_iter().collect::<Vec<_>>().join(", ");
    let file = tokio::time::timeout(PATIENCE, job.bot.filename()).await;
    let file = file.ok().and_then(Result::ok).unwrap_or_default();
    let channel = channel_of(&file);
    let sentences = [channel.as_str(), people.as_str()];
    let sentences = sentences.iter().filter(|words| !words.is_empty());
    sentences
        .map(|words| format!("{words}."))
        .collect::<Vec<_>>()
        .join(" ")
}

/// `Town_Square` out of `Call_Town_Square_2026-11-28_22-30-00`.
fn channel_of(file: &str) -> String {
    let parts: Vec<_> = file.split('_').collect();
    match parts.as_slice() {
        ["Call", name @ .., _day, _time] => name.join(" "),
        _ => String::new(),
    }
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let part = folder.join(format!("{name}.part"));
    std::fs::write(&part, text).with_context(|| format!("write {name}"))?;
    Ok(finish::keep(&part, &folder.join(name))?)
}

/// Opens the way to the node's speech process. The operator's model wins over the job's size. `kept`
/// is where finished windows of a transcript are kept.
pub(super) fn speech_client(
    order: &SpeechOrder,
    input: &TranscribingInput,
    kept: Option<PathBuf>,
) -> Result<SpeechClient, SpeechError> {
    let dir = &order.models_dir;
    let mut config = SpeechConfig::new(Vec::new(), dir.clone());
    config.socket = Some(order.socket.clone());
    config.kept = kept;
    let wanted = if order.model.is_empty() {
        &input.model_size
    } else {
        &order.model
    };
    config.transcript_model = choose_model(dir, &[wanted, "base"]);
    config.multilingual_model = multilingual(dir, wanted);
    let english = language::code(&input.captions_language).is_none_or(|code| code == "en");
    config.caption_model = match &config.multilingual_model {
        Some(model) if !english => model.clone(),
        // The small model is quick enough for captions, but knows English only.
        Some(_) | None => choose_model(dir, &["tiny.en", wanted, "base"]),
    };
    SpeechClient::start(config)
}

/// Why there will be no transcript, as far as that can be known before the call.
pub(super) async fn foreseen(
    order: &SpeechOrder,
    input: &TranscribingInput,
) -> anyhow::Result<Option<String>> {
    let speech = match speech_client(order, input, None) {
        Ok(speech) => speech,
        Err(error) => return Ok(Some(format!("no transcript: {error}"))),
    };
    let model = crate::models::installed(&order.models_dir, speech.transcript_model());
    let checked = tokio::task::spawn_blocking(move || {
        let path = model.context("the model went away")?;
        Ok::<_, anyhow::Error>(crate::models::check_installed(&path)?)
    });
    let damage = checked.await?.err();
    Ok(damage.map(|error| format!("no transcript: {error:#}")))
}

/// The first model that is there; else the one to ask for. Models of many languages go before their
/// English forms.
fn choose_model(dir: &Path, wanted: &[&str]) -> String {
    let plain = wanted.iter().map(|name| (*name).to_owned());
    let named = wanted.iter().map(|name| format!("ggml-{name}.bin"));
    let english = wanted.iter().map(|name| format!("{name}.en"));
    plain
        .chain(named)
        .chain(english)
        .chain(["tiny.en".to_owned()])
        .find(|name| crate::models::installed(dir, name).is_some())
        .unwrap_or_else(|| wanted.first().map_or("base", |name| *name).to_owned())
}

/// A model that knows many languages: the one that is wanted, else the smallest that is there.
fn multilingual(dir: &Path, wanted: &str) -> Option<String> {
    let names = [
        wanted,
        "base",
        "tiny",
        "small",
        "medium",
        "large-v3-turbo",
        "large-v3",
    ];
    let known = names
        .into_iter()
        .find(|name| crate::models::is_multilingual(dir, name));
    known.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files that begin like models.
    fn models(files: &[(&str, u32)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (file, vocabulary) in files {
            let start = [weights::FIRST_BYTES.as_slice(), &vocabulary.to_le_bytes()].concat();
            std::fs::write(dir.path().join(file), start).unwrap();
        }
        dir
    }

    #[test]
    fn many_languages_go_before_one_where_nobody_asked_for_one() {
        let both = models(&[
            ("ggml-base-q8_0.bin", 51_865),
            ("ggml-tiny.en-q8_0.bin", 51_864),
        ]);
        assert_eq!(choose_model(both.path(), &["tiny", "base"]), "base");
        assert_eq!(choose_model(both.path(), &["tiny.en", "base"]), "tiny.en");
        assert_eq!(
            multilingual(both.path(), "tiny.en").as_deref(),
            Some("base")
        );

        let english = models(&[("ggml-tiny.en-q8_0.bin", 51_864)]);
        assert_eq!(choose_model(english.path(), &["base", "base"]), "tiny.en");
        assert_eq!(multilingual(english.path(), "base"), None);
        let none = models(&[]);
        assert_eq!(choose_model(none.path(), &["small", "base"]), "small");
    }

    #[test]
    fn a_channel_is_read_out_of_a_file_name() {
        assert_eq!(
            channel_of("Call_Town_Square_2026-11-28_22-30-00"),
            "Town Square"
        );
        assert_eq!(channel_of("Call"), "");
    }
}
