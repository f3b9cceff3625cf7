//! The HTTP routes: the messaging API, the Calls API, the web client, health, metrics.
//!
//! Metrics: on the people's port what the plugin counts, too, is for everybody, below its prefix, and all
//! for administrators; on their own port (`http.metrics_listen`) all is for whoever reaches it.
//! Not here: what the messaging API does (`messaging`), what calls do (`engine`).
//! Invariant: every answer of the Calls API is JSON with a `message` when it refuses.

mod administration;
mod answer;
mod bot;
mod captions;
mod channels;
mod host;
mod logs;
mod overview;
mod person;
mod recording;
mod sessions;
mod standalone;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use messaging::guard::{Origins, guarded, without_forms};
use proto::calls::ROUTE_PREFIX;
use service::descriptors::Share;
use service::listen::{self, Admission};
use service::{Health, Tasks};

use crate::config::Config;
use crate::engine::{Engine, read_gauges};
use crate::metrics::NAMESPACE;
use crate::nodes::Nodes;
use crate::web::{self, Embedding};
pub(crate) use answer::Refused;
use person::Administrator;
pub(crate) use person::Limits;

/// Largest body of a request, in bytes; uploads have their own limit.
const MAX_BODY_BYTES: usize = 1 << 20;

/// What tells how the server itself is.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
    pub(crate) admission: Arc<Admission>,
    pub(crate) nodes: Nodes,
}

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) watched: Watched,
    pub(crate) limits: Arc<Limits>,
}

/// Who of those who come is let in, and how many at once.
pub(crate) fn admission(config: &Config) -> Arc<Admission> {
    let limits = listen::Limits {
        connections: config.max_connections,
        per_address: config.max_connections_per_address,
        ..listen::Limits::default()
    };
    let proxies = config.trusted_proxies.clone();
    let is_proxy = move |peer| proxies.iter().any(|net| net.contains(peer));
    let limits = limits.within(Share::People.connections());
    Admission::behind("people", limits, is_proxy)
}

/// Puts everything together; `chat` answers below `/api/v4`, the client in whose page it may.
pub(crate) fn router(
    engine: Arc<Engine>,
    watched: Watched,
    chat: Router,
    embedding: Embedding,
) -> Router {
    let app = App {
        engine,
        watched,
        limits: Arc::new(Limits::default()),
    };
    let calls = if app.engine.config.calls.disabled {
        Router::new().fallback(no_calls)
    } else {
        routes_of_calls()
    };
    let calls = without_forms(calls)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(app.clone(), finish));
    let origins = Origins::new(
        &app.engine.config.site_url,
        &app.engine.config.chat.allowed_origins,
    );
    let all = Router::new()
        .nest(ROUTE_PREFIX, calls)
        .merge(overview::routes())
        .merge(logs::links())
        .route("/metrics", get(metrics_for_administrators))
        .route("/healthz", get(alive))
        .route("/readyz", get(readiness))
        .with_state(app)
        .merge(chat)
        .fallback_service(Handler::with_state(web::serve, Arc::new(embedding)));
    guarded(all, origins)
}

/// The Calls API.
fn routes_of_calls() -> Router<App> {
    Router::new()
        .merge(channels::routes())
        .merge(host::routes())
        .merge(recording::routes())
        .merge(sessions::routes())
        .merge(captions::routes())
        .merge(administration::routes())
        .merge(logs::routes())
        .merge(standalone::routes())
        .merge(bot::routes())
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
}

/// The routes of the metrics' own port. The plugin's are scraped below its prefix.
pub(crate) fn metrics_router(engine: Arc<Engine>, watched: Watched) -> Router {
    let app = App {
        engine,
        watched,
        limits: Arc::new(Limits::default()),
    };
    Router::new()
        .route("/metrics", get(metrics))
        .nest(ROUTE_PREFIX, Router::new().route("/metrics", get(metrics)))
        .route("/healthz", get(alive))
        .route("/readyz", get(readiness))
        .with_state(app)
}

fn alive() -> std::future::Ready<&'static str> {
    std::future::ready("alive\n")
}

/// Counts and times, says that answers are private, and gives every refusal the shape clients read.
async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let handler = handler_of(&request);
    let began = Instant::now();
    let mut answer = next.run(request).await;
    app.engine.metrics.handled(&handler, began);
    let class = match answer.status().as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    app.engine
        .metrics
        .requests
        .with_label_values(&[class])
        .inc();
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if (class == "4xx" || class == "5xx") && !is_json {
        answer = reworded(answer).await;
    }
    let headers = answer.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}

/// The name of what handles a request: one of a closed set, whatever was asked for.
fn handler_of(request: &Request) -> String {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.and_then(|route| route.as_str().strip_prefix(ROUTE_PREFIX));
    let method = request.method();
    match route {
        Some(route) if [Method::GET, Method::POST].contains(method) => format!("{method} {route}"),
        Some(_) | None => "unknown".to_owned(),
    }
}

/// What the framework refuses in plain text: bodies over the limit, paths that are not UTF-8.
async fn reworded(answer: Response) -> Response {
    let status = answer.status();
    let text = axum::body::to_bytes(answer.into_body(), 4096).await;
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    Refused::new(status, text).into_response()
}

async fn metrics_for_administrators(_: Administrator, app: State<App>) -> Response {
    metrics(app).await
}

/// As the plugin shows them: to everybody, without what only we count.
async fn metrics_of_the_plugin(State(app): State<App>) -> Response {
    read_gauges(&app.engine);
    shown(app.engine.metrics.render_of_the_plugin())
}

async fn metrics(State(app): State<App>) -> Response {
    read_gauges(&app.engine);
    let Watched {
        tasks,
        admission,
        nodes,
        ..
    } = &app.watched;
    let text =
        app.engine.metrics.render() + &tasks.metrics(NAMESPACE) + &admission.metrics(NAMESPACE);
    shown(text + &nodes.metrics())
}

fn shown(metrics: String) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, metrics).into_response()
}

/// Ready when calls can start: every task lives, databases and files can be written, a media host is
/// connected, and so on for the services of the same process.
async fn readiness(State(app): State<App>) -> Response {
    let troubles = app.watched.health.troubles().await;
    if troubles.is_empty() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, troubles.join("\n") + "\n").into_response()
    }
}

/// As of a plugin that is not there.
async fn no_calls() -> Refused {
    Refused::not_found("there are no calls on this server (calls.disable)")
}

async fn unknown_route() -> Refused {
    Refused::not_found("404 page not found")
}

async fn unknown_method() -> Refused {
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
}
