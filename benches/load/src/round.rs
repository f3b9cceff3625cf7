//! One round: starts the server, puts a scenario on it, measures a window, says what it cost.
//!
//! In: a server, a scenario, times. Out: a `Round` of figures.
//! The server's CPU time is divided by the packets that arrived at participants. Memory is counted
//! against the fresh process. The floor is measured right behind, on the server's processors and
//! with the cipher that was negotiated.

use std::time::Duration;

use anyhow::Context;

use crate::figures::{Figures, MAX_LOSS, Round, quantile, real};
use crate::floor;
use crate::launch::{Running, Spec};
use crate::placement;
use crate::process::{self, Reading};
use crate::scenario::{Scenario, Timing};
use crate::servers::Wish;
use crate::servers::rtcd::Account;
use crate::world::{Habits, Join, Tally, World};

/// Participants joining at the same time before the measurement: more would measure the
/// generator's own handshakes.
const JOINING_AT_ONCE: usize = 8;
/// Share of one processor above which the generator itself may be what limits.
const OWN_LIMIT: f64 = 0.9;
/// Packets of each stream that may be on their way at either end of a window.
const IN_FLIGHT: f64 = 2.0;

/// Shares of packets whose delay is kept for the report's curve.
const DELAY_SHARES: [f64; 9] = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0];

/// Everything about a round but the server and the scenario.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) account: Account,
    pub(crate) timing: Timing,
    pub(crate) with_floor: bool,
    pub(crate) floor_destinations: usize,
    pub(crate) keep_alive: bool,
    /// Processors of a started server and of this generator, in the form of `taskset -c`; empty
    /// for all.
    pub(crate) server_cpus: String,
    pub(crate) own_cpus: String,
}

/// A server with everybody of a scenario in their calls, some time after the last join.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) running: Running,
    pub(crate) fresh: Option<Reading>,
    pub(crate) joined: Option<Reading>,
    pub(crate) wishes: Vec<Wish>,
    pub(crate) serials: Vec<usize>,
    pub(crate) joins: Vec<Join>,
}

/// Starts the server and lets everybody join. To be called on a thread placed by `placement::on`.
pub(crate) fn stage(
    spec: &Spec,
    scenario: &Scenario,
    setup: &Setup,
    habits: Habits,
) -> anyhow::Result<Stage> {
    let cpus = placement::named(&setup.server_cpus);
    let mut running = spec.start(&setup.account, &cpus)?;
    let fresh = read(&running)?;
    let mut world = World::new(running.take_server()?, habits)?;
    let wishes = scenario.wishes();
    let serials = world.join_all(&wishes, JOINING_AT_ONCE)?;
    let joined = read(&running)?;
    let joins = world.take_joins();
    world.run_for(setup.timing.settle)?;
    Ok(Stage {
        world,
        running,
        fresh,
        joined,
        wishes,
        serials,
        joins,
    })
}

/// Plays one round.
pub(crate) fn play(spec: &Spec, scenario: &Scenario, setup: &Setup) -> anyhow::Result<Round> {
    let mut round = placement::on(&setup.own_cpus, || play_here(spec, scenario, setup))?;
    if setup.with_floor {
        add_floor(&mut round, setup)?;
    }
    Ok(round)
}

fn play_here(spec: &Spec, scenario: &Scenario, setup: &Setup) -> anyhow::Result<Round> {
    let mut stage = stage(spec, scenario, setup, scenario.habits(setup.keep_alive))?;
    let before = (scenario.joins_per_second > 0)
        .then(|| window(&mut stage, setup.timing.measure, 0))
        .transpose()?;
    let window = window(&mut stage, setup.timing.measure, scenario.joins_per_second)?;
    let round = report(scenario, &stage, &window, before.as_ref());
    stage.world.leave_all()?;
    Ok(round)
}

/// What happened between two instants.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) start: Tally,
    pub(crate) end: Tally,
    pub(crate) server: Option<(Reading, Reading)>,
    pub(crate) delays_ms: Vec<f64>,
    pub(crate) joins: Vec<Join>,
    pub(crate) failures: Vec<String>,
    /// Still joining at the end.
    pub(crate) unfinished: usize,
}

impl Window {
    pub(crate) fn seconds(&self) -> f64 {
        (self.end.at - self.start.at).as_secs_f64()
    }

    pub(crate) fn received(&self) -> f64 {
        real(self.end.totals.minus(self.start.totals).counts.received)
    }

    /// Share of sequence numbers that never came.
    pub(crate) fn loss(&self) -> f64 {
        let counts = self.end.totals.minus(self.start.totals).counts;
        real(counts.lost()) / real(counts.expected).max(1.0)
    }

    /// Of the server; `None` when its process is not known.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        self.server
            .map(|(start, end)| end.cpu.saturating_sub(start.cpu))
    }
}

