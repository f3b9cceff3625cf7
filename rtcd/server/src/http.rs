//! The HTTP API: paths, methods, bodies and texts of the reference.
//!
//! `clients`: register, unregister, login. Not here: the listener (`service::listen`).
//! An unknown path, and a known one with another method, is `404 page not found`.
//! Additions: `/readyz`, 503 while the node drains or one of its parts is of no use; `/drain`.

mod clients;
mod drain;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Extension, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use proto::id::GroupId;
use proto::rtcd::{SystemInfo, VersionInfo};
use service::listen::Admission;
use service::{Health, Tasks};
use tracing::{debug, error};

use crate::advertiser::Advertiser;
use crate::auth::{Auth, AuthError, Source};
use crate::cluster::Cluster;
use crate::control::{Control, LookupError};
use crate::metrics::Metrics;
use crate::system::CpuLoad;
use crate::ws;

/// Largest request body, in bytes: an id and a key.
const MAX_BODY: usize = 64 * 1024;
/// A request is answered within this time, or not at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What requests are answered from.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) auth: Auth,
    pub(crate) control: Arc<Control>,
    pub(crate) advertiser: Arc<Advertiser>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
    pub(crate) admission: Arc<Admission>,
    pub(crate) cpu_load: CpuLoad,
    /// Among other nodes, where there are any.
    pub(crate) cluster: Cluster,
    pub(crate) allow_self_registration: bool,
    pub(crate) enable_admin: bool,
    /// True once the admin wants the node to drain.
    pub(crate) drain: tokio::sync::watch::Sender<bool>,
    /// Ends the WebSockets when the node stops.
    pub(crate) stop: tokio::sync::watch::Receiver<bool>,
}

/// Builds the routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/version", only(Method::GET, version))
        .route("/system", only(Method::GET, system))
        .route("/register", only(Method::POST, clients::register))
        .route("/unregister", only(Method::POST, clients::unregister))
        .route("/login", only(Method::POST, clients::login))
        .route("/drain", only(Method::POST, drain::drain))
        .route("/calls/{call}/sessions", only(Method::GET, list_sessions))
        .route(
            "/calls/{call}/sessions/{session}",
            only(Method::GET, show_session),
        )
        .route("/ws", only(Method::GET, ws::upgrade))
        .route("/metrics", any(metrics))
        .route("/readyz", only(Method::GET, readyz))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(limit_time))
        .layer(from_fn(source_of_peer))
        .with_state(app)
}

/// Another method is as good as another path. (The router's own way names the right one in `Allow`.)
fn only<H, T>(method: Method, handler: H) -> MethodRouter<Arc<App>>
where
    H: axum::handler::Handler<T, Arc<App>>,
    T: 'static,
{
    any(handler).layer(from_fn(move |request: Request, next: Next| {
        let is_right = *request.method() == method;
        async move {
            if is_right {
                next.run(request).await
            } else {
                not_found().await
            }
        }
    }))
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => unsniffed(response),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "timeout\n").into_response(),
    }
}

/// A browser might take the text of a failure for a page.
fn unsniffed(mut response: Response) -> Response {
    let is_failure = response.status().is_client_error() || response.status().is_server_error();
    let headers = response.headers_mut();
    let is_text = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if is_failure && is_text {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    response
}

async fn version() -> Response {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json(
        StatusCode::OK,
        &VersionInfo {
            build_date: option_env!("PARLEY_BUILD_DATE")
                .unwrap_or_default()
                .to_owned(),
            // A plain semver: callers switch features by it.
            build_version: format!("v{}", proto::rtcd::COMPATIBLE_VERSION),
            // Read by people only: what this is.
            build_hash: option_env!("PARLEY_BUILD_HASH")
                .unwrap_or(concat!("parley-", env!("CARGO_PKG_VERSION")))
                .to_owned(),
            // Read by people only; never empty in the reference.
            go_version: concat!("rust", env!("CARGO_PKG_RUST_VERSION")).to_owned(),
            go_os: std::env::consts::OS.to_owned(),
            go_arch: architecture.to_owned(),
        },
    )
}

async fn system(State(app): State<Arc<App>>) -> Response {
    json(
        StatusCode::OK,
        &SystemInfo {
            cpu_load: app.cpu_load.get(),
        },
    )
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    app.control.refresh_metrics();
    match app.metrics.render() {
        Ok(text) => {
            let text = text + &app.tasks.metrics("rtcd") + &app.admission.metrics("rtcd");
            let text = text + &app.cluster.metrics();
            ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
        }
        Err(problem) => {
            error!(error = format!("{problem:#}"), "metrics not rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Who asks from where: what limits wrong keys goes by it.
async fn source_of_peer(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(Source::of(peer.ip()));
    next.run(request).await
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    let troubles = app.health.troubles().await;
    if troubles.is_empty() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, troubles.join("\n") + "\n").into_response()
    }
}

async fn list_sessions(
    State(app): State<Arc<App>>,
    Path(call): Path<String>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
) -> Response {
    let Some(group) = tenant(&app, &headers, source).await else {
        return unauthorized();
    };
    match app.control.sessions_of_call(&group, &call) {
        Ok(sessions) => json(StatusCode::OK, &sessions),
        Err(error) => not_here("failed to get session configs", error),
    }
}

async fn show_session(
    State(app): State<Arc<App>>,
    Path((call, session)): Path<(String, String)>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
) -> Response {
    let Some(group) = tenant(&app, &headers, source).await else {
        return unauthorized();
    };
    match app.control.session_of_call(&group, &call, &session) {
        Ok(session) => json(StatusCode::OK, &session),
        Err(error) => not_here("failed to get session config", error),
    }
}

fn not_here(what: &str, error: LookupError) -> Response {
    (StatusCode::NOT_FOUND, format!("{what}: {error}\n")).into_response()
}

pub(crate) fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, "unauthorized\n").into_response()
}

/// Returns the tenant of a request; the admin has none.
pub(crate) async fn tenant(app: &App, headers: &HeaderMap, source: Source) -> Option<GroupId> {
    match app.auth.authenticate(authorization(headers), source).await {
        Ok(identity) => identity.group().cloned(),
        Err(error) => {
            refused(&error);
            None
        }
    }
}

/// Logs a refusal; never what was shown.
pub(crate) fn refused(error: &AuthError) {
    if let AuthError::Internal(cause) = error {
        error!(
            error = format!("{cause:#}"),
            "authentication could not be checked"
        );
    } else {
        debug!(%error, "request refused");
    }
}

pub(crate) fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()
}

/// Renders a body as the reference does: JSON with a line end.
fn json<T: serde::Serialize>(status: StatusCode, body: &T) -> Response {
    let mut text = serde_json::to_string(body).expect("strings and numbers always serialise");
    text.push('\n');
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests;
