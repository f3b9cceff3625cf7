//! The targets this server was built for, one row each: figure, must, aim, verdict.
//!
//! In: our program, the others' where given. Out: the rows. All rows are ratios within one run or
//! figures of one machine; medians over the rounds. A row that needs a server which was not given,
//! or of which no valid round was played, is not measured, which does not count as held.

mod rows;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bench::{self, Job};
use crate::figures::Round;
use crate::launch::Spec;
use crate::placement;
use crate::print;
use crate::round::Setup;
use crate::scenario::Scenario;

pub(crate) use rows::ROWS;

/// A server in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Ours,
    Reference,
    LiveKit,
    Janus,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Reference => "reference rtcd",
            Self::LiveKit => "LiveKit",
            Self::Janus => "Janus",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    /// The most it may be.
    pub(crate) must: f64,
    /// What it should be.
    pub(crate) aim: f64,
    pub(crate) measure: fn(&mut Run) -> anyhow::Result<Finding>,
}

/// What a row's measurement came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finding {
    Figure(f64),
    /// A figure, and in which smaller room than the row's it was found.
    Smaller(f64, String),
    NotMeasured(String),
}

/// Figure and verdict of a row.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Result {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) must: f64,
    pub(crate) aim: f64,
    pub(crate) figure: Option<f64>,
    pub(crate) verdict: String,
    pub(crate) holds: bool,
}

impl Row {
    fn judge(&self, finding: &Finding) -> Result {
        let (figure, verdict) = match finding {
            Finding::Figure(figure) => (Some(*figure), self.verdict(*figure).to_owned()),
            Finding::Smaller(figure, room) => {
                let verdict = self.verdict(*figure);
                (Some(*figure), format!("{verdict}, {room}"))
            }
            Finding::NotMeasured(why) => (None, format!("not measured: {why}")),
        };
        let holds = figure.is_some_and(|figure| figure <= self.must);
        Result {
            what: self.what,
            unit: self.unit,
            must: self.must,
            aim: self.aim,
            figure,
            verdict,
            holds,
        }
    }

    fn verdict(&self, figure: f64) -> &'static str {
        if figure <= self.aim {
            "aim"
        } else if figure <= self.must {
            "must"
        } else {
            "MISSED"
        }
    }
}

/// How the servers are placed on the processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Placement {
    /// Server on the first, generator on the second.
    Apart,
    /// Both on all.
    Together,
}

