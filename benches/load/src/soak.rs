//! An ordinary day, fast: people join, leave, speak and fall silent for an hour, and the server
//! must end as it began.
//!
//! In: a server, a time. Out: its memory and descriptors over that time, and whether both stayed
//! flat. What a server needs to reach its working size is the warm-up, a fifth of the time.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use crate::figures::{median, real};
use crate::launch::Spec;
use crate::print;
use crate::process::{self, Reading};
use crate::round::{self, Setup, Stage};
use crate::scenario::Scenario;

/// One leaves and one joins this often.
const CHANGE_EVERY: Duration = Duration::from_millis(500);
/// How many speak changes this often.
const TALK_EVERY: Duration = Duration::from_secs(7);
/// Who may be on their way in at any time: a join takes less than a second.
const MOST_JOINING: usize = 2;
/// Samples over the whole time.
const SAMPLES: u32 = 240;
/// Growth of resident memory that counts as flat.
const MAX_GROWTH: f64 = 0.02;

/// The server at one time.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Sample {
    pub(crate) minutes: f64,
    pub(crate) resident_mb: f64,
    pub(crate) descriptors: f64,
    pub(crate) cpu_cores: f64,
}

/// What a soak found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Soak {
    pub(crate) minutes: f64,
    pub(crate) joins: usize,
    pub(crate) failures: Vec<String>,
    /// Resident memory at the end over that after the warm-up.
    pub(crate) memory_growth: f64,
    pub(crate) descriptor_growth: f64,
    /// Said, not judged: over an hour it is the machine's as much as the server's.
    pub(crate) loss_percent: f64,
    pub(crate) samples: Vec<Sample>,
}

impl Soak {
    pub(crate) fn holds(&self) -> bool {
        self.memory_growth <= MAX_GROWTH
            && self.descriptor_growth <= 0.0
            && self.failures.is_empty()
    }
}

/// Runs for `time`.
pub(crate) fn run(spec: &Spec, setup: &Setup, time: Duration) -> anyhow::Result<Soak> {
    let scenario = Scenario {
        name: "soak".to_owned(),
        calls: 4,
        participants: 25,
        speakers: 4,
        screens: 1,
        ..Scenario::named("s2-25")?
    };
    let habits = scenario.habits(setup.keep_alive);
    let mut stage = round::stage(spec, &scenario, setup, habits)?;
    let pid = stage
        .running
        .pid
        .context("a soak needs the server's process: add #PID to its address")?;
    let began = Instant::now();
    let tally = stage.world.tally();
    let mut samples = Vec::new();
    let mut joins = 0;
    let mut next_change = began;
    let mut next_talk = began;
    let mut next_sample = began;
    let mut last: Option<(Instant, Reading)> = None;
    while began.elapsed() < time {
        stage.world.turn()?;
        let now = Instant::now();
        if now >= next_change {
            next_change += CHANGE_EVERY;
            change_one(&mut stage)?;
            joins += 1;
        }
        if now >= next_talk {
            next_talk += TALK_EVERY;
            stage.world.let_speak(rand::random_range(1..=16));
        }
        if now >= next_sample {
            next_sample += time / SAMPLES;
            let reading = process::read(pid)?;
            samples.push(sample(began, now, reading, last));
            last = Some((now, reading));
            if samples.len().is_multiple_of(24) {
                progress(&samples);
            }
        }
    }
    let counts = stage.world.tally().totals.minus(tally.totals).counts;
    let mut failures = stage.world.take_failures();
    if stage.world.joining() > MOST_JOINING {
        failures.push(format!(
            "{} participants did not get in",
            stage.world.joining()
        ));
    }
    stage.world.leave_all()?;
    let growth = Growth::of(&samples);
    Ok(Soak {
        minutes: time.as_secs_f64() / 60.0,
        joins,
        failures,
        memory_growth: growth.memory,
        descriptor_growth: growth.descriptors,
        loss_percent: 100.0 * real(counts.lost()) / real(counts.expected).max(1.0),
        samples,
    })
}

/// Somebody leaves, and somebody who wants the same comes.
fn change_one(stage: &mut Stage) -> anyhow::Result<()> {
    let who = rand::random_range(0..stage.serials.len());
    let (Some(serial), Some(wish)) = (stage.serials.get_mut(who), stage.wishes.get(who)) else {
        return Ok(());
    };
    stage.world.leave(*serial);
    *serial = stage.world.enter(wish, false)?;
    Ok(())
}

fn sample(
    began: Instant,
    now: Instant,
    reading: Reading,
    last: Option<(Instant, Reading)>,
) -> Sample {
    let cpu_cores = last.map_or(0.0, |(at, before)| {
        reading.cpu.saturating_sub(before.cpu).as_secs_f64() / (now - at).as_secs_f64().max(1e-3)
    });
    Sample {
        minutes: (now - began).as_secs_f64() / 60.0,
        resident_mb: real(reading.resident_bytes) / 1e6,
        descriptors: real(reading.descriptors),
        cpu_cores,
    }
}

fn progress(samples: &[Sample]) {
    if let Some(sample) = samples.last() {
        print::progress(&format!(
            "{:.1} min: {:.1} MB resident, {:.0} descriptors, {:.2} cores",
            sample.minutes, sample.resident_mb, sample.descriptors, sample.cpu_cores
        ));
    }
}

/// The last fifth of the time against the fifth that follows the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Growth {
    memory: f64,
    descriptors: f64,
}

impl Growth {
    fn of(samples: &[Sample]) -> Self {
        let fifth = samples.len().div_ceil(5);
        let early: Vec<&Sample> = samples.iter().skip(fifth).take(fifth).collect();
        let late: Vec<&Sample> = samples.iter().rev().take(fifth).collect();
        let memory = |of: &[&Sample]| median(&of.iter().map(|s| s.resident_mb).collect::<Vec<_>>());
        let most = |of: &[&Sample]| of.iter().map(|s| s.descriptors).fold(0.0, f64::max);
        Self {
            memory: memory(&late) / memory(&early).max(f64::MIN_POSITIVE) - 1.0,
            descriptors: most(&late) - most(&early),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(size: impl Fn(f64) -> f64, descriptors: impl Fn(f64) -> f64) -> Vec<Sample> {
        (0..100)
            .map(|number| {
                let minutes = f64::from(number);
                Sample {
                    minutes,
                    resident_mb: size(minutes),
                    descriptors: descriptors(minutes),
                    cpu_cores: 0.1,
                }
            })
            .collect()
    }

    #[test]
    fn growth_in_the_warm_up_does_not_count() {
        let growth = Growth::of(&samples(|m| 50.0 + m.min(20.0), |m| 20.0 + m.min(10.0)));
        assert!(growth.memory.abs() < 1e-9 && growth.descriptors <= 0.0);
    }

    #[test]
    fn a_slow_leak_counts() {
        let growth = Growth::of(&samples(|m| 50.0 + m / 10.0, |m| 20.0 + (m / 30.0).floor()));
        assert!(growth.memory > MAX_GROWTH && growth.descriptors > 0.0);
    }
}
