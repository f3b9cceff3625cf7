//! Files: forms, uploads in pieces, downloads of any part.

use std::sync::Arc;

use axum::body::Body as RawBody;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use proto::id::{ChannelId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{Answer, Auth, Body, Params, State, created};
use crate::embedded::fault::Fault;
use crate::embedded::store::{FileRow, UploadRow};
use crate::embedded::{Server, wire};
use crate::model::{RoomRight, UploadProgress};

/// Read from disk and handed to the socket at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
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
        .route("/files/{id}", get(download))
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
        receive_form(&state, &auth, &params, form).await?
    } else {
        let room = params.text("channel_id").unwrap_or_default();
        let room = state.room_to_upload_to(&auth, room).await?;
        let name = params.text("filename").unwrap_or_default();
        let pieces = request.into_body().into_data_stream();
        (
            vec![
                state
                    .store_stream(&auth.0.person.id, &room, name, pieces)
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

async fn receive_form(
    state: &Server,
    auth: &Auth,
    params: &Params,
    mut form: Multipart,
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
                files.push(state.store_stream(owner, &room, &name, field).await?);
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
    Ok(match state.append(&id, body.into_data_stream()).await? {
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
    for row in state.store.uploads_of(&owner).await? {
        list.push(wire::upload(&state.describe(row).await?));
    }
    Ok(Json(Value::Array(list)))
}

async fn info(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    Ok(Json(wire::file_info(
        &state.file_for(&id, &auth.0.person).await?,
    )))
}

/// What part of a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    /// First and last byte.
    Range(u64, u64),
    Unsatisfiable,
}

/// Reads a `Range` header (RFC 9110, 14.2). Several ranges or other units give everything.
fn part_of(range: Option<&str>, size: u64) -> Part {
    let Some(range) = range.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Part::All;
    };
    let Some((first, last)) = range.split_once('-') else {
        return Part::All;
    };
    let (first, last) = match (first.trim().parse::<u64>(), last.trim()) {
        (Ok(first), "") => (first, size.saturating_sub(1)),
        (Ok(first), last) => match last.parse::<u64>() {
            Ok(last) if last >= first => (first, last.min(size.saturating_sub(1))),
            Ok(_) | Err(_) => return Part::All,
        },
        (Err(_), last) if first.trim().is_empty() => match last.parse::<u64>() {
            Ok(0) => return Part::Unsatisfiable,
            Ok(count) => (size.saturating_sub(count), size.saturating_sub(1)),
            Err(_) => return Part::All,
        },
        (Err(_), _) => return Part::All,
    };
    if first >= size {
        Part::Unsatisfiable
    } else {
        Part::Range(first, last)
    }
}

async fn download(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let row = state.file_for(&id, &auth.0.person).await?;
    let size = u64::try_from(row.size_bytes).unwrap_or(0);
    let range = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let (status, first, count) = match part_of(range, size) {
        Part::All => (StatusCode::OK, 0, size),
        Part::Range(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Part::Unsatisfiable => {
            let total = format!("bytes */{size}");
            let answer = (
                StatusCode::RANGE_NOT_SATISFIABLE,
                [(header::CONTENT_RANGE, total)],
            );
            return Ok(answer.into_response());
        }
    };
    let mut file = state.open_file(&row.id).await?;
    file.seek(std::io::SeekFrom::Start(first))
        .await
        .map_err(|e| Fault::internal("seek", e))?;
    let chunks = stream::try_unfold(file.take(count), |mut file| async move {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let read = file.read_buf(&mut chunk).await?;
        let next = (read > 0).then(|| (Bytes::from(chunk), file));
        Ok::<_, std::io::Error>(next)
    });
    let mut response = RawBody::from_stream(chunks).into_response();
    *response.status_mut() = status;
    let is_download = params
        .text("download")
        .is_some_and(|text| text != "0" && text != "false");
    describe(response.headers_mut(), &row, is_download, count)?;
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{size}", first + count - 1);
        response
            .headers_mut()
            .insert(header::CONTENT_RANGE, text_value(&range)?);
    }
    Ok(response)
}

/// Writes the headers that say what the bytes are and keep browsers from running them.
fn describe(
    headers: &mut HeaderMap,
    row: &FileRow,
    is_download: bool,
    count: u64,
) -> Result<(), Fault> {
    let how = if is_download || !is_shown_inline(&row.mime) {
        "attachment"
    } else {
        "inline"
    };
    let name = percent_encoded(&row.name);
    headers.insert(header::CONTENT_TYPE, text_value(&row.mime)?);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(count));
    headers.insert(
        header::CONTENT_DISPOSITION,
        text_value(&format!(
            "{how}; filename=\"{name}\"; filename*=UTF-8''{name}"
        ))?,
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, text_value(&format!("\"{}\"", row.id))?);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"),
    );
    Ok(())
}

fn text_value(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text).map_err(|e| Fault::internal("write header", e))
}

/// Types that a browser shows without running anything of the sender's.
fn is_shown_inline(mime: &str) -> bool {
    let kind = mime.split(';').next().unwrap_or_default();
    matches!(kind, "application/pdf" | "text/plain" | "text/vtt")
        || (kind.starts_with("image/") && kind != "image/svg+xml")
        || kind.starts_with("audio/")
        || kind.starts_with("video/")
}

/// Encodes a name for a header (RFC 8187).
fn percent_encoded(name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // writing to a String cannot fail
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        let cases = [
            (None, Part::All),
            (Some("bytes=0-"), Part::Range(0, 99)),
            (Some("bytes=10-19"), Part::Range(10, 19)),
            (Some("bytes=90-500"), Part::Range(90, 99)),
            (Some("bytes=-10"), Part::Range(90, 99)),
            (Some("bytes=-500"), Part::Range(0, 99)),
            (Some("bytes=100-"), Part::Unsatisfiable),
            (Some("bytes=-0"), Part::Unsatisfiable),
            (Some("bytes=5-2"), Part::All),
            (Some("bytes=0-1,5-6"), Part::All),
            (Some("lines=0-1"), Part::All),
            (Some("bytes=x"), Part::All),
        ];
        for (range, expected) in cases {
            assert_eq!(part_of(range, 100), expected, "{range:?}");
        }
        assert_eq!(part_of(Some("bytes=0-"), 0), Part::Unsatisfiable);
    }

    #[test]
    fn names_in_headers_cannot_break_out() {
        assert_eq!(percent_encoded("a\"b\r\nß.txt"), "a%22b%0D%0A%C3%9F.txt");
        assert!(!is_shown_inline("text/html"));
        assert!(!is_shown_inline("image/svg+xml"));
        assert!(is_shown_inline("video/mp4"));
    }
}
