//! Followed threads on the wire.
//!
//! Whoever lists somebody else's must be an administrator of the server; nobody reads or follows for
//! somebody else.

use std::sync::Arc;

use axum::extract::Path;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use proto::id::{PostId, TeamId};
use serde_json::{Value, json};

use super::{Answer, Auth, Params, State, ok};
use crate::embedded::fault::Fault;
use crate::embedded::store::{FollowedTotals, FollowedWanted, PostRow, RoomRow};
use crate::embedded::threads::ThreadReader;
use crate::embedded::{Server, wire};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/users/{user}/teams/{team}/threads", get(list))
        .route("/users/{user}/teams/{team}/threads/read", put(read_all))
        .route(
            "/users/{user}/teams/{team}/threads/mention_counts",
            get(mention_counts),
        )
        .route("/users/{user}/teams/{team}/threads/{thread}", get(one))
        .route(
            "/users/{user}/teams/{team}/threads/{thread}/following",
            put(follow).delete(stop_following),
        )
        .route(
            "/users/{user}/teams/{team}/threads/{thread}/read/{timestamp}",
            put(read),
        )
        .route(
            "/users/{user}/teams/{team}/threads/{thread}/set_unread/{post}",
            post(set_unread),
        )
}

impl Auth {
    /// Refuses whoever acts for somebody else.
    fn is_herself(&self, user: &str) -> Result<(), Fault> {
        if self.named(user)? == self.0.person.id {
            return Ok(());
        }
        Err(Fault::forbidden(
            "nobody reads or follows for somebody else",
        ))
    }
}

impl Server {
    /// The thread of a path, which must be of the path's team or of no team.
    async fn thread_of_path(
        &self,
        auth: &Auth,
        user: &str,
        team: &str,
        thread: &str,
    ) -> Result<(PostRow, RoomRow), Fault> {
        auth.is_herself(user)?;
        let team = self.team_for(team, &auth.0.person).await?;
        let (root, room) = self.thread_for(thread, &auth.0.person).await?;
        if room.team_id.as_ref().is_some_and(|of| *of != team.id) {
            return Err(Fault::not_found("thread", thread));
        }
        Ok((root, room))
    }

    /// The place of a thread in the list of threads.
    async fn place_of_thread(&self, id: Option<&str>) -> Result<Option<(i64, PostId)>, Fault> {
        let Some(id) = id else { return Ok(None) };
        let row = self.store.post(id).await?;
        let row = row.ok_or_else(|| Fault::not_found("thread", id))?;
        Ok(Some((row.last_reply_at, row.id)))
    }
}

/// Threads that a person follows, the one with the newest reply first, and sums over all of them.
async fn list(
    state: State,
    auth: Auth,
    Path((user, team)): Path<(String, String)>,
    params: Params,
) -> Answer {
    let person = auth.own(&user)?;
    let team: TeamId = state.team_for(&team, &auth.0.person).await?.id;
    let wanted = FollowedWanted {
        team: Some(team),
        without_direct: params.flag("excludeDirect"),
        only_unread: params.flag("unread"),
        with_deleted: params.flag("deleted"),
        since: params.number("since")?.unwrap_or(0),
        before: state.place_of_thread(params.text("before")).await?,
        after: state.place_of_thread(params.text("after")).await?,
        limit: params.limit("per_page")?,
    };
    let mut threads = Vec::new();
    if !params.flag("totalsOnly") {
        let rows = state.store.followed_threads(&person, &wanted).await?;
        let reader = ThreadReader {
            person: person.clone(),
            is_extended: params.flag("extended"),
        };
        threads = state.with_posts(rows, &reader).await?;
    }
    let mut totals = FollowedTotals {
        threads: 0,
        unread_threads: 0,
        mentions: 0,
    };
    if !params.flag("threadsOnly") {
        totals = state.store.followed_totals(&person, &wanted).await?;
    }
    let threads: Vec<Value> = threads.iter().map(wire::thread).collect();
    Ok(Json(json!({
        "total": totals.threads,
        "total_unread_threads": totals.unread_threads,
        "total_unread_mentions": totals.mentions,
        "total_unread_urgent_mentions": 0,
        "threads": threads,
    })))
}

/// Unread mentions in the threads a person follows, by room; rooms without any are left out.
async fn mention_counts(
    state: State,
    auth: Auth,
    Path((user, team)): Path<(String, String)>,
) -> Answer {
    let person = auth.own(&user)?;
    let team: TeamId = state.team_for(&team, &auth.0.person).await?.id;
    let wanted = FollowedWanted {
        team: Some(team),
        ..FollowedWanted::default()
    };
    let counts = state.store.thread_mentions(&person, &wanted).await?;
    let counts = counts.into_iter().map(|(room, count)| (room, count.into()));
    Ok(Json(Value::Object(counts.collect())))
}

async fn one(
    state: State,
    auth: Auth,
    Path((user, team, thread)): Path<(String, String, String)>,
    params: Params,
) -> Answer {
    let (root, _) = state.thread_of_path(&auth, &user, &team, &thread).await?;
    let reader = ThreadReader {
        person: auth.0.person.id.clone(),
        is_extended: params.flag("extended"),
    };
    let thread = state.followed_thread(&root.id, &reader).await?;
    Ok(Json(wire::thread(&thread)))
}

async fn follow(
    state: State,
    auth: Auth,
    Path((user, team, thread)): Path<(String, String, String)>,
) -> Answer {
    set_following(&state, &auth, (&user, &team, &thread), true).await
}

async fn stop_following(
    state: State,
    auth: Auth,
    Path((user, team, thread)): Path<(String, String, String)>,
) -> Answer {
    set_following(&state, &auth, (&user, &team, &thread), false).await
}

async fn set_following(
    state: &Server,
    auth: &Auth,
    (user, team, thread): (&str, &str, &str),
    is_following: bool,
) -> Answer {
    auth.check_rate(state)?;
    let (root, room) = state.thread_of_path(auth, user, team, thread).await?;
    state
        .follow_thread(&root, &room, &auth.0.person.id, is_following)
        .await?;
    Ok(ok())
}

async fn read(
    state: State,
    auth: Auth,
    Path((user, team, thread, timestamp)): Path<(String, String, String, i64)>,
) -> Answer {
    auth.check_rate(&state)?;
    let (root, room) = state.thread_of_path(&auth, &user, &team, &thread).await?;
    let read = state.read_thread(&root, &room, &auth.0.person, timestamp);
    Ok(Json(wire::thread(&read.await?)))
}

async fn set_unread(
    state: State,
    auth: Auth,
    Path((user, team, thread, post)): Path<(String, String, String, String)>,
) -> Answer {
    auth.check_rate(&state)?;
    let (root, room) = state.thread_of_path(&auth, &user, &team, &thread).await?;
    let from = state.post_for(&post, &auth.0.person).await?.row;
    if from.id != root.id && from.root_id.as_ref() != Some(&root.id) {
        return Err(Fault::not_found("post", post));
    }
    let unread = state
        .mark_thread_unread(&root, &room, &auth.0.person, &from)
        .await?;
    Ok(Json(wire::thread(&unread)))
}

async fn read_all(state: State, auth: Auth, Path((user, team)): Path<(String, String)>) -> Answer {
    auth.check_rate(&state)?;
    auth.is_herself(&user)?;
    let team = state.team_for(&team, &auth.0.person).await?;
    state
        .read_threads_of_team(&team.id, &auth.0.person.id)
        .await?;
    Ok(ok())
}
