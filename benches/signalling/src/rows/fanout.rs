//! How long a post takes to reach everybody in a channel, from the request to each client.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::figures::{Figure, Limit, Times};
use crate::world::Template;

/// Posts of a round, and the time between the last client that got one and the next.
const POSTS: usize = 40;
const PAUSE: Duration = Duration::from_millis(100);
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// What the measured posts begin with.
const MARK: &str = "fan-out number";
/// Milliseconds.
const MUST: f64 = 50.0;

pub(super) async fn measure(template: &Template) -> anyhow::Result<Vec<Figure>> {
    let world = template.open().await?;
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let mut readers = JoinSet::new();
    for person in &template.people {
        let client = world.connect(person).await?;
        readers.spawn(listen(client, arrived.clone()));
    }
    let broken = Arc::new(Mutex::new(None));
    watch(readers, broken.clone());
    let clients = template.people.len();
    let (mut each, mut spread, mut written) =
        (Times::default(), Times::default(), Times::default());
    for (n, author) in template.people.iter().cycle().take(POSTS).enumerate() {
        tokio::time::sleep(PAUSE).await;
        let message = format!("{MARK} {n}");
        let sent = Instant::now();
        let posted = world.api.new_post(author, &template.town, "", &message);
        let all = async {
            let mut times = Vec::with_capacity(clients);
            while times.len() < clients {
                times.push(arrivals.recv().await.context("no client is left")?);
            }
            anyhow::Ok(times)
        };
        let all = tokio::time::timeout(ARRIVES_WITHIN, all);
        let (posted, all) = tokio::join!(async { (posted.await, sent.elapsed()) }, all);
        posted.0?;
        written.push(posted.1);
        let reason = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        let all: Vec<Instant> = all
            .ok()
            .with_context(|| format!("a post did not reach everybody: {reason:?}"))??;
        let (first, last) = (all.iter().min(), all.iter().max());
        let (first, last) = first.zip(last).context("no clients")?;
        spread.push(last.duration_since(*first));
        each.extend(all.iter().map(|at| at.duration_since(sent)));
    }
    Ok(vec![
        Figure::told("post to each client, p99", each.percentile_ms(990), "ms")
            .must(Limit::AtMost(MUST)),
        Figure::told("post to each client, p50", each.percentile_ms(500), "ms"),
        Figure::told("first to last client, p50", spread.percentile_ms(500), "ms"),
        Figure::told("first to last client, p99", spread.percentile_ms(990), "ms"),
        Figure::told(
            "answer to the author, p50",
            written.percentile_ms(500),
            "ms",
        ),
    ])
}

/// Tells when each measured post arrives.
async fn listen(mut client: Client, arrived: mpsc::UnboundedSender<Instant>) -> anyhow::Result<()> {
    loop {
        let text = client.next().await?;
        if text.contains("\"posted\"") && text.contains(MARK) {
            let _ = arrived.send(Instant::now());
        }
    }
}

/// Keeps the first reason why a client ended.
fn watch(mut readers: JoinSet<anyhow::Result<()>>, broken: Arc<Mutex<Option<String>>>) {
    tokio::spawn(async move {
        while let Some(ended) = readers.join_next().await {
            let reason = format!("{ended:?}");
            broken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(reason);
        }
    });
}
