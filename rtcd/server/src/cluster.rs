//! This node among others of a cluster.
//!
//! In: the papers that the configuration names, and how loaded this machine is. Out: the others know of
//! this node, that it drains and that it goes; legs of one call on several nodes are joined (`links`).
//! `alone.rs` is the same for a program without the feature
//! `cluster`.

mod links;
mod report;

use std::sync::Arc;

use node::{Facts, Kind, Mesh, Place, Report};
use service::{Restarts, Tasks};

use crate::config::{Config, Probe};
use crate::system::CpuLoad;
pub(crate) use links::Links;
use links::Met;

/// Says why these papers are of no use, in words.
pub(crate) use node::check_papers;

/// The place of this node among the others, where there are any. Clones are the same place.
#[derive(Debug, Clone)]
pub(crate) struct Cluster(Option<(Place, Option<Mesh>)>);

impl Cluster {
    /// Makes this node known to the others.
    ///
    /// # Errors
    /// When the papers cannot be read.
    pub(crate) fn join(
        config: &Config,
        load: &CpuLoad,
        links: Links,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let Some(cluster) = &config.cluster else {
            return Ok(Self(None));
        };
        let facts = Facts {
            kind: Kind::Media,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: cluster.url.clone(),
            links: cluster.link_address.clone().unwrap_or_default(),
            draining: false,
            stands_by: false,
            report: Report::default(),
        };
        let (load, cpus) = (load.clone(), Probe::of_this_machine().cpus);
        let load = move || load.thousandths(cpus);
        let control = Arc::clone(&links.control);
        let place = Place::take(&cluster.papers, facts, load, tasks)?;
        let mesh = cluster.link_address.as_ref().map(|address| {
            let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
            let at = (host, port.parse().unwrap_or(0));
            let place_of = place.clone();
            let met = Met {
                links,
                place: place_of,
            };
            Mesh::start(&place, &cluster.papers, at, met, tasks)
        });
        let mesh = mesh.transpose()?;
        let (own, wires) = (place.clone(), mesh.clone());
        let tell = move || report::tell(own.clone(), wires.clone(), Arc::clone(&control));
        tasks.restarted("report to the other nodes", tell, Restarts::default());
        Ok(Self(Some((place, mesh))))
    }

    /// Tells the others to give this node nothing new.
    pub(crate) fn drain(&self) {
        if let Some((place, _)) = &self.0 {
            place.change(|facts| facts.draining = true);
        }
    }

    /// Tells the others that this node goes; a second at the longest.
    pub(crate) async fn leave(&self) {
        if let Some((place, mesh)) = &self.0 {
            place.leave().await;
            if let Some(mesh) = mesh {
                mesh.end();
            }
        }
    }

    /// Its figures in Prometheus' text format; empty where there are no others.
    pub(crate) fn metrics(&self) -> String {
        let Some((place, mesh)) = &self.0 else {
            return String::new();
        };
        let links = mesh.as_ref().map(|mesh| mesh.metrics("rtcd"));
        place.metrics("rtcd") + &links.unwrap_or_default()
    }
}
