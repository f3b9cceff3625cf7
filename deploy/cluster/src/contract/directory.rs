//! Records: one wins, nobody goes back, watchers see all of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Stage, next, nothing};
use crate::{Change, Directory, Engine, Error, Read, Revision};

const WRITERS: usize = 12;
/// Many times what a server is away for.
const PATIENCE: Duration = Duration::from_secs(60);

fn conflicts<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Conflict { .. }))
}

async fn three(stage: &dyn Stage) -> [Engine; 3] {
    [
        stage.engine("n1").await,
        stage.engine("n2").await,
        stage.engine("n3").await,
    ]
}

async fn value(directory: &dyn Directory, key: &str) -> Option<Vec<u8>> {
    let found = directory.get(key, Read::Latest).await.unwrap();
    found.map(|found| found.value)
}

pub async fn a_record_is_created_once_and_changed_from_where_it_is(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let records = &*engine.directory;
    assert_eq!(records.get("call.a", Read::Recent).await, Ok(None));
    let first = records.create("call.a", b"1".to_vec()).await.unwrap();
    assert!(conflicts(&records.create("call.a", b"x".to_vec()).await));
    let second = records.swap("call.a", first, b"2".to_vec()).await.unwrap();
    assert!(second > first);
    assert!(conflicts(
        &records.swap("call.a", first, b"x".to_vec()).await
    ));
    assert!(conflicts(&records.remove("call.a", first).await));
    let found = records.get("call.a", Read::Latest).await.unwrap().unwrap();
    assert_eq!((found.value, found.revision), (b"2".to_vec(), second));
    records.remove("call.a", second).await.unwrap();
    assert_eq!(value(records, "call.a").await, None);
    assert!(conflicts(
        &records.swap("call.a", second, b"x".to_vec()).await
    ));
    let third = records.create("call.a", b"3".to_vec()).await.unwrap();
    assert!(third > second, "revisions never go back");
    assert_eq!(value(records, "call.a").await, Some(b"3".to_vec()));
}

pub async fn what_is_not_there_is_neither_changed_nor_removed(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let records = &*engine.directory;
    assert!(conflicts(&records.swap("a", Revision(7), Vec::new()).await));
    assert!(conflicts(&records.remove("a", Revision(7)).await));
    assert_eq!(value(records, "a").await, None);
}

/// `WRITERS` at once, spread over three nodes; how many succeed.
async fn race<F>(engines: &[Engine; 3], write: impl Fn(Arc<dyn Directory>, usize) -> F) -> usize
where
    F: Future<Output = Result<Revision, Error>> + Send + 'static,
{
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| tokio::spawn(write(Arc::clone(&engines[n % 3].directory), n)))
        .collect();
    let mut winners = 0;
    for writer in writers {
        let written = writer.await.unwrap();
        assert!(written.is_ok() || conflicts(&written), "{written:?}");
        winners += usize::from(written.is_ok());
    }
    winners
}

pub async fn of_many_who_write_from_one_revision_one_wins(stage: &dyn Stage) {
    let engines = three(stage).await;
    let mut at = engines[0]
        .directory
        .create("race", Vec::new())
        .await
        .unwrap();
    for round in 0..50 {
        let winners = race(&engines, move |records, n| async move {
            records
                .swap("race", at, vec![u8::try_from(n).unwrap()])
                .await
        });
        assert_eq!(winners.await, 1, "round {round}");
        let found = engines[0].directory.get("race", Read::Latest).await;
        at = found.unwrap().unwrap().revision;
    }
}

pub async fn of_many_who_create_over_what_was_removed_one_wins(stage: &dyn Stage) {
    let engines = three(stage).await;
    for round in 0..30 {
        let winners = race(&engines, |records, n| async move {
            records.create("race", vec![u8::try_from(n).unwrap()]).await
        });
        assert_eq!(winners.await, 1, "round {round}");
        let records = &*engines[0].directory;
        let found = records.get("race", Read::Latest).await.unwrap().unwrap();
        records.remove("race", found.revision).await.unwrap();
    }
}

