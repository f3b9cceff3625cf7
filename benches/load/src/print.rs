//! Everything this program says on a terminal.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are this program's product, and errors its end"
)]

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;

use crate::figures::{MEANINGS, Round};
use crate::floor::Floor;
use crate::scenario;
use crate::soak::Soak;
use crate::targets;

pub(crate) fn trouble(error: &anyhow::Error) {
    eprintln!("load: {error:#}");
}

/// What goes on while nothing is printed yet.
pub(crate) fn progress(what: &str) {
    eprintln!("{what}");
}

pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    println!(
        "{}",
        serde_json::to_string_pretty(value).context("write JSON")?
    );
    Ok(())
}

pub(crate) fn round(round: &Round) {
    println!(
        "{} on {}, {} round(s)",
        round.scenario, round.server, round.rounds
    );
    for why in &round.void {
        println!("  INVALID: {why}");
    }
    for note in &round.notes {
        println!("  note: {note}");
    }
    for (profile, count) in &round.profiles {
        println!("  {profile}: {count} transports");
    }
    for (name, unit, decimals, _meaning) in MEANINGS {
        if let Some(figure) = round.figure(name) {
            println!("  {name:<26}{figure:>14.decimals$} {unit}");
        }
    }
}

/// Two medians side by side.
pub(crate) fn comparison(server: &Round, against: &Round, ratios: &BTreeMap<&'static str, f64>) {
    println!(
        "{}, {} and {} round(s)",
        server.scenario, server.rounds, against.rounds
    );
    for round in [server, against] {
        let remarks = round.void.iter().map(|why| format!("INVALID: {why}"));
        for remark in remarks.chain(round.notes.iter().cloned()) {
            println!("  {}: {remark}", round.server);
        }
        for (profile, count) in &round.profiles {
            println!("  {}: {count} transports with {profile}", round.server);
        }
    }
    println!(
        "  {:<26}{:>14}{:>14}{:>10}",
        "", server.server, against.server, "ratio"
    );
    for (name, unit, decimals, _meaning) in MEANINGS {
        let text = |figure: Option<f64>, decimals: usize| {
            figure.map_or("-".to_owned(), |figure| format!("{figure:.decimals$}"))
        };
        let (here, there) = (server.figure(name), against.figure(name));
        if here.is_some() || there.is_some() {
            println!(
                "  {name:<26}{:>14}{:>14}{:>10} {unit}",
                text(here, *decimals),
                text(there, *decimals),
                text(ratios.get(name).copied(), 3)
            );
        }
    }
}

/// The table: every row, then how many hold.
pub(crate) fn targets(rows: &[targets::Result], quick: bool) {
    println!(
        "{:<76}{:>12}{:>8}{:>8}      verdict",
        "what", "figure", "must", "aim"
    );
    for row in rows {
        let figure = row
            .figure
            .map_or("-".to_owned(), |figure| format!("{figure:.3}"));
        println!(
            "{:<76}{figure:>12}{:>8}{:>8} {:<4} {}",
            row.what, row.must, row.aim, row.unit, row.verdict
        );
    }
    let held = rows.iter().filter(|row| row.holds).count();
    println!("{held} of {} hold", rows.len());
    if quick {
        println!("a quick run: fewer people, one short round; it proves nothing");
    }
}

pub(crate) fn soak(soak: &Soak) {
    println!(
        "{:.0} minutes, {} joins and leaves: {}",
        soak.minutes,
        soak.joins,
        if soak.holds() { "flat" } else { "NOT FLAT" }
    );
    println!("  resident memory    {:+.2} %", soak.memory_growth * 100.0);
    println!("  descriptors        {:+.0}", soak.descriptor_growth);
    println!("  loss               {:.4} %", soak.loss_percent);
    for failure in soak.failures.iter().take(5) {
        println!("  failed: {failure}");
    }
}

pub(crate) fn floor(floor: Floor, destinations: usize, profile: &str) {
    println!("floor to {destinations} destinations, {profile}, 80-byte payload");
    println!("  one packet per call    {:.3} us", floor.sendto);
    println!("  three per call (GSO)   {:.3} us", floor.gso);
}

pub(crate) fn scenarios() {
    for (name, about) in scenario::list() {
        println!("{name:<12}{about}");
    }
}
