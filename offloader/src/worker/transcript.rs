//! A transcript: every voice heard, written down, translated, summed up, handed in.
//!
//! In: a finished capture. Out: files in the folder, then in the call's thread.
//! Not here: which models (`listening`), who translates (`text`).
//! Invariant: what was said is handed in whatever becomes of translations and summaries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use proto::calls::JobKind;
use proto::calls::bot::CallSummary;
use proto::offload::TranscribingInput;

use super::results::Made;
use super::{Job, archive, company, listening};
use crate::finish::gaps::Gap;
use crate::finish::manifest::{self, Manifest};
use crate::finish::plan::Plan;
use crate::finish::{self, Section, Sections};
use crate::publish::{Pace, Publisher, Version};
use crate::speech::{
    Compaction, Missing, SpeechClient, SpeechError, TrackTranscript, Transcript, Voice, language,
};
use crate::text::{self, Endpoint};

/// The transcript's files in the folder are called so, with their kinds behind.
const NAME: &str = "transcript";
/// Windows of speech that were recognised already, for a second try.
const WINDOWS: &str = "windows.jsonl";
/// The summary of an earlier try.
const SUMMARY: &str = "summary.json";
/// The call's people and place are looked up this long, to be known to the model.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn make(job: &Job, plan: Plan, input: &TranscribingInput) -> anyhow::Result<Made> {
    let folder = &job.order.folder;
    let kept = Some(folder.join(WINDOWS));
    let speech = match listening::speech_client(&job.order.speech, input, kept) {
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
    let plan = Arc::new(plan);
    let prompt = prompt(job, &plan).await;
    let missing: Vec<_> = plan.gaps.iter().map(missing).collect();
    let said = match hear(&speech, &plan, &prompt, false).await? {
        Ok(tracks) => Transcript::merge(tracks).without(missing.clone()),
        Err(why) => return Ok(Made::Impossible(why)),
    };
    let model = speech.transcript_model().to_owned();
    if said.is_empty() {
        return Ok(Made::NothingToHandIn("nobody said anything"));
    }
    let mut files = Files::of(folder, input);
    let summary = summary(job, &said).await;
    let above = summary.as_ref().filter(|_| !input.takes_summary);
    files.write(&said, None, above)?;
    files.write_further(&said, &model)?;
    for to in wanted(job, input, &said) {
        // An upload that broke off goes on with the same bytes; a machine finds other words each time.
        if files.add_if_there(&to) {
            continue;
        }
        match in_language(job, &speech, &plan, &prompt, &said, &to).await {
            Ok(translated) => files.write(&translated.without(missing.clone()), Some(&to), None)?,
            Err(error) => tracing::warn!(to, "no translation: {error:#}"),
        }
    }
    speech.stop();
    let manifest = Manifest::of(&plan, JobKind::Transcribing.as_str(), &job.call);
    let written = files.versions.iter().flat_map(|version| &version.files);
    let written: Vec<_> = written.map(|file| folder.join(file)).collect();
    let path = folder.join(manifest::NAME);
    tokio::task::spawn_blocking(move || manifest.heard_by(&model).write(&path, &written))
        .await?
        .context("say what was kept")?;
    let span = Duration::from_millis(u64::try_from(plan.span_ms).unwrap_or(0));
    company::wait_for_recording(folder, &job.call, span).await;
    archive::complete(job, said.utterances().to_vec()).await;
    let mut publisher = Publisher::open(&job.bot, folder, Pace::default())?;
    let (id, post) = (&job.call.job_id, &job.call.post_id);
    let posted = summary.filter(|_| input.takes_summary);
    let done = publisher
        .transcript(id, post, &files.versions, posted)
        .await;
    Ok(done.into())
}

fn missing(gap: &Gap) -> Missing {
    let ms = |ms: i64| u64::try_from(ms).unwrap_or(0);
    Missing {
        start_ms: ms(gap.from_ms),
        end_ms: gap.until_ms.map(ms),
        why: gap.why.clone(),
    }
}

/// Every voice, one after the other; or why there will be no transcript.
async fn hear(
    speech: &SpeechClient,
    plan: &Plan,
    prompt: &str,
    translate: bool,
) -> anyhow::Result<Result<Vec<TrackTranscript>, String>> {
    let mut tracks = Vec::new();
    // Who leaves and comes back is heard as before.
    let mut voices: BTreeMap<String, Voice> = BTreeMap::new();
    for track in finish::voices(plan) {
        let speaker = plan.name(&track.session);
        let voice = voices.entry(speaker.clone()).or_insert_with(|| Voice {
            prompt: prompt.to_owned(),
            translate,
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
                    return Ok(Err(format!("no transcript: {error}")));
                }
                Err(error) => return Err(error.into()),
            };
            tracks.push(heard.of_speaker(speaker.clone(), offset_ms));
        }
    }
    Ok(Ok(tracks))
}

