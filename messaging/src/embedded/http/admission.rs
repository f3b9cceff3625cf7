//! What administrators decide about people, on the wire.

use std::sync::Arc;

use axum::extract::Path;
use axum::routing::{delete, post, put};
use axum::{Json, Router};
use proto::id::UserId;
use serde::Deserialize;

use super::{Answer, Auth, Body, State, ok};
use crate::embedded::fault::Fault;
use crate::embedded::{Server, wire};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/users/{id}", delete(deactivate))
        .route("/users/{id}/active", put(active))
        .route("/users/{id}/roles", put(roles))
        .route("/users/sessions/revoke/all", post(revoke_everybody))
}

impl Auth {
    /// The person a path names, for an administrator of the server.
    fn administrated(&self, id: &str) -> Result<UserId, Fault> {
        self.check_admin()?;
        self.named(id)
    }

    pub(super) fn check_admin(&self) -> Result<(), Fault> {
        if self.0.person.is_admin {
            return Ok(());
        }
        Err(Fault::forbidden(
            "only an administrator of the server may do that",
        ))
    }
}

#[derive(Deserialize)]
struct Active {
    active: bool,
}

async fn active(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<Active>,
) -> Answer {
    let person = auth.administrated(&id)?;
    state.set_active(&person, body.active).await?;
    Ok(ok())
}

/// In v4, deleting a person is shutting them out: what they wrote stays.
async fn deactivate(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let person = auth.administrated(&id)?;
    state.set_active(&person, false).await?;
    Ok(ok())
}

#[derive(Deserialize)]
struct Roles {
    roles: String,
}

async fn roles(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<Roles>,
) -> Answer {
    let person = auth.administrated(&id)?;
    let mut names: Vec<&str> = body.roles.split_whitespace().collect();
    names.sort_unstable();
    names.dedup();
    let is_admin = match names.as_slice() {
        ["system_user"] => false,
        ["system_admin", "system_user"] => true,
        _ => {
            return Err(Fault::invalid(
                "api.context.invalid_body_param.app_error",
                format!(
                    "`roles` is `{}`: it must be `system_user` or `system_user system_admin`",
                    body.roles.escape_debug()
                ),
            ));
        }
    };
    let row = state.set_admin(&person, is_admin).await?;
    Ok(Json(state.shown(&row, wire::Eyes::Own)))
}

async fn revoke_everybody(state: State, auth: Auth) -> Answer {
    auth.check_admin()?;
    state.end_all_logins().await?;
    Ok(ok())
}
