//! People: look-ups, names, pictures, statuses.
//!
//! Not here: signing in and out, passwords, sessions (`sign_in`).

use axum::Json;
use axum::Router;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use proto::id::{ChannelId, TeamId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

use super::{Answer, Auth, Body, Params, State, check_lookups, ok};
use crate::embedded::fault::Fault;
use crate::embedded::store::{PersonFilter, PersonRow, Standing};
use crate::embedded::{Server, portrait, wire};
use crate::model::{RoomRight, Status};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/users", get(list))
        .route("/users/ids", post(by_ids))
        .route("/users/usernames", post(by_usernames))
        .route("/users/search", post(search))
        .route("/users/autocomplete", get(autocomplete))
        .route("/users/stats", get(stats))
        .route("/users/status/ids", post(statuses))
        .route("/users/username/{name}", get(by_name))
        .route("/users/email/{name}", get(by_name))
        .route("/users/{id}", get(one))
        .route("/users/{id}/patch", put(patch))
        .route(
            "/users/{id}/image",
            get(image).post(set_image).delete(remove_image),
        )
        .route("/users/{id}/image/default", get(default_image))
        .route("/users/{id}/status", get(status).put(set_status))
        .route("/users/{id}/typing", post(typing))
}

fn described(state: &Server, auth: &Auth, rows: &[PersonRow]) -> Json<Value> {
    rows.iter()
        .map(|row| state.shown(row, auth.eyes_for(&row.id)))
        .collect::<Vec<_>>()
        .into_json()
}

trait IntoJson {
    fn into_json(self) -> Json<Value>;
}

impl IntoJson for Vec<Value> {
    fn into_json(self) -> Json<Value> {
        Json(Value::Array(self))
    }
}

impl Server {
    /// Checks that the caller may see the team and the rooms that restrict a list of people.
    async fn check_filter(&self, auth: &Auth, filter: &PersonFilter<'_>) -> Result<(), Fault> {
        for team in [filter.in_team, filter.not_in_team].into_iter().flatten() {
            self.team_for(team.as_str(), &auth.0.person).await?;
        }
        for room in [filter.in_room, filter.not_in_room].into_iter().flatten() {
            self.room_for(room.as_str(), &auth.0.person, RoomRight::Read)
                .await?;
        }
        Ok(())
    }
}

fn team_id(text: Option<&str>) -> Result<Option<TeamId>, Fault> {
    text.map(|id| TeamId::parse(id).map_err(|_| Fault::not_found("team", id)))
        .transpose()
}

fn room_id(text: Option<&str>) -> Result<Option<ChannelId>, Fault> {
    text.map(|id| ChannelId::parse(id).map_err(|_| Fault::not_found("room", id)))
        .transpose()
}

/// Which people are listed. Only administrators see who is shut out.
fn standing(auth: &Auth, shut_out: bool, either: bool) -> Result<Standing, Fault> {
    if !shut_out && !either {
        return Ok(Standing::Active);
    }
    auth.check_admin()?;
    Ok(if shut_out {
        Standing::ShutOut
    } else {
        Standing::Either
    })
}

async fn list(state: State, auth: Auth, params: Params) -> Answer {
    let (offset, limit) = params.page()?;
    let team = team_id(params.text("in_team"))?;
    let room = room_id(params.text("in_channel"))?;
    let not_room = room_id(params.text("not_in_channel"))?;
    let not_team = team_id(params.text("not_in_team"))?;
    let filter = PersonFilter {
        standing: standing(&auth, params.flag("inactive"), false)?,
        only_admins: params.text("role") == Some("system_admin"),
        in_team: team.as_ref(),
        not_in_team: not_team.as_ref(),
        in_room: room.as_ref(),
        not_in_room: not_room.as_ref(),
        term: None,
        offset,
        limit,
    };
    state.check_filter(&auth, &filter).await?;
    Ok(described(
        &state,
        &auth,
        &state.store.list_persons(&filter).await?,
    ))
}

