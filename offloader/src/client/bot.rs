//! The bot's HTTP calls: names, job status, uploads, results.
//!
//! In: one call at a time. Out: its answer, or an error that says whether trying again helps.
//! Not here: when to try again (`publish`), which sites may be asked (`sites`).
//! Invariant: of an answer at most `MAX_ANSWER` bytes are read (of a picture `MAX_PORTRAIT`), and
//! nothing of it is repeated but the `message` of an error as the messaging server words it.

use std::time::Duration;

use bytes::Bytes;
use proto::calls::bot::{
    Channel, FileInfo, NewUpload, Profile, RecordingReport, StatusReport, TranscriptionReport,
    UploadSession,
};
use proto::calls::{JobKind, ROUTE_PREFIX};
use proto::id::{ChannelId, SessionId, UserId};
use proto::redact::Secret;
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longest wait for an answer to a small request.
const SHORT: Duration = Duration::from_secs(10);
/// Longest wait for the answer to a result: the server writes several posts before it answers.
const RESULT: Duration = Duration::from_secs(60);
/// Longest wait for an answer to a piece of an upload.
const LONG: Duration = Duration::from_secs(300);
/// Longest piece of an error text that is repeated.
const MAX_TEXT: usize = 300;
/// Longest answer read, in bytes: the answers are small objects.
const MAX_ANSWER: usize = 256 * 1024;
/// Largest profile picture taken, in bytes.
const MAX_PORTRAIT: usize = 1024 * 1024;

/// A call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    #[error("{call}: no answer")]
    Network {
        call: &'static str,
        #[source]
        source: reqwest::Error,
    },
    #[error("{call}: the answer is longer than {most} bytes")]
    TooLong { call: &'static str, most: usize },
    #[error("{call}: the answer is not what the call promises")]
    Unreadable {
        call: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("{call}: answer {status}: {text}")]
    Refused {
        call: &'static str,
        status: u16,
        text: String,
    },
}

/// What to do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Trying again may help.
    Retry,
    /// The token is refused: an operator must give a new one.
    Credentials,
    /// What was asked for is not there.
    Gone,
    /// The server will always say no.
    Never,
}

impl BotError {
    /// Says whether trying again helps.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            // A proxy on the way may have answered instead: it may be gone the next time.
            Self::Network { .. } | Self::TooLong { .. } | Self::Unreadable { .. } => Remedy::Retry,
            Self::Refused { status, .. } => match *status {
                401 | 403 => Remedy::Credentials,
                404 | 410 => Remedy::Gone,
                408 | 425 | 429 | 500.. => Remedy::Retry,
                _ => Remedy::Never,
            },
        }
    }
}

/// What an upload's piece led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// More bytes are wanted; ask the session from where.
    Partial,
    Complete(Box<FileInfo>),
}

/// The bot of one job.
#[derive(Debug, Clone)]
pub struct BotApi {
    http: reqwest::Client,
    site: String,
    base: String,
    token: Secret,
    channel: ChannelId,
}

