//! The pages that the plugin ships for desktop programs and recorders. We ship none, for our own
//! client needs none; who may ask for them is guarded all the same, so that adding one opens nothing.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::routing::get;

use super::{App, Refused};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/standalone/{*file}", get(page))
}

async fn page(headers: HeaderMap) -> Refused {
    if may_ask(&headers) {
        Refused::not_found("404 page not found")
    } else {
        Refused::new(StatusCode::FORBIDDEN, "Forbidden")
    }
}

/// Desktop programs, recorders, and pages of this host: no other page may show these in its own.
fn may_ask(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let agent = text(header::USER_AGENT.as_str()).unwrap_or_default();
    let is_desktop = agent.contains("Mattermost") && agent.contains("Electron");
    let is_ours = ["x-calls-recorder", "x-calls-e2e"]
        .into_iter()
        .any(|name| text(name) == Some("true"));
    let referer = text(header::REFERER.as_str()).and_then(|referer| referer.parse::<Uri>().ok());
    let from = referer.as_ref().and_then(Uri::authority);
    let is_same_host = from.is_some_and(|from| Some(from.as_str()) == text(header::HOST.as_str()));
    is_desktop || is_ours || is_same_host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_desktops_recorders_and_pages_of_this_host_may_ask() {
        let asked = |fields: &[(&'static str, &str)]| {
            let fields = fields.iter().map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, value.parse().unwrap())
            });
            may_ask(&fields.collect())
        };
        let host = ("host", "calls.example:8065");
        assert!(asked(&[(
            "user-agent",
            "Mozilla Electron/30 Mattermost/5.8"
        )]));
        assert!(asked(&[("x-calls-recorder", "true")]));
        assert!(asked(&[("x-calls-e2e", "true")]));
        assert!(asked(&[
            host,
            ("referer", "https://calls.example:8065/north")
        ]));
        assert!(!asked(&[host]));
        assert!(!asked(&[("user-agent", "Mozilla Electron/30")]));
        assert!(!asked(&[("x-calls-recorder", "1")]));
        assert!(!asked(&[host, ("referer", "https://elsewhere.example/")]));
        assert!(!asked(&[("referer", "https://calls.example:8065/")]));
    }
}
