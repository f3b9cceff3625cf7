//! What people call themselves, as it is shown.
//!
//! In: names, of any signs. Out: their letters, and initials. Pure.
//! Invariant: signs that control, or turn the direction of what follows, are left out.

use unicode_segmentation::UnicodeSegmentation;

/// Letters of a text that are looked at: more fit into no tile.
const MOST_LETTERS: usize = 120;
/// Signs of one letter: a family of four with the colours of their skins has eleven.
const MOST_SIGNS: usize = 12;

/// A name without what is no letter of it: control signs, signs that turn the direction of what
/// follows, more than one space, and marks heaped upon one letter.
#[must_use]
pub fn tidy(name: &str) -> String {
    let shown = |c: &char| {
        !matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
            && (!c.is_control() || c.is_whitespace())
    };
    let kept: String = name
        .chars()
        .take(MOST_LETTERS * MOST_SIGNS)
        .filter(shown)
        .collect();
    let words: Vec<&str> = kept.split_whitespace().collect();
    let letters = words.join(" ");
    letters
        .graphemes(true)
        .take(MOST_LETTERS)
        .flat_map(|letter| letter.chars().take(MOST_SIGNS))
        .collect()
}

/// The first letters of the first and the last word of a name, as the page shows them; of words
/// without a letter only where there are no others.
#[must_use]
pub fn initials(name: &str) -> String {
    let name = tidy(name);
    let plain = match name.rfind('(') {
        Some(bracket) if bracket > 0 && name.ends_with(')') => name.split_at(bracket).0,
        Some(_) | None => name.as_str(),
    };
    let words = plain.split([' ', '.', '_', '-']);
    let mut words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    if words.iter().any(|word| starts_with_letter(word)) {
        words.retain(|word| starts_with_letter(word));
    }
    let letter = |word: &&str| {
        let letter = word.graphemes(true).next().unwrap_or_default();
        letter.to_uppercase()
    };
    match words.as_slice() {
        [] => "?".to_owned(),
        [only] => letter(only),
        [first, .., last] => format!("{}{}", letter(first), letter(last)),
    }
}

fn starts_with_letter(word: &str) -> bool {
    word.starts_with(char::is_alphanumeric)
}
