//! SQLite on a disk: who may read the files, a damaged one, an odd path.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, the helpers too may fail by panic"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use storage::{Database, Domain, Durability, Location, Migration};

const DOMAIN: Domain = Domain {
    name: "things",
    migrations: &[Migration::new(
        1,
        "things",
        "CREATE TABLE things (id TEXT PRIMARY KEY)",
    )],
    durability: Durability::PowerCut,
    exclusive: false,
};

fn modes(folder: &Path) -> Vec<(String, u32)> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    found.sort();
    found
}

async fn insert(db: &Database, id: &str) -> Result<u64, storage::SqlError> {
    let statement = sqlx::query("INSERT INTO things (id) VALUES ($1)");
    db.execute("insert", statement.bind(id.to_owned())).await
}

#[tokio::test]
async fn nobody_else_can_read_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("data");
    let location = Location::File(inside.join("things.db"));
    let db = Database::open(&location, &DOMAIN).await.unwrap();
    insert(&db, "a").await.unwrap();
    assert_eq!(
        fs::metadata(&inside).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let expected = [
        "things.db",
        "things.db-shm",
        "things.db-wal",
        "things.db.reserve",
    ];
    let expected: Vec<_> = expected.map(|name| (name.to_owned(), 0o600)).into();
    assert_eq!(modes(&inside), expected);

    // a database of the time when others could read it
    for (name, _) in modes(&inside) {
        fs::set_permissions(inside.join(name), Permissions::from_mode(0o644)).unwrap();
    }
    let again = Database::open(&location, &DOMAIN).await.unwrap();
    insert(&again, "b").await.unwrap();
    let shown: Vec<_> = modes(&inside);
    assert!(
        shown.iter().take(3).all(|(_, mode)| *mode == 0o600),
        "{shown:?}"
    );
}

#[tokio::test]
async fn a_damaged_database_is_named_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    fs::write(
        &path,
        "this was a database before the disk failed".repeat(200),
    )
    .unwrap();
    let error = Database::open(&Location::File(path.clone()), &DOMAIN)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("open the database in `{}`", path.display())
    );
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("not a database"), "{source}");
}

#[tokio::test]
async fn a_path_may_hold_any_character() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b?mode=ro#x%41 é'\".db");
    let db = Database::open(&Location::File(path.clone()), &DOMAIN)
        .await
        .unwrap();
    insert(&db, "a").await.unwrap();
    assert!(path.exists());
    assert_eq!(db.name(), path.display().to_string());
}
