//! Load generator and measuring tool for conference servers.
//!
//! Puts participants into calls over the server's own signalling, speaks and listens with raw SRTP
//! in real time and real sizes, and says what the server process paid for it.
//! `servers`: what differs between servers. `world`: all participants. `round`: one measurement.
//! `targets`: the table this project is held to. Here: the command line.

mod bench;
mod commands;
mod delay;
mod ears;
mod figures;
mod floor;
mod inbox;
mod launch;
mod leg;
mod media;
mod mouth;
mod participant;
mod placement;
mod plot;
mod print;
mod process;
mod report;
mod round;
mod scenario;
mod sdp;
mod servers;
mod soak;
mod stamp;
mod svg;
mod targets;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::launch::Spec;
use crate::round::Setup;
use crate::scenario::{Changes, Timing};
use crate::servers::rtcd::Account;

#[derive(Debug, Parser)]
#[command(
    version,
    about = "Load generator and measuring tool for conference servers"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// A server is `PROTOCOL=http://host:port[#PID]`, or `PROTOCOL=COMMAND` to start it; in the command
/// `{config}` stands for the configuration written for it, `{folder}` for the folder it is in.
/// Protocols: rtcd, livekit (`livekit-server --config {config}`), janus (`janus -F {folder}`).
#[derive(Debug, Subcommand)]
enum Command {
    /// Puts one scenario on one server.
    Run(RunArguments),
    /// Puts one scenario on two servers in alternating rounds, and prints the ratios.
    Compare(CompareArguments),
    /// Measures every target: exit code 0 only if each one holds.
    Targets(TargetArguments),
    /// Joins, leaves and talks for long: memory and descriptors must stay as they are.
    Soak(SoakArguments),
    /// Measures what this machine asks for at least per packet.
    Floor {
        #[arg(long, default_value_t = 500)]
        destinations: usize,
        /// SRTP profile.
        #[arg(long, default_value = "AEAD_AES_256_GCM")]
        profile: String,
    },
    /// Names all scenarios.
    Scenarios,
}

#[derive(Debug, Args)]
struct RunArguments {
    #[arg(long)]
    server: Spec,
    #[arg(long, default_value = "s1-500")]
    scenario: String,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct CompareArguments {
    /// The server that is above the line of the ratio.
    #[arg(long)]
    server: Spec,
    /// The one below.
    #[arg(long)]
    against: Spec,
    #[arg(long, default_value = "s1-500")]
    scenario: String,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct TargetArguments {
    /// Our own server, a command: rows place it on processors, and start it fresh.
    #[arg(long)]
    server: Spec,
    /// Program of the reference rtcd.
    #[arg(long)]
    reference_rtcd: Option<PathBuf>,
    /// Program, command or address of LiveKit.
    #[arg(long)]
    livekit: Option<String>,
    /// Program, command or address of Janus.
    #[arg(long)]
    janus: Option<String>,
    /// One short round with a fifth of the participants: shows that it works, proves nothing.
    #[arg(long)]
    quick: bool,
    /// Measures only rows that contain this text.
    #[arg(long, default_value = "")]
    only: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct SoakArguments {
    #[arg(long)]
    server: Spec,
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Client id; registered when the server allows it.
    #[arg(long, default_value = "load-generator")]
    client_id: String,
    /// At least 32 characters.
    #[arg(long, default_value = "load-generator-key-0123456789abcdef")]
    auth_key: String,
    /// Rounds; reports give the median of each figure. Default: 1, and 5 for targets and compare.
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds measured in each round.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds after the last join that are not measured.
    #[arg(long, default_value_t = 3)]
    settle_seconds: u64,
    /// Measures the floor behind each round.
    #[arg(long)]
    floor: bool,
    #[arg(long, default_value_t = 500)]
    floor_destinations: usize,
    /// Sends no sign of life: real clients send one a second.
    #[arg(long)]
    no_keep_alive: bool,
    /// Processors of a server that is started, as for `taskset -c`.
    #[arg(long, default_value = "")]
    server_cpus: String,
    /// Processors of this generator.
    #[arg(long, default_value = "")]
    own_cpus: String,
    /// Writes report.json and report.html into this folder.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Prints JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl Common {
    fn setup(&self, rounds: usize) -> Setup {
        Setup {
            account: Account {
                client_id: self.client_id.clone(),
                auth_key: self.auth_key.clone(),
            },
            timing: Timing {
                rounds: self.rounds.unwrap_or(rounds).max(1),
                settle: Duration::from_secs(self.settle_seconds),
                measure: Duration::from_secs(self.seconds),
            },
            with_floor: self.floor,
            floor_destinations: self.floor_destinations,
            keep_alive: !self.no_keep_alive,
            server_cpus: self.server_cpus.clone(),
            own_cpus: self.own_cpus.clone(),
        }
    }
}

fn main() -> ExitCode {
    str0m::crypto::from_feature_flags().install_process_default();
    let holds = match Arguments::parse().command {
        Command::Run(arguments) => commands::run(&arguments),
        Command::Compare(arguments) => commands::compare(&arguments),
        Command::Targets(arguments) => commands::targets(&arguments),
        Command::Soak(arguments) => commands::soak(&arguments),
        Command::Floor {
            destinations,
            profile,
        } => commands::floor(destinations, &profile),
        Command::Scenarios => {
            print::scenarios();
            Ok(true)
        }
    };
    match holds {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print::trouble(&error);
            ExitCode::FAILURE
        }
    }
}
