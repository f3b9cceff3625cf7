//! The HTTP side of a media host: version, registration, load, sessions.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use proto::id::{CallId, SessionId};
use proto::rtcd::{Credentials, SessionConfig, SystemInfo, VersionInfo};
use service::outgoing::Whom;

use super::HostConfig;

/// How long a host may take to accept a connection.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(4);
/// How long a host may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// The oldest rtcd that speaks this protocol.
const MIN_VERSION: (u64, u64, u64) = (0, 17, 0);
/// The first that lists its sessions.
const SESSIONS_VERSION: (u64, u64, u64) = (1, 0, 0);

/// The API of one host.
#[derive(Debug, Clone)]
pub(super) struct Api {
    http: reqwest::Client,
    host: HostConfig,
}

/// Why a host cannot be used, in words.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("{step}: {words}")]
    Unreachable {
        step: &'static str,
        words: String,
        /// The machine is there, and nothing listens on it: the process is gone.
        nobody_listens: bool,
    },
    #[error("{step}: answered {status} `{body}`")]
    Refused {
        step: &'static str,
        status: u16,
        body: String,
    },
    #[error("version `{0}` is older than 0.17.0")]
    TooOld(String),
}

impl Api {
    pub(super) fn new(host: HostConfig) -> Self {
        let http = Whom::OwnServices
            .client()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT)
            .build()
            .unwrap_or_default();
        Self { http, host }
    }

    /// The address of the host, `http://host:port`.
    pub(super) fn base(&self) -> &str {
        &self.host.base
    }

    /// Reads the version and refuses hosts that are too old.
    pub(super) async fn version(&self) -> Result<VersionInfo, ApiError> {
        let request = self.http.get(format!("{}/version", self.host.base));
        let answer = send("ask its version", request).await?;
        let version: VersionInfo = read("ask its version", answer).await?;
        if is_new_enough(&version.build_version) {
            Ok(version)
        } else {
            Err(ApiError::TooOld(version.build_version))
        }
    }

    /// Registers our id and key.
    pub(super) async fn register(&self) -> Result<(), ApiError> {
        let body = Credentials {
            client_id: self.host.client_id.clone(),
            auth_key: self.host.auth_key.clone(),
        };
        let request = self
            .http
            .post(format!("{}/register", self.host.base))
            .json(&body);
        send("register with it", request).await.map(drop)
    }

    pub(super) async fn cpu_load(&self) -> Result<f64, ApiError> {
        let request = self.http.get(format!("{}/system", self.host.base));
        let answer = send("ask its load", request).await?;
        read::<SystemInfo>("ask its load", answer)
            .await
            .map(|system| system.cpu_load)
    }

    /// The sessions of a call that the host is asked about, and of these whether their media is on another;
    /// none when it does not know the call.
    pub(super) async fn sessions(
        &self,
        call: &CallId,
    ) -> Result<BTreeMap<SessionId, bool>, ApiError> {
        let step = "ask for its sessions";
        let url = format!("{}/calls/{call}/sessions", self.host.base);
        let (id, key) = (&self.host.client_id, self.host.auth_key.expose());
        let request = self.http.get(url).basic_auth(id, Some(key));
        match send(step, request).await {
            Err(ApiError::Refused { status: 404, .. }) => Ok(BTreeMap::new()),
            Err(error) => Err(error),
            Ok(answer) => {
                let sessions: Vec<SessionConfig> = read(step, answer).await?;
                let told = sessions.into_iter().filter_map(|session| {
                    let is_elsewhere = session.props.is_some_and(|props| props.node.is_some());
                    Some((SessionId::parse(session.session_id).ok()?, is_elsewhere))
                });
                Ok(told.collect())
            }
        }
    }
}

async fn send(
    step: &'static str,
    request: reqwest::RequestBuilder,
) -> Result<reqwest::Response, ApiError> {
    let answer = request.send().await;
    let answer = answer.map_err(|error| unreachable(step, &error))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status().as_u16();
    let body = answer
        .text()
        .await
        .unwrap_or_default()
        .trim()
        .chars()
        .take(200)
        .collect();
    Err(ApiError::Refused { step, status, body })
}

async fn read<T: serde::de::DeserializeOwned>(
    step: &'static str,
    answer: reqwest::Response,
) -> Result<T, ApiError> {
    let read = answer.json().await;
    read.map_err(|error| unreachable(step, &error))
}

fn unreachable(step: &'static str, error: &reqwest::Error) -> ApiError {
    let mut nobody_listens = false;
    let mut cause = error.source();
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        nobody_listens |= io.is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused);
        cause = error.source();
    }
    ApiError::Unreachable {
        step,
        words: chain(error),
        nobody_listens,
    }
}

/// The last cause says what happened: "connection refused" rather than "error sending request".
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Development builds pass, as in the reference.
fn is_new_enough(version: &str) -> bool {
    is_at_least(version, MIN_VERSION)
}

/// Whether a host of this version can say which sessions it has: an older one answers 404, as if
/// it had none.
pub(super) fn tells_sessions(version: &str) -> bool {
    is_at_least(version, SESSIONS_VERSION)
}

fn is_at_least(version: &str, least: (u64, u64, u64)) -> bool {
    if version.is_empty() || version == "master" || version.starts_with("dev") {
        return true;
    }
    let numbers = version.trim_start_matches('v');
    let numbers = numbers.split(['-', '+']).next().unwrap_or_default();
    let mut parts = numbers.split('.').map(str::parse::<u64>);
    let mut part = || parts.next().and_then(Result::ok);
    match (part(), part(), part()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) >= least,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_speak_the_protocol_pass() {
        for good in ["", "master", "dev-abc", "v1.3.0", "0.17.0", "1.2.6-rc1"] {
            assert!(is_new_enough(good), "{good}");
        }
        for bad in ["0.16.9", "v0.1.0", "yesterday", "1.2"] {
            assert!(!is_new_enough(bad), "{bad}");
        }
        assert!(tells_sessions("v1.0.0") && !tells_sessions("v0.17.3"));
    }
}
