//! Load generator and measuring tool for conference servers.
//!
//! Puts participants into calls over the server's own signalling, speaks and listens with raw SRTP
//! in real time and real sizes, and says what the server process paid for it.
//! `servers`: what differs between servers. `world`: all participants. `round`: one measurement.
//! Here: the command line.

mod ears;
mod figures;
mod floor;
mod inbox;
mod launch;
mod leg;
mod media;
mod mouth;
mod participant;
mod print;
mod process;
mod round;
mod scenario;
mod sdp;
mod servers;
mod stamp;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::launch::Spec;
use crate::round::Setup;
use crate::scenario::{Changes, Scenario, Timing};
use crate::servers::rtcd::Account;

#[derive(Debug, Parser)]
#[command(version, about = "Load generator for servers of the rtcd protocol")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Puts one scenario on one server.
    Run {
        /// `rtcd=http://host:port[#PID]`, or `rtcd=COMMAND` with `{config}` in it.
        #[arg(long)]
        server: Spec,
        #[arg(long, default_value = "s1-500")]
        scenario: String,
        #[command(flatten)]
        changes: Changes,
        #[command(flatten)]
        common: Common,
    },
    /// Measures what this machine asks for at least per packet.
    Floor {
        #[arg(long, default_value_t = 500)]
        destinations: usize,
    },
    /// Names all scenarios.
    Scenarios,
}

#[derive(Debug, Args)]
struct Common {
    /// Client id; registered when the server allows it.
    #[arg(long, default_value = "load-generator")]
    client_id: String,
    /// At least 32 characters.
    #[arg(long, default_value = "load-generator-key-0123456789abcdef")]
    auth_key: String,
    /// Rounds; the report gives the median of each figure.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Seconds measured in each round.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds after the last join that are not measured.
    #[arg(long, default_value_t = 3)]
    settle_seconds: u64,
    /// Measures the floor in each round.
    #[arg(long)]
    floor: bool,
    /// Sends no sign of life: real clients send one a second.
    #[arg(long)]
    no_keep_alive: bool,
    /// Processors of a server that is started, as for `taskset -c`.
    #[arg(long, default_value = "")]
    server_cpus: String,
    /// Processors of this generator.
    #[arg(long, default_value = "")]
    own_cpus: String,
    /// Prints JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl Common {
    fn setup(&self) -> Setup {
        Setup {
            account: Account {
                client_id: self.client_id.clone(),
                auth_key: self.auth_key.clone(),
            },
            timing: Timing {
                rounds: self.rounds.max(1),
                settle: Duration::from_secs(self.settle_seconds),
                measure: Duration::from_secs(self.seconds),
            },
            with_floor: self.floor,
            keep_alive: !self.no_keep_alive,
            server_cpus: self.server_cpus.clone(),
            own_cpus: self.own_cpus.clone(),
        }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print::trouble(&error);
            ExitCode::FAILURE
        }
    }
}

/// Returns whether what was asked for holds.
fn run(command: Command) -> anyhow::Result<bool> {
    str0m::crypto::from_feature_flags().install_process_default();
    match command {
        Command::Run {
            server,
            scenario,
            changes,
            common,
        } => {
            let scenario = Scenario::named(&scenario)?.changed(&changes);
            let setup = common.setup();
            let rounds = (0..setup.timing.rounds)
                .map(|_| round::play(&server, &scenario, &setup))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let median = figures::median_round(&rounds).context("no round was played")?;
            if common.json {
                print::json(&median)?;
            } else {
                print::round(&median);
            }
            Ok(median.is_valid())
        }
        Command::Floor { destinations } => {
            let floor = floor::measure(destinations, "AEAD_AES_256_GCM")?;
            print::floor(floor, destinations);
            Ok(true)
        }
        Command::Scenarios => {
            print::scenarios();
            Ok(true)
        }
    }
}
