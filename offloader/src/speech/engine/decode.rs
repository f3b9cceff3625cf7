//! One window through Whisper: words with their times and how sure the model was, and the language.
//!
//! In: at most 30 s of speech and a wish. Out: phrases that are believed (`hygiene`).
//! Not here: which model, whose state (`engine`).
//! Invariant: every run is independent of the one before; one for captions costs the same whatever
//! the window holds.

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperSegment, WhisperState, WhisperTokenId,
};

use super::EngineError;
use crate::speech::hygiene::{Candidate, believed};
use crate::speech::wire::{Phrase, Purpose, Reply, Span, Tongue, Word};
use crate::speech::{SAMPLE_RATE, energy, length_ms, sample_index};

/// Shortest audio given to Whisper, which skips anything below a second; silence is added.
const SHORTEST_MS: u64 = 1_200;

/// Frames (20 ms) of encoder context beyond the audio. Fewer make the decoder lose the last words.
const CONTEXT_MARGIN: u64 = 64;
/// Smallest encoder context. Below it tiny models begin to repeat themselves.
const CONTEXT_MIN: u64 = 256;
const CONTEXT_MAX: u64 = 1_500;

/// Longest prompt in tokens: a fifth of what the decoder can hold, so that names never displace words.
const PROMPT_TOKENS: usize = 96;

/// Languages told besides the most probable one.
const TONGUES: usize = 3;

/// Size of the vocabulary without tokens for languages.
const VOCABULARY: i32 = 51_766;

/// What a window is decoded for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) purpose: Purpose,
    pub(super) model: &'a str,
    /// `None`: detect it.
    pub(super) language: Option<&'a str>,
    pub(super) prompt: &'a str,
    /// In English, whatever was spoken.
    pub(super) translate: bool,
}

impl<'a> Wish<'a> {
    /// Words do not matter, only their language: the cheapest way of decoding will do.
    pub(super) fn language_only(model: &'a str) -> Self {
        Self {
            purpose: Purpose::Captions,
            model,
            language: Some("en"),
            prompt: "",
            translate: false,
        }
    }
}

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) language: String,
    pub(super) phrases: Vec<Phrase>,
    /// Best first.
    pub(super) tongues: Vec<Tongue>,
}

impl Decoded {
    pub(super) fn into_reply(self, spans: Vec<Span>) -> Reply {
        Reply::Words {
            language: self.language,
            spans,
            phrases: self.phrases,
            tongues: self.tongues,
        }
    }
}

pub(super) fn decode(
    context: &WhisperContext,
    state: &mut WhisperState,
    wish: &Wish<'_>,
    pcm: &[f32],
    threads: i32,
) -> Result<Decoded, EngineError> {
    let many = context.is_multilingual();
    let language = if many {
        wish.language.unwrap_or("auto")
    } else {
        "en"
    };
    let mut padded = pcm.to_vec();
    padded.resize(pcm.len().max(sample_index(SHORTEST_MS)), 0.0);
    let mut params = parameters(wish.purpose, language, length_ms(padded.len()), threads);
    let prompt = prompt_tokens(context, wish.prompt);
    params.set_tokens(&prompt);
    params.set_translate(many && wish.translate);
    state
        .full(params, &padded)
        .map_err(EngineError::Recognise)?;
    let end_of_text = context.token_eot();
    let phrases = state
        .as_iter()
        .filter_map(|segment| phrase(&segment, pcm, end_of_text))
        .collect();
    let heard = whisper_rs::get_lang_str(state.full_lang_id_from_state());
    let language = heard.unwrap_or("en").to_owned();
    let tongues = if many {
        tongues(context, state, threads)?
    } else {
        Vec::new()
    };
    Ok(Decoded {
        language,
        phrases,
        tongues,
    })
}

