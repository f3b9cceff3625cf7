//! Puts the parts together, serves, and stops them again.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use messaging::{ChatBackend, embedded};
use proto::id::{CallId, SessionId, new_id};
use proto::redact::Secret;
use service::descriptors::Share;
use service::listen::{self, Door, Limits};
use service::{Health, Restarts, TaskOver, Tasks, private};
use signalling_core::{Calls, Features, MediaHost, RestoredCall};
use tokio::sync::{mpsc, watch};

use crate::admin::chat_config;
use crate::config::{Config, ServiceUrl};
use crate::engine::{self, Bot, Engine, Parts, moment};
use crate::http::{self, Watched};
use crate::jobs::JobService;
use crate::links::{HostConfig, Links};
use crate::metrics::Metrics;
use crate::store::Store;

/// How long clients have to come back after a restart of ours; they try for thirty seconds.
const RESTART_GRACE: Duration = Duration::from_secs(30);
/// How long a start waits for a media host: people who come at once find calls working.
const MEDIA_WAIT: Duration = Duration::from_secs(3);
/// How long requests may take to finish when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Reports of media hosts not yet handled; the links wait when it is full.
const MEDIA_NEWS: usize = 4096;
const BOT_USERNAME: &str = "calls";
const BOT_NAME: &str = "Calls";

/// A running server.
#[derive(Debug)]
pub struct Running {
    http_addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    chat: Arc<embedded::Server>,
    engine: Arc<Engine>,
    tasks: Tasks,
    health: Health,
    stop: watch::Sender<bool>,
    /// Those that let go of their connections at the end.
    ports: Tasks,
}

impl Running {
    /// The address that is served, with its real port.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// The address where metrics are served to everybody, with its real port.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// The messaging server, for accounts and rooms.
    #[must_use]
    pub fn chat(&self) -> &Arc<embedded::Server> {
        &self.chat
    }

    /// Waits until a task that must live is over, of a bug: the server is of no use then and should
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

    /// Whether a media host is connected; why not, in words.
    ///
    /// # Errors
    /// One text per media host that is away, when all are.
    pub fn media_is_connected(&self) -> Result<(), Vec<String>> {
        match self.engine.links.counts() {
            (0, _) => Err(self.engine.links.troubles()),
            (_, _) => Ok(()),
        }
    }

    /// Stops serving. Calls go on at the media hosts: a start with the same data directory takes
    /// them over.
    pub async fn stop(self) {
        // Before the clients are cut off: nobody shall leave a call by that.
        self.tasks.stop().await;
        self.stop.send_replace(true);
        self.chat.close().await;
        if !self.ports.finish(STOP_LIMIT).await {
            tracing::warn!("requests were cut off");
        }
        self.engine.store.close().await;
    }
}

/// Runs until `shutdown`.
///
/// # Errors
/// When the server cannot start, or a task that must live was over, of a bug.
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let running = start(config).await?;
    let over = tokio::select! {
        () = shutdown => None,
        over = running.failed() => Some(over),
    };
    running.stop().await;
    over.map_or(Ok(()), |over| Err(over.into()))
}

/// Opens the records, binds, connects, serves.
///
/// # Errors
/// When the records cannot be opened or the address cannot be bound. A media host or job service
/// that is away is no error: it is retried, and `/readyz` tells.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    start_beside(config, Vec::new()).await
}

