//! How a transcript is written: WebVTT, plain text, SRT and JSON.
//!
//! In: a transcript. Out: the text of a file.
//! Invariant: no name or word can break out of its cue. Where more than one language was heard, or
//! speech that nobody could understand, the file says so, and so of what nobody heard.
//! See: WebVTT (W3C), sections 4 and 5.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Compaction, Missing, Transcript, Utterance, one_line};
use crate::speech::language;

/// The times of words are the model's: the last before a gap may begin so much behind the last sound.
const LATE_MS: u64 = 1_000;

impl Transcript {
    /// The WebVTT file. With `omit_speaker` cues hold the text only.
    #[must_use]
    pub fn to_vtt(&self, omit_speaker: bool) -> String {
        let mut out = "WEBVTT\n".to_owned();
        if let Some(note) = self.about_languages() {
            write!(out, "\nNOTE {note}\n").expect("writing to a string cannot fail");
        }
        for missing in &self.missing {
            let (when, what) = (missing.when().replace("->", "to"), missing.what());
            // An arrow would end the note.
            let what = what.replace("-->", "->");
            write!(out, "\nNOTE {when}: {what}\n").expect("writing to a string cannot fail");
        }
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
        let missing = self.missing.iter().map(|missing| {
            let block = format!("{}\n[{}]\n", missing.when(), missing.what());
            let place = missing.start_ms.saturating_add(LATE_MS);
            (place.min(missing.end_ms.unwrap_or(u64::MAX)), block)
        });
        let said = self.compacted(compaction);
        let said = said.iter().map(|block| {
            let (start, end) = (block_time(block.start_ms), block_time(block.end_ms));
            let speaker = one_line(&block.speaker);
            let text = format!("{start} -> {end}\n{speaker}\n{}\n", block.text);
            (block.start_ms, text)
        });
        let mut blocks: Vec<_> = said.chain(missing).collect();
        blocks.sort_by_key(|(start_ms, _)| *start_ms);
        let blocks = blocks.into_iter().map(|(_, block)| block);
        let note = self.about_languages().map(|note| format!("{note}\n"));
        blocks.chain(note).collect::<Vec<_>>().join("\n")
    }

    /// The SubRip file, for players that read no WebVTT.
    #[must_use]
    pub fn to_srt(&self) -> String {
        let cues = (1..).zip(&self.utterances).map(|(number, utterance)| {
            let time = |ms| cue_time(ms).replace('.', ",");
            let (start, end) = (time(utterance.start_ms), time(utterance.end_ms));
            // `-->` would begin another cue; SRT has no escape.
            let line = format!("{}: {}", one_line(&utterance.speaker), utterance.text);
            format!(
                "{number}\n{start} --> {end}\n{}\n",
                line.replace("-->", "->")
            )
        });
        cues.collect::<Vec<_>>().join("\n")
    }

    /// Everything that is known, for programs: times in ms, confidences from 0 to 1.
    ///
    /// ```json
    /// {"version": 1, "languages": ["en"], "model": "base", "utterances": [
    ///   {"speaker": "Ada", "start_ms": 500, "end_ms": 900, "language": "en", "confidence": 0.93,
    ///    "text": "Hello.", "words": [{"start_ms": 500, "end_ms": 900, "confidence": 0.93, "text": "Hello."}]}],
    ///  "missing": [{"start_ms": 1000, "end_ms": 2000, "why": "..."}]}
    /// ```
    /// `missing` is there when something was not heard; its `end_ms` is null when nothing was from there on.
    #[must_use]
    pub fn to_json(&self, model: &str) -> String {
        let utterances = self.utterances.iter().map(UtteranceJson::of).collect();
        let whole = TranscriptJson {
            version: 1,
            languages: &self.languages,
            model,
            utterances,
            missing: self.missing.iter().map(MissingJson::of).collect(),
        };
        serde_json::to_string(&whole).expect("strings and numbers can be written")
    }

    /// A sentence about the languages, where there is something to tell.
    fn about_languages(&self) -> Option<String> {
        let names: Vec<_> = self
            .languages
            .iter()
            .map(|code| language::name(code))
            .collect();
        let not_understood = self.utterances.iter().any(|said| said.language.is_none());
        let heard = (names.len() > 1).then(|| format!("Languages: {}.", names.join(", ")));
        let gaps = not_understood.then(|| "Some speech was not understood.".to_owned());
        let sentences: Vec<_> = heard.into_iter().chain(gaps).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

#[derive(Serialize)]
struct TranscriptJson<'a> {
    version: u32,
    languages: &'a [String],
    model: &'a str,
    utterances: Vec<UtteranceJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<MissingJson<'a>>,
}

#[derive(Serialize)]
struct MissingJson<'a> {
    start_ms: u64,
    end_ms: Option<u64>,
    why: &'a str,
}

impl<'a> MissingJson<'a> {
    fn of(missing: &'a Missing) -> Self {
        Self {
            start_ms: missing.start_ms,
            end_ms: missing.end_ms,
            why: &missing.why,
        }
    }
}

impl Missing {
    fn when(&self) -> String {
        let start = block_time(self.start_ms);
        match self.end_ms {
            Some(end_ms) => format!("{start} -> {}", block_time(end_ms)),
            None => start,
        }
    }

    fn what(&self) -> String {
        let why = one_line(&self.why);
        if self.end_ms.is_some() {
            format!("Nothing was heard here: {why}.")
        } else {
            format!("Nothing was heard from here on: {why}.")
        }
    }
}

#[derive(Serialize)]
struct UtteranceJson<'a> {
    speaker: &'a str,
    start_ms: u64,
    end_ms: u64,
    language: Option<&'a str>,
    confidence: f64,
    text: &'a str,
    words: Vec<WordJson<'a>>,
}

