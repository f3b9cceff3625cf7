//! Routes for everybody: configuration, version, channels and their calls.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use messaging::model::{Person, Room, RoomKind, RoomRight};
use proto::calls::COMPATIBLE_VERSION;
use proto::calls::rest::{Active, ChannelCalls, SetChannelCalls, Verdict, Version};
use proto::id::ChannelId;
use signalling_core::{Call, NoCall};

use super::answer::{self, body};
use super::person::SignedIn;
use super::{App, Refused};
use crate::door::calls::{client_config, full_config, state, words};
use crate::engine::moment;
use crate::store::ChannelSwitch;
use crate::turn_credentials as turn;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/version", get(version))
        .route("/config", get(config))
        .route("/channels", get(channels))
        .route("/turn-credentials", get(turn_credentials))
        .route("/{channel}", get(channel).post(set_channel))
        .route("/calls/{channel}/active", get(active))
        .route("/calls/{channel}/dismiss-notification", post(dismiss))
}

/// Reads a channel id of a path.
pub(super) fn channel_id(text: String) -> Result<ChannelId, Refused> {
    ChannelId::parse(text).map_err(|error| Refused::bad_request(error.to_string()))
}

async fn version(State(app): State<App>) -> Json<Version> {
    let media = app.engine.media_hosts.any_connected();
    let (rtcd_version, rtcd_build) = media.map(|host| (host.version, host.build)).unzip();
    Json(Version {
        version: COMPATIBLE_VERSION.to_owned(),
        build: format!("parley-{}", env!("CARGO_PKG_VERSION")),
        rtcd_version,
        rtcd_build,
    })
}

/// For system administrators everything, for others what clients need.
async fn config(State(app): State<App>, SignedIn(person): SignedIn) -> Response {
    let (config, speech) = (&app.engine.config, app.engine.speech());
    app.engine.speech_wanted.notify_one();
    if person.is_system_admin {
        Json(full_config(config, speech)).into_response()
    } else {
        Json(client_config(config, speech)).into_response()
    }
}

/// Channels with a switch or a call, of those the person may read.
async fn channels(
    State(app): State<App>,
    SignedIn(person): SignedIn,
) -> Result<Json<Vec<ChannelCalls>>, Refused> {
    let engine = &app.engine;
    let rooms = engine
        .chat
        .rooms_of(&person.id)
        .await
        .map_err(|error| Refused::chat(&error))?;
    let mut found = Vec::new();
    for room in rooms {
        let view = engine.view(&room.id, &person.id).await;
        let (switch, call) = (engine.switch(&room.id), view.map(state));
        if switch.is_some() || call.is_some() {
            found.push(ChannelCalls {
                channel_id: room.id,
                enabled: switch.map(|switch| switch.enabled),
                props: None,
                call,
            });
        }
    }
    Ok(Json(found))
}

async fn channel(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(channel): Path<String>,
) -> Result<Json<ChannelCalls>, Refused> {
    let channel = readable(&app, &person, channel).await?;
    let call = app.engine.view(&channel, &person.id).await.map(state);
    let switch = app.engine.switch(&channel);
    let props = match (&call, &switch) {
        (None, Some(switch)) => Some(switch.props.clone()),
        (Some(_), _) | (None, None) => None,
    };
    let by_default = app.engine.config.calls.default_enabled;
    let enabled = switch.map_or(by_default, |switch| switch.enabled);
    Ok(Json(ChannelCalls {
        channel_id: channel,
        enabled: Some(enabled),
        props,
        call,
    }))
}

async fn set_channel(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(channel): Path<String>,
    bytes: Bytes,
) -> Result<Json<ChannelCalls>, Refused> {
    let channel = channel_id(channel)?;
    let engine = &app.engine;
    let room = engine
        .chat
        .room(&channel)
        .await
        .map_err(|_| Refused::forbidden())?;
    if !may_switch(&app, &person, &room).await {
        return Err(Refused::forbidden());
    }
    let wanted: SetChannelCalls = body(&bytes)?;
    let switch = ChannelSwitch {
        enabled: wanted.enabled,
        props: wanted.props.unwrap_or_default(),
    };
    engine
        .store
        .keep_switch(&channel, &switch)
        .await
        .map_err(|error| Refused::inside(&error))?;
    engine.set_switch(channel.clone(), switch.clone());
    engine.announce_switch(&channel, switch.enabled);
    Ok(Json(ChannelCalls {
        channel_id: channel,
        enabled: Some(switch.enabled),
        props: Some(switch.props),
        call: None,
    }))
}

/// Administrators always; without calls by default nobody else; then whoever manages the channel,
/// and everybody in a direct or group message.
async fn may_switch(app: &App, person: &Person, room: &Room) -> bool {
    if person.is_system_admin {
        return true;
    }
    if !app.engine.config.calls.default_enabled {
        return false;
    }
    let right = match room.kind {
        RoomKind::Direct | RoomKind::Group => RoomRight::CreatePost,
        RoomKind::Public | RoomKind::Private => RoomRight::Manage,
    };
    app.engine.may(&person.id, &room.id, right).await
}

async fn active(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(channel): Path<String>,
) -> Result<Json<Active>, Refused> {
    let channel = readable(&app, &person, channel).await?;
    let active = app.engine.look(&channel, Call::is_running).await;
    Ok(Json(Active {
        active: active.unwrap_or(false),
    }))
}

async fn dismiss(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(channel): Path<String>,
) -> Result<Json<Verdict>, Refused> {
    // Whoever may not read a channel is told what is told of one without a call.
    let no_call = || Refused::bad_request(words::no_call(NoCall));
    let channel = readable_or(&app, &person, channel, no_call).await?;
    let dismissed = app
        .engine
        .turn(&channel, move |call, _| call.dismiss(&person.id));
    dismissed
        .await
        .map_err(|error| Refused::inside(&error))?
        .map_err(|NoCall| no_call())?;
    Ok(answer::success())
}

async fn turn_credentials(State(app): State<App>, SignedIn(person): SignedIn) -> Response {
    let made = turn::credentials(&app.engine.config.ice, &person.username, moment().unix_ms);
    match made {
        Ok(made) => Json(made).into_response(),
        Err(error) => {
            Refused::new(axum::http::StatusCode::FORBIDDEN, error.to_string()).into_response()
        }
    }
}

/// The channel, if the person (or the bot) may read it.
pub(super) async fn readable(
    app: &App,
    person: &Person,
    channel: String,
) -> Result<ChannelId, Refused> {
    let channel = channel_id(channel).map_err(|_| Refused::forbidden())?;
    readable_or(app, person, channel.to_string(), Refused::forbidden).await
}

/// The channel, if the person (or the bot) may read it; else what `refused` says.
pub(super) async fn readable_or(
    app: &App,
    person: &Person,
    channel: String,
    refused: impl FnOnce() -> Refused,
) -> Result<ChannelId, Refused> {
    let channel = channel_id(channel)?;
    if app.engine.may_read(&person.id, &channel).await {
        Ok(channel)
    } else {
        Err(refused())
    }
}
