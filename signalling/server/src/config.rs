//! What an operator decides: typed, checked, with defaults filled in.
//!
//! In: the keys (`raw`), read by `settings`. Out: `Config`, or every problem at once. Not here:
//! reading files at run time other than those named for secrets.

mod files;
mod gateway_limits;
mod names;
mod raw;
mod resolve;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use messaging::embedded::{FileLimits, ProxyNet};
use messaging::gateway;
use proto::calls::IceServer;
use proto::redact::Secret;
use settings::Link;
use storage::Location;
use storage::blob::S3Config;

pub use raw::RawConfig;

/// Everything signalling needs to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The settings that the environment decides, by their paths.
    pub from_environment: BTreeSet<&'static str>,
    /// Where HTTP is served; port 0 takes any free port.
    pub listen: SocketAddr,
    /// The address people open, without a trailing slash; empty: the address that is served.
    pub site_url: String,
    /// Where metrics are served to everybody who reaches it; `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Connections at once, and of them from one address.
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ProxyNet>,
    /// Origins whose pages may show the client in a frame; none: nobody's.
    pub frame_ancestors: Vec<String>,
    /// Where the databases and files are.
    pub data_dir: PathBuf,
    /// The server of the databases; `None`: SQLite files in `data_dir`.
    pub database: Option<Location>,
    /// The key that seals secrets in the databases.
    pub key_file: PathBuf,
    pub chat: ChatConfig,
    pub files: FilesConfig,
    /// The clients' WebSockets.
    pub gateway: gateway::Limits,
    pub rtcd: RtcdConfig,
    /// As a node of several: the folder of its papers.
    pub papers: Option<PathBuf>,
    /// As one of several signalling processes: where the others reach this one, `host:port`.
    pub link_address: Option<String>,
    /// `None` when no offloader is configured: no recordings, transcripts, captions.
    pub offloader: Option<OffloaderConfig>,
    pub calls: CallsConfig,
    pub recording: RecordingConfig,
    pub transcribing: TranscribingConfig,
    pub ice: IceConfig,
    /// Where sleeping phones are woken; `None`: they are not.
    pub push_relay: Option<Link>,
}

/// The embedded messaging server.
#[derive(Debug, Clone)]
pub struct ChatConfig {
    pub site_name: String,
    /// Of what the server writes for everybody, and of people whose profile names none.
    pub default_locale: String,
    pub open_registration: bool,
    pub login_lifetime: Duration,
    pub min_password_chars: usize,
    pub max_file_bytes: u64,
    pub writes_per_minute: u32,
    pub allowed_origins: Vec<String>,
}

/// The files people send.
#[derive(Debug, Clone)]
pub struct FilesConfig {
    pub limits: FileLimits,
    /// `None`: below `data_dir`.
    pub s3: Option<S3Config>,
}

/// The media hosts.
#[derive(Debug, Clone)]
pub struct RtcdConfig {
    /// A call lives on one of them; new calls go to the least loaded.
    pub hosts: Vec<ServiceUrl>,
    /// Empty: made once and kept in the database.
    pub client_id: String,
    pub auth_key: Secret,
}

/// The job services.
#[derive(Debug, Clone)]
pub struct OffloaderConfig {
    /// At least one; a job goes to whichever has room.
    pub urls: Vec<ServiceUrl>,
    pub client_id: String,
    pub auth_key: Secret,
    /// First part of the runner names.
    pub image_registry: String,
    /// Where bots find this server; empty: the address that is served.
    pub site_url: String,
    /// Where those that transcribe find it; empty: as the others.
    pub transcriber_site_url: String,
}

/// The address of a service, with credentials if the URL carried some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrl {
    /// `http://host:port` or `https://host:port`, nothing behind it.
    pub base: String,
    pub client_id: Option<String>,
    pub auth_key: Option<Secret>,
}

impl ServiceUrl {
    /// Without credentials.
    pub(crate) fn plain(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            client_id: None,
            auth_key: None,
        }
    }
}

/// What people may do in calls.
#[derive(Debug, Clone)]
pub struct CallsConfig {
    /// No calls at all.
    pub disabled: bool,
    pub default_enabled: bool,
    pub group_calls_allowed: bool,
    pub host_controls_allowed: bool,
    pub max_participants: u32,
    pub allow_screen_sharing: bool,
    pub simulcast: bool,
    pub av1: bool,
    pub ringing: bool,
    pub dc_signaling: bool,
    pub video: bool,
    pub sku: String,
}

#[derive(Debug, Clone)]
pub struct RecordingConfig {
    pub enabled: bool,
    pub max_minutes: u32,
    pub quality: RecordingQuality,
    pub film: FilmConfig,
}

/// What recordings become: the quality's numbers, and what was set instead of them.
#[derive(Debug, Clone)]
pub struct FilmConfig {
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Thousands of bits a second.
    pub video_rate: u32,
    pub audio_rate: u32,
    /// Most pictures a second.
    pub frame_rate: u32,
    /// x264's word.
    pub preset: String,
    /// The ending of its file.
    pub format: String,
}

/// Size and rate of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingQuality {
    Low,
    Medium,
    High,
}

#[derive(Debug, Clone)]
pub struct TranscribingConfig {
    pub enabled: bool,
    pub model_size: String,
    pub threads: u32,
    pub captions_enabled: bool,
    pub captions_model_size: String,
    pub captions_transcribers: u32,
    pub captions_threads_per_transcriber: u32,
    pub captions_language: String,
    pub omit_speaker: bool,
    pub paragraph_silence_ms: u32,
    pub paragraph_max_ms: u32,
}

/// STUN and TURN for clients.
#[derive(Debug, Clone)]
pub struct IceConfig {
    /// Those of `urls` included.
    pub servers: Vec<IceServer>,
    /// Those that were named by their address alone.
    pub urls: Vec<String>,
    /// Shared with the TURN servers; short-lived credentials are made from it.
    pub turn_secret: Secret,
    pub turn_credentials_lifetime: Duration,
}

impl IceConfig {
    /// The TURN servers that need credentials made for them.
    pub fn turn_without_credentials(&self) -> impl Iterator<Item = &IceServer> {
        self.servers
            .iter()
            .filter(|server| is_turn(server) && server.credential.is_none())
    }
}

/// Whether an ICE server is a TURN server.
pub(crate) fn is_turn(server: &IceServer) -> bool {
    server
        .urls
        .iter()
        .any(|url| url.starts_with("turn:") || url.starts_with("turns:"))
}

impl Config {
    /// The defaults, with records below `data_dir`.
    ///
    /// # Panics
    /// Never: a test resolves the defaults.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let mut raw = RawConfig::default();
        raw.storage.data_dir = data_dir.into();
        raw.resolve().expect("the defaults resolve")
    }
}
