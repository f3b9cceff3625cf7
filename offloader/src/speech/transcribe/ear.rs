//! One speaker's windows of speech, each heard in the language it is in.
//!
//! In: windows (`transcribe`), what is known of the speaker. Out: segments with their language.
//! Not here: what decides a language (`language`).
//! Invariant: words are given only in a language that the model which heard them knows; speech that no
//! installed model understands is marked as such, with its times, and never dressed up as words.

use super::super::client::{Heard, Listening, SpeechClient, SpeechError};
use super::super::language::is_mixed;
use super::super::wire::{Purpose, Tongue};
use super::english::{self, AGAIN_FROM_MS, BELIEVED_FOR_MS, Compared, ENOUGH_MS, sureness};
use super::{Segment, Voice, Window, cues, on_speech};
use crate::speech::sample_index;

/// Speech in which the language is looked for first.
const FIRST_LOOK_MS: u64 = 29_000;
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
            if english::is_clear(&heard, ms) {
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
        let ms = window.speech_ms();
        if ms < ENOUGH_MS {
            return Ok(false);
        }
        let is_none = english::is_unlike(heard, ms)
            || (self.is_to_be_compared(heard, ms)
                && self.is_heard_otherwise(window, heard).await?);
        if is_none {
            self.voice.language.hear(&[], ms);
        }
        Ok(is_none)
    }

    /// Not what is clearly English by somebody who spoke English before, but for now and then.
    fn is_to_be_compared(&mut self, heard: &Heard, ms: u64) -> bool {
        if self.voice.language.locked().is_none() || !english::is_clear(heard, ms) {
            return true;
        }
        self.voice.believed_ms += ms;
        let is_long = self.voice.believed_ms >= BELIEVED_FOR_MS;
        if is_long {
            self.voice.believed_ms = 0;
        }
        is_long
    }

    /// Whether a window has other words each time it is heard.
    async fn is_heard_otherwise(
        &mut self,
        window: &Window,
        heard: &Heard,
    ) -> Result<bool, SpeechError> {
        let mut hearings = vec![heard.text()];
        for from_ms in AGAIN_FROM_MS {
            let audio = window.audio(self.pcm);
            let audio = audio.get(sample_index(from_ms)..).unwrap_or_default();
            let again = self.recognise_audio(self.model, audio, Some("en")).await?;
            hearings.push(again.text());
            match english::compare(&hearings) {
                Compared::Alike => {
                    let english = Tongue {
                        code: "en".to_owned(),
                        likely: 1_000,
                    };
                    self.voice.language.hear(&[english], window.speech_ms());
                    return Ok(false);
                }
                Compared::Unlike => return Ok(true),
                Compared::TooLittle => return Ok(false),
                Compared::Open => {}
            }
        }
        Ok(false)
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
