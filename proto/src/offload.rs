//! The job API: what a messaging server and the offloader say to each other.
//!
//! In: JSON bodies and the loosely typed `input_data` of a job. Out: typed requests and inputs.
//! Not here: who may ask, whether a runner name is allowed (offloader); what a job tells the
//! messaging server (`calls::bot`).
//! Invariant: a number or a boolean of `input_data` may arrive as itself or as a string; both give
//! the same value. A secret of `input_data` never survives `redact`.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub mod input;
pub mod report;

pub use input::{InputProblem, RecordingInput, RecordingOutput, TranscribingInput, VideoPreset};
pub use report::{JobReport, JobsReport};

/// The version of the reference's job API that our offloader speaks, as `/version` tells it: the
/// plugin refuses older ones than it needs. It says nothing about Parley's own version.
pub const COMPATIBLE_VERSION: &str = "0.9.5";

/// Longest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// Keys of `input_data` that hold secrets.
pub const SECRET_INPUTS: [&str; 2] = ["auth_token", "transcribe_api_options"];

/// What stands in place of a secret.
pub const REDACTED: &str = "(redacted)";

/// A body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than `MAX_BODY_BYTES`.
    #[error("body of {len} bytes: at most {MAX_BODY_BYTES} are read")]
    TooLong {
        /// Bytes that arrived.
        len: usize,
    },
    /// Not the JSON that was expected.
    #[error("unreadable body: {0}")]
    Json(#[source] serde_json::Error),
}

/// Reads a JSON body of limited length.
///
/// # Errors
/// When it is longer than `MAX_BODY_BYTES` or not the JSON of a `T`.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(DecodeError::TooLong { len: body.len() });
    }
    serde_json::from_slice(body).map_err(DecodeError::Json)
}

/// What a job does. The wire knows exactly these two words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobType {
    /// Writes a video of the call.
    Recording,
    /// Writes who said what, and sends captions while the call lasts.
    Transcribing,
}

impl JobType {
    /// Returns the word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Transcribing => "transcribing",
        }
    }

    /// Reads the word on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "recording" => Some(Self::Recording),
            "transcribing" => Some(Self::Transcribing),
            _ => None,
        }
    }
}

impl std::fmt::Display for JobType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Body of `POST /jobs`. Words are checked by the service, in the order the API promises.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JobRequest {
    /// `recording` or `transcribing`.
    #[serde(default, rename = "type", deserialize_with = "null_is_default")]
    pub kind: String,
    /// Longest capture, in seconds.
    #[serde(default, deserialize_with = "null_is_default")]
    pub max_duration_sec: i64,
    /// Image name that the caller believes will run, such as `mattermost/calls-recorder:v0.8.13`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub runner: String,
    /// Opaque to the service; see [`RecordingInput`] and [`TranscribingInput`].
    #[serde(default, deserialize_with = "null_is_default")]
    pub input_data: Map<String, Value>,
    /// Ours: how long the request may wait for a place before it is refused, in seconds, at most 45.
    /// 0 (and absent) from an original plugin: refused at once.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "is_zero_u32"
    )]
    pub wait_sec: u32,
}

/// A job as the service answers it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Job {
    /// 26 characters of `[a-z0-9]`.
    #[serde(default)]
    pub id: String,
    #[serde(flatten)]
    pub request: JobRequest,
    /// Unix milliseconds.
    #[serde(default)]
    pub start_at: i64,
    /// Unix milliseconds; 0 (and absent on the wire) while the job runs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stop_at: i64,
    /// What the job tells: `status`, and `err` when it has a reason to give.
    #[serde(
        default,
        skip_serializing_if = "Map::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub output_data: Map<String, Value>,
}

/// Body of `POST /jobs/init`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InitRequest {
    /// Runner names, checked and never pulled.
    #[serde(
        default,
        rename = "Runners",
        alias = "runners",
        deserialize_with = "null_is_default"
    )]
    pub runners: Vec<String>,
}

/// Body of `POST /register` and `POST /login`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Credentials {
    #[serde(default, rename = "clientID")]
    pub client_id: String,
    #[serde(default, rename = "authKey")]
    pub auth_key: String,
}

/// Body of `POST /unregister`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UnregisterRequest {
    #[serde(default, rename = "clientID")]
    pub client_id: String,
}

/// 201 of `POST /register`. `code` is a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterReply {
    #[serde(rename = "clientID")]
    pub client_id: String,
    pub code: String,
}

/// 200 of `POST /login`. `code` is a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginReply {
    #[serde(rename = "bearerToken")]
    pub bearer_token: String,
    pub code: String,
}

/// Body of `POST /translate`, which only our service has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Translation {
    /// Codes of languages, such as `en`.
    pub from: String,
    pub to: String,
    pub lines: Vec<String>,
}

/// 200 of `POST /translate`: as many lines as were sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Translated {
    pub lines: Vec<String>,
}

/// Every refusal. `code` is the HTTP status as a **string**.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    pub error: String,
    pub code: String,
}

/// `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionReply {
    pub build_date: String,
    /// A semantic version with a leading `v`, or one that begins with `dev`.
    pub build_version: String,
    pub build_hash: String,
    pub go_version: String,
    /// Of ours only: what can be expected of speech, so that people can be told before they rely on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<SpeechAbility>,
}

/// Which speech models a service has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SpeechAbility {
    /// Why there will be neither transcripts nor captions, in words for people; absent when there will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    pub models: Vec<SpeechModel>,
}

/// An installed speech model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechModel {
    /// A name of the catalogue such as `tiny.en`, or the name of its file.
    pub name: String,
    pub languages: Languages,
    /// Its file is not what it should be: it is not used until it is pulled again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub damaged: bool,
}

/// Which languages a speech model knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Languages {
    English,
    Many,
}

/// Replaces every secret of `input_data`; keys are compared without regard to case.
pub fn redact(input_data: &mut Map<String, Value>) {
    for (key, value) in input_data.iter_mut() {
        let secret = SECRET_INPUTS
            .iter()
            .any(|name| key.eq_ignore_ascii_case(name));
        if secret && !value.is_null() {
            *value = Value::from(REDACTED);
        }
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero_u32(number: &u32) -> bool {
    *number == 0
}

/// `null` reads as absent, as the reference does.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
