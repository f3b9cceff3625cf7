//! Rooms, called channels on the wire: making, joining, leaving, roles. Not here: reading (`reading`).

use std::sync::Arc;

use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use proto::id::{ChannelId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Auth, Body, Params, State, check_lookups, created, ok};
use crate::embedded::fault::Fault;
use crate::embedded::store::MemberRow;
use crate::embedded::{Server, wire};
use crate::model::RoomRight;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/channels", post(create))
        .route("/channels/direct", post(direct))
        .route("/channels/group", post(group))
        .route("/channels/{id}", get(one).put(patch).delete(archive))
        .route("/channels/{id}/patch", put(patch))
        .route("/channels/{id}/restore", post(restore))
        .route("/channels/{id}/stats", get(stats))
        .route("/channels/{id}/members", get(members).post(add_member))
        .route("/channels/{id}/members/ids", post(members_by_ids))
        .route(
            "/channels/{id}/members/{user}",
            get(member).delete(remove_member),
        )
        .route("/channels/{id}/members/{user}/roles", put(set_roles))
        .route(
            "/channels/{id}/members/{user}/schemeRoles",
            put(set_scheme_roles),
        )
        .route("/users/{id}/channels", get(of_user))
        .route("/users/{id}/channel_members", get(memberships))
        .route("/users/{id}/teams/{team}/channels", get(of_user_in_team))
        .route(
            "/users/{id}/teams/{team}/channels/members",
            get(memberships_in_team),
        )
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewChannel {
    team_id: String,
    name: String,
    display_name: String,
    #[serde(rename = "type")]
    kind: String,
    header: String,
    purpose: String,
}

async fn create(
    state: State,
    auth: Auth,
    Body(body): Body<NewChannel>,
) -> Result<impl IntoResponse, Fault> {
    auth.check_rate(&state)?;
    let team = state.team_for(&body.team_id, &auth.0.person).await?;
    let kind = match body.kind.as_str() {
        "O" => "O",
        "P" => "P",
        kind => {
            return Err(Fault::invalid(
                "model.channel.is_valid.type.app_error",
                format!("`type` is `{kind}`: it must be `O` (public) or `P` (private)"),
            ));
        }
    };
    let texts = (body.header.as_str(), body.purpose.as_str());
    let creator = Some(&auth.0.person.id);
    let room = state
        .create_room(
            &team.id,
            kind,
            &body.name,
            &body.display_name,
            texts,
            creator,
        )
        .await?;
    Ok(created(wire::channel(&room)))
}

/// Ids of people, as lists of ids carry them.
fn user_ids(ids: &[String]) -> Result<Vec<UserId>, Fault> {
    check_lookups(ids)?;
    let parse =
        |id: &String| UserId::parse(id.as_str()).map_err(|_| Fault::not_found("person", id));
    ids.iter().map(parse).collect()
}

async fn direct(
    state: State,
    auth: Auth,
    Body(ids): Body<Vec<String>>,
) -> Result<impl IntoResponse, Fault> {
    auth.check_rate(&state)?;
    let ids = user_ids(&ids)?;
    let [a, b] = ids.as_slice() else {
        return Err(Fault::invalid(
            "api.context.invalid_body_param.app_error",
            "a direct message is between two people",
        ));
    };
    let me = &auth.0.person.id;
    let other = if a == me { b } else { a };
    if a != me && b != me {
        return Err(Fault::forbidden(
            "you must be one of the two people of a direct message",
        ));
    }
    Ok(created(wire::channel(&state.direct_room(me, other).await?)))
}

async fn group(
    state: State,
    auth: Auth,
    Body(ids): Body<Vec<String>>,
) -> Result<impl IntoResponse, Fault> {
    auth.check_rate(&state)?;
    let room = state.group_room(&auth.0.person, &user_ids(&ids)?).await?;
    Ok(created(wire::channel(&room)))
}

async fn one(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let access = state.room_for(&id, &auth.0.person, RoomRight::Read).await?;
    Ok(Json(wire::channel(&access.room)))
}

#[derive(Deserialize)]
struct ChannelPatch {
    name: Option<String>,
    display_name: Option<String>,
    header: Option<String>,
    purpose: Option<String>,
}