/// Lets `time` pass and measures it, with new listeners in the first call meanwhile.
pub(crate) fn window(
    stage: &mut Stage,
    time: Duration,
    joins_per_second: u32,
) -> anyhow::Result<Window> {
    stage.world.take_delays();
    stage.world.take_joins();
    let server_start = read(&stage.running)?;
    let start = stage.world.tally();
    if joins_per_second == 0 {
        stage.world.run_for(time)?;
    } else {
        storm(stage, time, joins_per_second)?;
    }
    let end = stage.world.tally();
    let server_end = read(&stage.running)?;
    let delays = stage.world.take_delays();
    Ok(Window {
        start,
        end,
        server: server_start.zip(server_end),
        delays_ms: delays.into_iter().map(|ns| f64::from(ns) / 1e6).collect(),
        joins: stage.world.take_joins(),
        failures: stage.world.take_failures(),
        unfinished: stage.world.joining(),
    })
}

fn storm(stage: &mut Stage, time: Duration, joins_per_second: u32) -> anyhow::Result<()> {
    let listener = Wish {
        call: stage.wishes.first().context("a call to join")?.call.clone(),
        publishes: Vec::new(),
    };
    let every = Duration::from_secs(1) / joins_per_second;
    let began = std::time::Instant::now();
    let mut next = began;
    while began.elapsed() < time || stage.world.joining() > 0 {
        let now = std::time::Instant::now();
        if now >= next && began.elapsed() < time {
            next += every;
            stage.world.enter(&listener, true)?;
        }
        stage.world.turn()?;
        if began.elapsed() > time + Duration::from_secs(10) {
            break;
        }
    }
    Ok(())
}

pub(crate) fn report(
    scenario: &Scenario,
    stage: &Stage,
    window: &Window,
    before: Option<&Window>,
) -> Round {
    let mut figures = Figures::new();
    add_media(&mut figures, window);
    add_server(&mut figures, window);
    add_joins(&mut figures, stage, window, before);
    if let (Some(fresh), Some(joined)) = (stage.fresh, window.server) {
        let grown = joined
            .1
            .proportional_bytes
            .saturating_sub(fresh.proportional_bytes);
        let participants = figures.get("participants").copied().unwrap_or(1.0);
        figures.insert(
            "memory_kb_per_participant",
            real(grown) / 1000.0 / participants,
        );
    }
    let (void, notes) = verdict(scenario, window, &figures);
    Round {
        server: stage.world.server_name().to_owned(),
        scenario: scenario.name.clone(),
        rounds: 1,
        void,
        notes,
        profiles: stage.world.profiles().into_iter().collect(),
        figures,
        delays: DELAY_SHARES
            .iter()
            .filter_map(|share| Some((*share, quantile(&window.delays_ms, *share)?)))
            .collect(),
    }
}

fn add_media(figures: &mut Figures, window: &Window) {
    let seconds = window.seconds();
    let totals = window.end.totals.minus(window.start.totals);
    let counts = totals.counts;
    let received = real(counts.received);
    let ideal = real(window.end.ideal.saturating_sub(window.start.ideal));
    let streams = real(window.end.sent.saturating_sub(window.start.sent)).max(1.0);
    // What all listeners got of a few packets per stream may still be under way.
    let per_packet = ideal / streams;
    let slack = IN_FLIGHT * per_packet * (streams / seconds / 50.0).max(1.0);
    let missing = (ideal - received - real(counts.lost()) - real(totals.dropped) - slack).max(0.0);
    let own = window.end.own_cpu.saturating_sub(window.start.own_cpu);
    figures.extend([
        ("forwarded_per_s", received / seconds),
        (
            "forwarded_mbit_per_s",
            real(counts.bytes) * 8.0 / 1e6 / seconds,
        ),
        ("loss", 100.0 * window.loss()),
        ("missing", 100.0 * missing / ideal.max(1.0)),
        ("duplicates", real(counts.duplicates)),
        ("reordered", real(counts.reordered)),
        ("refused", real(totals.refused)),
        ("opened", real(totals.opened)),
        ("generator_cores", own.as_secs_f64() / seconds),
    ]);
    if totals.dropped > 0 {
        figures.insert("dropped", real(totals.dropped));
        figures.insert("asked_again", real(totals.asked));
    }
    if received > 0.0 {
        figures.insert(
            "generator_us_per_packet",
            own.as_secs_f64() * 1e6 / received,
        );
    }
    let delays = [
        ("delay_ms_p50", 0.5),
        ("delay_ms_p99", 0.99),
        ("delay_ms_p999", 0.999),
    ];
    for (name, q) in delays {
        figures.extend(quantile(&window.delays_ms, q).map(|delay| (name, delay)));
    }
}

