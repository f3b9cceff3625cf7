//! `signalling-load`: how fast the signalling server answers, how much it can do, and what a client
//! costs it. Each row gets a server of its own, on a copy of the same people and channels.

mod api;
mod client;
mod figures;
mod process;
mod report;
mod rows;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::report::Measured;
use crate::rows::Row;
use crate::world::{Size, Template};

#[derive(Debug, Parser)]
struct Arguments {
    /// The `signalling` to measure.
    #[arg(long, default_value = "target/release/signalling")]
    binary: PathBuf,
    /// Another `signalling`, measured in turn with the first: medians and their ratio.
    #[arg(long)]
    against: Option<PathBuf>,
    /// Actions a second that commit 19afe20 does on this machine, when it is not measured beside.
    #[arg(long)]
    baseline: Option<f64>,
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// How often each row is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Clients.
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// Replies of the long thread.
    #[arg(long, default_value_t = 10_000)]
    replies: usize,
    /// Length of each window of actions and mutes.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// File for the figures as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

// One thread for all clients: the generator shall leave the processors to the server.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("signalling: not measured: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    process::raise_file_limit()?;
    let size = Size {
        clients: arguments.clients,
        replies: arguments.replies,
        seconds: arguments.seconds,
    };
    let rows = Row::ALL.into_iter();
    let rows: Vec<Row> = rows
        .filter(|row| row.name().contains(&arguments.only))
        .collect();
    anyhow::ensure!(
        !rows.is_empty(),
        "`--only` is `{}`: the rows are {}",
        arguments.only,
        Row::ALL.map(Row::name).join(", ")
    );
    let template = Template::make(&arguments.binary, size).await?;
    let other = match &arguments.against {
        Some(program) => Some(Template::make(program, size).await?),
        None => None,
    };
    say(&report::head());
    let mut measured = Vec::new();
    for row in rows {
        let one = measure(row, &template, other.as_ref(), arguments).await;
        say(one.lines().trim_end());
        measured.push(one);
    }
    if let Some(path) = &arguments.report {
        report::write(path, &measured)?;
    }
    say(&report::verdict(&measured));
    Ok(measured.iter().all(Measured::holds))
}

/// All rounds of a row, the two programs in turn.
async fn measure(
    row: Row,
    template: &Template,
    other: Option<&Template>,
    arguments: &Arguments,
) -> Measured {
    let (mut ours, mut theirs, mut troubles) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        if let Some(other) = other {
            match row.measure(other).await {
                Ok(figures) => theirs.push(figures),
                Err(error) => say(&format!("{}: the other program: {error:#}", row.name())),
            }
        }
        match row.measure(template).await {
            Ok(figures) => ours.push(figures),
            Err(error) => troubles.push(format!("{error:#}")),
        }
    }
    let against = figures::medians(&theirs);
    let figures = row
        .judged(figures::medians(&ours), &against, arguments.baseline)
        .unwrap_or_else(|unjudged| {
            troubles.push("nothing to compare with: give `--against` or `--baseline`".to_owned());
            unjudged
        });
    Measured {
        row: row.name(),
        figures,
        against,
        rounds: ours.len(),
        troubles,
    }
}

#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
fn say(text: &str) {
    println!("{text}");
}
