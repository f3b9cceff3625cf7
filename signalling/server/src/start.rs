//! Puts the parts together, serves, and stops them again.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

mod media;

use anyhow::Context as _;
use futures_util::future::join_all;
use messaging::gateway::Gateway;
use messaging::news::Backlog;
use messaging::{ChatBackend, People as _, embedded};
use proto::id::{SessionId, new_id};
use proto::redact::Secret;
use service::descriptors::Share;
use service::listen::{self, Admission, Handed, Limits};
use service::supervise::{Restarts, TaskOver, Tasks};
use service::{Health, private};
use signalling_core::{Features, Input, RestoredCall};
use storage::{Location, Sealer};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};

use crate::admin::chat_config;
use crate::commands::Commands;
use crate::config::{Config, ServiceUrl};
use crate::door::rtcd::{MediaHosts, MediaNews};
use crate::engine::{self, Bot, Clients, Engine, Parts, writer};
use crate::http::{self, Watched};
use crate::jobs::{Asks, JobService, JobServices};
use crate::leader;
use crate::metrics::Metrics;
use crate::nodes::{Nodes, Standing};
use crate::store::Store;
use crate::web::Embedding;

/// How long clients have to come back after a restart of ours; they try for thirty seconds.
const RESTART_GRACE: Duration = Duration::from_secs(30);
/// How long a start waits for a media host: people who come at once find calls working.
const MEDIA_WAIT: Duration = Duration::from_secs(1);
/// How long requests may take to finish when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Reports of media hosts not yet handled; their connections wait when it is full.
const MEDIA_NEWS: usize = 4096;
/// How often probes of `/readyz` make us ask whether files can be stored: it costs a write or a
/// request. Longer: a place that is gone, or back, is told later.
const FILES_CHECKED_EVERY: Duration = Duration::from_secs(5);
const BOT_USERNAME: &str = "calls";
const BOT_NAME: &str = "Calls";

/// A running server.
#[derive(Debug)]
pub struct Running {
    http_addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    chat: Arc<embedded::Server>,
    gateway: Arc<Gateway>,
    engine: Arc<Engine>,
    health: Health,
    nodes: Nodes,
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
        self.engine.tasks.fatal().await
    }

    /// What `/readyz` answers.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The watched tasks.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.engine.tasks
    }

    /// Whether a media host is connected; why not, in words.
    ///
    /// # Errors
    /// One text per media host that is away, when all are.
    pub fn media_is_connected(&self) -> Result<(), Vec<String>> {
        match self.engine.media_hosts.counts() {
            (0, 1..) => Err(self.engine.media_hosts.troubles()),
            (_, _) => Ok(()),
        }
    }

    /// Stops serving. Calls go on at the media hosts: a start with the same data directory takes
    /// them over.
    pub async fn stop(self) {
        self.nodes.leave().await;
        let tasks = &self.engine.tasks;
        tasks.begin_stop();
        self.stop.send_replace(true);
        self.gateway.close();
        self.chat.close().await;
        if !self.ports.finish(STOP_LIMIT).await {
            tracing::warn!("requests were cut off");
        }
        if tokio::time::timeout(STOP_LIMIT, self.engine.settle())
            .await
            .is_err()
        {
            tracing::warn!("the last changes of calls were not kept");
        }
        self.engine.tasks.stop().await;
        self.engine.store.close().await;
    }
}

/// What a server begins with.
pub(crate) struct Ground {
    /// Where it listens.
    pub(crate) http_addr: SocketAddr,
    pub(crate) people: People,
    /// Its place among other nodes, where it stood by before.
    pub(crate) standing: Option<Standing>,
}

/// How people come to a server.
pub(crate) enum People {
    Come(TcpListener),
    /// Somebody else lets them in: the front of this process, and other processes.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(dead_code, reason = "there are no other processes")
    )]
    AreHanded(mpsc::Receiver<Handed>),
}

/// Runs until `shutdown`: by itself, or as one of several processes of which one leads.
///
/// # Errors
/// When the server cannot start, a task that must live was over, of a bug, or another process leads in its
/// place.
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    match config.link_address.clone() {
        Some(address) => Box::pin(leader::serve(config, address, shutdown)).await,
        None => run_until(start(config).await?, shutdown).await,
    }
}

