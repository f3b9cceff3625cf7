//! The binary `signalling`: reads the configuration, then runs, checks or prints it.
//!
//! Exit codes: 0 asked to stop, 1 failed while running, 2 configuration or arguments of no use.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use anyhow::Context as _;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use messaging::embedded::NewAccount;
use proto::redact::Secret;
use service::signals::Signals;
use service::telemetry::{self, Log};
use service::{command_line, descriptors, process};
use settings::{Ask, Environment, Read};
use signalling::Config;
use signalling::config::RawConfig;

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let speaks = [("Calls", proto::calls::COMPATIBLE_VERSION)];
    command_line::version(env!("CARGO_PKG_VERSION"), &speaks)
});

/// The signalling and messaging server of Parley, with its web client.
#[derive(Debug, Parser)]
#[command(name = "signalling", version = VERSION.as_str())]
struct Arguments {
    /// Configuration file; without it the defaults and the environment count.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Serve (the default).
    Run,
    #[command(flatten)]
    Ask(Ask),
    /// Add an account; refused when the name is taken, unless `--new-password` is given.
    AddAccount {
        username: String,
        /// First and last name.
        #[arg(long, default_value = "")]
        name: String,
        /// Empty: made from the username.
        #[arg(long, default_value = "")]
        email: String,
        /// The account may administrate.
        #[arg(long)]
        admin: bool,
        /// The account exists already: give it this password, and end its logins.
        #[arg(long, conflicts_with_all = ["name", "email", "admin"])]
        new_password: bool,
        /// The password; better given by the environment than on the command line.
        #[arg(long, env = "SIGNALLING_PASSWORD", hide_env_values = true)]
        password: String,
    },
}

fn main() -> ExitCode {
    process::begin();
    let arguments = match typed() {
        Ok(arguments) => arguments,
        Err(refused) => return fail(2, &refused),
    };
    let environment = Environment::of_process();
    let read = match Read::file(arguments.config.as_deref(), false, &environment) {
        Ok(read) => read,
        Err(error) => return fail(2, &format!("{:#}", anyhow::Error::from(error))),
    };
    let resolved = Config::resolve(&read);
    match (arguments.verb.unwrap_or(Verb::Run), resolved) {
        (Verb::Ask(ask), resolved) => {
            match settings::answer(ask, &read, resolved.map(|_| Vec::new())) {
                Ok(text) => print(&text),
                Err(problems) => fail(2, &problems.to_string()),
            }
        }
        (Verb::Run | Verb::AddAccount { .. }, Err(problems)) => fail(2, &problems.to_string()),
        (Verb::Run, Ok(config)) => finish(run(config, &read)),
        (
            Verb::AddAccount {
                username,
                name,
                email,
                admin,
                new_password,
                password,
            },
            Ok(config),
        ) => {
            let (first, last) = name.split_once(' ').unwrap_or((&name, ""));
            let account = NewAccount {
                password: Secret::new(password),
                email,
                first_name: first.to_owned(),
                last_name: last.to_owned(),
                nickname: String::new(),
                is_admin: admin,
                username,
            };
            let done = on_runtime(async {
                if new_password {
                    signalling::set_password(&config, account).await
                } else {
                    signalling::add_account(&config, account).await
                }
            });
            match done {
                Ok(text) => print(&format!("{text}\n")),
                Err(error) => fail(1, &format!("{error:#}")),
            }
        }
    }
}

fn typed() -> Result<Arguments, String> {
    let command = Arguments::command();
    let matches = command.clone().get_matches();
    command_line::check(&command, &matches, &["config"], std::env::args())?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.to_string())
}

fn run(config: Config, read: &Read<RawConfig>) -> anyhow::Result<()> {
    telemetry::start(&Log::on_stderr(tracing::Level::INFO, "SIGNALLING_LOG")?)?;
    descriptors::raise_limit();
    for warning in &read.warnings {
        tracing::warn!("{warning}");
    }
    on_runtime(async {
        let mut signals = Signals::new().context("watch for SIGINT and SIGTERM")?;
        signalling::serve(config, async move { signals.next().await }).await
    })
}

fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("{error:#}")),
    }
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
    eprintln!("signalling: {text}");
    ExitCode::from(code)
}
