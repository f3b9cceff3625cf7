//! Which passwords are accepted when one is chosen.
//!
//! In: the password, the names of its owner, the least number of characters. Out: why not.
//! Length is what makes guessing dear; beside it only what a guesser tries first is refused. No
//! kinds of characters are demanded.
//! See: OWASP ASVS 2.1.1, 2.1.7, 2.1.9; NIST SP 800-63B 5.1.1.2.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::embedded::fault::Fault;

/// Longest unit whose repetition makes no password: `abcabcabcabc`.
const MAX_REPEATED: usize = 4;
/// A name of this many letters may not be part of the password at all; a shorter one may, as long
/// as enough is left without it.
const NAME_CHARS: usize = 4;
/// What must be left without a short name, in characters.
const WITHOUT_NAME: usize = 8;

/// What guessers try first, without digits and signs at the ends, in lower case.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("common.txt").lines();
    lines.filter(|line| !line.is_empty()).collect()
});

/// Checks a password that somebody chooses; `names` are the owner's user name and the like.
pub(in crate::embedded) fn check(
    password: &str,
    names: &[&str],
    min_chars: usize,
) -> Result<(), Fault> {
    if password.chars().count() < min_chars {
        return Err(Fault::invalid(
            "model.user.is_valid.pwd_min_length.app_error",
            format!("the password is too short: at least {min_chars} characters"),
        ));
    }
    let tidy: String = password.to_lowercase().split_whitespace().collect();
    let refuse = |why: &str| Err(Fault::invalid("model.user.is_valid.pwd.app_error", why));
    if is_common(&tidy) {
        return refuse("the password is one of those that are tried first: choose another");
    }
    if is_pattern(&tidy) {
        return refuse("the password is a row or a repetition: choose another");
    }
    if names.iter().any(|name| is_made_of(&tidy, name)) {
        return refuse("the password holds the user name: choose another");
    }
    Ok(())
}

fn is_common(tidy: &str) -> bool {
    let core = tidy.trim_matches(|c: char| !c.is_alphabetic());
    // `p4ssw0rd` is tried as soon as `password`
    let plain: String = core
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            c => c,
        })
        .collect();
    [tidy, core, &plain]
        .into_iter()
        .any(|form| COMMON.contains(form))
}

/// Whether it repeats a few characters or counts up or down.
fn is_pattern(tidy: &str) -> bool {
    let chars: Vec<char> = tidy.chars().collect();
    let repeats = (1..=MAX_REPEATED.min(chars.len())).any(|unit| {
        chars
            .iter()
            .zip(chars.iter().skip(unit))
            .all(|(a, b)| a == b)
    });
    let counts = |step: u32| {
        chars.iter().zip(chars.iter().skip(1)).all(|(a, b)| {
            let wraps = match step {
                1 => matches!((a, b), ('9', '0') | ('z', 'a')),
                _ => matches!((a, b), ('0', '9') | ('a', 'z')),
            };
            wraps || u32::from(*a).wrapping_add(step) == u32::from(*b)
        })
    };
    repeats || counts(1) || counts(u32::MAX)
}

fn is_made_of(tidy: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    if name.is_empty() || !tidy.contains(&name) {
        return false;
    }
    let rest = tidy.replace(&name, "").chars().count();
    name.chars().count() >= NAME_CHARS || rest < WITHOUT_NAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_guessers_try_first_is_refused() {
        let weak = [
            "password1234",
            "P4ssw0rd!!!!",
            "Password 2026",
            "administrator",
            "qwertyuiop12",
            "iloveyou2024!",
            "1qaz2wsx3edc",
            "aaaaaaaaaaaa",
            "abcabcabcabcab",
            "123456789012",
            "987654321098",
            "abcdefghijkl",
            "welcome12345",
            "Anna-is-great-1",
            "x.anna.berg.x",
            "benbenbenx12",
        ];
        for password in weak {
            let fault = check(password, &["anna", "ben"], 12).unwrap_err();
            assert_eq!(fault.id, "model.user.is_valid.pwd.app_error", "{password}");
        }
        let short = check("correct hor", &[], 12).unwrap_err();
        assert_eq!(short.id, "model.user.is_valid.pwd_min_length.app_error");
        assert!(short.message.contains("12"), "{}", short.message);
    }

    #[test]
    fn words_and_chance_are_accepted_in_every_script() {
        let good = [
            "correct horse",
            "another horse",
            "correct horse battery",
            "y7qk3mzo9x1p",
            "benefit of doubt",
            "шёл дождь весь день",
            "雨が一日中降っていましたね",
        ];
        for password in good {
            assert!(
                check(password, &["anna", "ben", ""], 12).is_ok(),
                "{password}"
            );
        }
    }
}
