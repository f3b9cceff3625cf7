//! One value at a time: its type, its range, and what is said when it breaks its rule.
//!
//! Invariant: a problem never shows a secret's value.

use std::fmt;

use proto::redact::Secret;

use super::super::keys::{self, Key};
use super::super::raw::{Raw, RawValue};
use super::super::{Probe, ice};

/// One value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub key: &'static str,
    pub env: &'static str,
    /// As written; `(set)` or `(unset)` for a secret.
    pub value: String,
    pub rule: String,
    pub hint: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            env,
            value,
            rule,
            hint,
        } = self;
        write!(f, "`{key}` is `{value}`: {rule}; {hint} (or set {env})")
    }
}

/// Reads values one by one and keeps what is wrong with them.
pub(super) struct Check<'a> {
    pub(super) raw: &'a Raw,
    pub(super) probe: Probe,
    pub(super) problems: Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn value(&self, path: &str) -> RawValue {
        let key = key(path);
        self.raw.get(key, self.probe.cpus)
    }

    pub(super) fn text(&mut self, path: &'static str) -> String {
        let value = self.value(path).value;
        let text = value.as_str().map(|text| text.trim().to_owned());
        text.unwrap_or_else(|| {
            self.problem(path, "must be a string", "put it in quotes");
            value.to_string()
        })
    }

    pub(super) fn needed_text(
        &mut self,
        path: &'static str,
        rule: &str,
        hint: &'static str,
    ) -> String {
        let text = self.text(path);
        if text.is_empty() {
            self.problem(path, rule, hint);
        }
        text
    }

    pub(super) fn flag(&mut self, path: &'static str) -> bool {
        let value = self.value(path).value;
        let flag = value.as_bool().or_else(|| match value.as_str()?.trim() {
            "true" | "TRUE" | "True" | "t" | "T" | "1" => Some(true),
            "false" | "FALSE" | "False" | "f" | "F" | "0" => Some(false),
            _ => None,
        });
        flag.unwrap_or_else(|| {
            self.problem(path, "must be true or false", "write it without quotes");
            false
        })
    }

    pub(super) fn number(
        &mut self,
        path: &'static str,
        range: std::ops::RangeInclusive<i64>,
        rule: &str,
        hint: &'static str,
    ) -> i64 {
        let value = self.value(path).value;
        let number = value
            .as_integer()
            .or_else(|| integer(value.as_str()?.trim()));
        match number {
            Some(number) if range.contains(&number) => number,
            _ => {
                self.problem(path, rule, hint);
                *range.start()
            }
        }
    }

    pub(super) fn problem(&mut self, path: &'static str, rule: &str, hint: &'static str) {
        let key = key(path);
        let value = shown(key, &self.value(path).value);
        self.problems.push(Problem {
            key: key.path,
            env: key.env,
            value,
            rule: rule.to_owned(),
            hint,
        });
    }
}

/// Returns a value as text for people; a secret only as set or not.
pub(in crate::config) fn shown(key: &Key, value: &toml::Value) -> String {
    let text = value.as_str();
    if key.secret {
        return text.map_or_else(|| "(set)".to_owned(), |text| Secret::new(text).to_string());
    }
    if key.has_secrets_inside() {
        return ice::shown(value);
    }
    text.map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn key(path: &str) -> &'static Key {
    keys::find(path).expect("every path used here stands in KEYS: each is read by the tests")
}

/// Reads a number of the environment: decimal, or with a prefix, as the reference does.
fn integer(text: &str) -> Option<i64> {
    let lower = text.to_lowercase();
    [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| i64::from_str_radix(lower.strip_prefix(prefix)?, radix).ok())
        .or_else(|| lower.parse().ok())
}
