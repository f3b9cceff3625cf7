//! Our own chat server: accounts, teams, rooms, posts and files on SQLite.
//!
//! In: HTTP under `/api/v4`, the verbs of `ChatBackend`, the CLI's `ensure_*`. Out: answers and
//! news. Each concern is one file that adds methods to `Server`: `accounts`, `teams`, `rooms`,
//! `access`, `posts`, `uploads`, `presence`; `http` maps the wire to them; `store` holds SQL.
//! Not here: the clients' WebSocket (`gateway`), which hears of everything as news.
//! Invariant: whatever is visible to a client has been committed before the event about it leaves.

mod access;
mod accounts;
mod backend;
mod fault;
mod http;
mod passwords;
mod portrait;
mod posts;
mod presence;
mod rooms;
mod status;
mod store;
mod teams;
mod uploads;
mod wire;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use accounts::NewAccount;
use fault::Fault;
use passwords::Passwords;
use status::Statuses;
use storage::Location;
use storage::blob::BlobStore;
use store::Store;
pub use uploads::FileLimits;
use uploads::{Vault, keep_tidy};

use crate::ChatError;
use crate::gateway;
use crate::model::ChatNews;
use crate::news::Newsroom;

/// How often expired logins are looked for.
const SWEEP_PERIOD: Duration = Duration::from_secs(2);

/// How the embedded server behaves. Start from `Config::new`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the database and the files; created when missing.
    pub data_dir: PathBuf,
    /// Where the records are; a file in `data_dir` unless said otherwise.
    pub database: Location,
    /// The address people open, for example `https://chat.example.org`; empty: whatever they used.
    /// Cookies are marked `Secure` when it begins with `https:`.
    pub site_url: String,
    /// Name shown to people.
    pub site_name: String,
    /// Whether anybody may create an account. If not, only the first account and those that an
    /// administrator creates exist.
    pub open_registration: bool,
    /// How long a login is good.
    pub login_lifetime: Duration,
    /// Shortest password accepted, in characters.
    pub min_password_chars: usize,
    /// Largest file accepted, in bytes.
    pub max_file_bytes: u64,
    /// What limits files beside their size, and how long what is begun may last.
    pub files: FileLimits,
    /// Where the bytes of files are; `None`: below `data_dir`.
    pub blobs: Option<Arc<dyn BlobStore>>,
    /// Origins whose pages may open the WebSocket, beside our own (development servers).
    pub allowed_origins: Vec<String>,
    /// Name of the team that new accounts join.
    pub default_team: String,
    /// Shown name of that team.
    pub default_team_display_name: String,
}

impl Config {
    /// The defaults, with records below `data_dir`.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            database: Location::File(data_dir.join("chat.db")),
            data_dir,
            site_url: String::new(),
            site_name: "Parley".to_owned(),
            open_registration: false,
            login_lifetime: Duration::from_secs(30 * 24 * 3600),
            min_password_chars: 8,
            max_file_bytes: 2 * 1024 * 1024 * 1024,
            files: FileLimits::default(),
            blobs: None,
            allowed_origins: Vec::new(),
            default_team: "main".to_owned(),
            default_team_display_name: "Main".to_owned(),
        }
    }
}

/// The embedded chat server.
#[derive(Debug)]
pub struct Server {
    config: Config,
    store: Store,
    vault: Vault,
    newsroom: Newsroom,
    passwords: Passwords,
    statuses: Statuses,
    /// Makes posts one after the other, so that events leave in the order of the records.
    posting: tokio::sync::Mutex<()>,
    /// Held while a membership changes, so that news of changes leave in the order of the records.
    membership: tokio::sync::Mutex<()>,
    /// Held while an account is made: the first one must be the first one.
    registering: tokio::sync::Mutex<()>,
    last_time_ms: AtomicI64,
}

impl Server {
    /// Opens or creates the records, finishes uploads that a crash interrupted, and makes sure
    /// that the default team exists.
    ///
    /// # Errors
    /// When the directory or the database cannot be used.
    pub async fn open(config: Config) -> Result<Arc<Self>, ChatError> {
        Self::open_records(config).await.map_err(ChatError::from)
    }

    async fn open_records(config: Config) -> Result<Arc<Self>, Fault> {
        let vault = Vault::open(&config).await?;
        let store = Store::open(&config.database).await?;
        let last_time_ms = AtomicI64::new(store.newest_post_time().await?);
        let server = Arc::new(Self {
            vault,
            store,
            newsroom: Newsroom::default(),
            passwords: Passwords::new(),
            statuses: Statuses::default(),
            posting: tokio::sync::Mutex::default(),
            membership: tokio::sync::Mutex::default(),
            registering: tokio::sync::Mutex::default(),
            last_time_ms,
            config,
        });
        server.finish_interrupted_uploads().await?;
        server.make_default_team().await?;
        tokio::spawn(sweep(Arc::downgrade(&server)));
        tokio::spawn(keep_tidy(Arc::downgrade(&server)));
        Ok(server)
    }

    /// How the clients' gateway in front of this server must present itself.
    #[must_use]
    pub fn gateway_config(&self) -> gateway::Config {
        gateway::Config {
            api_version: wire::API_VERSION.to_owned(),
            server_version: wire::server_version(),
            site_url: self.config.site_url.clone(),
            allowed_origins: self.config.allowed_origins.clone(),
            limits: gateway::Limits::default(),
        }
    }

    /// The routes below `/api/v4`, except the WebSocket.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        http::router(self.clone())
    }

    /// Finds out whether files can be stored and read right now.
    ///
    /// # Errors
    /// When they cannot: the place, the setting that names it, and why.
    pub async fn check_files(&self) -> Result<(), ChatError> {
        Ok(self.vault.check().await?)
    }

    /// Closes the records. What was answered is on disk.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Unix milliseconds, each value given out once, also over restarts with a clock set back.
    fn now_ms(&self) -> i64 {
        let wall = wall_ms();
        let before = self
            .last_time_ms
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| {
                Some(wall.max(last + 1))
            });
        wall.max(before.unwrap_or(wall) + 1)
    }

    /// Whether the records can be written, found out by writing.
    ///
    /// # Errors
    /// When they cannot.
    pub async fn check(&self) -> Result<(), ChatError> {
        Ok(self.store.check().await.map_err(Fault::from)?)
    }

    /// Tells everybody who listens what has just been committed.
    fn tell(&self, news: &ChatNews) {
        self.newsroom.tell(news);
    }

    async fn end_expired_logins(&self) -> Result<(), Fault> {
        for login in self.store.expired_logins(wall_ms()).await? {
            self.end_login(&login.id, &login.person_id).await?;
        }
        Ok(())
    }
}

/// Unix milliseconds as the clock says.
fn wall_ms() -> i64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

async fn sweep(server: Weak<Server>) {
    let mut period = tokio::time::interval(SWEEP_PERIOD);
    loop {
        period.tick().await;
        let Some(server) = server.upgrade() else {
            return;
        };
        if server.store.is_closed() {
            return;
        }
        if let Err(fault) = server.end_expired_logins().await {
            tracing::warn!(?fault, "expired logins could not be ended; next try soon");
        }
    }
}
