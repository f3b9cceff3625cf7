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
use service::descriptors::Share;
use service::listen::{self, Admission, Limits};
use service::{Health, Restarts, TaskOver, Tasks};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::advertiser::Advertiser;
use crate::auth::Auth;
use crate::cluster::{Cluster, Links};
use crate::config::{Config, Probe};
use crate::control::{Control, Room, ShardEvent};
use crate::driver::{EVENT_QUEUE_LEN, InboxSender, ShardMessage};
use crate::http::{self, App};
use crate::media::{Media, Shell, core_config};
use crate::metrics::Metrics;
use crate::store::{self, Store};
use crate::system::CpuLoad;
use crate::turn::Relays;

/// How often a draining node says how many sessions it waits for.
const DRAIN_REPORT: Duration = Duration::from_secs(30);
/// Longest wait for the ports at the end: more than they give their connections.
const PORTS_WITHIN: Duration = Duration::from_secs(15);

/// A node that serves.
#[derive(Debug)]
pub struct Running {
    http_addr: SocketAddr,
    udp_addrs: Vec<SocketAddr>,
    tcp_addrs: Vec<SocketAddr>,
    control: Arc<Control>,
    inboxes: Vec<InboxSender>,
    shards: Vec<JoinHandle<()>>,
    store: Store,
    stop: watch::Sender<bool>,
    drain_limit: Option<Duration>,
    drain_asked: watch::Receiver<bool>,
    cluster: Cluster,
    tasks: Tasks,
    health: Health,
    /// Those that let go of their connections at the end.
    ports: Tasks,
}

