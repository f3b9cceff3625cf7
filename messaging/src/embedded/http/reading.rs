//! Up to where people have read rooms, on the wire.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Auth, Body, Params, State};
use crate::embedded::fault::Fault;
use crate::embedded::store::FollowedWanted;
use crate::embedded::{Server, wire};
use crate::model::RoomRight;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/channels/members/{user}/view", post(view))
        .route("/users/{user}/channels/{id}/unread", get(unread))
        .route("/users/{user}/posts/{id}/set_unread", post(set_unread))
        .route("/users/{user}/teams/unread", get(unread_in_teams))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct View {
    channel_id: String,
    prev_channel_id: String,
    collapsed_threads_supported: bool,
}

async fn view(
    state: State,
    auth: Auth,
    Path(user): Path<String>,
    Body(body): Body<View>,
) -> Answer {
    auth.check_rate(&state)?;
    let person = auth.own(&user)?;
    let mut times = Map::new();
    for id in [body.prev_channel_id, body.channel_id] {
        // an empty id means that no room is shown (any more)
        if !id.is_empty() {
            let room = state
                .room_for(&id, &auth.0.person, RoomRight::Read)
                .await?
                .room;
            let knows_threads = body.collapsed_threads_supported;
            let at = state.view_room(&room, &person, knows_threads).await?;
            times.insert(id, at.into());
        }
    }
    Ok(Json(
        json!({ "status": "OK", "last_viewed_at_times": times }),
    ))
}

async fn unread(state: State, auth: Auth, Path((user, id)): Path<(String, String)>) -> Answer {
    let person = auth.own(&user)?;
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Read)
        .await?
        .room;
    Ok(Json(wire::unread(&state.unread(&room.id, &person).await?)))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SetUnread {
    collapsed_threads_supported: bool,
}

/// From a post on. Where a person sees threads apart, a reply is unread in its thread, and the room
/// stays as it is.
async fn set_unread(
    state: State,
    auth: Auth,
    Path((user, id)): Path<(String, String)>,
    bytes: Bytes,
) -> Answer {
    auth.check_rate(&state)?;
    if auth.named(&user)? != auth.0.person.id {
        return Err(Fault::forbidden("nobody reads for somebody else"));
    }
    // Old clients send no body.
    let sent: SetUnread = serde_json::from_slice(&bytes).unwrap_or_default();
    let person = &auth.0.person;
    let post = state.post_for(&id, person).await?.row;
    let mut unread = state.unread(&post.room_id, &person.id).await?;
    let thread = post.root_id.as_ref();
    match thread.filter(|_| sent.collapsed_threads_supported) {
        Some(root) if state.sees_threads_apart(&person.id).await? => {
            let (root, room) = state.thread_for(root.as_str(), person).await?;
            state
                .mark_thread_unread(&root, &room, person, &post)
                .await?;
        }
        Some(_) | None => unread = state.mark_unread(person, &post).await?,
    }
    Ok(Json(wire::unread_at(&unread)))
}

/// Unread messages and mentions, summed up per team; those of followed threads where they are wanted.
async fn unread_in_teams(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let person = auth.own(&id)?;
    let rooms = state.store.rooms_with(&person).await?;
    let members = state.store.memberships_of(&person).await?;
    let teams = state.store.teams_of(&person).await?;
    let mut all = Vec::new();
    for team in &teams {
        let mut sums = [0; 4];
        for room in rooms
            .iter()
            .filter(|room| room.team_id.as_ref() == Some(&team.id))
        {
            let member = members.iter().find(|member| member.room_id == room.id);
            let Some(member) = member else { continue };
            let of_room = [
                (room.post_count - member.viewed_posts).max(0),
                member.mentions,
                (room.root_post_count - member.viewed_root_posts).max(0),
                member.root_mentions,
            ];
            for (sum, more) in sums.iter_mut().zip(of_room) {
                *sum += more;
            }
        }
        let mut threads = (0, 0);
        if params.flag("include_collapsed_threads") {
            let wanted = FollowedWanted {
                team: Some(team.id.clone()),
                without_direct: true,
                ..FollowedWanted::default()
            };
            let totals = state.store.followed_totals(&person, &wanted).await?;
            threads = (totals.unread_threads, totals.mentions);
        }
        let [messages, mentions, roots, root_mentions] = sums;
        all.push(json!({
            "team_id": team.id, "msg_count": messages, "mention_count": mentions,
            "msg_count_root": roots, "mention_count_root": root_mentions,
            "thread_count": threads.0, "thread_mention_count": threads.1,
            "thread_urgent_mention_count": 0,
        }));
    }
    Ok(Json(Value::Array(all)))
}
