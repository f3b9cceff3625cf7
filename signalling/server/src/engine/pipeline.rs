//! What a call's turns lead to, in order, behind the records they are about.
//!
//! In: records and effects of each turn. Out: effects that may be carried out now.
//! Records of one turn are one batch; its effects, and those of later turns, wait until the batch is
//! settled, and the machine goes on meanwhile. What only means something while the process lives
//! (mute, hand, screen) is written within `SOON`, the newest of an id only, and nothing waits for
//! it: a kill takes at most that much of it.
//! Invariants: effects leave in the order in which they came in; a batch goes to the writer after
//! those before it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use signalling_core::Record;
use tokio::sync::{mpsc, oneshot};

use super::writer::{About, Batch, about};

/// How long a record that nothing waits for may stay in memory.
const SOON: Duration = Duration::from_millis(250);
/// Turns whose batches are not settled; with more, a call takes nothing new until the disk answers.
const MOST_UNSETTLED: usize = 64;

/// Records and effects on their way.
#[derive(Debug)]
pub(super) struct Pipeline<E> {
    stages: VecDeque<Stage<E>>,
    /// Batches for which the writer's queue had no room.
    unsent: VecDeque<Batch>,
    writer: mpsc::Sender<Batch>,
    soon: BTreeMap<About, Record>,
    soon_due: Option<Instant>,
}

/// The records of one turn, in order.
#[derive(Debug, Default)]
pub(super) struct TurnRecords {
    pub(super) records: Vec<Record>,
    /// One of them must be kept before the turn's effects. The others then go with it.
    pub(super) is_awaited: bool,
}

#[derive(Debug)]
enum Stage<E> {
    Batch(oneshot::Receiver<()>),
    Effects(Vec<E>),
}

impl<E> Pipeline<E> {
    pub(super) fn new(writer: mpsc::Sender<Batch>) -> Self {
        Self {
            stages: VecDeque::new(),
            unsent: VecDeque::new(),
            writer,
            soon: BTreeMap::new(),
            soon_due: None,
        }
    }

    /// Takes what a turn led to: its records, whether they must be kept before its effects, and
    /// those.
    pub(super) fn put(&mut self, turn: TurnRecords, effects: Vec<E>, now: Instant) {
        if turn.is_awaited {
            let settled = self.send(turn.records);
            self.stages.push_back(Stage::Batch(settled));
        } else {
            for record in turn.records {
                self.soon.insert(about(&record), record);
                self.soon_due.get_or_insert(now + SOON);
            }
        }
        if !effects.is_empty() {
            self.stages.push_back(Stage::Effects(effects));
        }
    }

    /// When `flush` has something to do.
    pub(super) fn soon_due(&self) -> Option<Instant> {
        self.soon_due
    }

    /// Sends what was put off.
    pub(super) fn flush(&mut self) {
        if !self.soon.is_empty() {
            // Nothing waits for it.
            drop(self.send(Vec::new()));
        }
    }

    /// The effects for which nothing is waited any more.
    pub(super) fn ready(&mut self) -> Vec<E> {
        let mut ready = Vec::new();
        while let Some(Stage::Effects(_)) = self.stages.front() {
            if let Some(Stage::Effects(effects)) = self.stages.pop_front() {
                ready.extend(effects);
            }
        }
        ready
    }

    /// Waits until more effects are ready, or the writer takes a batch; for ever when neither can
    /// come. Loses nothing when it is not waited for to the end.
    pub(super) async fn progress(&mut self) {
        let Self {
            stages,
            unsent,
            writer,
            ..
        } = self;
        let front = async {
            match stages.front_mut() {
                // A writer that died settles its batches by dropping them.
                Some(Stage::Batch(settled)) => drop(settled.await),
                Some(Stage::Effects(_)) => {}
                None => std::future::pending().await,
            }
        };
        let room = async {
            if unsent.is_empty() {
                std::future::pending().await
            } else {
                writer.reserve().await
            }
        };
        tokio::select! {
            () = front => {
                stages.pop_front_if(|stage| matches!(stage, Stage::Batch(_)));
            }
            permit = room => match permit {
                Ok(permit) => {
                    if let Some(batch) = unsent.pop_front() {
                        permit.send(batch);
                    }
                }
                // Nothing will be kept any more: the server stops.
                Err(_) => unsent.clear(),
            }
        }
    }

