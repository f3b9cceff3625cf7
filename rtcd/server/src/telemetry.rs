//! Logs as the `logger` settings say: console and file, plain or JSON.
//!
//! `format`: one event as a line. `rotate`: the file.
//! Not here: metrics. Only the binary sets this up; who embeds a node has a log of its own.

mod format;
mod rotate;

use anyhow::Context as _;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LoggerConfig;
use format::LineFormat;
use rotate::RotatingFile;

/// Sends every event of this process to where the configuration says.
///
/// # Errors
/// When the file cannot be opened, or a log is set up already.
pub fn init(config: &LoggerConfig) -> anyhow::Result<()> {
    let mut layers = Vec::new();
    if let Some(target) = config.console {
        let layer = tracing_subscriber::fmt::layer()
            .event_format(LineFormat {
                json: target.json,
                color: config.color && !target.json && service::command_line::colours_on_stdout(),
            })
            .with_writer(std::io::stdout)
            .with_filter(LevelFilter::from_level(target.level));
        layers.push(layer.boxed());
    }
    if let Some((path, target)) = &config.file {
        let file = RotatingFile::open(path)
            .with_context(|| format!("open log `{}` (logger.file_location)", path.display()))?;
        let layer = tracing_subscriber::fmt::layer()
            .event_format(LineFormat {
                json: target.json,
                color: false,
            })
            .with_ansi(false)
            .with_writer(std::sync::Mutex::new(file))
            .with_filter(LevelFilter::from_level(target.level));
        layers.push(layer.boxed());
    }
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .context("set up the log")
}
