//! Beats past everything that is kept, facts as records.
//!
//! When the server that leads a stream dies, nothing can be written for seconds: longer than it takes to
//! call a node dead. Messages between the servers that are left pause for a tenth of a second.

use async_nats::Subscriber;
use async_trait::async_trait;
use cluster::members::{Heard, Pulse};
use cluster::{Directory as _, Error, Feed, NodeId, Read};
use futures_util::StreamExt as _;
use proto::cluster::{Beat, decode, encode};
use tokio::sync::watch;

use crate::link::State;
use crate::open::Shared;
use crate::records::Records;

#[derive(Debug)]
pub(crate) struct Heart {
    shared: Shared,
    facts: Records,
}

impl Heart {
    pub(crate) fn new(shared: Shared, facts: Records) -> Self {
        Self { shared, facts }
    }
}

#[async_trait]
impl Pulse for Heart {
    fn send(&self, beat: &Beat) -> Result<(), Error> {
        // One that waits for the connection is a sign of a life that was.
        self.shared.link.check()?;
        let subject = self.shared.names.beat(self.shared.node.as_str());
        self.shared.out.send(subject, encode(beat, b""))
    }

    async fn has_left(&self) {
        self.shared.out.has_left().await;
    }

    async fn hear(&self) -> Result<Box<dyn Feed<Heard>>, Error> {
        let mut states = self.shared.link.follow();
        let beats = self.shared.client.subscribe(self.shared.names.beat("*"));
        let beats = beats.await.map_err(|_closed| Error::Unavailable)?;
        let state = *states.borrow_and_update();
        Ok(Box::new(Hearing {
            beats,
            states,
            state,
            is_cut: false,
        }))
    }

    async fn keep(&self, node: &NodeId, facts: Vec<u8>) -> Result<(), Error> {
        let kept = self.facts.put(node.as_str(), facts).await;
        self.shared.counters.ended(kept).map(drop)
    }

    async fn facts(&self, node: &NodeId) -> Result<Option<Vec<u8>>, Error> {
        let found = self.facts.get(node.as_str(), Read::Recent).await?;
        Ok(found.map(|found| found.value))
    }
}

struct Hearing {
    beats: Subscriber,
    states: watch::Receiver<State>,
    /// As it was told last.
    state: State,
    /// `Cut` was told, and `Linked` not since.
    is_cut: bool,
}

impl Hearing {
    /// What there is to tell of the connection.
    fn told(&mut self) -> Option<Heard> {
        let now = *self.states.borrow_and_update();
        let was_lost = now.made != self.state.made || now.slow != self.state.slow;
        if !self.is_cut && (!now.is_up || was_lost) {
            self.is_cut = true;
            self.state = now;
            return Some(Heard::Cut);
        }
        self.state = now;
        if self.is_cut && now.is_up {
            self.is_cut = false;
            return Some(Heard::Linked);
        }
        None
    }
}

#[async_trait]
impl Feed<Heard> for Hearing {
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some(heard) = self.told() {
                return Some(heard);
            }
            tokio::select! {
                biased;
                changed = self.states.changed() => changed.ok()?,
                message = self.beats.next() => {
                    let message = message?;
                    match decode::<Beat>(&message.payload) {
                        Ok((beat, _)) if message.subject.ends_with(&format!(".{}", beat.node)) => {
                            return Some(Heard::Beat(beat));
                        }
                        Ok((beat, _)) => tracing::warn!(
                            node = beat.node,
                            "a beat in the name of another node was dropped"
                        ),
                        Err(error) => tracing::debug!(%error, "a beat that is none was dropped"),
                    }
                }
            }
        }
    }
}