#[derive(Serialize)]
struct WordJson<'a> {
    start_ms: u64,
    end_ms: u64,
    confidence: f64,
    text: &'a str,
}

impl<'a> UtteranceJson<'a> {
    fn of(said: &'a Utterance) -> Self {
        let words = said.words.iter().map(|word| WordJson {
            start_ms: word.start_ms,
            end_ms: word.end_ms,
            confidence: share(word.sureness),
            text: &word.text,
        });
        Self {
            speaker: &said.speaker,
            start_ms: said.start_ms,
            end_ms: said.end_ms,
            language: said.language.as_deref(),
            confidence: share(said.sureness),
            text: &said.text,
            words: words.collect(),
        }
    }
}

fn share(thousandths: u16) -> f64 {
    f64::from(thousandths) / 1_000.0
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
    use super::super::tests::track;
    use super::*;
    use crate::speech::wire::Word;

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
    fn srt_has_numbers_commas_and_no_second_arrow() {
        let transcript = Transcript::merge(vec![track(
            "Ada -->",
            500,
            &[(0, 1_500, "Good morning."), (3_000, 4_000, "A --> B")],
        )]);
        assert_eq!(
            transcript.to_srt(),
            "1\n00:00:00,500 --> 00:00:02,000\nAda ->: Good morning.\n\n\
             2\n00:00:03,500 --> 00:00:04,500\nAda ->: A -> B\n"
        );
    }

    #[test]
    fn json_holds_words_with_their_times_and_how_sure_they_are() {
        let mut ada = track("Ada", 1_000, &[(0, 900, "Hi \"you\"")]);
        ada.segments[0].sureness = 870;
        ada.segments[0].words = vec![Word {
            start_ms: 100,
            end_ms: 300,
            text: "Hi".to_owned(),
            sureness: 912,
        }];
        let json = Transcript::merge(vec![ada]).to_json("base");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            read,
            serde_json::json!({ "version": 1, "languages": ["en"], "model": "base", "utterances": [{
                "speaker": "Ada", "start_ms": 1000, "end_ms": 1900, "language": "en",
                "confidence": 0.87, "text": "Hi \"you\"",
                "words": [{ "start_ms": 1100, "end_ms": 1300, "confidence": 0.912, "text": "Hi" }]
            }] })
        );
    }

    #[test]
    fn several_languages_and_gaps_are_told_in_every_file() {
        let mut ada = track(
            "Ada",
            0,
            &[
                (0, 2_000, "Hi."),
                (3_000, 4_000, "Hola."),
                (5_000, 9_000, "[not understood]"),
            ],
        );
        ada.segments[1].language = Some("es".to_owned());
        ada.segments[2].language = None;
        let transcript = Transcript::merge(vec![ada]);
        let told = "Languages: English, Spanish. Some speech was not understood.";
        assert!(
            transcript
                .to_vtt(false)
                .starts_with(&format!("WEBVTT\n\nNOTE {told}\n\n00:"))
        );
        let txt = transcript.to_txt(Compaction::default());
        assert!(txt.ends_with(&format!("\n\n{told}\n")), "{txt}");
        assert!(transcript.to_json("base").contains(r#""language":null"#));
    }

    #[test]
    fn what_nobody_heard_is_told_in_its_place() {
        let transcript = Transcript::merge(vec![
            track("Ada", 0, &[(500, 900, "one")]),
            track("Ada", 0, &[(8_000, 9_000, "two")]),
        ]);
        let missing = |start_ms, end_ms, why: &str| Missing {
            start_ms,
            end_ms,
            why: why.to_owned(),
        };
        let transcript = transcript.without(vec![
            missing(3_000, Some(7_000), "it --> died"),
            missing(61_000, None, "the disk is full"),
        ]);
        let text = "00:00:01 -> 00:00:01\nAda\none\n\n\
            00:00:03 -> 00:00:07\n[Nothing was heard here: it --> died.]\n\n\
            00:00:08 -> 00:00:09\nAda\ntwo\n\n\
            00:01:01\n[Nothing was heard from here on: the disk is full.]\n";
        assert_eq!(transcript.to_txt(Compaction::default()), text);
        let head = "WEBVTT\n\nNOTE 00:00:03 to 00:00:07: Nothing was heard here: it -> died.\n\n\
            NOTE 00:01:01: Nothing was heard from here on: the disk is full.\n\n00:00:00.500 --> ";
        let vtt = transcript.to_vtt(false);
        assert!(vtt.starts_with(head), "{vtt}");
        let json: serde_json::Value = serde_json::from_str(&transcript.to_json("base")).unwrap();
        let expected = serde_json::json!([
            { "start_ms": 3_000, "end_ms": 7_000, "why": "it --> died" },
            { "start_ms": 61_000, "end_ms": null, "why": "the disk is full" },
        ]);
        assert_eq!(json["missing"], expected);
    }

    #[test]
    fn words_whose_time_lies_a_little_behind_the_last_sound_stand_before_the_gap() {
        let late = Transcript::merge(vec![track(
            "Ada",
            0,
            &[
                (500, 900, "one"),
                (3_010, 3_100, "two"),
                (7_000, 7_900, "three"),
                (12_010, 12_020, "four"),
            ],
        )]);
        let gap = |start_ms, end_ms| Missing {
            start_ms,
            end_ms,
            why: "it died".to_owned(),
        };
        let text = late.without(vec![gap(3_000, Some(7_000)), gap(12_000, None)]);
        let text = text.to_txt(Compaction::default());
        let order = ["one", "two", "heard here", "three", "four", "from here on"];
        let places = order.map(|words| text.find(words).unwrap());
        assert!(places.is_sorted(), "{text}");
    }
}
