//! Bodies of the bot's routes, `/bot/...`: job reports, results, uploads, and the core objects the
//! bot reads.
//!
//! Reports are read with case-insensitive keys; the error text of a status travels under the key
//! `omitempty` and is also accepted as `Error`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::JobKind;
use crate::id::{ChannelId, FileId, JobId, PostId, UploadId, UserId};

/// A report cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("body is not the JSON expected here")]
    Json(#[source] serde_json::Error),
    #[error("`{field}` should not be empty")]
    Empty { field: &'static str },
    #[error("transcription {index} needs a Language and at least 2 FileIDs")]
    Transcription { index: usize },
}

/// `POST /bot/calls/{channel}/recordings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingReport {
    #[serde(rename(serialize = "JobID", deserialize = "jobid"))]
    pub job: String,
    #[serde(rename(serialize = "PostID", deserialize = "postid"))]
    pub post: String,
    #[serde(default, rename(serialize = "FileIDs", deserialize = "fileids"))]
    pub files: Vec<FileId>,
}

/// One language of a transcript: the VTT file first, the text file second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcription {
    #[serde(default, rename(serialize = "Title", deserialize = "title"))]
    pub title: String,
    #[serde(default, rename(serialize = "Language", deserialize = "language"))]
    pub language: String,
    #[serde(default, rename(serialize = "FileIDs", deserialize = "fileids"))]
    pub files: Vec<FileId>,
}

/// `POST /bot/calls/{channel}/transcriptions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptionReport {
    #[serde(rename(serialize = "JobID", deserialize = "jobid"))]
    pub job: String,
    #[serde(rename(serialize = "PostID", deserialize = "postid"))]
    pub post: String,
    #[serde(
        default,
        rename(serialize = "Transcriptions", deserialize = "transcriptions")
    )]
    pub transcriptions: Vec<Transcription>,
    /// Ours: what the call was about, for a server whose job asked for it; others leave it unread.
    #[serde(
        default,
        rename(serialize = "Summary", deserialize = "summary"),
        skip_serializing_if = "Option::is_none"
    )]
    pub summary: Option<CallSummary>,
}

/// What a call was about, in the words of a language model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSummary {
    /// ISO 639-1.
    #[serde(rename(serialize = "Language", deserialize = "language"))]
    pub language: String,
    /// Markdown.
    #[serde(rename(serialize = "Text", deserialize = "text"))]
    pub text: String,
}

/// `POST /bot/calls/{channel}/jobs/{job}/status`. Kinds and statuses are free text here: naming
/// the unknown one is the receiver's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    #[serde(default, rename(serialize = "JobType", deserialize = "jobtype"))]
    pub kind: String,
    #[serde(default, rename(serialize = "Status", deserialize = "status"))]
    pub status: String,
    #[serde(
        default,
        rename(serialize = "omitempty", deserialize = "omitempty"),
        alias = "error",
        skip_serializing_if = "String::is_empty"
    )]
    pub error: String,
    /// Ours only, with the status `failed`: nothing will come of the job, not even a part.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_result: bool,
    /// Ours only, with the status `failed`: what was taken until then will come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_off: bool,
    /// Ours only, with the status `progress`: per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
}

impl RecordingReport {
    /// Reads and checks a body.
    ///
    /// # Errors
    /// When it is not such JSON, or job, post or files are missing.
    pub fn decode(body: &[u8]) -> Result<Self, ReportError> {
        let report: Self = decode_any_case(body)?;
        not_empty("JobID", &report.job)?;
        not_empty("PostID", &report.post)?;
        if report.files.is_empty() {
            return Err(ReportError::Empty { field: "FileIDs" });
        }
        Ok(report)
    }
}

impl TranscriptionReport {
    /// Reads and checks a body.
    ///
    /// # Errors
    /// When it is not such JSON, or job, post or transcriptions are missing or incomplete.
    pub fn decode(body: &[u8]) -> Result<Self, ReportError> {
        let report: Self = decode_any_case(body)?;
        not_empty("JobID", &report.job)?;
        not_empty("PostID", &report.post)?;
        if report.transcriptions.is_empty() {
            return Err(ReportError::Empty {
                field: "Transcriptions",
            });
        }
        let incomplete = report
            .transcriptions
            .iter()
            .position(|t| t.language.is_empty() || t.files.len() < 2);
        match incomplete {
            Some(index) => Err(ReportError::Transcription { index }),
            None => Ok(report),
        }
    }
}

