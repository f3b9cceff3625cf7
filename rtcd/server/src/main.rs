//! The binary `rtcd`: reads the configuration, then runs, checks or prints it.
//!
//! Exit codes: 0 asked to stop, 1 failed while running, 2 configuration or arguments of no use.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use rtcd::config::{self, Config, Probe, Raw};
use service::{command_line, private};

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

#[derive(Debug, Clone, Copy, Subcommand)]
enum Verb {
    /// Serve (the default).
    Run,
    /// Say what is wrong with the configuration, all at once.
    CheckConfig,
    /// Print what is in force and where it comes from, secrets hidden.
    PrintConfig,
    /// Print a sample file with every key and its default.
    SampleConfig,
}

fn main() -> ExitCode {
    private::umask();
    let arguments = match typed() {
        Ok(arguments) => arguments,
        Err(refused) => return fail(2, &refused),
    };
    let probe = Probe::of_this_machine();
    let raw = match config::read(&arguments.config) {
        Ok(raw) => raw,
        Err(error) => return fail(1, &format!("{error:#}")),
    };
    let resolved = Config::resolve(&raw, probe);
    match (arguments.verb.unwrap_or(Verb::Run), resolved) {
        (Verb::SampleConfig, _) => print(&config::sample()),
        (Verb::PrintConfig, Ok(_)) => print(&config::effective(&raw, probe)),
        (Verb::CheckConfig, Ok(config)) => {
            let warnings: String = raw
                .warnings
                .iter()
                .chain(&config.advice())
                .map(|text| format!("{text}\n"))
                .collect();
            print(&format!("{warnings}configuration can be used\n"))
        }
        (Verb::Run, Ok(config)) => match run(config, &raw) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, &format!("{error:#}")),
        },
        // The reference ends with 1 when it is started with a configuration of no use.
        (Verb::Run, Err(errors)) => fail(1, &errors.to_string()),
        (Verb::CheckConfig | Verb::PrintConfig, Err(errors)) => fail(2, &errors.to_string()),
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
        Some(Verb::SampleConfig) => &[],
        None | Some(Verb::Run | Verb::CheckConfig | Verb::PrintConfig) => &["config"],
    };
    command_line::check(&command, &matches, takes, typed)?;
    Ok(arguments)
}

fn run(config: Config, raw: &Raw) -> anyhow::Result<()> {
    service::telemetry::start(&config.logger.log())?;
    service::descriptors::raise_limit();
    for warning in raw.warnings.iter().chain(&config.advice()) {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(rtcd::run_until_signalled(config))
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
