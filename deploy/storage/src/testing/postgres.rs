//! A real PostgreSQL for a test process: started when the first test asks, gone with the process.
//!
//! Its folder and its socket are in a temporary folder; no TCP port is opened. Started as root it
//! runs as an unprivileged user, which PostgreSQL demands.
//! Invariant: whatever way the test process ends, the server ends too: it reads from a pipe that
//! the process holds, and stops at its end.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// Runs in the server's folder: makes the cluster, starts it, says so, waits for the end of its
/// input, stops the server and removes the folder. Nothing is flushed: it lives for one test run.
const SCRIPT: &str = r#"
set -e
initdb -D data -U parley -A trust -E UTF8 --locale=C.UTF-8 --no-sync >log 2>&1
pg_ctl -D data -l log -w -t 120 -o "-c listen_addresses= -c fsync=off -c max_connections=200 \
    -c unix_socket_directories='$PWD'" start >>log 2>&1
echo ready
read -r _ || true
pg_ctl -D data -m immediate stop >>log 2>&1
rm -rf "$PWD"
"#;

struct Server {
    folder: PathBuf,
    /// Ends when its input does.
    _keeper: Child,
}

/// The address of a new, empty database on the server of this process.
///
/// # Panics
/// When PostgreSQL is not installed or does not start.
pub async fn fresh_database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = tokio::task::spawn_blocking(server)
        .await
        .expect("the server starts");
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut connection = sqlx::PgConnection::connect(&address(&server.folder, "postgres"))
        .await
        .expect("connect to the server of the tests");
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .expect("make a database for a test");
    address(&server.folder, &name)
}

fn address(folder: &Path, database: &str) -> String {
    let host = folder.to_string_lossy().replace('/', "%2F");
    format!("postgres://parley@{host}/{database}")
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn start() -> Server {
    let folder = tempfile::Builder::new()
        .prefix("parley-pg-")
        .tempdir()
        .expect("a temporary folder")
        .keep();
    let mut command = Command::new("sh");
    command
        .args(["-c", SCRIPT])
        .current_dir(&folder)
        .env("PATH", path_with_postgres())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // not a member of the test's group: a Ctrl-C ends the test, and its end stops the server
        .process_group(0);
    if let Some((user, group)) = unprivileged() {
        chown(&folder, Some(user), Some(group)).expect("give the folder to its user");
        command.uid(user).gid(group);
    }
    let mut keeper = command.spawn().expect("start a shell");
    let mut line = String::new();
    let stdout = keeper.stdout.take().expect("its output is piped");
    let read = BufReader::new(stdout).read_line(&mut line);
    assert!(
        read.is_ok() && line.trim() == "ready",
        "PostgreSQL did not start (is the package `postgresql` installed?): {}",
        fs::read_to_string(folder.join("log")).unwrap_or_default()
    );
    Server {
        folder,
        _keeper: keeper,
    }
}

/// Debian keeps the server's programs of each version in a folder of its own.
fn path_with_postgres() -> String {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    let mut path = std::env::var("PATH").unwrap_or_default();
    if let Some(newest) = versions.last() {
        path = format!("{}:{path}", newest.display());
    }
    path
}

/// Who runs the server when we are root: the packaged user, or nobody.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|wanted| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
