//! Starts the services in the order in which they need each other, and stops them in reverse.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::arguments::RunArguments;
use crate::config::{self, Addresses, Configs};
use crate::samples::{self, SampleAccount};

/// What `--ready-file` holds.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    url: String,
    rtcd_url: String,
    offloader_url: String,
    pid: u32,
    accounts: &'a [SampleAccount],
}

/// Everything that runs.
#[derive(Debug)]
struct Services {
    rtcd: rtcd::Running,
    offloader: offloader::Running,
    signalling: signalling::Running,
    addresses: Addresses,
}

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn run(arguments: &RunArguments) -> anyhow::Result<()> {
    fs::create_dir_all(&arguments.data_dir).with_context(|| {
        format!(
            "create the data directory `{}`",
            arguments.data_dir.display()
        )
    })?;
    rtcd::raise_file_limit();
    let services = start(arguments, config::read(arguments)?).await?;
    let accounts = if arguments.sample_accounts {
        samples::ensure(services.signalling.chat(), &arguments.data_dir).await?
    } else {
        Vec::new()
    };
    announce(&services, &accounts);
    if let Some(file) = &arguments.ready_file {
        write_ready(file, &services, &accounts)?;
    }
    stop_requested().await?;
    tracing::info!("stopping");
    services.stop().await
}

async fn start(arguments: &RunArguments, configs: Configs) -> anyhow::Result<Services> {
    let rtcd = rtcd::start(configs.rtcd.clone())
        .await
        .context("start rtcd")?;
    let offloader = offloader::start(configs.offloader.clone())
        .await
        .context("start the offloader")?;
    let addresses = Addresses {
        rtcd_url: format!("http://{}", rtcd.http_addr()),
        offloader_url: format!("http://{}", offloader.http_addr),
    };
    let config = configs
        .signalling(arguments, &addresses)
        .context("configure signalling")?;
    let signalling = signalling::start(config)
        .await
        .context("start signalling")?;
    Ok(Services {
        rtcd,
        offloader,
        signalling,
        addresses,
    })
}

impl Services {
    async fn stop(self) -> anyhow::Result<()> {
        self.signalling.stop().await;
        self.offloader.stop().await;
        self.rtcd.stop().await.context("stop rtcd")
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the address and the sign-ins are for the person who started it"
)]
fn announce(services: &Services, accounts: &[SampleAccount]) {
    println!(
        "\nParley is ready: http://{}",
        services.signalling.http_addr()
    );
    for account in accounts {
        println!(
            "  sign in as {:<6} password {}",
            account.username, account.password
        );
    }
    if let Some(token) = services.signalling.chat().first_account_token() {
        println!(
            "  no account yet: the page asks for the one-time token {}",
            token.expose()
        );
        println!("  or use `parley add-account --username NAME` with PARLEY_PASSWORD set");
    }
    println!("Stop with Ctrl-C.");
}

/// Written under another name first, so that a reader never finds half of it.
fn write_ready(file: &Path, services: &Services, accounts: &[SampleAccount]) -> anyhow::Result<()> {
    let ready = Ready {
        url: format!("http://{}", services.signalling.http_addr()),
        rtcd_url: services.addresses.rtcd_url.clone(),
        offloader_url: services.addresses.offloader_url.clone(),
        pid: std::process::id(),
        accounts,
    };
    let shown = file.display();
    let partial = file.with_extension("partial");
    let json = serde_json::to_vec_pretty(&ready).context("write the ready file")?;
    fs::write(&partial, json).with_context(|| format!("write `{shown}`"))?;
    fs::rename(&partial, file).with_context(|| format!("write `{shown}`"))
}

async fn stop_requested() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
