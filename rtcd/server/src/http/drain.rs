//! `/drain`: what SIGTERM asks for, from another machine.
//!
//! Ours: the reference has no such path. The answer has the form of `clients`.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use proto::rtcd::ApiAnswer;
use tracing::info;

use super::clients::{failure, success};
use super::{App, authorization, refused};
use crate::auth::{Identity, Source};

pub(super) async fn drain(
    State(app): State<Arc<App>>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
) -> Response {
    if !app.enable_admin {
        let text = "drain not enabled: this node has no admin (api.security.enable_admin)";
        return failure(StatusCode::FORBIDDEN, text);
    }
    match app.auth.authenticate(authorization(&headers), source).await {
        Ok(Identity::Admin) => {}
        Ok(Identity::Client(_)) => {
            return failure(StatusCode::FORBIDDEN, "only the admin drains a node");
        }
        Err(error) => {
            refused(&error);
            return failure(StatusCode::UNAUTHORIZED, error.to_string());
        }
    }
    info!("asked by the admin to drain");
    app.control.drain();
    app.cluster.drain();
    // The process ends when nobody is left, where it is this node's own.
    app.drain.send_replace(true);
    success(StatusCode::ACCEPTED, ApiAnswer::default())
}
