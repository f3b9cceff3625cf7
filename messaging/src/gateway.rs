//! The clients' gateway: one WebSocket per client, in front of any `ChatBackend`.
//!
//! In: sockets, the backend's news, events to publish. Out: numbered events for each client, and
//! what clients do, to a `ClientHandler`. A client that comes back within five minutes goes on
//! where it left off. The wire is that of the v4 API.
//! Not here: what an action of calls means (signalling), accounts, records.
//! Invariants: publishing never waits; the handler hears of one connection in order, and hears
//! that it is gone whatever ended it.

mod actions;
mod budget;
mod frame;
mod hub;
mod metrics;
mod presence;
mod refusal;
mod seat;
mod socket;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use proto::id::{ConnId, UserId};
use serde_json::{Map, Value};
use service::{Restarts, Tasks};

use crate::ChatBackend;
use crate::model::{Audience, ClientAction, ClientEvent};
use budget::Sampler;
pub use budget::{Limits, Rate};
use hub::Hub;
use metrics::Metrics;
use presence::Presence;

/// How often abandoned connections are looked for.
const SWEEP_PERIOD: Duration = Duration::from_secs(2);

/// How a gateway presents itself. A backend of ours knows its own.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The version of the v4 API that clients are told in answers to pings, for example `10.11.0`.
    pub api_version: String,
    /// What `hello` and `X-Version-Id` say: version, build, configuration, whether licensed.
    pub server_version: String,
    /// The address people open; its pages may connect. Empty: whatever address they used.
    pub site_url: String,
    /// Origins whose pages may connect beside that; `*` for all.
    pub allowed_origins: Vec<String>,
    /// What clients may send, and what is kept for them.
    pub limits: Limits,
}

/// Whoever understands the actions that are not the chat's own (`custom_...`).
///
/// Called from the task of the connection and awaited: in order for one connection, side by side
/// for different ones. A call that takes long holds up its own client only. A panic ends the
/// connection.
#[async_trait]
pub trait ClientHandler: Send + Sync + std::fmt::Debug {
    /// A client has signed in, or has come back under the same id.
    async fn connected(&self, connection: &ConnId, user: &UserId);
    async fn action(&self, action: ClientAction);
    /// The client is gone, for good or for now: always after `connected`, never during an action.
    async fn disconnected(&self, connection: &ConnId, user: &UserId);
}

/// For a gateway without calls: custom actions are ignored.
#[async_trait]
impl ClientHandler for () {
    async fn connected(&self, _: &ConnId, _: &UserId) {}
    async fn action(&self, _: ClientAction) {}
    async fn disconnected(&self, _: &ConnId, _: &UserId) {}
}

/// The gateway in front of one backend.
#[derive(Debug)]
pub struct Gateway {
    backend: Arc<dyn ChatBackend>,
    config: Config,
    hub: Arc<Hub>,
    presence: Presence,
    metrics: Arc<Metrics>,
    /// Log lines about frames beyond a budget.
    refusals: Sampler,
}

impl Gateway {
    /// Begins to listen to the backend's news; its sweep is one of `tasks`.
    pub fn new(backend: Arc<dyn ChatBackend>, config: Config, tasks: &Tasks) -> Arc<Self> {
        let metrics = Arc::new(Metrics::new());
        let hub = Arc::new(Hub::new(
            config.server_version.clone(),
            config.limits,
            metrics.clone(),
        ));
        backend.listen(hub.clone());
        let swept = Arc::downgrade(&hub);
        let sweeping = move || sweep(swept.clone());
        tasks.until_done("sweep of connections", sweeping, Restarts::default());
        Arc::new(Self {
            backend,
            config,
            hub,
            presence: Presence::default(),
            metrics,
            refusals: Sampler::default(),
        })
    }

    /// The WebSocket's routes; custom actions go to `handler`.
    pub fn router(self: &Arc<Self>, handler: Arc<dyn ClientHandler>) -> Router {
        let context = socket::Context {
            gateway: self.clone(),
            handler,
        };
        Router::new()
            .route("/api/v4/websocket", get(socket::upgrade))
            .route("/api/v4/websocket/", get(socket::upgrade))
            .with_state(context)
    }

    /// Adds the gateway's counters to a registry.
    ///
    /// # Errors
    /// When they are there already.
    pub fn register(&self, registry: &prometheus::Registry) -> prometheus::Result<()> {
        self.metrics.register(registry)
    }

    /// Sends an event to the clients it is for. Never waits; slow clients lose their socket.
    pub fn publish(&self, event: &ClientEvent) {
        self.hub.publish(event);
    }

    /// Sends an event to several audiences, one after the other; its data is put into words once.
    pub fn publish_to(&self, name: &str, data: &Map<String, Value>, audiences: &[Audience]) {
        self.hub.publish_to(name, data, audiences);
    }

    fn note_over_budget(&self) {
        self.metrics.over_budget();
        if let Some(left_out) = self.refusals.pass(Instant::now()) {
            tracing::info!(
                left_out,
                "a client sends more than its budget: frames refused"
            );
        }
    }

    /// Cuts off all clients.
    pub fn close(&self) {
        self.hub.end_all();
    }
}

/// Runs as long as the hub is there.
async fn sweep(hub: Weak<Hub>) {
    let mut period = tokio::time::interval(SWEEP_PERIOD);
    loop {
        period.tick().await;
        let Some(hub) = hub.upgrade() else {
            return;
        };
        hub.forget_absent(Instant::now());
    }
}