/// Which languages the audio just decoded may be in: the encoder's work is done, so this costs one
/// step of the decoder.
fn tongues(
    context: &WhisperContext,
    state: &mut WhisperState,
    threads: i32,
) -> Result<Vec<Tongue>, EngineError> {
    let threads = usize::try_from(threads).unwrap_or(1);
    state
        .decode(&[context.token_sot()], 0, threads)
        .map_err(EngineError::Recognise)?;
    let logits = state.get_logits().map_err(EngineError::Recognise)?;
    let mut scored: Vec<_> = (0..context.n_vocab() - VOCABULARY)
        .filter_map(|id| {
            let token = usize::try_from(context.token_lang(id)).ok()?;
            Some((*logits.get(token)?, whisper_rs::get_lang_str(id)?))
        })
        .collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0));
    let best = scored.first().map_or(0.0, |(logit, _)| *logit);
    let sum: f32 = scored.iter().map(|(logit, _)| (logit - best).exp()).sum();
    let tongue = |(logit, code): (f32, &str)| Tongue {
        code: code.to_owned(),
        likely: thousandths((logit - best).exp() / sum),
    };
    Ok(scored.into_iter().take(1 + TONGUES).map(tongue).collect())
}

/// The end of a prompt, as long as it may be. A model that cannot read it goes without.
fn prompt_tokens(context: &WhisperContext, prompt: &str) -> Vec<WhisperTokenId> {
    if prompt.is_empty() {
        return Vec::new();
    }
    let tokens = context
        .tokenize(&format!(" {prompt}"), prompt.len() + 8)
        .unwrap_or_default();
    let excess = tokens.len().saturating_sub(PROMPT_TOKENS);
    tokens.get(excess..).unwrap_or_default().to_vec()
}

fn parameters<'a>(
    purpose: Purpose,
    language: &'a str,
    ms: u64,
    threads: i32,
) -> FullParams<'a, 'a> {
    let mut params = FullParams::new(match purpose {
        Purpose::Captions => SamplingStrategy::Greedy { best_of: 1 },
        Purpose::Transcript => SamplingStrategy::BeamSearch {
            beam_size: 5,
            patience: -1.0,
        },
    });
    params.set_n_threads(threads);
    params.set_language(Some(language));
    params.set_no_context(true);
    params.set_suppress_blank(true);
    params.set_suppress_nst(true);
    params.set_print_progress(false);
    params.set_print_realtime(false);
    params.set_print_special(false);
    params.set_print_timestamps(false);
    let context = (ms.div_ceil(20) + CONTEXT_MARGIN).clamp(CONTEXT_MIN, CONTEXT_MAX);
    params.set_audio_ctx(i32::try_from(context).unwrap_or(0));
    match purpose {
        Purpose::Captions => {
            params.set_single_segment(true);
            params.set_no_timestamps(true);
            // A window must cost the same whatever it holds: no second try at another temperature,
            // and no more tokens than the fastest speaker needs.
            params.set_temperature_inc(0.0);
            params.set_max_tokens(i32::try_from(16 + ms / 100).unwrap_or(i32::MAX));
        }
        Purpose::Transcript => {
            params.set_entropy_thold(2.8);
            params.set_token_timestamps(true);
        }
    }
    params
}

fn phrase(segment: &WhisperSegment<'_>, pcm: &[f32], end_of_text: i32) -> Option<Phrase> {
    let limit = length_ms(pcm.len());
    let ms = |centiseconds: i64| u64::try_from(centiseconds * 10).unwrap_or(0).min(limit);
    let (start_ms, end_ms) = (ms(segment.start_timestamp()), ms(segment.end_timestamp()));
    let audio = pcm
        .get(sample_index(start_ms)..sample_index(end_ms))
        .filter(|audio| !audio.is_empty());
    let text = segment.to_str_lossy().ok()?;
    let log_probability = mean_log_probability(segment, end_of_text);
    let candidate = Candidate {
        text: &text,
        no_speech: segment.no_speech_probability(),
        log_probability,
        energy: loudest(audio.unwrap_or(pcm)),
    };
    let mut phrase = Phrase {
        start_ms,
        end_ms,
        words: words(segment, end_of_text, limit),
        sureness: thousandths(log_probability.exp()),
        ..Phrase::default()
    };
    keep_words_of(&mut phrase, believed(candidate)?);
    Some(phrase)
}