async fn autocomplete(state: State, auth: Auth, params: Params) -> Answer {
    let limit = params.limit("limit")?;
    let team = team_id(params.text("in_team"))?;
    let room = room_id(params.text("in_channel"))?;
    let term = params.text("name").unwrap_or_default();
    let mut filter = PersonFilter {
        in_team: team.as_ref(),
        in_room: room.as_ref(),
        term: Some(term),
        limit,
        ..PersonFilter::default()
    };
    state.check_filter(&auth, &filter).await?;
    let users = described(&state, &auth, &state.store.list_persons(&filter).await?).0;
    let mut answer = json!({ "users": users });
    if room.is_some() {
        filter.not_in_room = filter.in_room.take();
        let others = described(&state, &auth, &state.store.list_persons(&filter).await?).0;
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("out_of_channel".to_owned(), others);
        }
    }
    Ok(Json(answer))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Search {
    term: String,
    team_id: String,
    in_channel_id: String,
    not_in_channel_id: String,
    not_in_team_id: String,
    allow_inactive: bool,
    role: String,
    limit: Option<i64>,
}

async fn search(state: State, auth: Auth, Body(body): Body<Search>) -> Answer {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let team = team_id(some(&body.team_id).as_deref())?;
    let room = room_id(some(&body.in_channel_id).as_deref())?;
    let not_room = room_id(some(&body.not_in_channel_id).as_deref())?;
    let not_team = team_id(some(&body.not_in_team_id).as_deref())?;
    let filter = PersonFilter {
        standing: standing(&auth, false, body.allow_inactive)?,
        only_admins: body.role == "system_admin",
        in_team: team.as_ref(),
        not_in_team: not_team.as_ref(),
        in_room: room.as_ref(),
        not_in_room: not_room.as_ref(),
        term: Some(&body.term),
        offset: 0,
        limit: body
            .limit
            .unwrap_or(super::PER_PAGE)
            .clamp(1, super::MAX_PER_PAGE),
    };
    state.check_filter(&auth, &filter).await?;
    Ok(described(
        &state,
        &auth,
        &state.store.list_persons(&filter).await?,
    ))
}

async fn by_ids(state: State, auth: Auth, Body(ids): Body<Vec<String>>) -> Answer {
    check_lookups(&ids)?;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    Ok(described(&state, &auth, &state.store.persons(&ids).await?))
}

async fn by_usernames(state: State, auth: Auth, Body(names): Body<Vec<String>>) -> Answer {
    check_lookups(&names)?;
    let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(described(
        &state,
        &auth,
        &state.store.persons_by_username(&names).await?,
    ))
}

async fn by_name(state: State, auth: Auth, Path(name): Path<String>) -> Answer {
    let row = state.person_named(&name).await?;
    // an address may be looked up by its owner and by administrators
    let eyes = auth.eyes_for(&row.id);
    if name.contains('@') && eyes == wire::Eyes::Others {
        return Err(Fault::not_found("person", name));
    }
    Ok(Json(state.shown(&row, eyes)))
}

async fn one(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let row = state.person_row(auth.named(&id)?.as_str()).await?;
    Ok(Json(state.shown(&row, auth.eyes_for(&row.id))))
}

async fn stats(state: State, _: Auth) -> Answer {
    Ok(Json(
        json!({ "total_users_count": state.store.count_people().await? }),
    ))
}

#[derive(Deserialize)]
struct UserPatch {
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    nickname: Option<String>,
    position: Option<String>,
    locale: Option<String>,
}

async fn patch(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(patch): Body<UserPatch>,
) -> Answer {
    auth.check_rate(&state)?;
    let mut row = state.person_row(auth.own(&id)?.as_str()).await?;
    let change = |field: &mut String, value: Option<String>| {
        if let Some(value) = value {
            *field = value;
        }
    };
    change(
        &mut row.username,
        patch.username.map(|name| name.trim().to_lowercase()),
    );
    change(&mut row.first_name, patch.first_name);
    change(&mut row.last_name, patch.last_name);
    change(&mut row.nickname, patch.nickname);
    change(&mut row.position, patch.position);
    change(&mut row.locale, patch.locale);
    let row = state.update_names(row).await?;
    Ok(Json(state.shown(&row, wire::Eyes::Own)))
}

