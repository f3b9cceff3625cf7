//! Starts the services in the order in which they need each other, and stops them in reverse.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use service::signals::Signals;
use service::{TaskOver, private};

use crate::config::{Addresses, Configs};
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
pub(crate) async fn run(configs: Configs) -> anyhow::Result<()> {
    for warning in &configs.warnings {
        tracing::warn!("{warning}");
    }
    let own = configs.own.own.clone();
    private::folder(&own.data_dir).context("make the data directory (--data-dir)")?;
    service::descriptors::raise_limit();
    let mut signals = Signals::new().context("watch for SIGINT and SIGTERM")?;
    let services = start(configs).await?;
    let accounts = if own.sample_accounts {
        samples::ensure(services.signalling.chat(), &own.data_dir).await?
    } else {
        Vec::new()
    };
    announce(&own.data_dir, &services, &accounts);
    if !own.ready_file.as_os_str().is_empty() {
        write_ready(&own.ready_file, &services, &accounts)?;
    }
    let over = tokio::select! {
        () = signals.next() => None,
        over = services.failed() => Some(over),
    };
    tracing::info!("stopping");
    let stopped = services.stop().await;
    // What went wrong first is the cause of the rest.
    over.map_or(stopped, |over| Err(over.into()))
}

async fn start(configs: Configs) -> anyhow::Result<Services> {
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
        .signalling(&addresses)
        .context("configure signalling")?;
    let beside = vec![rtcd.health().clone(), offloader.health().clone()];
    let signalling = signalling::start_beside(config, beside)
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
    /// Waits until a task of any service that must live is over.
    async fn failed(&self) -> TaskOver {
        tokio::select! {
            over = self.rtcd.failed() => over,
            over = self.offloader.failed() => over,
            over = self.signalling.failed() => over,
        }
    }

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
fn announce(data_dir: &Path, services: &Services, accounts: &[SampleAccount]) {
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
        println!(
            "  or use `parley add-account --data-dir {} --username NAME` with PARLEY_PASSWORD set",
            data_dir.display()
        );
    }
    println!("Stop with Ctrl-C.");
}

/// For its owner only: it may hold passwords.
fn write_ready(file: &Path, services: &Services, accounts: &[SampleAccount]) -> anyhow::Result<()> {
    let ready = Ready {
        url: format!("http://{}", services.signalling.http_addr()),
        rtcd_url: services.addresses.rtcd_url.clone(),
        offloader_url: services.addresses.offloader_url.clone(),
        pid: std::process::id(),
        accounts,
    };
    let json = serde_json::to_vec_pretty(&ready).context("write the ready file")?;
    private::write(file, &json).context("write the ready file (--ready-file)")
}
