//! Everything this program says on a terminal.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are this program's product, and errors its end"
)]

use anyhow::Context;
use serde::Serialize;

use crate::figures::{MEANINGS, Round};
use crate::floor::Floor;
use crate::scenario;

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

pub(crate) fn floor(floor: Floor, destinations: usize) {
    println!("floor to {destinations} destinations, AES-256-GCM, 80-byte payload");
    println!("  one packet per call    {:.3} us", floor.sendto);
    println!("  three per call (GSO)   {:.3} us", floor.gso);
}

pub(crate) fn scenarios() {
    for (name, about) in scenario::list() {
        println!("{name:<12}{about}");
    }
}
