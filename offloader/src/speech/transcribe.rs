//! From the audio of one track to timed segments.
//!
//! In: 16 kHz PCM of any length. Out: segments with times on that audio.
//! Not here: the models (`engine`), names and merging (`transcript`).
//! Invariant: every span of speech is in exactly one window, no window is longer than 30 s, and a
//! segment begins and ends where speech does.

mod cues;
mod ear;
mod english;

use super::client::{SpeechClient, SpeechError};
use super::language::SpokenLanguage;
use super::transcript::{self, Segment, TrackTranscript};
use super::wire::{Phrase, Span};
use super::{SAMPLES_PER_MS, energy, sample_index};
use ear::Ear;

/// Audio looked through for speech at once.
const PIECE_MS: u64 = 55_000;
/// Shorter pauses do not part a span of speech.
const MIN_SILENCE_MS: u32 = 400;
/// Sound kept before and after speech.
const PAD_MS: u32 = 150;
/// Spans further apart than this go into windows of their own: a model shown a long pause may join
/// the sentences on both sides, and silence costs as much as speech.
const MAX_PAUSE_MS: u64 = 1_500;
/// Speech that a part of a window needs: whose language is to be told from less is misjudged.
const PART_MS: u64 = 2_000;
/// A little below the 30 s of the model.
const WINDOW_MS: u64 = 29_000;
/// What was said in one piece of audio.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcription {
    /// As asked for, or as detected; `None` when there was no speech.
    pub language: Option<String>,
    /// In order; times on the audio given.
    pub segments: Vec<Segment>,
}

impl Transcription {
    /// Says whose audio it was and where it began on the timeline of the call.
    #[must_use]
    pub fn of_speaker(self, speaker: String, offset_ms: u64) -> TrackTranscript {
        TrackTranscript {
            speaker,
            offset_ms,
            segments: self.segments,
        }
    }
}

/// What is known of a speaker before their audio is heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Voice {
    pub language: SpokenLanguage,
    /// Words that may come up (names, the channel), as a text that could have been said before.
    pub prompt: String,
    /// Written down in English, whatever is spoken, where a model knows it.
    pub translate: bool,
    /// English that was believed without a second hearing since the last one, in milliseconds.
    pub(crate) believed_ms: u64,
}

impl Voice {
    /// `language` is an ISO 639-1 code; `None`: to be found out.
    #[must_use]
    pub fn new(language: Option<String>) -> Self {
        Self {
            language: SpokenLanguage::new(language),
            ..Self::default()
        }
    }
}

/// Spans that are recognised together.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    spans: Vec<Span>,
}

impl Window {
    fn start_ms(&self) -> u64 {
        self.spans.first().map_or(0, |span| span.start_ms)
    }

    fn end_ms(&self) -> u64 {
        self.spans.last().map_or(0, |span| span.end_ms)
    }

    fn audio<'p>(&self, pcm: &'p [f32]) -> &'p [f32] {
        let audio = pcm.get(sample_index(self.start_ms())..sample_index(self.end_ms()));
        audio.unwrap_or_default()
    }

    fn speech_ms(&self) -> u64 {
        let lengths = self.spans.iter().map(|span| span.end_ms - span.start_ms);
        lengths.sum()
    }

    /// Two windows, parted at the longest pause that leaves enough on both sides; `None` without one.
    fn halves(&self) -> Option<(Self, Self)> {
        let pause = |at: &usize| {
            let (before, after) = (self.spans.get(at - 1), self.spans.get(*at));
            after.map_or(0, |span| span.start_ms) - before.map_or(0, |span| span.end_ms)
        };
        let parts = |at: usize| {
            let (front, back) = self.spans.split_at_checked(at)?;
            let half = |spans: &[Span]| Self {
                spans: spans.to_vec(),
            };
            Some((half(front), half(back)))
        };
        let enough = |at: &usize| {
            parts(*at)
                .is_some_and(|(front, back)| front.speech_ms().min(back.speech_ms()) >= PART_MS)
        };
        let at = (1..self.spans.len()).filter(enough).max_by_key(pause)?;
        parts(at)
    }
}

