//! Problems: collected, and told together.

use std::fmt;

use crate::{Origin, Read, Settings};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path in the file, or a name in the environment.
    pub key: String,
    /// As written, never a secret; `None` where the key itself is wrong.
    pub value: Option<String>,
    /// The name in the environment or the flag it comes from, unless that is the file.
    pub origin: Option<String>,
    /// What would be accepted.
    pub rule: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, rule, .. } = self;
        write!(f, "`{key}`")?;
        if let Some(value) = &self.value {
            write!(f, " is `{value}`")?;
        }
        if let Some(origin) = &self.origin {
            write!(f, " (from {origin})")?;
        }
        write!(f, ": {rule}")
    }
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The keys that are wrong, for tests.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|problem| problem.key.as_str()).collect()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration has {} problem(s):", self.0.len())?;
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n- {problem}"))
    }
}

/// Collects what is wrong with values that could be read.
#[derive(Debug)]
pub struct Check<'a, S> {
    read: &'a Read<S>,
    problems: Vec<Problem>,
}

impl<'a, S: Settings> Check<'a, S> {
    pub(crate) fn new(read: &'a Read<S>) -> Self {
        let problems = read.problems.clone();
        Self { read, problems }
    }

    /// Refuses the value of a key; one that could not even be read has its problem already.
    pub fn refuse(&mut self, path: &str, rule: impl Into<String>) {
        if self.read.problems.iter().any(|problem| problem.key == path) {
            return;
        }
        self.problems.push(Problem {
            key: path.to_owned(),
            value: S::key(path).map(|key| key.text(&self.read.raw)),
            origin: self.read.origin(path).told(),
            rule: rule.into(),
        });
    }

    /// Refuses an empty text.
    pub fn need(&mut self, path: &str, text: impl AsRef<std::ffi::OsStr>, rule: &str) {
        if text.as_ref().is_empty() {
            self.refuse(path, rule);
        }
    }

    /// Takes what was made of a key, or refuses the key with the reason.
    pub fn accept<T, E: std::error::Error>(&mut self, path: &str, made: Result<T, E>) -> Option<T> {
        made.map_err(|error| {
            let cause = error.source().map(|cause| format!(": {cause}"));
            self.refuse(path, format!("{error}{}", cause.unwrap_or_default()));
        })
        .ok()
    }

    /// Returns what was made of the settings, or everything that is wrong with them.
    ///
    /// # Errors
    /// Every problem of reading and checking.
    pub fn done<T>(self, made: T) -> Result<T, Problems> {
        if self.problems.is_empty() {
            Ok(made)
        } else {
            Err(Problems(self.problems))
        }
    }
}

impl Origin {
    fn told(&self) -> Option<String> {
        match self {
            Self::Default | Self::File => None,
            Self::Environment(name) => Some(name.clone()),
            Self::Flag => Some("the command line".to_owned()),
        }
    }
}
