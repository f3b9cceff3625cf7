//! The transcript of a call: who said what and when, as WebVTT and as plain text.
//!
//! In: the segments of every track with the speaker's name. Out: cues merged by start time, and
//! text blocks in which close segments of one speaker are joined.
//! Not here: recognising speech (`transcribe`), storing and uploading.
//! Invariant: a cue's text is one line, and no name or word can break out of its cue.
//! See: WebVTT (W3C), sections 4 and 5.

use std::fmt::Write as _;

/// One piece of recognised speech; times in ms since the beginning of the audio it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub start_ms: u64,
    pub end_ms: u64,
    pub text: String,
}

/// What one track said. `offset_ms` is where its audio begins on the timeline of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackTranscript {
    /// Display name of the participant.
    pub speaker: String,
    /// ISO 639-1 code as heard, `None` when nothing was said.
    pub language: Option<String>,
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

/// The speech of a whole call in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    utterances: Vec<Utterance>,
    language: String,
}

impl Transcript {
    /// Merges tracks by start time; what overlaps stays as overlapping cues. Empty segments vanish.
    /// The language is the first track's (in the order given) that has one, else `en`.
    #[must_use]
    pub fn merge(tracks: Vec<TrackTranscript>) -> Self {
        let language = tracks
            .iter()
            .filter(|track| !track.segments.is_empty())
            .find_map(|track| track.language.clone())
            .unwrap_or_else(|| "en".to_owned());
        let mut utterances: Vec<_> = tracks.into_iter().flat_map(utterances_of).collect();
        utterances.sort_by_key(|utterance| (utterance.start_ms, utterance.end_ms));
        Self {
            utterances,
            language,
        }
    }

    /// In order of start time.
    #[must_use]
    pub fn utterances(&self) -> &[Utterance] {
        &self.utterances
    }

    /// ISO 639-1 code, never empty.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Whether nobody said anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.utterances.is_empty()
    }

    /// The WebVTT file. With `omit_speaker` cues hold the text only.
    #[must_use]
    pub fn to_vtt(&self, omit_speaker: bool) -> String {
        let mut out = "WEBVTT\n".to_owned();
        for utterance in &self.utterances {
            let (start, end) = (cue_time(utterance.start_ms), cue_time(utterance.end_ms));
            let text = escape(&utterance.text);
            let written = if omit_speaker {
                writeln!(out, "\n{start} --> {end}\n{text}")
            } else {
                let name = voice_name(&utterance.speaker);
                writeln!(out, "\n{start} --> {end}\n<v {name}>({name}) {text}")
            };
            written.expect("writing to a string cannot fail");
        }
        out
    }

    /// The plain text file: blocks of time span, speaker and text, parted by blank lines.
    #[must_use]
    pub fn to_txt(&self, compaction: Compaction) -> String {
        let blocks: Vec<_> = self
            .compacted(compaction)
            .iter()
            .map(|block| {
                let (start, end) = (block_time(block.start_ms), block_time(block.end_ms));
                format!(
                    "{start} -> {end}\n{}\n{}\n",
                    one_line(&block.speaker),
                    block.text
                )
            })
            .collect();
        blocks.join("\n")
    }

    fn compacted(&self, rules: Compaction) -> Vec<Utterance> {
        let mut blocks: Vec<Utterance> = Vec::new();
        for next in &self.utterances {
            if let Some(block) = blocks.last_mut()
                && block.speaker == next.speaker
                && next.start_ms.saturating_sub(block.end_ms) < rules.silence_threshold_ms
                && next.start_ms.saturating_sub(block.start_ms) < rules.max_segment_duration_ms
            {
                block.end_ms = block.end_ms.max(next.end_ms);
                block.text.push(' ');
                block.text.push_str(&next.text);
            } else {
                blocks.push(next.clone());
            }
        }
        blocks
    }
}

fn utterances_of(track: TrackTranscript) -> Vec<Utterance> {
    let TrackTranscript {
        speaker,
        offset_ms,
        segments,
        ..
    } = track;
    segments
        .into_iter()
        .map(|segment| Utterance {
            speaker: speaker.clone(),
            start_ms: offset_ms.saturating_add(segment.start_ms),
            end_ms: offset_ms.saturating_add(segment.end_ms.max(segment.start_ms)),
            text: one_line(&segment.text),
        })
        .filter(|utterance| !utterance.text.is_empty())
        .collect()
}