/// Starts a node.
///
/// # Errors
/// When the store, a socket or the certificate cannot be opened, or calls would have no media.
#[expect(
    clippy::too_many_lines,
    reason = "the parts of a node, put together in order"
)]
pub async fn start(config: Config) -> anyhow::Result<Running> {
    rtcd_core::self_test(Instant::now()).context("calls would have no media")?;
    let metrics = Arc::new(Metrics::new()?);
    let in_directory = || store::in_directory(&config.data_source);
    let location = config.database.clone().unwrap_or_else(in_directory);
    let store = Store::open(&location).await.context("open the store")?;
    let tls = config.http.tls.as_ref();
    let tls = tls.map(|files| listen::tls(&files.cert_file, &files.cert_key));
    let tls = tls.transpose()?;
    let listener = listen::bind(&config.http.listen_address)
        .await
        .context("bind HTTP (api.http.listen_address)")?;
    let http_addr = listener
        .local_addr()
        .context("ask for the bound HTTP address")?;
    let media = Media::bind(&config.rtc).await?;
    let (udp_addrs, tcp_addrs) = (media.here.udp.clone(), media.here.tcp.clone());
    let advertiser = Arc::new(Advertiser::new(
        media.here.clone(),
        &config.rtc.host_override,
        config.rtc.enable_ipv6,
    ));
    let candidates = advertiser.candidates().await;

    let (stop, stopped) = watch::channel(false);
    let (drain, drain_asked) = watch::channel(false);
    let (events, received) = mpsc::channel(EVENT_QUEUE_LEN);
    let tasks = Tasks::new("rtcd");
    let shell = Shell {
        metrics: Arc::clone(&metrics),
        events,
        tasks: tasks.clone(),
        stopped: stopped.clone(),
    };
    let in_use = shell.metrics.own.relays.clone();
    let relays = Relays::new(
        &config.rtc,
        &udp_addrs,
        shell.events.clone(),
        in_use,
        &tasks,
    );
    let (inboxes, shards) = media.start(&core_config(&config.rtc, &candidates), &shell)?;
    let cpu_load = CpuLoad::default();
    let cluster = config.cluster.as_ref();
    let room = Room {
        leg_sessions: config.rtc.leg_sessions,
        call_sessions: cluster.map_or(0, |cluster| cluster.call_sessions),
        load: cluster
            .is_some_and(|cluster| cluster.spread_by_load)
            .then(|| (cpu_load.clone(), Probe::of_this_machine().cpus)),
    };
    let control = Arc::new(Control::new(
        inboxes.clone(),
        room,
        relays,
        Arc::clone(&metrics),
    ));
    tasks.must_live("events of shards", follow(received, Arc::clone(&control)));
    let links = Links {
        control: Arc::clone(&control),
        inboxes: inboxes.clone(),
        metrics: Arc::clone(&metrics),
        advertiser: Arc::clone(&advertiser),
        tasks: tasks.clone(),
    };
    let cluster = Cluster::join(&config, &cpu_load, links, &tasks)?;
    let sampled = cpu_load.clone();
    let sample = move || sampled.clone().sample();
    tasks.until_done("load of this machine", sample, Restarts::default());

    let health = health(&tasks, &control, &store);
    let auth = Auth::new(
        store.clone(),
        &config.security,
        Probe::of_this_machine().cpus,
        &tasks,
    )?;
    let admission = Admission::new(
        "api",
        Limits::default().within(Share::Service.connections()),
    );
    let router = http::router(Arc::new(App {
        auth,
        control: Arc::clone(&control),
        advertiser,
        metrics,
        tasks: tasks.clone(),
        health: health.clone(),
        admission: Arc::clone(&admission),
        cpu_load,
        cluster: cluster.clone(),
        allow_self_registration: config.security.allow_self_registration,
        enable_admin: config.security.admin_secret_key.is_some(),
        drain,
        stop: stopped.clone(),
    }));
    let ports = tasks.group();
    let serving = listen::serve(listener, tls, router, admission, stopped);
    ports.must_live("http", serving);
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
        store,
        stop,
        drain_limit: config.drain_limit,
        drain_asked,
        cluster,
        tasks,
        health,
        ports,
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
    let mut drain_asked = node.drain_asked();
    tokio::select! {
        () = shutdown => node.drain().await,
        Ok(_) = drain_asked.wait_for(|asked| *asked) => node.drain().await,
        _ = node.failed() => {}
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

    /// Waits until a shard or another task that must live is over, of a bug: the node is of no use
    /// then and should be started again.
    pub async fn failed(&self) -> TaskOver {
        self.tasks.fatal().await
    }

    /// True once the admin wants the node to drain (`/drain`).
    #[must_use]
    pub fn drain_asked(&self) -> watch::Receiver<bool> {
        self.drain_asked.clone()
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

    /// Refuses new calls and waits until the last session has ended, or for the configured limit.
    /// HTTP and WebSockets go on meanwhile, and so do joins to calls that run.
    pub async fn drain(&self) {
        self.control.drain();
        self.cluster.drain();
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
    /// When a task that must live was over before, of a bug.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.cluster.leave().await;
        self.tasks.begin_stop();
        for inbox in &self.inboxes {
            // Refused only by a shard that stands still; its thread is not waited for then.
            let _ = inbox.send(ShardMessage::Stop);
        }
        let shards = std::mem::take(&mut self.shards);
        // One that panicked has been told of already.
        let joined = tokio::task::spawn_blocking(move || {
            for shard in shards {
                let _ = shard.join();
            }
        });
        joined.await.context("wait for the shards")?;
        self.stop.send_replace(true);
        if !self.ports.finish(PORTS_WITHIN).await {
            warn!("the HTTP port was cut off");
        }
        self.tasks.stop().await;
        self.store.close().await;
        info!("rtcd stopped");
        self.tasks.over().map_or(Ok(()), |over| Err(over.into()))
    }
}

fn health(tasks: &Tasks, control: &Arc<Control>, store: &Store) -> Health {
    let store = store.clone();
    let (of_drain, of_sockets) = (Arc::clone(control), Arc::clone(control));
    Health::of(tasks)
        .check("the store of clients", move || {
            let store = store.clone();
            async move {
                let checked = store.check().await;
                let trouble = checked.err().map(|error| error.to_string());
                trouble.into_iter().collect()
            }
        })
        .check("drain", move || {
            let draining = of_drain.is_draining().then(|| "draining".to_owned());
            std::future::ready(draining.into_iter().collect())
        })
        .check("media sockets", move || {
            let failing = of_sockets.has_failing_sockets();
            let trouble = failing.then(|| "a media socket gives nothing but errors".to_owned());
            std::future::ready(trouble.into_iter().collect())
        })
}

/// Carries what shards say to the control side, in their order.
async fn follow(mut events: mpsc::Receiver<ShardEvent>, control: Arc<Control>) {
    while let Some(event) = events.recv().await {
        control.shard_event(event);
    }
}

#[cfg(test)]
mod tests;
