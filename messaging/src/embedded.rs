//! Our own chat server: accounts, teams, rooms, posts and files on SQLite.
//!
//! In: HTTP under `/api/v4`, the verbs of `ChatBackend`, the CLI's `ensure_*`. Out: answers and
//! news. Each concern is one file that adds methods to `Server`: `accounts`, `logins`, `teams`,
//! `rooms`, `access`, `posts`, `threads`, `reactions`, `search`, `invites`, `import`, `uploads`,
//! `presence`; `http` maps the wire to them; `store` holds SQL.
//! Not here: the clients' WebSocket (`gateway`), which hears of everything as news.
//! Invariant: whatever is visible to a client has been committed before the event about it leaves.

mod access;
mod accounts;
mod admission;
mod agent;
mod backend;
mod clock;
mod fault;
mod first_account;
mod http;
mod import;
mod invites;
mod logins;
mod mentions;
mod passwords;
mod people;
mod picture;
mod place;
mod portrait;
mod posts;
mod presence;
mod rates;
mod reactions;
mod reading;
mod rooms;
mod search;
mod status;
mod store;
mod teams;
mod text;
mod threads;
mod uploads;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

pub use accounts::NewAccount;
use clock::Clock;
pub use clock::WallClock;
use fault::Fault;
use first_account::FirstAccount;
pub use import::{Imported, Outcome};
pub use invites::InviteTerms;
use passwords::Passwords;
pub use people::{Account, Session};
pub use place::{NoNetwork, ProxyNet};
use proto::redact::Secret;
use rates::Rates;
use service::{Restarts, Tasks};
use status::Statuses;
use storage::Location;
use storage::blob::BlobStore;
use store::Store;
pub use uploads::FileLimits;
use uploads::{Vault, keep_tidy};

use crate::ChatError;
use crate::commands::CommandHandler;
use crate::gateway;
use crate::model::ChatNews;
use crate::news::Newsroom;

/// How often ended logins and the clock are looked at: a login that a tool beside this server ends
/// is cut off within a second.
const SWEEP_PERIOD: Duration = Duration::from_millis(500);

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
    /// The language of people whose profile names none.
    pub default_locale: String,
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
    /// Origins whose pages may use this server, beside our own (development servers); `*` for all.
    pub allowed_origins: Vec<String>,
    /// Whether pages of other sites may show ours in a frame: over HTTPS, cookies then go along there
    /// too, apart for each such site. What may be changed with a cookie needs its mark in any case.
    pub framed: bool,
    /// Proxies that say in `X-Forwarded-For` who asks; of all others the header is not believed.
    pub trusted_proxies: Vec<ProxyNet>,
    /// Posts, edits and the like that one person may make in a minute for long, and a third of it
    /// at once; 0 for no limit.
    pub writes_per_minute: u32,
    /// What the sockets of the gateway in front of this server may send, and what is kept for them.
    pub gateway: gateway::Limits,
    /// Where the time of day comes from.
    pub wall_clock: WallClock,
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
            default_locale: "en".to_owned(),
            open_registration: false,
            login_lifetime: Duration::from_secs(30 * 24 * 3600),
            min_password_chars: 12,
            max_file_bytes: 2 * 1024 * 1024 * 1024,
            files: FileLimits::default(),
            blobs: None,
            allowed_origins: Vec::new(),
            framed: false,
            trusted_proxies: Vec::new(),
            writes_per_minute: 600,
            gateway: gateway::Limits::default(),
            wall_clock: WallClock::default(),
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
    first_account: FirstAccount,
    statuses: Statuses,
    /// Makes posts one after the other, so that events leave in the order of the records.
    posting: tokio::sync::Mutex<()>,
    /// Held while the followers of a thread are told of a reply, so that they hear of replies in
    /// their order. Whoever waits for it has stood in line since it held `posting`.
    telling_followers: tokio::sync::Mutex<()>,
    /// Held while a membership changes, so that news of changes leave in the order of the records.
    membership: tokio::sync::Mutex<()>,
    /// Held while an account is made: the first one must be the first one.
    registering: tokio::sync::Mutex<()>,
    clock: Clock,
    rates: Rates,
    /// Whoever carries out commands.
    commands: OnceLock<Arc<dyn CommandHandler>>,
    /// The number of the last login of which it was told that it ended.
    ended_logins_seen: tokio::sync::Mutex<i64>,
}

