//! Recording start, stop, pause and resume: by the host. A start is answered when the job service has
//! answered, the others at once: that it is so, an event says.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use proto::calls::JobState;
use signalling_core::RecordingError;

use super::channels::readable;
use super::person::SignedIn;
use super::{App, Refused};
use crate::door::calls::{job_state, words};

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
    let refuse = |error| Refused::new(StatusCode::FORBIDDEN, words::recording(error));
    let refuse_pause = |error| Refused::new(of_pause(error), words::recording(error));
    let by = person.id;
    match action.as_str() {
        "stop" => {
            let stopped = engine.turn(&channel, move |call, at| call.stop_recording(&by, at));
            let stopped = stopped.await.map_err(|error| Refused::inside(&error))?;
            let state = stopped.map_err(refuse)?;
            Ok(Json(job_state(&state)))
        }
        "pause" => {
            let paused = engine.turn(&channel, move |call, _| call.pause_recording(&by));
            let paused = paused.await.map_err(|error| Refused::inside(&error))?;
            Ok(Json(job_state(&paused.map_err(refuse_pause)?)))
        }
        "resume" => {
            let resumed = engine.turn(&channel, move |call, _| call.resume_recording(&by));
            let resumed = resumed.await.map_err(|error| Refused::inside(&error))?;
            Ok(Json(job_state(&resumed.map_err(refuse_pause)?)))
        }
        "start" => {
            let waiting = engine.clone();
            let no_speech = engine.no_speech().await;
            let started = engine.turn(&channel, move |call, at| {
                let started = call.start_recording(&by, no_speech, at);
                // Before the request leaves: its answer must find somebody waiting.
                started.map(|(job, state)| (waiting.await_job(&job), state))
            });
            let started = started.await.map_err(|error| Refused::inside(&error))?;
            let (answer, state) = started.map_err(refuse)?;
            match answer.await {
                Ok(Ok(())) => Ok(Json(job_state(&state))),
                Ok(Err(reason)) => Err(failed(&reason)),
                Err(_) => Err(failed("the server stops")),
            }
        }
        _ => Err(Refused::bad_request("unsupported recording action")),
    }
}

/// Whether one may is not changed by how it stands.
fn of_pause(error: RecordingError) -> StatusCode {
    match error {
        RecordingError::NotInProgress
        | RecordingError::AlreadyPaused
        | RecordingError::NotPaused => StatusCode::BAD_REQUEST,
        RecordingError::Disabled
        | RecordingError::NoJobService
        | RecordingError::NoCall
        | RecordingError::NotHost
        | RecordingError::InProgress => StatusCode::FORBIDDEN,
    }
}

fn failed(reason: &str) -> Refused {
    let message = format!("failed to create recording job: {reason}");
    Refused::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}
