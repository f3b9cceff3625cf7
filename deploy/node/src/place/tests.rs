//! A place in a world of memory: who comes, dies, goes, and servers that are away.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use cluster::memory::World;

use super::*;
use crate::{Kind, Report, State};

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn facts() -> Facts {
    Facts {
        kind: Kind::Media,
        version: "1".to_owned(),
        url: "http://a:1".to_owned(),
        links: String::new(),
        draining: false,
        stands_by: false,
        report: Report::default(),
    }
}

/// A node in this world; its load can be set, and its servers can be away.
struct Node {
    place: Place,
    load: Arc<AtomicU16>,
    tasks: Tasks,
}

fn node(world: &World, name: &str, is_away: &Arc<AtomicBool>) -> Node {
    let (load, tasks) = (Arc::new(AtomicU16::new(100)), Tasks::new("test"));
    let (world, own, is_away) = (world.clone(), id(name), Arc::clone(is_away));
    let open = move || {
        let engine = world.engine(&own);
        let is_away = is_away.load(Ordering::Relaxed);
        std::future::ready(if is_away {
            Err("the servers are away".to_owned())
        } else {
            Ok(engine)
        })
    };
    let told = Arc::clone(&load);
    let load_now: Load = Arc::new(move || told.load(Ordering::Relaxed));
    let place = Place::with(id(name), "site".to_owned(), facts(), load_now, &tasks, open);
    Node { place, load, tasks }
}

async fn until(place: &Place, holds: impl Fn(&Others) -> bool) {
    let mut others = place.follow();
    let seen = tokio::time::timeout(
        Duration::from_secs(60),
        others.wait_for(|others| holds(others)),
    );
    let seen = seen.await.map(|seen| seen.is_ok());
    assert_eq!(seen, Ok(true), "{:?}", place.others());
}

fn state(others: &Others, name: &str) -> Option<State> {
    others.nodes.get(&id(name)).map(|other| other.state)
}

#[tokio::test(start_paused = true)]
async fn who_takes_a_place_is_seen_with_what_it_says_and_when_it_goes() {
    let (world, here) = (World::new(), Arc::default());
    let (one, two) = (node(&world, "one", &here), node(&world, "two", &here));
    until(&one.place, |others| state(others, "two") == Some(State::Up)).await;
    until(&two.place, |others| state(others, "one") == Some(State::Up)).await;
    two.load.store(700, Ordering::Relaxed);
    until(&one.place, |others| others.nodes[&id("two")].load == 700).await;
    assert!(one.place.others().nodes[&id("two")].takes_more());
    two.place.change(|facts| facts.draining = true);
    until(&one.place, |others| !others.nodes[&id("two")].takes_more()).await;
    let began = Instant::now();
    two.place.leave().await;
    until(&one.place, |others| {
        state(others, "two") == Some(State::Left)
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    // A second farewell is none.
    two.place.leave().await;
    assert!(two.tasks.over().is_none());
}

#[tokio::test(start_paused = true)]
async fn who_dies_is_missed_and_who_comes_again_is_there() {
    let (world, here) = (World::new(), Arc::default());
    let (one, two) = (node(&world, "one", &here), node(&world, "two", &here));
    until(&one.place, |others| state(others, "two") == Some(State::Up)).await;
    two.tasks.stop().await;
    until(&one.place, |others| {
        state(others, "two") == Some(State::Silent)
    })
    .await;
    let again = node(&world, "two", &here);
    until(&one.place, |others| state(others, "two") == Some(State::Up)).await;
    again.place.leave().await;
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_away_are_waited_for_and_the_reason_is_told() {
    let (world, away) = (World::new(), Arc::new(AtomicBool::new(true)));
    let one = node(&world, "one", &away);
    let why = Sight::Joining("the servers are away".to_owned());
    until(&one.place, |others| others.sight == why).await;
    assert_eq!(one.place.counts(), []);
    away.store(false, Ordering::Relaxed);
    until(&one.place, |others| state(others, "one") == Some(State::Up)).await;
    assert_eq!(one.place.others().sight, Sight::Clear);
    assert!(!one.place.counts().is_empty());
    // Whoever goes before it came is not waited for.
    let never = node(&world, "never", &Arc::new(AtomicBool::new(true)));
    let began = Instant::now();
    never.place.leave().await;
    assert!(began.elapsed() < FAREWELL, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_it_counts_is_in_the_manuals_of_both_programs() {
    let one = node(&World::new(), "one", &Arc::default());
    until(&one.place, |others| state(others, "one") == Some(State::Up)).await;
    for (prefix, shown, manual) in [
        (
            "rtcd",
            "rtcd_",
            include_str!("../../../../rtcd/server/README.md"),
        ),
        (
            "calls",
            "",
            include_str!("../../../../signalling/server/README.md"),
        ),
    ] {
        let text = one.place.metrics(prefix);
        assert!(text.contains("cluster_nodes{state=\"up\"} 1"), "{text}");
        assert!(text.contains("cluster_sight{site=\"site\"} 1"), "{text}");
        let names = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
        let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names.len(), 3);
        for name in names {
            let name = name.strip_prefix(prefix).unwrap().trim_start_matches('_');
            assert!(
                manual.contains(&format!("`{shown}{name}`")),
                "{prefix}: {name}"
            );
        }
    }
}
