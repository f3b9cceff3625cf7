//! In which language, and with which model, a speaker's captions are heard.
//!
//! In: windows of one speaker. Out: what was heard in them.
//! Not here: what decides a language (`language`), which words are believed (`agreement`).
//! Invariant: English is heard with the quick model; that model's words are not given out for speech
//! that it does not know.

use super::super::client::{Heard, Listening, SpeechClient, SpeechError};
use super::super::language::{SpokenLanguage, english_share, is_sparse};
use super::super::wire::{Purpose, Span};
use super::super::{length_ms, sample_index};

/// Speech between two looks at the language with another model, as long as it is not sure.
const LOOK_MS: u64 = 4_000;
/// Speech that is enough for such a look.
const ENOUGH_MS: u64 = 2_500;
/// What the quick model heard is not doubted from this sureness and this share of common English words
/// (thousandths) on.
const SURE: u16 = 700;
const COMMON: u16 = 300;
/// Below either it was not English.
const UNSURE: u16 = 480;
const UNCOMMON: u16 = 170;

/// So many lines that a smaller model heard at its ease, and the larger one is tried again.
const CALM_LINES: u32 = 20;

#[derive(Debug)]
pub(super) struct Tuning {
    quick: String,
    /// The quick model knows other languages than English.
    knows_many: bool,
    /// A model that does.
    other: Option<String>,
    /// A smaller one of many languages.
    relief: Option<String>,
    is_relieved: bool,
    /// Lines in a row that the smaller one heard at its ease.
    calm_lines: u32,
    language: String,
    spoken: SpokenLanguage,
    /// Speech heard since the language was looked at.
    unchecked_ms: u64,
    /// Length of the window before, which the next one holds too.
    before_ms: u64,
}

impl Tuning {
    pub(super) fn new(client: &SpeechClient, language: Option<String>) -> Self {
        let (quick, knows_many) = client.model(Purpose::Captions);
        let expected = language.filter(|_| knows_many || client.multilingual().is_some());
        Self {
            quick: quick.to_owned(),
            knows_many,
            other: client.multilingual().map(str::to_owned),
            relief: client.relief().map(str::to_owned),
            is_relieved: false,
            calm_lines: 0,
            language: expected.unwrap_or_else(|| "en".to_owned()),
            spoken: SpokenLanguage::default(),
            unchecked_ms: 0,
            before_ms: 0,
        }
    }

    pub(super) fn language(&self) -> &str {
        &self.language
    }

    /// Another line begins; in the middle of one another model would take words back. `took_ms`: of the
    /// last hypothesis, on a machine that is busy from `busy_ms` on.
    pub(super) fn begin_line(&mut self, took_ms: u64, busy_ms: u64) {
        if took_ms > busy_ms {
            self.is_relieved = self.relief.is_some();
        }
        // The larger model takes some three times as long, and would be busy again at once.
        let is_calm = took_ms < busy_ms / 4;
        self.calm_lines = if is_calm { self.calm_lines + 1 } else { 0 };
        self.is_relieved &= self.calm_lines < CALM_LINES;
    }

    /// What a window holds, and whether it was understood; if not, it holds no words.
    pub(super) async fn hear(
        &mut self,
        client: &SpeechClient,
        pcm: &[f32],
    ) -> Result<(Heard, bool), SpeechError> {
        let heard = self.recognise(client, pcm).await?;
        let speech_ms: u64 = heard
            .spans
            .iter()
            .map(|span| span.end_ms - span.start_ms)
            .sum();
        let new_ms = if speech_ms >= self.before_ms {
            speech_ms - self.before_ms
        } else {
            speech_ms
        };
        self.before_ms = speech_ms;
        // A smaller model does not unsettle what a larger one is sure of.
        let is_smaller = self.relief.as_deref() == Some(self.model());
        if is_smaller && self.spoken.locked().is_some() {
            return Ok((heard, true));
        }
        if !heard.tongues.is_empty() {
            self.spoken.hear(&heard.tongues, new_ms);
            return self.agree(client, pcm, heard, speech_ms).await;
        }
        self.unchecked_ms += new_ms;
        let sureness = sureness(&heard);
        let common = english_share(&heard.text()).unwrap_or(1_000);
        let sparse = is_sparse(&heard.text(), speech_ms);
        let clear = !sparse && sureness >= SURE && common >= COMMON;
        let doubtful = !clear || self.spoken.locked() != Some("en");
        let Some(other) = self.other.clone() else {
            let strange = sureness < UNSURE || common < UNCOMMON || sparse;
            return Ok(if strange && speech_ms >= ENOUGH_MS {
                (without_words(heard), false)
            } else {
                (heard, true)
            });
        };
        if doubtful && self.unchecked_ms >= LOOK_MS && speech_ms >= ENOUGH_MS {
            self.unchecked_ms = 0;
            let speech = speech_of(pcm, &heard.spans);
            let tongues = client
                .tell_language(Purpose::Captions, &other, &speech)
                .await?;
            self.spoken.hear(&tongues, speech_ms);
            let heard = Heard { tongues, ..heard };
            return self.agree(client, pcm, heard, speech_ms).await;
        }
        Ok((heard, true))
    }

