//! Measures speech: transcription speed, and live captions of one call and of several.
//!
//! In: the offloader to measure, installed models, the test fixtures. Out: a line per figure; exit code
//! 0 only if every must holds.
//! Not here: words and times through a real call (`benches/run browser`).

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use offloader::speech::{SpeechClient, SpeechConfig, SpeechHost};

use figures::Figure;

mod captions;
mod figures;
mod sound;
mod speed;

#[derive(Debug, Parser)]
struct Args {
    /// The `offloader` whose speech process is measured.
    #[arg(long)]
    binary: OsString,
    /// Folder with `tiny.en`, `base` and `silero-vad`.
    #[arg(long)]
    models: PathBuf,
    /// Captioned calls at once in the last row.
    #[arg(long, default_value_t = 3)]
    calls: usize,
    /// Rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Where to write the figures as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

impl Args {
    fn config(&self) -> SpeechConfig {
        let command = vec![self.binary.clone(), "speech".into()];
        SpeechConfig::new(command, self.models.clone())
    }

    fn client(&self, model: &str) -> anyhow::Result<SpeechClient> {
        let mut config = self.config();
        model.clone_into(&mut config.transcript_model);
        Ok(SpeechClient::start(config)?)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    say(&figures::head());
    let mut all = Vec::new();
    for (row, model, reference) in [("speed-tiny", "tiny.en", 4.3), ("speed-base", "base", 2.1)] {
        if row.contains(&args.only) {
            let client = args.client(model)?;
            tell(
                &mut all,
                vec![speed::measure(row, &client, reference).await?],
            );
        }
    }
    for calls in [1, args.calls] {
        if format!("captions-{calls}").contains(&args.only) {
            tell(&mut all, of_calls(&args, calls).await?);
        }
    }
    if let Some(path) = &args.report {
        std::fs::write(path, serde_json::to_vec_pretty(&all)?)?;
    }
    let holds = all.iter().all(Figure::holds);
    say(if holds {
        "speech: every must holds"
    } else {
        "speech: a must is missed"
    });
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every call has a worker, and so a client, of its own; the process is one.
async fn of_calls(args: &Args, calls: usize) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let mut config = args.config();
    let process = config.process_args(folder.path().join("speech.sock"));
    config.socket = Some(process.socket.clone());
    let tasks = service::Tasks::new("speech-load");
    let command = config.command.clone();
    let _host = SpeechHost::start(command, process, &tasks)?;
    let clients: Result<Vec<_>, _> = (0..calls)
        .map(|_| SpeechClient::start(config.clone()))
        .collect();
    captions::measure(&clients?).await
}

fn tell(all: &mut Vec<Figure>, figures: Vec<Figure>) {
    for figure in figures {
        say(&figure.line());
        all.push(figure);
    }
}

#[expect(clippy::print_stdout, reason = "a program for the command line")]
fn say(line: &str) {
    println!("{line}");
}
