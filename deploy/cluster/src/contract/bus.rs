//! News and questions.

use std::time::Duration;

use tokio::time::Instant;

use super::{Stage, next, nothing};
use crate::{Bus, CallError, Delivery, Error, Feed, NodeId, Pattern, Topic};

const WITHIN: Duration = Duration::from_secs(5);

fn topic(text: &str) -> Topic {
    Topic::new(text).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

fn node(text: &str) -> NodeId {
    NodeId::new(text).unwrap()
}

fn message(from: &str, at: &str, body: &[u8]) -> Delivery {
    Delivery::Message {
        from: node(from),
        topic: topic(at),
        body: body.to_vec(),
    }
}

/// Answers every question with who answers and what was asked.
async fn echo(bus: &dyn Bus, at: &Topic, name: &'static str) -> tokio::task::JoinHandle<()> {
    let mut calls = bus.serve(at).await.unwrap();
    tokio::spawn(async move {
        while let Some(call) = calls.next().await {
            let said = [name.as_bytes(), b" ", &call.body].concat();
            call.answer(said).unwrap();
        }
    })
}

pub async fn everybody_who_listens_hears_in_order(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    let mut feeds: Vec<Box<dyn Feed<Delivery>>> = Vec::new();
    for engine in [&one, &two] {
        feeds.push(engine.bus.subscribe(&pattern("calls.a")).await.unwrap());
    }
    for n in 0..100_u8 {
        one.bus.publish(&topic("calls.a"), vec![n]).unwrap();
    }
    for feed in &mut feeds {
        for n in 0..100 {
            assert_eq!(next(feed).await, message("n1", "calls.a", &[n]));
        }
        nothing(feed, Duration::from_millis(50)).await;
    }
}

pub async fn patterns_choose(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let mut some = engine
        .bus
        .subscribe(&pattern("calls.*.events"))
        .await
        .unwrap();
    let mut all = engine.bus.subscribe(&pattern("calls.>")).await.unwrap();
    for at in ["calls.a.events", "calls.a.other", "rooms.a.events"] {
        engine.bus.publish(&topic(at), Vec::new()).unwrap();
    }
    assert_eq!(next(&mut some).await, message("n1", "calls.a.events", b""));
    nothing(&mut some, Duration::from_millis(100)).await;
    assert_eq!(next(&mut all).await, message("n1", "calls.a.events", b""));
    assert_eq!(next(&mut all).await, message("n1", "calls.a.other", b""));
    nothing(&mut all, Duration::from_millis(100)).await;
}

pub async fn a_question_is_answered_by_one_of_those_who_serve(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    let at = topic("ask.time");
    let servers = [
        echo(&*one.bus, &at, "one").await,
        echo(&*two.bus, &at, "two").await,
    ];
    let mut answered = [0, 0];
    for n in 0..50_u8 {
        let answer = one.bus.request(&at, vec![n], WITHIN).await.unwrap();
        let by_one = answer == [b"one ", &[n][..]].concat();
        let by_two = answer == [b"two ", &[n][..]].concat();
        assert!(by_one || by_two, "{answer:?}");
        answered[usize::from(by_two)] += 1;
    }
    assert!(answered[0] > 0 && answered[1] > 0, "{answered:?}");
    for server in servers {
        server.abort();
    }
}

pub async fn nobody_is_said_at_once_and_silence_at_its_time(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    let at = topic("ask.time");
    let asked = Instant::now();
    let answer = one.bus.request(&at, Vec::new(), WITHIN).await;
    assert_eq!(answer, Err(CallError::Nobody));
    assert!(asked.elapsed() < WITHIN / 2, "{:?}", asked.elapsed());
    let mut silent = two.bus.serve(&at).await.unwrap();
    let short = Duration::from_millis(500);
    let served = Instant::now();
    let (asked, answer) = loop {
        let asked = Instant::now();
        let answer = one.bus.request(&at, b"?".to_vec(), short).await;
        // The two may be at different servers, and word of who serves is on its way between them.
        if answer != Err(CallError::Nobody) || served.elapsed() > WITHIN {
            break (asked, answer);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(answer, Err(CallError::Timeout));
    assert!(asked.elapsed() >= short - Duration::from_millis(5));
    let call = next(&mut silent).await;
    assert_eq!((call.from, call.body), (node("n1"), b"?".to_vec()));
}

pub async fn what_is_addressed_to_a_node_is_heard_by_it_alone(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    let at = Topic::to(&node("n2"), "order").unwrap();
    assert_eq!(
        one.bus.subscribe(&at.clone().into()).await.err(),
        Some(Error::Denied)
    );
    assert_eq!(one.bus.serve(&at).await.err(), Some(Error::Denied));
    let mut curious = one.bus.subscribe(&pattern(">")).await.unwrap();
    let mut own = two.bus.subscribe(&pattern("node.n2.>")).await.unwrap();
    one.bus.publish(&at, b"now".to_vec()).unwrap();
    assert_eq!(next(&mut own).await, message("n1", at.as_str(), b"now"));
    nothing(&mut curious, Duration::from_millis(100)).await;
    let server = echo(&*two.bus, &at, "two").await;
    let answer = one.bus.request(&at, b"!".to_vec(), WITHIN).await;
    assert_eq!(answer, Ok(b"two !".to_vec()));
    server.abort();
}

/// More than any engine keeps for a listener that does not listen.
const FLOOD: u32 = 80_000;

pub async fn who_is_too_slow_learns_it(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    let mut slow = two.bus.subscribe(&pattern("flood")).await.unwrap();
    for n in 0..FLOOD {
        let body = n.to_string().into_bytes();
        while one.bus.publish(&topic("flood"), body.clone()) == Err(Error::Full) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    // Whoever comes later hears what comes later: behind the flood.
    let mut end = two.bus.subscribe(&pattern("end")).await.unwrap();
    one.bus.publish(&topic("end"), Vec::new()).unwrap();
    // An engine may not know which of a node's listeners was too slow, and tell all of them.
    let mut said = next(&mut end).await;
    while matches!(said, Delivery::Lagged(_)) {
        said = next(&mut end).await;
    }
    assert_eq!(said, message("n1", "end", b""));
    let mut heard = 0;
    let lagged = loop {
        match next(&mut slow).await {
            Delivery::Message { .. } => heard += 1,
            Delivery::Lagged(count) => break count,
            Delivery::Reconnected => panic!("the connection stands"),
        }
        assert!(heard < FLOOD, "all of it was kept");
    };
    assert!(lagged == 0 || u32::try_from(lagged).unwrap() + heard == FLOOD);
    assert!(two.counters.get(crate::Figure::Lagged) > 0);
    // It goes on.
    loop {
        one.bus.publish(&topic("flood"), b"after".to_vec()).unwrap();
        let after = tokio::time::timeout(Duration::from_secs(1), async {
            while next(&mut slow).await != message("n1", "flood", b"after") {}
        });
        if after.await.is_ok() {
            break;
        }
    }
}
