//! The life of one connection: connect, register once, agree with the host on who is in its calls, carry
//! messages, reconnect with growing pauses.
//!
//! Invariant: after a reconnect every session of ours is either named to the host with `reconnect`
//! and its state said again, or reported as closed, or ended at the host; nobody stays in a call
//! whose media is gone, and no microphone stays open because a message was lost.

mod carry;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use base64::Engine as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proto::id::{CallId, SessionId};
use signalling_core::MediaHost;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::api::{Api, ApiError, CONNECT_LIMIT, chain, tells_sessions};
use super::hosts::{Others, lose_all};
use super::outbox::Outbox;
use super::{HostConfig, MediaNews, SharedStatus};
use crate::metrics::Metrics;
use carry::{Socket, carry};

/// Pause before the first new try; grows with every failure up to `LONGEST_PAUSE`. Shorter finds a
/// restarted host sooner, longer spares a host that is down.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Before it is believed that nothing listens where a host was.
const ASKED_AGAIN: Duration = Duration::from_millis(300);
/// How often it is looked whether other hosts give it sessions.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Calls asked about at once.
const ASKED_AT_ONCE: usize = 8;
/// How long the host may take to tell about all of them: it expects pongs within 20 s.
const AGREE_LIMIT: Duration = Duration::from_secs(15);

/// Asks once more: a proxy in front of the host may have been started again just now.
async fn is_gone(api: &Api) -> bool {
    tokio::time::sleep(ASKED_AGAIN).await;
    let answer = api.version().await.map_err(Trouble::from);
    matches!(
        answer,
        Err(Trouble {
            nobody_listens: true,
            ..
        })
    )
}

/// Why there is no connection.
struct Trouble {
    words: String,
    nobody_listens: bool,
}

impl From<String> for Trouble {
    fn from(words: String) -> Self {
        Self {
            words,
            nobody_listens: false,
        }
    }
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Self {
        let words = error.to_string();
        let nobody_listens = matches!(
            error,
            ApiError::Unreachable {
                nobody_listens: true,
                ..
            }
        );
        Self {
            words,
            nobody_listens,
        }
    }
}

/// One connection to one host.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) host: HostConfig,
    pub(super) outbox: Outbox,
    pub(super) news: mpsc::Sender<MediaNews>,
    pub(super) status: SharedStatus,
    pub(super) all: Others,
    pub(super) metrics: std::sync::Arc<Metrics>,
}

impl Connection {
    /// Runs until it is dropped.
    pub(super) async fn run(self) {
        tokio::join!(self.stay_connected(), self.report_given_up());
    }

