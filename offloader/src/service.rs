//! The service as a whole: opened, serving, stopped.
//!
//! In: a `Config`. Out: `Running`, with the address it is bound to.
//! Used by the binary, by the all-in-one binary and by tests.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use storage::{Location, Sealer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::auth::Auth;
use crate::config::Config;
use crate::http::{Api, router};
use crate::jobs::Jobs;
use crate::jobs::speech::Speech;
use crate::metrics::Metrics;
use crate::store::Store;

/// How often what failed jobs left is looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long workers may take to end their captures when the service stops.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// A running service.
#[derive(Debug)]
pub struct Running {
    /// Where the job API is.
    pub http_addr: SocketAddr,
    jobs: Jobs,
    store: Store,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Opens the data folder, takes up unfinished jobs, and serves.
///
/// # Errors
/// When the data folder or the address cannot be used.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let dir = &config.data_dir;
    let jobs_dir = dir.join("jobs");
    tokio::fs::create_dir_all(&jobs_dir)
        .await
        .with_context(|| {
            format!(
                "make the folder `{}` (store.data_source)",
                jobs_dir.display()
            )
        })?;
    // Job folders are named from here on; a worker may start elsewhere.
    let mut config = Config {
        data_dir: tokio::fs::canonicalize(dir).await?,
        ..config
    };
    if config.speech.models_dir.is_relative() {
        config.speech.models_dir = std::env::current_dir()?.join(&config.speech.models_dir);
    }
    let store = Store::open(&database(&config)).await?;
    let sealer = Sealer::open(&key_file(&config))?;
    let metrics = Metrics::new()?;
    let speech = Speech::new(&config);
    let auth = Arc::new(Auth::new(&config, store.clone()));
    let jobs = Jobs::new(
        config.clone(),
        store.clone(),
        sealer,
        metrics.clone(),
        speech,
    );
    let listener = TcpListener::bind(&config.listen_address)
        .await
        .with_context(|| format!("bind `{}` (api.http.listen_address)", config.listen_address))?;
    let http_addr = listener.local_addr()?;
    let taken_up = jobs.recover().await.context("take up unfinished jobs")?;
    let registry = config
        .validate_runners
        .then(|| config.image_registry.clone());
    let app = router(Api {
        auth,
        jobs: jobs.clone(),
        metrics,
        registry,
    });
    let (stop, stopped) = watch::channel(false);
    let tls = config.tls.is_some();
    let server = match &config.tls {
        Some(files) => crate::tls::serve(listener, files, app, stopped.clone())?,
        None => tokio::spawn(serve_plain(listener, app, stopped.clone())),
    };
    let sweeper = tokio::spawn(sweep(jobs.clone(), stopped));
    tracing::info!(%http_addr, tls, taken_up, version = env!("CARGO_PKG_VERSION"), "offloader");
    Ok(Running {
        http_addr,
        jobs,
        store,
        stop,
        tasks: vec![server, sweeper],
    })
}

fn database(config: &Config) -> Location {
    let file = || Location::File(config.data_dir.join("offloader.db"));
    config.database.clone().unwrap_or_else(file)
}

fn key_file(config: &Config) -> PathBuf {
    let own = || config.data_dir.join("secret.key");
    config.key_file.clone().unwrap_or_else(own)
}

/// Serves until `shutdown` is over.
///
/// # Errors
/// As [`start`].
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let running = start(config).await?;
    shutdown.await;
    running.stop().await;
    Ok(())
}

impl Running {
    /// Takes no more jobs, lets workers end their captures, and stops. Workers that need longer to
    /// finish go on by themselves; the next start finds their jobs.
    pub async fn stop(self) {
        self.jobs.drain(DRAIN_TIME).await;
        self.stop.send_replace(true);
        for task in self.tasks {
            let _ = tokio::time::timeout(DRAIN_TIME, task).await;
        }
        self.store.close().await;
    }
}

async fn serve_plain(listener: TcpListener, app: axum::Router, mut stop: watch::Receiver<bool>) {
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, app)
        .with_graceful_shutdown(stopped)
        .await
    {
        tracing::error!(%error, "the job API ended");
    }
}

async fn sweep(jobs: Jobs, mut stop: watch::Receiver<bool>) {
    loop {
        if tokio::time::timeout(SWEEP_EVERY, stop.wait_for(|stop| *stop))
            .await
            .is_ok()
        {
            return;
        }
        if let Err(error) = jobs.sweep().await {
            tracing::error!("remove old jobs: {error:#}");
        }
    }
}
