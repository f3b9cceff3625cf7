//! Configuration: what the operator wrote becomes what the node uses.
//!
//! The keys (`raw`), read by `settings` -> `Config::resolve`, which returns every problem at once.
//! Not here: opening what is named (sockets, store, certificates).

mod ice;
mod overrides;
mod raw;
mod resolve;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::redact::Secret;
use service::telemetry::{self, Console, Log, LogFile, Stream};
use storage::Location;

pub use ice::{IceServer, IceServerKind};
pub use overrides::{HostOverride, PortOverride};
pub use raw::Raw;
pub use service::listen::TlsFault;

/// Everything a node is told before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    pub http: HttpConfig,
    pub security: SecurityConfig,
    pub rtc: RtcConfig,
    /// Directory of the client credentials.
    pub data_source: PathBuf,
    /// Where they are instead: a PostgreSQL server.
    pub database: Option<Location>,
    pub logger: LoggerConfig,
    /// As a node of several.
    pub cluster: Option<ClusterConfig>,
    /// Longest wait for running calls at a stop; `None`: as long as they last.
    pub drain_limit: Option<Duration>,
}

/// HTTP and WebSocket.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `host:port`; an empty host is every address, port 0 is chosen by the system.
    pub listen_address: String,
    pub tls: Option<TlsConfig>,
}

/// Where the certificate lies.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    pub cert_file: PathBuf,
    pub cert_key: PathBuf,
}

/// Who may call the API.
#[derive(Debug, Clone)]
pub struct SecurityConfig {
    pub allow_self_registration: bool,
    /// Set when the admin is enabled.
    pub admin_secret_key: Option<Secret>,
    /// How long a bearer token is good for.
    pub session_expiration: Duration,
}

/// Media.
#[derive(Debug, Clone)]
pub struct RtcConfig {
    /// Empty: every local address.
    pub udp_addresses: Vec<IpAddr>,
    /// Empty: every local address.
    pub tcp_addresses: Vec<IpAddr>,
    /// 0: chosen by the system (tests).
    pub udp_port: u16,
    /// 0: chosen by the system (tests).
    pub tcp_port: u16,
    /// Its meaning depends on the local addresses (`crate::addresses`).
    pub host_override: HostOverride,
    pub port_override: PortOverride,
    pub ice_servers: Vec<IceServer>,
    /// Set when relayed addresses of this node can be had.
    pub turn: Option<TurnConfig>,
    pub enable_ipv6: bool,
    /// Packets kept per outgoing video stream.
    pub nack_buffer_size: usize,
    /// Voices forwarded at once in a call; 0 for all.
    pub max_speakers: usize,
    pub drop_silence: bool,
    pub shards: usize,
    /// Sessions of one call on one shard before it spreads.
    pub leg_sessions: usize,
}

/// How credentials for TURN servers are made.
#[derive(Debug, Clone)]
pub struct TurnConfig {
    /// Shared with the servers.
    pub static_auth_secret: Secret,
    pub credentials_expiration: Duration,
}

/// This node among others.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The folder of this node's papers.
    pub papers: PathBuf,
    /// Where the others reach this node's API, `http://host:port`.
    pub url: String,
    /// Where their media reaches it, `host:port`; `None`: calls are not shared with other nodes.
    pub link_address: Option<String>,
    /// Sessions of one call here before it spreads to another node; 0: as many as the load allows.
    pub call_sessions: usize,
    /// Whether sessions go to other nodes when this machine is busy.
    pub spread_by_load: bool,
}

/// Where the log goes.
#[derive(Debug, Clone)]
pub struct LoggerConfig {
    pub console: Option<LogTarget>,
    pub file: Option<(PathBuf, LogTarget)>,
    pub color: bool,
}

impl LoggerConfig {
    /// As every process starts its log.
    #[must_use]
    pub fn log(&self) -> Log {
        Log {
            console: self.console.map(|target| Console {
                stream: Stream::Out,
                json: target.json,
                level: target.level,
                color: self.color,
            }),
            file: self.file.as_ref().map(|(path, target)| LogFile {
                path: path.clone(),
                json: target.json,
                level: target.level,
            }),
            asked: telemetry::asked(telemetry::VARIABLE),
        }
    }
}

/// Form and depth of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogTarget {
    pub json: bool,
    pub level: tracing::Level,
}

/// What the machine says; passed in so that resolving stays a pure function.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    pub cpus: usize,
    /// Tries to load a certificate and its key.
    pub tls: fn(&TlsConfig) -> Result<(), TlsFault>,
    /// Says why a node's papers are of no use, in words.
    pub papers: fn(&Path) -> Result<(), String>,
}

impl Probe {
    /// Asks the machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self {
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            tls: |files| service::listen::tls(&files.cert_file, &files.cert_key).map(drop),
            papers: crate::cluster::check_papers,
        }
    }
}

impl Config {
    /// Returns what can be used and is worth a word: addresses that few participants can reach.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        let told: Vec<IpAddr> = match &self.rtc.host_override {
            HostOverride::None | HostOverride::Name(_) => Vec::new(),
            HostOverride::Address(address) => vec![*address],
            HostOverride::Mapping(pairs) => pairs.iter().map(|(external, _)| *external).collect(),
        };
        let few = told.into_iter().filter_map(|address| {
            let only = service::addresses::reached_only_by(address)?;
            Some(format!(
                "rtc.ice_host_override tells participants `{address}`, which only {only} can reach"
            ))
        });
        few.collect()
    }

    /// Returns a configuration for a node that shares its machine with others: loopback only,
    /// ports chosen by the system, everybody may register, data under `directory`, no log of its own.
    ///
    /// Used by tests and by the all-in-one binary, which set what they need differently.
    #[must_use]
    pub fn local(directory: &Path) -> Self {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        Self {
            http: HttpConfig {
                listen_address: "127.0.0.1:0".to_owned(),
                tls: None,
            },
            security: SecurityConfig {
                allow_self_registration: true,
                admin_secret_key: None,
                session_expiration: Duration::from_secs(24 * 60 * 60),
            },
            rtc: RtcConfig {
                udp_addresses: vec![loopback],
                tcp_addresses: vec![loopback],
                udp_port: 0,
                tcp_port: 0,
                host_override: HostOverride::None,
                port_override: PortOverride::None,
                ice_servers: Vec::new(),
                turn: None,
                enable_ipv6: false,
                nack_buffer_size: 256,
                max_speakers: 0,
                drop_silence: true,
                shards: Probe::of_this_machine().cpus,
                leg_sessions: 500,
            },
            data_source: directory.join("rtcd_db"),
            database: None,
            logger: LoggerConfig {
                console: None,
                file: None,
                color: false,
            },
            cluster: None,
            drain_limit: None,
        }
    }
}
