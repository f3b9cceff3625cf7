//! Load generator for any server that speaks the rtcd protocol.
//!
//! Puts speakers and listeners into one call over the server's own signalling, in real time and
//! with real sizes, and reports what the server process paid per packet it forwarded.
//! Not here yet: raw SRTP participants (they cost less than str0m ones) and other servers.

mod control;
mod drive;
mod meter;
mod peer;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use serde::Serialize;

use crate::control::Account;
use crate::drive::{Outcome, Plan};

/// Loss above which a figure counts for nothing: the server, or this generator, was overloaded.
const MAX_LOSS: f64 = 0.001;

#[derive(Debug, Parser)]
#[command(
    version,
    about = "One call of speakers and listeners against an rtcd server"
)]
struct Arguments {
    /// HTTP address of the server.
    #[arg(long, default_value = "http://127.0.0.1:8045")]
    url: String,
    /// Client id; registered when the server allows it.
    #[arg(long, default_value = "load-generator")]
    client_id: String,
    /// At least 32 characters.
    #[arg(long, default_value = "load-generator-key-0123456789abcdef")]
    auth_key: String,
    /// Process id of the server, for its CPU time and memory.
    #[arg(long)]
    pid: u32,
    #[arg(long, default_value_t = 2)]
    speakers: usize,
    #[arg(long, default_value_t = 50)]
    listeners: usize,
    /// Seconds after the last join that are not measured.
    #[arg(long, default_value_t = 3)]
    settle_seconds: u64,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rounds; the report gives the median of each figure.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// One round, or the median of several.
#[derive(Debug, Clone, Default, Serialize)]
struct Report {
    speakers: usize,
    listeners: usize,
    rounds: usize,
    /// Every figure below is void when false: loss was over 0.1 %.
    valid: bool,
    forwarded_per_second: f64,
    loss: f64,
    /// CPU time of the whole server process, user and system.
    cpu_us_per_packet: f64,
    cpu_cores: f64,
    memory_kb_per_participant: f64,
    join_ms_p50: f64,
    join_ms_p95: f64,
    delay_ms_p50: f64,
    delay_ms_p99: f64,
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(report) if report.valid => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "the one place where a program says why it ends"
            )]
            {
                eprintln!("load: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    str0m::crypto::from_feature_flags().install_process_default();
    let plan = Plan {
        url: arguments.url.trim_end_matches('/').to_owned(),
        account: Account {
            client_id: arguments.client_id.clone(),
            auth_key: arguments.auth_key.clone(),
        },
        server_pid: arguments.pid,
        speakers: arguments.speakers,
        listeners: arguments.listeners,
        settle: Duration::from_secs(arguments.settle_seconds),
        measure: Duration::from_secs(arguments.seconds),
    };
    let rounds = (0..arguments.rounds.max(1))
        .map(|_| drive::run(&plan).map(|outcome| round_report(&plan, &outcome)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let report = median_report(&plan, &rounds);
    print(&report, arguments.json).context("print the report")?;
    Ok(report)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of one run are far below 2^52"
)]
fn round_report(plan: &Plan, outcome: &Outcome) -> Report {
    let participants = (plan.speakers + plan.listeners).max(1) as f64;
    let received = outcome.received as f64;
    let loss = outcome.lost as f64 / (received + outcome.lost as f64).max(1.0);
    let delays: Vec<f64> = outcome
        .delays_us
        .iter()
        .map(|us| f64::from(*us) / 1000.0)
        .collect();
    let grown = outcome
        .resident_joined
        .saturating_sub(outcome.resident_before);
    Report {
        speakers: plan.speakers,
        listeners: plan.listeners,
        rounds: 1,
        valid: loss <= MAX_LOSS && received > 0.0,
        forwarded_per_second: received / outcome.took.as_secs_f64(),
        loss,
        cpu_us_per_packet: outcome.server_cpu.as_secs_f64() * 1e6 / received.max(1.0),
        cpu_cores: outcome.server_cpu.as_secs_f64() / outcome.took.as_secs_f64(),
        memory_kb_per_participant: grown as f64 / 1000.0 / participants,
        join_ms_p50: quantile(&outcome.join_ms, 0.5),
        join_ms_p95: quantile(&outcome.join_ms, 0.95),
        delay_ms_p50: quantile(&delays, 0.5),
        delay_ms_p99: quantile(&delays, 0.99),
    }
}

fn median_report(plan: &Plan, rounds: &[Report]) -> Report {
    let median =
        |figure: fn(&Report) -> f64| quantile(&rounds.iter().map(figure).collect::<Vec<_>>(), 0.5);
    Report {
        speakers: plan.speakers,
        listeners: plan.listeners,
        rounds: rounds.len(),
        valid: rounds.iter().all(|round| round.valid),
        forwarded_per_second: median(|round| round.forwarded_per_second),
        loss: median(|round| round.loss),
        cpu_us_per_packet: median(|round| round.cpu_us_per_packet),
        cpu_cores: median(|round| round.cpu_cores),
        // Only the first round's joins grow a fresh process: later ones find its memory again.
        memory_kb_per_participant: rounds
            .first()
            .map_or(0.0, |round| round.memory_kb_per_participant),
        join_ms_p50: median(|round| round.join_ms_p50),
        join_ms_p95: median(|round| round.join_ms_p95),
        delay_ms_p50: median(|round| round.delay_ms_p50),
        delay_ms_p99: median(|round| round.delay_ms_p99),
    }
}

/// Returns the value below which a share `q` of the values lies (nearest rank); 0 for none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index within a slice"
)]
fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[expect(clippy::print_stdout, reason = "the report is this program's product")]
fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(report).context("write JSON")?);
        return Ok(());
    }
    println!(
        "1 call, {} speakers, {} listeners, {} round(s){}",
        report.speakers,
        report.listeners,
        report.rounds,
        if report.valid {
            ""
        } else {
            "  INVALID: loss over 0.1 %"
        }
    );
    println!(
        "  forwarded          {:>10.0} packets/s, loss {:.4} %",
        report.forwarded_per_second,
        report.loss * 100.0
    );
    println!(
        "  server CPU         {:>10.2} us/packet, {:.2} cores",
        report.cpu_us_per_packet, report.cpu_cores
    );
    println!(
        "  server memory      {:>10.0} kB/participant",
        report.memory_kb_per_participant
    );
    println!(
        "  join p50 / p95     {:>10.1} / {:.1} ms",
        report.join_ms_p50, report.join_ms_p95
    );
    println!(
        "  delay p50 / p99    {:>10.2} / {:.2} ms",
        report.delay_ms_p50, report.delay_ms_p99
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_rank() {
        let values = [3.0, 1.0, 2.0, 4.0];
        assert!((quantile(&values, 0.5) - 2.0).abs() < f64::EPSILON);
        assert!((quantile(&values, 1.0) - 4.0).abs() < f64::EPSILON);
        assert!(quantile(&[], 0.5).abs() < f64::EPSILON);
    }
}
