//! Who is there.

use std::time::Duration;

use tokio::time::Instant;

use super::{Stage, next, nothing};
use crate::life::Times;
use crate::{Down, Engine, Error, Feed, NodeEvent, NodeId};

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// A watch of a node that has not joined, behind its `Synced`; who was there.
async fn watch(engine: &Engine) -> (Box<dyn Feed<NodeEvent>>, Vec<(NodeId, Vec<u8>)>) {
    let mut watch = engine.registry.watch().await.unwrap();
    let mut there = Vec::new();
    loop {
        let event = next(&mut watch).await;
        if event == NodeEvent::Synced {
            return (watch, there);
        }
        let NodeEvent::Up(node) = event else {
            panic!("{event:?}");
        };
        there.push((node.id, node.facts));
    }
}

pub async fn who_joins_is_seen_with_its_facts_and_who_leaves_goes(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    let looker = stage.engine("looker").await;
    let first = one.registry.join(b"one".to_vec()).await.unwrap();
    let (mut seen, there) = watch(&looker).await;
    assert_eq!(there, [(id("n1"), b"one".to_vec())]);
    let second = two.registry.join(b"two".to_vec()).await.unwrap();
    assert_eq!(next(&mut seen).await, NodeEvent::Up(second.node()));
    first.leave().await;
    assert_eq!(next(&mut seen).await, NodeEvent::Down(id("n1"), Down::Left));
    nothing(&mut seen, Times::default().down + Duration::from_secs(1)).await;
    // Who has left may come again, as a later start.
    let again = one.registry.join(b"one again".to_vec()).await.unwrap();
    assert_eq!(next(&mut seen).await, NodeEvent::Up(again.node()));
    // The last word is out before the connection is gone with the engine.
    second.leave().await;
    drop(two);
    assert_eq!(next(&mut seen).await, NodeEvent::Down(id("n2"), Down::Left));
}

pub async fn facts_and_load_are_told_when_they_change(stage: &dyn Stage) {
    let one = stage.engine("n1").await;
    let member = one.registry.join(b"1".to_vec()).await.unwrap();
    // A node sees itself as it sees others.
    let (mut seen, there) = watch(&one).await;
    assert_eq!(there, [(id("n1"), b"1".to_vec())]);
    member.update(b"2".to_vec()).await.unwrap();
    assert_eq!(next(&mut seen).await, NodeEvent::Changed(member.node()));
    assert_eq!(member.node().facts, b"2");
    member.set_load(250);
    assert_eq!(next(&mut seen).await, NodeEvent::Load(id("n1"), 250));
}

pub async fn who_falls_silent_is_suspected_and_then_down(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    let looker = stage.engine("looker").await;
    let silent = one.registry.join(Vec::new()).await.unwrap();
    let beating = two.registry.join(Vec::new()).await.unwrap();
    let (mut seen, there) = watch(&looker).await;
    assert_eq!(there.len(), 2);
    drop(silent);
    let since = Instant::now();
    let times = Times::default();
    assert_eq!(next(&mut seen).await, NodeEvent::Suspect(id("n1")));
    assert!(since.elapsed() >= times.suspect - times.beat - Duration::from_millis(50));
    assert_eq!(
        next(&mut seen).await,
        NodeEvent::Down(id("n1"), Down::Silent)
    );
    let took = since.elapsed();
    assert!(
        took >= times.down - times.beat - Duration::from_millis(50),
        "{took:?}"
    );
    assert!(took < times.down + Duration::from_secs(2), "{took:?}");
    nothing(&mut seen, Duration::from_secs(2)).await;
    beating.leave().await;
    assert_eq!(next(&mut seen).await, NodeEvent::Down(id("n2"), Down::Left));
}

pub async fn a_later_start_replaces_an_earlier_one(stage: &dyn Stage) {
    let (first, second) = (stage.engine("n1").await, stage.engine("n1").await);
    let looker = stage.engine("looker").await;
    let stale = first.registry.join(b"first".to_vec()).await.unwrap();
    let (mut seen, _) = watch(&looker).await;
    // The first has not died: its process only thinks it is alone.
    let member = second.registry.join(b"second".to_vec()).await.unwrap();
    assert!(member.node().incarnation > stale.node().incarnation);
    let replaced = NodeEvent::Down(id("n1"), Down::Replaced);
    assert_eq!(next(&mut seen).await, replaced);
    assert_eq!(next(&mut seen).await, NodeEvent::Up(member.node()));
    nothing(&mut seen, Duration::from_secs(2)).await;
}

pub async fn a_node_joins_once(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let member = engine.registry.join(Vec::new()).await.unwrap();
    let again = engine.registry.join(Vec::new()).await;
    assert!(matches!(again.err(), Some(Error::Invalid(_))));
    drop(member);
    tokio::task::yield_now().await;
    engine.registry.join(Vec::new()).await.unwrap();
}