/// Runs a server until `shutdown`.
pub(crate) async fn run_until(
    running: Running,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    if let Some(token) = running.chat.first_account_token() {
        print_first_account_token(&token);
    }
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
    let listener = listen::bind(&config.listen.to_string()).await?;
    let ground = Ground {
        http_addr: listener.local_addr().context("read the bound address")?,
        people: People::Come(listener),
        standing: None,
    };
    start_at(config, beside, ground).await
}

/// As [`start_beside`], with what it has already.
#[expect(
    clippy::too_many_lines,
    reason = "the parts of a server, put together in order"
)]
pub(crate) async fn start_at(
    config: Config,
    beside: Vec<Health>,
    ground: Ground,
) -> anyhow::Result<Running> {
    let data_dir = &config.data_dir;
    private::folder(data_dir).context("make the data directory (storage.data_dir)")?;
    let http_addr = ground.http_addr;
    let metrics_listener = match config.metrics_listen {
        Some(address) => Some(listen::bind(&address.to_string()).await?),
        None => None,
    };
    let metrics_addr = metrics_listener
        .as_ref()
        .and_then(|listener| listener.local_addr().ok());
    let tasks = Tasks::new("signalling");
    let chat = embedded::Server::open(chat_config(&config)?)
        .await
        .context("open the chat")?;
    chat.keep_house(&tasks);
    let metrics = Arc::new(Metrics::new());
    let store = Store::open(&calls_database(&config)).await?;
    let store = store.counted_by(metrics.clone());
    let sealer = Sealer::open(&config.key_file)?;
    store.seal_keys(&sealer).await?;
    let (bot, token) = chat
        .ensure_bot(BOT_USERNAME, BOT_NAME)
        .await
        .context("make the bot")?;
    let bot = Bot {
        id: bot.id,
        token: Secret::new(token),
    };
    let restored = store.running_calls().await?;
    let (news, heard) = mpsc::channel(MEDIA_NEWS);
    let access = media::Access {
        config: &config,
        store: &store,
        sealer: &sealer,
    };
    let (hosts, names) = access.hosts(&restored).await?;
    let unnamed = access.unnamed_host().await?;
    let media_hosts = MediaHosts::start(hosts, news, metrics.clone(), &tasks);
    let jobs = job_services(&config, &store, &sealer, http_addr).await?;
    let switches = store.switches().await?;
    let backend: Arc<dyn ChatBackend> = chat.clone();
    let chat_news = Arc::new(Backlog::default());
    backend.listen(chat_news.clone());
    let gateway = Gateway::new(backend.clone(), chat.gateway_config(), &tasks);
    gateway
        .register(metrics.registry())
        .context("register the gateway's metrics")?;
    let (writer, batches) = mpsc::channel(writer::QUEUE);
    let parts = Parts {
        features: features(&config, &bot),
        chat: backend,
        publisher: gateway.clone(),
        store,
        writer,
        media_hosts,
        jobs,
        metrics,
        config,
        bot,
        tasks,
        switches,
    };
    let engine = Engine::new(parts);
    if engine.config.calls.disabled {
        tracing::info!("calls are switched off (calls.disable)");
    } else {
        chat.answer_commands(Arc::new(Commands(Arc::downgrade(&engine))));
    }
    // Before anybody's news is heard: it may be about the sessions of restored calls.
    take_over(&engine, restored).await;
    watch_tasks(&engine, chat_news, heard, batches);
    media::follow_names(&engine, names);
    wait_for_media(&engine).await;
    let (stop, stopped) = watch::channel(false);
    let admission = http::admission(&engine.config);
    let nodes = Nodes::join(&engine, &admission, &unnamed, ground.standing)?;
    let own = health(&engine, &chat);
    let health = beside.into_iter().fold(own, Health::beside);
    let watched = Watched {
        tasks: engine.tasks.clone(),
        health: health.clone(),
        admission: admission.clone(),
        nodes: nodes.clone(),
    };
    let ports = engine.tasks.group();
    if let Some(listener) = metrics_listener {
        let router = http::metrics_router(engine.clone(), watched.clone());
        let limits = Limits::default().within(Share::Service.connections());
        let admission = Admission::new("metrics", limits);
        let serving = listen::serve(listener, None, router, admission, stopped.clone());
        ports.must_live("metrics", serving);
    }
    let clients = Arc::new(Clients::new(engine.clone()));
    let chat_routes = chat.router().merge(gateway.router(clients));
    let embedding = Embedding::by(&engine.config.frame_ancestors)
        .context("say who may show the client (http.frame_ancestors)")?;
    let router = http::router(engine.clone(), watched, chat_routes, embedding);
    match ground.people {
        People::Come(listener) => {
            let serving = listen::serve(listener, None, router, admission, stopped);
            ports.must_live("http", serving);
        }
        People::AreHanded(handed) => {
            let serving = listen::serve_handed(handed, router, admission, stopped);
            ports.must_live("http", serving);
        }
    }
    tracing::info!(%http_addr, version = env!("CARGO_PKG_VERSION"), "signalling serves");
    Ok(Running {
        http_addr,
        metrics_addr,
        chat,
        gateway,
        engine,
        health,
        nodes,
        stop,
        ports,
    })
}