    async fn stay_connected(&self) {
        let api = Api::new(self.host.clone());
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect(&api).await {
                Ok(socket) => {
                    tracing::info!(host = self.host.base, "media host connected");
                    pause = FIRST_PAUSE;
                    let told = async {
                        self.tell_what_is_here(&api).await;
                        std::future::pending::<Infallible>().await
                    };
                    let trouble = tokio::select! {
                        trouble = carry(socket, &api, &self.outbox, &self.news, &self.status) => trouble,
                        never = told => match never {},
                    };
                    tracing::warn!(host = self.host.base, trouble, "media host lost");
                    self.metrics.media_connections_lost.inc();
                    self.status.change(|status| {
                        status.connected = false;
                        status.trouble = trouble;
                    });
                }
                Err(Trouble {
                    words: trouble,
                    nobody_listens,
                }) => {
                    // Whoever was there need not wait for it where others have its calls as well.
                    if nobody_listens
                        && self.all.can_do_without(&self.status)
                        && is_gone(&api).await
                    {
                        let host = &self.host.base;
                        lose_all(host, &self.outbox, &self.news, &self.metrics).await;
                    }
                    let before = self.status.read().trouble;
                    if before != trouble {
                        tracing::warn!(host = self.host.base, trouble, "media host not reachable");
                    }
                    self.status.change(|status| status.trouble = trouble);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn connect(&self, api: &Api) -> Result<Socket, Trouble> {
        let version = api.version().await?;
        let socket = match open_socket(&self.host).await {
            Ok(socket) => socket,
            Err(Refused::Unreachable(words)) => return Err(words.into()),
            // It answered but did not let us in: it may not know us yet.
            Err(Refused::Handshake(words)) => {
                api.register()
                    .await
                    .map_err(|error| format!("{words}; {error}"))?;
                open_socket(&self.host)
                    .await
                    .map_err(|refused| refused.words())?
            }
        };
        let cpu_load = api.cpu_load().await.ok();
        let has = if tells_sessions(&version.build_version) {
            let has = sessions(api, self.outbox.calls()).await?;
            Some(self.without_others(has))
        } else {
            None
        };
        let lost = self.outbox.reconnected(has.as_ref());
        self.metrics
            .media_sessions_lost
            .with_label_values(&["host_forgot"])
            .inc_by(u64::try_from(lost.len()).unwrap_or(u64::MAX));
        for session in lost {
            let _ = self.news.send(MediaNews::Lost { session }).await;
        }
        self.status.change(|status| {
            status.connected = true;
            status.trouble.clear();
            status.cpu_load = cpu_load;
            status.version = version.build_version;
            status.build = version.build_hash;
        });
        Ok(socket)
    }

    /// What the host has without the sessions that another host has given to it and is spoken to about: they
    /// are no strangers.
    fn without_others(&self, has: Has) -> BTreeMap<CallId, BTreeSet<SessionId>> {
        let is_ours = |id: &SessionId| self.outbox.has(id) || self.all.host_of(id).is_none();
        let calls = has.into_iter();
        let ours = calls.map(|(call, has)| (call, has.into_keys().filter(is_ours).collect()));
        ours.collect()
    }

    /// Sessions that another host has given to this one and is spoken to about: it said so while this one was
    /// not connected, or to whoever was here before this process.
    async fn tell_what_is_here(&self, api: &Api) {
        // Nobody gives it any. Whether they do is known a moment after it is connected.
        while !self.status.read().is_linked {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let has = match sessions(api, self.all.calls()).await {
            Ok(has) => has,
            Err(trouble) => {
                let host = &self.host.base;
                tracing::debug!(host, trouble, "which sessions others gave it is not known");
                return;
            }
        };
        let host = MediaHost(self.host.base.clone());
        let has = has.into_values().flatten();
        for (session, _) in has.filter(|(_, is_elsewhere)| !is_elsewhere) {
            let from = self.all.host_of(&session);
            if let Some(from) = from.filter(|from| *from != host) {
                let host = host.clone();
                let elsewhere = MediaNews::Elsewhere {
                    session,
                    from,
                    host,
                };
                let _ = self.news.send(elsewhere).await;
            }
        }
    }

    async fn report_given_up(&self) {
        loop {
            for session in self.outbox.given_up().await {
                tracing::warn!(
                    host = self.host.base, %session,
                    "session given up: its media host took its signalling too slowly"
                );
                let _ = self.news.send(MediaNews::Closed { session }).await;
            }
        }
    }
}

/// The sessions of each call, and whether their media is on another host, to which this one passes on.
type Has = BTreeMap<CallId, BTreeMap<SessionId, bool>>;

/// Which sessions the host has of each call; what is wrong, in words, when it does not say so in time.
async fn sessions(api: &Api, calls: BTreeSet<CallId>) -> Result<Has, String> {
    let asked = stream::iter(calls)
        .map(|call| async move { Ok((call.clone(), api.sessions(&call).await?)) })
        .buffer_unordered(ASKED_AT_ONCE)
        .try_collect();
    let limit = AGREE_LIMIT.as_secs();
    let late = |_| format!("ask for its sessions: no answer in {limit} s");
    let answer: Result<_, ApiError> = tokio::time::timeout(AGREE_LIMIT, asked)
        .await
        .map_err(late)?;
    answer.map_err(|error| error.to_string())
}

enum Refused {
    Unreachable(String),
    Handshake(String),
}

impl Refused {
    fn words(self) -> String {
        match self {
            Self::Unreachable(words) | Self::Handshake(words) => words,
        }
    }
}

async fn open_socket(host: &HostConfig) -> Result<Socket, Refused> {
    let url = format!("{}/ws", host.base.replacen("http", "ws", 1));
    let unreachable =
        |error: &WsError| Refused::Unreachable(format!("open its WebSocket: {}", chain(error)));
    let mut request = url
        .into_client_request()
        .map_err(|error| unreachable(&error))?;
    let credentials = format!("{}:{}", host.client_id, host.auth_key.expose());
    let basic = base64::engine::general_purpose::STANDARD.encode(credentials);
    let value = format!("Basic {basic}")
        .parse()
        .map_err(|_| Refused::Unreachable("our id or key is not printable ASCII".to_owned()))?;
    request.headers_mut().insert("Authorization", value);
    // Without delay: a command that waits for the answer to the one before costs a join 40 ms.
    let opened = tokio_tungstenite::connect_async_with_config(request, None, true);
    match tokio::time::timeout(CONNECT_LIMIT, opened).await {
        Err(_) => Err(Refused::Unreachable(
            "open its WebSocket: no answer in 4 s".to_owned(),
        )),
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(WsError::Http(answer))) => {
            let words = format!("open its WebSocket: answered {}", answer.status());
            Err(Refused::Handshake(words))
        }
        Ok(Err(error)) => Err(unreachable(&error)),
    }
}
