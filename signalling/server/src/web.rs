//! The web client, built into the binary.
//!
//! Files with a hash in their name may be kept for ever; the page is asked for anew each time. The
//! page answers at `/` and at the client's own addresses (`is_of_the_page`, `web/src/app/location.ts`);
//! any other path without a file is 404: a probe at a misspelt address must not look healthy. Every
//! answer carries the headers that keep foreign scripts and frames out.

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../web/dist"]
struct Files;

const PAGE: &str = "index.html";

/// Scripts and styles only from here; media from here and from memory; sockets to here.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; \
    font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; \
    frame-ancestors 'self'; base-uri 'none'; form-action 'self'; object-src 'none'";

/// Answers whatever no other route answers.
pub(crate) async fn serve(method: Method, uri: Uri, headers: axum::http::HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let name = if is_of_the_page(path) { PAGE } else { path };
    match Files::get(name) {
        Some(file) => answer(name, &file, headers.get(header::IF_NONE_MATCH)),
        None => (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
    }
}

/// Whether the client itself gives out this address: the start, and `<team>/channels/<channel>`.
fn is_of_the_page(path: &str) -> bool {
    let mut parts = path.trim_end_matches('/').split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(""), None, None, None) => true,
        (Some(team), Some("channels"), Some(channel), None) => {
            !team.is_empty() && !channel.is_empty()
        }
        _ => false,
    }
}

fn answer(name: &str, file: &EmbeddedFile, known: Option<&HeaderValue>) -> Response {
    let hash = file.metadata.sha256_hash();
    let tag: String = hash
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    let unchanged = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let cache = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let builder = Response::builder()
        .header(header::ETAG, tag)
        .header(header::CACHE_CONTROL, cache)
        .header(header::CONTENT_TYPE, file.metadata.mimetype());
    let answer = if unchanged {
        builder.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else {
        builder.body(Body::from(file.data.to_vec()))
    };
    let mut answer = answer.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("microphone=(self), camera=(self), display-capture=(self)"),
    );
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clients_own_addresses_are_the_page() {
        for page in ["", "north/channels/talk", "north/channels/talk/"] {
            assert!(is_of_the_page(page), "{page}");
        }
        for other in [
            "health",
            "healthzz",
            "readyz/",
            "metric",
            "north",
            "north/channels",
            "north/channels/",
            "/channels/talk",
            "north/channels/talk/more",
            "api/v4/nothing",
            "index.htm",
        ] {
            assert!(!is_of_the_page(other), "{other}");
        }
    }
}
