//! The JSON inside signalling messages: session descriptions, ICE candidates, screen and video ids.
//!
//! Candidates are asymmetric on the wire: a participant's arrives bare, ours goes out wrapped in
//! `{"candidate":{..},"type":"candidate"}`. Reading accepts both.

use serde::{Deserialize, Serialize};

/// JSON from a peer did not have the expected shape.
#[derive(Debug, thiserror::Error)]
#[error("{what} is not JSON of the expected shape")]
pub struct JsonError {
    what: &'static str,
    #[source]
    source: serde_json::Error,
}

/// Which side of an offer/answer exchange a description is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SdpKind {
    Offer,
    Answer,
}

/// An SDP text with its role, as JSON `{"type","sdp"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDescription {
    #[serde(rename = "type")]
    pub kind: SdpKind,
    pub sdp: String,
}

impl SessionDescription {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// When it is not JSON of that shape.
    pub fn from_json(json: &[u8]) -> Result<Self, JsonError> {
        parse("session description", json)
    }

    /// Writes the JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        serialise(self)
    }
}

/// One ICE candidate, as browsers write it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// `candidate:...`, or empty for the end of candidates.
    #[serde(default)]
    pub candidate: String,
    #[serde(default)]
    pub sdp_mid: Option<String>,
    #[serde(default, rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u16>,
    #[serde(default)]
    pub username_fragment: Option<String>,
}

#[derive(Serialize)]
struct WrappedOut<'a> {
    candidate: &'a IceCandidate,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EitherIn {
    Wrapped { candidate: IceCandidate },
    Bare(IceCandidate),
}

impl IceCandidate {
    /// A candidate of ours: only the text matters, everything is bundled.
    #[must_use]
    pub fn local(candidate: impl Into<String>) -> Self {
        Self {
            candidate: candidate.into(),
            sdp_mid: Some(String::new()),
            sdp_m_line_index: Some(0),
            username_fragment: None,
        }
    }

    /// Reads a participant's candidate, bare or wrapped.
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_json(json: &[u8]) -> Result<Self, JsonError> {
        parse("ICE candidate", json).map(|either| match either {
            EitherIn::Wrapped { candidate } | EitherIn::Bare(candidate) => candidate,
        })
    }

    /// Writes the bare form that participants send.
    #[must_use]
    pub fn to_json(&self) -> String {
        serialise(self)
    }

    /// Writes the wrapped form that rtcd sends.
    #[must_use]
    pub fn to_wrapped_json(&self) -> String {
        serialise(&WrappedOut {
            candidate: self,
            kind: "candidate",
        })
    }
}

/// Data of `ScreenOn`: the `MediaStream` id of the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenOnData {
    #[serde(rename = "screenStreamID")]
    pub stream_id: String,
}

impl ScreenOnData {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// When it is not JSON of that shape.
    pub fn from_json(json: &[u8]) -> Result<Self, JsonError> {
        parse("data of ScreenOn", json)
    }

    /// Writes the JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        serialise(self)
    }
}

/// Data of `VideoOn`: the `MediaStream` id of the camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoOnData {
    #[serde(rename = "videoStreamID")]
    pub stream_id: String,
}

impl VideoOnData {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// When it is not JSON of that shape.
    pub fn from_json(json: &[u8]) -> Result<Self, JsonError> {
        parse("data of VideoOn", json)
    }

    /// Writes the JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        serialise(self)
    }
}

fn parse<'a, T: Deserialize<'a>>(what: &'static str, json: &'a [u8]) -> Result<T, JsonError> {
    serde_json::from_slice(json).map_err(|source| JsonError { what, source })
}

fn serialise<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and numbers always serialise")
}