/// What was played: who, which scenario, where, and by what its participants were divided.
type Played = (Who, &'static str, Placement, usize);

/// By what the participants of a scenario are divided, at most, for a server that cannot carry them.
const SMALLEST_ROOM: usize = 8;

/// A run of the table: the servers, and what was played so far.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) servers: BTreeMap<Who, Spec>,
    pub(crate) setup: Setup,
    /// Participants are divided by this: 1, but in a quick run.
    pub(crate) shrink: usize,
    played: BTreeMap<Played, Vec<Round>>,
    /// Which room a server carries.
    rooms: BTreeMap<(Who, &'static str), usize>,
}

impl Run {
    pub(crate) const fn new(servers: BTreeMap<Who, Spec>, setup: Setup, shrink: usize) -> Self {
        Self {
            servers,
            setup,
            shrink,
            played: BTreeMap::new(),
            rooms: BTreeMap::new(),
        }
    }

    /// Judges all rows; measures those whose text contains `only`.
    pub(crate) fn all(&mut self, only: &str) -> anyhow::Result<Vec<Result>> {
        ROWS.iter()
            .map(|row| {
                if !row.what.contains(only) {
                    return Ok(row.judge(&Finding::NotMeasured("not asked for".to_owned())));
                }
                print::progress(&format!("-- {}", row.what));
                Ok(row.judge(&(row.measure)(self)?))
            })
            .collect()
    }

    /// All rounds, for the report.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = &Vec<Round>> {
        self.played.values()
    }

    fn has(&self, who: Who) -> bool {
        self.servers.contains_key(&who)
    }

    /// Returns by what the participants of a scenario have to be divided for a server to carry it
    /// without loss: found with one round each, halving the room.
    fn room(&mut self, who: Who, name: &'static str) -> anyhow::Result<usize> {
        if let Some(room) = self.rooms.get(&(who, name)) {
            return Ok(*room);
        }
        let mut room = 1;
        while room < SMALLEST_ROOM {
            let job = self.job(who, name, Placement::Apart, room)?;
            let rounds = bench::alternate(job.as_slice(), 1);
            if rounds.iter().flatten().all(Round::is_valid) {
                break;
            }
            room *= 2;
        }
        self.rooms.insert((who, name), room);
        Ok(room)
    }

    /// Plays these in turn, unless all were played before. `room` divides the participants.
    fn play(
        &mut self,
        wanted: &[(Who, &'static str)],
        placement: Placement,
        room: usize,
    ) -> anyhow::Result<()> {
        let wanted: Vec<_> = wanted.iter().filter(|(who, _)| self.has(*who)).collect();
        let known = |(who, name): &&(Who, &'static str)| {
            self.played.contains_key(&(*who, *name, placement, room))
        };
        if wanted.iter().all(known) {
            return Ok(());
        }
        let jobs = wanted
            .iter()
            .filter_map(|(who, name)| self.job(*who, name, placement, room).transpose())
            .collect::<anyhow::Result<Vec<_>>>()?;
        let played = bench::alternate(&jobs, self.setup.timing.rounds);
        for ((who, name), rounds) in wanted.into_iter().zip(played) {
            self.played.insert((*who, *name, placement, room), rounds);
        }
        Ok(())
    }

    fn job(
        &self,
        who: Who,
        name: &str,
        placement: Placement,
        room: usize,
    ) -> anyhow::Result<Option<Job>> {
        let Some(spec) = self.servers.get(&who) else {
            return Ok(None);
        };
        Ok(Some(Job {
            name: who.name().to_owned(),
            spec: spec.clone(),
            scenario: Scenario::named(name)?.shrunk(self.shrink * room),
            setup: self.placed(placement),
        }))
    }

    fn placed(&self, placement: Placement) -> Setup {
        let (server_cpus, own_cpus) = match placement {
            Placement::Apart => placement::apart().unwrap_or_default(),
            Placement::Together => Default::default(),
        };
        Setup {
            server_cpus,
            own_cpus,
            ..self.setup.clone()
        }
    }

    fn rounds_of(
        &self,
        who: Who,
        name: &'static str,
        placement: Placement,
        room: usize,
    ) -> &[Round] {
        self.played
            .get(&(who, name, placement, room))
            .map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(must: f64, aim: f64) -> Row {
        Row {
            what: "w",
            unit: "x",
            must,
            aim,
            measure: |_| Ok(Finding::Figure(1.0)),
        }
    }

    #[test]
    fn a_row_holds_up_to_its_must() {
        assert!(row(1.3, 1.1).judge(&Finding::Figure(1.3)).holds);
        assert_eq!(row(1.3, 1.1).judge(&Finding::Figure(1.2)).verdict, "must");
        assert_eq!(row(1.3, 1.1).judge(&Finding::Figure(1.1)).verdict, "aim");
        assert!(!row(1.3, 1.1).judge(&Finding::Figure(1.31)).holds);
        let smaller = row(1.3, 1.1).judge(&Finding::Smaller(1.2, "250 people".to_owned()));
        assert!(smaller.holds && smaller.verdict == "must, 250 people");
    }

    #[test]
    fn what_is_not_measured_does_not_hold() {
        let result = row(1.3, 1.1).judge(&Finding::NotMeasured("no program".to_owned()));
        assert!(!result.holds && result.figure.is_none());
        assert_eq!(result.verdict, "not measured: no program");
    }

    #[test]
    fn aims_are_not_above_musts() {
        for row in ROWS {
            assert!(row.aim <= row.must, "{}", row.what);
        }
    }
}
