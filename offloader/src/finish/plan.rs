//! What a job's folder holds: the journal, read as a whole.
//!
//! In: journal entries. Out: the span, the tracks, who was there when, pauses.
//! Invariant: every time is milliseconds from the recording's zero, within the span; what happened is
//! in the order in which it was written, and that is the order of time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proto::rtcd::TrackType;

use crate::capture::journal::{self, Entry};
use crate::capture::log::LogReader;
use crate::capture::writer::log_path;
use crate::client::TrackKey;
use crate::finish::gaps::{self, Gap};

/// One track of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTrack {
    pub key: TrackKey,
    pub kind: TrackType,
    pub session: String,
    pub from_ms: i64,
    /// When it was taken away; `i64::MAX` while it was not.
    pub until_ms: i64,
    pub log: PathBuf,
}

/// A screen that somebody shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    pub session: String,
    pub from_ms: i64,
    /// `i64::MAX` while it is shared.
    pub until_ms: i64,
}

/// Everything known about a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Unix milliseconds of the timeline's zero; `None` before the capture began.
    zero_at_ms: Option<i64>,
    /// How long it is; of a capture that goes on, as far as it is whole on the disk.
    pub span_ms: i64,
    pub tracks: Vec<PlannedTrack>,
    /// Screens as the server told of them, whether pictures came or not.
    pub shared: Vec<Shared>,
    /// The name of the room; empty when it has none.
    pub title: String,
    /// Changes among the people, in order of time.
    people: Vec<(i64, Change)>,
    names: BTreeMap<String, (String, String)>,
    pub pauses: Vec<Pause>,
    /// Where a worker went on for one that had died.
    pub parts: Vec<i64>,
    /// What of the call is missing; known when the capture is over.
    pub gaps: Vec<Gap>,
}

/// A stretch of the call that is not in the recording: it takes no time there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    pub t_ms: i64,
    /// Unix milliseconds.
    from_ms: i64,
    /// `None` while it lasts.
    until_ms: Option<i64>,
}

impl Pause {
    /// How long it lasted; one that nothing ended had no length that could be known.
    #[must_use]
    pub fn lasted_ms(&self) -> i64 {
        self.until_ms
            .map_or(0, |until| until.saturating_sub(self.from_ms).max(0))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Came(String),
    Left(String),
    Muted(String, bool),
    Hand(String, bool),
}

impl Plan {
    /// Reads a folder whose capture is over; `None` when it never began.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        let entries = journal::read(folder);
        let span_ms = span(folder, &entries);
        let mut plan = Self {
            gaps: gaps::gaps(&entries, span_ms),
            ..Self::default()
        };
        for entry in entries {
            plan.take(folder, entry);
        }
        plan.zero_at_ms?;
        plan.span_ms = span_ms;
        plan.tracks.retain(|track| track.log.is_file());
        for track in &mut plan.tracks {
            track.until_ms = track.until_ms.min(span_ms);
        }
        for shared in &mut plan.shared {
            shared.until_ms = shared.until_ms.min(span_ms);
        }
        Some(plan)
    }

    /// Unix milliseconds of a moment of the recording.
    #[must_use]
    pub fn clock_at(&self, t_ms: i64) -> i64 {
        let pauses = self.pauses.iter().filter(|pause| pause.t_ms <= t_ms);
        let left_out: i64 = pauses.map(Pause::lasted_ms).sum();
        self.zero_at_ms.unwrap_or(0) + t_ms + left_out
    }

