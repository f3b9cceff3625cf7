//! The media side of a node: sockets, shards, TCP listeners.
//!
//! In: the `rtc` settings. Out: threads that own the sockets, and the inboxes they are reached by.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use rtcd_core::{CoreConfig, HostCandidate, WallClock};
use service::Tasks;
use tokio::sync::{mpsc, watch};
use tracing::warn;

use crate::addresses::{self, Here, PublicAddresses};
use crate::config::{HostOverride, IceServerKind, PortOverride, RtcConfig};
use crate::control::ShardEvent;
use crate::driver::{self, InboxSender, ShardParts, Ufrags};
use crate::metrics::Metrics;
use crate::placement::ShardId;
use crate::udp::ShardSockets;
use crate::{stun, tcp, udp};

/// From the first of January 1900, where NTP begins, to 1970.
const NTP_TO_UNIX: Duration = Duration::from_secs(2_208_988_800);

/// Makes what shards are told of the settings and of the time.
pub(crate) fn core_config(config: &RtcConfig, candidates: &[HostCandidate]) -> CoreConfig {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    CoreConfig {
        candidates: candidates.to_vec(),
        nack_buffer: config.nack_buffer_size,
        max_speakers: config.max_speakers,
        drop_silence: config.drop_silence,
        clock: Some(WallClock::new(Instant::now(), since_1970 + NTP_TO_UNIX)),
        ..CoreConfig::default()
    }
}

/// What shards and listeners need of the rest of the node.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: mpsc::Sender<ShardEvent>,
    pub(crate) tasks: Tasks,
    pub(crate) stopped: watch::Receiver<bool>,
}

/// Bound media sockets, and what is known of them.
#[derive(Debug)]
pub(crate) struct Media {
    sockets: Vec<ShardSockets>,
    listeners: Vec<tokio::net::TcpListener>,
    pub(crate) here: Here,
}

impl Media {
    /// Binds the sockets, and asks how they are seen from outside.
    ///
    /// # Errors
    /// When a port is taken, or no address can be bound.
    pub(crate) async fn bind(config: &RtcConfig) -> anyhow::Result<Self> {
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

        let port_override = config.port_override.for_machine(&locals);
        if port_override.is_none() && config.port_override != PortOverride::None {
            warn!("rtc.ice_host_port_override has no entry for an address of this machine");
        }
        let here = Here {
            public: public_addresses(config, &sockets).await,
            udp: udp_addrs,
            tcp: tcp_addrs,
            locals,
            port_override,
        };
        Ok(Self {
            sockets,
            listeners,
            here,
        })
    }

    /// Starts the shards and the listeners, as tasks of the node.
    ///
    /// # Errors
    /// When a thread or its poll cannot be made.
    pub(crate) fn start(
        self,
        core: &CoreConfig,
        shell: &Shell,
    ) -> anyhow::Result<(Vec<InboxSender>, Vec<JoinHandle<()>>)> {
        let ufrags = Arc::new(Ufrags::default());
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
                events: shell.events.clone(),
                metrics: Arc::clone(&shell.metrics),
            };
            shards.push(driver::spawn(parts, &shell.tasks)?);
        }
        let tcp_shards = tcp::Shards {
            inboxes: inboxes.clone(),
            ufrags,
            metrics: Arc::clone(&shell.metrics),
        };
        for listener in self.listeners {
            let serving = tcp::serve(listener, tcp_shards.clone(), shell.stopped.clone());
            shell.tasks.must_live("media over TCP", serving);
        }
        Ok((inboxes, shards))
    }
}

/// Asks the configured STUN servers how this node is seen from outside.
async fn public_addresses(config: &RtcConfig, shards: &[ShardSockets]) -> PublicAddresses {
    let servers: Vec<String> = config
        .ice_servers
        .iter()
        .filter(|server| server.kind == IceServerKind::Stun)
        .flat_map(|server| server.urls.clone())
        .collect();
    if servers.is_empty() || config.host_override != HostOverride::None {
        return PublicAddresses::new();
    }
    let sockets = shards
        .iter()
        .flat_map(|shard| shard.0.iter().map(|(local, socket)| (*local, socket)));
    stun::public_addresses(sockets, &servers, stun::ANSWER_WITHIN).await
}
