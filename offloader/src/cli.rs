//! The verbs of the binary.
//!
//! In: arguments. Out: an exit code: 0 done, 1 failed while running, 2 bad configuration.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::{models, service, speech, telemetry, worker};

/// Where the reference service looks for its configuration.
const DEFAULT_FILE: &str = "config/config.toml";

/// Records, transcribes and captions calls.
#[derive(Debug, Parser)]
#[command(name = "offloader", version, about)]
struct Arguments {
    /// Configuration file; without one the defaults and the environment hold.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve (the default).
    Run,
    /// Name every problem of the configuration.
    CheckConfig,
    /// Show the configuration that holds, secrets hidden.
    PrintConfig,
    /// Speech models: list, pull, verify.
    Models(models::ModelsArgs),
    /// One job; started by the service.
    #[command(hide = true)]
    Worker,
    /// Speech recognition; started by the service.
    #[command(hide = true)]
    Speech(speech::process::SpeechArgs),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.verb {
        Some(Verb::Worker) => worker::worker_main(),
        Some(Verb::Speech(args)) => {
            telemetry::start_worker();
            tell(speech::process::main(&args).map_err(Into::into))
        }
        Some(Verb::Models(args)) => models::cli(args),
        Some(Verb::CheckConfig) => with_config(arguments.config.as_deref(), |_| {
            say("the configuration is good\n");
            Ok(())
        }),
        Some(Verb::PrintConfig) => print_config(arguments.config.as_deref()),
        Some(Verb::Run) | None => with_config(arguments.config.as_deref(), run),
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.logger).context("open the log file (logger.file_location)")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(service::serve(config, asked_to_stop()));
    runtime.shutdown_background();
    done
}

async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    tracing::info!("asked to stop");
}

fn with_config(path: Option<&Path>, work: impl FnOnce(Config) -> anyhow::Result<()>) -> ExitCode {
    let read = read_file(path).and_then(|file| Ok(Config::read(file.as_deref(), &environment)?));
    match read {
        Ok(config) => tell(work(config)),
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

fn print_config(path: Option<&Path>) -> ExitCode {
    let shown = read_file(path).and_then(|file| Ok(Config::render(file.as_deref(), &environment)?));
    match shown {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

/// A file that was named must be there; the one of the reference may be missing.
fn read_file(path: Option<&Path>) -> anyhow::Result<Option<String>> {
    match path {
        Some(path) => std::fs::read_to_string(path)
            .map(Some)
            .with_context(|| format!("read the configuration `{}`", path.display())),
        None => Ok(std::fs::read_to_string(DEFAULT_FILE).ok()),
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn tell(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    // A closed pipe is the reader's choice.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "offloader: {error:#}");
}
