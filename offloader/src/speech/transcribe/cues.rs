//! Phrases cut to what can be read at once.
//!
//! In: a phrase as the model ended it, which may go over several sentences and a pause. Out: pieces that
//! begin and end where words do.
//! Invariant: no word is lost, changed or moved; a phrase whose words are not its text stays whole.

use crate::speech::transcript::Segment;
use crate::speech::wire::Word;

/// A pause between two words that parts them.
const PAUSE_MS: u64 = 1_000;
/// A piece this long ends with its sentence.
const SENTENCE_MS: u64 = 3_000;
/// And this long at a comma.
const CLAUSE_MS: u64 = 5_500;
/// And this long behind any word: two lines of subtitles, read in the time they stand there.
const LONGEST_MS: u64 = 7_000;

/// The pieces of a phrase, in order.
pub(super) fn cut(phrase: Segment) -> Vec<Segment> {
    let words: Vec<_> = phrase.words.iter().map(|word| word.text.as_str()).collect();
    if words.join(" ") != phrase.text.split_whitespace().collect::<Vec<_>>().join(" ") {
        return vec![phrase];
    }
    let mut pieces: Vec<Vec<Word>> = Vec::new();
    let Segment {
        start_ms,
        end_ms,
        language,
        sureness,
        words,
        ..
    } = phrase;
    for word in words {
        match pieces.last_mut() {
            Some(piece) if !parts(piece, &word) => piece.push(word),
            Some(_) | None => pieces.push(vec![word]),
        }
    }
    let count = pieces.len();
    let piece = |(index, words): (usize, Vec<Word>)| Segment {
        // The phrase's own ends are those of speech.
        start_ms: match words.first() {
            Some(first) if index > 0 => first.start_ms,
            Some(_) | None => start_ms,
        },
        end_ms: match words.last() {
            Some(last) if index + 1 < count => last.end_ms,
            Some(_) | None => end_ms,
        },
        text: joined(&words),
        language: language.clone(),
        sureness,
        words,
    };
    pieces.into_iter().enumerate().map(piece).collect()
}

/// Whether a piece ends before this word.
fn parts(piece: &[Word], next: &Word) -> bool {
    let (Some(first), Some(last)) = (piece.first(), piece.last()) else {
        return false;
    };
    let long = last.end_ms.saturating_sub(first.start_ms);
    let grown = next.end_ms.saturating_sub(first.start_ms);
    let ends = |marks: &[char]| last.text.ends_with(marks);
    next.start_ms.saturating_sub(last.end_ms) >= PAUSE_MS
        || long >= SENTENCE_MS && ends(&['.', '?', '!', '…'])
        || long >= CLAUSE_MS && ends(&[',', ';', ':'])
        || grown > LONGEST_MS
}

fn joined(words: &[Word]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words of 400 ms, 100 ms apart; a `_` is a pause of a second and a half.
    fn phrase(text: &str) -> Segment {
        let (mut at, mut words) = (1_000, Vec::new());
        for word in text.split_whitespace() {
            if word == "_" {
                at += 1_500;
                continue;
            }
            words.push(Word {
                start_ms: at,
                end_ms: at + 400,
                text: word.to_owned(),
                sureness: 900,
            });
            at += 500;
        }
        Segment {
            start_ms: 950,
            end_ms: at,
            text: joined(&words),
            language: Some("en".to_owned()),
            sureness: 900,
            words,
        }
    }

    fn texts(phrase: Segment) -> Vec<String> {
        cut(phrase).into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn sentences_and_pauses_part_what_the_model_joined() {
        let said = phrase("One two three four five six seven. Eight nine _ ten.");
        let pieces = cut(said.clone());
        let times: Vec<_> = pieces
            .iter()
            .map(|piece| (piece.start_ms, piece.end_ms))
            .collect();
        assert_eq!(times, [(950, 4_400), (4_500, 5_400), (7_000, 7_500)]);
        let wanted = ["One two three four five six seven.", "Eight nine", "ten."];
        assert_eq!(texts(said), wanted);
        assert_eq!(texts(phrase("Yes. No. Perhaps.")), ["Yes. No. Perhaps."]);
    }

    #[test]
    fn a_sentence_without_an_end_is_cut_after_seven_seconds() {
        let pieces = cut(phrase(&"word ".repeat(60)));
        assert_eq!(pieces.len(), 5);
        assert!(
            pieces
                .iter()
                .all(|piece| piece.end_ms - piece.start_ms <= LONGEST_MS)
        );
    }

    #[test]
    fn a_text_that_is_not_its_words_stays_whole() {
        let mut said = phrase(&"word ".repeat(60));
        said.words.pop();
        assert_eq!(cut(said.clone()), [said]);
    }

    proptest! {
        #[test]
        fn no_word_is_lost(words in prop::collection::vec("[a-z]{1,6}[.,]?|_", 0..80)) {
            let said = phrase(&words.join(" "));
            prop_assert_eq!(texts(said.clone()).join(" "), said.text);
        }
    }
}
