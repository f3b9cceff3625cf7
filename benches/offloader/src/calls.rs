//! Captioned calls side by side on one speech process: their delays, how many keep them, what each costs
//! in memory.

use offloader::speech::{SpeechClient, SpeechHost};

use crate::captions::{self, Known};
use crate::clock::Clock;
use crate::figures::{Figure, Good, Seen};
use crate::{Args, process, say};

/// As many as are asked for at most.
const MOST: usize = 6;

/// What a round of calls said.
struct Round {
    figures: Vec<Figure>,
    /// Most memory of the speech process and of this program, in MB.
    memory: f64,
}

impl Round {
    fn holds(&self) -> bool {
        self.figures.iter().all(Figure::holds)
    }
}

pub(crate) async fn measure(
    args: &Args,
    wanted: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let rows = ["captions-1", "captions-most", "captions-memory"];
    if !rows.iter().any(|row| wanted(row)) {
        return Ok(figures);
    }
    let voices = captions::voices(&args.client("tiny.en")?).await?;
    let one = round(args, &voices, 1).await?;
    for figure in &one.figures {
        say(&figure.line());
    }
    let holds = one.holds();
    let alone = one.memory;
    figures.extend(one.figures.into_iter().filter(|_| wanted("captions-1")));
    if !wanted("captions-most") && !wanted("captions-memory") {
        return Ok(figures);
    }
    let (mut most, mut fewer) = (usize::from(holds), MOST);
    let mut memory = f64::NAN;
    // Three is what must hold; then between what holds and what does not.
    let mut next = 3;
    while next > most {
        let round = round(args, &voices, next).await?;
        for figure in &round.figures {
            say(&format!("  {}", figure.line()));
        }
        memory = memory.max((round.memory - alone) / (next - 1) as f64);
        if round.holds() {
            most = next;
        } else {
            fewer = next - 1;
        }
        if !wanted("captions-most") {
            break;
        }
        next = if most == 3 && fewer == MOST {
            MOST
        } else {
            (most + fewer).div_ceil(2)
        };
    }
    let figure = |row: &str, what, unit, value, must, aim, good| Figure {
        row: row.to_owned(),
        what,
        unit,
        value,
        must,
        aim,
        good,
        seen: Seen::Nothing,
    };
    let calls = most as f64;
    figures.push(figure(
        "captions-most",
        "calls within these delays",
        "",
        calls,
        3.0,
        6.0,
        Good::AtLeast,
    ));
    let each = memory + idle_worker(args).await?;
    figures.push(figure(
        "captions-memory",
        "per further captioned call",
        "MB",
        each,
        150.0,
        80.0,
        Good::AtMost,
    ));
    for figure in figures.iter().rev().take(2).rev() {
        say(&figure.line());
    }
    Ok(figures)
}

/// Every call has a worker, and so a client, of its own; the process is one.
async fn round(args: &Args, voices: &[Known], calls: usize) -> anyhow::Result<Round> {
    let folder = tempfile::tempdir()?;
    let mut config = args.config();
    let process = config.process_args(folder.path().join("speech.sock"));
    config.socket = Some(process.socket.clone());
    let tasks = service::Tasks::new("offloader-load");
    let command = config.command.clone();
    let host = SpeechHost::start(command, process, &tasks)?;
    let clients: Result<Vec<_>, _> = (0..calls)
        .map(|_| SpeechClient::start(config.clone()))
        .collect();
    let before = process::memory(std::process::id().into())?;
    let clients = clients?;
    // One that is not there yet waits for no processor.
    while host.child_pid() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let clock = Clock::of(host.child_pid());
    let figures = captions::measure(&clients, voices, &clock).await?;
    let grown = process::memory(std::process::id().into())? - before;
    let memory = process::peak(host.child_pid())? + grown;
    Ok(Round { figures, memory })
}

/// What a call's own process weighs beside the audio that waits in it.
async fn idle_worker(args: &Args) -> anyhow::Result<f64> {
    let mut child = tokio::process::Command::new(&args.binary)
        .arg("worker")
        .stdin(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    // It waits for its order once it reads; until then its memory grows.
    let mut last = 0.0;
    let pid = u64::from(child.id().unwrap_or(0));
    for _ in 0..50 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let now = process::memory(pid)?;
        if (now - last).abs() < 0.01 && now > 1.0 {
            break;
        }
        last = now;
    }
    child.kill().await?;
    Ok(last)
}
