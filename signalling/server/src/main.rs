//! The binary `signalling`: reads the configuration, then runs, checks or prints it.
//!
//! Exit codes: 0 asked to stop, 1 failed while running, 2 configuration or arguments of no use.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use messaging::embedded::NewAccount;
use proto::redact::Secret;
use signalling::Config;
use signalling::config::RawConfig;

/// The signalling and messaging server of Parley, with its web client.
#[derive(Debug, Parser)]
#[command(name = "signalling", version)]
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
    /// Say what is wrong with the configuration, all at once.
    CheckConfig,
    /// Print what is in force, secrets hidden.
    PrintConfig,
    /// Add an account, or give an existing one a new password.
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
        /// The password; better given by the environment than on the command line.
        #[arg(long, env = "SIGNALLING_PASSWORD", hide_env_values = true)]
        password: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let environment = |name: &str| std::env::var(name).ok();
    let file = arguments.config.as_deref();
    let config = match Config::load(file, &environment) {
        Ok(config) => config,
        Err(error) => return fail(2, &format!("{error:#}")),
    };
    match arguments.verb.unwrap_or(Verb::Run) {
        Verb::CheckConfig => print("configuration can be used\n"),
        Verb::PrintConfig => match RawConfig::load(file, &environment) {
            Ok(raw) => print(&raw.to_toml()),
            Err(error) => fail(2, &format!("{error:#}")),
        },
        Verb::Run => finish(run(config)),
        Verb::AddAccount {
            username,
            name,
            email,
            admin,
            password,
        } => {
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
            finish(on_runtime(signalling::add_account(&config, account)))
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SIGNALLING_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    on_runtime(signalling::serve(config, stop_signal()))
}

fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
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