async fn image(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Fault> {
    let row = state.person_row(auth.named(&id)?.as_str()).await?;
    let (picture, mime) = state.picture_of(&row).await?;
    Ok((picture_headers(&mime)?, picture))
}

/// The drawn picture, whether the person has another one or not.
async fn default_image(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Fault> {
    let row = state.person_row(auth.named(&id)?.as_str()).await?;
    let picture = portrait::draw(&row.to_person());
    Ok((picture_headers(portrait::MIME)?, picture))
}

/// A picture does nothing but be shown.
fn picture_headers(mime: &str) -> Result<[(HeaderName, HeaderValue); 4], Fault> {
    let mime = HeaderValue::from_str(mime).map_err(|e| Fault::internal("name a picture", e))?;
    let fixed = HeaderValue::from_static;
    Ok([
        (header::CONTENT_TYPE, mime),
        (header::CACHE_CONTROL, fixed("private, max-age=3600")),
        (header::CONTENT_SECURITY_POLICY, fixed("default-src 'none'")),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
    ])
}

/// A form with the picture as `image`.
async fn set_image(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    form: Result<Multipart, MultipartRejection>,
) -> Answer {
    auth.check_rate(&state)?;
    let person = auth.own(&id)?;
    let broken = |why| Fault::invalid("api.user.upload_profile_user.parse.app_error", why);
    let mut form = form.map_err(|rejection| broken(rejection.body_text()))?;
    while let Some(field) = form
        .next_field()
        .await
        .map_err(|error| broken(error.body_text()))?
    {
        if field.name() == Some("image") {
            let bytes = field.bytes().await;
            let bytes = bytes.map_err(|error| broken(error.body_text()))?;
            state.set_picture(&person, Some(&bytes)).await?;
            return Ok(ok());
        }
    }
    Err(Fault::invalid(
        "api.user.upload_profile_user.no_file.app_error",
        "there is no picture in the form: send it as `image`",
    ))
}

async fn remove_image(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    auth.check_rate(&state)?;
    state.set_picture(&auth.own(&id)?, None).await?;
    Ok(ok())
}

async fn statuses(state: State, _: Auth, Body(ids): Body<Vec<String>>) -> Answer {
    check_lookups(&ids)?;
    let known = ids.iter().filter_map(|id| UserId::parse(id.as_str()).ok());
    Ok(known
        .map(|id| wire::status(&id, state.statuses.of(&id)))
        .collect::<Vec<_>>()
        .into_json())
}

async fn status(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let person = auth.named(&id)?;
    Ok(Json(wire::status(&person, state.statuses.of(&person))))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StatusBody {
    status: String,
}

async fn set_status(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<StatusBody>,
) -> Answer {
    auth.check_rate(&state)?;
    let person = auth.own(&id)?;
    let Some(status) = Status::parse(&body.status) else {
        return Err(Fault::invalid(
            "api.context.invalid_body_param.app_error",
            "`status` is one of `online`, `away`, `dnd`, `offline`",
        ));
    };
    if state.statuses.choose(&person, status, state.now_ms()) {
        state.announce_status(&person);
    }
    Ok(Json(wire::status(&person, state.statuses.of(&person))))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Typing {
    channel_id: String,
    parent_id: String,
}

async fn typing(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<Typing>,
) -> Result<StatusCode, Fault> {
    auth.check_rate(&state)?;
    if auth.named(&id)? != auth.0.person.id {
        return Err(Fault::forbidden("nobody types for somebody else"));
    }
    state
        .tell_typing(&auth.0, &body.channel_id, &body.parent_id)
        .await?;
    Ok(StatusCode::OK)
}