impl StatusReport {
    /// Makes a report that the job runs.
    #[must_use]
    pub fn started(kind: JobKind) -> Self {
        Self::of(kind, "started")
    }

    /// Makes a report that nothing is taken until the job is resumed.
    #[must_use]
    pub fn paused(kind: JobKind) -> Self {
        Self::of(kind, "paused")
    }

    /// Makes a report that the job goes on.
    #[must_use]
    pub fn resumed(kind: JobKind) -> Self {
        Self::of(kind, "resumed")
    }

    /// Makes a report of how much of the result is made, in per cent.
    #[must_use]
    pub fn progress(kind: JobKind, percent: u8) -> Self {
        Self {
            progress: Some(percent.min(100)),
            ..Self::of(kind, "progress")
        }
    }

    /// Makes a report that the job failed, with words for people.
    #[must_use]
    pub fn failed(kind: JobKind, error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            ..Self::of(kind, "failed")
        }
    }

    /// Makes a report that the job ended too early, and what there is will come, with words for people.
    #[must_use]
    pub fn cut_off(kind: JobKind, error: impl Into<String>) -> Self {
        Self {
            cut_off: true,
            ..Self::failed(kind, error)
        }
    }

    /// Makes a report that the job failed and nothing will come of it, with words for people.
    #[must_use]
    pub fn lost(kind: JobKind, error: impl Into<String>) -> Self {
        Self {
            no_result: true,
            ..Self::failed(kind, error)
        }
    }

    fn of(kind: JobKind, status: &str) -> Self {
        Self {
            kind: kind.as_str().to_owned(),
            status: status.to_owned(),
            error: String::new(),
            no_result: false,
            cut_off: false,
            progress: None,
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// When it is not such JSON.
    pub fn decode(body: &[u8]) -> Result<Self, ReportError> {
        decode_any_case(body)
    }
}

/// `POST /bot/uploads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUpload {
    pub channel_id: ChannelId,
    pub filename: String,
    /// Bytes.
    pub file_size: u64,
}

/// An upload in progress; `file_offset` says where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadSession {
    pub id: UploadId,
    #[serde(rename = "type")]
    pub kind: String,
    pub create_at: i64,
    pub user_id: UserId,
    pub channel_id: ChannelId,
    pub filename: String,
    pub file_size: u64,
    pub file_offset: u64,
}

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    pub id: FileId,
    pub user_id: UserId,
    #[serde(default)]
    pub channel_id: Option<ChannelId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_id: Option<PostId>,
    pub create_at: i64,
    pub update_at: i64,
    pub delete_at: i64,
    pub name: String,
    pub extension: String,
    pub size: u64,
    pub mime_type: String,
}

/// A person as the bot may see one: no address, no rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub id: UserId,
    pub username: String,
    #[serde(default)]
    pub first_name: String,
    #[serde(default)]
    pub last_name: String,
    #[serde(default)]
    pub nickname: String,
    #[serde(default)]
    pub is_bot: bool,
}

/// A channel as the bot may see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    pub id: ChannelId,
    #[serde(default)]
    pub team_id: String,
    /// `O`, `P`, `D` or `G`.
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    pub display_name: String,
    /// Unix milliseconds; 0 while it is not archived.
    #[serde(default)]
    pub delete_at: i64,
}

/// What `call_post.props.recordings` holds per recording job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tr_id: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_id: Option<PostId>,
    /// Ours: where it is said that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_post_id: Option<PostId>,
}

/// What `call_post.props.transcriptions` holds per transcribing job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptionEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rec_id: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_id: Option<PostId>,
    /// Ours: where it is said that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_post_id: Option<PostId>,
}

fn not_empty(field: &'static str, text: &str) -> Result<(), ReportError> {
    if text.is_empty() {
        Err(ReportError::Empty { field })
    } else {
        Ok(())
    }
}

fn decode_any_case<T: DeserializeOwned>(body: &[u8]) -> Result<T, ReportError> {
    let value: Value = serde_json::from_slice(body).map_err(ReportError::Json)?;
    serde_json::from_value(lower_case_keys(value)).map_err(ReportError::Json)
}

// serde_json refuses more than 128 levels, so the recursion is bounded.
fn lower_case_keys(value: Value) -> Value {
    if let Value::Object(map) = value {
        map.into_iter()
            .map(|(key, v)| (key.to_ascii_lowercase(), lower_case_keys(v)))
            .collect()
    } else if let Value::Array(items) = value {
        items.into_iter().map(lower_case_keys).collect()
    } else {
        value
    }
}
