//! The verbs of the binary.
//!
//! In: arguments. Out: an exit code: 0 done, 1 failed while running, 2 bad configuration.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;

use anyhow::Context;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use service::signals::Signals;
use service::{command_line, descriptors, process, telemetry};
use settings::{Ask, Environment, Read};

use crate::config::{Config, Raw};
use crate::jobs::parked::{self, JobsArgs};
use crate::{models, speech, worker};

/// Where the reference service looks for its configuration.
const DEFAULT_FILE: &str = "config/config.toml";

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let speaks = [("calls-offloader", proto::offload::COMPATIBLE_VERSION)];
    command_line::version(env!("CARGO_PKG_VERSION"), &speaks)
});

/// Records, transcribes and captions calls.
#[derive(Debug, Parser)]
#[command(name = "offloader", version = VERSION.as_str(), about)]
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
    #[command(flatten)]
    Ask(Ask),
    /// Speech models: list, pull, verify.
    Models(models::ModelsArgs),
    /// Results that the messaging server refused: list them, hand them in again.
    Jobs(JobsArgs),
    /// One job; started by the service.
    #[command(hide = true)]
    Worker,
    /// Speech recognition; started by the service.
    #[command(hide = true)]
    Speech(speech::process::SpeechArgs),
}

/// What is asked of a configuration beside serving.
enum Asked {
    Nothing,
    About(Ask),
    Jobs(JobsArgs),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    process::begin();
    let command = Arguments::command();
    let arguments = match typed(&command.get_matches()) {
        Ok(arguments) => arguments,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    match arguments.verb {
        Some(Verb::Worker) => worker::worker_main(),
        Some(Verb::Speech(args)) => {
            worker::start_log();
            tell(speech::process::main(&args).map_err(Into::into))
        }
        Some(Verb::Models(args)) => models::cli(args),
        Some(Verb::Jobs(args)) => with_config(arguments.config.as_deref(), Asked::Jobs(args)),
        Some(Verb::Ask(ask)) => with_config(arguments.config.as_deref(), Asked::About(ask)),
        Some(Verb::Run) | None => with_config(arguments.config.as_deref(), Asked::Nothing),
    }
}

/// Only what serves, and what looks at its jobs, reads a configuration; models have their own folder.
fn typed(matches: &ArgMatches) -> anyhow::Result<Arguments> {
    let arguments = Arguments::from_arg_matches(matches)?;
    let takes: &[&str] = match arguments.verb {
        None | Some(Verb::Run | Verb::Ask(_) | Verb::Jobs(_)) => &["config"],
        Some(Verb::Models(_) | Verb::Worker | Verb::Speech(_)) => &[],
    };
    command_line::check(&Arguments::command(), matches, takes, std::env::args())
        .map_err(anyhow::Error::msg)?;
    Ok(arguments)
}

fn run(read: &Read<Raw>, config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.logger.log())?;
    descriptors::raise_limit();
    for warning in &read.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let mut signals = Signals::new().context("watch for SIGINT and SIGTERM")?;
        let asked_to_stop = async move {
            signals.next().await;
            tracing::info!("asked to stop");
        };
        crate::service::serve(config, asked_to_stop).await
    });
    runtime.shutdown_background();
    done
}

/// Serves, or answers. A file that was named must be there; the one of the reference may be missing.
fn with_config(path: Option<&Path>, asked: Asked) -> ExitCode {
    let file = path.unwrap_or(Path::new(DEFAULT_FILE));
    let read = match Read::file(Some(file), path.is_none(), &Environment::of_process()) {
        Ok(read) => read,
        Err(error) => return refuse(&error.into()),
    };
    let resolved = Config::resolve(&read);
    match (asked, resolved) {
        (Asked::Nothing, Ok(config)) => tell(run(&read, config)),
        (Asked::Jobs(args), Ok(config)) => tell(look_at_jobs(&config, args)),
        (Asked::Nothing | Asked::Jobs(_), Err(problems)) => refuse(&problems.into()),
        (Asked::About(ask), resolved) => {
            match settings::answer(ask, &read, resolved.map(|config| config.warnings)) {
                Ok(text) => {
                    say(&text);
                    ExitCode::SUCCESS
                }
                Err(problems) => refuse(&problems.into()),
            }
        }
    }
}

fn look_at_jobs(config: &Config, args: JobsArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    say(&runtime.block_on(parked::run(config, args.command))?);
    Ok(())
}

fn refuse(error: &anyhow::Error) -> ExitCode {
    complain(error);
    ExitCode::from(2)
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
