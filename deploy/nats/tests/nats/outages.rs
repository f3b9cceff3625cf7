//! A single server that is too old for copies, dies, is frozen, comes back.

use std::time::Duration;

use cluster::directory::write_through;
use cluster::{
    Delivery, Down, Engine, Error, Feed, Job, JobState, NodeEvent, Pattern, Read, Submitted, Topic,
};
use tokio::time::Instant;

use crate::servers::{House, debian};

const PATIENCE: Duration = Duration::from_secs(30);

async fn house() -> House {
    let started = || House::start(&debian(), 1, &["n1", "n2"]);
    tokio::task::spawn_blocking(started).await.unwrap()
}

async fn next<T>(feed: &mut Box<dyn Feed<T>>) -> T {
    let next = tokio::time::timeout(PATIENCE, feed.next()).await;
    next.unwrap().unwrap()
}

/// Waits for an event, and sees that nobody is called dead before.
async fn awaited(feed: &mut Box<dyn Feed<NodeEvent>>, wanted: &NodeEvent) {
    loop {
        let event = next(feed).await;
        let is_verdict = matches!(
            event,
            NodeEvent::Suspect(_) | NodeEvent::Down(_, Down::Silent)
        );
        assert!(!is_verdict, "{event:?} before {wanted:?}");
        if event == *wanted {
            return;
        }
    }
}

/// Until it can be written again.
async fn written(engine: &Engine, key: &str) {
    let end = Instant::now() + PATIENCE;
    while let Err(error) = engine.directory.create(key, b"1".to_vec()).await {
        assert!(error.is_passing() && Instant::now() < end, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_copies_are_refused_on_a_server_that_lets_several_win() {
    let house = house().await;
    let mut config = house.config("n1");
    config.copies = 3;
    let refused = cluster_nats::open(&config).await.unwrap_err().to_string();
    assert!(
        refused.starts_with("`cluster.copies` is `3`: the server `"),
        "{refused}"
    );
    for part in [
        "has version `2.9.",
        "needs 2.10.27 or newer",
        "`cluster.copies = 1`",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_and_comes_back_has_what_it_was_told() {
    let mut house = house().await;
    let (one, two) = (house.engine("n1").await, house.engine("n2").await);
    let members = [
        one.registry.join(b"one".to_vec()).await.unwrap(),
        two.registry.join(b"two".to_vec()).await.unwrap(),
    ];
    let mut seen = one.registry.watch().await.unwrap();
    awaited(&mut seen, &NodeEvent::Synced).await;
    let mut heard = one.bus.subscribe(&Pattern::new("calls.a").unwrap()).await;
    let heard = heard.as_mut().unwrap();
    let job = Job {
        id: "j1".to_owned(),
        body: b"record".to_vec(),
    };
    assert_eq!(one.queue.submit(job.clone()).await, Ok(Submitted::New));
    let at = one
        .directory
        .create("call.a", b"n1".to_vec())
        .await
        .unwrap();

    house.servers[0].kill();
    awaited(&mut seen, &NodeEvent::Blind).await;
    let asked = Instant::now();
    let read = one.directory.get("call.a", Read::Recent).await;
    assert_eq!(read, Err(Error::Unavailable));
    let swap = one.directory.swap("call.a", at, b"n2".to_vec()).await;
    assert_eq!(swap, Err(Error::Unavailable), "nothing was sent");
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "it is said at once"
    );
    one.bus
        .publish(&Topic::new("calls.a").unwrap(), Vec::new())
        .unwrap();

    tokio::task::block_in_place(|| house.servers[0].start_again());
    assert_eq!(next(heard).await, Delivery::Reconnected);
    awaited(&mut seen, &NodeEvent::Sighted).await;
    written(&one, "call.b").await;
    let kept = one
        .directory
        .get("call.a", Read::Latest)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.value, kept.revision), (b"n1".to_vec(), at));
    assert_eq!(
        one.queue.submit(job.clone()).await,
        Ok(Submitted::Duplicate)
    );
    let lease = two.queue.take("w", PATIENCE).await.unwrap().unwrap();
    assert_eq!(*lease.job(), job);
    lease.done(b"done".to_vec()).await.unwrap();
    let done = JobState::Done {
        result: b"done".to_vec(),
    };
    assert_eq!(one.queue.state("j1").await, Ok(Some(done)));
    // What was in its memory only is told again: a new watcher sees everybody.
    members[1].update(b"two again".to_vec()).await.unwrap();
    awaited(&mut seen, &NodeEvent::Changed(members[1].node())).await;
    assert!(one.counters.get(cluster::Figure::Reconnected) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_leaves_the_outcome_open_and_a_write_through_settles_it() {
    let house = house().await;
    let engine = house.engine("n1").await;
    let member = engine.registry.join(Vec::new()).await.unwrap();
    let mut seen = engine.registry.watch().await.unwrap();
    awaited(&mut seen, &NodeEvent::Synced).await;
    let at = engine.directory.create("call.a", b"first".to_vec()).await;

    house.servers[0].signal("STOP");
    let asked = Instant::now();
    let swap = engine
        .directory
        .swap("call.a", at.clone().unwrap(), b"open".to_vec());
    assert_eq!(swap.await, Err(Error::Unknown));
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
    awaited(&mut seen, &NodeEvent::Blind).await;
    // A server that does not answer is left within a few seconds, and not after minutes.
    let end = Instant::now() + Duration::from_secs(15);
    while engine.directory.get("call.a", Read::Recent).await.is_ok()
        || Instant::now() < asked + Duration::from_secs(7)
    {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let settled = write_through(&*engine.directory, "call.b", None, b"mine b");
    let thaw = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        house.servers[0].signal("CONT");
    };
    let (settled, ()) = tokio::join!(settled, thaw);
    let revision = settled.unwrap();
    let found = engine
        .directory
        .get("call.b", Read::Latest)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.value, found.revision),
        (b"mine b".to_vec(), revision)
    );
    // The one without an answer has landed by now, or never will: the record says which.
    let found = engine
        .directory
        .get("call.a", Read::Latest)
        .await
        .unwrap()
        .unwrap();
    assert!(found.value == b"open" || found.value == b"first");
    assert_eq!(found.value == b"first", Ok(found.revision) == at);
    awaited(&mut seen, &NodeEvent::Sighted).await;
    member.leave().await;
}
