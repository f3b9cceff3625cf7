//! One speaker's windows of speech, each heard in the language it is in.
//!
//! In: windows (`transcribe`), what is known of the speaker. Out: segments with their language.
//! Not here: what decides a language (`language`).
//! Invariant: words are given only in a language that the model which heard them knows; speech that no
//! installed model understands is marked as such, with its times, and never dressed up as words.

use super::super::client::{Heard, Listening, SpeechClient, SpeechError};
use super::super::language::{difference, english_share, is_mixed, is_sparse};
use super::super::wire::{Purpose, Tongue};
use super::{Segment, Voice, Window, cues, on_speech};
use crate::speech::sample_index;

/// Speech in which the language is looked for first.
const FIRST_LOOK_MS: u64 = 29_000;
/// What an English-only model heard is not doubted from this sureness and this share of common words
/// (thousandths) on.
const SURE: u16 = 700;
const COMMON: u16 = 300;
/// Below either it was not English what it heard, or nothing that anybody could understand. A window as
/// little sure as the first is none either when one of its sentences is less sure than the second.
const UNSURE: u16 = 480;
const UNSURE_TOGETHER: (u16, u16) = (700, 500);
const UNCOMMON: u16 = 170;
/// A sentence of fewer words may be unsure by chance.
const SENTENCE: usize = 5;
/// Shorter speech is too little to say that it was not English.
const ENOUGH_MS: u64 = 2_500;
/// Where the same speech begins when it is heard again, in milliseconds, and from which difference of its
/// words on (thousandths) it was another language. Of 22 windows of English, tiny.en heard at most 510
/// otherwise; of 15 windows of Spanish and Russian that it had words for, 750 at least in both.
const AGAIN_FROM_MS: [u64; 2] = [600, 200];
const ANOTHER: u16 = 660;
/// A language less probable than this, heard with less than that sureness, is none.
const NO_LANGUAGE: u16 = 300;
const NOT_UNDERSTOOD: u16 = 350;

pub(super) struct Ear<'a> {
    client: &'a SpeechClient,
    pcm: &'a [f32],
    voice: &'a mut Voice,
    model: &'a str,
    /// The model knows other languages than English.
    knows_many: bool,
    /// Another model that does.
    other: Option<&'a str>,
}

/// What became of a window.
enum Outcome {
    Heard(Vec<Segment>),
    /// Perhaps in two languages: each part is heard by itself.
    Parted(Window, Window),
}

impl<'a> Ear<'a> {
    pub(super) fn new(client: &'a SpeechClient, pcm: &'a [f32], voice: &'a mut Voice) -> Self {
        let (model, knows_many) = client.model(Purpose::Transcript);
        Self {
            client,
            pcm,
            voice,
            model,
            knows_many,
            other: client.multilingual(),
        }
    }

