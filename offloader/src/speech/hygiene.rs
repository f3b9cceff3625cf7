//! What Whisper says that nobody said: dropped before anybody reads it.
//!
//! In: recognised text with its probabilities and the energy of its audio. Out: the text, or nothing.
//! Invariant: loud and probable speech passes unchanged, whatever its words are.

/// Above this probability of silence a segment needs confident words.
const NO_SPEECH_LIMIT: f32 = 0.6;
/// Mean log probability below which words are not confident.
const CONFIDENCE_LIMIT: f32 = -1.0;
/// Root mean square below which the well-known phrases of silence are not believed (-44 dBFS).
const QUIET: f32 = 0.006;
/// Root mean square below which nothing is believed (-66 dBFS).
const SILENT: f32 = 0.0005;

/// What models say when they hear nothing: endings of the videos they learnt from.
const PHRASES_OF_SILENCE: &[&str] = &[
    "you",
    "thank you",
    "thanks for watching",
    "thank you for watching",
    "thank you very much",
    "please subscribe",
    "like and subscribe",
    "subtitles by the amara org community",
    "bye",
    "the end",
];

/// A piece of recognised text and how sure the model was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) text: &'a str,
    pub(super) no_speech: f32,
    pub(super) log_probability: f32,
    pub(super) energy: f32,
}

/// The text to keep, if it is believed.
pub(super) fn believed(candidate: Candidate<'_>) -> Option<String> {
    let Candidate {
        text,
        no_speech,
        log_probability,
        energy,
    } = candidate;
    let unsure = no_speech > NO_SPEECH_LIMIT && log_probability < CONFIDENCE_LIMIT;
    let text = without_stage_directions(text);
    let bare = bare(&text);
    let silence_phrase = energy < QUIET && PHRASES_OF_SILENCE.contains(&bare.as_str());
    if unsure || energy < SILENT || bare.is_empty() || silence_phrase {
        return None;
    }
    Some(collapse_repeats(&text))
}

/// Leaves out `[BLANK_AUDIO]`, `(music)`, `*sighs*` and notes: descriptions, not words.
fn without_stage_directions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut closing = None;
    for character in text.chars() {
        match (closing, character) {
            (None, '[') => closing = Some(']'),
            (None, '(') => closing = Some(')'),
            (None, '*') => closing = Some('*'),
            (None, '♪') => {}
            (None, other) => out.push(other),
            (Some(end), other) if other == end => closing = None,
            (Some(_), _) => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lower case letters and digits with single spaces.
fn bare(text: &str) -> String {
    let letters: String = text
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .flat_map(char::to_lowercase)
        .collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A decoder caught in a loop says a phrase three times and more; people do that with one word
/// only, so a single word needs five times.
fn collapse_repeats(text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    for length in 1..=words.len() / 3 {
        let limit = if length == 1 { 5 } else { 3 };
        let mut at = 0;
        while at + length <= words.len() {
            let times = repeats(&words, at, length);
            if times >= limit {
                words.drain(at + length..at + times * length);
            }
            at += 1;
        }
    }
    words.join(" ")
}

/// A decoder that has heard everything and is not stopped may begin again: `Thank you. We have
/// paid. Thank`. Leaves out an end that repeats the beginning after a full stop.
pub(super) fn without_restart(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let longest = words.len() / 2;
    let restart = (1..=longest).rev().find(|&length| {
        let (before, end) = words.split_at(words.len() - length);
        let stopped = before
            .last()
            .is_some_and(|word| word.ends_with(['.', '?', '!']));
        stopped && words.get(..length).is_some_and(|start| same(start, end))
    });
    words
        .get(..words.len() - restart.unwrap_or(0))
        .unwrap_or_default()
        .join(" ")
}

fn repeats(words: &[&str], at: usize, length: usize) -> usize {
    let Some(rest) = words.get(at..) else {
        return 0;
    };
    let mut phrases = rest.chunks_exact(length);
    let Some(first) = phrases.next() else {
        return 0;
    };
    1 + phrases.take_while(|phrase| same(phrase, first)).count()
}

fn same(one: &[&str], other: &[&str]) -> bool {
    one.iter().zip(other).all(|(a, b)| bare(a) == bare(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loud(text: &str) -> Candidate<'_> {
        Candidate {
            text,
            no_speech: 0.1,
            log_probability: -0.3,
            energy: 0.05,
        }
    }

    #[test]
    fn speech_passes_unchanged() {
        let text = "Thank you for watching the clock, it is 10:30. No, no, no!";
        assert_eq!(believed(loud(text)).unwrap(), text);
        assert_eq!(believed(loud("Thank you.")).unwrap(), "Thank you.");
    }

    #[test]
    fn phrases_of_silence_need_sound() {
        let quiet = |text| Candidate {
            energy: 0.002,
            ..loud(text)
        };
        assert_eq!(believed(quiet(" Thanks for watching!")), None);
        assert_eq!(believed(quiet("Good morning")).unwrap(), "Good morning");
        assert_eq!(
            believed(Candidate {
                energy: 0.0001,
                ..loud("Good morning")
            }),
            None
        );
    }

    #[test]
    fn an_unsure_model_on_silence_is_not_believed() {
        let unsure = Candidate {
            no_speech: 0.7,
            log_probability: -1.2,
            ..loud("Hello")
        };
        assert_eq!(believed(unsure), None);
        assert!(
            believed(Candidate {
                log_probability: -0.5,
                ..unsure
            })
            .is_some()
        );
    }

    #[test]
    fn stage_directions_are_not_words() {
        assert_eq!(believed(loud("[BLANK_AUDIO]")), None);
        assert_eq!(
            believed(loud("(upbeat music) Hello ♪ *laughs* there")).unwrap(),
            "Hello there"
        );
        assert_eq!(believed(loud(" . ")), None);
    }

    #[test]
    fn loops_collapse_to_one() {
        let text = "So I think I think, I think I think we can go go go go go go now.";
        assert_eq!(believed(loud(text)).unwrap(), "So I think we can go now.");
    }

    #[test]
    fn a_second_beginning_is_left_out() {
        assert_eq!(
            without_restart("Thank you. We have paid. Thank"),
            "Thank you. We have paid."
        );
        assert_eq!(
            without_restart("Good day, all. Good day, all"),
            "Good day, all."
        );
        assert_eq!(without_restart("I know what I know"), "I know what I know");
        assert_eq!(without_restart("Yes"), "Yes");
    }

    proptest! {
        #[test]
        fn any_text_is_handled(text in ".{0,80}") {
            let _ = (believed(loud(&text)), without_restart(&text));
        }
    }
}
