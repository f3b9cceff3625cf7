//! Log lines of every process: how deep, in which form, and where to.
//!
//! In: a [`Log`], and what the environment asks for. Out: a global subscriber.
//! `format`: one event as a line. `levels`: who may say what. `file`: the file, and when it is put away.
//! `testing`: what a test's process says, overheard.
//! Not here: metrics. Only binaries start it; who embeds a service has a log of its own.
//! Invariant: libraries are heard from WARN on unless they are named: below, they write out what
//! participants say, their addresses and passwords with it.

mod file;
mod format;
mod levels;
#[cfg(feature = "testing")]
pub mod testing;

use std::io;
use std::path::PathBuf;

use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::command_line;
use format::LineFormat;
use levels::Asked;

/// What every binary reads, after a variable of its own if it has one: a level for our own code, or
/// `target=level` for whatever is named, or several of them with commas between.
pub const VARIABLE: &str = "PARLEY_LOG";

/// The form of the lines of a process without logger settings: `plain` or `json`.
pub const FORM: &str = "PARLEY_LOG_FORMAT";

/// Where log lines go. Nowhere, when both are `None`.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub console: Option<Console>,
    pub file: Option<LogFile>,
    /// What was asked for beyond the levels above: [`asked`].
    pub asked: String,
}

/// Lines for whoever started the process.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    pub stream: Stream,
    pub json: bool,
    /// Of our own code.
    pub level: Level,
    /// Colours, where a terminal shows them and nobody asked for none.
    pub color: bool,
}

/// A stream of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Error,
}

/// Lines in a file, which is put away and compressed at 100 MB.
#[derive(Debug, Clone)]
pub struct LogFile {
    pub path: PathBuf,
    pub json: bool,
    /// Of our own code.
    pub level: Level,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("open log `{}` (logger.file_location)", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("a log is set up already")]
    Second,
    #[error("{FORM}: should be `plain` or `json`, found `{0}`")]
    Form(String),
}

impl Log {
    /// Lines on standard error in the form that [`FORM`] names, and what `variable` or [`VARIABLE`]
    /// asks for: for processes without logger settings.
    ///
    /// # Errors
    /// When [`FORM`] names no form.
    pub fn on_stderr(level: Level, variable: &str) -> Result<Self, LogError> {
        let form = std::env::var(FORM).unwrap_or_default();
        Ok(Self {
            console: Some(Console {
                stream: Stream::Error,
                json: wants_json(&form)?,
                level,
                color: true,
            }),
            file: None,
            asked: asked(variable),
        })
    }
}

fn wants_json(form: &str) -> Result<bool, LogError> {
    match form.trim() {
        "" | "plain" => Ok(false),
        "json" => Ok(true),
        other => Err(LogError::Form(other.to_owned())),
    }
}

/// What the environment asks for in `variable`, else in [`VARIABLE`].
#[must_use]
pub fn asked(variable: &str) -> String {
    [variable, VARIABLE]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|text| !text.trim().is_empty())
        .unwrap_or_default()
}

/// Sends every event of this process to where `log` says.
///
/// # Errors
/// When the file cannot be opened, or a log is set up already.
pub fn start(log: &Log) -> Result<(), LogError> {
    let layers = layers(log)?;
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(|_| LogError::Second)
}

type Boxed<S> = Box<dyn Layer<S> + Send + Sync>;

