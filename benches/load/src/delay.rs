//! The delay a server adds at a given load: finds the load first, then measures.
//!
//! In: a server, the share of its processors. Out: a round of calls of 100 in which as many speak as
//! it takes. A server that is faster than all the calls together gets twice as many.

use std::time::Duration;

use anyhow::Context;

use crate::figures::Round;
use crate::launch::Spec;
use crate::placement;
use crate::round::{self, Setup, Stage, Window};
use crate::scenario::Scenario;
use crate::world::Habits;

/// Calls of 100 that are tried, one after the other, until the load is reached.
const CALLS: [usize; 3] = [4, 8, 16];
const VOICES_PER_CALL: usize = 10;
/// What is near enough to the wanted load.
const TOLERANCE: f64 = 0.07;
const STEPS: usize = 6;
/// Share of packets lost at which more speakers would show nothing.
const OVERLOAD: f64 = 0.01;
/// New speakers make the server negotiate with everybody: not measured.
const STEP_SETTLE: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(1500);

/// Measures at `share` of the server's processors.
pub(crate) fn at_load(spec: &Spec, setup: &Setup, share: f64) -> anyhow::Result<Round> {
    let cpus = placement::named(&setup.server_cpus);
    let processors = cpus.split(',').map(|_| 1.0).sum();
    let mut last = None;
    for calls in CALLS {
        let scenario = Scenario {
            name: format!("delay-{:.0}", share * 100.0),
            calls,
            participants: 100,
            speakers: VOICES_PER_CALL,
            ..Scenario::named("s1-100")?
        };
        let habits = Habits {
            starts_silent: true,
            // Every participant of a few calls would do; one in eight of all is as good.
            timed_every: 8,
            ..scenario.habits(setup.keep_alive)
        };
        let mut stage = round::stage(spec, &scenario, setup, habits)?;
        let found = find(&mut stage, calls * VOICES_PER_CALL, share, processors)?;
        let window = round::window(&mut stage, setup.timing.measure, 0)?;
        let mut round = round::report(&scenario, &stage, &window, None);
        let reached = load(&window, processors)?;
        round.figures.insert("load_share", reached * 100.0);
        round.notes.push(format!("{found} voices in {calls} calls"));
        stage.world.leave_all()?;
        let is_overloaded = window.loss() > OVERLOAD;
        if reached >= share - TOLERANCE || found < calls * VOICES_PER_CALL || is_overloaded {
            return Ok(round);
        }
        last = Some(round);
    }
    last.context("no calls were tried")
}

/// Lets more or fewer speak until the load fits; returns how many do.
fn find(stage: &mut Stage, voices: usize, share: f64, processors: f64) -> anyhow::Result<usize> {
    let mut speaking = 2.min(voices);
    for _ in 0..STEPS {
        stage.world.let_speak(speaking);
        stage.world.run_for(STEP_SETTLE)?;
        let window = round::window(stage, STEP, 0)?;
        let reached = load(&window, processors)?;
        // A server that loses packets is not at 60 % of what it could use, but at its end.
        if (reached - share).abs() <= TOLERANCE / 2.0 || window.loss() > OVERLOAD {
            break;
        }
        let wanted = next_count(speaking, reached, share).min(voices);
        if wanted == speaking {
            break;
        }
        speaking = wanted;
    }
    Ok(speaking)
}

/// In proportion, and at most four times as many: a server near its limit is not linear.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a small count"
)]
fn next_count(speaking: usize, reached: f64, share: f64) -> usize {
    let factor = (share / reached.max(0.001)).min(4.0);
    ((speaking as f64 * factor).round() as usize).max(1)
}

fn load(window: &Window, processors: f64) -> anyhow::Result<f64> {
    let cpu = window
        .cpu()
        .context("the load needs the server's process: add #PID to its address")?;
    Ok(cpu.as_secs_f64() / window.seconds() / processors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_follows_the_load() {
        assert_eq!(next_count(2, 0.2, 0.6), 6);
        assert_eq!(next_count(10, 0.75, 0.6), 8);
        assert_eq!(next_count(2, 0.01, 0.6), 8);
        assert_eq!(next_count(1, 5.0, 0.6), 1);
    }
}
