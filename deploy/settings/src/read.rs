//! Reading: defaults, over them the file, the environment, the command line.
//!
//! What cannot be read, and names that nobody knows, become problems; the rest is read all the same,
//! so that everything that is wrong can be told at once.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::check::Problem;
use crate::names::{hint, is_link};
use crate::{Check, Environment, Key, Settings, Written};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File,
    /// A name in the environment.
    Environment(String),
    /// The command line, or the program itself.
    Flag,
}

/// The file is of no use at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("read configuration `{path}`", path = path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the configuration is not TOML")]
    NotToml(#[source] Box<toml::de::Error>),
}

/// Settings as somebody wrote them.
#[derive(Debug, Clone)]
pub struct Read<S> {
    pub raw: S,
    /// What was passed over, in words, for the log.
    pub warnings: Vec<String>,
    pub(crate) problems: Vec<Problem>,
    origins: BTreeMap<&'static str, Origin>,
    others: BTreeMap<&'static str, String>,
}

impl<S: Settings> Read<S> {
    /// Reads a file (none: an empty one) and the environment.
    ///
    /// # Errors
    /// When the file cannot be read, or is not TOML.
    pub fn file(
        path: Option<&Path>,
        may_be_missing: bool,
        environment: &Environment,
    ) -> Result<Self, FileError> {
        let text = path.map(std::fs::read_to_string).transpose();
        match (text, path) {
            (Err(error), Some(path))
                if may_be_missing && error.kind() == io::ErrorKind::NotFound =>
            {
                let mut read = Self::text("", environment)?;
                read.warnings.push(format!(
                    "no configuration file `{}`: defaults and environment are used",
                    path.display()
                ));
                Ok(read)
            }
            (Err(source), path) => {
                let path = path.unwrap_or(Path::new("")).to_owned();
                Err(FileError::Unreadable { path, source })
            }
            (Ok(text), _) => Self::text(&text.unwrap_or_default(), environment),
        }
    }

    /// Reads the text of a file and the environment.
    ///
    /// # Errors
    /// When the text is not TOML.
    pub fn text(text: &str, environment: &Environment) -> Result<Self, FileError> {
        let table = text
            .parse()
            .map_err(|error| FileError::NotToml(Box::new(error)))?;
        Ok(Self::table(&table, environment))
    }

    /// Reads a file that is TOML, and the environment.
    #[must_use]
    pub fn table(table: &toml::Table, environment: &Environment) -> Self {
        let mut read = Self::of(S::default());
        read.take_table("", table);
        read.take_environment(environment);
        read
    }

    /// Settings that nobody wrote, for tests.
    #[must_use]
    pub fn of(raw: S) -> Self {
        Self {
            raw,
            warnings: Vec::new(),
            problems: Vec::new(),
            origins: BTreeMap::new(),
            others: BTreeMap::new(),
        }
    }

    /// Sets a value over whatever was written.
    pub fn overrule(&mut self, path: &str, text: &str) {
        self.write(path, text, Origin::Flag);
    }

    /// Sets another default; what somebody wrote stays, of use or not.
    pub fn suggest(&mut self, path: &str, text: &str) {
        let is_refused = self.problems.iter().any(|problem| problem.key == path);
        if self.origin(path) == Origin::Default && !is_refused {
            self.write(path, text, Origin::Default);
        }
    }

    /// Where the value in force comes from.
    #[must_use]
    pub fn origin(&self, path: &str) -> Origin {
        self.origins.get(path).cloned().unwrap_or(Origin::Default)
    }