    /// Hears the window again when it is in another language than it was heard in.
    async fn agree(
        &mut self,
        client: &SpeechClient,
        pcm: &[f32],
        heard: Heard,
        speech_ms: u64,
    ) -> Result<(Heard, bool), SpeechError> {
        let rather = self
            .spoken
            .rather(&self.language, &heard.tongues, speech_ms);
        let Some(rather) = rather.map(str::to_owned) else {
            return Ok((heard, true));
        };
        tracing::debug!(
            from = self.language,
            to = rather,
            "the language of captions"
        );
        self.language = rather;
        Ok((self.recognise(client, pcm).await?, true))
    }

    fn model(&self) -> &str {
        let needs_many = self.language != "en" && !self.knows_many;
        let is_large = self.knows_many || needs_many;
        match (&self.relief, &self.other) {
            (Some(relief), _) if is_large && self.is_relieved => relief,
            (_, Some(other)) if needs_many => other,
            _ => &self.quick,
        }
    }

    async fn recognise(&self, client: &SpeechClient, pcm: &[f32]) -> Result<Heard, SpeechError> {
        let listening = Listening {
            purpose: Purpose::Captions,
            model: self.model(),
            language: Some(&self.language),
            prompt: "",
            translate: false,
        };
        client.recognise(&listening, pcm).await
    }
}

fn speech_of(pcm: &[f32], spans: &[Span]) -> Vec<f32> {
    let audio = |span: &Span| pcm.get(sample_index(span.start_ms)..sample_index(span.end_ms));
    let pieces: Vec<_> = spans.iter().filter_map(audio).collect();
    let speech = pieces.concat();
    debug_assert!(
        length_ms(speech.len()) < 30_000,
        "a caption window is short"
    );
    speech
}

fn without_words(heard: Heard) -> Heard {
    Heard {
        phrases: Vec::new(),
        ..heard
    }
}

/// How sure the model was of a window; 1000 of one without words.
fn sureness(heard: &Heard) -> u16 {
    let phrases = heard.phrases.iter();
    phrases.map(|phrase| phrase.sureness).min().unwrap_or(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuning(quick: &str, knows_many: bool, language: &str) -> Tuning {
        Tuning {
            quick: quick.to_owned(),
            knows_many,
            other: Some("base".to_owned()),
            relief: Some("tiny".to_owned()),
            is_relieved: false,
            calm_lines: 0,
            language: language.to_owned(),
            spoken: SpokenLanguage::default(),
            unchecked_ms: 0,
            before_ms: 0,
        }
    }

    #[test]
    fn a_busy_machine_hears_other_languages_with_the_smaller_model_until_it_has_been_calm_for_long()
    {
        let mut french = tuning("tiny.en", false, "fr");
        let mut english = tuning("tiny.en", false, "en");
        let mut many = tuning("base", true, "en");
        let models = |all: [&Tuning; 3]| all.map(|one| one.model().to_owned());
        assert_eq!(
            models([&french, &english, &many]),
            ["base", "tiny.en", "base"]
        );
        for one in [&mut french, &mut english, &mut many] {
            one.begin_line(1_300, 1_200);
        }
        assert_eq!(
            models([&french, &english, &many]),
            ["tiny", "tiny.en", "tiny"]
        );
        // At its ease, but not for long enough; then not at its ease.
        for took_ms in [200; CALM_LINES as usize - 1].into_iter().chain([400]) {
            french.begin_line(took_ms, 1_200);
            assert_eq!(french.model(), "tiny");
        }
        for _ in 0..CALM_LINES {
            french.begin_line(200, 1_200);
        }
        assert_eq!(french.model(), "base");
    }

    #[test]
    fn without_a_smaller_model_nothing_changes() {
        let mut alone = tuning("tiny.en", false, "fr");
        alone.relief = None;
        alone.begin_line(5_000, 1_200);
        assert_eq!(alone.model(), "base");
    }
}