fn add_server(figures: &mut Figures, window: &Window) {
    let (Some((start, end)), Some(cpu)) = (window.server, window.cpu()) else {
        return;
    };
    let seconds = window.seconds();
    let cpu = cpu.as_secs_f64();
    let by_ticks = end.cpu_by_ticks.saturating_sub(start.cpu_by_ticks);
    figures.extend([
        ("cpu_cores", cpu / seconds),
        ("cpu_cores_by_ticks", by_ticks.as_secs_f64() / seconds),
        ("resident_mb", real(end.resident_bytes) / 1e6),
        (
            "switches_per_s",
            real(end.switches.saturating_sub(start.switches)) / seconds,
        ),
        ("descriptors", real(end.descriptors)),
    ]);
    let received = window.received();
    if received > 0.0 {
        let bytes = window.end.totals.minus(window.start.totals).counts.bytes;
        figures.insert("cpu_us_per_packet", cpu * 1e6 / received);
        figures.insert("cpu_s_per_gbit", cpu / (real(bytes) * 8.0 / 1e9));
    }
}

/// Joins are those of the window where it has some, else those before it.
fn add_joins(figures: &mut Figures, stage: &Stage, window: &Window, before: Option<&Window>) {
    let in_window = before.is_some();
    let joins = if in_window {
        &window.joins
    } else {
        &stage.joins
    };
    let participants = stage.serials.len() + window.joins.len();
    let participants = real(u64::try_from(participants).unwrap_or(0));
    figures.insert("participants", participants);
    let count = real(u64::try_from(joins.len()).unwrap_or(0));
    if joins.is_empty() {
        return;
    }
    let took: Vec<f64> = joins
        .iter()
        .map(|join| join.took.as_secs_f64() * 1e3)
        .collect();
    let server: Vec<f64> = joins
        .iter()
        .map(|join| join.server.as_secs_f64() * 1e3)
        .collect();
    figures.extend(quantile(&took, 0.5).map(|ms| ("join_ms_p50", ms)));
    figures.extend(quantile(&took, 0.99).map(|ms| ("join_ms_p99", ms)));
    figures.extend(quantile(&server, 0.5).map(|ms| ("join_server_ms_p50", ms)));
    figures.extend(quantile(&server, 0.99).map(|ms| ("join_server_ms_p99", ms)));
    let cpu = match before {
        // What forwarding costs is known from the window without joins.
        Some(before) => window.cpu().zip(before.cpu()).map(|(cpu, without)| {
            let per_packet = without.as_secs_f64() / before.received().max(1.0);
            cpu.as_secs_f64() - per_packet * window.received()
        }),
        None => stage
            .fresh
            .zip(stage.joined)
            .map(|(fresh, joined)| joined.cpu.saturating_sub(fresh.cpu).as_secs_f64()),
    };
    figures.extend(cpu.map(|cpu| ("join_cpu_ms", cpu * 1e3 / count)));
}

fn verdict(scenario: &Scenario, window: &Window, figures: &Figures) -> (Vec<String>, Vec<String>) {
    let figure = |name: &str| figures.get(name).copied().unwrap_or(0.0);
    let mut void = Vec::new();
    let mut notes = Vec::new();
    for name in ["loss", "missing"] {
        // Who has just come is owed tracks, and gets them a moment later.
        let is_due = name == "loss" || scenario.joins_per_second == 0;
        if is_due && figure(name) > MAX_LOSS * 100.0 {
            void.push(format!("{name} of {:.3} % is over 0.1 %", figure(name)));
        }
    }
    if figure("refused") > 0.0 {
        void.push(format!(
            "{} packets did not authenticate",
            figure("refused")
        ));
    }
    if scenario.speakers + scenario.screens > 0 && window.received() == 0.0 {
        void.push("nothing was forwarded".to_owned());
    }
    if window.unfinished > 0 {
        void.push(format!("{} participants did not get in", window.unfinished));
    }
    let refused_here = window
        .end
        .send_refused
        .saturating_sub(window.start.send_refused);
    if refused_here > 0 {
        void.push(format!(
            "this machine refused to send {refused_here} packets of the generator"
        ));
    }
    if figure("generator_cores") > OWN_LIMIT {
        notes.push(format!(
            "the generator used {:.2} of one processor: it may be what limits",
            figure("generator_cores")
        ));
    }
    if window.server.is_none() {
        notes.push("the server's process is not known: nothing is said about its cost".to_owned());
    }
    for failure in window.failures.iter().take(3) {
        notes.push(format!("a participant failed: {failure}"));
    }
    (void, notes)
}

fn read(running: &Running) -> anyhow::Result<Option<Reading>> {
    running.pid.map(process::read).transpose()
}

/// With the cipher that most transports used, on the server's processors.
fn add_floor(round: &mut Round, setup: &Setup) -> anyhow::Result<()> {
    let profile = round.profiles.iter().max_by_key(|(_, count)| **count);
    let Some((profile, _)) = profile else {
        return Ok(());
    };
    let profile = (*profile).to_owned();
    let floor = placement::on(&setup.server_cpus, || {
        floor::measure(setup.floor_destinations, &profile)
    })?;
    round.figures.insert("floor_us", floor.sendto);
    round.figures.insert("floor_gso_us", floor.gso);
    if let Some(cpu) = round.figure("cpu_us_per_packet") {
        round.figures.insert("over_floor", cpu / floor.sendto);
    }
    Ok(())
}
