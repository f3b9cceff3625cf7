//! Downloads of any part of a file, as RFC 9110 has them.
//!
//! Invariant: nothing of the sender's runs in a browser that shows a file.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::TryStreamExt as _;
use http_range_header::parse_range_header;

use super::super::{Auth, Params, State};
use crate::embedded::fault::Fault;
use crate::embedded::store::FileRow;

/// What part of a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    /// First and last byte.
    Range(u64, u64),
    Unsatisfiable,
}

/// Reads a `Range` header (RFC 9110, 14.2). Several ranges, other units and what cannot be read give
/// everything.
fn part_of(range: Option<&str>, size: u64) -> Part {
    let Some(parsed) = range.and_then(|text| parse_range_header(text.trim()).ok()) else {
        return Part::All;
    };
    if parsed.len() > 1 {
        return Part::All;
    }
    let valid = parsed.validate(size).ok();
    match valid.as_deref() {
        Some([range]) => Part::Range(*range.start(), *range.end()),
        Some(_) | None => Part::Unsatisfiable,
    }
}

pub(super) async fn download(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    params: Params,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let row = state.file_for(&id, &auth.0.person).await?;
    let size = u64::try_from(row.size_bytes).unwrap_or(0);
    // The bytes behind an id never change.
    let etag = format!("\"{}\"", row.id);
    let is_download = params
        .text("download")
        .is_some_and(|text| text != "0" && text != "false");
    if names(headers.get(header::IF_NONE_MATCH), &etag) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        describe(response.headers_mut(), &row, &etag, is_download)?;
        return Ok(response);
    }
    let (status, range) = match part_of(wanted_part(&headers, &etag), size) {
        Part::All => (StatusCode::OK, 0..size),
        Part::Range(first, last) => (StatusCode::PARTIAL_CONTENT, first..last + 1),
        Part::Unsatisfiable => {
            let total = format!("bytes */{size}");
            let answer = (
                StatusCode::RANGE_NOT_SATISFIABLE,
                [(header::CONTENT_RANGE, total)],
            );
            return Ok(answer.into_response());
        }
    };
    let body = if method == Method::HEAD || range.is_empty() {
        Body::empty()
    } else {
        let reader = state.open_file(&row.id, range.clone()).await?;
        let pieces = reader.pieces.inspect_err(|error| {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(%error, source, "a download broke off");
        });
        Body::from_stream(pieces)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    describe(headers, &row, &etag, is_download)?;
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(range.end - range.start),
    );
    if status == StatusCode::PARTIAL_CONTENT {
        let shown = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, text_value(&shown)?);
    }
    Ok(response)
}

/// The `Range` of a request, unless it is for other bytes than ours (RFC 9110, 13.1.5). We give
/// no dates, so none matches.
fn wanted_part<'a>(headers: &'a HeaderMap, etag: &str) -> Option<&'a str> {
    let is_for_ours = headers
        .get(header::IF_RANGE)
        .is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let range = headers.get(header::RANGE).filter(|_| is_for_ours)?;
    range.to_str().ok()
}

/// Whether a list of entity tags has ours, or is for any (RFC 9110, 13.1.2).
fn names(tags: Option<&HeaderValue>, etag: &str) -> bool {
    let tags = tags.and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    tags.split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}

/// Writes the headers that say what the bytes are and keep browsers from running them.
fn describe(
    headers: &mut HeaderMap,
    row: &FileRow,
    etag: &str,
    is_download: bool,
) -> Result<(), Fault> {
    let how = if is_download || !is_shown_inline(&row.mime) {
        "attachment"
    } else {
        "inline"
    };
    let name = percent_encoded(&row.name);
    headers.insert(header::CONTENT_TYPE, text_value(&row.mime)?);
    headers.insert(
        header::CONTENT_DISPOSITION,
        text_value(&format!(
            "{how}; filename=\"{name}\"; filename*=UTF-8''{name}"
        ))?,
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, text_value(etag)?);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
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
    fn tags_are_compared_whole() {
        let tags = |text: &'static str| Some(HeaderValue::from_static(text));
        for (text, matches) in [
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"ab\"", false),
            ("a", false),
        ] {
            assert_eq!(names(tags(text).as_ref(), "\"a\""), matches, "{text}");
        }
        assert!(!names(None, "\"a\""));
    }

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
