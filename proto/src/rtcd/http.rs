//! JSON bodies of the HTTP API.
//!
//! Codes are strings (`"201"`), session configurations use capitalised keys: both are what existing
//! clients read. Requests are maps of strings; a value of another type is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::redact::Secret;

/// Body of `/register`, `/login` and (without a key) `/unregister`. A missing value is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>")]
pub struct Credentials {
    #[serde(rename = "clientID")]
    pub client_id: String,
    #[serde(rename = "authKey", skip_serializing_if = "Secret::is_empty")]
    pub auth_key: Secret,
}

impl From<BTreeMap<String, String>> for Credentials {
    fn from(mut map: BTreeMap<String, String>) -> Self {
        Self {
            client_id: map.remove("clientID").unwrap_or_default(),
            auth_key: Secret::new(map.remove("authKey").unwrap_or_default()),
        }
    }
}

/// Answer of `/register`, `/unregister` and `/login`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ApiAnswer {
    #[serde(
        rename = "bearerToken",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub bearer_token: Option<Secret>,
    #[serde(rename = "clientID", default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The HTTP status as text.
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Answer of `/version`. `build_version` must be a plain semver of at least 1.1.0: clients decide
/// by it whether the signalling lock is used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionInfo {
    pub build_date: String,
    pub build_version: String,
    pub build_hash: String,
    pub go_version: String,
    #[serde(rename = "goOS")]
    pub go_os: String,
    pub go_arch: String,
}

/// Answer of `/system`: 1 / (average number of idle cores); finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SystemInfo {
    pub cpu_load: f64,
}

/// One session as `/calls/{callID}/sessions` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionConfig {
    #[serde(rename = "GroupID")]
    pub group_id: String,
    #[serde(rename = "CallID")]
    pub call_id: String,
    #[serde(rename = "UserID")]
    pub user_id: String,
    #[serde(rename = "SessionID")]
    pub session_id: String,
    #[serde(rename = "Props", default)]
    pub props: Option<SessionProps>,
}

/// What a session brought to its join.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SessionProps {
    #[serde(rename = "av1Support", default)]
    pub av1_support: Option<bool>,
    #[serde(rename = "channelID", default)]
    pub channel_id: Option<String>,
    #[serde(rename = "dcSignaling", default)]
    pub dc_signalling: Option<bool>,
    /// Of ours alone: its media is on the node of this name, to which the one that says this passes on.
    #[serde(rename = "node", default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}
