//! Which servers a job may send its bot to.
//!
//! In: the `site_url` of a job, the operator's list. Out: yes, or why not.
//! A client of the job API chooses the site, and the service connects to it: without these rules it
//! could be aimed at whatever the service can reach.
//! Invariant: nothing is asked of another origin than the one that was checked, redirects included.

use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::{Attempt, Policy};
use service::outgoing::Whom;

/// Redirects that are followed; they stay on one site, more would be a loop.
const MOST_REDIRECTS: usize = 5;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Why a job may not name a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    #[error("`{site}` is not http(s)://host[:port]")]
    NotASite { site: String },
    #[error("`{site}` is not among the sites of this service (jobs.allowed_sites)")]
    NotAllowed { site: String },
}

/// Returns `scheme://host:port` of a site, the port always written; `None` when it is none.
#[must_use]
pub fn origin(site: &str) -> Option<String> {
    let url = Url::parse(site).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    plain.then(|| format!("{}://{host}:{port}", url.scheme()))
}

/// Checks the site of a job. `allowed` holds origins; empty allows any site.
///
/// # Errors
/// When it is no site, or not an allowed one.
pub fn check(site: &str, allowed: &[String]) -> Result<(), SiteError> {
    let site = site.trim();
    let named = || site.chars().take(200).collect();
    let origin = origin(site).ok_or_else(|| SiteError::NotASite { site: named() })?;
    if allowed.is_empty() || allowed.contains(&origin) {
        return Ok(());
    }
    Err(SiteError::NotAllowed { site: named() })
}

/// An HTTP client for one site: it follows redirects on that site only, and no proxy of the
/// environment comes between.
///
/// # Errors
/// When it cannot be built (no usable certificates).
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    Whom::OwnServices
        .client()
        .connect_timeout(CONNECT)
        .redirect(Policy::custom(stay))
        .build()
}

fn stay(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let from = attempt.previous().first().map(Url::origin);
    if from != Some(attempt.url().origin()) {
        // The answer itself is handed out: a refusal that says what it is.
        return attempt.stop();
    }
    if attempt.previous().len() > MOST_REDIRECTS {
        return attempt.error("the site redirects in a circle");
    }
    attempt.follow()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site_has_one_origin_however_it_is_written() {
        for site in [
            "https://Chat.example",
            "https://chat.example/",
            "https://chat.example:443",
        ] {
            assert_eq!(origin(site).unwrap(), "https://chat.example:443", "{site}");
        }
        for site in [
            "",
            "chat.example",
            "ftp://chat.example",
            "http://",
            "http://a b",
            "http://me:secret@chat.example",
            "http://chat.example/path",
            "http://chat.example/?q",
            "http://chat.example:99999",
        ] {
            assert_eq!(origin(site), None, "{site}");
        }
    }

    #[test]
    fn a_list_of_sites_allows_those_and_no_other() {
        let allowed = vec!["https://chat.example:443".to_owned()];
        assert_eq!(check("https://chat.example/", &allowed), Ok(()));
        assert_eq!(check("http://anything:1", &[]), Ok(()));
        for (site, text) in [
            (
                "http://chat.example",
                "`http://chat.example` is not among the sites of this service (jobs.allowed_sites)",
            ),
            (
                "http://169.254.169.254",
                "`http://169.254.169.254` is not among the sites of this service (jobs.allowed_sites)",
            ),
            ("x", "`x` is not http(s)://host[:port]"),
        ] {
            assert_eq!(check(site, &allowed).unwrap_err().to_string(), text);
        }
    }
}