/// On standard output and in no log: whoever reads it becomes the administrator.
#[expect(
    clippy::print_stdout,
    reason = "the token is for the person who started the server"
)]
fn print_first_account_token(token: &Secret) {
    println!(
        "no account yet: make the first one in the page, with the one-time token {}, or with \
         `signalling add-account`",
        token.expose()
    );
}

fn health(engine: &Arc<Engine>, chat: &Arc<embedded::Server>) -> Health {
    let with_records = chat.clone();
    let records = move || {
        let chat = with_records.clone();
        async move {
            let checked = chat.check().await;
            let trouble = checked.err().map(|error| error.to_string());
            trouble.into_iter().collect()
        }
    };
    let with_files = chat.clone();
    let files = move || {
        let chat = with_files.clone();
        async move {
            let checked = chat.check_files().await;
            let trouble = checked
                .err()
                .map(|error| format!("{:#}", anyhow::Error::from(error)));
            trouble.into_iter().collect()
        }
    };
    let (of_store, of_media) = (engine.clone(), engine.clone());
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
        let hosts = &of_media.media_hosts;
        let is_away = hosts.counts().0 == 0 && !of_media.config.calls.disabled;
        std::future::ready(if is_away {
            hosts.troubles()
        } else {
            Vec::new()
        })
    };
    Health::of(&engine.tasks)
        .check("the database of the chat", records)
        .check("the database of calls", database)
        .check_once_per(FILES_CHECKED_EVERY, "the place for files", files)
        .check("the connections to media hosts", media)
}

fn calls_database(config: &Config) -> Location {
    let file = || Location::File(config.data_dir.join("calls.db"));
    config.database.clone().unwrap_or_else(file)
}

/// Starts the tasks that live as long as the server does.
fn watch_tasks(
    engine: &Arc<Engine>,
    chat_news: Arc<Backlog>,
    heard: mpsc::Receiver<MediaNews>,
    batches: mpsc::Receiver<writer::Batch>,
) {
    let tasks = &engine.tasks;
    let keeper: Arc<dyn writer::Keeper> = Arc::new(engine.store.clone());
    let (batches, metrics) = (Arc::new(Mutex::new(batches)), engine.metrics.clone());
    let write = move || writer::run(keeper.clone(), batches.clone(), metrics.clone());
    tasks.restarted("records", write, Restarts::default());
    // Without calls there are no media hosts, and their news would be over at once.
    if !engine.config.calls.disabled {
        let news = engine::run_media_news(engine.clone(), heard);
        tasks.must_live("media news", news);
    }
    let checking = engine.clone();
    let check = move || engine::check_logins(checking.clone());
    tasks.restarted("login checks", check, Restarts::default());
    let announcing = engine.clone();
    let announce = move || announce_runners(announcing.clone());
    tasks.until_done("job service", announce, Restarts::default());
    let asking = engine.clone();
    let ask = move || engine::ask_about_speech(asking.clone());
    tasks.restarted("questions about speech", ask, Restarts::default());
    let counting = engine.clone();
    let count = move || engine::count_usage(counting.clone());
    tasks.restarted("usage of calls", count, Restarts::default());
    let following = engine.clone();
    let follow = move || engine::run_chat_news(following.clone(), chat_news.clone());
    tasks.restarted("chat news", follow, Restarts::default());
}

