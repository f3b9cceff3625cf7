//! Types of values: how each is read from a file and from a text, and how it is shown.
//!
//! In a file a text counts as what it says, so that `"true"` is a flag: the reference is as lenient.

mod auto;

use std::fmt::Display;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::str::FromStr;

use proto::redact::Secret;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use auto::{Auto, PerCpu};

/// A value as somebody wrote it.
#[derive(Debug, Clone, Copy)]
pub enum Written<'a> {
    File(&'a toml::Value),
    /// In the environment or on the command line.
    Text(&'a str),
}

impl Written<'_> {
    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::File(value) => value.as_str().map(str::trim),
            Self::Text(text) => Some(text.trim()),
        }
    }

    /// For people.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::File(value) => plain(value),
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

/// A value as text for people: a string without its quotes.
pub(crate) fn plain(value: &toml::Value) -> String {
    let text = value.as_str().map(str::to_owned);
    text.unwrap_or_else(|| value.to_string().trim().to_owned())
}

/// A type that a key can have.
pub trait Value: Sized {
    /// A default as it stands in a declaration.
    type Fixed;

    /// What is written may hold a secret.
    const IS_SECRET: bool = false;
    /// Yes or no.
    const IS_FLAG: bool = false;

    /// Makes a default.
    fn of(fixed: Self::Fixed) -> Self;

    /// Reads what is written.
    ///
    /// # Errors
    /// What is expected, in words that follow "is `X`:".
    fn read(written: &Written<'_>) -> Result<Self, String>;

    /// The value as it would stand in a file, secrets hidden.
    fn show(&self) -> toml::Value;
}

fn text_of<'a>(written: &'a Written<'_>) -> Result<&'a str, String> {
    let text = written.text();
    text.ok_or_else(|| "it must be a text, in quotes".to_owned())
}

impl Value for String {
    type Fixed = &'static str;

    fn of(fixed: Self::Fixed) -> Self {
        fixed.to_owned()
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        text_of(written).map(str::to_owned)
    }

    fn show(&self) -> toml::Value {
        self.clone().into()
    }
}

impl Value for PathBuf {
    type Fixed = &'static str;

    fn of(fixed: Self::Fixed) -> Self {
        fixed.into()
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        text_of(written).map(Self::from)
    }

    fn show(&self) -> toml::Value {
        self.to_string_lossy().into_owned().into()
    }
}

impl Value for Secret {
    type Fixed = &'static str;
    const IS_SECRET: bool = true;

    fn of(fixed: Self::Fixed) -> Self {
        Self::new(fixed)
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        text_of(written).map(Self::new)
    }

    fn show(&self) -> toml::Value {
        if self.is_empty() { "" } else { "(set)" }.into()
    }
}

impl Value for bool {
    type Fixed = Self;
    const IS_FLAG: Self = true;

    fn of(fixed: Self::Fixed) -> Self {
        fixed
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        if let Written::File(toml::Value::Boolean(flag)) = written {
            return Ok(*flag);
        }
        let text = written.text().map(str::to_ascii_lowercase);
        match text.as_deref() {
            Some("true" | "t" | "1") => Ok(true),
            Some("false" | "f" | "0") => Ok(false),
            _ => Err("it must be `true` or `false`".to_owned()),
        }
    }

    fn show(&self) -> toml::Value {
        (*self).into()
    }
}

/// A whole number: decimal, or with a prefix, as the reference reads it.
fn number(written: &Written<'_>) -> Option<i64> {
    if let Written::File(toml::Value::Integer(number)) = written {
        return Some(*number);
    }
    let text = written.text()?.to_ascii_lowercase();
    [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| i64::from_str_radix(text.strip_prefix(prefix)?, radix).ok())
        .or_else(|| text.parse().ok())
}

macro_rules! numbers {
    ($($ty:ty),+) => {$(
        impl Value for $ty {
            type Fixed = Self;

            fn of(fixed: Self::Fixed) -> Self {
                fixed
            }

            fn read(written: &Written<'_>) -> Result<Self, String> {
                let number = number(written).and_then(|number| Self::try_from(number).ok());
                number.ok_or_else(|| {
                    let most = i64::try_from(Self::MAX).unwrap_or(i64::MAX);
                    format!("it must be a whole number from {} to {most}", Self::MIN)
                })
            }

            fn show(&self) -> toml::Value {
                i64::try_from(*self).unwrap_or(i64::MAX).into()
            }
        }
    )+};
}

numbers!(u16, u32, u64, usize);

/// A list; as a text separated by commas.
impl Value for Vec<String> {
    type Fixed = &'static [&'static str];

