//! One watch of a registry: turns the machine of `life` with beats, time and facts.
//!
//! It has no task: whoever waits for the next event turns it. A reader that comes late finds its clocks
//! late too, and the machine blind before it judges.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use proto::cluster::{Beat, Facts, decode};
use tokio::time::{Instant, sleep_until};

use super::{Heard, Pulse};
use crate::counters::Figure;
use crate::life::{Life, Times};
use crate::{Counters, Feed, NodeEvent, NodeId};

type Found = (NodeId, Option<(Facts, Vec<u8>)>);
type Reading = Pin<Box<dyn Future<Output = Found> + Send>>;

pub(super) struct Watching {
    life: Life,
    heard: Box<dyn Feed<Heard>>,
    pulse: Arc<dyn Pulse>,
    counters: Arc<Counters>,
    /// This node and its process.
    own: (NodeId, String),
    has_joined: Arc<AtomicBool>,
    times: Times,
    readings: FuturesUnordered<Reading>,
    read: BTreeSet<NodeId>,
    /// When a node that only listens beats for itself.
    echo_at: Instant,
}

impl Watching {
    pub(super) fn new(
        heard: Box<dyn Feed<Heard>>,
        pulse: Arc<dyn Pulse>,
        counters: Arc<Counters>,
        own: (NodeId, String),
        has_joined: Arc<AtomicBool>,
        times: Times,
    ) -> Self {
        let now = Instant::now();
        Self {
            life: Life::new(own.0.clone(), own.1.clone(), times, now.into_std()),
            heard,
            pulse,
            counters,
            own,
            has_joined,
            times,
            readings: FuturesUnordered::new(),
            read: BTreeSet::new(),
            echo_at: now,
        }
    }

    /// A node that has not joined must hear itself too, or it would not know that it hears.
    fn echo(&mut self, now: Instant) {
        if now < self.echo_at {
            return;
        }
        self.echo_at = now + self.times.beat;
        if !self.has_joined.load(Ordering::SeqCst) {
            let beat = Beat {
                node: self.own.0.as_str().to_owned(),
                incarnation: 0,
                edition: 0,
                voice: self.own.1.clone(),
                load: 0,
                leaves: false,
            };
            // Lost, it is not heard: which is what it is for.
            let _sent = self.pulse.send(&beat);
        }
    }

    fn begin_readings(&mut self) {
        while let Some(id) = self.life.poll_wanted() {
            if !self.read.insert(id.clone()) {
                continue;
            }
            let pulse = Arc::clone(&self.pulse);
            self.readings.push(Box::pin(async move {
                let found = match pulse.facts(&id).await {
                    Ok(found) => found,
                    Err(error) => {
                        tracing::debug!(%error, node = %id, "what a node says about itself was not read");
                        None
                    }
                };
                let letter = found.as_deref().and_then(|letter| decode::<Facts>(letter).ok());
                (id, letter.map(|(head, body)| (head, body.to_vec())))
            }));
        }
    }
}

#[async_trait]
impl Feed<NodeEvent> for Watching {
    async fn next(&mut self) -> Option<NodeEvent> {
        loop {
            if let Some(event) = self.life.poll_event() {
                if event == NodeEvent::Blind {
                    self.counters.add(Figure::Blind, 1);
                }
                return Some(event);
            }
            self.begin_readings();
            let now = Instant::now();
            self.echo(now);
            let due = self.life.poll_timeout().map(Instant::from_std);
            let wake = due.map_or(self.echo_at, |due| due.min(self.echo_at));
            tokio::select! {
                biased;
                heard = self.heard.next() => {
                    let now = Instant::now().into_std();
                    match heard? {
                        Heard::Beat(beat) => self.life.handle_beat(&beat, now),
                        Heard::Cut => self.life.handle_cut(now),
                        Heard::Linked => self.life.handle_linked(now),
                    }
                }
                Some((id, found)) = self.readings.next(), if !self.readings.is_empty() => {
                    self.read.remove(&id);
                    self.life.handle_facts(&id, found, Instant::now().into_std());
                }
                () = sleep_until(wake) => {
                    self.life.handle_timeout(Instant::now().into_std());
                }
            }
        }
    }
}
