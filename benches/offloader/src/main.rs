//! Measures the offloader: transcription speed and words, live captions, sound in which nobody speaks,
//! recordings.
//!
//! In: the offloader to measure, installed models, the test fixtures. Out: a line per figure; exit code
//! 0 only if every must holds.
//! Not here: words and times through a real call (`benches/run browser`).

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use offloader::speech::{SpeechClient, SpeechConfig};

use figures::Figure;

#[path = "../../../offloader/tests/suite/call.rs"]
#[expect(
    clippy::unwrap_used,
    reason = "of the offloader's tests: a panic ends the measurement"
)]
mod call;
mod calls;
mod captions;
mod clock;
mod figures;
#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "small numbers, within what was just made"
)]
mod finishing;
mod kills;
#[path = "../../../offloader/tests/suite/lossy.rs"]
#[expect(dead_code, reason = "of the offloader's tests")]
mod lossy;
mod nothing;
mod packets;
mod page;
mod plots;
mod process;
mod recordings;
#[path = "../../../offloader/tests/suite/sfu.rs"]
#[expect(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "of the offloader's tests: a panic ends the measurement"
)]
mod sfu;
#[path = "../../../offloader/tests/suite/siege.rs"]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "of the offloader's tests: a panic ends the measurement"
)]
mod siege;
#[path = "../../../offloader/tests/suite/site.rs"]
#[expect(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "of the offloader's tests: a panic ends the measurement"
)]
mod site;
#[path = "../../../offloader/tests/suite/sound.rs"]
#[expect(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "of the offloader's tests: a panic ends the measurement"
)]
mod sound;
mod speed;
mod spoken;
#[path = "../../load/src/svg.rs"]
mod svg;
#[path = "../../../offloader/tests/speech/wer.rs"]
mod wer;
mod words;

/// Processors that a measurement may use: figures are for so many.
const PROCESSORS: usize = 2;

#[derive(Debug, Parser)]
struct Args {
    /// The `offloader` that is measured.
    #[arg(long)]
    binary: OsString,
    /// Folder with `tiny.en`, `base` and `silero-vad`.
    #[arg(long)]
    models: PathBuf,
    /// Rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Length of the calls whose films are finished, and whose processes are killed.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Where to write the figures as JSON, with a page of them and their plots beside it, as `.html`.
    #[arg(long, overrides_with = "report")]
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

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    // Before any thread begins: they and all children stay there.
    keep_to_few_processors()?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(&args))
}

fn keep_to_few_processors() -> anyhow::Result<()> {
    let allowed = sched_getaffinity(Pid::this())?;
    let mut few = CpuSet::new();
    let usable = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    for cpu in usable.take(PROCESSORS) {
        few.set(cpu)?;
    }
    Ok(sched_setaffinity(Pid::this(), &few)?)
}

async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    say(&figures::head());
    let wanted = |row: &str| row.contains(&args.only);
    let mut all = Vec::new();
    for (name, model, reference) in [("tiny", "tiny.en", 4.3), ("base", "base", 2.1)] {
        let row = format!("speed-{name}");
        if wanted(&row) {
            let figure = speed::measure(&row, &args.client(model)?, reference).await?;
            tell(&mut all, vec![figure]);
        }
        let row = format!("words-{name}");
        if wanted(&row) {
            let figures = words::measure(&row, &args.client(model)?, &args.models).await?;
            tell(&mut all, figures);
        }
    }
    if wanted("nothing-said") {
        tell(&mut all, nothing::measure(&args.client("tiny.en")?).await?);
    }
    all.extend(calls::measure(args, &wanted).await?);
    tell(&mut all, recordings::measure(args, &wanted).await?);
    tell(&mut all, finishing::measure(args.minutes, &wanted)?);
    tell(&mut all, kills::measure(args, &wanted).await?);
    if let Some(path) = &args.report {
        let about = page::About {
            processors: PROCESSORS,
            minutes: args.minutes,
        };
        std::fs::write(path, serde_json::to_vec_pretty(&all)?)?;
        let page_path = path.with_extension("html");
        std::fs::write(&page_path, page::page(&all, &about))?;
        say(&format!("the page of it: {}", page_path.display()));
    }
    let holds = all.iter().all(Figure::holds);
    say(if holds {
        "offloader: every must holds"
    } else {
        "offloader: a must is missed"
    });
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
