//! Routes of system administrators within the Calls API: what is set from outside, how much calls are
//! used.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use proto::calls::rest::CallsStats;
use serde_json::{Map, Value};

use super::person::{Administrator, SignedIn};
use super::{App, Refused};
use crate::door::calls::environment;
use crate::engine::moment;
use crate::figures;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/env", get(env))
        .route("/stats", get(stats))
        .route("/cloud-notify-admins", post(notify_cloud_admins))
        .route("/metrics", get(super::metrics_of_the_plugin))
        .route("/debug/pprof/{*profile}", get(profile))
}

async fn env(State(app): State<App>, _: Administrator) -> Json<Map<String, Value>> {
    Json(environment(&app.engine.config))
}

async fn stats(State(app): State<App>, _: Administrator) -> Result<Json<CallsStats>, Refused> {
    let engine = &app.engine;
    let kept = engine.store.figures(moment().unix_ms).await;
    let kept = kept.map_err(|error| Refused::inside(&error))?;
    Ok(Json(
        figures::stats(&*engine.chat, kept, moment().unix_ms).await,
    ))
}

/// The plugin's profiles are of its Go runtime. What tells the same of this server is named instead.
async fn profile(_: Administrator) -> Refused {
    let instead = "there is no Go runtime here. Where time goes: `perf record -g -p PID`, symbols are \
                   in the binary; memory: `heaptrack -p PID`; tasks, queues and how long handlers \
                   and records take: /metrics";
    Refused::new(StatusCode::NOT_IMPLEMENTED, instead)
}

/// Asks administrators of a hosted server for a trial; there is none of that here.
async fn notify_cloud_admins(_: SignedIn) -> Refused {
    Refused::bad_request("not a cloud server")
}
