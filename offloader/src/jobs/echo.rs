//! What a worker logs, repeated on the service's standard error (`jobs.docker.output_logs`).
//!
//! In: the log of a job's workers, which is a file: a worker outlives the service. Out: the same lines.
//! Invariant: nothing is repeated that was logged before the worker began.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The log of one worker.
#[derive(Debug)]
pub(super) struct Echo {
    path: PathBuf,
    /// Bytes that were repeated, or that others wrote before.
    done: u64,
}

impl Echo {
    pub(super) fn begin(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            done: path.metadata().map_or(0, |log| log.len()),
        }
    }

    /// Repeats what was logged since the last time.
    pub(super) async fn repeat(&mut self) {
        let (path, done) = (self.path.clone(), self.done);
        let repeated =
            tokio::task::spawn_blocking(move || copy(&path, done, &mut io::stderr().lock()));
        match repeated.await {
            Ok(Ok(bytes)) => self.done += bytes,
            // It is in the file all the same.
            Ok(Err(error)) => tracing::debug!(%error, "repeat a worker's log"),
            Err(error) => tracing::debug!(%error, "repeat a worker's log"),
        }
    }
}

/// Copies whole lines behind the first `done` bytes; how many bytes that were.
fn copy(path: &Path, done: u64, out: &mut impl Write) -> io::Result<u64> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(done))?;
    let mut fresh = Vec::new();
    file.read_to_end(&mut fresh)?;
    let whole = fresh.iter().rposition(|byte| *byte == b'\n');
    fresh.truncate(whole.map_or(0, |last| last + 1));
    out.write_all(&fresh)?;
    Ok(u64::try_from(fresh.len()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_repeated_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.log");
        std::fs::write(&path, "of an earlier worker\n").unwrap();
        let mut echo = Echo::begin(&path);
        std::fs::write(&path, "of an earlier worker\none\ntw").unwrap();
        let mut out = Vec::new();
        echo.done += copy(&path, echo.done, &mut out).unwrap();
        assert_eq!(out, b"one\n");
        std::fs::write(&path, "of an earlier worker\none\ntwo\n").unwrap();
        echo.done += copy(&path, echo.done, &mut out).unwrap();
        assert_eq!(copy(&path, echo.done, &mut out).unwrap(), 0);
        assert_eq!(out, b"one\ntwo\n");
    }
}
