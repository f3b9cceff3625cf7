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
    /// The name of the room; empty when it has none.
    pub title: String,
    /// Changes among the people, in order of time.
    people: Vec<(i64, Change)>,
    names: BTreeMap<String, (String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Came(String),
    Left(String),
    Muted(String, bool),
    Hand(String, bool),
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
            title: String::new(),
            people: Vec::new(),
            names: BTreeMap::new(),
        };
        for entry in entries {
            plan.take(folder, entry);
        }
        plan.tracks.retain(|track| track.log.is_file());
        // Stable: what happened at one time stays in the order in which it was written.
        plan.people.sort_by_key(|(t_ms, _)| *t_ms);
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
            Entry::Hand {
                session,
                raised,
                t_ms,
            } => {
                self.people.push((t_ms, Change::Hand(session, raised)));
            }
            Entry::Titled { title } => self.title = title,
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

    /// Whose a session is: the user's id, or the session's if that never became known.
    #[must_use]
    pub fn owner<'a>(&'a self, session: &'a str) -> &'a str {
        match self.names.get(session) {
            Some((user, _)) if !user.is_empty() => user,
            Some(_) | None => session,
        }
    }

    /// Walks through the recording with its people.
    #[must_use]
    pub fn roll_call(&self) -> RollCall<'_> {
        RollCall {
            plan: self,
            next: 0,
            here: Vec::new(),
        }
    }
}

/// A person in the call. One with two devices is one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user's id; see `Plan::owner`.
    pub id: String,
    pub name: String,
    pub muted: bool,
    pub hand_up: bool,
}

/// The people of a recording, at a time that does not fall.
#[derive(Debug)]
pub struct RollCall<'a> {
    plan: &'a Plan,
    /// The first change that is still to come.
    next: usize,
    /// Sessions, in the order in which they came.
    here: Vec<Here<'a>>,
}

#[derive(Debug)]
struct Here<'a> {
    session: &'a str,
    muted: bool,
    hand_up: bool,
}

impl RollCall<'_> {
    /// Goes on to a time; whether anything changed.
    pub fn advance(&mut self, t_ms: i64) -> bool {
        let changes = self.plan.people.get(self.next..).unwrap_or_default();
        let due = changes.iter().take_while(|(at, _)| *at <= t_ms).count();
        for (_, change) in changes.iter().take(due) {
            let (Change::Came(session)
            | Change::Left(session)
            | Change::Muted(session, _)
            | Change::Hand(session, _)) = change;
            let known = self.here.iter().position(|here| here.session == session);
            let here = known.and_then(|index| self.here.get_mut(index));
            match (change, here) {
                (Change::Came(_), None) => self.here.push(Here {
                    session,
                    muted: true,
                    hand_up: false,
                }),
                (Change::Left(_), Some(_)) => {
                    self.here.retain(|here| here.session != session);
                }
                (Change::Muted(_, muted), Some(here)) => here.muted = *muted,
                (Change::Hand(_, raised), Some(here)) => here.hand_up = *raised,
                (Change::Came(_), Some(_))
                | (Change::Left(_) | Change::Muted(..) | Change::Hand(..), None) => {}
            }
        }
        self.next += due;
        due > 0
    }

    /// Who is there, in the order in which they came.
    #[must_use]
    pub fn people(&self) -> Vec<Person> {
        let mut people: Vec<Person> = Vec::new();
        for here in &self.here {
            let id = self.plan.owner(here.session);
            match people.iter_mut().find(|person| person.id == id) {
                Some(person) => {
                    person.muted &= here.muted;
                    person.hand_up |= here.hand_up;
                }
                None => people.push(Person {
                    id: id.to_owned(),
                    name: self.plan.name(here.session),
                    muted: here.muted,
                    hand_up: here.hand_up,
                }),
            }
        }
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
        | Entry::Muted { t_ms, .. }
        | Entry::Hand { t_ms, .. } => *t_ms,
        Entry::Zero { .. }
        | Entry::Stopped { .. }
        | Entry::Recovered { .. }
        | Entry::Titled { .. }
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
