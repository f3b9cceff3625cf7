//! The registry of any engine: beats of this node, and what a watcher makes of the others' beats.
//!
//! In: a [`Pulse`], which is all that an engine has to give. Out: [`Registry`].
//! Beats go past whatever the engine keeps: records stand still for seconds when it elects, beats do
//! not. What a node says about itself is kept, and read when a beat tells of something new.
//! Invariant: no beat is sent after [`Membership::leave`] has begun: a late one would revive the node.

mod watching;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use proto::cluster::{Beat, Facts, encode};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::feed::lock;
use crate::life::Times;
use crate::name::check_body;
use crate::{Counters, Error, Feed, Membership, Node, NodeEvent, NodeId, Registry};
use watching::Watching;

/// For how long facts are kept that nobody writes again. Only tidies up: life is told by beats. Longer
/// than watchers remember who has gone ([`Times::forget`]), so that a node which comes back finds the
/// number of its last start and takes a later one, whatever its clock says.
pub const FACTS_AGE: Duration = Duration::from_secs(600);
/// Longest wait for the last beat to leave this process.
const FAREWELL: Duration = Duration::from_secs(1);
/// Between two writes of facts that have not changed: an engine that forgot them has them again by then.
const KEEP: Duration = Duration::from_secs(10);

/// What an engine gives to a registry.
#[async_trait]
pub trait Pulse: Send + Sync + 'static {
    /// Sends a beat to whoever hears, at most once, without waiting.
    ///
    /// # Errors
    /// When it could not be sent.
    fn send(&self, beat: &Beat) -> Result<(), Error>;

    /// Waits until what was sent has left this process: its connection may end with the next step.
    async fn has_left(&self) {}

    /// Hears all beats, one's own too.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    async fn hear(&self) -> Result<Box<dyn Feed<Heard>>, Error>;

    /// Keeps what this node says about itself, for [`FACTS_AGE`].
    ///
    /// # Errors
    /// When it may not have been kept.
    async fn keep(&self, node: &NodeId, facts: Vec<u8>) -> Result<(), Error>;

    /// Reads what a node says about itself.
    ///
    /// # Errors
    /// When it could not be read.
    async fn facts(&self, node: &NodeId) -> Result<Option<Vec<u8>>, Error>;
}

/// What comes from the others, and from the connection to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Beat(Beat),
    /// The connection is gone, or beats were missed.
    Cut,
    /// It is there again.
    Linked,
}

/// The registry of one node.
pub struct Members {
    pulse: Arc<dyn Pulse>,
    counters: Arc<Counters>,
    own: NodeId,
    /// Of this process: how it knows its own beats.
    voice: String,
    has_joined: Arc<AtomicBool>,
    times: Times,
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Members")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

impl Members {
    #[must_use]
    pub fn new(pulse: Arc<dyn Pulse>, own: NodeId, counters: Arc<Counters>) -> Self {
        Self {
            pulse,
            counters,
            own,
            voice: proto::id::new_id(),
            has_joined: Arc::default(),
            times: Times::default(),
        }
    }

    /// The number of this start: later than any before, by what was kept and by the clock.
    async fn incarnation(&self) -> Result<u64, Error> {
        let kept = self.pulse.facts(&self.own).await?;
        let before = kept.and_then(|kept| {
            let (head, _) = proto::cluster::decode::<Facts>(&kept).ok()?;
            Some(head.incarnation + 1)
        });
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let by_clock = since.map_or(1, |since| u64::try_from(since.as_millis()).unwrap_or(1));
        Ok(before.unwrap_or(1).max(by_clock))
    }
}

#[async_trait]
impl Registry for Members {
    async fn join(&self, facts: Vec<u8>) -> Result<Box<dyn Membership>, Error> {
        check_body(&facts)?;
        if self.has_joined.swap(true, Ordering::SeqCst) {
            return Err(Error::Invalid("this node has joined already"));
        }
        let joined = Joined {
            has_joined: Arc::clone(&self.has_joined),
        };
        let head = Facts {
            incarnation: self.incarnation().await?,
            edition: 1,
        };
        self.pulse.keep(&self.own, encode(&head, &facts)).await?;
        let said = Arc::new(Said {
            own: self.own.clone(),
            voice: self.voice.clone(),
            now: Mutex::new(Now {
                head,
                facts,
                load: 0,
            }),
        });
        let pulse = Arc::clone(&self.pulse);
        let beats = tokio::spawn(beat(Arc::clone(&said), pulse, self.times.beat));
        Ok(Box::new(Member {
            said,
            pulse: Arc::clone(&self.pulse),
            beats,
            _joined: joined,
        }))
    }

