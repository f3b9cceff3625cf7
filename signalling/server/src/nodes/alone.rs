//! A server that knows no other node: what `nodes.rs` is in a program built without the feature `cluster`.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use service::listen::Admission;

use crate::door::rtcd::HostConfig;
use crate::engine::Engine;

const WITHOUT: &str = "this signalling was built without the feature `cluster`: build it with `--features \
                       cluster`, or leave the setting empty";

/// No papers are of use here.
pub(crate) fn check_papers(_papers: &Path) -> Result<(), String> {
    Err(WITHOUT.to_owned())
}

/// Nobody stands by.
pub(crate) type Standing = std::convert::Infallible;

/// Nobody else is there.
#[derive(Debug, Clone)]
pub(crate) struct Nodes;

impl Nodes {
    pub(crate) fn join(
        engine: &Arc<Engine>,
        _people: &Arc<Admission>,
        _unnamed: &HostConfig,
        _standing: Option<Standing>,
    ) -> anyhow::Result<Self> {
        if engine.config.papers.is_some() {
            anyhow::bail!("`cluster.papers` is set, and {WITHOUT}");
        }
        Ok(Self)
    }

    pub(crate) fn leave(&self) -> std::future::Ready<()> {
        std::future::ready(())
    }

    pub(crate) fn metrics(&self) -> String {
        String::new()
    }

    pub(crate) fn overview(&self) -> Value {
        json!({"sight": "alone", "why": "", "nodes": []})
    }
}
