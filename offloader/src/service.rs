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
use service::descriptors::Share;
use service::listen::{self, Admission, Limits};
use service::{Health, Restarts, TaskOver, Tasks, private};
use storage::{Location, Sealer};
use tokio::sync::watch;

use crate::auth::Auth;
use crate::config::Config;
use crate::http::{Api, router};
use crate::jobs::Jobs;
use crate::jobs::speech::Speech;
use crate::metrics::Metrics;
use crate::store::Store;

/// How often jobs are looked for that were released since.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often what failed jobs left is looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Longest wait for the port at the end: more than it gives its connections.
const PORT_WITHIN: Duration = Duration::from_secs(15);
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
    tasks: Tasks,
    health: Health,
    /// Those that let go of their connections at the end.
    ports: Tasks,
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
    private::folder(dir).context("make the data folder (store.data_source)")?;
    private::folder(&jobs_dir).context("make the folder of jobs (store.data_source)")?;
    // Job folders are named from here on; a worker may start elsewhere.
    let mut config = Config {
        data_dir: tokio::fs::canonicalize(dir).await?,
        ..config
    };
    if config.speech.models_dir.is_relative() {
        config.speech.models_dir = std::env::current_dir()?.join(&config.speech.models_dir);
    }
    if let Some(archives) = config.archive_dir.take_if(|dir| dir.is_relative()) {
        config.archive_dir = Some(std::env::current_dir()?.join(archives));
    }
    let store = Store::open(&database(&config)).await?;
    let sealer = Sealer::open(&key_file(&config))?;
    let metrics = Metrics::new()?;
    let tasks = Tasks::new("offloader");
    let speech = Speech::new(&config, &tasks).context("place the speech process's socket")?;
    let auth = Arc::new(Auth::new(&config, store.clone()));
    let jobs = Jobs::new(
        config.clone(),
        store.clone(),
        sealer,
        metrics.clone(),
        speech,
        tasks.clone(),
    );
    let listener = listen::bind(&config.listen_address)
        .await
        .context("bind the job API (api.http.listen_address)")?;
    let http_addr = listener.local_addr()?;
    let taken_up = jobs.recover().await.context("take up unfinished jobs")?;
    let registry = config
        .validate_runners
        .then(|| config.image_registry.clone());
    let limits = Limits::default().within(Share::Service.connections());
    let admission = Admission::new("api", limits);
    let health = health(&tasks, &jobs, &store);
    let app = router(Api {
        auth,
        jobs: jobs.clone(),
        metrics,
        registry,
        text: config.text.clone(),
        tasks: tasks.clone(),
        health: health.clone(),
        admission: Arc::clone(&admission),
    });
    let (stop, stopped) = watch::channel(false);
    let acceptor = config.tls.as_ref();
    let acceptor = acceptor.map(|files| listen::tls(&files.cert_file, &files.key_file));
    let serving = listen::serve(listener, acceptor.transpose()?, app, admission, stopped);
    let ports = tasks.group();
    ports.must_live("http", serving);
    let swept = jobs.clone();
    let sweeping = move || sweep(swept.clone());
    tasks.restarted("sweep of old jobs", sweeping, Restarts::default());
    let released = jobs.clone();
    let looking = move || look_for_released(released.clone());
    tasks.restarted("look for released jobs", looking, Restarts::default());
    let tls = config.tls.is_some();
    tracing::info!(%http_addr, tls, taken_up, version = env!("CARGO_PKG_VERSION"), "offloader");
    Ok(Running {
        http_addr,
        jobs,
        store,
        stop,
        tasks,
        health,
        ports,
    })
}

pub(crate) fn database(config: &Config) -> Location {
    let file = || Location::File(config.data_dir.join("offloader.db"));
    config.database.clone().unwrap_or_else(file)
}

pub(crate) fn key_file(config: &Config) -> PathBuf {
    let own = || config.data_dir.join("secret.key");
    config.key_file.clone().unwrap_or_else(own)
}

/// Serves until `shutdown` is over. Workers go on: the next start takes their jobs up.
///
/// # Errors
/// As [`start`], and when a task that must live was over, of a bug.
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let running = start(config).await?;
    let over = tokio::select! {
        () = shutdown => None,
        over = running.failed() => Some(over),
    };
    running.leave().await;
    over.map_or(Ok(()), |over| Err(over.into()))
}

impl Running {
    /// Waits until a task that must live is over, of a bug: the service is of no use then and should
    /// be started again.
    pub async fn failed(&self) -> TaskOver {
        self.tasks.fatal().await
    }

    /// What `/readyz` answers.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The watched tasks.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Stops together with the calls: workers end their captures. Those that need longer to finish go
    /// on by themselves; the next start finds their jobs.
    pub async fn stop(self) {
        self.tasks.begin_stop();
        self.jobs.drain(DRAIN_TIME).await;
        self.leave().await;
    }

    /// Stops, and lets workers go on with their calls; the next start finds their jobs.
    pub async fn leave(self) {
        self.tasks.begin_stop();
        self.jobs.close();
        self.stop.send_replace(true);
        if !self.ports.finish(PORT_WITHIN).await {
            tracing::warn!("requests were cut off");
        }
        self.tasks.stop().await;
        self.store.close().await;
    }
}

fn health(tasks: &Tasks, jobs: &Jobs, store: &Store) -> Health {
    let (jobs, store) = (jobs.clone(), store.clone());
    Health::of(tasks)
        .check("the database of jobs", move || {
            let store = store.clone();
            async move {
                let checked = store.check().await;
                let trouble = checked.err().map(|error| error.to_string());
                trouble.into_iter().collect()
            }
        })
        .check("drain", move || {
            let draining = jobs.is_draining().then(|| "draining".to_owned());
            std::future::ready(draining.into_iter().collect())
        })
}

/// Jobs that an operator hands in again are found soon.
async fn look_for_released(jobs: Jobs) {
    let mut period = tokio::time::interval(LOOK_EVERY);
    loop {
        period.tick().await;
        if let Err(error) = jobs.take_up_released().await {
            tracing::error!("look for jobs that were released: {error:#}");
        }
    }
}

async fn sweep(jobs: Jobs) {
    let mut period = tokio::time::interval(SWEEP_EVERY);
    // The first tick comes at once; nothing has grown old since the start.
    period.tick().await;
    loop {
        period.tick().await;
        if let Err(error) = jobs.sweep().await {
            tracing::error!("remove old jobs: {error:#}");
        }
    }
}
