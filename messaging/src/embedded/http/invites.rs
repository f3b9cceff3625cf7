//! Invites on the wire: links that expire, for one person or several.
//!
//! What opens a link (`/teams/invite/{secret}`, `/teams/members/invite`, `iid` of `POST /users`) is
//! named as in v4. There, a team has one link for ever; here each has its own end, so making,
//! listing and withdrawing are routes of our own.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Auth, Body, Params, State, created, ok};
use crate::embedded::fault::Fault;
use crate::embedded::invites::{InviteTerms, no_longer_good};
use crate::embedded::{Server, wire};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/teams/{id}/invites", get(list).post(make))
        .route("/teams/{id}/invites/{invite}", delete(withdraw))
        .route("/teams/invite/{secret}", get(open))
        .route("/teams/members/invite", post(join))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewInvite {
    expires_in_seconds: Option<u64>,
    max_uses: Option<u32>,
}

async fn make(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<NewInvite>,
) -> Result<impl IntoResponse, Fault> {
    auth.check_rate(&state)?;
    let team = state.team_to_invite_to(&id, &auth.0.person).await?;
    let usual = InviteTerms::default();
    let terms = InviteTerms {
        lifetime: body
            .expires_in_seconds
            .map_or(usual.lifetime, Duration::from_secs),
        max_uses: body.max_uses.unwrap_or(usual.max_uses),
    };
    let made = state.make_invite(&team, &auth.0.person, terms).await?;
    let mut value = wire::invite(&made.row, state.wall_ms());
    if let Some(fields) = value.as_object_mut() {
        let secret = made.token.expose();
        fields.insert("url".to_owned(), state.invite_link(secret).into());
        fields.insert("invite_id".to_owned(), secret.into());
    }
    Ok(created(value))
}

async fn list(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let team = state.team_to_invite_to(&id, &auth.0.person).await?;
    let now = state.wall_ms();
    let invites = state.invites_to(&team).await?;
    let invites = invites.iter().map(|row| wire::invite(row, now));
    Ok(Json(invites.collect()))
}

async fn withdraw(state: State, auth: Auth, Path((id, invite)): Path<(String, String)>) -> Answer {
    auth.check_rate(&state)?;
    let team = state.team_to_invite_to(&id, &auth.0.person).await?;
    state.withdraw_invite(&team, &invite).await?;
    Ok(ok())
}

/// Where a link leads, for whoever holds it.
async fn open(state: State, Path(secret): Path<String>) -> Answer {
    let invite = state.good_invite(&secret).await?;
    let team = state.team_row(invite.team_id.as_str()).await?;
    Ok(Json(json!({
        "id": team.id, "name": team.name, "display_name": team.display_name,
        "description": team.description,
    })))
}

async fn join(
    state: State,
    auth: Auth,
    params: Params,
) -> Result<(axum::http::StatusCode, Json<Value>), Fault> {
    auth.check_rate(&state)?;
    let secret = params.text("invite_id").ok_or_else(no_longer_good)?;
    let member = state.join_by_invite(secret, &auth.0.person).await?;
    Ok(created(wire::team_member(&member)))
}