impl Server {
    /// Opens or creates the records, finishes uploads that a crash interrupted, and makes sure
    /// that the default team exists.
    ///
    /// # Errors
    /// When the directory or the database cannot be used.
    pub async fn open(config: Config) -> Result<Arc<Self>, ChatError> {
        let server = Self::open_records(config).await?;
        server.finish_interrupted_uploads().await?;
        Ok(server)
    }

    /// Opens the records for a tool: a server may be running on them, whose uploads are left alone.
    /// What the tool changes, that server notices within a second.
    ///
    /// # Errors
    /// As [`Server::open`].
    pub async fn open_as_tool(config: Config) -> Result<Arc<Self>, ChatError> {
        Ok(Self::open_records(config).await?)
    }

    async fn open_records(config: Config) -> Result<Arc<Self>, Fault> {
        let vault = Vault::open(&config).await?;
        let store = Store::open(&config.database).await?;
        let clock = Clock::new(
            config.wall_clock.clone(),
            store.newest_post_time().await?,
            store.clock_steps().await?,
            Instant::now(),
        );
        let first_account = FirstAccount::new(!store.has_people().await?);
        let ended_logins_seen = tokio::sync::Mutex::new(store.last_ended_login().await?);
        let server = Arc::new(Self {
            vault,
            store,
            newsroom: Newsroom::default(),
            passwords: Passwords::new(),
            first_account,
            statuses: Statuses::default(),
            posting: tokio::sync::Mutex::default(),
            telling_followers: tokio::sync::Mutex::default(),
            membership: tokio::sync::Mutex::default(),
            registering: tokio::sync::Mutex::default(),
            clock,
            rates: Rates::new(config.writes_per_minute),
            commands: OnceLock::new(),
            ended_logins_seen,
            config,
        });
        server.make_default_team().await?;
        Ok(server)
    }

    /// Does what a server does by itself, as some of `tasks`, until it is closed: ends logins, notices
    /// those that a tool beside it ended, follows the clock, clears files away, indexes old posts. A tool that only opens
    /// the records needs none of it.
    pub fn keep_house(self: &Arc<Self>, tasks: &Tasks) {
        let weak = Arc::downgrade(self);
        let sweeping = move || sweep(weak.clone());
        tasks.until_done("sweep of logins", sweeping, Restarts::default());
        let weak = Arc::downgrade(self);
        let indexing = move || index(weak.clone());
        tasks.until_done("index of words", indexing, Restarts::default());
        let weak = Arc::downgrade(self);
        let tidying = move || keep_tidy(weak.clone());
        tasks.until_done("sweep of files", tidying, Restarts::default());
    }

    /// How the clients' gateway in front of this server must present itself.
    #[must_use]
    pub fn gateway_config(&self) -> gateway::Config {
        gateway::Config {
            api_version: wire::API_VERSION.to_owned(),
            server_version: wire::server_version(),
            site_url: self.config.site_url.clone(),
            allowed_origins: self.config.allowed_origins.clone(),
            limits: self.config.gateway,
        }
    }

    /// The routes below `/api/v4`, except the WebSocket.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        http::router(self.clone())
    }

    /// What the first account of this server needs, while there is none: to be shown to whoever
    /// started the server, and to nobody else.
    #[must_use]
    pub fn first_account_token(&self) -> Option<Secret> {
        self.first_account.to_print()
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

    /// Unix milliseconds as the clock says.
    fn wall_ms(&self) -> i64 {
        self.clock.wall_ms()
    }

    /// Unix milliseconds for a record.
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Keeps that the clock was set back, before anything dated after it is kept.
    async fn keep_clock_steps(&self) -> Result<(), Fault> {
        let steps = self.clock.steps_to_keep();
        if !steps.is_empty() {
            self.store.keep_clock_steps(&steps).await?;
            self.clock.are_kept(steps.len());
        }
        Ok(())
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

    async fn sweep(&self) -> Result<(), Fault> {
        self.tell_ended_logins().await?;
        for login in self.store.expired_logins(self.wall_ms()).await? {
            self.end_login(&login.id).await?;
        }
        Ok(())
    }
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
        if let Some(jump) = server.clock.jump_ms(Instant::now()) {
            tracing::warn!(
                jump = clock::in_words(jump),
                "the clock was set: posts keep their order and get the new time"
            );
        }
        if let Err(fault) = server.sweep().await {
            tracing::warn!(?fault, "ended logins could not be seen to; next try soon");
        }
    }
}

async fn index(server: Weak<Server>) {
    if let Some(server) = server.upgrade()
        && let Err(fault) = server.index_posts().await
        && !server.store.is_closed()
    {
        tracing::warn!(
            ?fault,
            "old posts are not all indexed; next try at the next start"
        );
    }
}
