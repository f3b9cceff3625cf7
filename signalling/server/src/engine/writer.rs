//! Keeps records: those of many calls with one commit.
//!
//! In: batches, each the records of one turn. Out: each owner is told when its batch is kept.
//! Invariants: batches are kept in the order in which they came; a batch is kept whole or not at
//! all; a batch that cannot be kept harms no other and ends no call: it is counted and logged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::id::{CallId, JobId, SessionId};
use signalling_core::Record;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::metrics::Metrics;
use crate::store::Store;

/// Batches that wait for the disk; owners keep further ones to themselves.
pub(crate) const QUEUE: usize = 1024;
/// Batches kept with one commit. More: a longer wait for the first of them.
const MOST_PER_COMMIT: usize = 256;
/// How long a commit may take. Then its calls go on as if it had failed.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);

/// The records of one turn.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// Told, or dropped, when nothing more will happen to the records.
    pub(crate) settled: oneshot::Sender<()>,
}

/// Where records are kept.
#[async_trait::async_trait]
pub(crate) trait Keeper: Send + Sync {
    /// Keeps all of them or none.
    async fn keep_all(&self, records: &[Record]) -> anyhow::Result<()>;
}

#[async_trait::async_trait]
impl Keeper for Store {
    async fn keep_all(&self, records: &[Record]) -> anyhow::Result<()> {
        Ok(Self::keep_all(self, records).await?)
    }
}

/// Runs until all owners are gone.
pub(crate) async fn run(
    keeper: Arc<dyn Keeper>,
    batches: Arc<Mutex<mpsc::Receiver<Batch>>>,
    metrics: Arc<Metrics>,
) {
    let mut queue = batches.lock().await;
    let mut group = Vec::with_capacity(MOST_PER_COMMIT);
    while queue.recv_many(&mut group, MOST_PER_COMMIT).await > 0 {
        keep_group(&*keeper, &group, &metrics).await;
        for batch in group.drain(..) {
            // An owner that ended does not wait any more.
            let _ = batch.settled.send(());
        }
    }
}

async fn keep_group(keeper: &dyn Keeper, group: &[Batch], metrics: &Metrics) {
    metrics.commits.inc();
    let all: Vec<Record> = group.iter().flat_map(|b| b.records.clone()).collect();
    let all = newest(all);
    let Err(failure) = keep(keeper, &all).await else {
        return;
    };
    let [only] = group else {
        // One of them may be the cause; the others shall not suffer.
        for batch in group {
            if let Err(failure) = keep(keeper, &batch.records).await {
                report(batch, &failure, metrics);
            }
        }
        return;
    };
    report(only, &failure, metrics);
}

async fn keep(keeper: &dyn Keeper, records: &[Record]) -> Result<(), Failure> {
    match tokio::time::timeout(COMMIT_LIMIT, keeper.keep_all(records)).await {
        Ok(kept) => kept.map_err(Failure::Store),
        Err(_) => Err(Failure::TooSlow),
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("keep records")]
    Store(#[source] anyhow::Error),
    #[error("keep records: no answer of the database in 10 s")]
    TooSlow,
}

/// People go on talking, and the operator is told that a restart would forget.
fn report(batch: &Batch, failure: &Failure, metrics: &Metrics) {
    for record in &batch.records {
        let kind = match record {
            Record::Call(_) => "call",
            Record::Session(_) | Record::SessionGone(_) => "session",
            Record::Job(_) => "job",
        };
        metrics.store_failures.with_label_values(&[kind]).inc();
    }
    tracing::error!(
        error = failure as &dyn std::error::Error,
        records = batch.records.len(),
        "records not kept"
    );
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    Call(CallId),
    Session(SessionId),
    Job(JobId),
}

pub(crate) fn about(record: &Record) -> About {
    match record {
        Record::Call(call) => About::Call(call.id.clone()),
        Record::Session(session) => About::Session(session.id.clone()),
        Record::SessionGone(session) => About::Session(session.clone()),
        Record::Job(job) => About::Job(job.id.clone()),
    }
}

/// Leaves out what a later record replaces; the order stays.
fn newest(records: Vec<Record>) -> Vec<Record> {
    let mut last = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        last.insert(about(record), at);
    }
    let numbered = records.into_iter().enumerate();
    let newest = numbered.filter(|(at, record)| last.get(&about(record)) == Some(at));
    newest.map(|(_, record)| record).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use super::*;

    /// Keeps in memory; refuses whatever is about the session `bad`.
    #[derive(Default)]
    struct Shelf(StdMutex<Vec<Vec<Record>>>);

    #[async_trait::async_trait]
    impl Keeper for Shelf {
        async fn keep_all(&self, records: &[Record]) -> anyhow::Result<()> {
            anyhow::ensure!(!records.contains(&gone("bad")), "made by a test");
            self.0.lock().unwrap().push(records.to_vec());
            Ok(())
        }
    }

    fn gone(session: &str) -> Record {
        Record::SessionGone(SessionId::parse(session).unwrap())
    }

    #[tokio::test]
    async fn batches_that_came_together_are_one_commit_and_a_bad_one_harms_no_other() {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut settled = Vec::new();
        let mut send = |records: Vec<Record>| {
            let (done, waits) = oneshot::channel();
            let batch = Batch {
                records,
                settled: done,
            };
            sender.try_send(batch).unwrap();
            settled.push(waits);
        };
        send(vec![gone("a"), gone("b")]);
        send(vec![gone("a")]);
        let shelf = Arc::new(Shelf::default());
        let metrics = Arc::new(Metrics::new());
        let receiver = Arc::new(Mutex::new(receiver));
        let running = tokio::spawn(run(shelf.clone(), receiver.clone(), metrics.clone()));
        for waits in settled.drain(..) {
            waits.await.unwrap();
        }
        assert_eq!(*shelf.0.lock().unwrap(), [[gone("b"), gone("a")]]);

        let mut send = |records: Vec<Record>| {
            let (done, waits) = oneshot::channel();
            let batch = Batch {
                records,
                settled: done,
            };
            sender.try_send(batch).unwrap();
            settled.push(waits);
        };
        send(vec![gone("c")]);
        send(vec![gone("bad"), gone("d")]);
        send(vec![gone("e")]);
        for waits in settled {
            waits.await.unwrap();
        }
        let kept = shelf.0.lock().unwrap().clone();
        assert!(kept.iter().flatten().any(|record| *record == gone("e")));
        assert!(!kept.iter().flatten().any(|record| *record == gone("d")));
        let failures = metrics.store_failures.with_label_values(&["session"]).get();
        assert_eq!(failures, 2);
        drop(sender);
        running.await.unwrap();
    }
}
