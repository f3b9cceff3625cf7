//! Three of the newest servers, three copies: one wins, and the death of the server that leads costs
//! nothing that was acknowledged.

use std::time::Duration;

use async_trait::async_trait;
use cluster::contract::{Stage, bus, directory, queue};
use cluster::directory::{BUDGET, write_through};
use cluster::{Engine, Feed, NodeEvent, Read};
use tokio::time::Instant;

use crate::servers::{House, newest};

const NODES: [&str; 4] = ["n0", "n1", "n2", "n3"];

async fn three() -> Three {
    let started = tokio::task::spawn_blocking(|| House::start(&newest(), 3, &NODES));
    Three(started.await.unwrap())
}

struct Three(House);

#[async_trait]
impl Stage for Three {
    async fn engine(&self, node: &str) -> Engine {
        self.0.engine(node).await
    }
}

/// One set of servers for all of it: what each needs is a key or a job of its own name.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_one_wins_on_three_copies_too() {
    let three = three().await;
    directory::what_is_not_there_is_neither_changed_nor_removed(&three).await;
    directory::of_many_who_write_from_one_revision_one_wins(&three).await;
    directory::every_acknowledged_increment_counts(&three).await;
    directory::the_latest_is_what_the_last_write_made_it(&three).await;
    directory::a_watch_tells_what_is_there_and_then_what_changes(&three).await;
    queue::many_workers_share_many_jobs(&three).await;
    bus::nobody_is_said_at_once_and_silence_at_its_time(&three).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_create_over_what_was_removed_one_wins_on_three_copies_too() {
    directory::of_many_who_create_over_what_was_removed_one_wins(&three().await).await;
}

/// Which server leads the records.
async fn leader(house: &House) -> usize {
    let tls = house.config("n0").tls.unwrap();
    let _any = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let options = async_nats::ConnectOptions::new()
        .add_root_certificates(tls.authority)
        .add_client_certificate(tls.certificate, tls.key)
        .custom_inbox_prefix("_INBOX_site_n0")
        .require_tls(true);
    let address = format!("tls://{}", house.config("n0").servers[0]);
    let client = options.connect(address).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let stream = context.get_stream("KV_site_directory").await.unwrap();
    let cluster = stream.cached_info().cluster.clone().unwrap();
    let name = cluster.leader.unwrap();
    let servers = &house.plan.servers;
    servers
        .iter()
        .position(|server| server.name == name)
        .unwrap()
}

/// What a watcher said until nothing comes any more.
async fn told(seen: &mut Box<dyn Feed<NodeEvent>>) -> Vec<NodeEvent> {
    let mut told = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_secs(4), seen.next()).await {
        told.push(event);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_the_leader_loses_nothing_and_kills_nobody() {
    let Three(mut house) = three().await;
    let engines = [
        house.engine("n0").await,
        house.engine("n1").await,
        house.engine("n2").await,
    ];
    let mut members = Vec::new();
    for engine in &engines {
        members.push(engine.registry.join(Vec::new()).await.unwrap());
    }
    let mut watches = Vec::new();
    for engine in &engines {
        let mut seen = engine.registry.watch().await.unwrap();
        while seen.next().await != Some(NodeEvent::Synced) {}
        watches.push(seen);
    }
    let leads = leader(&house).await;
    let mut acknowledged = Vec::new();
    let records = &*engines[0].directory;
    for n in 0..20 {
        let value = format!("mine {n}");
        let key = format!("call.{n}");
        let at = write_through(records, &key, None, value.as_bytes()).await;
        acknowledged.push((key, value, at.unwrap()));
    }
    let killed = Instant::now();
    house.servers[leads].kill();
    let mut longest = Duration::ZERO;
    for n in 20..60 {
        let (key, value) = (format!("call.{n}"), format!("mine {n}"));
        let asked = Instant::now();
        let at = write_through(records, &key, None, value.as_bytes()).await;
        longest = longest.max(asked.elapsed());
        acknowledged.push((key, value, at.unwrap()));
    }
    assert!(longest < BUDGET, "{longest:?}");
    for (key, value, at) in acknowledged {
        let found = records.get(&key, Read::Latest).await.unwrap().unwrap();
        assert_eq!(
            (found.value, found.revision),
            (value.into_bytes(), at),
            "{key}"
        );
    }
    println!("records stood still for {longest:?}");
    // Beats went on past all of it: whoever was connected there was blind, and nobody is dead.
    for seen in &mut watches {
        let told = tokio::time::timeout(Duration::from_secs(30), told(seen)).await;
        let told = told.unwrap_or_default();
        let dead = told
            .iter()
            .find(|event| matches!(event, NodeEvent::Down(..)));
        assert_eq!(
            dead,
            None,
            "{told:?} ({:?} after the kill)",
            killed.elapsed()
        );
    }
}