    async fn watch(&self) -> Result<Box<dyn Feed<NodeEvent>>, Error> {
        let heard = self.pulse.hear().await?;
        Ok(Box::new(Watching::new(
            heard,
            Arc::clone(&self.pulse),
            Arc::clone(&self.counters),
            (self.own.clone(), self.voice.clone()),
            Arc::clone(&self.has_joined),
            self.times,
        )))
    }
}

/// Whoever is gone may join again.
#[derive(Debug)]
struct Joined {
    has_joined: Arc<AtomicBool>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.has_joined.store(false, Ordering::SeqCst);
    }
}

/// What this node says with every beat.
#[derive(Debug)]
struct Said {
    own: NodeId,
    voice: String,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    head: Facts,
    facts: Vec<u8>,
    load: u16,
}

impl Said {
    fn beat(&self, leaves: bool) -> Beat {
        let now = lock(&self.now);
        Beat {
            node: self.own.as_str().to_owned(),
            incarnation: now.head.incarnation,
            edition: now.head.edition,
            voice: self.voice.clone(),
            load: now.load,
            leaves,
        }
    }

    fn letter(&self) -> Vec<u8> {
        let now = lock(&self.now);
        encode(&now.head, &now.facts)
    }
}

/// Beats until it is ended, and keeps the facts from growing old.
async fn beat(said: Arc<Said>, pulse: Arc<dyn Pulse>, every: Duration) {
    let mut beats = tokio::time::interval(every);
    beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut keep_at = Instant::now() + KEEP;
    loop {
        beats.tick().await;
        // One that is lost is one of two a second.
        let _sent = pulse.send(&said.beat(false));
        if Instant::now() < keep_at {
            continue;
        }
        keep_at = Instant::now() + KEEP;
        // Beats go on while the engine takes its time.
        let mut keeping = pulse.keep(&said.own, said.letter());
        let kept = loop {
            tokio::select! {
                kept = &mut keeping => break kept,
                _ = beats.tick() => {
                    let _sent = pulse.send(&said.beat(false));
                }
            }
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "what this node says about itself was not kept; it is tried again");
        }
    }
}

struct Member {
    said: Arc<Said>,
    pulse: Arc<dyn Pulse>,
    beats: JoinHandle<()>,
    _joined: Joined,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.beats.abort();
    }
}

#[async_trait]
impl Membership for Member {
    fn node(&self) -> Node {
        let now = lock(&self.said.now);
        Node {
            id: self.said.own.clone(),
            incarnation: now.head.incarnation,
            facts: now.facts.clone(),
        }
    }

    async fn update(&self, facts: Vec<u8>) -> Result<(), Error> {
        check_body(&facts)?;
        let letter = {
            let mut now = lock(&self.said.now);
            now.head.edition += 1;
            now.facts = facts;
            encode(&now.head, &now.facts)
        };
        self.pulse.keep(&self.said.own, letter).await?;
        self.pulse.send(&self.said.beat(false))
    }

    fn set_load(&self, load: u16) {
        lock(&self.said.now).load = load.min(1000);
    }

    async fn leave(mut self: Box<Self>) {
        self.beats.abort();
        // Aborted or ended: in either case it beats no more.
        let _ended = (&mut self.beats).await;
        // Should it be lost, silence says the same, later.
        let _sent = self.pulse.send(&self.said.beat(true));
        let _gone = tokio::time::timeout(FAREWELL, self.pulse.has_left()).await;
    }
}