/// The files of a transcript, written so far.
struct Files<'a> {
    folder: &'a Path,
    input: &'a TranscribingInput,
    versions: Vec<Version>,
}

impl<'a> Files<'a> {
    fn of(folder: &'a Path, input: &'a TranscribingInput) -> Self {
        Self {
            folder,
            input,
            versions: Vec::new(),
        }
    }

    /// The two that every server takes; `language` of a translation.
    fn write(
        &mut self,
        said: &Transcript,
        language: Option<&str>,
        summary: Option<&CallSummary>,
    ) -> anyhow::Result<()> {
        let rules = Compaction {
            silence_threshold_ms: u64::from(self.input.silence_threshold_ms),
            max_segment_duration_ms: u64::from(self.input.max_segment_ms),
        };
        let name = language.map_or(NAME.to_owned(), |code| format!("{NAME}.{code}"));
        let files = [format!("{name}.vtt"), format!("{name}.txt")];
        let [vtt, txt] = &files;
        let text = said.to_txt(rules);
        let text = match summary {
            Some(summary) => format!("{}\n\n{text}", above(summary)),
            None => text,
        };
        write(self.folder, vtt, &said.to_vtt(self.input.omit_speaker))?;
        write(self.folder, txt, &text)?;
        self.versions.push(Version {
            language: language.unwrap_or(said.language()).to_owned(),
            files: files.into(),
        });
        Ok(())
    }

    /// A translation of an earlier try.
    fn add_if_there(&mut self, language: &str) -> bool {
        let files = ["vtt", "txt"].map(|kind| format!("{NAME}.{language}.{kind}"));
        let there = files.iter().all(|file| self.folder.join(file).is_file());
        if there {
            self.versions.push(Version {
                language: language.to_owned(),
                files: files.into(),
            });
        }
        there
    }

    /// Others, handed in with the first two where they are wanted.
    fn write_further(&mut self, said: &Transcript, model: &str) -> anyhow::Result<()> {
        for (kind, text) in [("srt", said.to_srt()), ("json", said.to_json(model))] {
            let name = format!("{NAME}.{kind}");
            write(self.folder, &name, &text)?;
            if let Some(first) = self.versions.first_mut()
                && self.input.further_formats
            {
                first.files.push(name);
            }
        }
        Ok(())
    }
}

/// A summary where a transcript has to carry it, because its messaging server has no place for it.
fn above(summary: &CallSummary) -> String {
    let text = summary.text.trim();
    format!("Summary, written by a machine\n\n{text}\n\n----------")
}

/// Languages to translate into, without the one that everything is in already.
fn wanted(job: &Job, input: &TranscribingInput, said: &Transcript) -> Vec<String> {
    let asked = &input.further_languages;
    let codes = job.order.text.transcript_languages.iter().chain(asked);
    let codes: BTreeSet<_> = codes.filter_map(|code| language::code(code)).collect();
    let there = |code: &String| said.languages() == std::slice::from_ref(code);
    codes.into_iter().filter(|code| !there(code)).collect()
}

/// What was said, in another language: English by the speech model, which hears it again, others by
/// whoever translates here.
async fn in_language(
    job: &Job,
    speech: &SpeechClient,
    plan: &Plan,
    prompt: &str,
    said: &Transcript,
    to: &str,
) -> anyhow::Result<Transcript> {
    if to == "en" && speech.can_translate() {
        let heard = hear(speech, plan, prompt, true).await?;
        return Ok(Transcript::merge(heard.map_err(anyhow::Error::msg)?));
    }
    let translators = text::translators(&job.order.text).await?;
    Ok(text::translate(&translators, said, to).await?)
}

async fn summary(job: &Job, said: &Transcript) -> Option<CallSummary> {
    let order = &job.order.text;
    let endpoint = order.endpoint.as_ref().filter(|_| order.summaries)?;
    let path = job.order.folder.join(SUMMARY);
    let earlier = std::fs::read(&path).ok();
    if let Some(earlier) = earlier.and_then(|text| serde_json::from_slice(&text).ok()) {
        return Some(earlier);
    }
    let summary = async {
        let endpoint = Endpoint::new(endpoint)?;
        let Some(summary) = text::summarise(&endpoint, said).await? else {
            return Ok(None);
        };
        let summary = CallSummary {
            language: summary.language,
            text: summary.text,
        };
        let text = serde_json::json!({ "language": summary.language, "text": summary.text });
        write(&job.order.folder, SUMMARY, &text.to_string())?;
        anyhow::Ok(Some(summary))
    };
    summary.await.unwrap_or_else(|error| {
        tracing::warn!("no summary: {error:#}");
        None
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_read_out_of_a_file_name() {
        assert_eq!(
            channel_of("Call_Town_Square_2026-11-28_22-30-00"),
            "Town Square"
        );
        assert_eq!(channel_of("Call"), "");
    }
}
