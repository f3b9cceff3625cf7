//! Log lines: to the console, to a file, or both.
//!
//! In: `LoggerConfig`. Out: a global subscriber. The only place that knows how lines are written.

use std::io;
use std::sync::Mutex;

use service::private;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LoggerConfig;

/// Libraries whose lines are about themselves.
const QUIET: &str = "str0m=warn,dimpl=warn,hyper=warn,rustls=warn,sqlx=warn,tungstenite=warn";

/// Starts logging for the service.
///
/// # Errors
/// When the log file cannot be opened.
pub fn start(config: &LoggerConfig) -> io::Result<()> {
    let mut layers = Vec::new();
    if config.console {
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(config.color && service::command_line::colours_on_stderr());
        let filter = filter(&config.console_level);
        layers.push(if config.console_json {
            layer.json().with_filter(filter).boxed()
        } else {
            layer.with_filter(filter).boxed()
        });
    }
    if let Some(path) = &config.file {
        let file = private::append(path)?;
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(Mutex::new(file))
            .with_ansi(false);
        let filter = filter(&config.file_level);
        layers.push(if config.file_json {
            layer.json().with_filter(filter).boxed()
        } else {
            layer.with_filter(filter).boxed()
        });
    }
    // A second start in one process (the all-in-one binary) keeps the first one's choice.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    Ok(())
}

/// Starts logging for a worker: its standard error is the job's log.
pub fn start_worker() {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false);
    let level = std::env::var("OFFLOADER_WORKER_LEVEL").unwrap_or_else(|_| "INFO".to_owned());
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter(&level)))
        .try_init();
}

fn filter(level: &str) -> Targets {
    let quiet: Targets = QUIET.parse().unwrap_or_default();
    quiet.with_default(level.parse().unwrap_or(LevelFilter::INFO))
}
