//! Two processes on one PostgreSQL server, of which one leads.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, the helpers too may fail by panic"
)]

use std::path::Path;

use storage::{Candidate, Database, Domain, Durability, Leadership, Location, Migration, SqlError};

const WORDS: Domain = Domain {
    name: "words",
    migrations: &[Migration::new(
        1,
        "words",
        "CREATE TABLE words (word TEXT PRIMARY KEY)",
    )],
    durability: Durability::PowerCut,
    exclusive: false,
};

fn candidate(node: &str) -> Candidate {
    Candidate {
        node: node.to_owned(),
        address: format!("{node}.example:1"),
        key_mark: "k".to_owned(),
    }
}

async fn server() -> Location {
    let address = storage::testing::postgres::fresh_database().await;
    let location = Location::server(&address, Path::new("")).unwrap();
    location.unwrap()
}

async fn write(words: &Database, word: &'static str) -> Result<u64, SqlError> {
    let insert = sqlx::query("INSERT INTO words (word) VALUES ($1)").bind(word);
    words.execute("write a word", insert).await
}

#[tokio::test]
async fn whoever_led_before_writes_nothing_more() {
    let server = server().await;
    let one = Leadership::open(&server).await.unwrap();
    let two = Leadership::open(&server).await.unwrap();
    let nobody = one.look().await.unwrap();
    assert_eq!((nobody.epoch, &*nobody.address), (0, ""));
    let first = one.take(&nobody, &candidate("one")).await.unwrap();
    assert_eq!(first, Some(1));
    let old = Database::open(&server.clone().in_epoch(1), &WORDS)
        .await
        .unwrap();
    assert_eq!(write(&old, "first").await.unwrap(), 1);

    // It is heard between the look and the attempt: nothing changes.
    let seen = two.look().await.unwrap();
    assert!(one.beat(1).await.unwrap());
    assert_eq!(two.take(&seen, &candidate("two")).await.unwrap(), None);
    let seen = two.look().await.unwrap();
    assert_eq!((seen.beat, &*seen.address), (1, "one.example:1"));

    // A transaction of the first is open while the second takes its place.
    let mut open = old.begin("begin").await.unwrap();
    let insert = sqlx::query("INSERT INTO words (word) VALUES ('late')");
    open.execute("write a late word", insert).await.unwrap();
    assert_eq!(two.take(&seen, &candidate("two")).await.unwrap(), Some(2));
    open.commit().await.unwrap_err();
    // Neither on its old connection nor on a new one, again and again.
    for _ in 0..3 {
        write(&old, "later").await.unwrap_err();
    }
    let refused = Database::open(&server.clone().in_epoch(1), &WORDS).await;
    let why = format!("{:?}", refused.unwrap_err());
    assert!(why.contains("epoch 1 is over"), "{why}");
    assert!(!one.beat(1).await.unwrap());
    // What it says at its end is not about the new leader.
    one.leave(1).await.unwrap();
    assert_eq!(one.look().await.unwrap().address, "two.example:1");

    let new = Database::open(&server.in_epoch(2), &WORDS).await.unwrap();
    assert_eq!(write(&new, "second").await.unwrap(), 1);
    let all: Vec<(String,)> = new
        .fetch_all(
            "read words",
            sqlx::query_as("SELECT word FROM words ORDER BY word"),
        )
        .await
        .unwrap();
    let all: Vec<&str> = all.iter().map(|(word,)| &**word).collect();
    assert_eq!(all, ["first", "second"]);
}

#[tokio::test]
async fn of_many_who_want_to_lead_one_does() {
    let server = server().await;
    let nobody = Leadership::open(&server)
        .await
        .unwrap()
        .look()
        .await
        .unwrap();
    let takes = (0..8).map(|number| {
        let (server, seen) = (&server, &nobody);
        async move {
            let row = Leadership::open(server).await.unwrap();
            let taken = row.take(seen, &candidate(&format!("n{number}"))).await;
            taken.unwrap()
        }
    });
    let taken = futures_util::future::join_all(takes).await;
    let taken: Vec<i64> = taken.into_iter().flatten().collect();
    assert_eq!(taken, [1]);
}

/// Processes that are started by one command, on a database that none has seen.
#[tokio::test]
async fn many_begin_at_once_on_an_empty_database() {
    for _ in 0..10 {
        let server = server().await;
        let begins = (0..8).map(|_| Leadership::open(&server));
        for begun in futures_util::future::join_all(begins).await {
            begun.unwrap();
        }
    }
}

#[tokio::test]
async fn whoever_goes_in_order_leaves_its_place_free() {
    let server = server().await;
    let row = Leadership::open(&server).await.unwrap();
    let nobody = row.look().await.unwrap();
    assert_eq!(row.take(&nobody, &candidate("one")).await.unwrap(), Some(1));
    row.leave(1).await.unwrap();
    let free = row.look().await.unwrap();
    assert_eq!((free.epoch, &*free.address), (1, ""));
    assert_eq!(row.take(&free, &candidate("two")).await.unwrap(), Some(2));
}
