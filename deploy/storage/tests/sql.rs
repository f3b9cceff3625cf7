//! What every store relies on, on both engines: types, transactions, one writer, migrations.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, the helpers too may fail by panic"
)]

use sqlx::{FromRow, Row as _, any::AnyRow};
use storage::sql::{Builder, flag, text};
use storage::{Database, Domain, Durability, Location, Migration};

const THINGS: Migration = Migration::new(
    1,
    "things",
    "CREATE TABLE things (id TEXT PRIMARY KEY, note TEXT, size BIGINT NOT NULL,
        is_good BIGINT NOT NULL, body BLOB NOT NULL);
     -- a comment with an apostrophe's trap; and a semicolon
     CREATE TABLE parts (thing TEXT NOT NULL REFERENCES things (id), number BIGINT NOT NULL,
        PRIMARY KEY (thing, number));",
);

const DOMAIN: Domain = Domain {
    name: "things",
    migrations: &[THINGS],
    durability: Durability::PowerCut,
    exclusive: false,
};

/// The same one version later.
const GROWN: Domain = Domain {
    migrations: &[
        THINGS,
        Migration::new(
            2,
            "colour",
            "ALTER TABLE things ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'",
        ),
    ],
    ..DOMAIN
};

#[derive(Debug, PartialEq)]
struct Thing {
    id: String,
    note: Option<String>,
    size: i64,
    is_good: bool,
    body: Vec<u8>,
}

impl FromRow<'_, AnyRow> for Thing {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            note: row.try_get("note")?,
            size: row.try_get("size")?,
            is_good: row.try_get::<i64, _>("is_good")? != 0,
            body: row.try_get("body")?,
        })
    }
}

const INSERT: &str = "INSERT INTO things (id, note, size, is_good, body)
    VALUES ($1, $2, $3, $4, $5)";

fn insert(id: &str, note: Option<&str>, size: i64) -> storage::sql::Statement<'static> {
    sqlx::query(INSERT)
        .bind(id.to_owned())
        .bind(note.map(str::to_owned))
        .bind(size)
        .bind(flag(size > 1))
        .bind(vec![0_u8, 255, 7])
}

async fn open(location: &Location) -> Database {
    Database::open(location, &DOMAIN)
        .await
        .expect("a database opens")
}

async fn ids(db: &Database) -> Vec<String> {
    let things = db
        .fetch_all(
            "list",
            sqlx::query_as::<_, Thing>("SELECT * FROM things ORDER BY id"),
        )
        .await
        .unwrap();
    things.into_iter().map(|thing| thing.id).collect()
}

async fn values_come_back_as_they_went_in(location: Location) {
    let db = open(&location).await;
    let large = "ä".repeat(700_000);
    db.execute("insert", insert("a", None, 1)).await.unwrap();
    db.execute("insert", insert("B", Some(&large), i64::MAX))
        .await
        .unwrap();
    db.execute("insert", insert("b", Some(&text("nul \0 here")), 3))
        .await
        .unwrap();
    let read = |id: &str| {
        let select = sqlx::query_as::<_, Thing>("SELECT * FROM things WHERE id = $1");
        db.fetch_optional("read", select.bind(id.to_owned()))
    };
    let thing = read("a").await.unwrap().unwrap();
    assert_eq!((thing.note, thing.size, thing.is_good), (None, 1, false));
    assert_eq!(thing.body, [0, 255, 7]);
    let thing = read("B").await.unwrap().unwrap();
    assert_eq!(
        (thing.note, thing.size, thing.is_good),
        (Some(large), i64::MAX, true)
    );
    let thing = read("b").await.unwrap().unwrap();
    assert_eq!(thing.note.unwrap(), "nul \u{fffd} here");
    assert!(read("c").await.unwrap().is_none());
    // texts are ordered by bytes, whatever the server's locale
    assert_eq!(ids(&db).await, ["B", "a", "b"]);
}