impl BotApi {
    /// Makes the caller for a site and a call's channel.
    ///
    /// # Errors
    /// When the HTTP client cannot be built (no usable certificates).
    pub fn new(site: &str, channel: ChannelId, token: Secret) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: crate::sites::client()?,
            site: site.to_owned(),
            base: format!("{site}{ROUTE_PREFIX}/bot"),
            token,
            channel,
        })
    }

    /// Who holds a session of the call. Works only while the session is in the call.
    pub async fn profile(&self, session: &SessionId) -> Result<Profile, BotError> {
        let path = format!("/calls/{}/sessions/{session}/profile", self.channel);
        self.json("look up a profile", Method::GET, &path, None::<&()>)
            .await
    }

    /// The picture of a person: an image of any kind, or a drawing that the server made.
    pub async fn portrait(&self, user: &UserId) -> Result<Vec<u8>, BotError> {
        let call = "fetch a profile picture";
        let path = format!("/users/{user}/image");
        let answer = self.send(call, Method::GET, &path, None::<&()>).await?;
        bytes(call, answer, MAX_PORTRAIT).await
    }

    /// What the room of the call is called; empty for one of two people, which has no name.
    pub async fn title(&self) -> Result<String, BotError> {
        let path = format!("/channels/{}", self.channel);
        let room: Channel = self
            .json("look up the room", Method::GET, &path, None::<&()>)
            .await?;
        Ok(if room.kind == "D" {
            String::new()
        } else {
            room.display_name
        })
    }

    /// The name of the recording's file, without an extension.
    pub async fn filename(&self) -> Result<String, BotError> {
        let path = format!("/calls/{}/filename", self.channel);
        let answer: Value = self
            .json("ask for the file name", Method::GET, &path, None::<&()>)
            .await?;
        Ok(clean_name(
            answer
                .get("filename")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        ))
    }

    /// Tells how the job does.
    pub async fn status(&self, job: &str, report: &StatusReport) -> Result<(), BotError> {
        let path = format!("/calls/{}/jobs/{job}/status", self.channel);
        self.send("report the job's status", Method::POST, &path, Some(report))
            .await
            .map(drop)
    }

    /// Begins an upload.
    pub async fn create_upload(&self, name: &str, size: u64) -> Result<UploadSession, BotError> {
        let upload = NewUpload {
            channel_id: self.channel.clone(),
            filename: name.to_owned(),
            file_size: size,
        };
        self.json("begin an upload", Method::POST, "/uploads", Some(&upload))
            .await
    }

    /// How far an upload is.
    pub async fn upload(&self, id: &str) -> Result<UploadSession, BotError> {
        self.json(
            "look at an upload",
            Method::GET,
            &format!("/uploads/{id}"),
            None::<&()>,
        )
        .await
    }

    /// Sends a piece of an upload.
    pub async fn upload_piece(&self, id: &str, piece: Bytes) -> Result<Progress, BotError> {
        let call = "upload a piece";
        let request = self
            .http
            .request(Method::POST, format!("{}/uploads/{id}", self.base))
            .bearer_auth(self.token.expose())
            .timeout(LONG)
            .body(piece);
        let answer = request
            .send()
            .await
            .map_err(|source| BotError::Network { call, source })?;
        let answer = good(call, answer).await?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(Progress::Partial);
        }
        Ok(Progress::Complete(Box::new(read(call, answer).await?)))
    }

    /// Hands in a recording.
    pub async fn hand_in_recording(&self, report: &RecordingReport) -> Result<(), BotError> {
        let url = format!("{}/calls/{}/recordings", self.base, self.channel);
        self.result("hand in the recording", &url, report).await
    }

    /// Hands in a transcript.
    pub async fn hand_in_transcript(&self, report: &TranscriptionReport) -> Result<(), BotError> {
        let url = format!("{}/calls/{}/transcriptions", self.base, self.channel);
        self.result("hand in the transcript", &url, report).await
    }

    /// Whether the call's post names the result of a job already.
    pub async fn has_result(&self, post: &str, kind: JobKind, job: &str) -> Result<bool, BotError> {
        let call = "look whether the call has the result";
        let url = format!("{}/api/v4/posts/{post}", self.site);
        let answer = self
            .ask(call, Method::GET, &url, SHORT, None::<&()>)
            .await?;
        let post: Value = read(call, answer).await?;
        let results = match kind {
            JobKind::Recording => "recordings",
            JobKind::Transcribing | JobKind::Captioning => "transcriptions",
        };
        let entry = post.pointer(&format!("/props/{results}/{job}/post_id"));
        Ok(entry
            .and_then(Value::as_str)
            .is_some_and(|id| !id.is_empty()))
    }

    async fn result(
        &self,
        call: &'static str,
        url: &str,
        report: &impl Serialize,
    ) -> Result<(), BotError> {
        let answer = self.ask(call, Method::POST, url, RESULT, Some(report));
        answer.await.map(drop)
    }

    async fn json<T: DeserializeOwned>(
        &self,
        call: &'static str,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, BotError> {
        let answer = self.send(call, method, path, body).await?;
        read(call, answer).await
    }

    async fn send(
        &self,
        call: &'static str,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Response, BotError> {
        let url = format!("{}{path}", self.base);
        self.ask(call, method, &url, SHORT, body).await
    }

    async fn ask(
        &self,
        call: &'static str,
        method: Method,
        url: &str,
        patience: Duration,
        body: Option<&impl Serialize>,
    ) -> Result<Response, BotError> {
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(self.token.expose())
            .timeout(patience);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .map_err(|source| BotError::Network { call, source })?;
        good(call, answer).await
    }
}

async fn good(call: &'static str, answer: Response) -> Result<Response, BotError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let to = answer.headers().get(reqwest::header::LOCATION);
    let text = if let Some(to) = to.filter(|_| status.is_redirection()) {
        let to = to.to_str().unwrap_or_default();
        format!("the site sends us elsewhere (`{to}`); give that as `site_url` if it is right")
    } else {
        let body = bytes(call, answer, MAX_ANSWER).await.unwrap_or_default();
        let error = serde_json::from_slice::<Value>(&body).ok();
        error
            .and_then(|value| Some(value.get("message")?.as_str()?.to_owned()))
            .unwrap_or_else(|| "not an answer of a messaging server".to_owned())
    };
    let text = text.chars().take(MAX_TEXT).collect();
    Err(BotError::Refused {
        call,
        status: status.as_u16(),
        text,
    })
}

async fn read<T: DeserializeOwned>(call: &'static str, answer: Response) -> Result<T, BotError> {
    let body = bytes(call, answer, MAX_ANSWER).await?;
    serde_json::from_slice(&body).map_err(|source| BotError::Unreadable { call, source })
}

/// The body, as long as it is no longer than it may be.
async fn bytes(call: &'static str, mut answer: Response, most: usize) -> Result<Vec<u8>, BotError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|source| BotError::Network { call, source })?
    {
        if body.len() + chunk.len() > most {
            return Err(BotError::TooLong { call, most });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A name that every file system takes.
fn clean_name(name: &str) -> String {
    let cleaned: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let cleaned = cleaned.trim_matches('.');
    if cleaned.is_empty() {
        "Call".to_owned()
    } else {
        cleaned.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_no_path_and_no_markup() {
        assert_eq!(clean_name("../../etc/pass wd\n"), "_.._etc_pass_wd_");
        assert_eq!(clean_name("Call_Größe_2026-11-21"), "Call_Größe_2026-11-21");
        assert_eq!(clean_name(""), "Call");
    }

    #[test]
    fn errors_say_what_helps() {
        let refused = |status| BotError::Refused {
            call: "x",
            status,
            text: String::new(),
        };
        assert_eq!(refused(401).remedy(), Remedy::Credentials);
        assert_eq!(refused(404).remedy(), Remedy::Gone);
        assert_eq!(refused(400).remedy(), Remedy::Never);
        assert_eq!(refused(503).remedy(), Remedy::Retry);
    }
}
