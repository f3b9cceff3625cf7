//! Floods against the binary, short: a running call goes on, and what was taken is given back.
//!
//! Limits here hold on a small machine that does much else; `benches/run floods` has the real ones.

use std::path::Path;
use std::time::Duration;

use flood::call::{Call, Figures};
use flood::server::Server;
use flood::{Strength, floods};

/// What a call may notice of a build for tests on a machine that does much else.
const MOST_DELAY: Duration = Duration::from_secs(2);
const MOST_LOSS: f64 = 5.0;
/// What may stay of the memory all floods took: the allocator keeps some for the next.
const MOST_KEPT: u64 = 96 << 20;
/// Sessions without an offer last ten seconds.
const RETURNS_WITHIN: Duration = Duration::from_secs(60);

fn strength() -> Strength {
    Strength {
        time: Duration::from_secs(2),
        connections: 2500,
        messages_per_second: 25,
        datagrams_per_second: Some(20_000),
    }
}

fn stands(what: &str, poured: u64, figures: Figures) {
    assert!(poured > 0, "{what}: nothing was poured");
    assert!(figures.sent > 100, "{what}: {figures:?}");
    assert!(figures.loss() < MOST_LOSS, "{what}: {figures:?}");
    assert!(figures.p50 < MOST_DELAY / 2, "{what}: {figures:?}");
    assert!(figures.p99 < MOST_DELAY, "{what}: {figures:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_stands_floods_and_memory_returns() {
    let server = Server::start(Path::new(env!("CARGO_BIN_EXE_rtcd")))
        .await
        .unwrap();
    let call = Call::start(&server).await.unwrap();
    let before = (server.memory().unwrap(), server.descriptors().unwrap());
    let strength = strength();

    let mark = call.mark();
    let poured = floods::garbage(&server, strength).await.unwrap();
    stands("garbage", poured, call.since(mark).await);

    let mark = call.mark();
    let poured = floods::unknown_names(&server, strength).await.unwrap();
    stands("unknown names", poured, call.since(mark).await);

    let mark = call.mark();
    let poured = floods::silent_joins(&server, strength).await.unwrap();
    stands("silent joins", poured, call.since(mark).await);

    let mark = call.mark();
    let poured = floods::long_offers(&server, strength).await.unwrap();
    stands("long offers", poured, call.since(mark).await);

    let mark = call.mark();
    let poured = floods::renegotiations(&server, strength).await.unwrap();
    stands("renegotiations", poured, call.since(mark).await);

    for (what, port) in [("media", server.media), ("http", server.http)] {
        let mark = call.mark();
        let held = floods::half_open(port, strength).await.unwrap();
        tokio::time::sleep(strength.time).await;
        let poured = u64::try_from(held.len()).unwrap();
        stands(&format!("half-open {what}"), poured, call.since(mark).await);
    }

    let goal = (before.0 + MOST_KEPT, before.1 + 16);
    let after = server.settles(goal, RETURNS_WITHIN).await.unwrap();
    assert!(
        after.0 <= goal.0 && after.1 <= goal.1,
        "bytes and descriptors: {before:?} before, {after:?} after"
    );
    call.end().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_keep_nobody_out() {
    let server = Server::start(Path::new(env!("CARGO_BIN_EXE_rtcd")))
        .await
        .unwrap();
    // More than the node keeps; all are held while the participants come.
    let strength = Strength {
        connections: 5000,
        ..strength()
    };
    let held = floods::half_open(server.media, strength).await.unwrap();
    assert!(held.len() > 1500, "{} connections", held.len());
    assert!(server.descriptors().unwrap() < 1500, "all of them are kept");
    let call = Call::start_over_tcp(&server).await.unwrap();
    let mark = call.mark();
    tokio::time::sleep(Duration::from_secs(2)).await;
    stands("a call over TCP", 1, call.since(mark).await);
    drop(held);
    call.end().unwrap();
}
