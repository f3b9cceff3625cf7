//! A node that knows no other: what `cluster.rs` is in a program built without the feature `cluster`.

use std::path::Path;

use service::Tasks;

use std::sync::Arc;

use crate::advertiser::Advertiser;
use crate::config::Config;
use crate::control::Control;
use crate::driver::InboxSender;
use crate::metrics::Metrics;
use crate::system::CpuLoad;

const WITHOUT: &str = "this rtcd was built without the feature `cluster`: build it with `--features \
                       cluster`, or leave the setting empty";

/// No papers are of use here.
pub(crate) fn check_papers(_papers: &Path) -> Result<(), String> {
    Err(WITHOUT.to_owned())
}

/// What links would need.
#[derive(Debug)]
#[expect(dead_code, reason = "there are no links")]
pub(crate) struct Links {
    pub(crate) control: Arc<Control>,
    pub(crate) inboxes: Vec<InboxSender>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) advertiser: Arc<Advertiser>,
    pub(crate) tasks: Tasks,
}

/// Nobody else is there.
#[derive(Debug, Clone)]
pub(crate) struct Cluster;

impl Cluster {
    pub(crate) fn join(
        config: &Config,
        _load: &CpuLoad,
        _links: Links,
        _tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        if config.cluster.is_some() {
            anyhow::bail!("`cluster.papers` is set, and {WITHOUT}");
        }
        Ok(Self)
    }

    pub(crate) fn drain(&self) {}

    pub(crate) fn leave(&self) -> std::future::Ready<()> {
        std::future::ready(())
    }

    pub(crate) fn metrics(&self) -> String {
        String::new()
    }
}
