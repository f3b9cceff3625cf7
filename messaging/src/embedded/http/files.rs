//! Files: forms, uploads in pieces, downloads of any part.

mod download;

use std::sync::Arc;

use axum::body::Body as RawBody;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Path, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::StreamExt as _;
use proto::id::{ChannelId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Auth, Body, Params, State, created, ok};
use crate::embedded::fault::Fault;
use crate::embedded::store::{FileRow, UploadRow};
use crate::embedded::{Server, wire};
use crate::model::{RoomRight, UploadProgress};

/// Most files in one form.
const MAX_FORM_FILES: usize = 10;
/// Longest text field of a form, in bytes.
const MAX_FIELD_BYTES: usize = 1024;

pub(super) fn routes() -> Router<Arc<Server>> {
    // The sizes of files are limited where they are written, by `max_file_bytes`.
    let unlimited = Router::new()
        .route("/files", post(upload))
        .route("/uploads/{id}", get(upload_state).post(append))
        .layer(DefaultBodyLimit::disable());
    Router::new()
        .merge(unlimited)
        .route("/files/{id}", get(download::download).delete(purge))
        .route("/files/{id}/info", get(info))
        .route("/uploads", post(begin))
        .route("/users/{id}/uploads", get(uploads))
}

impl Server {
    async fn room_to_upload_to(&self, auth: &Auth, room: &str) -> Result<ChannelId, Fault> {
        let access = self
            .room_for(room, &auth.0.person, RoomRight::CreatePost)
            .await?;
        Ok(access.room.id)
    }

    /// The upload, if it is the sender's.
    async fn own_upload(&self, auth: &Auth, id: &str) -> Result<UploadRow, Fault> {
        let row = self.upload_row(id).await?;
        if row.owner_id == auth.0.person.id {
            return Ok(row);
        }
        Err(Fault::not_found("upload", id))
    }
}

/// A form with `channel_id` and `files`, or a bare body with `channel_id` and `filename` in the
/// query.
async fn upload(
    state: State,
    auth: Auth,
    params: Params,
    request: Request,
) -> Result<impl IntoResponse, Fault> {
    let expected = expected_bytes(request.headers());
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let is_form = content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("multipart/"));
    let (files, client_ids) = if is_form {
        let form = Multipart::from_request(request, &())
            .await
            .map_err(|rejection| {
                Fault::invalid(
                    "api.file.upload_file.multipart.app_error",
                    rejection.body_text(),
                )
            })?;
        receive_form(&state, &auth, &params, form, expected).await?
    } else {
        let room = params.text("channel_id").unwrap_or_default();
        let room = state.room_to_upload_to(&auth, room).await?;
        let name = params.text("filename").unwrap_or_default();
        let pieces = request.into_body().into_data_stream();
        (
            vec![
                state
                    .store_stream(&auth.0.person.id, &room, name, expected, pieces)
                    .await?,
            ],
            Vec::new(),
        )
    };
    let infos: Vec<Value> = files.iter().map(wire::file_info).collect();
    Ok(created(
        json!({ "file_infos": infos, "client_ids": client_ids }),
    ))
}

