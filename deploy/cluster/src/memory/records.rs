//! Records in a map under one lock, with watchers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::faults::{Faults, Met, Operation};
use crate::feed::{Found, Inbox, lock};
use crate::name::{check_body, check_key, check_prefix, is_below};
use crate::{Change, Counters, Directory, Error, Feed, Read, Revision, Versioned};

/// Changes that wait for one watcher; beyond them it is told everything anew.
const ROOM: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<String, Record>,
    last: u64,
    watchers: Vec<(String, std::sync::Weak<Inbox<Change>>)>,
}

#[derive(Debug)]
struct Record {
    now: Option<Versioned>,
    /// What a stale read gives; kept only where there is a plan of faults.
    before: Option<Versioned>,
}

impl State {
    fn current(&self, key: &str) -> Option<&Versioned> {
        self.records.get(key)?.now.as_ref()
    }

    /// Writes, or removes, whatever is there.
    fn write(&mut self, key: &str, value: Option<Vec<u8>>, keeps_old: bool) -> Revision {
        self.last += 1;
        let revision = Revision(self.last);
        let now = value.clone().map(|value| Versioned { value, revision });
        let is_gone = now.is_none();
        let record = self.records.remove(key);
        let before = record.and_then(|record| record.now).filter(|_| keeps_old);
        if !is_gone || keeps_old {
            self.records.insert(key.to_owned(), Record { now, before });
        }
        let key = key.to_owned();
        let change = match value {
            Some(value) => Change::Set {
                key: key.clone(),
                value,
                revision,
            },
            None => Change::Gone {
                key: key.clone(),
                revision,
            },
        };
        self.watchers.retain(|(prefix, inbox)| {
            let Some(inbox) = inbox.upgrade() else {
                return false;
            };
            if is_below(&key, prefix) {
                inbox.put(change.clone());
            }
            true
        });
        revision
    }

    fn snapshot(&self, prefix: &str) -> VecDeque<Change> {
        let below = self.records.iter().filter(|(key, _)| is_below(key, prefix));
        let mut found: Vec<(Revision, Change)> = below
            .filter_map(|(key, record)| {
                let now = record.now.as_ref()?;
                let change = Change::Set {
                    key: key.clone(),
                    value: now.value.clone(),
                    revision: now.revision,
                };
                Some((now.revision, change))
            })
            .collect();
        found.sort_by_key(|(revision, _)| *revision);
        let mut changes: VecDeque<Change> = found.into_iter().map(|(_, change)| change).collect();
        changes.push_back(Change::Synced);
        changes
    }
}

#[derive(Debug)]
pub(super) struct Records {
    shared: Arc<Shared>,
    faults: Faults,
    counters: Arc<Counters>,
}

impl Records {
    pub(super) fn new(shared: Arc<Shared>, faults: Faults, counters: Arc<Counters>) -> Self {
        Self {
            shared,
            faults,
            counters,
        }
    }

    /// Writes if the record is at `at` (`None`: if there is none).
    async fn write(
        &self,
        operation: Operation,
        key: &str,
        at: Option<Revision>,
        value: Option<Vec<u8>>,
    ) -> Result<Revision, Error> {
        check_key(key)?;
        check_body(value.as_deref().unwrap_or_default())?;
        let met = self.faults.meet(operation).await;
        if let Met::Instead(fate) = met {
            return Err(fate.error());
        }
        let mut state = lock(&self.shared.0);
        let current = state.current(key).map(|current| current.revision);
        if current != at {
            return Err(Error::Conflict { current });
        }
        let revision = state.write(key, value, self.faults.is_used());
        drop(state);
        if met == Met::After {
            return Err(Error::Unknown);
        }
        Ok(revision)
    }
}

#[async_trait]
impl Directory for Records {
    async fn get(&self, key: &str, read: Read) -> Result<Option<Versioned>, Error> {
        check_key(key)?;
        let met = self.faults.meet(Operation::Get).await;
        if matches!(met, Met::Instead(_) | Met::After) {
            return self.counters.ended(Err(Error::Unavailable));
        }
        let state = lock(&self.shared.0);
        let Some(record) = state.records.get(key) else {
            return Ok(None);
        };
        if met == Met::Stale && read == Read::Recent {
            return Ok(record.before.clone());
        }
        Ok(record.now.clone())
    }

    async fn create(&self, key: &str, value: Vec<u8>) -> Result<Revision, Error> {
        let made = self.write(Operation::Create, key, None, Some(value)).await;
        self.counters.ended(made)
    }

    async fn swap(&self, key: &str, at: Revision, value: Vec<u8>) -> Result<Revision, Error> {
        let made = self
            .write(Operation::Swap, key, Some(at), Some(value))
            .await;
        self.counters.ended(made)
    }

    async fn remove(&self, key: &str, at: Revision) -> Result<(), Error> {
        let made = self.write(Operation::Remove, key, Some(at), None).await;
        self.counters.ended(made.map(drop))
    }

    async fn watch(&self, prefix: &str) -> Result<Box<dyn Feed<Change>>, Error> {
        check_prefix(prefix)?;
        let inbox = Inbox::new(ROOM);
        let mut state = lock(&self.shared.0);
        let known = (prefix.to_owned(), Arc::downgrade(&inbox));
        state.watchers.push(known);
        let told = state.snapshot(prefix);
        drop(state);
        Ok(Box::new(Watch {
            shared: Arc::clone(&self.shared),
            prefix: prefix.to_owned(),
            inbox,
            told,
        }))
    }
}

struct Watch {
    shared: Arc<Shared>,
    prefix: String,
    inbox: Arc<Inbox<Change>>,
    /// What is told before what waits in the box.
    told: VecDeque<Change>,
}

#[async_trait]
impl Feed<Change> for Watch {
    async fn next(&mut self) -> Option<Change> {
        if let Some(change) = self.told.pop_front() {
            return Some(change);
        }
        match self.inbox.take().await {
            Found::One(change) => Some(change),
            Found::Lost(_) => {
                let state = lock(&self.shared.0);
                self.inbox.clear();
                self.told = state.snapshot(&self.prefix);
                Some(Change::Resync)
            }
        }
    }
}
