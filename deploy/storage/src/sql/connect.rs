//! Connections: how each engine is opened, and what each connection is told first.
//!
//! In: a location and a domain. Out: a database whose tables are up to date.
//! Invariant: what is made on disk is readable by its owner only, whatever the umask.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, Once};
use std::time::Duration;

use proto::redact::Secret;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, ConnectOptions as _};

use super::health::Health;
use super::leadership;
use super::migrations::{self, Engine};
use super::writer::Writer;
use super::{Database, Domain, Durability, Inner, Location, SqlError};

/// Connections that only read; more would wait for the two cores of a small machine.
const READERS: u32 = 4;
/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(10);
/// How long somebody waits for a connection to read with.
const WAIT: Duration = Duration::from_secs(10);

/// How to reach the engine, and what a connection is told at its beginning.
struct Plan {
    engine: Engine,
    options: AnyConnectOptions,
    /// What the connection that writes is told.
    write: String,
    /// How those that read are opened and what they are told; `None` where the writer reads too.
    read: Option<(AnyConnectOptions, &'static str)>,
    begin: String,
    checkpoint: Option<&'static str>,
}

pub(super) async fn open(location: &Location, domain: &Domain) -> Result<Database, SqlError> {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
    let name: Arc<str> = location.to_string().into();
    let failed = |source| SqlError::new("open the database", name.clone(), source);
    let plan = match location {
        Location::File(path) => sqlite(path, domain),
        Location::Postgres {
            url,
            password,
            epoch,
        } => postgres(url, password, *epoch, domain),
    }
    .map_err(failed)?;
    let write = Writer::new(plan.options, plan.write);
    let mut first = write.acquire().await.map_err(failed)?;
    migrations::run(&mut first, plan.engine, domain.migrations)
        .await
        .map_err(|source| SqlError::new("bring the tables up to date", name.clone(), source))?;
    first.give_back();
    Ok(Database {
        inner: Arc::new(Inner {
            name,
            read: plan.read.map(|(options, told)| readers(options, told)),
            write,
            begin: plan.begin,
            checkpoint: plan.checkpoint,
            health: Health::default(),
        }),
    })
}

/// Connections that are opened when somebody reads.
fn readers(options: AnyConnectOptions, told: &'static str) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(WAIT)
        .after_connect(move |connection, _| {
            Box::pin(async move { sqlx::raw_sql(told).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options)
}

fn sqlite(path: &Path, domain: &Domain) -> Result<Plan, sqlx::Error> {
    // What is deleted is overwritten (`secure_delete`), in the file and not only in its index.
    // The driver's own defaults add foreign keys, and five seconds of patience for readers
    let path = std::path::absolute(path).map_err(sqlx::Error::Io)?;
    make_private(&path).map_err(sqlx::Error::Io)?;
    let options = AnyConnectOptions::from_str(&sqlite_url(&path)?)?.disable_statement_logging();
    // what is deleted or overwritten is overwritten on the disk too (secure_delete)
    let synchronous = match domain.durability {
        Durability::PowerCut => "FULL",
        Durability::ProcessDeath => "NORMAL",
    };
    let busy = BUSY.as_millis();
    if domain.exclusive {
        // One connection for everything: the lock is taken here and never given back. With a
        // write-ahead log other processes would be kept out only from the first write on.
        let write = format!(
            "PRAGMA busy_timeout = 2000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; \
             PRAGMA synchronous = {synchronous}; PRAGMA secure_delete = ON; \
             BEGIN EXCLUSIVE; COMMIT;"
        );
        return Ok(Plan {
            engine: Engine::Sqlite,
            options,
            write,
            read: None,
            begin: "BEGIN IMMEDIATE".to_owned(),
            checkpoint: None,
        });
    }
    Ok(Plan {
        engine: Engine::Sqlite,
        read: Some((options.clone(), "PRAGMA query_only = ON")),
        options,
        write: format!(
            "PRAGMA busy_timeout = {busy}; PRAGMA journal_mode = WAL; \
             PRAGMA synchronous = {synchronous}; PRAGMA secure_delete = ON;"
        ),
        // Takes the write lock at once: a lock taken later could not wait for another process.
        begin: "BEGIN IMMEDIATE".to_owned(),
        checkpoint: Some("PRAGMA wal_checkpoint(TRUNCATE)"),
    })
}

/// The path as an address: everything but letters and digits is escaped.
fn sqlite_url(path: &Path) -> Result<String, sqlx::Error> {
    let text = path
        .to_str()
        .ok_or_else(|| sqlx::Error::Configuration("the path of a database must be UTF-8".into()))?;
    let mut url = String::from("sqlite://");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'/' {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url.push_str("?mode=rwc");
    Ok(url)
}

/// Makes folder and file before SQLite does, and takes rights away that others have on the file
/// and on what SQLite keeps beside it.
fn make_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path)?;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        let beside = PathBuf::from(beside);
        match fs::metadata(&beside) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn postgres(
    url: &str,
    password: &Secret,
    epoch: Option<i64>,
    domain: &Domain,
) -> Result<Plan, sqlx::Error> {
    let mut options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
    let address = &mut options.database_url;
    if !password.is_empty() {
        address
            .set_password(Some(password.expose()))
            .map_err(|()| sqlx::Error::Configuration("an address without a host".into()))?;
    }
    let asks = |key: &str| address.query_pairs().any(|(name, _)| name == key);
    let needs_tls = !asks("sslmode") && crosses_machines(address.host_str());
    let application = match epoch {
        Some(epoch) => format!("parley-{}-epoch-{epoch}", domain.name),
        None => format!("parley-{}", domain.name),
    };
    let mut query = address.query_pairs_mut();
    if needs_tls {
        query.append_pair("sslmode", "verify-full");
    }
    query
        .append_pair("options[search_path]", domain.name)
        .append_pair("options[lock_timeout]", &format!("{}ms", BUSY.as_millis()))
        .append_pair("application_name", &application);
    drop(query);
    let schema = domain.name;
    let lock = lock_number(schema);
    // made only when missing: the right to make schemas is needed once. Of two that begin at once the
    // slower one fails in spite of IF NOT EXISTS, and finds it made
    let mut write = format!(
        "DO $$ BEGIN IF to_regnamespace('{schema}') IS NULL THEN \
         CREATE SCHEMA IF NOT EXISTS {schema}; END IF; \
         EXCEPTION WHEN unique_violation OR duplicate_schema THEN NULL; END $$;"
    );
    if domain.exclusive {
        write.push_str(&format!(
            " DO $$ BEGIN IF NOT pg_try_advisory_lock({lock}, 1) THEN \
             RAISE 'another process has it open'; END IF; END $$;"
        ));
    }
    let synchronous = match domain.durability {
        Durability::PowerCut => "on",
        Durability::ProcessDeath => "off",
    };
    write.push_str(&format!(" SET synchronous_commit = {synchronous};"));
    if let Some(epoch) = epoch {
        write.push_str(&leadership::fence(epoch));
    }
    let read_only = "SET default_transaction_read_only = on";
    Ok(Plan {
        engine: Engine::Postgres,
        read: Some((options.clone(), read_only)),
        options,
        write,
        checkpoint: None,
        begin: format!("BEGIN; SELECT pg_advisory_xact_lock({lock}, 0)"),
    })
}

/// Whether what is said to this host can be heard by others.
fn crosses_machines(host: Option<&str>) -> bool {
    let Some(host) = host else {
        return false;
    };
    let is_socket = host.starts_with('/') || host.to_ascii_uppercase().starts_with("%2F");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    !(host.is_empty() || is_socket || is_loopback)
}

/// A number for the domain's locks, the same in every process (FNV-1a).
fn lock_number(name: &str) -> i32 {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.cast_signed()
}
