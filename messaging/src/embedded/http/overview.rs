//! What administrators of the server see of all of it: channels, counts, people in lists.

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Auth, Body, MAX_PER_PAGE, PER_PAGE, Params, State};
use crate::embedded::fault::Fault;
use crate::embedded::store::RoomRow;
use crate::embedded::{Imported, Outcome, Server, wire};

/// Most people in one request: each password takes a while to hash.
const MAX_IMPORTED: usize = 200;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/channels", get(channels))
        .route("/channels/search", post(search))
        .route("/analytics/old", get(analytics))
        .route("/admin/storage", get(storage))
        .route("/users/import", post(import))
}

/// Channels with the names of their teams.
async fn described(state: &Server, rooms: &[RoomRow]) -> Result<Vec<Value>, Fault> {
    let teams = state.store.all_teams().await?;
    let describe = |room: &RoomRow| {
        let mut value = wire::channel(room);
        let team = teams
            .iter()
            .find(|team| room.team_id.as_ref() == Some(&team.id));
        if let (Some(team), Some(fields)) = (team, value.as_object_mut()) {
            fields.insert("team_name".to_owned(), team.name.as_str().into());
            fields.insert(
                "team_display_name".to_owned(),
                team.display_name.as_str().into(),
            );
            fields.insert("team_update_at".to_owned(), team.updated_at.into());
        }
        value
    };
    Ok(rooms.iter().map(describe).collect())
}

async fn channels(state: State, auth: Auth, params: Params) -> Answer {
    auth.check_admin()?;
    let (offset, limit) = params.page()?;
    let with_archived = params.flag("include_deleted");
    let rooms = state.store.all_rooms("", with_archived, offset, limit);
    Ok(Json(described(&state, &rooms.await?).await?.into()))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Search {
    term: String,
    include_deleted: bool,
    page: Option<i64>,
    per_page: Option<i64>,
}

async fn search(state: State, auth: Auth, Body(body): Body<Search>) -> Answer {
    auth.check_admin()?;
    let limit = body.per_page.unwrap_or(PER_PAGE).clamp(1, MAX_PER_PAGE);
    let offset = body.page.unwrap_or(0).max(0).saturating_mul(limit);
    let rooms = state
        .store
        .all_rooms(&body.term, body.include_deleted, offset, limit);
    Ok(Json(described(&state, &rooms.await?).await?.into()))
}

/// The counts that v4 calls `standard`.
async fn analytics(state: State, auth: Auth) -> Answer {
    auth.check_admin()?;
    let all = state.store.reckon(state.wall_ms()).await?;
    let rows = [
        ("channel_open_count", all.public_rooms),
        ("channel_private_count", all.private_rooms),
        ("post_count", all.posts),
        ("unique_user_count", all.people),
        ("inactive_user_count", all.shut_out),
        ("team_count", all.teams),
    ];
    let row = |(name, value): (&str, i64)| json!({ "name": name, "value": value });
    Ok(Json(rows.into_iter().map(row).collect()))
}

/// What is kept, and how much room is left for it.
async fn storage(state: State, auth: Auth) -> Answer {
    auth.check_admin()?;
    let all = state.store.reckon(state.wall_ms()).await?;
    let free = storage::space::free_bytes(&state.config.data_dir).ok();
    Ok(Json(json!({
        "people": all.people,
        "shut_out": all.shut_out,
        "sessions": all.sessions,
        "teams": all.teams,
        "public_channels": all.public_rooms,
        "private_channels": all.private_rooms,
        "direct_and_group_messages": all.personal_rooms,
        "posts": all.posts,
        "files": all.files,
        "file_bytes": all.file_bytes,
        "unfinished_uploads": all.uploads,
        "unfinished_upload_bytes": all.upload_bytes,
        // of the disk of the data folder; files may be elsewhere
        "free_bytes": free,
    })))
}

#[derive(Deserialize)]
struct List {
    csv: String,
}

async fn import(state: State, auth: Auth, Body(list): Body<List>) -> Answer {
    auth.check_admin()?;
    let done = state.import(&list.csv, MAX_IMPORTED).await?;
    Ok(Json(done.into_iter().map(imported).collect()))
}

/// The only time that a made-up password is told.
fn imported(done: Imported) -> Value {
    let (outcome, password, why) = match done.outcome {
        Outcome::Added(password) => ("added", password, None),
        Outcome::Exists => ("exists", None, None),
        Outcome::Failed(why) => ("failed", None, Some(why)),
    };
    json!({
        "line": done.line,
        "username": done.username,
        "outcome": outcome,
        "password": password.as_ref().map(proto::redact::Secret::expose),
        "message": why,
    })
}
