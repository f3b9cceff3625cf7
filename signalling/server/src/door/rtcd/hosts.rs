//! The media hosts: one connection per rtcd, and the choice of a host for a new call.
//!
//! In: control messages for a host; hosts that come while the server runs. Out: `MediaNews` from all of
//! them.
//! Invariant: a host that was there once stays: its sessions may come back with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use proto::id::{CallId, SessionId};
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
    Signal {
        session: SessionId,
        json: String,
    },
    Voice {
        session: SessionId,
        on: bool,
    },
    /// `host` has it, says `from`, and may be spoken to.
    Elsewhere {
        session: SessionId,
        from: MediaHost,
        host: MediaHost,
    },
    Closed {
        session: SessionId,
    },
    /// Its host is gone, or was started anew.
    Lost {
        session: SessionId,
    },
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
    /// A call may be at it and at others: they pass its media on to each other.
    pub(crate) is_linked: bool,
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

/// All hosts, for each of their connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Others(Arc<Mutex<BTreeMap<MediaHost, Known>>>);

#[derive(Debug)]
struct Known {
    status: SharedStatus,
    outbox: Outbox,
}

impl Others {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<MediaHost, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, name: MediaHost, status: SharedStatus, outbox: Outbox) {
        self.lock().insert(name, Known { status, outbox });
    }

    /// Whether the calls of this host can go on at another: both pass media on to each other.
    pub(super) fn can_do_without(&self, status: &SharedStatus) -> bool {
        let known = self.lock();
        let others = known.values().map(|known| &known.status);
        let mut others = others.filter(|other| !Arc::ptr_eq(&other.0, &status.0));
        let serves = |other: &SharedStatus| {
            let other = other.read();
            other.connected && other.is_linked
        };
        status.read().is_linked && others.any(serves)
    }

    /// The host that is spoken to about a session.
    pub(super) fn host_of(&self, session: &SessionId) -> Option<MediaHost> {
        let known = self.lock();
        let mut hosts = known.iter();
        let of_it = hosts.find(|(_, known)| known.outbox.has(session));
        of_it.map(|(name, _)| name.clone())
    }

    /// The calls of all hosts.
    pub(super) fn calls(&self) -> BTreeSet<CallId> {
        let known = self.lock();
        let calls = known.values().map(|known| known.outbox.calls());
        calls.flatten().collect()
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct MediaHosts {
    hosts: RwLock<BTreeMap<MediaHost, Host>>,
    others: Others,
    news: mpsc::Sender<MediaNews>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

#[derive(Debug, Clone)]
struct Host {
    /// As whom we speak to it.
    client_id: String,
    outbox: Outbox,
    status: SharedStatus,
    /// New calls may go to it.
    takes_more: bool,
}

impl MediaHosts {
    /// Begins to connect to every host.
    pub(crate) fn start(
        hosts: Vec<HostConfig>,
        news: mpsc::Sender<MediaNews>,
        metrics: Arc<Metrics>,
        tasks: &Tasks,
    ) -> Self {
        let all = Self {
            hosts: RwLock::default(),
            others: Others::default(),
            news,
            metrics,
            tasks: tasks.clone(),
        };
        for host in hosts {
            all.add(host);
        }
        all
    }

    /// Begins to connect to a host, unless it is known.
    pub(crate) fn add(&self, mut host: HostConfig) {
        let name = MediaHost(host.base.clone());
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        if hosts.contains_key(&name) {
            return;
        }
        let outbox = Outbox::new(std::mem::take(&mut host.known));
        let status = SharedStatus::default();
        self.others
            .add(name.clone(), status.clone(), outbox.clone());
        let client_id = host.client_id.clone();
        let connection = Connection {
            all: self.others.clone(),
            host,
            outbox: outbox.clone(),
            news: self.news.clone(),
            status: status.clone(),
            metrics: self.metrics.clone(),
        };
        let task = format!("connection to {}", name.0);
        self.tasks.must_live(task, connection.run());
        let host = Host {
            client_id,
            outbox,
            status,
            takes_more: true,
        };
        hosts.insert(name, host);
    }

    /// Says whether new calls may go to a host.
    pub(crate) fn let_take_more(&self, name: &MediaHost, takes_more: bool) {
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get_mut(name) {
            host.takes_more = takes_more;
        }
    }

    /// Says that a host and others of its kind pass the media of calls on to each other.
    #[cfg(feature = "cluster")]
    pub(crate) fn is_linked(&self, name: &MediaHost) {
        if let Some(host) = self.read().get(name) {
            host.status.change(|status| status.is_linked = true);
        }
    }

    /// A host is gone for good, and with it the media of its sessions: whoever they belong to is told to
    /// come back on another.
    #[cfg(feature = "cluster")]
    pub(crate) async fn give_up(&self, name: &MediaHost) {
        let host = self.read().get(name).cloned();
        let Some(host) = host else { return };
        host.status.change(|status| status.connected = false);
        lose_all(&name.0, &host.outbox, &self.news, &self.metrics).await;
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<MediaHost, Host>> {
        self.hosts.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a host something, now or when it is back. Never waits.
    pub(crate) fn send(&self, name: &MediaHost, message: ControlMessage) {
        let outbox = self.read().get(name).map(|host| host.outbox.clone());
        let Some(outbox) = outbox else {
            return self.count_dropped("unknown_host");
        };
        match outbox.push(message) {
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

    /// What a session is told goes to another host from now on, which has it; what waited for the first as
    /// well.
    pub(crate) fn hand_over(&self, session: &SessionId, from: &MediaHost, to: &MediaHost) {
        let hosts = self.read();
        let (Some(from), Some(to)) = (hosts.get(from), hosts.get(to)) else {
            return self.count_dropped("unknown_host");
        };
        if let Some(handed) = from.outbox.hand_over(session) {
            to.outbox.take_over(session, handed);
        }
    }

    /// Messages that wait for hosts.
    pub(crate) fn waiting(&self) -> usize {
        self.read().values().map(|host| host.outbox.len()).sum()
    }

    fn count_dropped(&self, reason: &str) {
        self.metrics
            .media_dropped
            .with_label_values(&[reason])
            .inc();
    }

    /// The connected host with the lowest load, of those that take more; why there is none, in words.
    pub(crate) fn choose(&self) -> Result<MediaHost, String> {
        let hosts = self.read();
        let connected = hosts.iter().filter_map(|(name, host)| {
            let status = host.status.read();
            let load = status.cpu_load.unwrap_or(f64::MAX);
            (status.connected && host.takes_more).then_some((name, load))
        });
        let least = connected.min_by(|(_, a), (_, b)| a.total_cmp(b));
        least
            .map(|(name, _)| name.clone())
            .ok_or_else(|| troubles(&hosts).join("; "))
    }

    /// Whether the next session of a call that is at this host may go there, too: it is connected, and
    /// does not drain while others could have the call as well.
    pub(crate) fn keeps_calls(&self, name: &MediaHost) -> bool {
        let hosts = self.read();
        hosts.get(name).is_some_and(|host| {
            let status = host.status.read();
            status.connected && (host.takes_more || !status.is_linked)
        })
    }

    /// What is wrong with hosts, so that no new call goes there.
    pub(crate) fn troubles(&self) -> Vec<String> {
        troubles(&self.read())
    }

    /// The status of a connected host, for version numbers.
    pub(crate) fn any_connected(&self) -> Option<HostStatus> {
        let hosts = self.read();
        let mut statuses = hosts.values().map(|host| host.status.read());
        statuses.find(|status| status.connected)
    }

    /// Connected and known hosts.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let hosts = self.read();
        let connected = hosts.values().filter(|host| host.status.read().connected);
        (connected.count(), hosts.len())
    }

    pub(crate) fn knows(&self, name: &MediaHost) -> bool {
        self.read().contains_key(name)
    }

    /// Whether a session that `from` has given to `to` can be spoken to there: as the same client, and while
    /// that is connected. Once it is, it says itself which sessions it has.
    pub(crate) fn reaches(&self, from: &MediaHost, to: &MediaHost) -> bool {
        let hosts = self.read();
        let (Some(of), Some(at)) = (hosts.get(from), hosts.get(to)) else {
            return false;
        };
        of.client_id == at.client_id && at.status.read().connected
    }
}

/// A host is gone: the media of its sessions is lost.
pub(super) async fn lose_all(
    host: &str,
    outbox: &Outbox,
    news: &mpsc::Sender<MediaNews>,
    metrics: &Metrics,
) {
    let lost = outbox.lose_all();
    if lost.is_empty() {
        return;
    }
    tracing::warn!(
        host,
        sessions = lost.len(),
        "a media host is gone, and its sessions with it"
    );
    metrics
        .media_sessions_lost
        .with_label_values(&["host_gone"])
        .inc_by(u64::try_from(lost.len()).unwrap_or(u64::MAX));
    for session in lost {
        // Nobody listens only when the server goes.
        let _ = news.send(MediaNews::Lost { session }).await;
    }
}

fn troubles(hosts: &BTreeMap<MediaHost, Host>) -> Vec<String> {
    if hosts.is_empty() {
        return vec![
            "no media host is known: none is in rtcd.urls, and no node of the cluster is one"
                .to_owned(),
        ];
    }
    let troubles = hosts.iter().filter_map(|(name, host)| {
        let status = host.status.read();
        let trouble = match (status.connected, host.takes_more) {
            (false, _) => status.trouble,
            (true, false) => {
                "takes no new calls: it drains, or the other nodes do not hear it".to_owned()
            }
            (true, true) => return None,
        };
        Some(format!("media host {}: {trouble}", name.0))
    });
    troubles.collect()
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
        let host = Host {
            client_id: String::new(),
            outbox,
            status,
            takes_more: true,
        };
        let all = Self {
            hosts: RwLock::new(BTreeMap::from([(name.clone(), host)])),
            others: Others::default(),
            news: mpsc::channel(1).0,
            metrics,
            tasks: Tasks::new("test"),
        };
        (all, told)
    }
}

#[cfg(feature = "cluster")]
#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Longer than it takes to be sure, and shorter than a host may take to answer.
    const SOON: Duration = Duration::from_secs(2);

    /// The session that a host has.
    fn session_of(base: &str) -> SessionId {
        SessionId::parse(base.trim_start_matches("http://127.0.0.1:")).unwrap()
    }

    fn config(base: &str, client_id: &str) -> HostConfig {
        HostConfig {
            base: base.to_owned(),
            client_id: client_id.to_owned(),
            auth_key: Secret::new("key"),
            known: vec![KnownSession {
                session: session_of(base),
                call: CallId::parse("call").unwrap(),
                unmuted: false,
            }],
        }
    }

    /// Takes connections and says nothing: what is set about it stays.
    fn silent_host() -> (TcpListener, String) {
        let listens = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listens.local_addr().unwrap());
        (listens, base)
    }

    fn add(all: &MediaHosts, base: &str, is_linked: bool, connected: bool) {
        all.add(config(base, "client"));
        let name = MediaHost(base.to_owned());
        if is_linked {
            all.is_linked(&name);
        }
        if connected {
            let host = all.read().get(&name).cloned().unwrap();
            host.status.change(|status| status.connected = true);
        }
    }

    /// Whether the session of a host is lost soon, beside another host that is there if `has_other`.
    async fn is_lost(base: &str, is_linked: bool, has_other: bool) -> bool {
        let (news, mut heard) = mpsc::channel(8);
        let metrics = Arc::new(Metrics::new());
        let all = MediaHosts::start(Vec::new(), news, metrics, &Tasks::new("test"));
        let (_listens, other) = silent_host();
        add(&all, &other, true, has_other);
        add(&all, base, is_linked, false);
        let news = timeout(SOON, heard.recv()).await;
        matches!(news, Ok(Some(MediaNews::Lost { .. })))
    }

    #[tokio::test]
    async fn a_session_is_spoken_to_where_it_is_once_that_host_is_there() {
        let (news, _heard) = mpsc::channel(8);
        let metrics = Arc::new(Metrics::new());
        let all = MediaHosts::start(Vec::new(), news, metrics, &Tasks::new("test"));
        let [(_a, one), (_b, two), (_c, strange)] = [silent_host(), silent_host(), silent_host()];
        add(&all, &one, true, true);
        add(&all, &two, true, false);
        all.add(config(&strange, "another client"));
        let session = session_of(&one);
        let [one, two, strange] = [one, two, strange].map(MediaHost);
        let outbox = |name: &MediaHost| all.read().get(name).unwrap().outbox.clone();

        let unknown = MediaHost("http://unknown".to_owned());
        let connect = |name: &MediaHost| {
            let status = all.read().get(name).unwrap().status.clone();
            status.change(|status| status.connected = true);
        };
        connect(&strange);
        assert!(!all.reaches(&one, &strange), "as another client");
        assert!(!all.reaches(&one, &unknown));
        assert!(!all.reaches(&one, &two));
        connect(&two);
        assert!(all.reaches(&one, &two));

        assert_eq!(all.others.host_of(&session), Some(one.clone()));
        all.hand_over(&session, &one, &two);
        assert!(!outbox(&one).has(&session) && outbox(&two).has(&session));
        assert_eq!(all.others.host_of(&session), Some(two.clone()));
        all.hand_over(&session, &one, &two);
        assert!(outbox(&two).has(&session), "handed over once");
    }

    #[tokio::test]
    async fn nobody_waits_for_a_host_whose_process_is_gone_where_others_have_its_calls() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone_at = format!("http://{}", gone.local_addr().unwrap());
        drop(gone);
        let shuts = TcpListener::bind("127.0.0.1:0").unwrap();
        let shuts_at = format!("http://{}", shuts.local_addr().unwrap());
        std::thread::spawn(move || while shuts.accept().is_ok() {});

        assert!(is_lost(&gone_at, true, true).await);
        assert!(
            !is_lost(&gone_at, false, true).await,
            "it may be started again"
        );
        assert!(
            !is_lost(&gone_at, true, false).await,
            "there is nowhere to go"
        );
        assert!(
            !is_lost(&shuts_at, true, true).await,
            "something listens there"
        );
    }
}
