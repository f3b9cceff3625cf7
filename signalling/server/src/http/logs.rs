//! What a client wrote down about a call, sent by its person: kept as a file in the bot's direct
//! message to them, with a link in the channel where they asked for it.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, header};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::StreamExt as _;
use messaging::model::{NewPost, Post, UploadProgress};
use messaging::{ChatBackend, ChatError};
use proto::calls::rest::CallLogs;
use proto::id::{ChannelId, PostId, UserId};
use serde_json::{Map, Value, json};

use super::answer::body;
use super::person::SignedIn;
use super::{App, Refused};
use crate::door::calls::words::{Language, Told};
use crate::engine::moment;
use crate::filename;

/// Largest body, in bytes.
const MAX_LOGS_BYTES: usize = 2 << 20;

pub(super) fn routes() -> Router<App> {
    let limit = DefaultBodyLimit::max(MAX_LOGS_BYTES);
    Router::new().route("/logs/upload", post(upload).layer(limit))
}

/// Where links to posts lead, in the form that is the same for every team.
pub(super) fn links() -> Router<App> {
    Router::new().route("/_redirect/pl/{post}", get(follow))
}

async fn upload(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refused> {
    let bytes = bytes.map_err(|error| Refused::bad_request(error.body_text()))?;
    let sent: CallLogs = body(&bytes)?;
    if sent.logs.is_empty() {
        return Err(Refused::bad_request("logs are missing"));
    }
    let engine = &app.engine;
    if !engine.may_read(&person.id, &sent.channel_id).await {
        return Err(Refused::bad_request("channel_id is no channel of yours"));
    }
    let language = engine.language_of(&person.locale);
    let ours = (&engine.bot.id, language);
    let kept = keep(&*engine.chat, ours, &person.id, sent.logs).await;
    let kept = kept.map_err(|error| Refused::chat(&error))?;
    let link = format!("{}/_redirect/pl/{}", site(&app, &headers), kept.id);
    let told = NewPost {
        message: language.say_with_link(Told::CallLogs, &link),
        ..plain_post(&sent.channel_id, &engine.bot.id)
    };
    let told = engine.chat.show_to(&person.id, told).await;
    told.map_err(|error| Refused::chat(&error))?;
    Ok(Json(json!({})))
}

async fn keep(
    chat: &dyn ChatBackend,
    (bot, language): (&UserId, Language),
    person: &UserId,
    logs: String,
) -> Result<Post, ChatError> {
    let room = chat.direct_room(bot, person).await?.id;
    let name = filename::of_logs(moment().unix_ms);
    let size = u64::try_from(logs.len()).unwrap_or(u64::MAX);
    let upload = chat.create_upload(bot, &room, &name, size).await?;
    let bytes = futures_util::stream::iter([Ok(Bytes::from(logs))]).boxed();
    let UploadProgress::Complete(file) = chat.append_upload(&upload.id, bytes).await? else {
        return Err(ChatError::Refused("the logs broke off".to_owned()));
    };
    chat.create_post(NewPost {
        message: language.say(Told::LogsKept).to_owned(),
        files: vec![file.id],
        ..plain_post(&room, bot)
    })
    .await
}

fn plain_post(room: &ChannelId, author: &UserId) -> NewPost {
    NewPost {
        room: room.clone(),
        author: author.clone(),
        root: None,
        message: String::new(),
        kind: String::new(),
        props: Map::new(),
        files: Vec::new(),
    }
}

/// The address people use: the configured one, or what this person's client asked.
fn site(app: &App, headers: &HeaderMap) -> String {
    let configured = &app.engine.config.site_url;
    if !configured.is_empty() {
        return configured.clone();
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    host.map(|host| format!("http://{host}"))
        .unwrap_or_default()
}

/// To the channel of a post, for those who may read it; others learn nothing of it.
async fn follow(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(post): Path<String>,
) -> Result<Redirect, Refused> {
    let unknown = || Refused::not_found("there is no such post");
    let id = PostId::parse(post).map_err(|_| unknown())?;
    let post = app.engine.chat.post(&id).await.map_err(|_| unknown())?;
    if !app.engine.may_read(&person.id, &post.room).await {
        return Err(unknown());
    }
    Ok(Redirect::to(&format!("/#/channels/{}", post.room)))
}