async fn expressions_have_one_type_on_both(location: Location) {
    let db = open(&location).await;
    let value = |sql: &'static str| db.fetch_value::<i64>("ask", sqlx::query_scalar(sql));
    assert_eq!(value("SELECT COUNT(*) FROM things").await.unwrap(), 0);
    let none = "SELECT COALESCE(MAX(size), 0) FROM things";
    assert_eq!(value(none).await.unwrap(), 0);
    db.execute("insert", insert("a", None, 2)).await.unwrap();
    db.execute("insert", insert("a_%", None, 3)).await.unwrap();
    let sum = "SELECT CAST(SUM(size) AS BIGINT) FROM things";
    assert_eq!(value(sum).await.unwrap(), 5);
    assert_eq!(
        value("SELECT COUNT(*) FROM things WHERE is_good = 1")
            .await
            .unwrap(),
        2
    );
    let text = db.fetch_value::<String>(
        "ask",
        sqlx::query_scalar("SELECT COALESCE((SELECT MIN(note) FROM things), '')"),
    );
    assert_eq!(text.await.unwrap(), "");
    let found =
        sqlx::query_as::<_, Thing>("SELECT * FROM things WHERE LOWER(id) LIKE $1 ESCAPE '!'");
    let found = db.fetch_all("search", found.bind("a!_!%%")).await.unwrap();
    assert_eq!(found.len(), 1);
    let mut list = Builder::new("SELECT * FROM things WHERE id IN (");
    list.push_list(["a", "x"])
        .push(") AND size > ")
        .push_bind(1)
        .push(" LIMIT ")
        .push_bind(9);
    assert_eq!(
        db.fetch_all::<Thing>("list", list.select())
            .await
            .unwrap()
            .len(),
        1
    );
    let upsert = "INSERT INTO things (id, note, size, is_good, body) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO UPDATE SET size = excluded.size,
        note = CASE WHEN $3 = 9 THEN $2 ELSE things.note END";
    let statement = sqlx::query(upsert).bind("a").bind("n").bind(9_i64);
    let touched = db
        .execute("upsert", statement.bind(1_i64).bind(vec![1_u8]))
        .await
        .unwrap();
    assert_eq!(touched, 1);
    let ignored = "INSERT INTO things (id, note, size, is_good, body) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO NOTHING";
    let statement = sqlx::query(ignored).bind("a").bind("m").bind(1_i64);
    let touched = db
        .execute("ignore", statement.bind(1_i64).bind(vec![1_u8]))
        .await
        .unwrap();
    assert_eq!(touched, 0);
    assert_eq!(
        value("SELECT size FROM things WHERE note = 'n'")
            .await
            .unwrap(),
        9
    );
}

async fn a_transaction_is_whole_or_nothing(location: Location) {
    let db = open(&location).await;
    let mut tx = db.begin("begin").await.unwrap();
    tx.execute("insert", insert("kept", None, 1)).await.unwrap();
    assert!(
        ids(&db).await.is_empty(),
        "others see it when it is committed"
    );
    let inside = tx.fetch_value::<i64>("count", sqlx::query_scalar("SELECT COUNT(*) FROM things"));
    assert_eq!(inside.await.unwrap(), 1);
    tx.commit().await.unwrap();

    let mut dropped = db.begin("begin").await.unwrap();
    dropped
        .execute("insert", insert("dropped", None, 1))
        .await
        .unwrap();
    drop(dropped);
    let mut given_up = db.begin("begin").await.unwrap();
    given_up
        .execute("insert", insert("given up", None, 1))
        .await
        .unwrap();
    given_up.rollback().await.unwrap();

    let mut failed = db.begin("begin").await.unwrap();
    failed
        .execute("insert", insert("before", None, 1))
        .await
        .unwrap();
    let twice = failed
        .execute("insert", insert("kept", None, 1))
        .await
        .unwrap_err();
    assert!(twice.is_duplicate());
    let error = failed.commit().await.unwrap_err();
    assert!(!error.is_duplicate());
    assert_eq!(ids(&db).await, ["kept"]);
    db.execute("insert", insert("after", None, 1))
        .await
        .unwrap();
    assert_eq!(ids(&db).await, ["after", "kept"]);
}