/// As [`start`]; `/readyz` also tells of services of the same process.
///
/// # Errors
/// As [`start`].
pub async fn start_beside(config: Config, beside: Vec<Health>) -> anyhow::Result<Running> {
    let data_dir = &config.data_dir;
    private::folder(data_dir).context("make the data directory (storage.data_dir)")?;
    let listener = listen::bind(&config.listen.to_string()).await?;
    let http_addr = listener.local_addr().context("read the bound address")?;
    let metrics_listener = match config.metrics_listen {
        Some(address) => Some(listen::bind(&address.to_string()).await?),
        None => None,
    };
    let metrics_addr = metrics_listener
        .as_ref()
        .and_then(|listener| listener.local_addr().ok());
    let chat = embedded::Server::open(chat_config(&config))
        .await
        .context("open the chat")?;
    let store = Store::open(&data_dir.join("calls.db")).await?;
    let (bot, token) = chat
        .ensure_bot(BOT_USERNAME, BOT_NAME)
        .await
        .context("make the bot")?;
    let bot = Bot {
        id: bot.id,
        token: Secret::new(token),
    };
    let metrics = Arc::new(Metrics::new());
    let restored = store.running_calls().await?;
    let (news, heard) = mpsc::channel(MEDIA_NEWS);
    let hosts = hosts(&config, &store, &restored).await?;
    let tasks = Tasks::new("signalling");
    let links = Links::start(hosts, &news, metrics.clone(), &tasks);
    drop(news);
    let jobs = job_service(&config, &store, http_addr).await?;
    let calls = take_over(&config, &bot, &links, restored);
    let switches = store.switches().await?;
    let backend: Arc<dyn ChatBackend> = chat.clone();
    let parts = Parts {
        calls,
        chat: backend,
        store,
        links,
        jobs,
        metrics,
        config,
        bot,
        switches,
    };
    let engine = Engine::new(parts);
    let news = engine::run_media_news(engine.clone(), heard);
    tasks.must_live("news of media hosts", news);
    tasks.must_live("chores", engine::run_chores(engine.clone()));
    if let Some(notices) = chat.notices() {
        let notices = engine::run_notices(engine.clone(), notices);
        tasks.must_live("notices of the chat", notices);
    }
    let of_jobs = engine.clone();
    let announce = move || announce_runners(of_jobs.clone());
    tasks.until_done("job service", announce, Restarts::default());
    // Whatever the restored calls ask for at once.
    engine.turn(|_, _| ()).await;
    wait_for_media(&engine).await;
    let (stop, stopped) = watch::channel(false);
    let limits = Limits {
        connections: engine.config.max_connections,
        per_address: engine.config.max_connections_per_address,
        ..Limits::default()
    };
    let door = Door::new("people", limits.within(Share::People.connections()));
    let own = health(&tasks, &engine);
    let health = beside.into_iter().fold(own, Health::beside);
    let watched = Watched {
        tasks: tasks.clone(),
        health: health.clone(),
        door: door.clone(),
    };
    let ports = tasks.group();
    if let Some(listener) = metrics_listener {
        let router = http::metrics_router(engine.clone(), watched.clone());
        let limits = Limits::default().within(Share::Service.connections());
        let door = Door::new("metrics", limits);
        let serving = listen::serve(listener, None, router, door, stopped.clone());
        ports.must_live("metrics", serving);
    }
    let router = http::router(engine.clone(), watched, chat.router());
    let serving = listen::serve(listener, None, router, door, stopped);
    ports.must_live("http", serving);
    tracing::info!(%http_addr, version = env!("CARGO_PKG_VERSION"), "signalling serves");
    Ok(Running {
        http_addr,
        metrics_addr,
        chat,
        engine,
        tasks,
        health,
        stop,
        ports,
    })
}

fn health(tasks: &Tasks, engine: &Arc<Engine>) -> Health {
    let (of_store, of_links) = (engine.clone(), engine.clone());
    let database = move || {
        let engine = of_store.clone();
        async move {
            let checked = engine.store.check().await;
            checked
                .err()
                .map(|error| error.to_string())
                .into_iter()
                .collect()
        }
    };
    let media = move || {
        let links = &of_links.links;
        let is_away = links.counts().0 == 0;
        std::future::ready(if is_away {
            links.troubles()
        } else {
            Vec::new()
        })
    };
    Health::of(tasks)
        .check("the database of calls", database)
        .check("the links to media hosts", media)
}

/// Calls whose media host is no longer configured cannot go on.
fn take_over(config: &Config, bot: &Bot, links: &Links, restored: Vec<RestoredCall>) -> Calls {
    let restored = restored.into_iter().map(|mut restored| {
        if !links.knows(&restored.call.media) {
            restored.sessions.clear();
        }
        restored
    });
    Calls::restore(
        features(config, bot),
        restored.collect(),
        moment(),
        RESTART_GRACE,
    )
}

