//! The transcript of a call: who said what, when and in which language.
//!
//! In: the segments of every track with the speaker's name. Out: utterances merged by start time, and
//! blocks in which close segments of one speaker are joined.
//! Not here: recognising speech (`transcribe`), how it is written (`formats`), storing and uploading.
//! Invariant: an utterance's text is one line.

mod formats;

use super::wire::Word;

/// One piece of recognised speech; times in ms since the beginning of the audio it came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    pub start_ms: u64,
    pub end_ms: u64,
    pub text: String,
    /// ISO 639-1; `None`: nobody knows, and `text` says that it was not understood.
    pub language: Option<String>,
    /// How sure the model was of its words on average, in thousandths.
    pub sureness: u16,
    pub words: Vec<Word>,
}

/// What one track said. `offset_ms` is where its audio begins on the timeline of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackTranscript {
    /// Display name of the participant.
    pub speaker: String,
    pub offset_ms: u64,
    pub segments: Vec<Segment>,
}

/// One piece of speech on the timeline of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    pub speaker: String,
    pub start_ms: u64,
    pub end_ms: u64,
    pub text: String,
    /// ISO 639-1; `None`: nobody knows, and `text` says that it was not understood.
    pub language: Option<String>,
    /// How sure the model was of its words on average, in thousandths.
    pub sureness: u16,
    /// Empty in a block of the plain text.
    pub words: Vec<Word>,
}

/// Rules by which the plain text joins segments of one speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compaction {
    /// A pause of this length or more begins a new block.
    pub silence_threshold_ms: u64,
    /// A segment that begins this long after its block, or later, begins a new one.
    pub max_segment_duration_ms: u64,
}

impl Default for Compaction {
    fn default() -> Self {
        Self {
            silence_threshold_ms: 2_000,
            max_segment_duration_ms: 10_000,
        }
    }
}

/// A stretch of the call of which nothing was heard, on the timeline of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub start_ms: u64,
    /// `None`: nothing was heard from there on.
    pub end_ms: Option<u64>,
    /// In words for people, in English.
    pub why: String,
}

/// The speech of a whole call in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    utterances: Vec<Utterance>,
    /// The one most was said in first.
    languages: Vec<String>,
    missing: Vec<Missing>,
}

impl Transcript {
    /// Merges tracks by start time; what overlaps stays as overlapping cues. Empty segments vanish.
    /// The language is the one most was said in, else `en`.
    #[must_use]
    pub fn merge(tracks: Vec<TrackTranscript>) -> Self {
        let segments = tracks.iter().flat_map(|track| &track.segments);
        let languages = languages(segments);
        let mut utterances: Vec<_> = tracks.into_iter().flat_map(utterances_of).collect();
        utterances.sort_by_key(|utterance| (utterance.start_ms, utterance.end_ms));
        Self {
            utterances,
            languages,
            missing: Vec::new(),
        }
    }

    /// A transcript of these, as they are.
    #[must_use]
    pub fn of_utterances(utterances: Vec<Utterance>) -> Self {
        let spoken = utterances.iter().filter_map(|said| {
            let ms = said.end_ms.saturating_sub(said.start_ms);
            Some((said.language.as_ref()?, ms))
        });
        let languages = by_length(spoken);
        Self {
            utterances,
            languages,
            missing: Vec::new(),
        }
    }

    /// Says what it lacks; in order of time.
    #[must_use]
    pub fn without(self, missing: Vec<Missing>) -> Self {
        Self { missing, ..self }
    }

    /// In order of start time.
    #[must_use]
    pub fn utterances(&self) -> &[Utterance] {
        &self.utterances
    }

    /// ISO 639-1 code, never empty.
    #[must_use]
    pub fn language(&self) -> &str {
        self.languages.first().map_or("en", String::as_str)
    }

    /// ISO 639-1 codes of all languages heard, the one most was said in first.
    #[must_use]
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Whether nobody said anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.utterances.is_empty()
    }

    fn compacted(&self, rules: Compaction) -> Vec<Utterance> {
        let mut blocks: Vec<Utterance> = Vec::new();
        for next in &self.utterances {
            if let Some(block) = blocks.last_mut()
                && block.speaker == next.speaker
                && next.start_ms.saturating_sub(block.end_ms) < rules.silence_threshold_ms
                && next.start_ms.saturating_sub(block.start_ms) < rules.max_segment_duration_ms
                && block.language == next.language
            {
                block.end_ms = block.end_ms.max(next.end_ms);
                block.text.push(' ');
                block.text.push_str(&next.text);
            } else {
                blocks.push(Utterance {
                    words: Vec::new(),
                    ..next.clone()
                });
            }
        }
        blocks
    }
}

