//! How an operation ends that did not do what was asked: told apart by what the caller must do next.

use crate::directory::Revision;

/// Why an operation was not carried out, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Somebody else was first: read again, decide again. Normal, never logged as a fault.
    #[error("the record was changed by somebody else")]
    Conflict {
        /// Where it is known, what the record is at now.
        current: Option<Revision>,
    },
    /// No answer came: it may have happened, or may yet. Read [`crate::Read::Latest`] and compare with
    /// what was written before deciding anything.
    #[error("no answer came: it may or may not have happened")]
    Unknown,
    /// It did not happen, and may be tried again: the engine cannot be reached or is electing.
    #[error("the engine between the nodes cannot do this now; it did not happen")]
    Unavailable,
    /// This node may not do it. A fault of the installation: never tried again.
    #[error("this node has no right to do this")]
    Denied,
    /// Never possible: the text names the rule.
    #[error("{0}")]
    Invalid(&'static str),
    /// A bound was reached; nothing happened.
    #[error("there is no room for more")]
    Full,
}

impl Error {
    /// Whether the same may be asked again without harm, provided it is a compare-and-swap or goes by
    /// an id.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unknown | Self::Unavailable => true,
            Self::Conflict { .. } | Self::Denied | Self::Invalid(_) | Self::Full => false,
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nobody serves there; said at once. Nothing happened.
    #[error("nobody answers there")]
    Nobody,
    /// Somebody is there and did not answer in time: it may have happened.
    #[error("no answer within the time given")]
    Timeout,
    #[error(transparent)]
    Other(Error),
}