async fn patch(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(patch): Body<ChannelPatch>,
) -> Answer {
    auth.check_rate(&state)?;
    let mut room = state
        .room_for(&id, &auth.0.person, RoomRight::Manage)
        .await?
        .room;
    let change = |field: &mut String, value: Option<String>| {
        if let Some(value) = value {
            *field = value;
        }
    };
    if room.is_default && patch.name.as_ref().is_some_and(|name| *name != room.name) {
        return Err(Fault::invalid(
            "api.channel.update_channel.tried.app_error",
            "this channel is everybody's and keeps its name",
        ));
    }
    change(&mut room.name, patch.name);
    change(&mut room.display_name, patch.display_name);
    change(&mut room.header, patch.header);
    change(&mut room.purpose, patch.purpose);
    Ok(Json(wire::channel(&state.update_room(room).await?)))
}

async fn archive(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    auth.check_rate(&state)?;
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Manage)
        .await?
        .room;
    if room.is_default {
        return Err(Fault::invalid(
            "api.channel.delete_channel.cannot.app_error",
            "this channel is everybody's and cannot be archived",
        ));
    }
    state.archive_room(room, true).await?;
    Ok(ok())
}

async fn restore(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    auth.check_rate(&state)?;
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Manage)
        .await?
        .room;
    state.archive_room(room, false).await?;
    Ok(Json(wire::channel(&state.room_row(&id).await?)))
}

async fn stats(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Read)
        .await?
        .room;
    Ok(Json(json!({
        "channel_id": room.id, "member_count": state.store.count_members(&room.id).await?,
        "guest_count": 0, "pinnedpost_count": 0, "files_count": 0,
    })))
}

async fn members(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Answer {
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Read)
        .await?
        .room;
    let (offset, limit) = params.page()?;
    let members = state.store.members(&room.id, offset, limit).await?;
    Ok(Json(members.iter().map(wire::channel_member).collect()))
}

async fn members_by_ids(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(ids): Body<Vec<String>>,
) -> Answer {
    check_lookups(&ids)?;
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Read)
        .await?
        .room;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let members = state.store.members_by_ids(&room.id, &ids).await?;
    Ok(Json(members.iter().map(wire::channel_member).collect()))
}

impl Server {
    async fn member_row(&self, room: &ChannelId, user: &UserId) -> Result<MemberRow, Fault> {
        let member = self.store.member(room, user).await?;
        member.ok_or_else(|| Fault::not_found("member", user.as_str()))
    }
}

async fn member(state: State, auth: Auth, Path((id, user)): Path<(String, String)>) -> Answer {
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Read)
        .await?
        .room;
    let user = auth.named(&user)?;
    Ok(Json(wire::channel_member(
        &state.member_row(&room.id, &user).await?,
    )))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewMember {
    user_id: String,
    user_ids: Vec<String>,
}

/// Joining a public room oneself, or adding others to a room one is in.
async fn add_member(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<NewMember>,
) -> Result<impl IntoResponse, Fault> {
    auth.check_rate(&state)?;
    let access = state.room_for(&id, &auth.0.person, RoomRight::Read).await?;
    let is_single = !body.user_id.is_empty();
    let mut ids = body.user_ids;
    if is_single {
        ids.push(body.user_id);
    }
    check_lookups(&ids)?;
    let mut added = Vec::new();
    for id in &ids {
        let user = auth.named(id)?;
        let joins_itself = user == auth.0.person.id && access.room.kind == "O";
        if access.room.is_personal() || access.room.deleted_at != 0 {
            return Err(Fault::forbidden("nobody can be added to this channel"));
        }
        if !joins_itself && access.member.is_none() && !access.allows(RoomRight::Manage) {
            return Err(Fault::forbidden("only members add people to a channel"));
        }
        state.person_row(user.as_str()).await?;
        if let Some(team) = &access.room.team_id
            && state.store.team_member(team, &user).await?.is_none()
        {
            return Err(Fault::invalid(
                "api.channel.add_user.not_in_team.app_error",
                "this person is not in the team of this channel",
            ));
        }
        state.join_room(&access.room, &user, false).await?;
        added.push(wire::channel_member(
            &state.member_row(&access.room.id, &user).await?,
        ));
    }
    let answer = match added.pop() {
        Some(member) if is_single && added.is_empty() => member,
        Some(last) => {
            added.push(last);
            Value::Array(added)
        }
        None => {
            return Err(Fault::invalid(
                "api.context.invalid_body_param.app_error",
                "`user_id` is missing",
            ));
        }
    };
    Ok(created(answer))
}

