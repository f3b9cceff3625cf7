//! Which jobs run and how they do, for administrators.
//!
//! In: the records, and what workers leave in the folders: journals, files, `state.json`.
//! Out: a `JobsReport`. Not here: who may ask (`http`).
//! Invariant: a job that is being removed just now is reported with what is still known.

use std::path::Path;

use proto::offload::{JobReport, JobRequest, JobType, JobsReport};
use serde_json::Value;

use super::{Jobs, tenant};
use crate::auth::{Caller, unix_ms};
use crate::capture::journal::{self, Entry};
use crate::disk::bytes_below;
use crate::store::JobRow;
use crate::worker::state;

impl Jobs {
    /// The caller's jobs that have not ended, the oldest first; an administrator's are all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn report(&self, caller: &Caller) -> anyhow::Result<JobsReport> {
        let mut rows = self.inner.store.unfinished().await?;
        rows.retain(|row| *caller == Caller::Admin || row.tenant == tenant(caller));
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| (self.folder(&row.id), row))
            .collect();
        let data_dir = self.inner.config.data_dir.clone();
        // Folders of long calls are read: never on the runtime's own threads.
        let report = tokio::task::spawn_blocking(move || JobsReport {
            jobs: rows
                .iter()
                .filter_map(|(folder, row)| describe(folder, row))
                .collect(),
            free_bytes: storage::space::free_bytes(&data_dir).unwrap_or(0),
        });
        Ok(report.await?)
    }
}

fn describe(folder: &Path, row: &JobRow) -> Option<JobReport> {
    let request: JobRequest = serde_json::from_str(&row.request).ok()?;
    let kind = JobType::parse(&request.kind)?;
    let input = |key: &str| {
        let value = request.input_data.get(key).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let job_key = match kind {
        JobType::Recording => "recording_id",
        JobType::Transcribing => "transcription_id",
    };
    let told = Told::of(&journal::read(folder));
    let state = state::read(folder).unwrap_or_default();
    let is_heard = state.at_ms > 0;
    Some(JobReport {
        id: row.id.clone(),
        kind,
        phase: if told.is_over {
            "finishing".to_owned()
        } else {
            row.phase.as_str().to_owned()
        },
        start_at: row.start_at,
        call_id: input("call_id"),
        job_id: input(job_key),
        workers: row.attempts,
        captured_ms: told.captured_ms,
        is_paused: told.is_paused && !told.is_over,
        pauses: told.pauses,
        tracks: told.tracks,
        bytes: bytes_below(folder),
        missing_packets: state.condition.missing_packets,
        dropped_packets: state.condition.dropped_packets,
        waiting_packets: state.condition.waiting_packets,
        silent_ms: is_heard.then(|| unix_ms().saturating_sub(state.at_ms).max(0)),
    })
}

/// What a journal tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    captured_ms: i64,
    tracks: u32,
    is_over: bool,
    is_paused: bool,
    pauses: u32,
}

impl Told {
    fn of(entries: &[Entry]) -> Self {
        let mut told = Self::default();
        for entry in entries {
            if let Entry::Tick { t_ms } | Entry::Stopped { t_ms, .. } = entry {
                told.captured_ms = told.captured_ms.max(*t_ms);
            }
            if let Entry::Paused { .. } | Entry::Resumed { .. } = entry {
                told.is_paused = matches!(entry, Entry::Paused { .. });
                told.pauses += u32::from(told.is_paused);
            }
            told.tracks += u32::from(matches!(entry, Entry::Track { .. }));
            told.is_over |= matches!(entry, Entry::Stopped { .. } | Entry::Recovered { .. });
            told.is_over &= !matches!(entry, Entry::Part { .. });
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use proto::rtcd::TrackType;

    use super::*;

    #[test]
    fn a_journal_tells_how_much_there_is_and_whether_it_is_over() {
        let track = Entry::Track {
            track: 1,
            kind: TrackType::Voice,
            session: "s".to_owned(),
            t_ms: 3,
        };
        let mut entries = vec![Entry::Zero { at_ms: 1 }, track, Entry::Tick { t_ms: 2000 }];
        let running = Told::of(&entries);
        assert_eq!((running.captured_ms, running.tracks), (2000, 1));
        assert!(!running.is_over);
        for t_ms in [2100, 2200] {
            entries.push(Entry::Paused { t_ms, at_ms: 1 });
            assert!(Told::of(&entries).is_paused);
            entries.push(Entry::Resumed { t_ms, at_ms: 2 });
        }
        let rested = Told::of(&entries);
        assert_eq!((rested.is_paused, rested.pauses), (false, 2));
        entries.push(Entry::Stopped {
            t_ms: 2500,
            reason: "the host stopped it".to_owned(),
        });
        let over = Told::of(&entries);
        assert_eq!((over.captured_ms, over.is_over), (2500, true));
        assert_eq!(Told::of(&[]), Told::default());
    }
}
