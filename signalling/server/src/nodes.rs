//! This server among other nodes: media hosts that come and go.
//!
//! In: what the registry tells. Out: connections to new hosts, and which of them take new calls.
//! A host that goes keeps its connection: calls that run there go on while the other nodes do not see it.
//! One that does not answer either is given up, and its people come back on the others.
//! `alone.rs` is the same for a program without the feature `cluster`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use node::{Facts, Kind, Other, Place, Report, Sight, State};
use serde_json::{Map, Value, json};
use service::listen::Admission;
use service::outgoing::Whom;
use service::supervise::{Restarts, Tasks};
use signalling_core::{Input, MediaHost};

use crate::config::Config;
use crate::door::rtcd::HostConfig;
use crate::engine::Engine;
use crate::metrics::NAMESPACE;

/// A media host that the other nodes miss is asked so often, with so much time in between, and may take
/// so long. More: whoever is on a dead host waits longer; less: a host that is busy counts as dead.
const ASKED: u32 = 2;
const ASKED_AGAIN: Duration = Duration::from_millis(300);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Who did not come over from a host that drains is asked again so often.
const ASKED_TO_MOVE: Duration = Duration::from_secs(10);

/// Says why these papers are of no use, in words.
pub(crate) use node::check_papers;

/// The place of this server among the others, where there are any. Clones are the same place.
#[derive(Debug, Clone)]
pub(crate) struct Nodes(Option<Place>);

/// The place of this process among the others, from before it serves. Clones are the same place.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    place: Place,
    /// Whose load is told, once there is one.
    people: Arc<OnceLock<Arc<Admission>>>,
}

impl Standing {
    /// Makes this process known to the others, as one that stands by.
    ///
    /// # Errors
    /// When its papers cannot be read.
    pub(crate) fn take(config: &Config, tasks: &Tasks) -> anyhow::Result<Self> {
        let papers = config.papers.as_ref();
        let papers = papers.context("no papers (cluster.papers)")?;
        let facts = Facts {
            kind: Kind::Signalling,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: config.site_url.clone(),
            links: String::new(),
            draining: false,
            stands_by: true,
            report: Report::default(),
        };
        let people: Arc<OnceLock<Arc<Admission>>> = Arc::default();
        let told = Arc::clone(&people);
        let load = move || told.get().map_or(0, |people| people.load());
        let place = Place::take(papers, facts, load, tasks)?;
        Ok(Self { place, people })
    }

    /// Tells the others that this process goes; a second at the longest.
    pub(crate) async fn leave(&self) {
        self.place.leave().await;
    }
}

impl Nodes {
    /// Makes this server known to the others, unless it is (`standing`), and begins to follow the media
    /// hosts among them; it signs in to them as `unnamed` says.
    ///
    /// # Errors
    /// When its papers cannot be read.
    pub(crate) fn join(
        engine: &Arc<Engine>,
        people: &Arc<Admission>,
        unnamed: &HostConfig,
        standing: Option<Standing>,
    ) -> anyhow::Result<Self> {
        let config = &engine.config;
        let standing = match standing {
            Some(standing) => standing,
            // Without calls there is nothing to find among them.
            None if config.papers.is_none() || config.calls.disabled => return Ok(Self(None)),
            None => Standing::take(config, &engine.tasks)?,
        };
        // It has no other admission yet: a process serves once.
        let _ = standing.people.set(people.clone());
        let place = standing.place;
        place.change(|facts| facts.stands_by = false);
        if config.calls.disabled {
            return Ok(Self(Some(place)));
        }
        let (following, followed, unnamed) = (engine.clone(), place.clone(), unnamed.clone());
        let follow = move || follow(following.clone(), followed.clone(), unnamed.clone());
        let name = "media hosts among the nodes";
        engine.tasks.restarted(name, follow, Restarts::default());
        Ok(Self(Some(place)))
    }

    /// Tells the others that this server goes; a second at the longest.
    pub(crate) async fn leave(&self) {
        if let Some(place) = &self.0 {
            place.leave().await;
        }
    }

    /// Its figures in Prometheus' text format; empty where there are no others.
    pub(crate) fn metrics(&self) -> String {
        let place = self.0.as_ref();
        place
            .map(|place| place.metrics(NAMESPACE))
            .unwrap_or_default()
    }

    /// What administrators are shown of the nodes.
    pub(crate) fn overview(&self) -> Value {
        let Some(place) = &self.0 else {
            return json!({"sight": "alone", "why": "", "nodes": []});
        };
        let others = place.others();
        let (sight, why) = match &others.sight {
            Sight::Joining(why) => ("joining", why.as_str()),
            Sight::Clear => ("clear", ""),
            Sight::Blind => ("blind", ""),
        };
        let nodes = others.nodes.iter();
        let counts = place.counts().into_iter();
        let engine: Map<String, Value> = counts
            .map(|(what, count)| (what.to_owned(), count.into()))
            .collect();
        json!({
            "node": place.node().as_str(),
            "site": place.site(),
            "sight": sight,
            "why": why,
            "nodes": nodes.map(|(id, other)| row(id.as_str(), other)).collect::<Value>(),
            "engine": engine,
        })
    }
}

