//! This node among others of a cluster.
//!
//! In: the papers that the configuration names, and how loaded this machine is. Out: the others know of
//! this node, that it drains and that it goes. `alone.rs` is the same for a program without the feature
//! `cluster`.

use node::{Facts, Kind, Place};
use service::Tasks;

use crate::config::{Config, Probe};
use crate::system::CpuLoad;

/// Says why these papers are of no use, in words.
pub(crate) use node::check_papers;

/// The place of this node among the others, where there are any. Clones are the same place.
#[derive(Debug, Clone)]
pub(crate) struct Cluster(Option<Place>);

impl Cluster {
    /// Makes this node known to the others.
    ///
    /// # Errors
    /// When the papers cannot be read.
    pub(crate) fn join(config: &Config, load: &CpuLoad, tasks: &Tasks) -> anyhow::Result<Self> {
        let Some(cluster) = &config.cluster else {
            return Ok(Self(None));
        };
        let facts = Facts {
            kind: Kind::Media,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: cluster.url.clone(),
            draining: false,
        };
        let (load, cpus) = (load.clone(), Probe::of_this_machine().cpus);
        let load = move || load.thousandths(cpus);
        Ok(Self(Some(Place::take(
            &cluster.papers,
            facts,
            load,
            tasks,
        )?)))
    }

    /// Tells the others to give this node nothing new.
    pub(crate) fn drain(&self) {
        if let Some(place) = &self.0 {
            place.change(|facts| facts.draining = true);
        }
    }

    /// Tells the others that this node goes; a second at the longest.
    pub(crate) async fn leave(&self) {
        if let Some(place) = &self.0 {
            place.leave().await;
        }
    }

    /// Its figures in Prometheus' text format; empty where there are no others.
    pub(crate) fn metrics(&self) -> String {
        let place = self.0.as_ref();
        place.map(|place| place.metrics("rtcd")).unwrap_or_default()
    }
}
