//! What a job's folder holds: the journal, read as a whole.
//!
//! In: journal entries. Out: the span, the tracks, who was there when.
//! Invariant: every time is milliseconds from the recording's zero, within the span.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proto::rtcd::TrackType;

use crate::capture::journal::{self, Entry};
use crate::capture::log::LogReader;
use crate::capture::writer::log_path;
use crate::client::TrackKey;

/// One track of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTrack {
    pub key: TrackKey,
    pub kind: TrackType,
    pub session: String,
    pub from_ms: i64,
    /// When it was taken away.
    pub until_ms: i64,
    pub log: PathBuf,
}

/// Everything known about a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Unix milliseconds of the timeline's zero.
    pub zero_at_ms: i64,
    pub span_ms: i64,
    pub tracks: Vec<PlannedTrack>,
    /// Changes among the people, in order of time.
    people: Vec<(i64, Change)>,
    names: BTreeMap<String, (String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Came(String),
    Left(String),
    Muted(String, bool),
}

impl Plan {
    /// Reads a folder; `None` when the capture never began.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        let entries = journal::read(folder);
        let zero_at_ms = entries.iter().find_map(|entry| {
            if let Entry::Zero { at_ms } = entry {
                Some(*at_ms)
            } else {
                None
            }
        })?;
        let mut plan = Self {
            zero_at_ms,
            span_ms: span(folder, &entries),
            tracks: Vec::new(),
            people: Vec::new(),
            names: BTreeMap::new(),
        };
        for entry in entries {
            plan.take(folder, entry);
        }
        plan.tracks.retain(|track| track.log.is_file());
        Some(plan)
    }

    fn take(&mut self, folder: &Path, entry: Entry) {
        match entry {
            Entry::Track {
                track,
                kind,
                session,
                t_ms,
            } => {
                self.tracks.push(PlannedTrack {
                    key: track,
                    kind,
                    session,
                    from_ms: t_ms,
                    until_ms: self.span_ms,
                    log: log_path(folder, track),
                });
            }
            Entry::TrackEnded { track, t_ms } => {
                if let Some(known) = self.tracks.iter_mut().find(|known| known.key == track) {
                    known.until_ms = t_ms;
                }
            }
            Entry::Screen {
                session: None,
                t_ms,
            } => {
                let screens = self
                    .tracks
                    .iter_mut()
                    .filter(|t| t.kind == TrackType::Screen);
                for screen in screens.filter(|screen| screen.until_ms > t_ms) {
                    screen.until_ms = t_ms;
                }
            }
            Entry::Person {
                session,
                user,
                name,
                t_ms,
            } => {
                let known = self.names.entry(session.clone()).or_default();
                if !user.is_empty() {
                    known.0 = user;
                }
                if !name.is_empty() {
                    known.1 = name;
                }
                self.people.push((t_ms, Change::Came(session)));
            }
            Entry::PersonLeft { session, t_ms } => self.people.push((t_ms, Change::Left(session))),
            Entry::Muted {
                session,
                muted,
                t_ms,
            } => {
                self.people.push((t_ms, Change::Muted(session, muted)));
            }
            Entry::Zero { .. }
            | Entry::Tick { .. }
            | Entry::Screen { .. }
            | Entry::Stopped { .. }
            | Entry::Recovered { .. }
            | Entry::Named { .. }
            | Entry::Made { .. }
            | Entry::Upload { .. }
            | Entry::Uploaded { .. }
            | Entry::HandedIn => {}
        }
    }

    /// The name to show for a session.
    #[must_use]
    pub fn name(&self, session: &str) -> String {
        match self.names.get(session) {
            Some((_, name)) if !name.is_empty() => name.clone(),
            Some(_) | None => "Unknown".to_owned(),
        }
    }

    /// Who was there at a time: names in order, and whether muted. A person with two devices
    /// counts once.
    #[must_use]
    pub fn people_at(&self, t_ms: i64) -> Vec<(String, bool)> {
        let mut present: BTreeMap<&str, bool> = BTreeMap::new();
        let mut muted: BTreeMap<&str, bool> = BTreeMap::new();
        for (_, change) in self.people.iter().filter(|(at, _)| *at <= t_ms) {
            match change {
                Change::Came(session) => present.insert(session, true),
                Change::Left(session) => present.insert(session, false),
                Change::Muted(session, is) => muted.insert(session, *is),
            };
        }
        let mut people: BTreeMap<String, (String, bool)> = BTreeMap::new();
        for session in present
            .iter()
            .filter(|(_, here)| **here)
            .map(|(session, _)| *session)
        {
            let user = self
                .names
                .get(session)
                .map_or(session, |(user, _)| user.as_str());
            let quiet = muted.get(session).copied().unwrap_or(true);
            let name = self.name(session);
            let person = people.entry(user.to_owned()).or_insert((name, true));
            person.1 &= quiet;
        }
        let mut people: Vec<_> = people.into_values().collect();
        people.sort();
        people
    }
}

/// How long the recording is: until it was stopped, or until the last thing that was written.
fn span(folder: &Path, entries: &[Entry]) -> i64 {
    let stopped = entries.iter().find_map(|entry| {
        if let Entry::Stopped { t_ms, .. } = entry {
            Some(*t_ms)
        } else {
            None
        }
    });
    if let Some(t_ms) = stopped {
        return t_ms.max(0);
    }
    let told = entries.iter().map(|entry| match entry {
        Entry::Tick { t_ms }
        | Entry::Track { t_ms, .. }
        | Entry::TrackEnded { t_ms, .. }
        | Entry::PersonLeft { t_ms, .. }
        | Entry::Person { t_ms, .. }
        | Entry::Screen { t_ms, .. }
        | Entry::Muted { t_ms, .. } => *t_ms,
        Entry::Zero { .. }
        | Entry::Stopped { .. }
        | Entry::Recovered { .. }
        | Entry::Named { .. }
        | Entry::Made { .. }
        | Entry::Upload { .. }
        | Entry::Uploaded { .. }
        | Entry::HandedIn => 0,
    });
    let heard = entries.iter().filter_map(|entry| {
        let Entry::Track { track, .. } = entry else {
            return None;
        };
        LogReader::open(&log_path(folder, *track)).ok()
    });
    let heard = heard.filter_map(|log| log.map(|packet| packet.arrival_us / 1000).max());
    told.chain(heard).max().unwrap_or(0).max(0)
}
