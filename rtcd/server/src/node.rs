//! A whole node: store, shards, listeners, and their end.
//!
//! In: a `Config`. Out: `Running`, with the addresses that were bound.
//! Order at the end: shards, then WebSockets, then HTTP (10 s), then the store.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rtcd_core::EgressPath;
use tokio::sync::{Notify, mpsc, watch};
use tracing::{error, info, warn};

use crate::advertiser::Advertiser;
use crate::auth::Auth;
use crate::config::{Config, Probe};
use crate::control::{Control, ShardEvent};
use crate::driver::{EVENT_QUEUE_LEN, InboxSender, ShardMessage};
use crate::http::{self, App};
use crate::media::{Media, Shell, core_config};
use crate::metrics::Metrics;
use crate::store::{self, Store};
use crate::system::CpuLoad;
use crate::turn::Relays;

/// How often a draining node says how many sessions it waits for.
const DRAIN_REPORT: Duration = Duration::from_secs(30);

/// A node that serves.
#[derive(Debug)]
pub struct Running {
    http_addr: SocketAddr,
    udp_addrs: Vec<SocketAddr>,
    tcp_addrs: Vec<SocketAddr>,
    control: Arc<Control>,
    inboxes: Vec<InboxSender>,
    shards: Vec<JoinHandle<()>>,
    /// Told when a shard's thread ends.
    shard_over: Arc<Notify>,
    http: tokio::task::JoinHandle<()>,
    store: Store,
    stop: watch::Sender<bool>,
    drain_limit: Option<Duration>,
    /// Tasks that end with the node.
    tasks: tokio::task::JoinSet<()>,
}

/// Starts a node.
///
/// # Errors
/// When the store, a socket or the certificate cannot be opened, or calls would have no media.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    if config.rtc.egress == EgressPath::Own {
        rtcd_core::self_test(Instant::now())
            .context("calls would have no media; `rtc.egress = \"str0m\"` needs no keys")?;
    }
    let metrics = Arc::new(Metrics::new()?);
    let in_directory = || store::in_directory(&config.data_source);
    let location = config.database.clone().unwrap_or_else(in_directory);
    let store = Store::open(&location).await.context("open the store")?;
    let tls = config.http.tls.as_ref().map(http::serve::tls).transpose()?;
    let listener = http::serve::bind(&config.http.listen_address)
        .await
        .context("bind HTTP (api.http.listen_address)")?;
    let http_addr = listener
        .local_addr()
        .context("ask for the bound HTTP address")?;
    let media = Media::bind(&config.rtc).await?;
    let (udp_addrs, tcp_addrs) = (media.here.udp.clone(), media.here.tcp.clone());
    let advertiser = Advertiser::new(
        media.here.clone(),
        &config.rtc.host_override,
        config.rtc.enable_ipv6,
    );
    let candidates = advertiser.candidates().await;

    let (stop, stopped) = watch::channel(false);
    let (events, received) = mpsc::channel(EVENT_QUEUE_LEN);
    let mut tasks = tokio::task::JoinSet::new();
    let shard_over = Arc::new(Notify::new());
    let shell = Shell {
        metrics: Arc::clone(&metrics),
        events,
        shard_over: Arc::clone(&shard_over),
        stopped: stopped.clone(),
    };
    let in_use = shell.metrics.own.relays.clone();
    let relays = Relays::new(&config.rtc, &udp_addrs, shell.events.clone(), in_use);
    let (inboxes, shards) =
        media.start(&core_config(&config.rtc, &candidates), &shell, &mut tasks)?;
    let control = Arc::new(Control::new(
        inboxes.clone(),
        config.rtc.leg_sessions,
        relays,
        Arc::clone(&metrics),
    ));
    tasks.spawn(follow(received, Arc::clone(&control)));
    let cpu_load = CpuLoad::default();
    tasks.spawn(cpu_load.clone().sample());

    let auth = Auth::new(
        store.clone(),
        &config.security,
        Probe::of_this_machine().cpus,
    )?;
    let router = http::router(Arc::new(App {
        auth,
        control: Arc::clone(&control),
        advertiser,
        metrics,
        cpu_load,
        allow_self_registration: config.security.allow_self_registration,
        enable_admin: config.security.admin_secret_key.is_some(),
        stop: stopped.clone(),
    }));
    let http = tokio::spawn(http::serve::serve(listener, tls, router, stopped));
    info!(
        version = env!("CARGO_PKG_VERSION"), http = %http_addr, udp = ?udp_addrs, tcp = ?tcp_addrs,
        shards = config.rtc.shards, "rtcd serves"
    );
    Ok(Running {
        http_addr,
        udp_addrs,
        tcp_addrs,
        control,
        inboxes,
        shards,
        shard_over,
        http,
        store,
        stop,
        drain_limit: config.drain_limit,
        tasks,
    })
}

/// Runs a node until `shutdown`, then drains it: calls that run end by themselves, or at the
/// configured limit.
///
/// # Errors
/// When the node cannot be started or stopped in order.
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let node = start(config).await?;
    tokio::select! {
        () = shutdown => node.drain().await,
        () = node.failed() => {}
    }
    node.stop().await
}

impl Running {
    /// Returns where HTTP and WebSocket listen.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Returns the first address of UDP media.
    #[must_use]
    pub fn udp_addr(&self) -> SocketAddr {
        self.udp_addrs
            .first()
            .copied()
            .expect("binding refuses to end without an address")
    }

    /// Returns the addresses of TCP media; none when none could be bound.
    #[must_use]
    pub fn tcp_addrs(&self) -> &[SocketAddr] {
        &self.tcp_addrs
    }

    /// Waits until a shard has died of a bug: the node is of no use then and should be started again.
    pub async fn failed(&self) {
        self.shard_over.notified().await;
        error!("a shard has died of a bug");
    }

    /// Refuses new calls and waits until the last session has ended, or for the configured limit.
    /// HTTP and WebSockets go on meanwhile, and so do joins to calls that run.
    pub async fn drain(&self) {
        self.control.drain();
        let limit = async {
            match self.drain_limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let report = async {
            loop {
                info!(sessions = self.control.session_count(), "draining");
                tokio::time::sleep(DRAIN_REPORT).await;
            }
        };
        tokio::select! {
            () = self.control.wait_until_empty() => info!("drained"),
            () = limit => warn!(sessions = self.control.session_count(), "drain limit reached"),
            () = report => {}
        }
    }

    /// Stops at once: sessions that are left are cut off.
    ///
    /// # Errors
    /// When a shard has died of a bug.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        for inbox in &self.inboxes {
            // Refused only by a shard that stands still; its thread is not waited for then.
            let _ = inbox.send(ShardMessage::Stop);
        }
        let shards = std::mem::take(&mut self.shards);
        let joined = tokio::task::spawn_blocking(move || {
            shards
                .into_iter()
                .map(JoinHandle::join)
                .filter(Result::is_err)
                .count()
        });
        let died = joined.await.context("wait for the shards")?;
        self.stop.send_replace(true);
        self.http.await.context("wait for HTTP")?;
        self.tasks.shutdown().await;
        self.store.close().await;
        info!("rtcd stopped");
        anyhow::ensure!(died == 0, "{died} shard(s) have died of a bug");
        Ok(())
    }
}

/// Carries what shards say to the control side, in their order.
async fn follow(mut events: mpsc::Receiver<ShardEvent>, control: Arc<Control>) {
    while let Some(event) = events.recv().await {
        control.shard_event(event);
    }
}
