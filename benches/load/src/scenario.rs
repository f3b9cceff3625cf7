//! The named scenarios, and what they are made of.
//!
//! In: a name, or numbers. Out: a `Scenario`, and the wishes of its participants.

use std::time::Duration;

use clap::Args;
use proto::id::CallId;

use crate::mouth::VoiceSize;
use crate::servers::{Kind, Wish};
use crate::world::Habits;

/// What is put on a server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) calls: usize,
    /// In each call, speakers included.
    pub(crate) participants: usize,
    pub(crate) speakers: usize,
    pub(crate) screens: usize,
    /// Listeners who join the first call while it is measured, per second.
    pub(crate) joins_per_second: u32,
    /// Of 1,000 video packets, how many do not reach a receiver at first.
    pub(crate) lose_per_mille: u32,
    pub(crate) voice_size: VoiceSize,
}

/// Numbers that replace those of the named scenario.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Changes {
    /// Calls at the same time.
    #[arg(long)]
    calls: Option<usize>,
    /// Participants of each call, speakers included.
    #[arg(long)]
    participants: Option<usize>,
    /// Participants of each call who speak.
    #[arg(long)]
    speakers: Option<usize>,
    /// Participants of each call who share a screen of 1.6 Mbit/s.
    #[arg(long)]
    screens: Option<usize>,
    /// Listeners who join the first call while it is measured, per second.
    #[arg(long)]
    joins_per_second: Option<u32>,
    /// Of 1,000 received video packets, how many are thrown away and asked for again.
    #[arg(long)]
    lose_per_mille: Option<u32>,
    /// Voice packets of 40 to 120 bytes instead of 80 each.
    #[arg(long)]
    varying: bool,
}

/// Name, then: calls, participants, speakers, screens, joins per second, loss per mille; then what
/// it stands for.
type Named = (&'static str, [usize; 4], u32, u32, &'static str);

const NAMED: &[Named] = &[
    (
        "s1-100",
        [1, 100, 2, 0],
        0,
        0,
        "one call of 100, 2 speakers",
    ),
    (
        "s1-500",
        [1, 500, 2, 0],
        0,
        0,
        "one call of 500, 2 speakers",
    ),
    (
        "s1-500x1",
        [1, 500, 1, 0],
        0,
        0,
        "one call of 500, 1 speaker",
    ),
    (
        "s1-500x3",
        [1, 500, 3, 0],
        0,
        0,
        "one call of 500, 3 speakers",
    ),
    (
        "s1-1000",
        [1, 1000, 2, 0],
        0,
        0,
        "one call of 1000, 2 speakers",
    ),
    (
        "s1-2000",
        [1, 2000, 2, 0],
        0,
        0,
        "one call of 2000, 2 speakers",
    ),
    ("s1-50", [1, 50, 2, 0], 0, 0, "one call of 50, 2 speakers"),
    ("s1-50x1", [1, 50, 1, 0], 0, 0, "one call of 50, 1 speaker"),
    (
        "s1-2000x1",
        [1, 2000, 1, 0],
        0,
        0,
        "one call of 2000, 1 speaker",
    ),
    (
        "s1-2x500",
        [2, 500, 2, 0],
        0,
        0,
        "two calls of 500, 2 speakers each",
    ),
    (
        "s2-25",
        [25, 10, 2, 0],
        0,
        0,
        "25 calls of 10, 2 speakers each",
    ),
    (
        "s2-100",
        [100, 10, 2, 0],
        0,
        0,
        "100 calls of 10, 2 speakers each",
    ),
    ("s3", [500, 2, 2, 0], 0, 0, "500 calls of 2, both speaking"),
    (
        "s4",
        [1, 500, 2, 1],
        0,
        0,
        "one call of 500, 2 speakers, a shared screen of 1.6 Mbit/s",
    ),
    (
        "s4-screen",
        [1, 500, 0, 1],
        0,
        0,
        "one call of 500, nothing but a shared screen",
    ),
    (
        "s5",
        [1, 500, 0, 0],
        0,
        0,
        "500 idle participants in one call",
    ),
    (
        "s6",
        [1, 100, 2, 0],
        50,
        0,
        "50 joins a second into a running call of 100, 2 speakers",
    ),
    ("s7", [1, 50, 50, 0], 0, 0, "one call of 50, all speaking"),
    (
        "s8",
        [1, 100, 2, 1],
        0,
        20,
        "one call of 100, a shared screen, 2 % of its packets lost and asked for again",
    ),
];

/// Names and meanings.
pub(crate) fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMED.iter().map(|(name, .., about)| (*name, *about))
}

