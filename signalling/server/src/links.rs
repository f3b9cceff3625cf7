//! The media hosts: one link per rtcd, and the choice of a host for a new call.
//!
//! In: control messages for a host. Out: `MediaNews` from all of them.
//! Not here: the life of one connection (`links::link`), its HTTP side (`links::api`),
//! what a host must be told and told again (`links::backlog`).
//! Invariant: telling a host something never waits; state that was told arrives, however long the
//! host was away.

mod api;
mod backlog;
mod link;
mod outbox;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::id::SessionId;
use proto::redact::Secret;
use proto::rtcd::ControlMessage;
use service::Tasks;
use signalling_core::MediaHost;
use tokio::sync::mpsc;

use crate::metrics::Metrics;

pub(crate) use backlog::KnownSession;
use backlog::Refused;
use outbox::Outbox;

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
    pub(crate) known: Vec<KnownSession>,
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
    outbox: Outbox,
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
        let links = hosts.into_iter().map(|mut host| {
            let outbox = Outbox::new(std::mem::take(&mut host.known));
            let status = SharedStatus::default();
            let name = MediaHost(host.base.clone());
            let link = link::Link {
                host,
                outbox: outbox.clone(),
                news: news.clone(),
                status: status.clone(),
                metrics: metrics.clone(),
            };
            tasks.must_live(format!("link to {}", name.0), link.run());
            (name, Link { outbox, status })
        });
        Self {
            links: links.collect(),
            metrics,
        }
    }

    /// Tells a host something, now or when it is back. Never waits.
    pub(crate) fn send(&self, host: &MediaHost, message: ControlMessage) {
        let Some(link) = self.links.get(host) else {
            return self.count_dropped("unknown_host");
        };
        match link.outbox.push(message) {
            Ok(()) => {}
            Err(Refused::NoSession) => self.count_dropped("no_session"),
            Err(Refused::NotForHosts) => self.count_dropped("not_for_hosts"),
            Err(Refused::GivenUp) => self
                .metrics
                .media_sessions_lost
                .with_label_values(&["too_many_signals"])
                .inc(),
        }
    }

    /// Messages that wait for hosts.
    pub(crate) fn waiting(&self) -> usize {
        self.links.values().map(|link| link.outbox.len()).sum()
    }

    fn count_dropped(&self, reason: &str) {
        self.metrics
            .media_dropped
            .with_label_values(&[reason])
            .inc();
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

    pub(crate) fn is_connected(&self, host: &MediaHost) -> bool {
        let link = self.links.get(host);
        link.is_some_and(|link| link.status.read().connected)
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

#[cfg(test)]
impl Links {
    /// One host that is always there, and what it is told.
    pub(crate) fn with_host_for_test(
        host: &MediaHost,
        metrics: Arc<Metrics>,
    ) -> (Self, mpsc::Receiver<ControlMessage>) {
        let (sender, told) = mpsc::channel(4096);
        let status = SharedStatus::default();
        status.change(|status| status.connected = true);
        let outbox = Outbox::default();
        let taken = outbox.clone();
        tokio::spawn(async move {
            loop {
                taken.ready().await;
                let mut waiting = std::iter::from_fn(|| taken.take());
                let sent = waiting.all(|message| sender.try_send(message).is_ok());
                if !sent {
                    return;
                }
                taken
                    .ping()
                    .into_iter()
                    .for_each(|ping| taken.confirm(ping));
            }
        });
        let link = Link { outbox, status };
        let links = BTreeMap::from([(host.clone(), link)]);
        (Self { links, metrics }, told)
    }
}