/// The languages of what was said, by how long it took.
fn languages<'s>(segments: impl Iterator<Item = &'s Segment>) -> Vec<String> {
    by_length(segments.filter_map(|segment| {
        let ms = segment.end_ms.saturating_sub(segment.start_ms);
        Some((segment.language.as_ref()?, ms))
    }))
}

/// Languages with how long each was spoken, longest first.
fn by_length<'s>(pieces: impl Iterator<Item = (&'s String, u64)>) -> Vec<String> {
    let mut spoken: Vec<(String, u64)> = Vec::new();
    for (language, ms) in pieces {
        match spoken.iter_mut().find(|(code, _)| code == language) {
            Some((_, sum)) => *sum += ms,
            None => spoken.push((language.clone(), ms)),
        }
    }
    // Stable: of two that are equal the one heard first.
    spoken.sort_by_key(|(_, ms)| std::cmp::Reverse(*ms));
    spoken.into_iter().map(|(code, _)| code).collect()
}

/// The language most was said in.
pub(super) fn most_spoken<'s>(segments: impl Iterator<Item = &'s Segment>) -> Option<String> {
    languages(segments).into_iter().next()
}

fn utterances_of(track: TrackTranscript) -> Vec<Utterance> {
    let TrackTranscript {
        speaker,
        offset_ms,
        segments,
        ..
    } = track;
    let on_call = |ms: u64| offset_ms.saturating_add(ms);
    segments
        .into_iter()
        .map(|segment| Utterance {
            speaker: speaker.clone(),
            start_ms: on_call(segment.start_ms),
            end_ms: on_call(segment.end_ms.max(segment.start_ms)),
            text: one_line(&segment.text),
            language: segment.language,
            sureness: segment.sureness,
            words: moved(segment.words, offset_ms),
        })
        .filter(|utterance| !utterance.text.is_empty())
        .collect()
}

fn moved(mut words: Vec<Word>, by_ms: u64) -> Vec<Word> {
    for word in &mut words {
        word.start_ms = word.start_ms.saturating_add(by_ms);
        word.end_ms = word.end_ms.saturating_add(by_ms);
    }
    words
}

/// Whitespace of any kind and length becomes one space, so that a cue cannot be ended early.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn track(
        speaker: &str,
        offset_ms: u64,
        segments: &[(u64, u64, &str)],
    ) -> TrackTranscript {
        let segments = segments
            .iter()
            .map(|&(start_ms, end_ms, text)| Segment {
                start_ms,
                end_ms,
                text: text.to_owned(),
                language: Some("en".to_owned()),
                ..Segment::default()
            })
            .collect();
        TrackTranscript {
            speaker: speaker.to_owned(),
            offset_ms,
            segments,
        }
    }

    #[test]
    fn txt_begins_a_new_block_ten_seconds_after_the_first_began() {
        let blocks = |start| {
            let segments = [(0, 9_000, "One."), (start, start + 500, "Two.")];
            let transcript = Transcript::merge(vec![track("Ada", 0, &segments)]);
            transcript.compacted(Compaction::default()).len()
        };
        assert_eq!((blocks(9_999), blocks(10_000)), (1, 2));
    }

    #[test]
    fn txt_pause_limit_is_exclusive() {
        let blocks = |start| {
            let segments = [(0, 1_000, "One."), (start, start + 500, "Two.")];
            let transcript = Transcript::merge(vec![track("Ada", 0, &segments)]);
            transcript.compacted(Compaction::default()).len()
        };
        assert_eq!((blocks(2_999), blocks(3_000)), (1, 2));
    }

    #[test]
    fn another_speaker_in_between_parts_the_blocks() {
        let transcript = Transcript::merge(vec![
            track("Ada", 0, &[(0, 1_000, "One."), (1_500, 2_000, "Three.")]),
            track("Bob", 0, &[(1_200, 1_300, "Two.")]),
        ]);
        assert_eq!(transcript.compacted(Compaction::default()).len(), 3);
    }

    #[test]
    fn the_language_is_the_one_most_was_said_in() {
        let in_language = |code: &str, start_ms, end_ms| Segment {
            start_ms,
            end_ms,
            text: "...".to_owned(),
            language: Some(code.to_owned()),
            ..Segment::default()
        };
        let mut ada = track("Ada", 0, &[(0, 1_000, "Hi.")]);
        ada.segments.push(in_language("es", 2_000, 5_000));
        let mut bob = track("Bob", 0, &[]);
        bob.segments.push(in_language("es", 6_000, 7_000));
        let transcript = Transcript::merge(vec![ada, bob]);
        assert_eq!(transcript.languages(), ["es", "en"]);
        assert_eq!(transcript.language(), "es");
        let blocks = transcript.compacted(Compaction::default());
        assert_eq!(blocks.len(), 3, "another language is another block");
        let empty = Transcript::merge(vec![track("Ada", 0, &[])]);
        assert_eq!((empty.language(), empty.is_empty()), ("en", true));
    }
}
