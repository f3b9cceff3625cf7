//! The media hosts: one link per rtcd, and the choice of a host for a new call.
//!
//! In: control messages for a host. Out: `MediaNews` from all of them.
//! Not here: the life of one connection (`links::link`), its HTTP side (`links::api`).
//! Invariant: messages for one host arrive in the order they were sent; when a host is away they
//! wait, up to `QUEUE`, and what exceeds that is dropped and counted.

mod api;
mod link;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::id::{CallId, SessionId};
use proto::redact::Secret;
use proto::rtcd::ControlMessage;
use service::Tasks;
use signalling_core::MediaHost;
use tokio::sync::mpsc;

use crate::metrics::Metrics;

/// Messages that wait for a host that is away; more would be stale before they arrive.
const QUEUE: usize = 4096;

/// What a media host says.
#[derive(Debug)]
pub(crate) enum MediaNews {
    Signal { session: SessionId, json: String },
    Voice { session: SessionId, on: bool },
    Closed { session: SessionId },
}

/// How a host is reached.
#[derive(Debug, Clone)]
pub(crate) struct HostConfig {
    /// `http://host:port`.
    pub(crate) base: String,
    pub(crate) client_id: String,
    pub(crate) auth_key: Secret,
    /// Sessions of running calls that the host should still have.
    pub(crate) known: BTreeMap<SessionId, CallId>,
}

/// What is known about a host right now.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostStatus {
    pub(crate) connected: bool,
    /// `None` until measured.
    pub(crate) cpu_load: Option<f64>,
    pub(crate) version: String,
    pub(crate) build: String,
    /// Why it is not connected, in words.
    pub(crate) trouble: String,
}

/// A status that the link writes and everybody reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedStatus(Arc<Mutex<HostStatus>>);

impl SharedStatus {
    pub(crate) fn read(&self) -> HostStatus {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut HostStatus)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// All links.
#[derive(Debug)]
pub(crate) struct Links {
    links: BTreeMap<MediaHost, Link>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Link {
    messages: mpsc::Sender<ControlMessage>,
    status: SharedStatus,
}

impl Links {
    /// Begins to connect to every host.
    pub(crate) fn start(
        hosts: Vec<HostConfig>,
        news: &mpsc::Sender<MediaNews>,
        metrics: Arc<Metrics>,
        tasks: &Tasks,
    ) -> Self {
        let links = hosts.into_iter().map(|host| {
            let (messages, receiver) = mpsc::channel(QUEUE);
            let status = SharedStatus::default();
            let name = MediaHost(host.base.clone());
            let task = format!("link to {}", name.0);
            tasks.must_live(
                task,
                link::run(host, receiver, news.clone(), status.clone()),
            );
            (name, Link { messages, status })
        });
        Self {
            links: links.collect(),
            metrics,
        }
    }

    pub(crate) fn send(&self, host: &MediaHost, message: ControlMessage) {
        let sent = self
            .links
            .get(host)
            .map(|link| link.messages.try_send(message).is_ok());
        match sent {
            Some(true) => {}
            Some(false) => self
                .metrics
                .media_dropped
                .with_label_values(&["queue_full"])
                .inc(),
            None => self
                .metrics
                .media_dropped
                .with_label_values(&["unknown_host"])
                .inc(),
        }
    }

    /// The connected host with the lowest load; why there is none, in words.
    pub(crate) fn choose(&self) -> Result<MediaHost, String> {
        let connected = self.links.iter().filter_map(|(host, link)| {
            let status = link.status.read();
            status
                .connected
                .then(|| (host, status.cpu_load.unwrap_or(f64::MAX)))
        });
        let least = connected.min_by(|(_, a), (_, b)| a.total_cmp(b));
        least
            .map(|(host, _)| host.clone())
            .ok_or_else(|| self.troubles().join("; "))
    }

    /// What is wrong with hosts that are not connected.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let statuses = self
            .links
            .iter()
            .map(|(host, link)| (host, link.status.read()));
        statuses
            .filter(|(_, status)| !status.connected)
            .map(|(host, status)| format!("media host {}: {}", host.0, status.trouble))
            .collect()
    }

    /// The status of a connected host, for version numbers.
    pub(crate) fn any_connected(&self) -> Option<HostStatus> {
        self.links
            .values()
            .map(|link| link.status.read())
            .find(|status| status.connected)
    }

    /// Connected and configured hosts.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let connected = self
            .links
            .values()
            .filter(|link| link.status.read().connected)
            .count();
        (connected, self.links.len())
    }

    pub(crate) fn knows(&self, host: &MediaHost) -> bool {
        self.links.contains_key(host)
    }
}