/// A segment's tokens, joined where no space is between them.
fn words(segment: &WhisperSegment<'_>, end_of_text: i32, limit_ms: u64) -> Vec<Word> {
    let mut words: Vec<(Vec<u8>, Word)> = Vec::new();
    for token in (0..segment.n_tokens()).filter_map(|index| segment.get_token(index)) {
        let Ok(bytes) = token.to_bytes() else {
            continue;
        };
        if token.token_id() >= end_of_text {
            continue;
        }
        let data = token.token_data();
        let ms = |centiseconds: i64| {
            let ms = u64::try_from(centiseconds * 10).unwrap_or(0);
            ms.min(limit_ms)
        };
        let sureness = thousandths(token.token_probability());
        match words.last_mut() {
            Some((text, word)) if !bytes.starts_with(b" ") => {
                text.extend_from_slice(bytes);
                word.end_ms = ms(data.t1).max(word.end_ms);
                // A sign at the end says little about the word.
                if bytes.iter().any(|byte| !byte.is_ascii_punctuation()) {
                    word.sureness = word.sureness.min(sureness);
                }
            }
            Some(_) | None => words.push((
                bytes.to_vec(),
                Word {
                    start_ms: ms(data.t0),
                    end_ms: ms(data.t1).max(ms(data.t0)),
                    text: String::new(),
                    sureness,
                },
            )),
        }
    }
    let spell = |(bytes, mut word): (Vec<u8>, Word)| {
        word.text = String::from_utf8_lossy(&bytes).trim().to_owned();
        word
    };
    words.into_iter().map(spell).collect()
}

/// Gives a phrase its text, and leaves out the words that the text has not.
pub(super) fn keep_words_of(phrase: &mut Phrase, text: String) {
    let mut wanted = text.split_whitespace().peekable();
    phrase.words.retain(|word| {
        let is_next = wanted.peek() == Some(&word.text.as_str());
        if is_next {
            wanted.next();
        }
        is_next
    });
    phrase.text = text;
}

/// Moves a phrase later.
pub(super) fn delay(phrase: &mut Phrase, ms: u64) {
    phrase.start_ms += ms;
    phrase.end_ms += ms;
    for word in &mut phrase.words {
        word.start_ms += ms;
        word.end_ms += ms;
    }
}

/// Special tokens come after `end_of_text` and say nothing about the words.
fn mean_log_probability(segment: &WhisperSegment<'_>, end_of_text: i32) -> f32 {
    let tokens = (0..segment.n_tokens()).filter_map(|index| segment.get_token(index));
    let (mut sum, mut count) = (0.0_f32, 0.0_f32);
    for token in tokens.filter(|token| token.token_id() < end_of_text) {
        sum += token.token_data().plog;
        count += 1.0;
    }
    if count > 0.0 {
        sum / count
    } else {
        f32::NEG_INFINITY
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0 and 1000"
)]
fn thousandths(probability: f32) -> u16 {
    (probability * 1_000.0).round().clamp(0.0, 1_000.0) as u16
}

/// The highest energy of any 100 ms, so that one word in a long pause counts as loud.
fn loudest(pcm: &[f32]) -> f32 {
    pcm.chunks(SAMPLE_RATE / 10).map(energy).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_the_text_lost_are_lost_too() {
        let word = |text: &str| Word {
            start_ms: 0,
            end_ms: 1,
            text: text.to_owned(),
            sureness: 900,
        };
        let mut phrase = Phrase {
            words: ["go", "on", "[noise]", "go", "on", "go", "on", "now."]
                .map(word)
                .into(),
            ..Phrase::default()
        };
        keep_words_of(&mut phrase, "go on now.".to_owned());
        let kept: Vec<_> = phrase.words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(
            (kept.join(" "), phrase.text.as_str()),
            ("go on now.".to_owned(), "go on now.")
        );
    }

    #[test]
    fn probabilities_are_thousandths() {
        assert_eq!(
            [-0.2, 0.0, 0.4996, 1.0, f32::NAN].map(thousandths),
            [0, 0, 500, 1000, 0]
        );
    }
}
