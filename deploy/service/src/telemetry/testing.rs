//! What a test's process says, overheard: so that every story ends with "and nothing of it was told".
//!
//! In: every event that a log at its default depth would have, with its fields; what a story's people
//! want kept to themselves. Out: a panic with the line, when a [`Discretion`] ends and a line holds one
//! of them.
//! Not here: lines of other processes, unless a story reads them out (`overhear`).

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Pieces of descriptions, candidates and sign-ins, whosever they are.
const NEVER: &[&str] = &[
    "a=ice-pwd",
    "a=ice-ufrag",
    "a=fingerprint",
    "a=candidate",
    "candidate:",
    "m=audio",
    "Bearer ",
    "Basic ",
];

/// Participants of tests that live in the same process, and no part of what ships.
const TESTS_OWN: &str = "log.target=webrtc";

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LISTENING: Once = Once::new();

fn lines() -> MutexGuard<'static, Vec<String>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What people want kept to themselves. Clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Mutex<Vec<(String, String)>>>);

impl Secrets {
    /// `secret`, which is somebody's `what`, must stand in no line; as a word of its own, so that a name
    /// may be part of another word. An empty one is none.
    pub fn keep(&self, what: &str, secret: &str) {
        if !secret.is_empty() {
            self.all().push((what.to_owned(), secret.to_owned()));
        }
    }

    /// The user name, the password and the addresses of a description or of a candidate.
    pub fn keep_description(&self, text: &str) {
        for line in text.split(['\r', '\n', '"', '\\']) {
            for (start, what) in [
                ("a=ice-pwd:", "ICE password"),
                ("a=ice-ufrag:", "ICE user name"),
            ] {
                self.keep(what, line.strip_prefix(start).unwrap_or_default());
            }
            // RFC 8839, 5.1: foundation, component, transport, priority, address, port.
            let Some((_, candidate)) = line.split_once("candidate:") else {
                continue;
            };
            let mut words = candidate.split_whitespace().skip(4);
            if let (Some(address), Some(port)) = (words.next(), words.next()) {
                self.keep("address", &format!("{address}:{port}"));
                self.keep("address", &format!("[{address}]:{port}"));
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One story. Ends with a look at everything that was logged since it began.
#[derive(Debug)]
pub struct Discretion {
    secrets: Vec<Secrets>,
    since: usize,
    read_out: Vec<String>,
}

impl Discretion {
    /// Begins to listen, for `secrets`.
    #[must_use]
    pub fn begin(secrets: &[&Secrets]) -> Self {
        LISTENING.call_once(|| {
            let heard =
                Ear.with_filter(super::levels::Asked(super::levels::filter(Level::INFO, "")));
            // A test that set up a log of its own hears what it wants to hear.
            let _ = tracing_subscriber::registry().with(heard).try_init();
        });
        Self {
            secrets: secrets.iter().map(|secrets| (*secrets).clone()).collect(),
            since: lines().len(),
            read_out: Vec::new(),
        }
    }

    /// Listens to what another process wrote, too.
    pub fn overhear(&mut self, text: &str) {
        self.read_out.extend(text.lines().map(str::to_owned));
    }
}

impl Drop for Discretion {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let secrets: Vec<_> = self
            .secrets
            .iter()
            .flat_map(|secrets| secrets.all().clone())
            .collect();
        let mut heard = std::mem::take(&mut self.read_out);
        heard.extend(lines().iter().skip(self.since).cloned());
        let told: Vec<String> = heard
            .iter()
            .filter_map(|line| betrayal(line, &secrets))
            .collect();
        assert!(told.is_empty(), "told to the log:\n{}", told.join("\n"));
    }
}

/// What a line tells, and the line.
fn betrayal(line: &str, secrets: &[(String, String)]) -> Option<String> {
    let never = NEVER.iter().find(|piece| line.contains(**piece));
    let never = never.map(|piece| (*piece).to_owned());
    let what = never.or_else(|| {
        let (what, secret) = secrets.iter().find(|(_, secret)| has_word(line, secret))?;
        Some(format!("{what} `{secret}`"))
    })?;
    Some(format!("{what}: {line}"))
}

/// Whether `word` stands in `line` with nothing of a word before and after it.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    line.match_indices(word).any(|(at, found)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + found.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

struct Ear;

impl<S: Subscriber> Layer<S> for Ear {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = format!("{} {}", metadata.level(), metadata.target());
        event.record(&mut Words(&mut line));
        if !line.contains(TESTS_OWN) {
            lines().push(line);
        }
    }
}

struct Words<'a>(&'a mut String);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_word_and_not_within_one() {
        for (line, found) in [
            ("user=anna joined", true),
            ("\"anna\"", true),
            ("channa is a fish", false),
            ("anna-maria", false),
            ("", false),
        ] {
            assert_eq!(has_word(line, "anna"), found, "{line}");
        }
        assert!(has_word("from 127.0.0.1:4711: closed", "127.0.0.1:4711"));
    }

    #[test]
    fn what_was_told_is_found_when_the_story_ends() {
        let secrets = Secrets::default();
        secrets.keep("password", "correct horse battery");
        secrets.keep("display name", "");
        secrets.keep_description(
            "a=ice-pwd:hush\r\na=candidate:1 1 udp 2113937151 192.0.2.9 50000 typ host",
        );
        let ended = |line: &str| {
            let mut story = Discretion::begin(&[&secrets]);
            story.overhear(line);
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(story)));
            ended
                .err()
                .map(|panic| *panic.downcast::<String>().unwrap())
        };
        assert_eq!(ended("a password is wrong"), None);
        for (line, what) in [
            (
                "no `correct horse battery`",
                "password `correct horse battery`",
            ),
            ("password hush", "ICE password"),
            ("from 192.0.2.9:50000", "address"),
            ("authorization: Bearer abc", "Bearer"),
        ] {
            let said = ended(line).unwrap();
            assert!(said.contains(what) && said.contains(line), "{said}");
        }
    }

    #[test]
    fn events_are_overheard_with_their_fields() {
        let story = Discretion::begin(&[]);
        let secret = [("session".to_owned(), "this-very-session".to_owned())];
        let before = lines().len();
        tracing::debug!(session = "this-very-session", "below what a log shows");
        tracing::info!(session = "this-very-session", "what a log shows");
        let shown = lines().split_off(before);
        let told = shown.iter().filter_map(|line| betrayal(line, &secret));
        assert_eq!(told.count(), 1, "{shown:?}");
        drop(story);
    }
}