fn features(config: &Config, bot: &Bot) -> Features {
    Features {
        bot: bot.id.clone(),
        default_enabled: config.calls.default_enabled,
        group_calls: config.calls.group_calls_allowed,
        max_participants: usize::try_from(config.calls.max_participants).unwrap_or(usize::MAX),
        screen_sharing: config.calls.allow_screen_sharing,
        video: config.calls.video,
        recordings: config.recording.enabled,
        transcriptions: config.transcribing.enabled,
        captions: config.transcribing.captions_enabled,
        job_service: config.offloader.is_some(),
    }
}

async fn hosts(
    config: &Config,
    store: &Store,
    restored: &[RestoredCall],
) -> anyhow::Result<Vec<HostConfig>> {
    let mut hosts = Vec::new();
    for url in &config.rtcd.hosts {
        let rtcd = &config.rtcd;
        let (client_id, auth_key) =
            credentials(store, "rtcd", url, &rtcd.client_id, &rtcd.auth_key).await?;
        let host = MediaHost(url.base.clone());
        let known: BTreeMap<SessionId, CallId> = restored
            .iter()
            .filter(|restored| restored.call.media == host)
            .flat_map(|restored| &restored.sessions)
            .map(|session| (session.id.clone(), session.call.clone()))
            .collect();
        hosts.push(HostConfig {
            base: url.base.clone(),
            client_id,
            auth_key,
            known,
        });
    }
    Ok(hosts)
}

/// What the URL says, else what the configuration says, else what was made for this installation.
async fn credentials(
    store: &Store,
    service: &str,
    url: &ServiceUrl,
    client_id: &str,
    auth_key: &Secret,
) -> anyhow::Result<(String, Secret)> {
    let own_id = store.key("client_id", new_id).await?;
    let long_key = || (new_id() + &new_id()).chars().take(32).collect();
    let own_key = store.key(&format!("{service}_auth_key"), long_key).await?;
    let configured = Some(client_id)
        .filter(|id| !id.is_empty())
        .map(str::to_owned);
    let id = url.client_id.clone().or(configured).unwrap_or(own_id);
    let configured = Some(auth_key).filter(|key| !key.is_empty()).cloned();
    let in_url = url.auth_key.clone().filter(|key| !key.is_empty());
    Ok((
        id,
        in_url
            .or(configured)
            .unwrap_or_else(|| Secret::new(own_key)),
    ))
}

async fn job_service(
    config: &Config,
    store: &Store,
    http_addr: SocketAddr,
) -> anyhow::Result<Option<JobService>> {
    let Some(offloader) = config.offloader.clone() else {
        return Ok(None);
    };
    let (id, key) = (&offloader.client_id, &offloader.auth_key);
    let credentials = credentials(store, "job_service", &offloader.url, id, key).await?;
    let configured = [&offloader.site_url, &config.site_url];
    let site_url = configured.into_iter().find(|url| !url.is_empty()).cloned();
    let site_url = site_url.unwrap_or_else(|| format!("http://{}", reachable(http_addr)));
    let (recording, transcribing) = (config.recording.clone(), config.transcribing.clone());
    Ok(Some(JobService::new(
        offloader,
        recording,
        transcribing,
        site_url,
        credentials,
    )))
}

/// An address that a program on this machine can connect to.
fn reachable(addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port()))
    } else {
        addr
    }
}

/// Tells the job service which runners will be asked for, until it hears.
async fn announce_runners(engine: Arc<Engine>) {
    let Some(jobs) = &engine.jobs else { return };
    let mut pause = Duration::from_secs(1);
    while let Err(reason) = jobs.init().await {
        tracing::warn!(reason, "job service not ready; recordings wait for it");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(60));
    }
    tracing::info!("job service ready");
}

async fn wait_for_media(engine: &Engine) {
    let connected = async {
        while engine.links.counts().0 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(MEDIA_WAIT, connected).await.is_err() {
        for trouble in engine.links.troubles() {
            tracing::warn!(trouble, "calls cannot start yet");
        }
    }
}