/// `HH:MM:SS.mmm`.
fn cue_time(ms: u64) -> String {
    let seconds = ms / 1000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        ms % 1000
    )
}

/// `HH:MM:SS`. Rounded before it is split, so that 59.6 s is a minute and never second 60.
fn block_time(ms: u64) -> String {
    let seconds = ms.saturating_add(500) / 1000;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Whitespace of any kind and length becomes one space, so that a cue cannot be ended early.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The five characters of HTML that matter, as the reference service writes them.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// The name inside a voice tag: letters and digits of any script, space, `.`, `-` and `_`.
fn voice_name(speaker: &str) -> String {
    let kept: String = one_line(speaker)
        .chars()
        .filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_'))
        .collect();
    one_line(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(speaker: &str, offset_ms: u64, segments: &[(u64, u64, &str)]) -> TrackTranscript {
        let segments = segments
            .iter()
            .map(|&(start_ms, end_ms, text)| Segment {
                start_ms,
                end_ms,
                text: text.to_owned(),
            })
            .collect();
        TrackTranscript {
            speaker: speaker.to_owned(),
            language: Some("en".into()),
            offset_ms,
            segments,
        }
    }

    #[test]
    fn vtt_merges_tracks_by_start_and_names_the_speaker() {
        let transcript = Transcript::merge(vec![
            track(
                "Ada Lovelace",
                500,
                &[(0, 1_500, " Good\nmorning. "), (3_000, 4_000, "Yes.")],
            ),
            track(
                "Bob",
                1_000,
                &[(250, 3_661_001, "Hello <all> & \"you\", it's me")],
            ),
        ]);
        assert_eq!(
            transcript.to_vtt(false),
            "WEBVTT\n\n\
             00:00:00.500 --> 00:00:02.000\n<v Ada Lovelace>(Ada Lovelace) Good morning.\n\n\
             00:00:01.250 --> 01:01:02.001\n<v Bob>(Bob) Hello &lt;all&gt; &amp; &#34;you&#34;, it&#39;s me\n\n\
             00:00:03.500 --> 00:00:04.500\n<v Ada Lovelace>(Ada Lovelace) Yes.\n"
        );
    }

    #[test]
    fn vtt_without_speakers_holds_text_only() {
        let transcript = Transcript::merge(vec![track("A", 0, &[(0, 10, "Hi")])]);
        assert_eq!(
            transcript.to_vtt(true),
            "WEBVTT\n\n00:00:00.000 --> 00:00:00.010\nHi\n"
        );
    }

    #[test]
    fn voice_names_keep_letters_of_every_script_and_lose_markup() {
        assert_eq!(
            voice_name("Zoë  <v> (Ж) 山田-x_y.z\n--> "),
            "Zoë v Ж 山田-x_y.z --"
        );
    }

    #[test]
    fn txt_joins_close_segments_of_one_speaker() {
        let transcript = Transcript::merge(vec![
            track(
                "Ada",
                0,
                &[
                    (0, 1_000, "One."),
                    (2_999, 3_500, "Two."),
                    (5_500, 6_000, "Three."),
                ],
            ),
            track("Bob", 0, &[(59_600, 61_400, "Late.")]),
        ]);
        assert_eq!(
            transcript.to_txt(Compaction::default()),
            "00:00:00 -> 00:00:04\nAda\nOne. Two.\n\n\
             00:00:06 -> 00:00:06\nAda\nThree.\n\n\
             00:01:00 -> 00:01:01\nBob\nLate.\n"
        );
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
    fn language_is_the_first_heard_and_english_when_nothing_was_said() {
        let mut silent = track("Ada", 0, &[]);
        silent.language = Some("fr".into());
        let mut spanish = track("Bob", 0, &[(0, 1, "Hola")]);
        spanish.language = Some("es".into());
        assert_eq!(
            Transcript::merge(vec![silent.clone(), spanish]).language(),
            "es"
        );
        let empty = Transcript::merge(vec![silent]);
        assert_eq!((empty.language(), empty.is_empty()), ("en", true));
        assert_eq!(
            (
                empty.to_vtt(false).as_str(),
                empty.to_txt(Compaction::default()).as_str()
            ),
            ("WEBVTT\n", "")
        );
    }
}
