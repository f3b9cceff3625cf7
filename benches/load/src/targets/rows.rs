//! The table itself: what is measured, how, and what it must be.

use super::Placement::{Apart, Together};
use super::Who::{Janus, LiveKit, Ours, Reference};
use super::{Finding, Row, Run, Who};
use crate::delay;
use crate::figures::{Round, median, median_of, median_ratio};
use crate::placement;
use crate::print;

/// All rows, in the order in which they are measured.
pub(crate) const ROWS: &[Row] = &[
    Row {
        what: "CPU per audio packet, 1 call x 500, 2 speakers, over the floor",
        unit: "x",
        must: 1.3,
        aim: 1.1,
        measure: |run| {
            run.play(&[(Ours, "s1-500")], Apart, 1)?;
            Ok(one(run, "s1-500", "over_floor"))
        },
    },
    Row {
        what: "the same with 3 speakers, over the floor of one packet per call",
        unit: "x",
        must: 1.3,
        aim: 0.75,
        measure: |run| {
            run.play(&[(Ours, "s1-500x3")], Apart, 1)?;
            Ok(one(run, "s1-500x3", "over_floor"))
        },
    },
    Row {
        what: "CPU per audio packet over the reference rtcd's",
        unit: "x",
        must: 0.2,
        aim: 0.1,
        measure: |run| against(run, Reference, "s1-500", "cpu_us_per_packet"),
    },
    Row {
        what: "CPU per audio packet over LiveKit's",
        unit: "x",
        must: 0.25,
        aim: 0.125,
        measure: |run| against(run, LiveKit, "s1-500", "cpu_us_per_packet"),
    },
    Row {
        what: "CPU per audio packet over Janus's",
        unit: "x",
        must: 0.25,
        aim: 0.125,
        measure: |run| against(run, Janus, "s1-500", "cpu_us_per_packet"),
    },
    Row {
        what: "growth per packet from 50 to 2000 subscribers",
        unit: "x",
        must: 1.3,
        aim: 1.1,
        measure: |run| pair(run, "s1-2000x1", "s1-50x1", Together),
    },
    Row {
        what: "50 unmuted in one call of 50 against 2, per packet",
        unit: "x",
        must: 1.5,
        aim: 1.15,
        measure: |run| pair(run, "s7", "s1-50", Apart),
    },
    Row {
        what: "screen share to 500, CPU per Gbit over the reference rtcd's",
        unit: "x",
        must: 0.2,
        aim: 0.1,
        measure: |run| against(run, Reference, "s4-screen", "cpu_s_per_gbit"),
    },
    Row {
        what: "memory per idle participant",
        unit: "kB",
        must: 200.0,
        aim: 100.0,
        measure: |run| {
            run.play(&[(Ours, "s5")], Apart, 1)?;
            Ok(one(run, "s5", "memory_kb_per_participant"))
        },
    },
    Row {
        what: "server CPU per join, 50 joins/s into a running call",
        unit: "ms",
        must: 2.0,
        aim: 1.2,
        measure: |run| Ok(one(storm(run)?, "s6", "join_cpu_ms")),
    },
    Row {
        what: "join time added by the server, p99, 50 joins/s into a running call",
        unit: "ms",
        must: 50.0,
        aim: 20.0,
        measure: |run| Ok(one(storm(run)?, "s6", "join_server_ms_p99")),
    },
    Row {
        what: "added delay at 60 % load, 100-person rooms, p50",
        unit: "ms",
        must: 0.2,
        aim: 0.2,
        measure: |run| delayed(run, "delay_ms_p50"),
    },
    Row {
        what: "added delay at 60 % load, 100-person rooms, p99",
        unit: "ms",
        must: 2.0,
        aim: 0.7,
        measure: |run| delayed(run, "delay_ms_p99"),
    },
    Row {
        what: "one call of 1000 on all processors against two of 500, CPU per packet",
        unit: "x",
        must: 1.15,
        aim: 1.05,
        measure: |run| pair(run, "s1-1000", "s1-2x500", Together),
    },
];

/// The load at which delays are measured, and how far off it may be.
const LOAD: f64 = 0.6;
const LOAD_TOLERANCE: f64 = 0.1;
const DELAY: &str = "delay";

fn storm(run: &mut Run) -> anyhow::Result<&mut Run> {
    run.play(&[(Ours, "s6")], Apart, 1)?;
    Ok(run)
}

