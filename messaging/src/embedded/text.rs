//! Names that people give: what they may hold, and the one form in which they are kept.
//!
//! In: what somebody typed. Out: the same name with plain spaces, or why it is refused.
//! A name stands between other words everywhere. Characters that turn the direction of the text
//! around it, hide, or draw nothing let one name look like another or swallow what follows.
//! Not here: messages, which a client shows on their own.
//! See: Unicode TR 36 and 39; CVE-2021-42574.

/// A character that may not stand in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it holds the invisible character U+{:04X}: names have no control characters and none that \
     change the direction of text", u32::from(*.0)
)]
pub(super) struct Invisible(pub(super) char);

/// Trims a name and makes every run of white space one space.
///
/// # Errors
/// When it holds a character that is not seen.
pub(super) fn tidy_name(text: &str) -> Result<String, Invisible> {
    let mut tidy = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !tidy.is_empty() {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    // Joiners are part of words in Persian, in the scripts of India and in emoji, but only
    // between two other characters.
    let is_joiner = |c: char| matches!(c, '\u{200c}' | '\u{200d}');
    let at_an_edge = tidy
        .split(' ')
        .flat_map(|word| [word.chars().next(), word.chars().next_back()])
        .flatten()
        .find(|c| is_joiner(*c));
    match at_an_edge.or_else(|| tidy.chars().find(|c| is_unseen(*c))) {
        Some(unseen) => Err(Invisible(unseen)),
        None => Ok(tidy),
    }
}

/// Checks a text of several lines, such as the header of a room.
///
/// # Errors
/// When it holds a character that is not seen.
pub(super) fn check_lines(text: &str) -> Result<(), Invisible> {
    let unseen = |c: &char| is_unseen(*c) && !matches!(c, '\n' | '\r' | '\t');
    text.chars()
        .find(unseen)
        .map_or(Ok(()), |c| Err(Invisible(c)))
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // soft hyphen, grapheme joiner, Arabic letter mark, fillers of Hangul and Khmer
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            // Mongolian vowel separator, zero-width space, marks of direction
            | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            // line and paragraph separators, embeddings and overrides of direction
            | '\u{2028}'..='\u{202e}'
            // word joiner, invisible operators, isolates, deprecated format characters
            | '\u{2060}'..='\u{206f}'
            // Braille blank, Hangul fillers, byte order mark, interlinear annotation
            | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            // shorthand and musical format controls, tags
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_words_and_loses_odd_spaces() {
        assert_eq!(
            tidy_name("  Anna \u{a0}\t\u{3000} Berg \n").unwrap(),
            "Anna Berg"
        );
        assert_eq!(tidy_name(" ").unwrap(), "");
    }

    #[test]
    fn names_of_all_scripts_are_names() {
        let names = [
            "Zoë Ångström",
            "محمد الأمين",
            "אברהם כהן",
            "क्षितिज शर्मा",
            "می\u{200c}خواهم",
            "ශ්\u{200d}රී ලංකා",
            "สมชาย",
            "山田太郎",
            "👩\u{200d}💻 Ada",
            "O'Brien-Łukasz",
        ];
        for name in names {
            assert_eq!(tidy_name(name).as_deref(), Ok(name));
        }
    }

    #[test]
    fn what_turns_or_hides_text_is_no_name() {
        let turned = [
            '\u{202e}',
            '\u{202a}',
            '\u{2066}',
            '\u{2069}',
            '\u{200e}',
            '\u{200f}',
            '\u{61c}',
            '\u{200b}',
            '\u{feff}',
            '\u{ad}',
            '\u{3164}',
            '\u{2800}',
            '\u{e0041}',
            '\0',
            '\u{7f}',
            '\u{85}',
            '\u{1b}',
        ];
        for c in turned {
            // white space that is a control character is made a space instead
            if !c.is_whitespace() {
                assert_eq!(tidy_name(&format!("An{c}na")), Err(Invisible(c)), "{c:?}");
            }
            assert!(check_lines(&format!("a\n{c}")).is_err(), "{c:?}");
        }
        assert_eq!(tidy_name("\u{200d}Anna"), Err(Invisible('\u{200d}')));
        assert_eq!(tidy_name("Anna \u{200c} Berg"), Err(Invisible('\u{200c}')));
        assert_eq!(check_lines("first line\n\tsecond line"), Ok(()));
        let text = Invisible('\u{202e}').to_string();
        assert!(text.contains("U+202E"), "{text}");
    }
}