/// Whether it was written: nobody was quicker, and the engine was there. What is recent is good enough to
/// read, even where it is not there yet: a swap from it does no harm.
async fn increment(records: &dyn Directory, key: &str) -> bool {
    let found = match records.get(key, Read::Recent).await {
        Ok(Some(found)) => found,
        Ok(None) | Err(Error::Unavailable) => return false,
        Err(error) => panic!("{error:?}"),
    };
    let count: u64 = String::from_utf8(found.value).unwrap().parse().unwrap();
    let more = (count + 1).to_string().into_bytes();
    match records.swap(key, found.revision, more).await {
        Ok(_) => true,
        Err(Error::Conflict { .. } | Error::Unavailable) => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// Increments until one is acknowledged. Whatever did not happen may be tried again, but not for ever.
async fn increment_once(records: &dyn Directory, key: &str) {
    let end = Instant::now() + PATIENCE;
    while !increment(records, key).await {
        assert!(Instant::now() < end, "no increment within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub async fn every_acknowledged_increment_counts(stage: &dyn Stage) {
    let engines = three(stage).await;
    engines[0]
        .directory
        .create("count", b"0".to_vec())
        .await
        .unwrap();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| {
            let records = Arc::clone(&engines[n % 3].directory);
            let acknowledged = Arc::clone(&acknowledged);
            tokio::spawn(async move {
                for _ in 0..10 {
                    increment_once(&*records, "count").await;
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let counted = value(&*engines[1].directory, "count").await.unwrap();
    let acknowledged = acknowledged.load(Ordering::SeqCst);
    assert_eq!(
        String::from_utf8(counted).unwrap(),
        acknowledged.to_string()
    );
}

pub async fn the_latest_is_what_the_last_write_made_it(stage: &dyn Stage) {
    let engines = three(stage).await;
    let mut at = engines[0].directory.create("a", Vec::new()).await.unwrap();
    for n in 0..200_u8 {
        at = engines[0].directory.swap("a", at, vec![n]).await.unwrap();
        let other = &*engines[usize::from(n) % 3].directory;
        assert_eq!(value(other, "a").await, Some(vec![n]));
    }
}

pub async fn a_watch_tells_what_is_there_and_then_what_changes(stage: &dyn Stage) {
    let engines = three(stage).await;
    let records = &*engines[0].directory;
    let first = records.create("call.a", b"1".to_vec()).await.unwrap();
    records.create("call.b.c", b"2".to_vec()).await.unwrap();
    records.create("other.a", b"3".to_vec()).await.unwrap();
    let gone = records.create("call.gone", Vec::new()).await.unwrap();
    records.remove("call.gone", gone).await.unwrap();
    let mut watch = engines[1].directory.watch("call").await.unwrap();
    let mut there = BTreeMap::new();
    loop {
        match next(&mut watch).await {
            Change::Set { key, value, .. } => {
                there.insert(key, value);
            }
            // What was removed before may be told or not.
            Change::Gone { key, .. } => assert_eq!(key, "call.gone"),
            Change::Synced => break,
            Change::Resync => panic!("nothing was missed"),
        }
    }
    let wanted = [("call.a", b"1".to_vec()), ("call.b.c", b"2".to_vec())];
    let wanted = wanted.map(|(key, value)| (key.to_owned(), value));
    assert_eq!(there, BTreeMap::from(wanted));
    records.create("other.b", Vec::new()).await.unwrap();
    let revision = records.swap("call.a", first, b"9".to_vec()).await.unwrap();
    let set = Change::Set {
        key: "call.a".to_owned(),
        value: b"9".to_vec(),
        revision,
    };
    assert_eq!(next(&mut watch).await, set);
    records.remove("call.a", revision).await.unwrap();
    let gone = next(&mut watch).await;
    assert!(
        matches!(&gone, Change::Gone { key, revision: at } if key == "call.a" && *at > revision),
        "{gone:?}"
    );
    nothing(&mut watch, Duration::from_millis(200)).await;
}

pub async fn a_watch_of_nothing_is_synced_at_once(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let mut watch = engine.directory.watch("").await.unwrap();
    assert_eq!(next(&mut watch).await, Change::Synced);
    let revision = engine.directory.create("a", b"1".to_vec()).await.unwrap();
    let set = Change::Set {
        key: "a".to_owned(),
        value: b"1".to_vec(),
        revision,
    };
    assert_eq!(next(&mut watch).await, set);
}

pub async fn names_and_sizes_are_checked(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let records = &*engine.directory;
    for bad in ["", "a b", "a..b", "$x", "a.*", "a.>"] {
        let read = records.get(bad, Read::Recent).await;
        assert!(matches!(read, Err(Error::Invalid(_))), "{bad}: {read:?}");
        let made = records.create(bad, Vec::new()).await;
        assert!(matches!(made, Err(Error::Invalid(_))), "{bad}: {made:?}");
    }
    let most = vec![7; crate::name::MAX_BODY];
    records.create("most", most.clone()).await.unwrap();
    assert_eq!(value(records, "most").await, Some(most.clone()));
    let more = records.create("more", [most, vec![7]].concat()).await;
    assert!(matches!(more, Err(Error::Invalid(_))), "{more:?}");
}
