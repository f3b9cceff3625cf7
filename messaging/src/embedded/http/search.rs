//! Searching posts on the wire.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::post;
use proto::id::TeamId;
use serde::Deserialize;

use super::post_list::{Neighbours, PostList};
use super::{Auth, Body, MAX_PER_PAGE, PER_PAGE, State};
use crate::embedded::Server;
use crate::embedded::fault::Fault;
use crate::embedded::search::Wish;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/posts/search", post(everywhere))
        .route("/teams/{id}/posts/search", post(in_team))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Search {
    terms: String,
    is_or_search: bool,
    include_deleted_channels: bool,
    /// In seconds.
    time_zone_offset: i64,
    page: Option<i64>,
    per_page: Option<i64>,
}

async fn everywhere(state: State, auth: Auth, Body(body): Body<Search>) -> Result<Response, Fault> {
    found(&state, &auth, None, &body).await
}

async fn in_team(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<Search>,
) -> Result<Response, Fault> {
    let team = state.team_for(&id, &auth.0.person).await?;
    found(&state, &auth, Some(&team.id), &body).await
}

async fn found(
    state: &Server,
    auth: &Auth,
    team: Option<&TeamId>,
    body: &Search,
) -> Result<Response, Fault> {
    // looking through everything is as dear as writing
    auth.check_rate(state)?;
    let limit = body.per_page.unwrap_or(PER_PAGE).clamp(1, MAX_PER_PAGE);
    let offset = body.page.unwrap_or(0).max(0).saturating_mul(limit);
    let wish = Wish {
        any: body.is_or_search,
        with_archived: body.include_deleted_channels,
        utc_offset: body.time_zone_offset,
        offset: usize::try_from(offset).unwrap_or(usize::MAX),
        limit: usize::try_from(limit).unwrap_or(0),
    };
    let rows = state
        .search_posts(&auth.0.person, team, &body.terms, wish)
        .await?;
    let mut list = PostList::default();
    list.add(state, rows).await?;
    Ok(list.into_answer(&Neighbours {
        has_matches: true,
        ..Neighbours::default()
    }))
}
