//! Several servers or scenarios in turn, so that what the machine does meanwhile hits all alike.
//!
//! In: jobs. Out: the rounds of each, in the same order.

use crate::figures::Round;
use crate::launch::Spec;
use crate::print;
use crate::round::{self, Setup};
use crate::scenario::Scenario;

/// One server under one scenario.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// What the server is called in reports.
    pub(crate) name: String,
    pub(crate) spec: Spec,
    pub(crate) scenario: Scenario,
    pub(crate) setup: Setup,
}

impl Job {
    fn play(&self) -> Round {
        match round::play(&self.spec, &self.scenario, &self.setup) {
            Ok(round) => Round {
                server: self.name.clone(),
                ..round
            },
            Err(error) => Round::failed(&self.name, &self.scenario.name, &error),
        }
    }
}

/// Plays all jobs once per round, beginning with another one each time.
pub(crate) fn alternate(jobs: &[Job], rounds: usize) -> Vec<Vec<Round>> {
    let mut played: Vec<Vec<Round>> = jobs.iter().map(|_| Vec::new()).collect();
    for number in 0..rounds {
        for offset in 0..jobs.len() {
            let turn = (number + offset) % jobs.len();
            let (Some(job), Some(rounds)) = (jobs.get(turn), played.get_mut(turn)) else {
                continue;
            };
            let round = job.play();
            print::progress(&format!(
                "{} on {}, round {}: {}",
                job.scenario.name,
                job.name,
                number + 1,
                summary(&round)
            ));
            rounds.push(round);
        }
    }
    played
}

fn summary(round: &Round) -> String {
    if let Some(why) = round.void.first() {
        return format!("void, {why}");
    }
    let cpu = round.figure("cpu_us_per_packet");
    let memory = round.figure("memory_kb_per_participant");
    match (cpu, memory) {
        (Some(cpu), _) => format!("{cpu:.3} us of CPU per packet"),
        (None, Some(memory)) => format!("{memory:.0} kB per participant"),
        (None, None) => "done".to_owned(),
    }
}
