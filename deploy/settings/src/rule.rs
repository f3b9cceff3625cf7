//! What a value must satisfy by itself.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// Refuses what lies outside, also what does not even fit into the type.
///
/// # Errors
/// The rule.
pub fn range<T: PartialOrd + Display>(
    value: Result<T, String>,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    let inside = value.ok().filter(|value| range.contains(value));
    inside.ok_or_else(|| {
        let (low, high) = range.into_inner();
        format!("it must be a number from {low} to {high}")
    })
}

/// Refuses what is none of a few words.
///
/// # Errors
/// The rule.
pub fn words_of(value: Result<String, String>, words: &[&str]) -> Result<String, String> {
    let value = value?;
    if words.contains(&value.as_str()) {
        return Ok(value);
    }
    let (last, others) = words.split_last().unwrap_or((&"nothing", &[]));
    Err(format!("it must be `{}` or `{last}`", others.join("`, `")))
}
