//! Beats and facts between the nodes of one process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use proto::cluster::Beat;
use tokio::time::Instant;

use super::faults::{Faults, Met, Operation};
use crate::feed::{Found, Inbox, lock};
use crate::members::{FACTS_AGE, Heard, Pulse};
use crate::{Error, Feed, NodeId};

const ROOM: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Shared {
    hearers: Mutex<Vec<(NodeId, Weak<Inbox<Beat>>)>>,
    facts: Mutex<BTreeMap<NodeId, (Instant, Vec<u8>)>>,
}

#[derive(Debug)]
pub(super) struct Heart {
    shared: Arc<Shared>,
    node: NodeId,
    faults: Faults,
}

impl Heart {
    pub(super) fn new(shared: Arc<Shared>, node: NodeId, faults: Faults) -> Self {
        Self {
            shared,
            node,
            faults,
        }
    }

    async fn meets_nothing(&self) -> Result<(), Error> {
        let met = self.faults.meet(Operation::Facts).await;
        if self.faults.is_cut(&self.node) {
            return Err(Error::Unavailable);
        }
        match met {
            Met::Nothing | Met::Stale => Ok(()),
            Met::Instead(fate) => Err(fate.error()),
            Met::After => Err(Error::Unknown),
        }
    }
}

#[async_trait]
impl Pulse for Heart {
    fn send(&self, beat: &Beat) -> Result<(), Error> {
        let met = self.faults.meet_now(Operation::Beat);
        if matches!(met, Met::Instead(_)) || self.faults.is_cut(&self.node) {
            return Ok(());
        }
        lock(&self.shared.hearers).retain(|(hearer, inbox)| {
            let Some(inbox) = inbox.upgrade() else {
                return false;
            };
            if !self.faults.is_cut(hearer) {
                inbox.put(beat.clone());
            }
            true
        });
        Ok(())
    }

    async fn hear(&self) -> Result<Box<dyn Feed<Heard>>, Error> {
        let inbox = Inbox::new(ROOM);
        let known = (self.node.clone(), Arc::downgrade(&inbox));
        lock(&self.shared.hearers).push(known);
        Ok(Box::new(Hearing {
            inbox,
            is_cut: false,
        }))
    }

    async fn keep(&self, node: &NodeId, facts: Vec<u8>) -> Result<(), Error> {
        self.meets_nothing().await?;
        lock(&self.shared.facts).insert(node.clone(), (Instant::now(), facts));
        Ok(())
    }

    async fn facts(&self, node: &NodeId) -> Result<Option<Vec<u8>>, Error> {
        self.meets_nothing().await?;
        let facts = lock(&self.shared.facts);
        let found = facts.get(node).filter(|(at, _)| at.elapsed() < FACTS_AGE);
        Ok(found.map(|(_, facts)| facts.clone()))
    }
}

struct Hearing {
    inbox: Arc<Inbox<Beat>>,
    /// Beats were missed, and that it goes on has not been said.
    is_cut: bool,
}

#[async_trait]
impl Feed<Heard> for Hearing {
    async fn next(&mut self) -> Option<Heard> {
        if std::mem::take(&mut self.is_cut) {
            return Some(Heard::Linked);
        }
        match self.inbox.take().await {
            Found::One(beat) => Some(Heard::Beat(beat)),
            Found::Lost(_) => {
                self.is_cut = true;
                Some(Heard::Cut)
            }
        }
    }
}
