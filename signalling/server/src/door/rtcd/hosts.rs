//! The media hosts: one connection per rtcd, and the choice of a host for a new call.
//!
//! In: control messages for a host. Out: `MediaNews` from all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::id::SessionId;
use proto::redact::Secret;
use proto::rtcd::ControlMessage;
use service::Tasks;
use signalling_core::MediaHost;
use tokio::sync::mpsc;

use crate::metrics::Metrics;

use super::backlog::{KnownSession, Refused};
use super::connection::Connection;
use super::outbox::Outbox;

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

/// A status that the connection writes and everybody reads.
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

/// All of them.
#[derive(Debug)]
pub(crate) struct MediaHosts {
    hosts: BTreeMap<MediaHost, Host>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Host {
    outbox: Outbox,
    status: SharedStatus,
}

impl MediaHosts {
    /// Begins to connect to every host.
    pub(crate) fn start(
        hosts: Vec<HostConfig>,
        news: &mpsc::Sender<MediaNews>,
        metrics: Arc<Metrics>,
        tasks: &Tasks,
    ) -> Self {
        let hosts = hosts.into_iter().map(|mut host| {
            let outbox = Outbox::new(std::mem::take(&mut host.known));
            let status = SharedStatus::default();
            let name = MediaHost(host.base.clone());
            let connection = Connection {
                host,
                outbox: outbox.clone(),
                news: news.clone(),
                status: status.clone(),
                metrics: metrics.clone(),
            };
            tasks.must_live(format!("connection to {}", name.0), connection.run());
            (name, Host { outbox, status })
        });
        Self {
            hosts: hosts.collect(),
            metrics,
        }
    }

    /// Tells a host something, now or when it is back. Never waits.
    pub(crate) fn send(&self, name: &MediaHost, message: ControlMessage) {
        let Some(host) = self.hosts.get(name) else {
            return self.count_dropped("unknown_host");
        };
        match host.outbox.push(message) {
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
        self.hosts.values().map(|host| host.outbox.len()).sum()
    }

    fn count_dropped(&self, reason: &str) {
        self.metrics
            .media_dropped
            .with_label_values(&[reason])
            .inc();
    }

    /// The connected host with the lowest load; why there is none, in words.
    pub(crate) fn choose(&self) -> Result<MediaHost, String> {
        let connected = self.hosts.iter().filter_map(|(name, host)| {
            let status = host.status.read();
            status
                .connected
                .then(|| (name, status.cpu_load.unwrap_or(f64::MAX)))
        });
        let least = connected.min_by(|(_, a), (_, b)| a.total_cmp(b));
        least
            .map(|(name, _)| name.clone())
            .ok_or_else(|| self.troubles().join("; "))
    }

    pub(crate) fn is_connected(&self, name: &MediaHost) -> bool {
        let host = self.hosts.get(name);
        host.is_some_and(|host| host.status.read().connected)
    }

    /// What is wrong with hosts that are not connected.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let statuses = self
            .hosts
            .iter()
            .map(|(name, host)| (name, host.status.read()));
        statuses
            .filter(|(_, status)| !status.connected)
            .map(|(name, status)| format!("media host {}: {}", name.0, status.trouble))
            .collect()
    }

    /// The status of a connected host, for version numbers.
    pub(crate) fn any_connected(&self) -> Option<HostStatus> {
        self.hosts
            .values()
            .map(|host| host.status.read())
            .find(|status| status.connected)
    }

    /// Connected and configured hosts.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let connected = self
            .hosts
            .values()
            .filter(|host| host.status.read().connected)
            .count();
        (connected, self.hosts.len())
    }

    pub(crate) fn knows(&self, name: &MediaHost) -> bool {
        self.hosts.contains_key(name)
    }
}

#[cfg(test)]
impl MediaHosts {
    /// One host that is always there, and what it is told.
    pub(crate) fn with_host_for_test(
        name: &MediaHost,
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
        let hosts = BTreeMap::from([(name.clone(), Host { outbox, status })]);
        (Self { hosts, metrics }, told)
    }
}
