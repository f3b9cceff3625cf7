//! A whole node: store, shards, listeners, and their end.
//!
//! In: a `Config`. Out: `Running`, with the addresses that were bound.
//! Order at the end: shards, then WebSockets, then HTTP (10 s), then the store.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use rtcd_core::{CoreConfig, HostCandidate, Transport};
use tokio::sync::{Notify, mpsc, watch};
use tracing::{error, info, warn};

use crate::addresses::{self, HostOverride, PublicAddresses};
use crate::auth::Auth;
use crate::config::{Config, IceServerKind, Probe, RtcConfig};
use crate::control::{Control, ShardEvent};
use crate::driver::{self, InboxSender, ShardMessage, ShardParts, Ufrags};
use crate::http::{self, App};
use crate::metrics::Metrics;
use crate::placement::ShardId;
use crate::store::Store;
use crate::system::CpuLoad;
use crate::udp::ShardSockets;
use crate::{stun, tcp, udp};

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
/// When the store, a socket or the certificate cannot be opened.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    let metrics = Arc::new(Metrics::new()?);
    let store = Store::open(&config.data_source)
        .await
        .context("open the store")?;
    let tls = config.http.tls.as_ref().map(http::serve::tls).transpose()?;
    let listener = http::serve::bind(&config.http.listen_address)
        .await
        .context("bind HTTP (api.http.listen_address)")?;
    let http_addr = listener
        .local_addr()
        .context("ask for the bound HTTP address")?;
    let media = Media::bind(&config.rtc).await?;
    let (udp_addrs, tcp_addrs) = (media.udp_addrs.clone(), media.tcp_addrs.clone());

    let (stop, stopped) = watch::channel(false);
    let (events, received) = mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    let shard_over = Arc::new(Notify::new());
    let (inboxes, shards) = media.start(
        &config.rtc,
        &metrics,
        &events,
        &shard_over,
        &stopped,
        &mut tasks,
    )?;
    let control = Arc::new(Control::new(
        inboxes.clone(),
        config.rtc.leg_sessions,
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
async fn follow(mut events: mpsc::UnboundedReceiver<ShardEvent>, control: Arc<Control>) {
    while let Some(event) = events.recv().await {
        control.shard_event(event);
    }
}

/// Bound media sockets, and what participants are told of them.
struct Media {
    sockets: Vec<ShardSockets>,
    listeners: Vec<tokio::net::TcpListener>,
    udp_addrs: Vec<SocketAddr>,
    tcp_addrs: Vec<SocketAddr>,
    candidates: Vec<HostCandidate>,
}

impl Media {
    async fn bind(config: &RtcConfig) -> anyhow::Result<Self> {
        let locals = addresses::local_addresses(config).context("list this machine's addresses")?;
        let of = |configured: &[IpAddr]| -> Vec<IpAddr> {
            let wanted = |local: &&IpAddr| configured.is_empty() || configured.contains(local);
            locals.iter().filter(wanted).copied().collect()
        };
        let sockets = udp::bind(&of(&config.udp_addresses), config.udp_port, config.shards)?;
        let listeners = tcp::bind(&of(&config.tcp_addresses), config.tcp_port).await?;
        let udp_addrs: Vec<SocketAddr> = sockets
            .first()
            .map(|shard| shard.0.iter().map(|(address, _)| *address).collect())
            .unwrap_or_default();
        let tcp_addrs: Vec<SocketAddr> = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();

        let host_override =
            addresses::resolve_override(&config.host_override, config.enable_ipv6).await;
        let public = public_addresses(config, &host_override, &sockets).await;
        let pairs = addresses::pairs(&locals, &host_override, &public);
        let port = config.port_override.for_machine(&locals);
        let mut candidates = Vec::new();
        for (transport, listening) in [(Transport::Udp, &udp_addrs), (Transport::Tcp, &tcp_addrs)] {
            let found =
                addresses::candidates(transport, listening, &pairs, &host_override, &public, port);
            candidates.extend(found);
        }
        for candidate in &candidates {
            // The first question about a call without media: what were participants told?
            info!(
                transport = ?candidate.transport, advertised = %candidate.advertised,
                local = %candidate.local, "candidate"
            );
        }
        Ok(Self {
            sockets,
            listeners,
            udp_addrs,
            tcp_addrs,
            candidates,
        })
    }

    fn start(
        self,
        config: &RtcConfig,
        metrics: &Arc<Metrics>,
        events: &mpsc::UnboundedSender<ShardEvent>,
        shard_over: &Arc<Notify>,
        stopped: &watch::Receiver<bool>,
        tasks: &mut tokio::task::JoinSet<()>,
    ) -> anyhow::Result<(Vec<InboxSender>, Vec<JoinHandle<()>>)> {
        let ufrags = Arc::new(Ufrags::default());
        let core = CoreConfig {
            candidates: self.candidates,
            nack_buffer: config.nack_buffer_size,
            ..CoreConfig::default()
        };
        let mut mailboxes = Vec::new();
        for _ in &self.sockets {
            mailboxes.push(driver::mailbox()?);
        }
        let inboxes: Vec<InboxSender> = mailboxes
            .iter()
            .map(|(_, sender, _)| sender.clone())
            .collect();
        let mut shards = Vec::new();
        for (index, (sockets, (poll, _, inbox))) in
            self.sockets.into_iter().zip(mailboxes).enumerate()
        {
            let parts = ShardParts {
                id: ShardId(index),
                core: core.clone(),
                sockets,
                inbox,
                poll,
                peers: inboxes.clone(),
                ufrags: Arc::clone(&ufrags),
                events: events.clone(),
                metrics: Arc::clone(metrics),
            };
            shards.push(driver::spawn(parts, Arc::clone(shard_over))?);
        }
        let tcp_shards = tcp::Shards {
            inboxes: inboxes.clone(),
            ufrags,
            metrics: Arc::clone(metrics),
        };
        for listener in self.listeners {
            tasks.spawn(tcp::serve(listener, tcp_shards.clone(), stopped.clone()));
        }
        Ok((inboxes, shards))
    }
}

/// Asks the configured STUN servers how each socket is seen from outside.
async fn public_addresses(
    config: &RtcConfig,
    host_override: &HostOverride,
    sockets: &[ShardSockets],
) -> PublicAddresses {
    let servers: Vec<String> = config
        .ice_servers
        .iter()
        .filter(|server| server.kind == IceServerKind::Stun)
        .flat_map(|server| server.urls.clone())
        .collect();
    if config
        .ice_servers
        .iter()
        .any(|server| server.kind == IceServerKind::Turn)
    {
        warn!("TURN servers in rtc.ice_servers are not used by this node");
    }
    let mut public = PublicAddresses::new();
    let (Some(server), HostOverride::None, Some(first)) =
        (servers.first(), host_override, sockets.first())
    else {
        return public;
    };
    for (local, socket) in &first.0 {
        let seen = match stun::public_address(socket, server).await {
            Ok(seen) => Some(seen.ip()),
            Err(error) => {
                warn!(%local, server, error = format!("{error:#}"), "public address not found");
                None
            }
        };
        public.insert(local.ip(), seen);
    }
    public
}