fn layers<S>(log: &Log) -> Result<Vec<Boxed<S>>, LogError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut layers = Vec::new();
    if let Some(console) = log.console {
        let shows_colours = match console.stream {
            Stream::Out => command_line::colours_on_stdout(),
            Stream::Error => command_line::colours_on_stderr(),
        };
        let layer = tracing_subscriber::fmt::layer().event_format(LineFormat {
            json: console.json,
            color: console.color && !console.json && shows_colours,
        });
        let filter = Asked(levels::filter(console.level, &log.asked));
        layers.push(match console.stream {
            Stream::Out => layer.with_writer(io::stdout).with_filter(filter).boxed(),
            Stream::Error => layer.with_writer(io::stderr).with_filter(filter).boxed(),
        });
    }
    if let Some(to) = &log.file {
        let file = file::open(&to.path).map_err(|source| LogError::File {
            path: to.path.clone(),
            source,
        })?;
        let layer = tracing_subscriber::fmt::layer()
            .event_format(LineFormat {
                json: to.json,
                color: false,
            })
            .with_ansi(false)
            .with_writer(std::sync::Mutex::new(file))
            .with_filter(Asked(levels::filter(to.level, &log.asked)));
        layers.push(layer.boxed());
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use tracing::Metadata;
    use tracing::callsite::{Callsite, Identifier};
    use tracing::field::FieldSet;
    use tracing::metadata::Kind;
    use tracing::subscriber::Interest;

    use super::*;

    /// What a library only asks about, without saying it, as sqlx does by way of `log`.
    struct Asks;

    static ASKS: Asks = Asks;
    static ASKED: Metadata<'static> = Metadata::new(
        "asked",
        "sqlx::query",
        Level::INFO,
        None,
        None,
        None,
        FieldSet::new(&[], Identifier(&ASKS)),
        Kind::EVENT,
    );

    impl Callsite for Asks {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            &ASKED
        }
    }

    /// Issue: whoever stood by never said so in its log; it had looked into the database just before.
    #[test]
    fn what_a_library_asks_about_costs_no_line_of_ours() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signalling.log");
        let log = Log {
            console: None,
            file: Some(LogFile {
                path: path.clone(),
                json: false,
                level: Level::INFO,
            }),
            asked: String::new(),
        };
        let subscriber = tracing_subscriber::registry().with(layers(&log).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..3 {
                // Filters of layers remember what they think of it; the answer is always yes.
                let _ = tracing::dispatcher::get_default(|log| log.enabled(&ASKED));
                tracing::info!(target: "signalling::leader", "line {n}");
            }
        });
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written.lines().count(), 3, "{written}");
    }

    /// Issue: with the defaults the file held what libraries say at DEBUG, ICE passwords with it.
    #[test]
    fn a_file_at_debug_has_our_own_lines_and_only_the_warnings_of_libraries() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rtcd.log");
        let written = |asked: &str| {
            let log = Log {
                console: None,
                file: Some(LogFile {
                    path: path.clone(),
                    json: true,
                    level: Level::DEBUG,
                }),
                asked: asked.to_owned(),
            };
            let before = std::fs::read_to_string(&path).unwrap_or_default().len();
            let subscriber = tracing_subscriber::registry().with(layers(&log).unwrap());
            tracing::subscriber::with_default(subscriber, || {
                tracing::debug!(target: "rtcd::driver", "ours");
                tracing::debug!(target: "rtcd_core::session", "the core's");
                tracing::debug!(target: "sctp::association", "a=ice-pwd:hush");
                tracing::info!(target: "is::agent", "candidate:hush");
                tracing::warn!(target: "sqlx::pool", "a library's warning");
            });
            std::fs::read_to_string(&path).unwrap().split_off(before)
        };
        let text = written("");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.contains("hush"), "{text}");

        let text = written("sctp=debug");
        assert!(text.contains("ice-pwd:hush"), "not even on demand: {text}");
        assert!(!text.contains("candidate:hush"), "{text}");

        let text = written("warn,sqlx=error");
        assert_eq!(text, "", "less was asked for");
    }

    #[test]
    fn a_folder_is_no_log_file() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log {
            file: Some(LogFile {
                path: directory.path().to_owned(),
                json: true,
                level: Level::INFO,
            }),
            ..Log::default()
        };
        let error = start(&log).unwrap_err().to_string();
        assert!(error.contains("logger.file_location"), "{error}");
    }
}
