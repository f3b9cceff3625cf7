//! The life of this node among the others: it joins whenever the servers between them let it, says what
//! changes, and goes in order.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Counters, Down, Engine, Feed, Membership, NodeEvent, NodeId};
use cluster_nats::PapersError;
use service::{Restarts, Tasks};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::{Facts, Others, Sight};

/// Before it is tried again to join: doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often the load is asked for; beats carry it.
const LOAD: Duration = Duration::from_secs(1);
/// Longest wait for the word that this node goes: without it the others take three seconds to see it.
const FAREWELL: Duration = Duration::from_secs(1);

/// How loaded this node is, in thousandths of what it can take.
type Load = Arc<dyn Fn() -> u16 + Send + Sync>;

/// This node among the others. Clones are the same place.
#[derive(Clone)]
pub struct Place {
    node: NodeId,
    site: String,
    others: watch::Receiver<Arc<Others>>,
    facts: Arc<watch::Sender<Facts>>,
    counters: watch::Receiver<Option<Arc<Counters>>>,
    stage: Arc<watch::Sender<Stage>>,
}

/// How far this node is with going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Stays,
    Goes,
    HasGone,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// What the task of a place works with.
#[derive(Clone)]
struct Work {
    load: Load,
    others: watch::Sender<Arc<Others>>,
    facts: watch::Receiver<Facts>,
    counters: watch::Sender<Option<Arc<Counters>>>,
    stage: Arc<watch::Sender<Stage>>,
}

/// Says why a node could not take its place with the papers in this folder, in words.
///
/// # Errors
/// When one is missing, or does not say what it must.
pub fn check_papers(papers: &Path) -> Result<(), String> {
    let read = cluster_nats::Config::of_papers(papers);
    read.map(drop).map_err(|error| error.to_string())
}

impl Place {
    /// Begins to take its place, with the papers in this folder; joins when it can, for as long as the
    /// process lives.
    ///
    /// # Errors
    /// When the papers cannot be read. Servers that cannot be reached are no error.
    pub fn take(
        papers: &Path,
        facts: Facts,
        load: impl Fn() -> u16 + Send + Sync + 'static,
        tasks: &Tasks,
    ) -> Result<Self, PapersError> {
        let config = cluster_nats::Config::of_papers(papers)?;
        let (node, site) = (config.node.clone(), config.site.clone());
        let open = move || {
            let config = config.clone();
            async move {
                let engine = cluster_nats::open(&config).await;
                engine.map_err(|error| error.to_string())
            }
        };
        Ok(Self::with(node, site, facts, Arc::new(load), tasks, open))
    }

    /// As [`Self::take`], on any engine.
    pub(crate) fn with<F>(
        node: NodeId,
        site: String,
        facts: Facts,
        load: Load,
        tasks: &Tasks,
        open: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Engine, String>> + Send + 'static,
    {
        let (others, seen) = watch::channel(Arc::new(Others::nobody("it has only started")));
        let (facts, said) = watch::channel(facts);
        let (counters, counted) = watch::channel(None);
        let stage = Arc::new(watch::Sender::new(Stage::Stays));
        let work = Work {
            load,
            others,
            facts: said,
            counters,
            stage: Arc::clone(&stage),
        };
        let live = move || live(work.clone(), open.clone());
        tasks.until_done("place among the nodes", live, Restarts::default());
        Self {
            node,
            site,
            others: seen,
            facts: Arc::new(facts),
            counters: counted,
            stage,
        }
    }

    /// Who this is.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// The name of the cluster.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }

    /// Who is there now.
    #[must_use]
    pub fn others(&self) -> Arc<Others> {
        Arc::clone(&self.others.borrow())
    }

    /// To wait for changes with.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Arc<Others>> {
        self.others.clone()
    }

    /// Says something else about this node.
    pub fn change(&self, change: impl FnOnce(&mut Facts)) {
        self.facts.send_if_modified(|facts| {
            let before = facts.clone();
            change(facts);
            *facts != before
        });
    }

    /// What the engine between the nodes counted since it was reached, by name; empty before.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let counters = self.counters.borrow();
        counters.as_ref().map(|all| all.all()).unwrap_or_default()
    }

    /// Goes in order: the others know at once. Returns after a second at the latest.
    pub async fn leave(&self) {
        let mut stage = self.stage.subscribe();
        let goes = self.stage.send_if_modified(|stage| {
            let stays = *stage == Stage::Stays;
            *stage = if stays { Stage::Goes } else { *stage };
            stays
        });
        let gone = stage.wait_for(|stage| *stage == Stage::HasGone);
        if goes && tokio::time::timeout(FAREWELL, gone).await.is_err() {
            tracing::debug!("the others learn by silence that this node has gone");
        }
    }
}

