//! This server among other nodes: media hosts that come and go.
//!
//! In: what the registry tells. Out: connections to new hosts, and which of them take new calls.
//! A host that goes keeps its connection: calls that run there go on while the other nodes do not see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use node::{Facts, Kind, Place};
use proto::redact::Secret;
use service::Tasks;
use service::listen::Admission;
use signalling_core::MediaHost;

use crate::config::Config;
use crate::door::rtcd::HostConfig;
use crate::engine::Engine;

/// How this server signs in to media hosts that it finds.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) client_id: String,
    pub(crate) auth_key: Secret,
}

/// Makes this server known to the others, where there are any.
///
/// # Errors
/// When its papers cannot be read.
pub(crate) fn take_place(
    config: &Config,
    people: &Arc<Admission>,
    tasks: &Tasks,
) -> Result<Option<Place>, node::Unfit> {
    let Some(papers) = &config.papers else {
        return Ok(None);
    };
    let facts = Facts {
        kind: Kind::Signalling,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        url: config.site_url.clone(),
        draining: false,
    };
    let people = people.clone();
    Place::take(papers, facts, move || people.load(), tasks).map(Some)
}

/// Follows the media hosts among the nodes, for as long as the server lives.
pub(crate) async fn follow(engine: Arc<Engine>, place: Place, access: Access) {
    let mut others = place.follow();
    loop {
        let now = others.borrow_and_update().clone();
        // Two starts may have one address, under two names: what counts is whether one of them is up.
        let mut hosts: BTreeMap<MediaHost, bool> = BTreeMap::new();
        for other in now.nodes.values() {
            let facts = other.facts.as_ref();
            if let Some(facts) = facts.filter(|facts| facts.kind == Kind::Media) {
                *hosts.entry(MediaHost(facts.url.clone())).or_default() |= other.takes_more();
            }
        }
        for (name, takes_more) in hosts {
            if takes_more {
                engine.media_hosts.add(HostConfig {
                    base: name.0.clone(),
                    client_id: access.client_id.clone(),
                    auth_key: access.auth_key.clone(),
                    known: Vec::new(),
                });
            }
            engine.media_hosts.let_take_more(&name, takes_more);
        }
        if others.changed().await.is_err() {
            return;
        }
    }
}