/// Bytes that a body has at most, as its sender says.
fn expected_bytes(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn receive_form(
    state: &Server,
    auth: &Auth,
    params: &Params,
    mut form: Multipart,
    expected: Option<u64>,
) -> Result<(Vec<FileRow>, Vec<String>), Fault> {
    let broken = |error: axum::extract::multipart::MultipartError| {
        Fault::invalid(
            "api.file.upload_file.multipart.app_error",
            error.body_text(),
        )
    };
    let mut room = params.text("channel_id").map(str::to_owned);
    let (mut files, mut client_ids) = (Vec::new(), Vec::new());
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("files") => {
                let Some(room) = &room else {
                    return Err(Fault::invalid(
                        "api.file.upload_file.no_channel.app_error",
                        "`channel_id` must come before the files, or in the query",
                    ));
                };
                if files.len() >= MAX_FORM_FILES {
                    return Err(Fault::invalid(
                        "api.file.upload_file.too_many.app_error",
                        format!("a form has at most {MAX_FORM_FILES} files"),
                    ));
                }
                let room = state.room_to_upload_to(auth, room).await?;
                let name = field.file_name().unwrap_or_default().to_owned();
                let owner = &auth.0.person.id;
                let stored = state.store_stream(owner, &room, &name, expected, field);
                files.push(stored.await?);
            }
            name => {
                let is_room = name == Some("channel_id");
                let is_client_id = name == Some("client_ids");
                let text = short_text(&mut field).await?;
                if is_room {
                    room = Some(text);
                } else if is_client_id {
                    client_ids.push(text);
                }
            }
        }
    }
    if files.is_empty() {
        return Err(Fault::invalid(
            "api.file.upload_file.no_file.app_error",
            "the form holds no `files`",
        ));
    }
    Ok((files, client_ids))
}

async fn short_text(field: &mut axum::extract::multipart::Field<'_>) -> Result<String, Fault> {
    let mut text = Vec::new();
    while let Some(piece) = field.next().await {
        let piece = piece.map_err(|error| {
            Fault::invalid(
                "api.file.upload_file.multipart.app_error",
                error.body_text(),
            )
        })?;
        text.extend_from_slice(&piece);
        if text.len() > MAX_FIELD_BYTES {
            return Err(Fault::invalid(
                "api.file.upload_file.multipart.app_error",
                format!("a text field has at most {MAX_FIELD_BYTES} bytes"),
            ));
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewUpload {
    channel_id: String,
    filename: String,
    file_size: u64,
}

async fn begin(
    state: State,
    auth: Auth,
    Body(body): Body<NewUpload>,
) -> Result<impl IntoResponse, Fault> {
    let room = state.room_to_upload_to(&auth, &body.channel_id).await?;
    let owner = &auth.0.person.id;
    let upload = state
        .begin_upload(owner, &room, &body.filename, body.file_size)
        .await?;
    Ok(created(wire::upload(&upload)))
}

async fn upload_state(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let row = state.own_upload(&auth, &id).await?;
    Ok(Json(wire::upload(&state.describe(row).await?)))
}

/// 200 with the file when it is complete, 204 when more is needed.
async fn append(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    body: RawBody,
) -> Result<Response, Fault> {
    state.own_upload(&auth, &id).await?;
    let (server, upload) = (state.0.clone(), id.clone());
    // In a task of its own: a client that hangs up does not stop what came from being kept.
    let appended =
        tokio::spawn(async move { server.append(&upload, body.into_data_stream()).await });
    let progress = appended
        .await
        .map_err(|e| Fault::internal("append to upload", e))??;
    Ok(match progress {
        UploadProgress::Partial => StatusCode::NO_CONTENT.into_response(),
        UploadProgress::Complete(file) => {
            let row = state.file_row(file.id.as_str()).await?;
            Json(wire::file_info(&row)).into_response()
        }
    })
}

async fn uploads(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let owner: UserId = auth.own(&id)?;
    let mut list = Vec::new();
    let mut rows = state.store.uploads_of(&owner).await?;
    rows.retain(|row| !state.has_expired(row));
    for row in rows {
        list.push(wire::upload(&state.describe(row).await?));
    }
    Ok(Json(Value::Array(list)))
}

async fn info(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    Ok(Json(wire::file_info(
        &state.file_for(&id, &auth.0.person).await?,
    )))
}

async fn purge(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Answer {
    if !params.flag("permanent") {
        return Err(Fault::invalid(
            "api.context.invalid_url_param.app_error",
            "a file goes with its post; to remove it for good, ask with `permanent=true`",
        ));
    }
    state.purge_file_as(&auth.0.person, &id).await?;
    Ok(ok())
}
