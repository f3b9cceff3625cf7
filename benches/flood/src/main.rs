//! `flood`: pours every flood into an rtcd of its own and prints what a running call noticed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use flood::call::{Call, Figures};
use flood::server::Server;
use flood::{Strength, floods};

/// What a call must not notice: delay at the 99th percentile, and loss in percent.
const MOST_DELAY: Duration = Duration::from_millis(5);
const MOST_LOSS: f64 = 0.1;
/// What may stay of the memory a flood took: the allocator keeps some for the next.
const MOST_KEPT: u64 = 64 << 20;
const RETURNS_WITHIN: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Arguments {
    /// The program to flood.
    #[arg(long, default_value = "target/release/rtcd")]
    rtcd: PathBuf,
    /// Length of each flood.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Connections held half open.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Joins, offers and descriptions a second.
    #[arg(long, default_value_t = 200)]
    messages: u32,
    /// Only floods whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

const FLOODS: [&str; 9] = [
    "none",
    "garbage",
    "unknown names",
    "half-open media",
    "half-open http",
    "silent joins",
    "long offers",
    "many m-lines",
    "renegotiations",
];

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let strength = Strength {
        time: Duration::from_secs(arguments.seconds),
        connections: arguments.connections,
        messages_per_second: arguments.messages,
        datagrams_per_second: None,
    };
    println!(
        "{:<16} {:>9} {:>8} {:>8} {:>8} {:>7} {:>22}  verdict",
        "flood", "poured", "p50 ms", "p99 ms", "max ms", "loss %", "MB before/during/after"
    );
    let mut held = true;
    for name in FLOODS.iter().filter(|name| name.contains(&arguments.only)) {
        let outcome = run(name, &arguments.rtcd, strength).await?;
        println!("{}", outcome.row(name));
        held &= outcome.holds();
    }
    anyhow::ensure!(
        held,
        "a running call noticed a flood, or memory did not return"
    );
    Ok(())
}

struct Outcome {
    poured: u64,
    figures: Figures,
    memory: [u64; 3],
}

async fn run(name: &str, binary: &std::path::Path, strength: Strength) -> anyhow::Result<Outcome> {
    let server = Server::start(binary).await?;
    let call = Call::start(&server).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = (server.memory()?, server.descriptors()?);
    let mark = call.mark();
    let poured = match name {
        "none" => {
            tokio::time::sleep(strength.time).await;
            0
        }
        "garbage" => floods::garbage(&server, strength).await?,
        "unknown names" => floods::unknown_names(&server, strength).await?,
        "half-open media" => hold(server.media, strength).await?,
        "half-open http" => hold(server.http, strength).await?,
        "silent joins" => floods::silent_joins(&server, strength).await?,
        "long offers" => floods::long_offers(&server, strength).await?,
        "many m-lines" => floods::many_lines(&server, strength).await?,
        "renegotiations" => floods::renegotiations(&server, strength).await?,
        other => anyhow::bail!("no flood is named `{other}`"),
    };
    let during = server.memory()?;
    let figures = call.since(mark).await;
    let goal = (before.0 + (MOST_KEPT >> 1), before.1 + 8);
    let (after, _) = server.settles(goal, RETURNS_WITHIN).await?;
    call.end()?;
    Ok(Outcome {
        poured,
        figures,
        memory: [before.0, during, after],
    })
}

async fn hold(port: SocketAddr, strength: Strength) -> anyhow::Result<u64> {
    let held = floods::half_open(port, strength).await?;
    tokio::time::sleep(strength.time).await;
    Ok(u64::try_from(held.len())?)
}

impl Outcome {
    fn holds(&self) -> bool {
        let [before, _, after] = self.memory;
        self.figures.p99 < MOST_DELAY
            && self.figures.loss() < MOST_LOSS
            && after < before + MOST_KEPT
    }

    fn row(&self, name: &str) -> String {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let [before, during, after] = self.memory.map(|bytes| bytes >> 20);
        format!(
            "{name:<16} {:>9} {:>8.2} {:>8.2} {:>8.2} {:>7.3} {before:>8} / {during:>4} / {after:>4}  {}",
            self.poured,
            milliseconds(self.figures.p50),
            milliseconds(self.figures.p99),
            milliseconds(self.figures.max),
            self.figures.loss(),
            if self.holds() { "held" } else { "NOT HELD" }
        )
    }
}
