//! Where a request carries its login, and the rule against forged requests.
//!
//! In: HTTP headers. Out: the token, how it came, and whether the request may change something.
//! Shared by every server that accepts a login of the chat world. Not here: whether the token is
//! good (`ChatBackend::login`).

use aws_lc_rs::digest;
use axum::http::{HeaderMap, Method, header};
use proto::redact::Secret;
use subtle::ConstantTimeEq as _;

/// The cookie that carries the token; scripts cannot read it.
pub const TOKEN_COOKIE: &str = "MMAUTHTOKEN";
/// The cookie that names the person.
pub const USER_COOKIE: &str = "MMUSERID";
/// The cookie whose value must come back in `X-CSRF-Token`.
pub const CSRF_COOKIE: &str = "MMCSRF";
/// The cookie by which a device is known that somebody signed in on; good for no request but the
/// next sign-in.
pub const DEVICE_COOKIE: &str = "PARLEYDEVICE";

/// A token and how it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// `Authorization: Bearer`: no other site can make a browser send it.
    Header(Secret),
    /// Cookie: a browser sends it along whoever caused the request.
    Cookie(Secret),
}

impl Credential {
    /// Finds the credential of a request; the header wins over the cookie.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
            let known =
                scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
            return known.then(|| Self::Header(Secret::new(token.trim())));
        }
        cookie(headers, TOKEN_COOKIE).map(|token| Self::Cookie(Secret::new(token)))
    }

    /// The token itself.
    #[must_use]
    pub fn token(&self) -> &str {
        match self {
            Self::Header(token) | Self::Cookie(token) => token.expose(),
        }
    }

    /// Whether a request with this credential and these headers was meant by its sender.
    ///
    /// Reading is always fine. With a cookie, everything else needs `X-CSRF-Token` with the value
    /// of `csrf_token`, or `X-Requested-With: XMLHttpRequest`.
    #[must_use]
    pub fn is_meant(&self, method: &Method, headers: &HeaderMap) -> bool {
        let Self::Cookie(token) = self else {
            return true;
        };
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return true;
        }
        let given = |name: &str| headers.get(name).map(axum::http::HeaderValue::as_bytes);
        if given("x-requested-with") == Some(b"XMLHttpRequest") {
            return true;
        }
        let expected = csrf_token(token.expose());
        given("x-csrf-token").is_some_and(|value| value.ct_eq(expected.as_bytes()).into())
    }
}

/// Returns the CSRF token that belongs to a login token: a one-way function of it.
#[must_use]
pub fn csrf_token(token: &str) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"csrf ");
    hash.update(token.as_bytes());
    let digest = hash.finish();
    let short = digest.as_ref().first_chunk();
    proto::id::encode_id(*short.expect("SHA-256 has 32 bytes"))
}

/// The value of a cookie, if it is there and not empty.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap()))
            .collect()
    }

    #[test]
    fn finds_the_token_in_header_or_cookie() {
        for scheme in ["Bearer", "BEARER", "bearer"] {
            let found =
                Credential::from_headers(&headers(&[("authorization", &format!("{scheme} t"))]));
            assert_eq!(found, Some(Credential::Header(Secret::new("t"))));
        }
        let found = Credential::from_headers(&headers(&[("cookie", "a=b; MMAUTHTOKEN=t; c=d")]));
        assert_eq!(found, Some(Credential::Cookie(Secret::new("t"))));
        assert_eq!(
            Credential::from_headers(&headers(&[("authorization", "Basic x")])),
            None
        );
        assert_eq!(
            Credential::from_headers(&headers(&[("cookie", "MMAUTHTOKEN=")])),
            None
        );
    }

    #[test]
    fn a_cookie_alone_cannot_change_anything() {
        let credential = Credential::Cookie(Secret::new("t"));
        let csrf = csrf_token("t");
        assert!(credential.is_meant(&Method::GET, &headers(&[])));
        assert!(!credential.is_meant(&Method::POST, &headers(&[])));
        assert!(!credential.is_meant(&Method::POST, &headers(&[("x-csrf-token", "wrong")])));
        assert!(credential.is_meant(&Method::POST, &headers(&[("x-csrf-token", &csrf)])));
        assert!(credential.is_meant(
            &Method::PUT,
            &headers(&[("x-requested-with", "XMLHttpRequest")])
        ));
        let header = Credential::Header(Secret::new("t"));
        assert!(header.is_meant(&Method::POST, &headers(&[])));
    }
}