fn row(id: &str, other: &Other) -> Value {
    let facts = other.facts.as_ref();
    // The last figures of one that is gone are true no longer.
    let is_there = matches!(other.state, State::Up | State::Suspect);
    let report = facts.filter(|_| is_there).map(|facts| &facts.report);
    json!({
        "id": id,
        "kind": facts.map_or_else(String::new, |facts| facts.kind.to_string()),
        "version": facts.map(|facts| &facts.version),
        "url": facts.map(|facts| &facts.url),
        "draining": facts.is_some_and(|facts| facts.draining),
        "stands_by": facts.is_some_and(|facts| facts.stands_by),
        "state": match other.state {
            State::Up => "up",
            State::Suspect => "suspect",
            State::Left => "left",
            State::Silent => "silent",
        },
        "since_ms": u64::try_from(other.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        "load": is_there.then_some(other.load),
        "calls": report.map(|report| report.calls),
        "sessions": report.map(|report| report.sessions),
        "links": report.map_or_else(Vec::new, |report| report.links.clone()),
    })
}

/// The other nodes miss a host. Whether it is there is for itself to say: they may be the ones who are cut
/// off.
async fn give_up_if_silent(engine: Arc<Engine>, host: MediaHost) {
    let client = Whom::OwnServices.client().timeout(ANSWER_WITHIN).build();
    let client = client.unwrap_or_default();
    for _ in 0..ASKED {
        let answer = client.get(format!("{}/version", host.0)).send().await;
        if answer.is_ok() {
            return;
        }
        tokio::time::sleep(ASKED_AGAIN).await;
    }
    engine.media_hosts.give_up(&host).await;
}

/// People on a host that drains are asked to come over to another, again and again while it drains and
/// is there.
async fn move_people(engine: Arc<Engine>, place: Place, host: MediaHost) {
    let drains = || {
        let others = place.others();
        others.nodes.values().any(|other| {
            let facts = other.facts.as_ref();
            let is_it = facts.is_some_and(|facts| facts.url == host.0 && facts.draining);
            is_it && other.state == State::Up
        })
    };
    tracing::info!(
        host = host.0,
        "a media host drains: its people are asked to come over to another"
    );
    while drains() {
        for channel in engine.registry.channels() {
            let host = host.clone();
            engine.input(&channel, Input::MediaHostStops { host }).await;
        }
        tokio::time::sleep(ASKED_TO_MOVE).await;
    }
}

/// Follows the media hosts among the nodes, for as long as the server lives.
async fn follow(engine: Arc<Engine>, place: Place, unnamed: HostConfig) {
    let mut others = place.follow();
    let mut missing: BTreeSet<MediaHost> = BTreeSet::new();
    let mut moving: BTreeSet<MediaHost> = BTreeSet::new();
    loop {
        let now = others.borrow_and_update().clone();
        // Two starts may have one address, under two names: what counts is whether one of them is up.
        let mut hosts: BTreeMap<MediaHost, bool> = BTreeMap::new();
        let mut seen: BTreeSet<MediaHost> = BTreeSet::new();
        let mut linked: BTreeSet<MediaHost> = BTreeSet::new();
        let mut draining: BTreeSet<MediaHost> = BTreeSet::new();
        for other in now.nodes.values() {
            let facts = other.facts.as_ref();
            let Some(facts) = facts.filter(|facts| facts.kind == Kind::Media) else {
                continue;
            };
            let host = MediaHost(facts.url.clone());
            if !matches!(other.state, State::Silent | State::Left) {
                seen.insert(host.clone());
            }
            if !facts.links.is_empty() {
                linked.insert(host.clone());
                if facts.draining && other.state == State::Up {
                    draining.insert(host.clone());
                }
            }
            *hosts.entry(host).or_default() |= other.takes_more();
        }
        let has_others = linked.iter().any(|host| hosts.get(host) == Some(&true));
        for host in draining.iter().filter(|_| has_others) {
            if moving.insert(host.clone()) {
                let move_people = move_people(engine.clone(), place.clone(), host.clone());
                engine
                    .tasks
                    .one_of("media host that drains", move_people, |_| {});
            }
        }
        moving.retain(|host| draining.contains(host));
        missing.retain(|host| !seen.contains(host));
        for host in hosts.keys().filter(|host| !seen.contains(host)) {
            if missing.insert(host.clone()) {
                let look = give_up_if_silent(engine.clone(), host.clone());
                engine
                    .tasks
                    .one_of("media host that is missed", look, |_| {});
            }
        }
        for (name, takes_more) in hosts {
            if takes_more {
                engine.media_hosts.add(HostConfig {
                    base: name.0.clone(),
                    ..unnamed.clone()
                });
            }
            engine.media_hosts.let_take_more(&name, takes_more);
            if linked.contains(&name) {
                engine.media_hosts.is_linked(&name);
            }
        }
        if others.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn figures_are_of_nodes_that_are_there() {
        let facts = Facts {
            kind: Kind::Media,
            version: "1".to_owned(),
            url: "http://media:8045".to_owned(),
            links: String::new(),
            draining: false,
            stands_by: false,
            report: Report {
                calls: 2,
                sessions: 5,
                links: Vec::new(),
            },
        };
        let seen = |state| {
            let other = Other {
                facts: Some(facts.clone()),
                state,
                since: Instant::now(),
                load: 0,
            };
            let row = row("media", &other);
            ["load", "calls", "sessions"].map(|key| row[key].as_u64())
        };
        assert_eq!(seen(State::Up), [Some(0), Some(2), Some(5)]);
        assert_eq!(seen(State::Suspect), seen(State::Up));
        assert_eq!(seen(State::Left), [None; 3]);
        assert_eq!(seen(State::Silent), [None; 3]);
    }
}