    /// Whether another turn may be taken.
    pub(super) fn has_room(&self) -> bool {
        self.stages.len() < MOST_UNSETTLED * 2
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.unsent.is_empty() && self.soon.is_empty()
    }

    fn send(&mut self, records: Vec<Record>) -> oneshot::Receiver<()> {
        for record in &records {
            self.soon.remove(&about(record));
        }
        self.soon_due = None;
        let put_off = std::mem::take(&mut self.soon).into_values();
        let records: Vec<Record> = put_off.chain(records).collect();
        let (sender, settled) = oneshot::channel();
        let batch = Batch {
            records,
            settled: sender,
        };
        if self.unsent.is_empty() {
            if let Err(mpsc::error::TrySendError::Full(batch)) = self.writer.try_send(batch) {
                self.unsent.push_back(batch);
            }
        } else {
            self.unsent.push_back(batch);
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use proto::id::SessionId;

    use super::*;

    fn gone(session: &str) -> Record {
        Record::SessionGone(SessionId::parse(session).unwrap())
    }

    fn turn(sessions: &[&str], is_awaited: bool) -> TurnRecords {
        let records = sessions.iter().map(|session| gone(session)).collect();
        TurnRecords {
            records,
            is_awaited,
        }
    }

    fn records(batch: &Batch) -> Vec<Record> {
        batch.records.clone()
    }

    #[tokio::test]
    async fn effects_wait_for_their_records_and_for_those_before_them() {
        let (writer, mut batches) = mpsc::channel(8);
        let (mut pipeline, now) = (Pipeline::new(writer), Instant::now());
        pipeline.put(turn(&[], false), vec!["at once"], now);
        assert_eq!(pipeline.ready(), ["at once"]);

        pipeline.put(turn(&["a"], true), vec!["joined"], now);
        pipeline.put(turn(&["a"], false), vec!["muted"], now);
        pipeline.put(turn(&["b"], true), vec!["left"], now);
        assert_eq!(pipeline.ready(), Vec::<&str>::new());

        let (first, second) = (batches.recv().await.unwrap(), batches.recv().await.unwrap());
        // The later of two batches is settled first, and the order stays.
        second.settled.send(()).unwrap();
        assert_eq!(pipeline.ready(), Vec::<&str>::new());
        first.settled.send(()).unwrap();
        pipeline.progress().await;
        assert_eq!(pipeline.ready(), ["joined", "muted"]);
        pipeline.progress().await;
        assert_eq!(pipeline.ready(), ["left"]);
    }

    #[tokio::test]
    async fn what_nothing_waits_for_is_kept_once_with_the_next_batch_or_by_itself() {
        let (writer, mut batches) = mpsc::channel(8);
        let (mut pipeline, now) = (Pipeline::new(writer), Instant::now());
        for _ in 0..3 {
            pipeline.put(turn(&["a"], false), vec![()], now);
        }
        assert_eq!(pipeline.ready().len(), 3);
        assert_eq!(pipeline.soon_due(), Some(now + SOON));
        pipeline.put(turn(&["b"], true), Vec::new(), now);
        let batch = batches.recv().await.unwrap();
        assert_eq!(records(&batch), [gone("a"), gone("b")]);
        assert_eq!(pipeline.soon_due(), None);

        pipeline.put(turn(&["c"], false), Vec::new(), now);
        pipeline.flush();
        assert_eq!(records(&batches.recv().await.unwrap()), [gone("c")]);
    }

    #[tokio::test]
    async fn a_writer_that_is_busy_or_dead_holds_back_and_loses_nothing() {
        let (writer, mut batches) = mpsc::channel(1);
        let (mut pipeline, now) = (Pipeline::new(writer), Instant::now());
        for name in ["a", "b", "c"] {
            pipeline.put(turn(&[name], true), vec![name], now);
        }
        let first = batches.recv().await.unwrap();
        pipeline.progress().await;
        assert_eq!(pipeline.ready(), Vec::<&str>::new());
        first.settled.send(()).unwrap();
        pipeline.progress().await;
        assert_eq!(pipeline.ready(), ["a"]);

        drop(batches);
        while !pipeline.is_empty() {
            pipeline.progress().await;
            pipeline.ready();
        }
    }
}
