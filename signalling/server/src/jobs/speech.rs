//! What the job service says of speech, so that people are told before they rely on it.
//!
//! In: answers of `GET /version`. Out: what was heard last: for `/config`, for a recording that is
//! about to start, and whether the service is ours.
//! A service that has no word of speech (the reference's) has no problem that we know of.
//! Invariant: what was heard is kept until something else is heard.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::offload::{Languages, SpeechAbility, VersionReply};

use super::{JobService, accepted, words};

/// How old an answer may be when somebody is about to rely on it. Longer: a model that was just
/// pulled, or lost, is not known yet.
const FRESH: Duration = Duration::from_secs(5);
/// How long the service may take: it may read its models anew.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What can be expected of speech.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Speech {
    /// Why there will be neither transcripts nor captions; empty when all is well, or not known.
    pub(crate) problem: String,
    /// What can be transcribed, as `/config` tells it.
    pub(crate) languages: Vec<String>,
    /// The service is of ours, and takes what only ours takes.
    is_ours: bool,
}

/// What was heard last, and when.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<(Speech, Option<Instant>)>);

impl Heard {
    fn speech(&self) -> Speech {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.0.clone()
    }

    fn is_fresh(&self) -> bool {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.1.is_some_and(|at| at.elapsed() < FRESH)
    }

    /// Returns what was known before.
    fn keep(&self, speech: Speech) -> Speech {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.1 = Some(Instant::now());
        std::mem::replace(&mut heard.0, speech)
    }
}

impl JobService {
    /// What was heard last of speech.
    pub(super) fn speech(&self) -> Speech {
        self.heard.speech()
    }

    /// Whether it would transcribe, and cannot.
    pub(super) fn is_deaf(&self) -> bool {
        self.asks.transcribing.enabled && !self.speech().problem.is_empty()
    }

    /// Whether it has ever said what it can do.
    pub(super) fn is_known(&self) -> bool {
        let heard = self.heard.0.lock();
        heard.unwrap_or_else(PoisonError::into_inner).1.is_some()
    }

    /// Whether the service takes inputs that only ours knows.
    pub(super) fn is_ours(&self) -> bool {
        self.heard.speech().is_ours
    }

    /// Asks unless it was asked just now, and returns what is known then.
    pub(super) async fn fresh_speech(&self) -> Speech {
        if !self.heard.is_fresh()
            && let Err(reason) = self.ask_speech().await
        {
            tracing::debug!(
                reason,
                "what the job service can do with speech is not known"
            );
        }
        self.speech()
    }

    /// # Errors
    /// Why the service did not say, in words.
    async fn ask_speech(&self) -> Result<(), String> {
        let asked = self.http.get(self.address("/version"));
        let answer = asked.timeout(ANSWER_LIMIT).send().await;
        self.note_answer(answer.is_ok());
        let answer = accepted(answer.map_err(|error| words(&error))?).await?;
        let version: VersionReply = answer.json().await.map_err(|error| words(&error))?;
        let speech = version.speech.map(read).unwrap_or_default();
        let problem = speech.problem.clone();
        let before = self.heard.keep(speech);
        if self.asks.transcribing.enabled && before.problem != problem {
            if problem.is_empty() {
                tracing::info!("the job service can transcribe");
            } else {
                tracing::warn!(problem, "recordings will have no transcripts");
            }
        }
        Ok(())
    }
}

fn read(ability: SpeechAbility) -> Speech {
    let whole = ability.models.iter().filter(|model| !model.damaged);
    let languages: BTreeSet<&str> = whole
        .map(|model| match model.languages {
            Languages::English => "en",
            Languages::Many => "*",
        })
        .collect();
    let problem = ability.problem.unwrap_or_default();
    Speech {
        // Nothing is understood without voice activity detection, whatever models there are.
        languages: if problem.is_empty() {
            languages.into_iter().rev().map(str::to_owned).collect()
        } else {
            Vec::new()
        },
        problem,
        is_ours: true,
    }
}

#[cfg(test)]
mod tests {
    use proto::offload::SpeechModel;

    use super::*;

    fn model(languages: Languages, damaged: bool) -> SpeechModel {
        SpeechModel {
            name: "tiny".to_owned(),
            languages,
            damaged,
        }
    }

    #[test]
    fn only_what_is_whole_is_understood() {
        let languages = |problem: Option<&str>, models: &[SpeechModel]| {
            let (problem, models) = (problem.map(str::to_owned), models.to_vec());
            read(SpeechAbility { problem, models }).languages
        };
        let (english, many) = (
            model(Languages::English, false),
            model(Languages::Many, false),
        );
        let damaged = model(Languages::Many, true);
        assert_eq!(languages(None, &[english.clone(), damaged]), ["en"]);
        assert_eq!(languages(None, &[many.clone(), english]), ["en", "*"]);
        assert!(languages(Some("no voice activity detection"), &[many]).is_empty());
    }
}