    fn of(fixed: Self::Fixed) -> Self {
        fixed.iter().map(|item| (*item).to_owned()).collect()
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        list(written, |text| {
            let items = text.split(',').map(str::trim);
            items
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect()
        })
    }

    fn show(&self) -> toml::Value {
        self.clone().into()
    }
}

fn list(written: &Written<'_>, split: fn(&str) -> Vec<String>) -> Result<Vec<String>, String> {
    let items = match written {
        Written::File(toml::Value::Array(items)) => items
            .iter()
            .map(|item| Some(item.as_str()?.to_owned()))
            .collect(),
        Written::File(_) | Written::Text(_) => written.text().map(split),
    };
    items.ok_or_else(|| "it must be a list of texts, such as [\"one\", \"another\"]".to_owned())
}

/// Words, such as a program and its arguments; as a text separated by spaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl Value for Words {
    type Fixed = &'static [&'static str];

    fn of(fixed: Self::Fixed) -> Self {
        Self(Vec::of(fixed))
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        let split = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        list(written, split).map(Self)
    }

    fn show(&self) -> toml::Value {
        self.0.clone().into()
    }
}

/// An address of a service that may carry a name and a key: `http://id:key@host`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link(pub String);

impl Link {
    /// Hides what stands before the host.
    #[must_use]
    pub fn hidden(link: &str) -> String {
        let has_password = link.to_ascii_lowercase().contains("password=");
        match (link.split_once("://"), link.rsplit_once('@')) {
            (None, Some(_)) => "(set)".to_owned(),
            (_, _) if has_password => "(set)".to_owned(),
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://(set)@{host}"),
            (_, None) => link.to_owned(),
        }
    }
}

impl Deref for Link {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Value for Link {
    type Fixed = &'static str;
    const IS_SECRET: bool = true;

    fn of(fixed: Self::Fixed) -> Self {
        Self(fixed.to_owned())
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        String::read(written).map(Self)
    }

    fn show(&self) -> toml::Value {
        Self::hidden(&self.0).into()
    }
}

/// Several of them; as a text separated by commas.
impl Value for Vec<Link> {
    type Fixed = &'static [&'static str];
    const IS_SECRET: bool = true;

    fn of(fixed: Self::Fixed) -> Self {
        fixed.iter().map(|link| Link::of(link)).collect()
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        Ok(Vec::<String>::read(written)?
            .into_iter()
            .map(Link)
            .collect())
    }

    fn show(&self) -> toml::Value {
        self.iter().map(Value::show).collect::<Vec<_>>().into()
    }
}

/// A text of a form of its own, kept as it was written.
#[derive(Debug, Clone)]
pub struct Parsed<T> {
    text: String,
    pub value: T,
}

impl<T: FromStr<Err: Display>> Value for Parsed<T> {
    type Fixed = &'static str;

    /// # Panics
    /// When a declared default does not have the form: the first look at the settings tells.
    fn of(fixed: Self::Fixed) -> Self {
        Self::read(&Written::Text(fixed))
            .expect("a default has its form: each is made by the tests")
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        let text = match written {
            Written::File(toml::Value::Integer(number)) => number.to_string(),
            Written::File(_) | Written::Text(_) => text_of(written)?.to_owned(),
        };
        let value = text.parse().map_err(|error: T::Err| error.to_string())?;
        Ok(Self { text, value })
    }

