//! `parley`: rtcd, signalling and offloader in one process, for the quick start and small sites.
//!
//! Here: flags, one configuration file for all three, start and stop. Not here: any behaviour; each
//! service is a library and also runs alone.

mod arguments;
mod config;
mod run;
mod samples;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use messaging::embedded;
use proto::redact::Secret;
use tracing_subscriber::EnvFilter;

use crate::arguments::{AccountArguments, Arguments, Verb};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.verb {
        Some(Verb::Worker) => return offloader::worker_main(),
        Some(Verb::Speech(speech)) => {
            offloader::telemetry::start_worker();
            offloader::speech::process::main(&speech).map_err(anyhow::Error::from)
        }
        Some(Verb::Run(run)) => block_on(|| async move { run::run(&run).await }),
        None => block_on(|| async move { run::run(&arguments.run).await }),
        Some(Verb::CheckConfig(run)) => {
            config::read(&run).map(|_| say("the configuration is good"))
        }
        Some(Verb::PrintConfig(run)) => config::print(&run).map(|text| say(&text)),
        Some(Verb::AddAccount(account)) => block_on(|| add_account(account)),
        Some(Verb::Models(models)) => return offloader::models::cli(models),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "the one place where a program says why it ends"
            )]
            {
                eprintln!("parley: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn block_on<F: Future<Output = anyhow::Result<()>>>(
    work: impl FnOnce() -> F,
) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn")),
        )
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(work())
}

#[expect(clippy::print_stdout, reason = "verbs that print are asked to print")]
fn say(text: &str) {
    println!("{text}");
}

async fn add_account(account: AccountArguments) -> anyhow::Result<()> {
    let mut config = embedded::Config::new(account.data_dir.join("signalling"));
    if let Some(server) = account.database.location()? {
        config.database = server;
    }
    let chat = embedded::Server::open(config)
        .await
        .context("open the data directory")?;
    chat.ensure_account(embedded::NewAccount {
        username: account.username,
        password: Secret::new(account.password),
        email: String::new(),
        first_name: account.first_name,
        last_name: account.last_name,
        nickname: String::new(),
        is_admin: account.admin,
    })
    .await
    .context("create the account")?;
    chat.close().await;
    Ok(())
}
