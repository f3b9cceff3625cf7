//! Reactions on the wire.

use std::sync::Arc;

use axum::extract::Path;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Answer, Auth, Body, State, check_lookups, ok};
use crate::embedded::fault::Fault;
use crate::embedded::posts::PostView;
use crate::embedded::{Server, wire};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/reactions", post(add))
        .route("/posts/{id}/reactions", get(of_post))
        .route("/posts/ids/reactions", post(of_posts))
        .route(
            "/users/{user}/posts/{id}/reactions/{emoji}",
            delete(take_back),
        )
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reaction {
    user_id: String,
    post_id: String,
    emoji_name: String,
}

async fn add(state: State, auth: Auth, Body(body): Body<Reaction>) -> Answer {
    auth.check_rate(&state)?;
    if auth.named(&body.user_id)? != auth.0.person.id {
        return Err(Fault::forbidden("nobody reacts for somebody else"));
    }
    let reaction = state
        .react(&auth.0.person, &body.post_id, &body.emoji_name)
        .await?;
    Ok(Json(reaction))
}

async fn take_back(
    state: State,
    auth: Auth,
    Path((user, id, emoji)): Path<(String, String, String)>,
) -> Answer {
    auth.check_rate(&state)?;
    let of = auth.named(&user)?;
    state
        .take_reaction_back(&auth.0.person, &of, &id, &emoji)
        .await?;
    Ok(ok())
}

fn listed(view: &PostView) -> Value {
    let reactions = view.reactions.iter();
    reactions
        .map(|row| wire::reaction(row, &view.row))
        .collect()
}

async fn of_post(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let view = state.post_for(&id, &auth.0.person).await?;
    Ok(Json(listed(&view)))
}

/// By post; what the sender may not read is left out like what does not exist.
async fn of_posts(state: State, auth: Auth, Body(ids): Body<Vec<String>>) -> Answer {
    check_lookups(&ids)?;
    let mut found = Map::new();
    for id in ids {
        if let Ok(view) = state.post_for(&id, &auth.0.person).await
            && !view.reactions.is_empty()
        {
            found.insert(id, listed(&view));
        }
    }
    Ok(Json(Value::Object(found)))
}
