//! How a capture does, in a small file that the service reads for administrators (`jobs::report`).
//!
//! In: the capture's condition, now and then. Out: `state.json` in the job's folder.
//! Invariant: nothing depends on it; a disk that refuses it is noticed elsewhere.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::capture::Condition;

const FILE: &str = "state.json";

/// What the file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// When it was written. Unix milliseconds.
    pub(crate) at_ms: i64,
    #[serde(flatten)]
    pub(crate) condition: Condition,
}

/// Writes the file anew.
pub(crate) fn write(folder: &Path, state: &State) {
    let part = folder.join("state.part");
    let written = serde_json::to_vec(state)
        .map_err(std::io::Error::from)
        .and_then(|text| std::fs::write(&part, text))
        .and_then(|()| std::fs::rename(&part, folder.join(FILE)));
    if let Err(error) = written {
        tracing::debug!(%error, "how the capture does is not written");
    }
}

/// Reads the file; `None` before there is one.
pub(crate) fn read(folder: &Path) -> Option<State> {
    let text = std::fs::read(folder.join(FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_last_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), None);
        for missing_packets in [1, 2] {
            let condition = Condition {
                missing_packets,
                ..Condition::default()
            };
            let at_ms = 7;
            let state = State { at_ms, condition };
            write(folder.path(), &state);
            assert_eq!(read(folder.path()), Some(state));
        }
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(read(folder.path()), None);
    }
}