async fn remove_member(
    state: State,
    auth: Auth,
    Path((id, user)): Path<(String, String)>,
) -> Answer {
    auth.check_rate(&state)?;
    let access = state.room_for(&id, &auth.0.person, RoomRight::Read).await?;
    let user = auth.named(&user)?;
    let is_self = user == auth.0.person.id;
    if access.room.is_personal() {
        return Err(Fault::forbidden("nobody leaves a direct or group message"));
    }
    if access.room.is_default {
        return Err(Fault::invalid(
            "api.channel.remove.default.app_error",
            "this channel is everybody's: nobody leaves it",
        ));
    }
    // in a private room every member may remove others, in a public one those who manage it
    let may = is_self
        || access.allows(RoomRight::Manage)
        || (access.room.kind == "P" && access.member.is_some());
    if !may {
        return Err(Fault::forbidden(
            "only an administrator of this channel removes people",
        ));
    }
    state
        .leave_room(&access.room, &user, &auth.0.person.id)
        .await?;
    Ok(ok())
}

async fn of_user(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let rooms = state.store.rooms_with(&auth.own(&id)?).await?;
    let rooms = rooms.iter().filter(|room| room.deleted_at == 0);
    Ok(Json(rooms.map(wire::channel).collect()))
}

async fn memberships(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let members = state.store.memberships_of(&auth.own(&id)?).await?;
    Ok(Json(members.iter().map(wire::channel_member).collect()))
}

/// The rooms of a person in a team, and those outside teams.
async fn of_user_in_team(
    state: State,
    auth: Auth,
    Path((id, team)): Path<(String, String)>,
    params: Params,
) -> Answer {
    let team = state.team_for(&team, &auth.0.person).await?;
    let rooms = state.store.rooms_with(&auth.own(&id)?).await?;
    let with_archived = params.flag("include_deleted");
    let rooms = rooms.iter().filter(|room| {
        room.team_id.as_ref().is_none_or(|id| *id == team.id)
            && (with_archived || room.deleted_at == 0)
    });
    Ok(Json(rooms.map(wire::channel).collect()))
}

async fn memberships_in_team(
    state: State,
    auth: Auth,
    Path((id, team)): Path<(String, String)>,
) -> Answer {
    let team = state.team_for(&team, &auth.0.person).await?;
    let person = auth.own(&id)?;
    let rooms = state.store.rooms_with(&person).await?;
    let members = state.store.memberships_of(&person).await?;
    let members = members.iter().filter(|member| {
        let room = rooms.iter().find(|room| room.id == member.room_id);
        room.is_some_and(|room| room.team_id.as_ref().is_none_or(|id| *id == team.id))
    });
    Ok(Json(members.map(wire::channel_member).collect()))
}

#[derive(Deserialize)]
struct Roles {
    roles: String,
}

async fn set_roles(
    state: State,
    auth: Auth,
    Path((id, user)): Path<(String, String)>,
    Body(body): Body<Roles>,
) -> Answer {
    let mut names: Vec<&str> = body.roles.split_whitespace().collect();
    names.sort_unstable();
    names.dedup();
    let is_admin = match names.as_slice() {
        ["channel_user"] => false,
        ["channel_admin", "channel_user"] => true,
        _ => {
            return Err(Fault::invalid(
                "api.context.invalid_body_param.app_error",
                "`roles` must be `channel_user` or `channel_user channel_admin`",
            ));
        }
    };
    set_role(&state, &auth, (&id, &user), is_admin).await
}

#[derive(Deserialize)]
struct SchemeRoles {
    scheme_admin: bool,
}

async fn set_scheme_roles(
    state: State,
    auth: Auth,
    Path((id, user)): Path<(String, String)>,
    Body(body): Body<SchemeRoles>,
) -> Answer {
    set_role(&state, &auth, (&id, &user), body.scheme_admin).await
}

async fn set_role(state: &Server, auth: &Auth, (id, user): (&str, &str), is_admin: bool) -> Answer {
    auth.check_rate(state)?;
    let room = state
        .room_for(id, &auth.0.person, RoomRight::Manage)
        .await?
        .room;
    state
        .set_room_role(&room, &auth.named(user)?, is_admin)
        .await?;
    Ok(ok())
}
