//! Our own chat server: accounts, teams, rooms, posts, files and the clients' WebSocket on SQLite.
//!
//! In: HTTP under `/api/v4`, the verbs of `ChatBackend`, the CLI's `ensure_*`. Out: answers,
//! client events, notices for calls. Each concern is one file that adds methods to `Server`:
//! `accounts`, `logins`, `teams`, `rooms`, `access`, `posts`, `uploads`, `ws`; `http` maps the wire to them; `store` holds SQL.
//! Invariant: whatever is visible to a client has been committed before the event about it leaves.

mod access;
mod accounts;
mod backend;
mod fault;
mod first_account;
mod http;
mod hub;
mod logins;
mod notices;
mod passwords;
mod place;
mod portrait;
mod posts;
mod rooms;
mod status;
mod store;
mod teams;
mod text;
mod uploads;
mod wire;
mod ws;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use accounts::NewAccount;
use fault::Fault;
use first_account::FirstAccount;
use hub::Hub;
use notices::Notices;
use passwords::Passwords;
pub use place::{NoNetwork, ProxyNet};
use proto::redact::Secret;
use status::Statuses;
use store::Store;
use uploads::Vault;

use crate::ChatError;
use crate::model::Notice;

/// How often expired logins and abandoned connections are looked for.
const SWEEP_PERIOD: Duration = Duration::from_secs(2);

/// How the embedded server behaves. Start from `Config::new`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the database and the files; created when missing.
    pub data_dir: PathBuf,
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
    /// Origins whose pages may use this server, beside our own (development servers); `*` for all.
    pub allowed_origins: Vec<String>,
    /// Proxies that say in `X-Forwarded-For` who asks; of all others the header is not believed.
    pub trusted_proxies: Vec<ProxyNet>,
    /// Name of the team that new accounts join.
    pub default_team: String,
    /// Shown name of that team.
    pub default_team_display_name: String,
}

impl Config {
    /// The defaults, with records below `data_dir`.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            site_url: String::new(),
            site_name: "Parley".to_owned(),
            open_registration: false,
            login_lifetime: Duration::from_secs(30 * 24 * 3600),
            min_password_chars: 12,
            max_file_bytes: 2 * 1024 * 1024 * 1024,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
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
    hub: Hub,
    notices: Notices,
    passwords: Passwords,
    first_account: FirstAccount,
    statuses: Statuses,
    /// Makes posts one after the other, so that events leave in the order of the records.
    posting: tokio::sync::Mutex<()>,
    /// Held for writing while a membership changes, for reading while a socket loads its own.
    membership: tokio::sync::RwLock<()>,
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
        let vault = Vault::open(&config.data_dir).await?;
        let store = Store::open(&config.data_dir.join("chat.db")).await?;
        let last_time_ms = AtomicI64::new(store.newest_post_time().await?);
        let first_account = FirstAccount::new(store.count_people().await? == 0);
        let server = Arc::new(Self {
            vault,
            store,
            hub: Hub::new(wire::server_version()),
            notices: Notices::new(),
            passwords: Passwords::new(),
            first_account,
            statuses: Statuses::default(),
            posting: tokio::sync::Mutex::default(),
            membership: tokio::sync::RwLock::default(),
            registering: tokio::sync::Mutex::default(),
            last_time_ms,
            config,
        });
        server.finish_interrupted_uploads().await?;
        server.make_default_team().await?;
        tokio::spawn(sweep(Arc::downgrade(&server)));
        Ok(server)
    }

    /// The routes below `/api/v4`, with the WebSocket.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        http::router(self.clone())
    }

    /// What the first account of this server needs, while there is none: to be shown to whoever
    /// started the server, and to nobody else.
    #[must_use]
    pub fn first_account_token(&self) -> Option<Secret> {
        self.first_account.to_print()
    }

    /// Cuts off all clients and closes the records. What was answered is on disk.
    pub async fn close(&self) {
        self.hub.end_all();
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

    async fn notify(&self, notice: Notice) {
        self.notices.send(notice).await;
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
        server.hub.forget_absent(Instant::now());
        if server.store.is_closed() {
            return;
        }
        if let Err(fault) = server.end_expired_logins().await {
            tracing::warn!(?fault, "expired logins could not be ended; next try soon");
        }
    }
}
