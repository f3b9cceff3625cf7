//! Requests to others: which of them may go through a proxy of the environment.
//!
//! In: whom a client is for. Out: a `reqwest` builder, and words for what went wrong that name the
//! proxy a request went through.
//! Invariant: between our own services no proxy is used, whatever the environment says: company
//! networks set one for everybody, and it does not know our addresses.

use std::error::Error;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, Url};

/// Whom requests are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// Services of this installation, named by a setting: straight, always.
    OwnServices,
    /// The world: through `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` unless `NO_PROXY` names it.
    World,
}

impl Whom {
    /// Begins a client.
    pub fn client(self) -> ClientBuilder {
        match self {
            Self::OwnServices => reqwest::Client::builder().no_proxy(),
            Self::World => reqwest::Client::builder(),
        }
    }

    /// Says what became of a request: the last cause ("connection refused" rather than "error
    /// sending request"), and the proxy it went through.
    #[must_use]
    pub fn words(self, error: &reqwest::Error) -> String {
        let way = error.url().map(|url| self.way(url)).unwrap_or_default();
        root_cause(error) + &way
    }

    /// As `words`, without the address that was asked: there may be a secret in it.
    #[must_use]
    pub fn discreet_words(self, error: reqwest::Error) -> String {
        let way = error.url().map(|url| self.way(url)).unwrap_or_default();
        root_cause(&error.without_url()) + &way
    }

    /// Says which proxy a request to `url` goes through; empty when it goes straight. To be put behind
    /// the words for what went wrong.
    #[must_use]
    pub fn way(self, url: &Url) -> String {
        match self {
            Self::OwnServices => String::new(),
            Self::World => proxy_of(url, &Matcher::from_env())
                .map_or_else(String::new, |proxy| through(&proxy)),
        }
    }
}

/// Returns the text of the last cause of an error.
#[must_use]
pub fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn through(proxy: &str) -> String {
    format!(
        " (asked through the proxy {proxy} of the environment: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY; NO_PROXY \
         names hosts that are asked straight)"
    )
}

/// The proxy's address without what signs in to it.
fn proxy_of(url: &Url, matcher: &Matcher) -> Option<String> {
    let uri = url.as_str().parse().ok()?;
    let proxy = matcher.intercept(&uri)?;
    let scheme = proxy.uri().scheme_str().unwrap_or("http");
    let host = proxy.uri().host()?;
    let port = proxy.uri().port_u16();
    Some(port.map_or_else(
        || format!("{scheme}://{host}"),
        |port| format!("{scheme}://{host}:{port}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn the_proxy_is_named_without_its_password_and_only_where_it_is_used() {
        let matcher = Matcher::builder()
            .http("http://anna:hush@proxy.example:3128")
            .https("http://proxy.example:3128")
            .no("intra.example,10.0.0.0/8")
            .build();
        let of = |text: &str| proxy_of(&url(text), &matcher);
        assert_eq!(
            of("http://models.example/x").as_deref(),
            Some("http://proxy.example:3128")
        );
        assert_eq!(
            of("https://models.example/x").as_deref(),
            Some("http://proxy.example:3128")
        );
        assert_eq!(of("http://intra.example/x"), None);
        assert_eq!(of("http://10.1.2.3/x"), None);
        let words = through(&of("http://models.example").unwrap());
        assert!(
            words.starts_with(" (asked through the proxy http://proxy.example:3128 of"),
            "{words}"
        );
        assert!(!words.contains("hush"));
    }

    /// An address where nobody listens.
    async fn nobody() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    #[tokio::test]
    async fn the_last_cause_is_told() {
        let client = Whom::OwnServices.client().build().unwrap();
        let error = client.get(nobody().await).send().await.unwrap_err();
        let words = Whom::OwnServices.words(&error);
        assert!(
            words.to_lowercase().contains("connection refused"),
            "{words}"
        );
        let secret = format!("{}/?token=hush", nobody().await);
        let refused = client.get(secret).send().await.unwrap_err();
        let words = Whom::OwnServices.discreet_words(refused);
        assert!(words.to_lowercase().contains("connection refused"));
        assert!(!words.contains("hush") && !words.contains("127.0.0.1"));
    }
}
