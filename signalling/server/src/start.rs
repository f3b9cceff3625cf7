//! Puts the parts together, serves, and stops them again.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use messaging::gateway::Gateway;
use messaging::news::Backlog;
use messaging::{ChatBackend, People as _, embedded};
use proto::id::{CallId, SessionId, new_id};
use proto::redact::Secret;
use signalling_core::{Calls, Features, MediaHost, RestoredCall};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::admin::chat_config;
use crate::config::{Config, ServiceUrl};
use crate::engine::{self, Bot, Engine, Parts, moment};
use crate::http;
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
    chat: Arc<embedded::Server>,
    gateway: Arc<Gateway>,
    engine: Arc<Engine>,
    tasks: Vec<JoinHandle<()>>,
    server: JoinHandle<std::io::Result<()>>,
    stop: oneshot::Sender<()>,
}

impl Running {
    /// The address that is served, with its real port.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// The messaging server, for accounts and rooms.
    #[must_use]
    pub fn chat(&self) -> &Arc<embedded::Server> {
        &self.chat
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
        for task in &self.tasks {
            task.abort();
        }
        let _ = self.stop.send(());
        self.engine.links.stop();
        self.gateway.close();
        self.chat.close().await;
        if tokio::time::timeout(STOP_LIMIT, self.server).await.is_err() {
            tracing::warn!("requests were cut off");
        }
        self.engine.store.close().await;
    }
}

/// Runs until `shutdown`.
///
/// # Errors
/// When the server cannot start.
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let running = start(config).await?;
    shutdown.await;
    running.stop().await;
    Ok(())
}

/// Opens the records, binds, connects, serves.
///
/// # Errors
/// When the records cannot be opened or the address cannot be bound. A media host or job service
/// that is away is no error: it is retried, and `/readyz` tells.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    let data_dir = &config.data_dir;
    tokio::fs::create_dir_all(data_dir)
        .await
        .with_context(|| format!("create the data directory `{}`", data_dir.display()))?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen on {}", config.listen))?;
    let http_addr = listener.local_addr().context("read the bound address")?;
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
    let links = Links::start(hosts, &news, metrics.clone());
    drop(news);
    let jobs = job_service(&config, &store, http_addr).await?;
    let calls = take_over(&config, &bot, &links, restored);
    let switches = store.switches().await?;
    let backend: Arc<dyn ChatBackend> = chat.clone();
    let chat_news = Arc::new(Backlog::default());
    backend.listen(chat_news.clone());
    let gateway = Gateway::new(backend.clone(), chat.gateway_config());
    gateway
        .register(metrics.registry())
        .context("register the gateway's metrics")?;
    let parts = Parts {
        calls,
        chat: backend,
        gateway: gateway.clone(),
        store,
        links,
        jobs,
        metrics,
        config,
        bot,
        switches,
    };
    let engine = Engine::new(parts);
    let tasks = vec![
        tokio::spawn(engine::run_media_news(engine.clone(), heard)),
        tokio::spawn(engine::run_chores(engine.clone())),
        tokio::spawn(announce_runners(engine.clone())),
        tokio::spawn(engine::run_chat_news(engine.clone(), chat_news)),
    ];
    // Whatever the restored calls ask for at once.
    engine.turn(|_, _| ()).await;
    wait_for_media(&engine).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let clients = Arc::new(engine::Clients(engine.clone()));
    let chat_routes = chat.router().merge(gateway.router(clients));
    let router = http::router(engine.clone(), chat_routes);
    let served = axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async move {
        let _ = stopped.await;
    });
    let server = tokio::spawn(async move { served.await });
    tracing::info!(%http_addr, version = env!("CARGO_PKG_VERSION"), "signalling serves");
    Ok(Running {
        http_addr,
        chat,
        gateway,
        engine,
        tasks,
        server,
        stop,
    })
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