    fn detector(&self) -> Option<&'a str> {
        if self.knows_many {
            Some(self.model)
        } else {
            self.other
        }
    }

    /// Listens to the first half minute of speech, when the speaker's language is not known.
    pub(super) async fn find_language(&mut self, windows: &[Window]) -> Result<(), SpeechError> {
        let Some(model) = self.detector() else {
            return Ok(());
        };
        if self.voice.language.locked().is_some() {
            return Ok(());
        }
        let spans = windows.iter().flat_map(|window| &window.spans);
        let mut speech = Vec::new();
        for span in spans {
            let audio = self
                .pcm
                .get(sample_index(span.start_ms)..sample_index(span.end_ms));
            speech.extend_from_slice(audio.unwrap_or_default());
            if speech.len() >= sample_index(FIRST_LOOK_MS) {
                speech.truncate(sample_index(FIRST_LOOK_MS));
                break;
            }
        }
        if speech.is_empty() {
            return Ok(());
        }
        let tongues = self.tongues(model, &speech).await?;
        let ms = super::super::length_ms(speech.len());
        self.voice.language.hear(&tongues, ms);
        Ok(())
    }

    /// The words of a window, or the mark that it was not understood.
    pub(super) async fn hear(&mut self, window: Window) -> Result<Vec<Segment>, SpeechError> {
        let mut segments = Vec::new();
        let mut waiting = vec![window];
        while let Some(window) = waiting.pop() {
            match self.listen(&window).await? {
                Outcome::Heard(heard) => segments.extend(heard),
                Outcome::Parted(front, back) => waiting.extend([back, front]),
            }
        }
        Ok(segments)
    }

    async fn listen(&mut self, window: &Window) -> Result<Outcome, SpeechError> {
        let wanted = self.voice.language.guess().map(str::to_owned);
        let english = wanted.as_deref().is_none_or(|code| code == "en");
        if self.knows_many {
            return self.listen_with(self.model, window, wanted).await;
        }
        match self.other {
            Some(other) if !english => self.listen_with(other, window, wanted).await,
            Some(_) | None => self.listen_in_english(window).await,
        }
    }

    /// With a model that knows many languages, and tells how probable each is.
    async fn listen_with(
        &mut self,
        model: &str,
        window: &Window,
        wanted: Option<String>,
    ) -> Result<Outcome, SpeechError> {
        let ms = window.speech_ms();
        let mut heard = self.recognise(model, window, wanted.as_deref()).await?;
        let mut used = wanted.unwrap_or_else(|| heard.language.clone());
        self.voice.language.hear(&heard.tongues, ms);
        if is_mixed(&heard.tongues)
            && !self.voice.language.is_given()
            && let Some((front, back)) = window.halves()
        {
            return Ok(Outcome::Parted(front, back));
        }
        if let Some(better) = self.voice.language.rather(&used, &heard.tongues, ms) {
            used = better.to_owned();
            heard = self.recognise(model, window, Some(&used)).await?;
        }
        let likely = heard.tongues.first().map_or(1_000, |best| best.likely);
        if likely < NO_LANGUAGE && sureness(&heard) < NOT_UNDERSTOOD && ms >= ENOUGH_MS {
            return Ok(Outcome::Heard(vec![mark(window, "not understood")]));
        }
        Ok(self.segments(window, heard, &used))
    }

    /// With a model that takes everything for English.
    async fn listen_in_english(&mut self, window: &Window) -> Result<Outcome, SpeechError> {
        let ms = window.speech_ms();
        let heard = self.recognise(self.model, window, Some("en")).await?;
        if self.voice.language.is_given() {
            return Ok(self.segments(window, heard, "en"));
        }
        if let Some(other) = self.other {
            // Speech without a word of English is doubted as well.
            if is_clear(&heard, ms) {
                return Ok(self.segments(window, heard, "en"));
            }
            let tongues = self.tongues(other, window.audio(self.pcm)).await?;
            self.voice.language.hear(&tongues, ms);
            if is_mixed(&tongues)
                && let Some((front, back)) = window.halves()
            {
                return Ok(Outcome::Parted(front, back));
            }
            if let Some(better) = self.voice.language.rather("en", &tongues, ms) {
                return self
                    .listen_with(other, window, Some(better.to_owned()))
                    .await;
            }
        } else if self.is_no_english(window, &heard).await? {
            let why = format!(
                "not understood: the speech model {} knows English only",
                self.model
            );
            return Ok(Outcome::Heard(vec![mark(window, &why)]));
        }
        Ok(self.segments(window, heard, "en"))
    }

    /// Whether it was another language that a model took for English. Its words betray that when they are
    /// no English ones; where they are, that it makes others of the same speech when this begins a little
    /// later. How sure it is of them says less.
    async fn is_no_english(&mut self, window: &Window, heard: &Heard) -> Result<bool, SpeechError> {
        let (ms, text, sureness) = (window.speech_ms(), heard.text(), sureness(heard));
        if ms < ENOUGH_MS {
            return Ok(false);
        }
        let is_unsure =
            sureness < UNSURE || (sureness < UNSURE_TOGETHER.0 && least(heard) < UNSURE_TOGETHER.1);
        if is_unsure || common(&text) < UNCOMMON || is_sparse(&text, ms) {
            return Ok(true);
        }
        if self.voice.language.locked().is_some() && is_clear(heard, ms) {
            return Ok(false);
        }
        for from_ms in AGAIN_FROM_MS {
            let audio = window.audio(self.pcm);
            let audio = audio.get(sample_index(from_ms)..).unwrap_or_default();
            let again = self.recognise_audio(self.model, audio, Some("en")).await?;
            let again = again.text();
            if text.is_empty() && again.split_whitespace().count() < SENTENCE {
                return Ok(false); // nobody says anything
            }
            let differs = difference(&text, &again);
            if differs < ANOTHER {
                let likely = 1_000 - differs;
                let english = "en".to_owned();
                let english = Tongue {
                    code: english,
                    likely,
                };
                self.voice.language.hear(&[english], ms);
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn recognise(
        &self,
        model: &str,
        window: &Window,
        language: Option<&str>,
    ) -> Result<Heard, SpeechError> {
        self.recognise_audio(model, window.audio(self.pcm), language)
            .await
    }

    async fn recognise_audio(
        &self,
        model: &str,
        audio: &[f32],
        language: Option<&str>,
    ) -> Result<Heard, SpeechError> {
        let listening = Listening {
            purpose: Purpose::Transcript,
            model,
            language,
            prompt: &self.voice.prompt,
            translate: self.voice.translate,
        };
        self.client.recognise(&listening, audio).await
    }

    fn segments(&self, window: &Window, heard: Heard, language: &str) -> Outcome {
        let written = if self.voice.translate { "en" } else { language };
        let phrases = heard.phrases.into_iter();
        let phrases = phrases.map(|phrase| on_speech(window, phrase, written));
        Outcome::Heard(phrases.flat_map(cues::cut).collect())
    }

    async fn tongues(&self, model: &str, pcm: &[f32]) -> Result<Vec<Tongue>, SpeechError> {
        self.client
            .tell_language(Purpose::Transcript, model, pcm)
            .await
    }
}

/// Stands where somebody spoke whom no model understands.
fn mark(window: &Window, why: &str) -> Segment {
    Segment {
        start_ms: window.start_ms(),
        end_ms: window.end_ms(),
        text: format!("[{why}]"),
        ..Segment::default()
    }
}

/// Whether English was heard beyond doubt.
fn is_clear(heard: &Heard, ms: u64) -> bool {
    let text = heard.text();
    let is_full = !heard.phrases.is_empty() && !is_sparse(&text, ms);
    is_full && sureness(heard) >= SURE && common(&text) >= COMMON
}

/// Of a short text nothing is concluded.
fn common(text: &str) -> u16 {
    english_share(text).unwrap_or(1_000)
}

/// How sure a model was of a window, its long phrases counting more; 1000 of one without words.
fn sureness(heard: &Heard) -> u16 {
    let weight = |text: &str| text.chars().count().max(1) as u64;
    let phrases = || heard.phrases.iter();
    let sum: u64 = phrases()
        .map(|phrase| u64::from(phrase.sureness) * weight(&phrase.text))
        .sum();
    let all: u64 = phrases().map(|phrase| weight(&phrase.text)).sum();
    sum.checked_div(all)
        .and_then(|mean| u16::try_from(mean).ok())
        .unwrap_or(1_000)
}

/// How sure a model was of the sentence it was least sure of.
fn least(heard: &Heard) -> u16 {
    let phrases = heard.phrases.iter();
    let sentences = phrases.filter(|phrase| phrase.words.len() >= SENTENCE);
    let sureness = sentences.map(|phrase| phrase.sureness).min();
    sureness.unwrap_or(1_000)
}
