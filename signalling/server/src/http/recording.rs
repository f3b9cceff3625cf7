//! Recording start and stop: by the host, answered when the job service has answered.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use proto::calls::JobState;
use signalling_core::RecordingError;

use super::channels::readable;
use super::person::SignedIn;
use super::{App, Refused};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/calls/{channel}/recording/{action}", post(record))
}

async fn record(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path((channel, action)): Path<(String, String)>,
) -> Result<Json<JobState>, Refused> {
    let channel = readable(&app, &person, channel).await?;
    let engine = &app.engine;
    let refuse = |error: RecordingError| Refused::new(StatusCode::FORBIDDEN, error.to_string());
    match action.as_str() {
        "stop" => {
            let stopped = engine.turn(|calls, at| calls.stop_recording(&channel, &person.id, at));
            stopped.await.map(Json).map_err(refuse)
        }
        "start" => {
            let started = engine.turn(|calls, at| {
                let started = calls.start_recording(&channel, &person.id, at);
                // Before the request leaves: its answer must find somebody waiting.
                started.map(|(job, state)| (engine.await_job(&job), state))
            });
            let (answer, state) = started.await.map_err(refuse)?;
            match answer.await {
                Ok(Ok(())) => Ok(Json(state)),
                Ok(Err(reason)) => Err(failed(&reason)),
                Err(_) => Err(failed("the server stops")),
            }
        }
        _ => Err(Refused::bad_request("unsupported recording action")),
    }
}

fn failed(reason: &str) -> Refused {
    let message = format!("failed to create recording job: {reason}");
    Refused::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}
