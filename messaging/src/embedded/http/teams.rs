//! Teams and their public rooms.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use proto::id::UserId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Auth, Body, Params, State, created, ok};
use crate::embedded::fault::Fault;
use crate::embedded::store::{TeamMemberRow, TeamRow};
use crate::embedded::{Server, wire};
use crate::model::RoomRight;

/// Most people added to a team at once.
const MAX_BATCH: usize = 20;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/teams", get(list).post(create))
        .route("/teams/{id}", get(one))
        .route("/teams/name/{name}", get(by_name))
        .route(
            "/teams/name/{name}/channels/name/{room}",
            get(room_of_named),
        )
        .route("/teams/{id}/stats", get(stats))
        .route("/teams/{id}/members", get(members).post(add_member))
        .route("/teams/{id}/members/batch", post(add_members))
        .route(
            "/teams/{id}/members/{user}",
            get(member).delete(remove_member),
        )
        .route("/teams/{id}/channels", get(rooms))
        .route("/teams/{id}/channels/autocomplete", get(autocomplete))
        .route("/teams/{id}/channels/search", post(search))
        .route("/teams/{id}/channels/name/{name}", get(room))
        .route("/users/{id}/teams", get(of_user))
        .route("/users/{id}/teams/members", get(memberships))
}

impl Server {
    async fn team_named(&self, name: &str, auth: &Auth) -> Result<TeamRow, Fault> {
        let team = self.store.team_by_name(&name.to_lowercase()).await?;
        let team = team.ok_or_else(|| Fault::not_found("team", name))?;
        self.team_for(team.id.as_str(), &auth.0.person).await
    }

    async fn team_member_row(&self, team: &TeamRow, user: &UserId) -> Result<TeamMemberRow, Fault> {
        let member = self.store.team_member(&team.id, user).await?;
        member.ok_or_else(|| Fault::not_found("member", user.as_str()))
    }

    /// Adds a person on behalf of somebody who manages the team.
    async fn add_to_team(
        &self,
        auth: &Auth,
        team: &str,
        user: &str,
    ) -> Result<TeamMemberRow, Fault> {
        let team = self.team_row(team).await?;
        let user = auth.named(user)?;
        let may = self.manages_team(&team.id, &auth.0.person).await?
            || (team.kind == "O" && user == auth.0.person.id && self.config.open_registration)
            || self.store.team_member(&team.id, &user).await?.is_some();
        if !may {
            return Err(Fault::forbidden(
                "only an administrator adds people to this team",
            ));
        }
        self.person_row(user.as_str()).await?;
        self.join_team(&team.id, &user, false).await?;
        self.team_member_row(&team, &user).await
    }
}

