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
        let mut roll = plan.roll_call();
        let mut at = |t_ms: i64| {
            let changed = roll.advance(t_ms);
            let people = roll.people().into_iter();
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
