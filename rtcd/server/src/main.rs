//! The binary `rtcd`: reads the configuration, then runs, checks or prints it.
//!
//! Exit codes: 0 asked to stop, 1 failed while running, 2 configuration or arguments of no use.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use rtcd::config::{Config, Probe, Raw};
use service::{command_line, process};
use settings::{Ask, Environment, Read};

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let speaks = [("rtcd", proto::rtcd::COMPATIBLE_VERSION)];
    command_line::version(env!("CARGO_PKG_VERSION"), &speaks)
});

/// The media node of Parley: forwards calls' audio, screens and video.
#[derive(Debug, Parser)]
#[command(name = "rtcd", version = VERSION.as_str())]
struct Arguments {
    /// Configuration file; may be missing. `-config` is understood, too.
    #[arg(long, global = true, default_value = "config/config.toml")]
    config: PathBuf,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Serve (the default).
    Run,
    /// Ask the node that runs with this configuration to drain, as SIGTERM does: it takes no new calls,
    /// asks whoever is there to go to another node, and ends when nobody is left.
    Drain {
        /// Another node with the same admin key, such as http://10.0.0.2:8045.
        #[arg(long)]
        url: Option<String>,
    },
    #[command(flatten)]
    Ask(Ask),
}

fn main() -> ExitCode {
    process::begin();
    let arguments = match typed() {
        Ok(arguments) => arguments,
        Err(refused) => return fail(2, &refused),
    };
    let mut read = match Read::file(Some(&arguments.config), true, &Environment::of_process()) {
        Ok(read) => read,
        Err(error) => return fail(1, &format!("{:#}", anyhow::Error::from(error))),
    };
    let probe = Probe::of_this_machine();
    let resolved = Config::resolve(&read, probe);
    if let Ok(config) = &resolved {
        read.suggest("rtc.shards", &config.rtc.shards.to_string());
    }
    match (arguments.verb.unwrap_or(Verb::Run), resolved) {
        (Verb::Ask(ask), resolved) => {
            match settings::answer(ask, &read, resolved.map(|config| config.advice())) {
                Ok(text) => print(&text),
                Err(problems) => fail(2, &problems.to_string()),
            }
        }
        (Verb::Drain { url }, Ok(config)) => match drain(&config, url.as_deref()) {
            Ok(text) => print(&format!("{text}\n")),
            Err(error) => fail(1, &format!("{error:#}")),
        },
        (Verb::Run, Ok(config)) => match run(config, &read) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, &format!("{error:#}")),
        },
        // The reference ends with 1 when it is started with a configuration of no use.
        (Verb::Run | Verb::Drain { .. }, Err(problems)) => fail(1, &problems.to_string()),
    }
}

fn typed() -> Result<Arguments, String> {
    // The reference takes `-config`, with one dash.
    let typed = std::env::args().map(|argument| match argument.strip_prefix("-config") {
        Some(rest) if rest.is_empty() || rest.starts_with('=') => format!("--config{rest}"),
        _ => argument,
    });
    let typed: Vec<String> = typed.collect();
    let command = Arguments::command();
    let matches = command.clone().get_matches_from(&typed);
    let arguments = Arguments::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    let takes: &[&str] = match arguments.verb {
        Some(Verb::Ask(Ask::SampleConfig)) => &[],
        None
        | Some(Verb::Run | Verb::Drain { .. } | Verb::Ask(Ask::CheckConfig | Ask::PrintConfig)) => {
            &["config"]
        }
    };
    command_line::check(&command, &matches, takes, typed)?;
    Ok(arguments)
}

fn run(config: Config, read: &Read<Raw>) -> anyhow::Result<()> {
    service::telemetry::start(&config.logger.log())?;
    service::descriptors::raise_limit();
    for warning in read.warnings.iter().chain(&config.advice()) {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(rtcd::run_until_signalled(config))
}

fn drain(config: &Config, url: Option<&str>) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(rtcd::drain::ask(config, url))
}

#[expect(
    clippy::print_stdout,
    reason = "what was asked for goes to standard output"
)]
fn print(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

#[expect(
    clippy::print_stderr,
    reason = "the one place that tells why the process ends"
)]
fn fail(code: u8, text: &str) -> ExitCode {
    eprintln!("rtcd: {text}");
    ExitCode::from(code)
}