/// One scenario of ours over another of ours, per packet.
fn pair(
    run: &mut Run,
    above: &'static str,
    below: &'static str,
    placement: super::Placement,
) -> anyhow::Result<Finding> {
    run.play(&[(Ours, above), (Ours, below)], placement, 1)?;
    let above = run.rounds_of(Ours, above, placement, 1);
    let below = run.rounds_of(Ours, below, placement, 1);
    let ratio = median_ratio(above, below, "cpu_us_per_packet");
    Ok(ratio.map_or_else(|| why_not(&[above, below]), Finding::Figure))
}

/// A figure of ours.
fn one(run: &Run, scenario: &'static str, figure: &str) -> Finding {
    let rounds = run.rounds_of(Ours, scenario, Apart, 1);
    median_of(rounds, figure).map_or_else(|| why_not(&[rounds]), Finding::Figure)
}

/// Ours over another server's, in turn, in the largest room that the other one carries.
fn against(
    run: &mut Run,
    who: Who,
    scenario: &'static str,
    figure: &str,
) -> anyhow::Result<Finding> {
    if !run.has(who) {
        return Ok(Finding::NotMeasured(format!(
            "{} was not given",
            who.name()
        )));
    }
    let room = run.room(who, scenario)?;
    run.play(&[(Ours, scenario), (who, scenario)], Apart, room)?;
    let ours = run.rounds_of(Ours, scenario, Apart, room);
    let theirs = run.rounds_of(who, scenario, Apart, room);
    if let Some(apart) = profiles_apart(ours, theirs) {
        return Ok(Finding::NotMeasured(apart));
    }
    Ok(match median_ratio(ours, theirs, figure) {
        None => why_not(&[ours, theirs]),
        Some(ratio) if room == 1 => Finding::Figure(ratio),
        Some(ratio) => {
            let name = who.name();
            Finding::Smaller(
                ratio,
                format!("1/{room} of the people: {name} loses packets with more"),
            )
        }
    })
}

/// A cipher costs as much as a target allows: a ratio over another one says nothing.
fn profiles_apart(ours: &[Round], theirs: &[Round]) -> Option<String> {
    let profiles = |rounds: &[Round]| -> Vec<&'static str> {
        let round = rounds.iter().find(|round| round.is_valid());
        round.map_or_else(Vec::new, |round| round.profiles.keys().copied().collect())
    };
    let (ours, theirs) = (profiles(ours), profiles(theirs));
    (!ours.is_empty() && !theirs.is_empty() && ours != theirs).then(|| {
        format!(
            "the servers negotiated {} and {}",
            ours.join(", "),
            theirs.join(", ")
        )
    })
}

fn delayed(run: &mut Run, figure: &str) -> anyhow::Result<Finding> {
    let key = (Ours, DELAY, Apart, 1);
    if !run.played.contains_key(&key) {
        let setup = run.placed(Apart);
        let mut rounds = Vec::new();
        for number in 0..run.setup.timing.rounds {
            let spec = run.servers.get(&Ours);
            let spec = spec.ok_or_else(|| anyhow::anyhow!("our own server is not given"))?;
            let round = placement::on(&setup.own_cpus, || delay::at_load(spec, &setup, LOAD))
                .unwrap_or_else(|error| Round::failed("ours", DELAY, &error));
            let load = round.figure("load_share").unwrap_or(0.0);
            print::progress(&format!("delay, round {}: at {load:.0} % load", number + 1));
            rounds.push(Round {
                server: Ours.name().to_owned(),
                ..round
            });
        }
        run.played.insert(key, rounds);
    }
    let rounds = run.rounds_of(Ours, DELAY, Apart, 1);
    let loads: Vec<f64> = rounds
        .iter()
        .filter_map(|r| r.figure("load_share"))
        .collect();
    let load = median(&loads) / 100.0;
    if !loads.is_empty() && (load - LOAD).abs() > LOAD_TOLERANCE {
        return Ok(Finding::NotMeasured(format!(
            "the load was {:.0} % instead of {:.0} %",
            load * 100.0,
            LOAD * 100.0
        )));
    }
    Ok(median_of(rounds, figure).map_or_else(|| why_not(&[rounds]), Finding::Figure))
}

/// Why no valid round has the figure.
fn why_not(rounds: &[&[Round]]) -> Finding {
    let void = rounds
        .iter()
        .flat_map(|rounds| rounds.iter())
        .find_map(|round| Some(format!("{}: {}", round.scenario, round.void.first()?)));
    Finding::NotMeasured(void.unwrap_or_else(|| "no round has the figure".to_owned()))
}
