//! What somebody typed into the search, taken apart.
//!
//! `word`, `"words side by side"`, `-word`, `from:name`, `in:channel`, `before:`, `after:` and
//! `on:` with a day such as `2026-11-28`. Values may stand behind a space or in quotes.

use time::{Date, Month};

use super::Term;
use crate::embedded::fault::Fault;

/// Longest text, in characters, and most parts of it.
const MAX_CHARS: usize = 512;
const MAX_PARTS: usize = 20;
const MS_PER_DAY: i64 = 24 * 3600 * 1000;

/// A search.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) terms: Vec<Term>,
    pub(super) excluded: Vec<Term>,
    pub(super) authors: Vec<String>,
    pub(super) rooms: Vec<String>,
    /// Unix milliseconds: at or after, and before.
    pub(super) from: Option<i64>,
    pub(super) until: Option<i64>,
}

/// One part as it was typed.
struct Part {
    /// In front of the quotes, or everything.
    plain: String,
    quoted: Option<String>,
}

impl Typed {
    /// `utc_offset` is how many seconds the searcher's clock is ahead.
    pub(super) fn read(text: &str, utc_offset: i64) -> Result<Self, Fault> {
        let refuse = |why: &str| {
            Err(Fault::invalid(
                "api.context.invalid_body_param.app_error",
                why,
            ))
        };
        if text.chars().count() > MAX_CHARS {
            return refuse("a search has at most 512 characters");
        }
        let mut typed = Self::default();
        let mut parts = parts_of(text).into_iter().take(MAX_PARTS);
        while let Some(part) = parts.next() {
            if let Some((key, value)) = filter_of(&part.plain) {
                let value = part
                    .quoted
                    .or((!value.is_empty()).then(|| value.to_owned()));
                let behind = || parts.next().map(|next| next.quoted.unwrap_or(next.plain));
                let Some(value) = value.or_else(behind) else {
                    break;
                };
                typed.filter(key, value.trim(), utc_offset)?;
                continue;
            }
            let plain = part.plain.strip_prefix('-');
            let term = match &part.quoted {
                Some(quoted) => Term::new(quoted, true),
                None => Term::new(plain.unwrap_or(&part.plain).trim_end_matches('*'), false),
            };
            if plain.is_some() {
                typed.excluded.extend(term);
            } else {
                typed.terms.extend(term);
            }
        }
        if typed == Self::default() {
            return refuse("type a word to search for");
        }
        Ok(typed)
    }

    fn filter(&mut self, key: &str, value: &str, utc_offset: i64) -> Result<(), Fault> {
        let value = value.to_lowercase();
        match key {
            "from" => self.authors.push(value.trim_start_matches('@').to_owned()),
            "in" => self.rooms.push(value.trim_start_matches('~').to_owned()),
            _ => {
                let Some(begin) = begin_of_day(&value, utc_offset) else {
                    return Err(Fault::invalid(
                        "api.context.invalid_body_param.app_error",
                        format!(
                            "`{}` is not a day: write it as in `{key}:2026-11-28`",
                            value.escape_debug()
                        ),
                    ));
                };
                let end = begin.saturating_add(MS_PER_DAY);
                match key {
                    "before" => self.until = Some(begin),
                    "after" => self.from = Some(end),
                    _ => (self.from, self.until) = (Some(begin), Some(end)),
                }
            }
        }
        Ok(())
    }
}

/// The filter that a part begins with, and what stands behind the colon.
fn filter_of(plain: &str) -> Option<(&'static str, &str)> {
    let (key, value) = plain.split_once(':')?;
    let key = key.to_ascii_lowercase();
    let keys = ["from", "in", "before", "after", "on"];
    let key = keys.into_iter().find(|known| *known == key)?;
    Some((key, value))
}

fn parts_of(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| c.is_whitespace() || c == '"')
            .unwrap_or(rest.len());
        let (plain, tail) = rest.split_at(end);
        let (quoted, tail) = match tail.strip_prefix('"') {
            // a quote that is not closed goes to the end
            Some(tail) => match tail.split_once('"') {
                Some((quoted, tail)) => (Some(quoted), tail),
                None => (Some(tail), ""),
            },
            None => (None, tail),
        };
        parts.push(Part {
            plain: plain.to_owned(),
            quoted: quoted.map(str::to_owned),
        });
        rest = tail.trim_start();
    }
    parts
}

/// When a day such as `2026-11-28` begins for the searcher, in Unix milliseconds.
fn begin_of_day(text: &str, utc_offset: i64) -> Option<i64> {
    let mut numbers = text.split('-');
    let year: i32 = numbers.next()?.parse().ok()?;
    let month: u8 = numbers.next()?.parse().ok()?;
    let day: u8 = numbers.next()?.parse().ok()?;
    if numbers.next().is_some() {
        return None;
    }
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let seconds = date.midnight().assume_utc().unix_timestamp();
    // no place is more than a day ahead or behind
    let offset = utc_offset.clamp(-86_400, 86_400);
    seconds.checked_sub(offset)?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Typed {
        Typed::read(text, 0).unwrap()
    }

    fn terms(text: &str) -> Vec<Term> {
        read(text).terms
    }

    #[test]
    fn words_quotes_and_exclusions_are_told_apart() {
        let typed = read("budget \"next year\" -draft -\"old plan\" plan*");
        let term = |text, is_exact| Term::new(text, is_exact).unwrap();
        assert_eq!(
            typed.terms,
            [
                term("budget", false),
                term("next year", true),
                term("plan", false)
            ]
        );
        assert_eq!(
            typed.excluded,
            [term("draft", false), term("old plan", true)]
        );
        assert_eq!(terms("\"not closed"), [term("not closed", true)]);
    }

    #[test]
    fn filters_stand_before_their_values() {
        let typed = read("from:@Anna in: Off-Topic in:\"Town Square\" FROM:ben word");
        assert_eq!(typed.authors, ["anna", "ben"]);
        assert_eq!(typed.rooms, ["off-topic", "town square"]);
        assert_eq!(typed.terms.len(), 1);
        assert_eq!(read("10:30").terms, terms("10:30"));
        assert_eq!(read("in:~off-topic x").rooms, ["off-topic"]);
    }

    #[test]
    fn days_are_the_searchers() {
        let day = 1_795_824_000_000;
        assert_eq!(read("on:2026-11-28").from, Some(day));
        assert_eq!(read("on:2026-11-28").until, Some(day + MS_PER_DAY));
        assert_eq!(read("after:2026-11-28").from, Some(day + MS_PER_DAY));
        assert_eq!(read("before:2026-11-28").until, Some(day));
        let east = Typed::read("before:2026-11-28", 3600).unwrap();
        assert_eq!(east.until, Some(day - 3_600_000));
        for bad in [
            "on:2026-13-01",
            "on:yesterday",
            "after:2026-02-30",
            "on:1-2-3-4",
        ] {
            assert!(Typed::read(bad, 0).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_finds_everything_is_refused() {
        for text in ["", "  ", "\"\"", "-", "...", "from:"] {
            assert!(Typed::read(text, 0).is_err(), "{text}");
        }
        assert!(Typed::read(&"x".repeat(600), 0).is_err());
    }
}