/// The teams the sender may know of.
async fn list(state: State, auth: Auth) -> Answer {
    let teams = if auth.0.person.is_admin {
        state.store.all_teams().await?
    } else {
        state.store.teams_of(&auth.0.person.id).await?
    };
    Ok(Json(teams.iter().map(wire::team).collect()))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewTeam {
    name: String,
    display_name: String,
    #[serde(rename = "type")]
    kind: String,
}

async fn create(
    state: State,
    auth: Auth,
    Body(team): Body<NewTeam>,
) -> Result<impl IntoResponse, Fault> {
    if !auth.0.person.is_admin {
        return Err(Fault::forbidden(
            "only an administrator of the server makes teams",
        ));
    }
    let kind = if team.kind == "I" { "I" } else { "O" };
    let row = state
        .create_team(&team.name, &team.display_name, kind, Some(&auth.0.person))
        .await?;
    Ok(created(wire::team(&row)))
}

async fn one(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    Ok(Json(wire::team(
        &state.team_for(&id, &auth.0.person).await?,
    )))
}

async fn by_name(state: State, auth: Auth, Path(name): Path<String>) -> Answer {
    Ok(Json(wire::team(&state.team_named(&name, &auth).await?)))
}

async fn stats(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let team = state.team_for(&id, &auth.0.person).await?;
    let count = state.store.count_team_members(&team.id).await?;
    Ok(Json(json!({
        "team_id": team.id, "total_member_count": count, "active_member_count": count,
    })))
}

async fn members(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Answer {
    let team = state.team_for(&id, &auth.0.person).await?;
    let (offset, limit) = params.page()?;
    let members = state.store.team_members(&team.id, offset, limit).await?;
    Ok(Json(members.iter().map(wire::team_member).collect()))
}

async fn member(state: State, auth: Auth, Path((id, user)): Path<(String, String)>) -> Answer {
    let team = state.team_for(&id, &auth.0.person).await?;
    let user = auth.named(&user)?;
    Ok(Json(wire::team_member(
        &state.team_member_row(&team, &user).await?,
    )))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewMember {
    user_id: String,
}

async fn add_member(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<NewMember>,
) -> Result<impl IntoResponse, Fault> {
    Ok(created(wire::team_member(
        &state.add_to_team(&auth, &id, &body.user_id).await?,
    )))
}

async fn add_members(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<Vec<NewMember>>,
) -> Result<impl IntoResponse, Fault> {
    if body.len() > MAX_BATCH {
        return Err(Fault::invalid(
            "api.team.add_members.too_many.app_error",
            format!("at most {MAX_BATCH} people at once"),
        ));
    }
    let mut added = Vec::new();
    for member in body {
        added.push(wire::team_member(
            &state.add_to_team(&auth, &id, &member.user_id).await?,
        ));
    }
    Ok(created(Value::Array(added)))
}

async fn remove_member(
    state: State,
    auth: Auth,
    Path((id, user)): Path<(String, String)>,
) -> Answer {
    let team = state.team_for(&id, &auth.0.person).await?;
    let user = auth.named(&user)?;
    let manages = state.manages_team(&team.id, &auth.0.person).await?;
    if user != auth.0.person.id && !manages {
        return Err(Fault::forbidden(
            "only an administrator removes people from this team",
        ));
    }
    state.team_member_row(&team, &user).await?;
    state.leave_team(&team.id, &user).await?;
    Ok(ok())
}

async fn rooms(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Answer {
    let team = state.team_for(&id, &auth.0.person).await?;
    let (offset, limit) = params.page()?;
    let rooms = state
        .store
        .public_rooms(&team.id, "", offset, limit)
        .await?;
    Ok(Json(rooms.iter().map(wire::channel).collect()))
}

async fn autocomplete(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Answer {
    let team = state.team_for(&id, &auth.0.person).await?;
    let term = params.text("name").unwrap_or_default();
    let rooms = state
        .store
        .public_rooms(&team.id, term, 0, super::PER_PAGE)
        .await?;
    Ok(Json(rooms.iter().map(wire::channel).collect()))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Search {
    term: String,
}

async fn search(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<Search>,
) -> Answer {
    let team = state.team_for(&id, &auth.0.person).await?;
    let rooms = state
        .store
        .public_rooms(&team.id, &body.term, 0, super::PER_PAGE)
        .await?;
    Ok(Json(rooms.iter().map(wire::channel).collect()))
}

async fn room(state: State, auth: Auth, Path((id, name)): Path<(String, String)>) -> Answer {
    let team = state.team_for(&id, &auth.0.person).await?;
    room_in(&state, &auth, &team, &name).await
}

async fn room_of_named(
    state: State,
    auth: Auth,
    Path((team, name)): Path<(String, String)>,
) -> Answer {
    let team = state.team_named(&team, &auth).await?;
    room_in(&state, &auth, &team, &name).await
}

async fn room_in(state: &Server, auth: &Auth, team: &TeamRow, name: &str) -> Answer {
    // direct rooms have names, too, and are asked for by way of any team
    let found = match state.store.room_by_name(Some(&team.id), name).await? {
        Some(room) => Some(room),
        None => state.store.room_by_name(None, name).await?,
    };
    let room = found.ok_or_else(|| Fault::not_found("room", name))?;
    let access = state
        .room_for(room.id.as_str(), &auth.0.person, RoomRight::Read)
        .await;
    let access = access.map_err(|_| Fault::not_found("room", name))?;
    Ok(Json(wire::channel(&access.room)))
}

async fn of_user(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let teams = state.store.teams_of(&auth.own(&id)?).await?;
    Ok(Json(teams.iter().map(wire::team).collect()))
}

async fn memberships(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let members = state.store.team_memberships_of(&auth.own(&id)?).await?;
    Ok(Json(members.iter().map(wire::team_member).collect()))
}
