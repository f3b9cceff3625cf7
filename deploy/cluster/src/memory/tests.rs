//! What is built on an engine holds under its faults: lost answers, lost messages, lost leaders, a cut.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::directory::write_through;
use crate::feed::lock;
use crate::{
    CallError, Delivery, Error, Feed, Job, JobState, NodeEvent, Pattern, Read, Submitted, Topic,
};

fn world() -> (World, Engine) {
    let world = World::new();
    let engine = world.engine(&node("n1"));
    (world, engine)
}

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

async fn next<T>(feed: &mut Box<dyn Feed<T>>) -> T {
    let next = tokio::time::timeout(Duration::from_secs(60), feed.next()).await;
    next.unwrap().unwrap()
}

fn job(id: &str) -> Job {
    Job {
        id: id.to_owned(),
        body: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_must_come_through_finds_out_what_became_of_it() {
    let (world, engine) = world();
    let faults = world.faults();
    let records = &*engine.directory;
    // It landed, and nobody said so.
    faults.next(Operation::Create, Fault::Unknown);
    let first = write_through(records, "a", None, b"mine 1").await.unwrap();
    // It did not land, and nobody said so; then nobody led.
    faults.next(Operation::Swap, Fault::Drop);
    faults.next(Operation::Swap, Fault::Unavailable);
    let second = write_through(records, "a", Some(first), b"mine 2").await;
    let second = second.unwrap();
    let found = records.get("a", Read::Latest).await.unwrap().unwrap();
    assert_eq!((found.value, found.revision), (b"mine 2".to_vec(), second));
    // It did not land, and somebody else was quicker.
    faults.next(Operation::Swap, Fault::Drop);
    faults.next(Operation::Swap, Fault::Delay(Duration::from_millis(200)));
    let mine = write_through(records, "a", Some(second), b"mine 3");
    let other = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world
            .engine(&node("n2"))
            .directory
            .swap("a", second, b"other".to_vec())
            .await
    };
    let (mine, other) = tokio::join!(mine, other);
    assert!(matches!(mine, Err(Error::Conflict { .. })), "{mine:?}");
    other.unwrap();
    assert!(engine.counters.get(crate::Figure::Unknown) >= 3);
}

#[tokio::test(start_paused = true)]
async fn a_write_gives_up_in_time_and_says_whether_anything_was_sent() {
    let (world, engine) = world();
    for _ in 0..1000 {
        world.faults().next(Operation::Create, Fault::Unavailable);
    }
    let began = tokio::time::Instant::now();
    let written = write_through(&*engine.directory, "a", None, b"1").await;
    assert_eq!(written, Err(Error::Unavailable));
    assert!(began.elapsed() <= crate::directory::BUDGET);
    world.faults().next(Operation::Swap, Fault::Drop);
    for _ in 0..1000 {
        world.faults().next(Operation::Swap, Fault::Unavailable);
    }
    let written = write_through(&*engine.directory, "a", Some(crate::Revision(1)), b"1").await;
    assert_eq!(written, Err(Error::Unknown), "the first may have landed");
}

#[tokio::test(start_paused = true)]
async fn a_recent_read_may_be_old_and_the_latest_is_not() {
    let (world, engine) = world();
    let records = &*engine.directory;
    world.faults().next(Operation::Remove, Fault::Drop);
    let first = records.create("a", b"1".to_vec()).await.unwrap();
    records.swap("a", first, b"2".to_vec()).await.unwrap();
    world.faults().next(Operation::Get, Fault::Stale);
    let old = records.get("a", Read::Recent).await.unwrap().unwrap();
    assert_eq!(old.value, b"1");
    world.faults().next(Operation::Get, Fault::Stale);
    let new = records.get("a", Read::Latest).await.unwrap().unwrap();
    assert_eq!(new.value, b"2");
    let swapped = records.swap("a", old.revision, b"x".to_vec()).await;
    let current = Some(new.revision);
    assert_eq!(swapped, Err(Error::Conflict { current }));
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_slept_is_told_everything_anew() {
    let (_world, engine) = world();
    let records = &*engine.directory;
    let mut watch = records.watch("").await.unwrap();
    let mut at = records.create("a", Vec::new()).await.unwrap();
    for n in 0..3000_u32 {
        at = records
            .swap("a", at, n.to_string().into_bytes())
            .await
            .unwrap();
    }
    while next(&mut watch).await != crate::Change::Resync {}
    let set = crate::Change::Set {
        key: "a".to_owned(),
        value: b"2999".to_vec(),
        revision: at,
    };
    assert_eq!(next(&mut watch).await, set);
    assert_eq!(next(&mut watch).await, crate::Change::Synced);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_which_no_answer_came_is_submitted_again_and_is_one() {
    let (world, engine) = world();
    world.faults().next(Operation::Submit, Fault::Unknown);
    assert_eq!(engine.queue.submit(job("a")).await, Err(Error::Unknown));
    assert_eq!(
        engine.queue.submit(job("a")).await,
        Ok(Submitted::Duplicate)
    );
    // The claim's answer is lost; it is begun nevertheless, and once.
    world.faults().next(Operation::Create, Fault::Unknown);
    let lease = engine.queue.take("w", Duration::from_secs(1)).await;
    let lease = lease.unwrap().unwrap();
    assert_eq!(lease.start(), 1);
    // Its acknowledgement is lost: it is lent again, and whoever gets it finds it done.
    world.faults().next(Operation::Acknowledge, Fault::Drop);
    lease.done(b"good".to_vec()).await.unwrap();
    let again = engine.queue.take("w", Duration::from_secs(40)).await;
    assert!(again.unwrap().is_none());
    let done = JobState::Done {
        result: b"good".to_vec(),
    };
    assert_eq!(engine.queue.state("a").await, Ok(Some(done)));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_kills_whoever_begins_it_is_dead_after_five() {
    let (_world, engine) = world();
    engine.queue.submit(job("a")).await.unwrap();
    for start in 1..=crate::queue::MOST_STARTS {
        let lease = engine.queue.take("w", Duration::from_secs(60)).await;
        // The worker dies: nothing more is heard of it.
        assert_eq!(lease.unwrap().unwrap().start(), start);
    }
    let none = engine.queue.take("w", Duration::from_secs(60)).await;
    assert!(none.unwrap().is_none());
    let dead = next(&mut engine.queue.dead().await.unwrap()).await;
    assert_eq!(dead.reason, "begun 5 times, and never brought to an end");
    assert_eq!(engine.counters.get(crate::Figure::Dead), 1);
    assert_eq!(engine.counters.get(crate::Figure::Redelivered), 4);
}

/// Six workers, every fifth operation with a fault, every tenth start a death: each job is done once and
/// no start is doubled.
#[tokio::test(start_paused = true)]
async fn under_any_faults_a_start_is_one_and_a_job_is_done_once() {
    for seed in 1..=20 {
        let (world, _) = world();
        let submitter = world.engine(&node("s"));
        for n in 0..30 {
            submitter.queue.submit(job(&format!("j{n}"))).await.unwrap();
        }
        world.faults().rate(seed, 200);
        let begun: Arc<Mutex<BTreeMap<(String, u32), u32>>> = Arc::default();
        let done: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
        let workers: Vec<_> = (0..6)
            .map(|n| {
                let engine = world.engine(&node(&format!("w{n}")));
                let (begun, done) = (Arc::clone(&begun), Arc::clone(&done));
                tokio::spawn(work(engine, n, begun, done))
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        world.faults().rate(seed, 0);
        assert!(
            lock(&begun).values().all(|times| *times == 1),
            "seed {seed}"
        );
        assert!(lock(&done).values().all(|times| *times == 1), "seed {seed}");
        for n in 0..30 {
            let state = submitter.queue.state(&format!("j{n}")).await.unwrap();
            let is_over = matches!(state, Some(JobState::Done { .. } | JobState::Dead { .. }));
            assert!(is_over, "seed {seed}, job {n}: {state:?}");
        }
    }
}

async fn work(
    engine: Engine,
    number: u32,
    begun: Arc<Mutex<BTreeMap<(String, u32), u32>>>,
    done: Arc<Mutex<BTreeMap<String, u32>>>,
) {
    let worker = format!("w{number}");
    let mut turns = number;
    let mut idle = 0;
    while idle < 4 {
        let Ok(taken) = engine.queue.take(&worker, Duration::from_secs(20)).await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(mut lease) = taken else {
            idle += 1;
            continue;
        };
        idle = 0;
        turns += 1;
        let id = lease.job().id.clone();
        *lock(&begun).entry((id.clone(), lease.start())).or_default() += 1;
        if turns.is_multiple_of(10) {
            // Dead in mid-job.
            continue;
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
        if matches!(lease.extend().await, Err(Error::Conflict { .. })) {
            continue;
        }
        if lease.done(Vec::new()).await.is_ok() {
            *lock(&done).entry(id).or_default() += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_lost_and_one_whose_answer_is_lost_look_alike() {
    let (world, engine) = world();
    let at = Topic::new("ask").unwrap();
    let mut calls = engine.bus.serve(&at).await.unwrap();
    let short = Duration::from_millis(100);
    for fault in [Fault::Drop, Fault::Unknown] {
        world.faults().next(Operation::Request, fault);
        let answer = engine.bus.request(&at, Vec::new(), short).await;
        assert_eq!(answer, Err(CallError::Timeout));
    }
    assert_eq!(next(&mut calls).await.topic, at, "one of them was asked");
    let none = tokio::time::timeout(short, calls.next()).await;
    assert!(none.is_err(), "and one was not");
}

#[tokio::test(start_paused = true)]
async fn a_lost_message_is_not_heard() {
    let (world, engine) = world();
    let mut heard = engine
        .bus
        .subscribe(&Pattern::new("a").unwrap())
        .await
        .unwrap();
    world.faults().next(Operation::Publish, Fault::Drop);
    for body in [b"1", b"2"] {
        engine
            .bus
            .publish(&Topic::new("a").unwrap(), body.to_vec())
            .unwrap();
    }
    let Delivery::Message { body, .. } = next(&mut heard).await else {
        panic!("no message");
    };
    assert_eq!(body, b"2");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_off_is_blind_and_the_others_see_it_go_and_come() {
    let (world, one) = world();
    let (two, three) = (world.engine(&node("n2")), world.engine(&node("n3")));
    let mut members = Vec::new();
    for engine in [&one, &two, &three] {
        members.push(engine.registry.join(Vec::new()).await.unwrap());
    }
    let mut of_one = one.registry.watch().await.unwrap();
    let mut of_two = two.registry.watch().await.unwrap();
    for feed in [&mut of_one, &mut of_two] {
        while next(feed).await != NodeEvent::Synced {}
    }
    world.faults().blind(&node("n1"), true);
    assert_eq!(next(&mut of_one).await, NodeEvent::Blind);
    assert_eq!(next(&mut of_two).await, NodeEvent::Suspect(node("n1")));
    let down = NodeEvent::Down(node("n1"), crate::Down::Silent);
    assert_eq!(next(&mut of_two).await, down);
    world.faults().blind(&node("n1"), false);
    assert_eq!(
        next(&mut of_one).await,
        NodeEvent::Sighted,
        "it judged nobody"
    );
    assert_eq!(next(&mut of_two).await, NodeEvent::Up(members[0].node()));
    let more = tokio::time::timeout(Duration::from_secs(10), of_one.next()).await;
    assert!(more.is_err(), "{more:?}");
    assert_eq!(one.counters.get(crate::Figure::Blind), 1);
}

#[tokio::test(start_paused = true)]
async fn facts_that_cannot_be_read_are_read_with_a_later_beat() {
    let (world, one) = world();
    let two = world.engine(&node("n2"));
    let member = one.registry.join(b"one".to_vec()).await.unwrap();
    let mut seen = two.registry.watch().await.unwrap();
    for _ in 0..4 {
        world.faults().next(Operation::Facts, Fault::Unavailable);
    }
    let mut first = next(&mut seen).await;
    if first == NodeEvent::Synced {
        first = next(&mut seen).await;
    }
    assert_eq!(first, NodeEvent::Up(member.node()));
}