/// What it is to be among the others.
struct Joined {
    membership: Box<dyn Membership>,
    news: Box<dyn Feed<NodeEvent>>,
    /// Its end ends the connection.
    _engine: Engine,
}

/// Joins, stays, and goes when it is asked to.
async fn live<F>(mut work: Work, open: impl Fn() -> F)
where
    F: Future<Output = Result<Engine, String>> + Send,
{
    let mut stage = work.stage.subscribe();
    let mut goes = std::pin::pin!(async move {
        // Its sender is in `work`.
        let _asked = stage.wait_for(|stage| *stage != Stage::Stays).await;
    });
    loop {
        let joined = tokio::select! {
            joined = join_at_last(&mut work, &open) => joined,
            () = &mut goes => break,
        };
        let is_over = tokio::select! {
            () = stay(&mut work, joined.news, &*joined.membership) => false,
            () = &mut goes => true,
        };
        if is_over {
            joined.membership.leave().await;
            break;
        }
    }
    work.stage.send_replace(Stage::HasGone);
}

/// Joins as soon as that is possible.
async fn join_at_last<F>(work: &mut Work, open: impl Fn() -> F) -> Joined
where
    F: Future<Output = Result<Engine, String>> + Send,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let why = match join(work, &open).await {
            Ok(joined) => {
                tracing::info!(node = %joined.membership.node().id, "among the other nodes");
                return joined;
            }
            Err(why) => why,
        };
        if pause == FIRST_PAUSE {
            tracing::warn!(%why, "not among the other nodes; what this one has goes on, and it tries again");
        }
        work.others
            .send_modify(|others| Arc::make_mut(others).sight = Sight::Joining(why));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn join<F>(work: &mut Work, open: impl Fn() -> F) -> Result<Joined, String>
where
    F: Future<Output = Result<Engine, String>> + Send,
{
    let engine = open().await?;
    work.counters
        .send_replace(Some(Arc::clone(&engine.counters)));
    let facts = work.facts.borrow_and_update().encode();
    let membership = engine.registry.join(facts).await;
    let membership = membership.map_err(|error| error.to_string())?;
    membership.set_load((work.load)());
    let news = engine.registry.watch().await;
    let news = news.map_err(|error| error.to_string())?;
    work.others
        .send_modify(|others| Arc::make_mut(others).begin());
    Ok(Joined {
        membership,
        news,
        _engine: engine,
    })
}

/// Tells the others what changes here and hears what changes there, until there is no more to hear.
async fn stay(work: &mut Work, mut news: Box<dyn Feed<NodeEvent>>, own: &dyn Membership) {
    let mut ticks = tokio::time::interval(LOAD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = news.next() => {
                let Some(event) = event else { return };
                told(&event);
                let now = Instant::now();
                work.others.send_modify(|others| Arc::make_mut(others).take(event, now));
            }
            _ticked = ticks.tick() => own.set_load((work.load)()),
            changed = work.facts.changed() => {
                if changed.is_err() {
                    return;
                }
                let facts = work.facts.borrow_and_update().encode();
                if let Err(error) = own.update(facts).await {
                    tracing::debug!(%error, "said with a later beat");
                }
            }
        }
    }
}

/// One line for what an administrator should know.
fn told(event: &NodeEvent) {
    match event {
        NodeEvent::Up(node) => tracing::info!(node = %node.id, "a node is there"),
        NodeEvent::Suspect(node) => {
            tracing::warn!(%node, "a node is silent: it is given nothing new")
        }
        NodeEvent::Down(node, Down::Left) => tracing::info!(%node, "a node has gone in order"),
        NodeEvent::Down(node, Down::Silent) => {
            tracing::warn!(%node, "a node is dead, or nobody hears it")
        }
        NodeEvent::Down(node, Down::Replaced) => tracing::info!(%node, "a node has started again"),
        NodeEvent::Blind => tracing::warn!("this node hears no other: what it knew stays"),
        NodeEvent::Sighted => tracing::info!("this node hears the others again"),
        NodeEvent::Changed(_) | NodeEvent::Load(..) | NodeEvent::Synced => {}
    }
}

#[cfg(test)]
mod tests;
