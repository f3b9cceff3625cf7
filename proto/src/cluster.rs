//! What the nodes of one cluster say to each other, and what they leave for each other, through the
//! engine between them: beats, facts, claims of jobs, jobs that nobody could do.
//!
//! A letter is a head of one line of JSON, and behind the line its body: bytes that only the receiver
//! understands.
//! Not here: what is done about any of it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest head that is read, in bytes. Ours have below 1 KiB.
pub const MAX_HEAD: usize = 8 * 1024;

/// Bytes that are no letter of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    #[error("a letter has no line end within its first {MAX_HEAD} bytes")]
    NoHead,
    #[error("a letter's head is not one of ours: {0}")]
    Head(String),
}

/// Writes a letter.
#[must_use]
pub fn encode<H: Serialize>(head: &H, body: &[u8]) -> Vec<u8> {
    // Texts and numbers in named fields: JSON takes them all.
    let mut letter = serde_json::to_vec(head).unwrap_or_default();
    letter.push(b'\n');
    letter.extend_from_slice(body);
    letter
}

/// Reads a letter.
///
/// # Errors
/// When it has no head, or one that is not an `H`.
pub fn decode<H: DeserializeOwned>(letter: &[u8]) -> Result<(H, &[u8]), LetterError> {
    let within = letter.get(..MAX_HEAD).unwrap_or(letter);
    let end = within.iter().position(|byte| *byte == b'\n');
    let (head, body) = end
        .and_then(|end| letter.split_at_checked(end))
        .ok_or(LetterError::NoHead)?;
    let head =
        serde_json::from_slice(head).map_err(|error| LetterError::Head(error.to_string()))?;
    Ok((head, body.get(1..).unwrap_or_default()))
}

/// A sign of life, twice a second. It has no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    pub node: String,
    /// Grows with every start of the node; 0: it only listens, and is nobody's node.
    pub incarnation: u64,
    /// Grows with every change of its facts.
    pub edition: u32,
    /// Which process speaks, so that it knows its own voice.
    pub voice: String,
    /// How much of what it can take is taken, in thousandths.
    pub load: u16,
    /// The last one: it goes in order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaves: bool,
}

/// Head of what a node says about itself; the body is its owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Facts {
    pub incarnation: u64,
    pub edition: u32,
}

/// When a job was handed out: which message, and for the how manieth time. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Turn {
    pub message: u64,
    pub delivery: u64,
}

/// Head of the record of a job that somebody has begun; the body is its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub turn: Turn,
    /// How often it has been begun.
    pub start: u32,
    pub worker: String,
    /// Of this start alone, so that a worker recognises what it wrote.
    pub nonce: String,
    /// Grows with every sign of the worker.
    pub sign: u32,
    pub state: ClaimState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    Running,
    /// Given back by its worker: whoever is handed it next begins it.
    Returned,
    Done,
    /// Nobody is to begin it any more.
    Dead {
        reason: String,
    },
}

/// Head of a job that nobody could do; the body is the job's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub job: String,
    pub starts: u32,
    /// Who tried last.
    pub worker: String,
    pub reason: String,
}