    /// What one of the [`Manner::others`](crate::Manner::others) is set to.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&str> {
        self.others.get(name).map(String::as_str)
    }

    /// Begins a check of what the values mean, with the problems there are already.
    #[must_use]
    pub fn check(&self) -> Check<'_, S> {
        Check::new(self)
    }

    fn write(&mut self, path: &str, text: &str, origin: Origin) {
        if let Some(key) = S::key(path) {
            // What counts from here on is what is set now.
            self.problems.retain(|problem| problem.key != path);
            self.take(key, Written::Text(text), origin);
        }
    }

    fn take(&mut self, key: &Key<S>, written: Written<'_>, origin: Origin) {
        match (key.take)(&mut self.raw, &written) {
            Ok(()) => {
                self.origins.insert(key.path, origin);
            }
            Err(rule) => {
                let value = if key.is_secret {
                    "(not shown)".to_owned()
                } else {
                    written.plain()
                };
                let from = match origin {
                    Origin::Environment(name) => Some(name),
                    Origin::Default | Origin::File | Origin::Flag => None,
                };
                self.problems.push(Problem {
                    key: key.path.to_owned(),
                    value: Some(value),
                    origin: from,
                    rule,
                });
            }
        }
    }

    fn take_table(&mut self, prefix: &str, table: &toml::Table) {
        for (name, value) in table {
            let path = if prefix.is_empty() {
                name.to_lowercase()
            } else {
                format!("{prefix}.{}", name.to_lowercase())
            };
            match (S::key(&path), value) {
                (Some(key), value) => self.take(key, Written::File(value), Origin::File),
                (None, toml::Value::Table(inner)) if is_above_keys::<S>(&path) => {
                    self.take_table(&path, inner);
                }
                (None, _) if is_above_keys::<S>(&path) => self.problems.push(Problem {
                    key: path,
                    value: Some(value.type_str().to_owned()),
                    origin: None,
                    rule: "it must be a table".to_owned(),
                }),
                (None, toml::Value::Table(inner))
                    if !S::MANNER.passes_unknown_keys && !inner.is_empty() =>
                {
                    self.take_table(&path, inner);
                }
                (None, _) => self.pass(path),
            }
        }
    }

    /// A key that nobody knows: refused, or passed over.
    fn pass(&mut self, path: String) {
        let hint = hint(&path, S::keys().iter().map(|key| key.path));
        if hint.is_empty() && S::MANNER.passes_unknown_keys {
            self.warnings.push(format!("unknown key `{path}` ignored"));
        } else {
            self.problems.push(Problem {
                key: path,
                value: None,
                origin: None,
                rule: format!("there is no such key{hint}"),
            });
        }
    }

    fn take_environment(&mut self, environment: &Environment) {
        let mut known: Vec<String> = Vec::new();
        for key in S::keys() {
            for name in key.names() {
                let text = environment.get(&name);
                if let Some(text) =
                    text.filter(|text| !(text.is_empty() && S::MANNER.empty_is_unset))
                {
                    self.take(key, Written::Text(text), Origin::Environment(name.clone()));
                }
                known.push(name);
            }
        }
        for other in S::MANNER.others {
            let text = environment.get(other.name);
            if let Some(text) = text.filter(|text| !is_off(text)) {
                self.others.insert(other.name, text.to_owned());
                if other.is_idle {
                    self.warnings
                        .push(format!("{} is set: {}", other.name, other.doc));
                }
            }
            known.push(other.name.to_owned());
        }
        for name in environment
            .names()
            .filter(|name| !known.iter().any(|known| known == name))
        {
            self.take_unknown_name(name, &known);
        }
    }

    /// A name that is nearly one of ours is misspelt, most likely; whose the others are is not known.
    fn take_unknown_name(&mut self, name: &str, known: &[String]) {
        let manner = S::MANNER;
        let is_ours = !manner.ours.is_empty() && name.starts_with(manner.ours);
        if is_ours && is_link(name, manner.ours) {
            return;
        }
        let hint = hint(name, known.iter().map(String::as_str));
        let is_refused = is_ours && (manner.refuses_unknown_names || !hint.is_empty());
        let is_theirs = !manner.theirs.is_empty() && name.starts_with(manner.theirs);
        match (is_refused, is_ours || is_theirs || !hint.is_empty()) {
            (true, _) => self.problems.push(Problem {
                key: name.to_owned(),
                value: None,
                origin: None,
                rule: format!(
                    "there is no such name in the environment of {}{hint}",
                    manner.program
                ),
            }),
            (false, true) => self
                .warnings
                .push(format!("unknown environment name `{name}` ignored{hint}")),
            (false, false) => {}
        }
    }
}

fn is_off(value: &str) -> bool {
    value.is_empty() || ["0", "f", "false"].contains(&value.to_ascii_lowercase().as_str())
}

fn is_above_keys<S: Settings>(path: &str) -> bool {
    let below = |key: &Key<S>| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    S::keys().iter().any(below)
}

#[cfg(test)]
mod tests;