pub(super) async fn transcribe(
    client: &SpeechClient,
    pcm: &[f32],
    voice: &mut Voice,
) -> Result<Transcription, SpeechError> {
    let windows = plan(pcm, find_spans(client, pcm).await?);
    let mut ear = Ear::new(client, pcm, voice);
    ear.find_language(&windows).await?;
    let mut segments = Vec::new();
    for window in windows {
        segments.extend(ear.hear(window).await?);
    }
    let language = transcript::most_spoken(segments.iter());
    Ok(Transcription { language, segments })
}

/// Where speech is, over any length of audio.
async fn find_spans(client: &SpeechClient, pcm: &[f32]) -> Result<Vec<Span>, SpeechError> {
    let mut spans: Vec<Span> = Vec::new();
    for (index, piece) in pcm.chunks(sample_index(PIECE_MS)).enumerate() {
        let from = PIECE_MS * index as u64;
        for span in client.find_speech(piece, MIN_SILENCE_MS, PAD_MS).await? {
            let span = Span {
                start_ms: span.start_ms + from,
                end_ms: span.end_ms + from,
            };
            // A word on the border between two pieces is one word.
            match spans.last_mut() {
                Some(last) if span.start_ms <= last.end_ms + u64::from(MIN_SILENCE_MS) => {
                    last.end_ms = last.end_ms.max(span.end_ms);
                }
                Some(_) | None => spans.push(span),
            }
        }
    }
    Ok(spans)
}

/// Joins neighbours into windows and cuts what is too long for one.
fn plan(pcm: &[f32], spans: Vec<Span>) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for span in spans.into_iter().flat_map(|span| cut_long(pcm, span)) {
        match windows.last_mut() {
            Some(window)
                if span.start_ms.saturating_sub(window.end_ms()) <= MAX_PAUSE_MS
                    && span.end_ms - window.start_ms() <= WINDOW_MS =>
            {
                window.spans.push(span);
            }
            Some(_) | None => windows.push(Window { spans: vec![span] }),
        }
    }
    windows
}

/// Cuts a span that does not fit into a window at its quietest moments.
fn cut_long(pcm: &[f32], mut span: Span) -> Vec<Span> {
    let mut parts = Vec::new();
    while span.end_ms - span.start_ms > WINDOW_MS {
        let until = span.start_ms + WINDOW_MS;
        let at = quietest_ms(pcm, until - WINDOW_MS / 3, until);
        parts.push(Span {
            start_ms: span.start_ms,
            end_ms: at,
        });
        span.start_ms = at;
    }
    parts.push(span);
    parts
}

/// The middle of the quietest 100 ms between two moments, which must be 100 ms apart or more.
pub(super) fn quietest_ms(pcm: &[f32], from_ms: u64, until_ms: u64) -> u64 {
    const FRAME_MS: usize = 100;
    let audio = pcm.get(sample_index(from_ms)..sample_index(until_ms).min(pcm.len()));
    let audio = audio.unwrap_or_default();
    let frames = audio
        .windows(FRAME_MS * SAMPLES_PER_MS)
        .step_by(20 * SAMPLES_PER_MS);
    let quietest = frames
        .enumerate()
        .map(|(index, frame)| (energy(frame), index))
        .min_by(|one, other| one.0.total_cmp(&other.0));
    quietest.map_or(until_ms, |(_, index)| from_ms + 20 * index as u64 + 50)
}

