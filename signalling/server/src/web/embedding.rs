//! In whose pages the client may be shown, and the headers that say so.
//!
//! In: origins that an operator named. Out: `Content-Security-Policy` and, as long as there are
//! none, `X-Frame-Options` for browsers that know nothing newer.
//! The page that shows ours lets it have the microphone (`allow` of its frame); what a foreign
//! frame could do beside that, our own `Permissions-Policy` forbids.
//! See: W3C CSP 3, 6.4.2; OWASP ASVS 14.4.7.

use axum::http::HeaderValue;
use axum::http::header::InvalidHeaderValue;

/// Scripts and styles only from here; media from here and from memory; sockets to here.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; \
    font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; \
    base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors";

/// Who may show the client in a frame.
#[derive(Debug, Clone)]
pub(crate) struct Embedding {
    pub(super) policy: HeaderValue,
    pub(super) x_frame_options: Option<HeaderValue>,
}

/// Something that is not the origin of a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the origin of a page: write it as in `https://portal.example.org`, or \
     `https://*.example.org` for all pages below that name"
)]
pub(crate) struct NotAnOrigin(String);

impl Embedding {
    /// Pages of these origins may show the client; of none when there are none.
    pub(crate) fn by(origins: &[String]) -> Result<Self, NotAnOrigin> {
        if let Some(bad) = origins.iter().find(|origin| !is_origin(origin)) {
            return Err(NotAnOrigin(bad.escape_debug().to_string()));
        }
        let allowed = if origins.is_empty() {
            "'none'".to_owned()
        } else {
            format!("'self' {}", origins.join(" "))
        };
        let policy: Result<_, InvalidHeaderValue> = format!("{POLICY} {allowed}").try_into();
        Ok(Self {
            policy: policy.map_err(|_| NotAnOrigin(origins.join(", ")))?,
            x_frame_options: origins.is_empty().then(|| HeaderValue::from_static("DENY")),
        })
    }
}

/// Whether it is a scheme, a host that may begin with `*.`, and perhaps a port: nothing that could
/// end the directive.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let Some(host) = host else { return false };
    let (host, port) = host.split_once(':').unwrap_or((host, "443"));
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.split('.').all(is_part) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str]) -> Result<(String, bool), NotAnOrigin> {
        let origins: Vec<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
        let by = Embedding::by(&origins)?;
        let policy = String::from_utf8_lossy(by.policy.as_bytes()).into_owned();
        Ok((policy, by.x_frame_options.is_some()))
    }

    #[test]
    fn nobody_shows_the_client_unless_an_operator_says_who() {
        let (alone, denied) = policy(&[]).unwrap();
        assert!(alone.ends_with("; frame-ancestors 'none'") && denied);
        let named = ["https://teams.example.com", "https://*.office.example:8443"];
        let (shown, denied) = policy(&named).unwrap();
        let all =
            "; frame-ancestors 'self' https://teams.example.com https://*.office.example:8443";
        assert!(shown.ends_with(all) && !denied, "{shown}");
    }

    #[test]
    fn what_could_open_more_than_an_origin_is_refused() {
        for bad in [
            "",
            "*",
            "https://*",
            "https:",
            "data:",
            "example.org",
            "https://a.example; script-src *",
            "https://a.example 'unsafe-inline'",
            "https://a.example/path",
            "https://a.example:port",
            "https://a..example",
            "https://a.*.example",
        ] {
            assert!(policy(&[bad]).is_err(), "{bad}");
        }
    }
}