    /// Whether the capture has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.zero_at_ms.is_some()
    }

    /// Learns of what happened next.
    pub fn take(&mut self, folder: &Path, entry: Entry) {
        match entry {
            Entry::Zero { at_ms } => {
                self.zero_at_ms.get_or_insert(at_ms);
            }
            Entry::Tick { t_ms } => self.span_ms = self.span_ms.max(t_ms),
            Entry::Paused { t_ms, at_ms } => self.pauses.push(Pause {
                t_ms,
                from_ms: at_ms,
                until_ms: None,
            }),
            Entry::Resumed { at_ms, .. } => {
                if let Some(pause) = self.pauses.last_mut() {
                    pause.until_ms.get_or_insert(at_ms);
                }
            }
            Entry::Part { t_ms, .. } => self.begin_part(t_ms),
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
                    until_ms: i64::MAX,
                    log: log_path(folder, track),
                });
            }
            Entry::TrackEnded { track, t_ms } => {
                if let Some(known) = self.tracks.iter_mut().find(|known| known.key == track) {
                    known.until_ms = t_ms;
                }
            }
            Entry::Screen { session, t_ms } => self.share(session, t_ms),
            Entry::Person {
                session,
                user,
                name,
                t_ms,
            } => self.meet(session, user, name, t_ms),
            Entry::PersonLeft { session, t_ms } => {
                if self.shown().is_some_and(|shown| shown.session == session) {
                    self.share_ends(t_ms);
                }
                self.people.push((t_ms, Change::Left(session)));
            }
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
            Entry::Stopped { .. }
            | Entry::CutOff { .. }
            | Entry::Recovered { .. }
            | Entry::Named { .. }
            | Entry::Made { .. }
            | Entry::Upload { .. }
            | Entry::Uploaded { .. }
            | Entry::HandedIn => {}
        }
    }

    /// The screen that is shared now.
    fn shown(&self) -> Option<&Shared> {
        let last = self.shared.last();
        last.filter(|shared| shared.until_ms == i64::MAX)
    }

    /// Somebody's screen instead of what was shared, or nobody's.
    fn share(&mut self, session: Option<String>, t_ms: i64) {
        if session.is_none() {
            let screens = self.tracks.iter_mut();
            for screen in screens.filter(|track| track.kind == TrackType::Screen) {
                screen.until_ms = screen.until_ms.min(t_ms);
            }
        }
        // Said again to a worker that goes on.
        if session.is_some() && session.as_ref() == self.shown().map(|shown| &shown.session) {
            return;
        }
        self.share_ends(t_ms);
        self.shared.extend(session.map(|session| Shared {
            session,
            from_ms: t_ms,
            until_ms: i64::MAX,
        }));
    }

    fn share_ends(&mut self, t_ms: i64) {
        if let Some(last) = self.shared.last_mut() {
            last.until_ms = last.until_ms.min(t_ms);
        }
    }

    /// Who came and who left, in words, beyond those who were there at the start.
    pub fn comings_and_goings(&self) -> Vec<(i64, String)> {
        let mut here: Vec<&str> = Vec::new();
        let mut marks = Vec::new();
        for (t_ms, change) in &self.people {
            let (verb, session) = match change {
                Change::Came(session) if !here.contains(&session.as_str()) => {
                    here.push(session);
                    ("joins", session)
                }
                Change::Left(session) if here.contains(&session.as_str()) => {
                    here.retain(|other| other != session);
                    ("leaves", session)
                }
                Change::Came(_) | Change::Left(_) | Change::Muted(..) | Change::Hand(..) => {
                    continue;
                }
            };
            if *t_ms > 0 {
                marks.push((*t_ms, format!("{} {verb}", self.name(session))));
            }
        }
        marks
    }

    fn meet(&mut self, session: String, user: String, name: String, t_ms: i64) {
        let known = self.names.entry(session.clone()).or_default();
        if !user.is_empty() {
            known.0 = user;
        }
        if !name.is_empty() {
            known.1 = name;
        }
        self.people.push((t_ms, Change::Came(session)));
    }

    /// Whatever the worker that died had seen has an end: who is still there, the next one says.
    fn begin_part(&mut self, t_ms: i64) {
        self.parts.push(t_ms);
        for track in &mut self.tracks {
            track.until_ms = track.until_ms.min(t_ms);
        }
        let sessions = self.names.keys().cloned();
        self.people
            .extend(sessions.map(|session| (t_ms, Change::Left(session))));
        if let Some(pause) = self.pauses.last_mut() {
            let from_ms = pause.from_ms;
            pause.until_ms.get_or_insert(from_ms);
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

/// The people of a recording, at a time that does not fall. The plan may grow meanwhile.
#[derive(Debug, Default)]
pub struct RollCall {
    /// The first change that is still to come.
    next: usize,
    /// Sessions, in the order in which they came.
    here: Vec<Here>,
}

#[derive(Debug)]
struct Here {
    session: String,
    muted: bool,
    hand_up: bool,
}

impl RollCall {
    /// Goes on to a time; whether anything changed.
    pub fn advance(&mut self, plan: &Plan, t_ms: i64) -> bool {
        let changes = plan.people.get(self.next..).unwrap_or_default();
        let due = changes.iter().take_while(|(at, _)| *at <= t_ms).count();
        for (_, change) in changes.iter().take(due) {
            self.take(change);
        }
        self.next += due;
        due > 0
    }

    fn take(&mut self, change: &Change) {
        let (Change::Came(session)
        | Change::Left(session)
        | Change::Muted(session, _)
        | Change::Hand(session, _)) = change;
        let known = self.here.iter().position(|here| here.session == *session);
        let here = known.and_then(|index| self.here.get_mut(index));
        match (change, here) {
            (Change::Came(_), None) => self.here.push(Here {
                session: session.clone(),
                muted: true,
                hand_up: false,
            }),
            (Change::Left(_), Some(_)) => {
                self.here.retain(|here| here.session != *session);
            }
            (Change::Muted(_, muted), Some(here)) => here.muted = *muted,
            (Change::Hand(_, raised), Some(here)) => here.hand_up = *raised,
            (Change::Came(_), Some(_))
            | (Change::Left(_) | Change::Muted(..) | Change::Hand(..), None) => {}
        }
    }

    /// Who is there, in the order in which they came.
    #[must_use]
    pub fn people(&self, plan: &Plan) -> Vec<Person> {
        let mut people: Vec<Person> = Vec::new();
        for here in &self.here {
            let id = plan.owner(&here.session);
            match people.iter_mut().find(|person| person.id == id) {
                Some(person) => {
                    person.muted &= here.muted;
                    person.hand_up |= here.hand_up;
                }
                None => people.push(Person {
                    id: id.to_owned(),
                    name: plan.name(&here.session),
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
        | Entry::Hand { t_ms, .. }
        | Entry::Paused { t_ms, .. }
        | Entry::Resumed { t_ms, .. }
        | Entry::Part { t_ms, .. } => *t_ms,
        Entry::Zero { .. }
        | Entry::Stopped { .. }
        | Entry::CutOff { .. }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn person(session: &str, user: &str, name: &str, t_ms: i64) -> Entry {
        Entry::Person {
            session: session.to_owned(),
            user: user.to_owned(),
            name: name.to_owned(),
            t_ms,
        }
    }

    fn hand(session: &str, raised: bool, t_ms: i64) -> Entry {
        let session = session.to_owned();
        Entry::Hand {
            session,
            raised,
            t_ms,
        }
    }

    fn muted(session: &str, muted: bool, t_ms: i64) -> Entry {
        let session = session.to_owned();
        Entry::Muted {
            session,
            muted,
            t_ms,
        }
    }

    #[test]
    fn people_are_called_once_in_the_order_in_which_they_came() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = journal::Journal::open(folder.path()).unwrap();
        let title = "Town".to_owned();
        for entry in [
            Entry::Zero { at_ms: 5 },
            person("a", "zoe", "", 0),
            person("b", "ben", "", 100),
            person("a", "zoe", "Zoë", 200),
            muted("a", false, 300),
            hand("b", true, 400),
            person("c", "zoe", "Zoë", 500),
            muted("a", true, 600),
            hand("c", true, 700),
            hand("b", false, 800),
            Entry::PersonLeft {
                session: "a".to_owned(),
                t_ms: 900,
            },
            person("d", "", "", 1000),
            Entry::Titled { title },
        ] {
            journal.record(&entry).unwrap();
        }
        let plan = Plan::read(folder.path()).unwrap();
        assert_eq!((plan.title.as_str(), plan.span_ms), ("Town", 1000));
        let mut roll = RollCall::default();
        let mut at = |t_ms: i64| {
            let changed = roll.advance(&plan, t_ms);
            let people = roll.people(&plan).into_iter();
            let marks = people.map(|person| {
                let muted = if person.muted { "-" } else { "+" };
                let hand = if person.hand_up { "!" } else { "" };
                format!("{}:{}{muted}{hand}", person.id, person.name)
            });
            (changed, marks.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(at(50), (true, "zoe:Zoë-".to_owned()));
        assert_eq!(at(350), (true, "zoe:Zoë+ ben:Unknown-".to_owned()));
        assert_eq!(at(399), (false, "zoe:Zoë+ ben:Unknown-".to_owned()));
        assert_eq!(at(550), (true, "zoe:Zoë+ ben:Unknown-!".to_owned()));
        assert_eq!(at(850), (true, "zoe:Zoë-! ben:Unknown-".to_owned()));
        assert_eq!(
            at(2000),
            (true, "ben:Unknown- zoe:Zoë-! d:Unknown-".to_owned())
        );
    }
}