/// Moves the times of a phrase from its window to the track, and its ends from silence to speech.
fn on_speech(window: &Window, phrase: Phrase, language: &str) -> Segment {
    let (first, last) = (window.start_ms(), window.end_ms());
    let start = (first + phrase.start_ms).min(last);
    let end = (first + phrase.end_ms).clamp(start, last);
    let next_speech = window.spans.iter().find(|span| span.end_ms > start);
    let start_ms = next_speech
        .map_or(start, |span| span.start_ms.max(start))
        .min(end);
    let speech_before = window.spans.iter().rev().find(|span| span.start_ms < end);
    let end_ms = speech_before
        .map_or(end, |span| span.end_ms.min(end))
        .max(start_ms);
    let mut words = phrase.words;
    for word in &mut words {
        word.start_ms = (first + word.start_ms).clamp(start_ms, end_ms);
        word.end_ms = (first + word.end_ms).clamp(word.start_ms, end_ms);
    }
    Segment {
        start_ms,
        end_ms,
        text: phrase.text,
        language: Some(language.to_owned()),
        sureness: phrase.sureness,
        words,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(start_ms: u64, end_ms: u64) -> Span {
        Span { start_ms, end_ms }
    }

    #[test]
    fn neighbours_share_a_window_and_long_pauses_part_them() {
        let spans = vec![span(0, 1_000), span(2_000, 3_000), span(5_000, 6_000)];
        let windows = plan(&[], spans.clone());
        let expected = [
            Window {
                spans: spans[..2].to_vec(),
            },
            Window {
                spans: spans[2..].to_vec(),
            },
        ];
        assert_eq!(windows, expected);
    }

    #[test]
    fn a_long_speech_is_cut_where_it_is_quiet() {
        let mut pcm = vec![0.3_f32; sample_index(40_000)];
        pcm[sample_index(25_000)..sample_index(25_200)].fill(0.0);
        let parts = cut_long(&pcm, span(0, 40_000));
        assert_eq!(parts.len(), 2);
        assert!((25_040..=25_160).contains(&parts[0].end_ms), "{parts:?}");
        assert_eq!(
            (parts[1].start_ms, parts[1].end_ms),
            (parts[0].end_ms, 40_000)
        );
    }

    #[test]
    fn segments_begin_and_end_on_speech() {
        let window = Window {
            spans: vec![span(1_000, 2_000), span(3_000, 4_000)],
        };
        let at = |start_ms, end_ms| {
            let segment = on_speech(
                &window,
                Phrase {
                    start_ms,
                    end_ms,
                    ..Phrase::default()
                },
                "en",
            );
            (segment.start_ms, segment.end_ms)
        };
        assert_eq!(at(0, 1_500), (1_000, 2_000));
        assert_eq!(at(1_500, 9_000), (3_000, 4_000));
        assert_eq!(at(0, 2_500), (1_000, 3_500));
        assert_eq!(
            at(1_100, 1_200),
            (2_200, 2_200),
            "all in silence: nothing to move to"
        );
    }

    #[test]
    fn a_window_is_parted_at_its_longest_pause() {
        let spans = vec![
            span(0, 1_000),
            span(1_500, 3_000),
            span(4_000, 7_000),
            span(9_000, 9_900),
        ];
        let whole = Window { spans };
        let (front, back) = whole.halves().unwrap();
        assert_eq!((front.end_ms(), back.start_ms()), (3_000, 4_000));
        assert_eq!((whole.speech_ms(), back.halves()), (6_400, None));
    }

    proptest! {
        #[test]
        fn every_span_is_in_one_window_of_at_most_thirty_seconds(
            lengths in prop::collection::vec((100u64..70_000, 1u64..5_000), 0..12)
        ) {
            let mut at = 0;
            let spans: Vec<_> = lengths
                .iter()
                .map(|(length, pause)| {
                    at += pause + length;
                    span(at - length, at)
                })
                .collect();
            let total: u64 = spans.iter().map(|span| span.end_ms - span.start_ms).sum();
            let windows = plan(&[], spans);
            let planned: Vec<_> = windows.iter().flat_map(|window| window.spans.clone()).collect();
            prop_assert_eq!(planned.iter().map(|span| span.end_ms - span.start_ms).sum::<u64>(), total);
            prop_assert!(planned.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
            prop_assert!(windows.iter().all(|window| window.end_ms() - window.start_ms() <= 30_000));
        }
    }
}
