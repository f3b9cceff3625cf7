//! Whether it was English what a model heard that takes everything for English.
//!
//! In: what it heard, and heard again a little later. Out: whether that was another language.
//! Not here: asking the model (`ear`).
//! Invariant: of few words nothing is concluded; who speaks English badly, or far from the microphone, is
//! written down.

use super::super::client::Heard;
use super::super::language::{difference, english_share, is_short, is_sparse};

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
pub(super) const ENOUGH_MS: u64 = 2_500;
/// Where the same speech begins when it is heard again, in milliseconds, and from which difference of its
/// words on (thousandths) it was another language. Of 22 windows of English, tiny.en heard at most 510
/// otherwise; of 11 windows of Spanish and Russian that it had words for, 750 at least in both,
/// but for one that has too few words of English.
pub(super) const AGAIN_FROM_MS: [u64; 2] = [600, 200];
const ANOTHER: u16 = 660;
const ENTIRELY: u16 = 900;
/// What is clearly English is believed for so long where somebody speaks English, in milliseconds of speech.
pub(super) const BELIEVED_FOR_MS: u64 = 60_000;

/// What hearings of the same speech say, of which each begins elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// Two have the same words: it was English.
    Alike,
    /// Each has other words.
    Unlike,
    TooLittle,
    /// Another hearing will tell.
    Open,
}

/// Compares the newest of two or three hearings with those before.
pub(super) fn compare(hearings: &[String]) -> Compared {
    let Some((again, before)) = hearings.split_last() else {
        return Compared::Open;
    };
    if hearings.iter().all(|one| is_short(one)) {
        return Compared::TooLittle;
    }
    let long = before
        .iter()
        .filter(|one| !(is_short(one) && is_short(again)));
    let least = long.map(|one| difference(one, again)).min();
    let is_last = before.len() == AGAIN_FROM_MS.len();
    // What was said first may be nothing at all, as of music: then both others must have words.
    let is_said = before.first().is_some_and(|first| !is_short(first))
        || hearings.iter().filter(|one| !is_short(one)).count() > 1;
    match least {
        Some(least) if least < ANOTHER => Compared::Alike,
        Some(least) if least >= ENTIRELY && is_said && !is_short(again) => Compared::Unlike,
        Some(_) | None if is_last && is_said => Compared::Unlike,
        Some(_) | None if is_last => Compared::TooLittle,
        Some(_) | None => Compared::Open,
    }
}

/// Whether a model heard so little of what English is full of, or was so unsure, that it was none.
pub(super) fn is_unlike(heard: &Heard, ms: u64) -> bool {
    let (text, sureness) = (heard.text(), sureness(heard));
    let is_unsure =
        sureness < UNSURE || (sureness < UNSURE_TOGETHER.0 && least(heard) < UNSURE_TOGETHER.1);
    is_unsure || common(&text) < UNCOMMON || is_sparse(&text, ms)
}

/// Whether English was heard beyond doubt.
pub(super) fn is_clear(heard: &Heard, ms: u64) -> bool {
    let text = heard.text();
    let is_full = !heard.phrases.is_empty() && !is_sparse(&text, ms);
    is_full && sureness(heard) >= SURE && common(&text) >= COMMON
}

/// Of a short text nothing is concluded.
fn common(text: &str) -> u16 {
    english_share(text).unwrap_or(1_000)
}

/// How sure a model was of a window, its long phrases counting more; 1000 of one without words.
pub(super) fn sureness(heard: &Heard) -> u16 {
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

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "you may end the test by hanging up or by pressing the pound key";
    const NEARLY: &str = "may end the test by hanging up or pressing the town key";
    const OTHER: &str = "and as the model the model is the best product for the product";
    const THIRD: &str = "I am going to show you how to do it";
    const COURTESY: &str = "Thank you very much.";

    fn compared(hearings: &[&str]) -> Compared {
        let hearings: Vec<String> = hearings.iter().map(|one| (*one).to_owned()).collect();
        compare(&hearings)
    }

    #[test]
    fn english_is_heard_alike_and_another_language_otherwise_each_time() {
        assert_eq!(compared(&[ENGLISH, NEARLY]), Compared::Alike);
        assert_eq!(compared(&[OTHER, THIRD]), Compared::Unlike);
        assert_eq!(compared(&[OTHER, ""]), Compared::Open);
        assert_eq!(compared(&[OTHER, "", OTHER]), Compared::Alike);
        assert_eq!(compared(&[OTHER, "", ""]), Compared::Unlike);
        assert_eq!(compared(&[OTHER, COURTESY, COURTESY]), Compared::Unlike);
        assert_eq!(compared(&["", ENGLISH]), Compared::Open);
        assert_eq!(compared(&["", ENGLISH, NEARLY]), Compared::Alike);
        assert_eq!(compared(&["", OTHER, THIRD]), Compared::Unlike);
    }

    #[test]
    fn of_few_words_and_of_noise_nothing_is_concluded() {
        assert_eq!(compared(&["Um, yes, okay.", "Yes."]), Compared::TooLittle);
        assert_eq!(compared(&[COURTESY, "", ""]), Compared::TooLittle);
        assert_eq!(compared(&["", OTHER, COURTESY]), Compared::TooLittle);
    }
}