/// Sessions whose media host is no longer configured cannot go on.
async fn take_over(engine: &Arc<Engine>, restored: Vec<RestoredCall>) {
    for call in restored {
        let channel = call.call.channel.clone();
        let sessions = call.sessions.iter();
        let lost = sessions.filter(|session| !engine.media_hosts.knows(&session.media));
        let lost: Vec<SessionId> = lost.map(|session| session.id.clone()).collect();
        engine.restore(call, RESTART_GRACE);
        for session in lost {
            let closed = Input::MediaClosed { session };
            engine.input(&channel, closed).await;
        }
    }
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
        job_services: config.offloader.as_ref().map_or(0, |of| of.urls.len()),
    }
}

/// What the URL says, else what the configuration says, else what was made for this installation.
async fn credentials(
    store: &Store,
    sealer: &Sealer,
    service: &str,
    url: &ServiceUrl,
    client_id: &str,
    auth_key: &Secret,
) -> anyhow::Result<(String, Secret)> {
    let own_id = store.key(sealer, "client_id", new_id).await?;
    let long_key = || (new_id() + &new_id()).chars().take(32).collect();
    let own_key = store
        .key(sealer, &format!("{service}_auth_key"), long_key)
        .await?;
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

async fn job_services(
    config: &Config,
    store: &Store,
    sealer: &Sealer,
    http_addr: SocketAddr,
) -> anyhow::Result<Option<JobServices>> {
    let Some(offloader) = config.offloader.clone() else {
        return Ok(None);
    };
    let (id, key) = (&offloader.client_id, &offloader.auth_key);
    let served = format!("http://{}", reachable(http_addr));
    let first_of = |configured: &[&String]| {
        let mut configured = configured.iter().filter(|url| !url.is_empty());
        configured.next().map_or(&served, |url| *url).clone()
    };
    let (recorder, transcriber) = (&offloader.site_url, &offloader.transcriber_site_url);
    let asks = Arc::new(Asks {
        image_registry: offloader.image_registry.clone(),
        recording: config.recording.clone(),
        transcribing: config.transcribing.clone(),
        recorder_site: first_of(&[recorder, &config.site_url]),
        transcriber_site: first_of(&[transcriber, recorder, &config.site_url]),
    });
    let mut services = Vec::new();
    for url in &offloader.urls {
        let credentials = credentials(store, sealer, "job_service", url, id, key).await?;
        let base = url.base.clone();
        services.push(JobService::new(base, asks.clone(), credentials));
    }
    Ok(Some(JobServices::new(services)))
}

/// An address that a program on this machine can connect to.
fn reachable(addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port()))
    } else {
        addr
    }
}

/// Tells the job services which runners will be asked for, each until it hears.
async fn announce_runners(engine: Arc<Engine>) {
    let Some(jobs) = &engine.jobs else { return };
    join_all(jobs.each().map(announce_to)).await;
}

async fn announce_to(service: &JobService) {
    let address = service.base();
    let mut pause = Duration::from_secs(1);
    while let Err(reason) = service.init().await {
        tracing::warn!(
            address,
            reason,
            "job service not ready; recordings wait for it"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(60));
    }
    tracing::info!(address, "job service ready");
}

async fn wait_for_media(engine: &Engine) {
    if engine.config.calls.disabled {
        return;
    }
    let connected = async {
        while engine.media_hosts.counts().0 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(MEDIA_WAIT, connected).await.is_err() {
        for trouble in engine.media_hosts.troubles() {
            tracing::warn!(trouble, "calls cannot start yet");
        }
    }
}