async fn writers_wait_for_each_other(location: Location) {
    // two handles stand for two processes
    let (here, there) = (open(&location).await, open(&location).await);
    here.execute("insert", insert("sum", None, 0))
        .await
        .unwrap();
    let add = |db: Database| async move {
        for _ in 0..20 {
            let mut tx = db.begin("begin").await.unwrap();
            let size = sqlx::query_scalar("SELECT size FROM things WHERE id = 'sum'");
            let size: i64 = tx.fetch_value("read", size).await.unwrap();
            let write = sqlx::query("UPDATE things SET size = $1 WHERE id = 'sum'");
            tx.execute("write", write.bind(size + 1)).await.unwrap();
            tx.commit().await.unwrap();
        }
    };
    let tasks = [here.clone(), here.clone(), there.clone(), there].map(|db| tokio::spawn(add(db)));
    for task in tasks {
        task.await.unwrap();
    }
    let size = sqlx::query_scalar("SELECT size FROM things WHERE id = 'sum'");
    assert_eq!(here.fetch_value::<i64>("read", size).await.unwrap(), 80);
}

async fn a_transaction_cut_off_anywhere_leaves_the_next_one_alone(location: Location) {
    let db = open(&location).await;
    for steps in 0..40 {
        let work = async {
            let mut tx = db.begin("begin").await?;
            tx.execute("insert", insert("cut", None, 1)).await?;
            tx.execute("delete", sqlx::query("DELETE FROM things WHERE id = 'cut'"))
                .await?;
            tx.commit().await
        };
        let mut work = Box::pin(work);
        for _ in 0..steps {
            let once = futures_util::poll!(work.as_mut());
            if once.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert!(ids(&db).await.is_empty());
    db.execute("insert", insert("next", None, 1)).await.unwrap();
    assert_eq!(ids(&db).await, ["next"]);
}

async fn rules_of_the_tables_hold(location: Location) {
    let db = open(&location).await;
    let orphan = sqlx::query("INSERT INTO parts (thing, number) VALUES ('nobody', 1)");
    let error = db.execute("insert part", orphan).await.unwrap_err();
    assert!(!error.is_duplicate());
    let said = error.to_string();
    assert_eq!(said, format!("insert part in `{location}`"));
    let reading = db.fetch_optional(
        "write while reading",
        sqlx::query_as::<_, Thing>(
            "INSERT INTO things (id, size, is_good, body) VALUES ('r', 1, 1, '') RETURNING *",
        ),
    );
    assert!(reading.await.is_err(), "readers cannot write");
    assert!(ids(&db).await.is_empty());
}

async fn tables_are_made_once_and_grow_by_further_steps(location: Location) {
    let db = open(&location).await;
    db.execute("insert", insert("old", None, 1)).await.unwrap();
    db.close().await;
    assert!(db.is_closed());
    assert!(db.execute("insert", insert("late", None, 1)).await.is_err());
    for _ in 0..2 {
        let db = Database::open(&location, &GROWN).await.unwrap();
        let colour = sqlx::query_scalar("SELECT colour FROM things WHERE id = 'old'");
        assert_eq!(
            db.fetch_value::<String>("read", colour).await.unwrap(),
            "red"
        );
        db.check().await.unwrap();
        db.close().await;
    }
    let error = Database::open(&location, &DOMAIN).await.unwrap_err();
    let said = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!(said.contains("bring the tables up to date"), "{said}");
    assert!(said.contains("migration 2"), "{said}");
}

async fn an_exclusive_database_is_open_once(location: Location) {
    let domain = Domain {
        exclusive: true,
        ..DOMAIN
    };
    let first = Database::open(&location, &domain).await.unwrap();
    first.execute("insert", insert("a", None, 1)).await.unwrap();
    assert_eq!(ids(&first).await, ["a"]);
    Database::open(&location, &domain).await.unwrap_err();
    first.check().await.unwrap();
    first.close().await;
    let second = Database::open(&location, &domain).await.unwrap();
    assert_eq!(ids(&second).await, ["a"]);
}

storage::on_both_engines! {
    values_come_back_as_they_went_in
    expressions_have_one_type_on_both
    a_transaction_is_whole_or_nothing
    writers_wait_for_each_other
    a_transaction_cut_off_anywhere_leaves_the_next_one_alone
    rules_of_the_tables_hold
    tables_are_made_once_and_grow_by_further_steps
    an_exclusive_database_is_open_once
}
