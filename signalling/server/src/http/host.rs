//! Routes of the host: make host, mute, screen off, lower hand, remove, end.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use proto::calls::rest::{MakeHost, TargetSession, Verdict};
use signalling_core::{HostControl, HostControlError};

use super::answer::{self, body};
use super::channels::{channel_id, readable_or};
use super::person::SignedIn;
use super::{App, Refused};
use crate::door::calls::words;

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
    let refused = |error| Refused::bad_request(words::host_control(error));
    // A system administrator ends calls anywhere, also where what is said is not theirs to read.
    // Others who may not read a channel are told what is told of one without a call.
    let no_call = || refused(HostControlError::NoCall);
    let channel = if person.is_system_admin {
        channel_id(channel)?
    } else {
        readable_or(app, person, channel, no_call).await?
    };
    let (by, is_admin) = (person.id.clone(), person.is_system_admin);
    let done = app.engine.turn(&channel, move |call, at| {
        call.host_control(&by, is_admin, control, at)
    });
    done.await
        .map_err(|error| Refused::inside(&error))?
        .map_err(refused)?;
    Ok(answer::success())
}
