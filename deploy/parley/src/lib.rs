//! `parley`: rtcd, signalling and offloader in one process, for the quick start and small sites.
//!
//! Here: flags, one configuration file for all three, start and stop. Not here: any behaviour; each
//! service is a library and also runs alone.
//!
//! Exit codes: 0 asked to stop, 1 failed while running, 2 configuration or arguments of no use.

mod admin;
mod arguments;
pub mod config;
mod own;
mod people;
mod run;
mod samples;

use std::process::ExitCode;

use anyhow::Context;
use messaging::embedded;
use offloader::models::ModelsArgs;
use proto::redact::Secret;
use service::process;
use service::telemetry::{self, Log};

pub use crate::own::Own;

use crate::admin::AdminCommand;
use crate::arguments::{AccountArguments, Arguments, RunArguments, Verb};

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    process::begin();
    let Arguments { verb, run } = match Arguments::typed() {
        Ok(arguments) => arguments,
        Err(refused) => return complain(2, &refused),
    };
    match verb {
        Some(Verb::Worker) => offloader::worker_main(),
        Some(Verb::Speech(speech)) => {
            offloader::worker::start_log();
            finish(offloader::speech::process::main(&speech).map_err(anyhow::Error::from))
        }
        #[cfg(feature = "cluster")]
        Some(Verb::Cluster { command }) => {
            let made = cluster_nats::command::carry_out(command, std::time::SystemTime::now());
            finish(made.map(|text| say(&text)).map_err(anyhow::Error::from))
        }
        Some(Verb::Models { command }) => match config::own(&run) {
            Ok(own) => offloader::models::cli(ModelsArgs {
                models_dir: own.models_dir(),
                command,
            }),
            Err(error) => complain(2, &format!("{error:#}")),
        },
        Some(Verb::Run) | None => match config::read(&run) {
            Ok(configs) => finish(block_on(|| run::run(configs))),
            Err(error) => complain(2, &format!("{error:#}")),
        },
        Some(Verb::Ask(ask)) => match config::answer(ask, &run) {
            Ok(text) => {
                say(&text);
                ExitCode::SUCCESS
            }
            Err(error) => complain(2, &format!("{error:#}")),
        },
        Some(Verb::People { command }) => match config::for_accounts(&run) {
            Ok(config) => finish(block_on(|| async move {
                say(&people::carry_out(&config, command).await?);
                Ok(())
            })),
            Err(error) => complain(2, &format!("{error:#}")),
        },
        Some(Verb::Admin { command }) => administer(&run, command),
        Some(Verb::Status { json }) => administer(&run, AdminCommand::Nodes { json }),
        Some(Verb::AddAccount(account)) => match config::for_accounts(&run) {
            Ok(config) => finish(block_on(|| async move {
                say(&add_account(config, account).await?);
                Ok(())
            })),
            Err(error) => complain(2, &format!("{error:#}")),
        },
    }
}

fn block_on<F: Future<Output = anyhow::Result<()>>>(
    work: impl FnOnce() -> F,
) -> anyhow::Result<()> {
    telemetry::start(&Log::on_stderr(tracing::Level::INFO, "RUST_LOG")?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(work())
}

fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(1, &format!("{error:#}")),
    }
}

#[expect(clippy::print_stdout, reason = "verbs that print are asked to print")]
fn say(text: &str) {
    println!("{}", text.trim_end());
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where a program says why it ends"
)]
fn complain(code: u8, text: &str) -> ExitCode {
    eprintln!("parley: {text}");
    ExitCode::from(code)
}

fn administer(run: &RunArguments, command: AdminCommand) -> ExitCode {
    match config::for_accounts(run) {
        Ok(config) => finish(block_on(|| async move {
            say(&admin::carry_out(&config, command).await?);
            Ok(())
        })),
        Err(error) => complain(2, &format!("{error:#}")),
    }
}

async fn add_account(
    config: signalling::Config,
    account: AccountArguments,
) -> anyhow::Result<String> {
    let account = embedded::NewAccount {
        username: account.username,
        password: Secret::new(account.password),
        email: String::new(),
        first_name: account.first_name,
        last_name: account.last_name,
        nickname: String::new(),
        is_admin: account.admin,
    };
    signalling::add_account(&config, account).await
}
