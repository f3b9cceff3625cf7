//! A disk that is full for a moment: writing goes on when there is room again, reading never ends.
//!
//! The disk is a small tmpfs in a mount namespace of a child process, which is this program again.
//! Where namespaces are not allowed, a limit on the size of files stands for the full disk.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in a test, the helpers too may fail by panic, and say what they could not try"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use storage::{Database, Domain, Durability, Location, Migration};

const DISK: &str = "STORAGE_TEST_DISK";
const DOMAIN: Domain = Domain {
    name: "things",
    migrations: &[Migration::new(
        1,
        "things",
        "CREATE TABLE things (id BIGINT PRIMARY KEY, body TEXT NOT NULL)",
    )],
    durability: Durability::PowerCut,
    exclusive: false,
};

/// Exit code of a child whose disk could not be prepared.
const NOT_HERE: i32 = 77;

/// Runs one test of this program as a child, by `wrapper` and after `prepare` in a shell. Whether
/// the machine allows what they need; a child that fails is a panic.
fn run_in(test: &str, disk: &Path, wrapper: &[&str], prepare: &str) -> bool {
    let program = std::env::current_exe().unwrap();
    let script = format!("{prepare} || exit {NOT_HERE}; exec \"$0\" --exact {test} --nocapture");
    let words = [wrapper, &["sh", "-c", &script]].concat();
    let (shell, words) = words.split_first().unwrap();
    let done = Command::new(shell)
        .args(words)
        .arg(program)
        .env(DISK, disk)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    // `unshare` itself may be forbidden
    if done.status.code() == Some(NOT_HERE) || said.starts_with("unshare:") {
        return false;
    }
    let heard = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{heard}\n{said}");
    true
}

fn on_a_small_disk(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=3m none \"$STORAGE_TEST_DISK\"";
    if !run_in(test, folder.path(), &["unshare", "-rm"], mount) {
        println!("no mount namespaces here: only the limit on the size of files is tried");
    }
}

fn with_a_limit(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    // a write beyond the limit is an error instead of a death when the signal is ignored
    let limit = "trap '' XFSZ; ulimit -S -f 2000";
    assert!(
        run_in(test, folder.path(), &[], limit),
        "a shell with limits"
    );
}

/// The disk of a child; `None` in the test run itself.
fn disk() -> Option<PathBuf> {
    std::env::var_os(DISK).map(PathBuf::from)
}

async fn insert(db: &Database, id: i64, bytes: usize) -> Result<(), storage::SqlError> {
    let mut tx = db.begin("begin").await?;
    let statement = sqlx::query("INSERT INTO things (id, body) VALUES ($1, $2)");
    tx.execute("insert", statement.bind(id).bind("x".repeat(bytes)))
        .await?;
    tx.commit().await
}

async fn count(db: &Database) -> i64 {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM things");
    db.fetch_value("count", count).await.unwrap()
}

/// Leaves no byte free, and returns the file that takes them.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("film");
    let mut film = File::create(&path).unwrap();
    for size in [65536, 4096, 512, 1] {
        while film.write_all(&vec![7; size]).is_ok() {}
    }
    path
}

#[test]
fn writing_goes_on_when_there_is_room_again() {
    if disk().is_none() {
        on_a_small_disk("child_writes_on_when_there_is_room");
        with_a_limit("child_writes_on_when_files_may_grow");
    }
}

#[tokio::test]
async fn child_writes_on_when_there_is_room() {
    let Some(disk) = disk() else { return };
    let location = Location::File(disk.join("things.db"));
    let db = Database::open(&location, &DOMAIN).await.unwrap();
    insert(&db, 0, 10).await.unwrap();
    let film = fill(&disk);
    let mut kept = 1;
    let mut failures = 0;
    for id in 1..200 {
        match insert(&db, id, 40_000).await {
            Ok(()) => kept += 1,
            Err(_) => failures += 1,
        }
        assert_eq!(
            count(&db).await,
            kept,
            "reading goes on, and what failed left nothing"
        );
    }
    assert!(failures > 10, "the disk was full {failures} times");
    std::fs::remove_file(film).unwrap();
    insert(&db, 1000, 40_000).await.unwrap();
    db.check().await.unwrap();
    assert_eq!(count(&db).await, kept + 1);
}

#[tokio::test]
async fn child_writes_on_when_files_may_grow() {
    let Some(disk) = disk() else { return };
    let location = Location::File(disk.join("things.db"));
    let db = Database::open(&location, &DOMAIN).await.unwrap();
    let mut kept = 0;
    let mut id = 0;
    while insert(&db, id, 40_000).await.is_ok() {
        (kept, id) = (kept + 1, id + 1);
    }
    assert!(kept > 3, "{kept}");
    for more in 0..5 {
        insert(&db, 500 + more, 1_200_000).await.unwrap_err();
    }
    assert_eq!(count(&db).await, kept);
    let unlimited = Command::new("prlimit")
        .args([
            "--fsize=unlimited",
            "--pid",
            &std::process::id().to_string(),
        ])
        .status()
        .unwrap();
    assert!(unlimited.success());
    insert(&db, 1000, 40_000).await.unwrap();
    db.check().await.unwrap();
    assert_eq!(count(&db).await, kept + 1);
}

#[test]
fn a_start_on_a_full_disk_reads() {
    if disk().is_none() {
        on_a_small_disk("child_starts_on_a_full_disk");
    }
}

#[tokio::test]
async fn child_starts_on_a_full_disk() {
    let Some(disk) = disk() else { return };
    let location = Location::File(disk.join("things.db"));
    let db = Database::open(&location, &DOMAIN).await.unwrap();
    insert(&db, 0, 10).await.unwrap();
    // closed in order: the write-ahead log and its index are gone, and there is no room for others
    db.close().await;
    let film = fill(&disk);
    let db = Database::open(&location, &DOMAIN).await.unwrap();
    assert_eq!(count(&db).await, 1);
    insert(&db, 1, 2_000_000).await.unwrap_err();
    assert_eq!(count(&db).await, 1);
    std::fs::remove_file(film).unwrap();
    insert(&db, 2, 40_000).await.unwrap();
    assert_eq!(count(&db).await, 2);
}
