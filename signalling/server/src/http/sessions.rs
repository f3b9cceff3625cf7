//! One's own sessions, from whichever client: a phone ends the session that a laptop left open.

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use proto::calls::rest::Verdict;
use proto::id::SessionId;
use signalling_core::LeaveError;

use super::answer;
use super::channels::readable_or;
use super::person::SignedIn;
use super::{App, Refused};
use crate::door::calls::words;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/calls/{channel}/sessions/{session}/leave", post(leave))
}

/// `POST /calls/{channel}/sessions/{session}/leave`: ends a session of the person who asks; its client
/// finds its media closed. 400 when there is no call, or no such session of theirs in it.
async fn leave(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path((channel, session)): Path<(String, String)>,
) -> Result<Json<Verdict>, Refused> {
    let refused = |error| Refused::bad_request(words::leave(error));
    let channel = readable_or(&app, &person, channel, || refused(LeaveError::NoCall)).await?;
    let session = SessionId::parse(session).map_err(|_| refused(LeaveError::NotYours))?;
    let left = app.engine.turn(&channel, move |call, at| {
        call.leave_own(&person.id, &session, at)
    });
    left.await
        .map_err(|error| Refused::inside(&error))?
        .map_err(refused)?;
    Ok(answer::success())
}
