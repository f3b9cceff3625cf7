//! What a request must not be, and what every answer carries, whoever serves which route.
//!
//! In: any request. Out: a refusal of what a page of another site could send in a person's name,
//! and headers that keep answers out of caches and out of guesses about their kind.
//! Not here: who asks, and whether a cookie was meant (`credentials`).
//! Invariant: decided by headers alone, before any body is read; programs send no `Origin`.
//! See: OWASP ASVS 4.2.2, 8.2.1, 14.4.4, 14.5.3; W3C Fetch Metadata.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};

/// Kinds of bodies that a page may send to any site without being asked.
const FORMS: [&str; 3] = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
];

/// The origins whose pages may change something: our own, and those an operator named.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    site: String,
    allowed: Vec<String>,
}

/// A request that came from a page of another site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a page of `{origin}` may not do this: if it is yours, set `http.site_url` to the address \
     people open, or add the origin to `chat.allowed_origins`"
)]
pub struct ForeignOrigin {
    origin: String,
}

/// A body that does not say that it is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`Content-Type` must be `application/json`")]
pub struct NotJson;

impl Origins {
    /// `site_url` is the address people open, empty for whatever they used.
    #[must_use]
    pub fn new(site_url: &str, allowed: &[String]) -> Self {
        Self {
            site: site_url.trim_end_matches('/').to_owned(),
            allowed: allowed.to_vec(),
        }
    }

    /// Whether the page that caused a request is one of ours. Programs send no origin.
    #[must_use]
    pub fn accept(&self, headers: &HeaderMap) -> bool {
        match headers.get(header::ORIGIN) {
            Some(origin) => origin
                .to_str()
                .is_ok_and(|origin| self.is_ours(origin, headers)),
            // A browser that hides the origin still says how far away the page is.
            None => headers
                .get("sec-fetch-site")
                .is_none_or(|site| site != "cross-site"),
        }
    }

    fn is_ours(&self, origin: &str, headers: &HeaderMap) -> bool {
        let is_named = |known: &String| known == "*" || known.eq_ignore_ascii_case(origin);
        if origin.eq_ignore_ascii_case(&self.site) || self.allowed.iter().any(is_named) {
            return true;
        }
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let of_origin = origin.split_once("://").map(|(_, host)| host);
        host.zip(of_origin)
            .is_some_and(|(host, of_origin)| host.eq_ignore_ascii_case(of_origin))
    }

    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), ForeignOrigin> {
        let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if is_safe || self.accept(headers) {
            return Ok(());
        }
        let origin = headers.get(header::ORIGIN);
        Err(ForeignOrigin {
            origin: origin.map_or_else(
                || "another site".to_owned(),
                |origin| String::from_utf8_lossy(origin.as_bytes()).into_owned(),
            ),
        })
    }
}

/// Checks what a body says it is, before it is read as JSON.
///
/// A page can send forms and plain text to any site without being asked; JSON it cannot. Programs
/// (the Go client of the v4 API among them) may leave the header out, pages may not.
///
/// # Errors
/// When it is not JSON.
pub fn check_json(headers: &HeaderMap) -> Result<(), NotJson> {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        let by_page =
            headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
        return if by_page { Err(NotJson) } else { Ok(()) };
    };
    let kind = kind.to_str().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(NotJson)
    }
}

/// Puts the guard before every route of `router` and its headers on every answer.
pub fn guarded(router: Router, origins: Origins) -> Router {
    router.layer(middleware::from_fn_with_state(Arc::new(origins), watch))
}

/// Refuses what a form of another site can send, for routes that read nothing but JSON and bytes.
pub fn without_forms<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(middleware::from_fn(refuse_forms))
}

async fn refuse_forms(request: Request, next: Next) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_form = kind.is_some_and(|kind| {
        let kind = kind.as_bytes().to_ascii_lowercase();
        FORMS.iter().any(|form| kind.starts_with(form.as_bytes()))
    });
    if is_form {
        refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, &NotJson)
    } else {
        next.run(request).await
    }
}

async fn watch(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    let mut answer = match origins.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(foreign) => refusal(StatusCode::FORBIDDEN, &foreign),
    };
    let headers = answer.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}

/// In the shape that clients of both APIs read.
fn refusal(status: StatusCode, why: &dyn std::error::Error) -> Response {
    let body = serde_json::json!({
        "id": "api.context.permissions.app_error",
        "message": why.to_string(),
        "detailed_error": "",
        "request_id": proto::id::new_id(),
        "status_code": status.as_u16(),
    });
    (status, axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let origins = Origins::new(
            "https://chat.example.org/",
            &["http://localhost:5173".to_owned()],
        );
        let ours = [
            headers(&[]),
            headers(&[("origin", "https://chat.example.org")]),
            headers(&[("origin", "HTTPS://CHAT.example.org")]),
            headers(&[("origin", "http://localhost:5173")]),
            headers(&[
                ("origin", "http://10.0.0.1:8065"),
                ("host", "10.0.0.1:8065"),
            ]),
            headers(&[("sec-fetch-site", "same-origin")]),
        ];
        for headers in &ours {
            assert_eq!(origins.check(&Method::POST, headers), Ok(()), "{headers:?}");
        }
        let foreign = [
            headers(&[("origin", "https://evil.example")]),
            headers(&[("origin", "null"), ("host", "chat.example.org")]),
            headers(&[("origin", "https://chat.example.org.evil.example")]),
            headers(&[
                ("origin", "http://10.0.0.1:8066"),
                ("host", "10.0.0.1:8065"),
            ]),
            headers(&[("sec-fetch-site", "cross-site")]),
        ];
        for headers in &foreign {
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                assert!(origins.check(&method, headers).is_err(), "{headers:?}");
            }
            assert_eq!(origins.check(&Method::GET, headers), Ok(()));
        }
    }

    #[test]
    fn a_body_that_a_form_can_send_is_no_json() {
        let kinds = [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("text/plain; application/json", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("", false),
        ];
        for (kind, good) in kinds {
            let headers = headers(&[("content-type", kind)]);
            assert_eq!(check_json(&headers).is_ok(), good, "{kind}");
        }
        assert_eq!(check_json(&headers(&[])), Ok(()));
        let by_page = headers(&[("sec-fetch-site", "same-origin")]);
        assert_eq!(check_json(&by_page), Err(NotJson));
    }
}
