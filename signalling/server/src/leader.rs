//! One of several signalling processes: it leads, or it stands by and hands people on to the one that does.
//!
//! In: the row of the leader in the database that all share (`storage::Leadership`), this node's papers.
//! Out: an ordinary server, of the process that leads; of the others a front for it (`front`).
//! Whoever stands by takes the place of a leader that is silent for [`SILENCE`], or has gone; what ran is
//! restored from the database, as after a restart, and media goes on meanwhile.
//! Not here: what a server is (`start`), how the one before is kept from writing (`storage`).
//! `alone.rs` is the same for a program without the feature `cluster`.
//! Invariant: who finds that it leads no longer ends at once, to be started again and stand by.

mod front;
mod silence;

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use node::Relay;
use service::listen;
use service::outgoing::root_cause;
use service::private;
use service::supervise::Tasks;
use storage::{Candidate, Leader, Leadership, Location, Sealer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::config::Config;
use crate::http;
use crate::nodes::Standing;
use crate::start::{self, Ground, People};
use front::{Front, Leads};
use silence::{Silence, Verdict};

/// How often the leader says that it is alive, and the others look.
const BEAT: Duration = Duration::from_millis(500);
/// A leader of which nothing was heard for so long is given up. Shorter: a busy database costs everybody
/// their connection; longer: nobody can join meanwhile.
const SILENCE: Duration = Duration::from_secs(3);
/// Longest wait for one look, and for the word that this process goes.
const PATIENCE: Duration = Duration::from_secs(2);
/// People who came and are not served yet: while this process takes the lead they wait.
const WAITING: usize = 64;
/// What a key is told by: it is sealed with it.
const KEY_MARK: (&str, &str) = ("leader", "the key of this installation");

/// Leads or stands by until `shutdown`. `address` is where the other processes reach this one.
///
/// # Errors
/// When the server cannot start, its key is another than that of the others, or it leads no longer.
pub(crate) async fn serve(
    config: Config,
    address: String,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let several = Several::open(&config, address).await?;
    let others = several.listen_for_others().await?;
    let tasks = Tasks::new("signalling");
    let standing = Standing::take(&config, &tasks)?;
    let listener = listen::bind(&config.listen.to_string()).await?;
    let http_addr = listener.local_addr().context("read the bound address")?;
    let (leads, known) = watch::channel(Leads::Nobody);
    let front = Arc::new(Front::new(several.relay.clone(), known));
    let (_stop, stopped) = watch::channel(false);
    let letting_in = listen::hand_on(listener, front, http::admission(&config), stopped);
    tasks.must_live("people who come", letting_in);
    let mut shutdown = std::pin::pin!(shutdown);
    let stood_by = tokio::select! {
        epoch = several.until_it_leads(&config, &leads) => epoch.map(Some),
        () = &mut shutdown => Ok(None),
        over = tasks.fatal() => Err(over.into()),
    };
    let outcome = match stood_by {
        Ok(Some(epoch)) => {
            let (hand, handed) = mpsc::channel(WAITING);
            leads.send_replace(Leads::ThisProcess(hand.clone()));
            // Whoever handed somebody on before this process led finds them waiting here.
            let entrance = several.relay.entrance(others, hand);
            tasks.must_live("people whom other processes hand on", entrance.run());
            let ground = Ground {
                http_addr,
                people: People::AreHanded(handed),
                standing: Some(standing.clone()),
            };
            tokio::select! {
                outcome = several.lead(config, epoch, ground, shutdown) => outcome,
                over = tasks.fatal() => Err(over.into()),
            }
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    standing.leave().await;
    tasks.begin_stop();
    tasks.stop().await;
    several.row.close().await;
    outcome
}

/// This process among those that may lead.
struct Several {
    row: Leadership,
    database: Location,
    candidate: Candidate,
    relay: Relay,
}

impl Several {
    async fn open(config: &Config, address: String) -> anyhow::Result<Self> {
        let papers = config.papers.as_ref();
        let papers = papers.context("`cluster.link_address` needs `cluster.papers`")?;
        let database = config.database.clone();
        let database = database.context("`cluster.link_address` needs `storage.database`")?;
        let (node, relay) = Relay::of_papers(papers).context("read `cluster.papers`")?;
        let row = Leadership::open(&database).await?;
        check_key(config, &row.look().await?)?;
        private::folder(&config.data_dir).context("make the data directory (storage.data_dir)")?;
        let sealer = Sealer::open(&config.key_file)?;
        let (purpose, text) = KEY_MARK;
        Ok(Self {
            row,
            database,
            candidate: Candidate {
                node: node.to_string(),
                address,
                key_mark: sealer.seal_text(purpose, text)?,
            },
            relay,
        })
    }

    /// Where people come whom the others hand on: bound before anybody depends on it.
    async fn listen_for_others(&self) -> anyhow::Result<TcpListener> {
        let port = self.candidate.address.rsplit_once(':');
        let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
        let port = port.context("`cluster.link_address` has no port")?;
        let bound = match listen::bind(&format!(":{port}")).await {
            Ok(bound) => Ok(bound),
            // Where there is no IPv6, or not both on one socket.
            Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
        };
        bound.with_context(|| format!("listen on port {port} (cluster.link_address)"))
    }

    /// Waits until this process leads; tells meanwhile who does. Returns the epoch.
    async fn until_it_leads(
        &self,
        config: &Config,
        leads: &watch::Sender<Leads>,
    ) -> anyhow::Result<i64> {
        let mut silence = Silence::default();
        let mut trouble = None;
        loop {
            let read = timeout(PATIENCE, self.row.look()).await;
            let read = match read {
                Ok(Ok(read)) => Some(read),
                Ok(Err(error)) => {
                    told_once(&mut trouble, &error);
                    None
                }
                Err(_) => None,
            };
            match silence.look(Instant::now(), read) {
                Verdict::Leads(leader) => {
                    trouble = None;
                    check_key(config, &leader)?;
                    follow(leads, leader);
                }
                Verdict::Unknown => {}
                Verdict::Vacant(seen) => match self.row.take(&seen, &self.candidate).await {
                    Ok(Some(epoch)) => {
                        told_of_change(&seen, epoch);
                        return Ok(epoch);
                    }
                    Ok(None) => {}
                    Err(error) => told_once(&mut trouble, &error),
                },
            }
            sleep(BEAT).await;
        }
    }

    /// Serves as the leader of this epoch.
    async fn lead(
        &self,
        config: Config,
        epoch: i64,
        ground: Ground,
        shutdown: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let config = Config {
            database: Some(self.database.clone().in_epoch(epoch)),
            ..config
        };
        let lead = async {
            let running = start::start_at(config, Vec::new(), ground).await?;
            start::run_until(running, shutdown).await
        };
        let outcome = tokio::select! {
            outcome = lead => outcome,
            () = self.while_it_leads(epoch) => anyhow::bail!(
                "this process was not heard of for {SILENCE:?}, and another leads in its place: start it \
                 again, and it stands by"
            ),
        };
        match timeout(PATIENCE, self.row.leave(epoch)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = root_cause(&error);
                tracing::warn!(error, "the others learn by silence that this process goes");
            }
            Err(_) => tracing::warn!("the others learn by silence that this process goes"),
        }
        outcome
    }

    /// Says that it is alive, until it is not the leader any more. A database that is away for a while
    /// changes nothing: nobody can take the lead without it.
    async fn while_it_leads(&self, epoch: i64) {
        let mut trouble = None;
        loop {
            sleep(BEAT).await;
            match self.row.beat(epoch).await {
                Ok(true) => trouble = None,
                Ok(false) => return,
                Err(error) => told_once(&mut trouble, &error),
            }
        }
    }
}

/// Refuses to go on with another key than the leader's: what is sealed in the database would not open.
fn check_key(config: &Config, leader: &Leader) -> anyhow::Result<()> {
    if leader.key_mark.is_empty() {
        return Ok(());
    }
    let file = &config.key_file;
    let another = || {
        format!(
            "`{}` is not the key of the other processes: copy it there from `{}` (storage.key_file)",
            file.display(),
            leader.node
        )
    };
    if !file.exists() {
        anyhow::bail!(another());
    }
    let opened = Sealer::open(file)?.unseal_text(KEY_MARK.0, &leader.key_mark);
    opened.map(drop).with_context(another)
}

fn follow(leads: &watch::Sender<Leads>, leader: Leader) {
    if matches!(&*leads.borrow(), Leads::Another(known) if known.epoch == leader.epoch) {
        return;
    }
    tracing::info!(
        leader = leader.node,
        address = leader.address,
        epoch = leader.epoch,
        "stands by, and hands people on to the process that leads"
    );
    leads.send_replace(Leads::Another(leader));
}

fn told_of_change(before: &Leader, epoch: i64) {
    if before.address.is_empty() {
        tracing::info!(epoch, "this process leads: nobody did");
        return;
    }
    tracing::warn!(
        epoch,
        before = before.node,
        "this process leads: the one before was silent for {SILENCE:?}"
    );
}

/// One line for each trouble, however often it is met.
fn told_once(known: &mut Option<String>, error: &storage::SqlError) {
    let text = format!("{error}: {}", root_cause(error));
    if known.as_ref() != Some(&text) {
        tracing::warn!(
            error = text,
            "who leads cannot be found out; it is tried again"
        );
        *known = Some(text);
    }
}