    fn show(&self) -> toml::Value {
        self.text.clone().into()
    }
}

/// Tables; as a text written in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Default + Serialize + DeserializeOwned> Value for Json<T> {
    type Fixed = ();
    const IS_SECRET: bool = true;

    fn of((): Self::Fixed) -> Self {
        Self::default()
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        // What stands there is not repeated: it may be a credential.
        match written {
            Written::File(value) if !value.is_str() => {
                let read = (*value).clone().try_into();
                read.map_err(|_| "its form is not the documented one".to_owned())
            }
            Written::File(_) | Written::Text(_) => serde_json::from_str(text_of(written)?).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                format!("it must be JSON of the documented form; it is none at line {line}, column {column}")
            }),
        }
        .map(Self)
    }

    fn show(&self) -> toml::Value {
        let value = toml::Value::try_from(&self.0);
        value.map_or_else(|_| "(cannot be shown)".into(), without_credentials)
    }
}

/// Credentials in tables, as people call them.
const CREDENTIALS: [&str; 4] = ["credential", "password", "secret", "key"];

fn without_credentials(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::Array(items) => items
            .into_iter()
            .map(without_credentials)
            .collect::<Vec<_>>()
            .into(),
        toml::Value::Table(table) => {
            let hide = |(name, value): (String, toml::Value)| {
                let is_credential = CREDENTIALS.contains(&name.to_ascii_lowercase().as_str());
                let value = if is_credential {
                    "(set)".into()
                } else {
                    without_credentials(value)
                };
                (name, value)
            };
            table.into_iter().map(hide).collect::<toml::Table>().into()
        }
        plain @ (toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)) => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Value>(file: &str) -> Result<T, String> {
        let table: Result<toml::Table, _> = format!("v = {file}").parse();
        T::read(&Written::File(
            &table.map_err(|error| error.to_string())?["v"],
        ))
    }

    #[test]
    fn a_text_in_a_file_counts_as_what_it_says() {
        assert_eq!(read::<bool>("\"TRUE\""), Ok(true));
        assert!(read::<bool>("\"perhaps\"").is_err() && read::<bool>("1").is_err());
        for (text, number) in [("\"0x2329\"", 9001), ("\"0o21451\"", 9001), ("9001", 9001)] {
            assert_eq!(read::<u16>(text), Ok(number));
        }
        let rule = read::<u16>("70000").unwrap_err();
        assert_eq!(rule, "it must be a whole number from 0 to 65535");
        assert!(read::<String>("7").is_err() && read::<Secret>("7").is_err());
    }

    #[test]
    fn lists_are_separated_by_commas_and_words_by_spaces() {
        assert_eq!(read::<Vec<String>>("\" a, b,\"").unwrap(), ["a", "b"]);
        assert_eq!(
            read::<Words>("\"prog --x=a,b\"").unwrap().0,
            ["prog", "--x=a,b"]
        );
        assert_eq!(read::<Words>("[\"a b\", \"c\"]").unwrap().0, ["a b", "c"]);
        assert!(read::<Vec<String>>("[1]").is_err());
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let link = |text: &str| plain(&Link(text.to_owned()).show());
        assert_eq!(link("http://me:hush@media:8045"), "http://(set)@media:8045");
        assert_eq!(link("postgres://db/parley"), "postgres://db/parley");
        for odd in ["me:hush@media", "postgres://db/p?password=hush"] {
            assert_eq!(link(odd), "(set)");
        }
        assert_eq!(plain(&Secret::new("hush").show()), "(set)");
        let servers: Json<Vec<toml::Table>> =
            read("[{urls = [\"turn:a\"], credential = \"hush\"}]").unwrap();
        assert!(!plain(&servers.show()).contains("hush"));
        let error = read::<Json<Vec<toml::Table>>>("'[\"hush\"'").unwrap_err();
        assert!(!error.contains("hush"), "{error}");
    }
}
