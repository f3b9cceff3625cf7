//! Routes of the host: make host, mute, screen off, lower hand, remove, end.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use proto::calls::rest::{MakeHost, TargetSession, Verdict};
use signalling_core::HostControl;

use super::answer::{self, body};
use super::channels::channel_id;
use super::person::SignedIn;
use super::{App, Refused};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/calls/{channel}/host/{control}", post(control))
        // Where older mobile clients ask.
        .route("/calls/{channel}/end", post(end))
}

async fn control(
    app: State<App>,
    person: SignedIn,
    Path((channel, control)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Verdict>, Refused> {
    let session = || body::<TargetSession>(&bytes).map(|target| target.session_id);
    let control = match control.as_str() {
        "make" => HostControl::Make {
            new_host: body::<MakeHost>(&bytes)?.new_host_id,
        },
        "mute" => HostControl::Mute {
            session: session()?,
        },
        "mute-others" => HostControl::MuteOthers,
        "screen-off" => HostControl::ScreenOff {
            session: session()?,
        },
        "lower-hand" => HostControl::LowerHand {
            session: session()?,
        },
        "remove" => HostControl::Remove {
            session: session()?,
        },
        "end" => HostControl::End,
        _ => return Err(Refused::not_found("404 page not found")),
    };
    carry_out(&app, &person, channel, control).await
}

async fn end(
    app: State<App>,
    person: SignedIn,
    Path(channel): Path<String>,
) -> Result<Json<Verdict>, Refused> {
    carry_out(&app, &person, channel, HostControl::End).await
}

async fn carry_out(
    State(app): &State<App>,
    SignedIn(person): &SignedIn,
    channel: String,
    control: HostControl,
) -> Result<Json<Verdict>, Refused> {
    let channel = channel_id(channel)?;
    let is_admin = person.is_system_admin;
    let done = app
        .engine
        .turn(|calls, at| calls.host_control(&channel, &person.id, is_admin, control, at))
        .await;
    done.map_err(|error| Refused::bad_request(error.to_string()))?;
    Ok(answer::success())
}
