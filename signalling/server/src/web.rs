//! The web client, built into the binary.
//!
//! Files with a hash in their name may be kept for ever; the page is asked for anew each time. The
//! page answers at `/` and at the client's own addresses (`is_of_the_page`, `web/src/app/location.ts`);
//! any other path without a file is 404: a probe at a misspelt address must not look healthy. Every
//! answer carries the headers that keep foreign scripts and frames out.
//! What the build compressed beside a file (`X.br`, `X.gz`) is sent in its place to whoever takes it
//! (`encoding`), and has no address of its own.

mod embedding;
mod encoding;

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
pub(crate) use embedding::Embedding;
use encoding::Encoding;
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../web/dist"]
struct Files;

const PAGE: &str = "index.html";

/// One file of the build.
struct Stored {
    bytes: Cow<'static, [u8]>,
    hash: [u8; 32],
    mime: String,
}

impl From<EmbeddedFile> for Stored {
    fn from(file: EmbeddedFile) -> Self {
        Self {
            hash: file.metadata.sha256_hash(),
            mime: with_charset(file.metadata.mimetype()),
            bytes: file.data,
        }
    }
}

/// What the build writes as text is UTF-8.
fn with_charset(mime: &str) -> String {
    if mime.starts_with("text/") && !mime.contains("charset") {
        format!("{mime}; charset=utf-8")
    } else {
        mime.to_owned()
    }
}

/// Answers whatever no other route answers.
pub(crate) async fn serve(
    State(embedding): State<Arc<Embedding>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let find = |name: &str| Files::get(name).map(Stored::from);
    let mut answer = serve_from(find, uri.path(), &headers);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, embedding.policy.clone());
    if let Some(value) = &embedding.x_frame_options {
        headers.insert(header::X_FRAME_OPTIONS, value.clone());
    }
    answer
}

fn serve_from(find: impl Fn(&str) -> Option<Stored>, path: &str, headers: &HeaderMap) -> Response {
    let path = path.trim_start_matches('/');
    let name = if is_of_the_page(path) { PAGE } else { path };
    let file = if is_a_copy(name, &find) {
        None
    } else {
        find(name)
    };
    let Some(file) = file else {
        return (StatusCode::NOT_FOUND, "404 page not found\n").into_response();
    };
    let wanted = encoding::accepted(headers);
    let copy = wanted
        .into_iter()
        .find_map(|encoding| find(&format!("{name}.{}", encoding.ending())).map(|f| (encoding, f)));
    answer(name, file, copy, headers.get(header::IF_NONE_MATCH))
}

/// Whether the file is what the build compressed of another one.
fn is_a_copy(name: &str, find: &impl Fn(&str) -> Option<Stored>) -> bool {
    Encoding::ALL.iter().any(|encoding| {
        let plain = name.strip_suffix(encoding.ending());
        let plain = plain.and_then(|name| name.strip_suffix('.'));
        plain.is_some_and(|plain| find(plain).is_some())
    })
}

/// Whether the client itself gives out this address: the start, `<team>/channels/<channel>`, where
/// an invitation leads, and the pages of administrators.
fn is_of_the_page(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    match parts.as_slice() {
        [""] | ["signup_user_complete" | "admin_console"] => true,
        ["admin_console", section] => !section.is_empty(),
        [team, "channels", channel] => !team.is_empty() && !channel.is_empty(),
        _ => false,
    }
}

fn answer(
    name: &str,
    file: Stored,
    copy: Option<(Encoding, Stored)>,
    known: Option<&HeaderValue>,
) -> Response {
    let mime = file.mime;
    let (encoding, bytes, hash) = match copy {
        Some((encoding, copy)) => (Some(encoding), copy.bytes, copy.hash),
        None => (None, file.bytes, file.hash),
    };
    let tag: String = hash
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    let cache = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut builder = Response::builder()
        .header(header::CACHE_CONTROL, cache)
        // Caches on the way keep one answer for each encoding.
        .header(header::VARY, "Accept-Encoding");
    let answer = if is_known(known, &tag) {
        builder
            .status(StatusCode::NOT_MODIFIED)
            .header(header::ETAG, tag)
            .body(Body::empty())
    } else {
        if let Some(encoding) = encoding {
            builder = builder.header(header::CONTENT_ENCODING, encoding.word());
        }
        builder
            .header(header::ETAG, tag)
            .header(header::CONTENT_TYPE, mime)
            .body(Body::from(match bytes {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => Bytes::from(bytes),
            }))
    };
    let mut answer = answer.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("microphone=(self), camera=(self), display-capture=(self)"),
    );
    answer
}

/// Whether `If-None-Match` names what would be sent. A proxy may have made the tag a weak one.
fn is_known(known: Option<&HeaderValue>, tag: &str) -> bool {
    let known = known.and_then(|known| known.to_str().ok());
    known.is_some_and(|known| {
        let mut tags = known.split(',').map(str::trim);
        tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
    })
}

#[cfg(test)]
mod tests;
