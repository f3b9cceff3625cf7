//! `GET /jobs/status`, of ours only: which jobs run and how they do, for administrators.
//!
//! Invariant: no secret and nobody's name is in it.

use serde::{Deserialize, Serialize};

use super::JobType;

/// Every job of the caller that has not ended, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobsReport {
    pub jobs: Vec<JobReport>,
    /// Bytes free where captures are kept; 0 when the disk does not say.
    pub free_bytes: u64,
}

/// How one job does. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReport {
    /// The service's id.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: JobType,
    /// `capturing`, or `finishing` when the capture is over.
    pub phase: String,
    /// When it was accepted.
    pub start_at: i64,
    /// The **channel** of its call, and the job's id on the messaging side, as they were given.
    #[serde(default)]
    pub call_id: String,
    #[serde(default)]
    pub job_id: String,
    /// Workers started for it: with more than one, those before have died.
    pub workers: i64,
    /// How long what was captured lasts, pauses left out, in milliseconds.
    #[serde(default)]
    pub captured_ms: i64,
    /// Nothing is taken just now, because the host wants it so.
    #[serde(default)]
    pub is_paused: bool,
    /// Gaps: pauses that the host made.
    #[serde(default)]
    pub pauses: u32,
    /// Voices and screens that were captured.
    #[serde(default)]
    pub tracks: u32,
    /// What lies in the job's folder.
    #[serde(default)]
    pub bytes: u64,
    /// Gaps: packets that did not arrive.
    #[serde(default)]
    pub missing_packets: u64,
    /// Gaps: packets that the disk was too slow for.
    #[serde(default)]
    pub dropped_packets: u64,
    /// Packets that wait for the disk.
    #[serde(default)]
    pub waiting_packets: u64,
    /// Delay: how long ago its worker last wrote that it lives, in milliseconds; `None` before it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_ms: Option<i64>,
}
