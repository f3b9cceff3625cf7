//! Word error rate between a known text and a recognised one.
//!
//! Both are spelt the same way first: Whisper writes `$42,000`, `10%` and `Alright` where a text
//! says "forty two thousand dollars", "ten percent" and "all right".

/// Words that differ, as a share of the reference: substitutions, insertions and deletions.
pub(crate) fn rate(reference: &str, heard: &str) -> f64 {
    let (reference, heard) = (words(reference), words(heard));
    strsim::generic_levenshtein(&reference, &heard) as f64 / reference.len().max(1) as f64
}

/// Lower-case words without punctuation, numbers and signs spelt out.
pub(crate) fn words(text: &str) -> Vec<String> {
    let text = text
        .to_lowercase()
        .replace("e-mail", "email")
        .replace("e mail", "email");
    let mut out = Vec::new();
    for token in text.split(|c: char| c.is_whitespace() || matches!(c, '-' | '/' | '…')) {
        let token = token.replace("...", " ");
        for part in token.split_whitespace() {
            spell(part, &mut out);
        }
    }
    out
}

fn spell(token: &str, out: &mut Vec<String>) {
    let dollars = token.starts_with('$');
    let percent = token
        .trim_end_matches(['.', ',', ';', '?', '!'])
        .ends_with('%');
    let kept: String = token.chars().filter(|c| c.is_alphanumeric()).collect();
    let figure = kept
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| kept.parse::<u64>().ok())
        .flatten()
        .filter(|figure| *figure < 1_000_000_000);
    match (kept.as_str(), figure) {
        ("", _) => {}
        ("alright", _) => out.extend(["all", "right"].map(str::to_owned)),
        ("ok", _) => out.push("okay".to_owned()),
        ("voicemail", _) => out.extend(["voice", "mail"].map(str::to_owned)),
        (_, Some(figure)) => {
            number(figure, out);
            if dollars {
                out.push("dollars".to_owned());
            }
            if percent {
                out.push("percent".to_owned());
            }
        }
        (word, None) => out.push(word.to_owned()),
    }
}

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

fn number(value: u64, out: &mut Vec<String>) {
    for (unit, name) in [
        (1_000_000, "million"),
        (1_000, "thousand"),
        (100, "hundred"),
    ] {
        if value >= unit {
            number(value / unit, out);
            out.push(name.to_owned());
            if !value.is_multiple_of(unit) {
                number(value % unit, out);
            }
            return;
        }
    }
    let name = |names: &[&str], at: u64| {
        let at = usize::try_from(at).unwrap_or(0);
        names
            .get(at)
            .map_or(String::new(), |name| (*name).to_owned())
    };
    if value < 20 {
        out.push(name(&SMALL, value));
        return;
    }
    out.push(name(&TENS, value / 10));
    if !value.is_multiple_of(10) {
        number(value % 10, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_text_are_equal() {
        let said = "All right, forty two thousand dollars is ten percent of the e-mail budget for 2 people.";
        let written = "Alright, $42,000 is 10% of the email budget for two people";
        assert_eq!(words(said), words(written));
        assert_eq!(
            words("1,305"),
            ["one", "thousand", "three", "hundred", "five"]
        );
    }

    #[test]
    fn every_kind_of_error_counts_once() {
        assert!((rate("a b c d", "a x c d") - 0.25).abs() < 1e-9);
        assert!((rate("a b c d", "a c d") - 0.25).abs() < 1e-9);
        assert!((rate("a b c d", "a b b c d") - 0.25).abs() < 1e-9);
    }
}