impl Scenario {
    /// Finds a named scenario.
    pub(crate) fn named(name: &str) -> anyhow::Result<Self> {
        let (name, [calls, participants, speakers, screens], joins, lose, _about) = NAMED
            .iter()
            .find(|(known, ..)| *known == name)
            .ok_or_else(|| {
                let names: Vec<_> = list().map(|(name, _)| name).collect();
                anyhow::anyhow!("no scenario `{name}`: there are {}", names.join(", "))
            })?;
        Ok(Self {
            name: (*name).to_owned(),
            calls: *calls,
            participants: *participants,
            speakers: *speakers,
            screens: *screens,
            joins_per_second: *joins,
            lose_per_mille: *lose,
            voice_size: VoiceSize::Constant,
        })
    }

    /// Applies what was asked for on the command line, and names the result after it.
    pub(crate) fn changed(mut self, changes: &Changes) -> Self {
        let before = self.clone();
        self.calls = changes.calls.unwrap_or(self.calls);
        self.participants = changes.participants.unwrap_or(self.participants);
        self.speakers = changes.speakers.unwrap_or(self.speakers);
        self.screens = changes.screens.unwrap_or(self.screens);
        self.joins_per_second = changes.joins_per_second.unwrap_or(self.joins_per_second);
        self.lose_per_mille = changes.lose_per_mille.unwrap_or(self.lose_per_mille);
        if changes.varying {
            self.voice_size = VoiceSize::Varying;
        }
        if self != before {
            self.name = self.numbers();
        }
        self
    }

    /// The same with fewer participants, for a quick look.
    pub(crate) fn shrunk(mut self, by: usize) -> Self {
        if by > 1 && self.participants > 50 {
            self.participants = (self.participants / by).max(50);
        }
        self
    }

    fn numbers(&self) -> String {
        let mut name = format!("{}x{}-{}v", self.calls, self.participants, self.speakers);
        let rest = [
            (self.screens, "s"),
            (usize::try_from(self.joins_per_second).unwrap_or(0), "j"),
            (usize::try_from(self.lose_per_mille).unwrap_or(0), "l"),
        ];
        for (count, letter) in rest.into_iter().filter(|(count, _)| *count > 0) {
            name.push_str(&format!("{count}{letter}"));
        }
        if self.voice_size == VoiceSize::Varying {
            name.push_str("-varying");
        }
        name
    }

    /// Everybody who is there from the start: publishers first, so that listeners find tracks.
    pub(crate) fn wishes(&self) -> Vec<Wish> {
        let mut wishes = Vec::with_capacity(self.calls * self.participants);
        for _ in 0..self.calls {
            let call = CallId::random().as_str().to_owned();
            for number in 0..self.participants {
                let mut publishes = Vec::new();
                if number < self.speakers {
                    publishes.push(Kind::Voice);
                }
                if number < self.screens {
                    publishes.push(Kind::Screen);
                }
                wishes.push(Wish {
                    call: call.clone(),
                    publishes,
                });
            }
        }
        wishes
    }

    pub(crate) fn habits(&self, keep_alive: bool) -> Habits {
        Habits {
            keep_alive,
            voice_size: self.voice_size,
            lose_per_mille: self.lose_per_mille,
            ..Habits::default()
        }
    }
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) rounds: usize,
    pub(crate) settle: Duration,
    pub(crate) measure: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_can_be_built() {
        for (name, _) in list() {
            let scenario = Scenario::named(name).unwrap();
            let wishes = scenario.wishes();
            assert_eq!(wishes.len(), scenario.calls * scenario.participants);
            assert!(scenario.speakers <= scenario.participants);
        }
        assert!(Scenario::named("s0").is_err());
    }

    #[test]
    fn publishers_come_first_in_every_call() {
        let wishes = Scenario::named("s2-25").unwrap().wishes();
        assert!(
            wishes
                .iter()
                .step_by(10)
                .all(|wish| wish.publishes == [Kind::Voice])
        );
        assert!(
            wishes
                .iter()
                .skip(2)
                .step_by(10)
                .all(|wish| wish.publishes.is_empty())
        );
        assert_ne!(wishes[0].call, wishes[10].call);
    }

    #[test]
    fn a_changed_scenario_is_named_after_its_numbers() {
        let changes = Changes {
            participants: Some(40),
            varying: true,
            ..Changes::default()
        };
        let scenario = Scenario::named("s4").unwrap().changed(&changes);
        assert_eq!(scenario.name, "1x40-2v1s-varying");
        assert_eq!(
            Scenario::named("s4")
                .unwrap()
                .changed(&Changes::default())
                .name,
            "s4"
        );
    }
}
