//! What can be typed: verbs and flags of `parley`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use storage::Location;
use storage::sql::LocationError;

/// All of Parley in one process: chat, calls, media, recordings, transcripts.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// What to do; without a verb: `run`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serve until stopped (the default).
    Run(RunArguments),
    /// Report every problem of the configuration at once.
    CheckConfig(RunArguments),
    /// Show the configuration in force, secrets hidden.
    PrintConfig(RunArguments),
    /// Create an account in the data directory of a server that is not running.
    AddAccount(AccountArguments),
    /// Get, list or verify speech models.
    Models(offloader::models::ModelsArgs),
    /// One job of the offloader; started by the server itself.
    #[command(hide = true)]
    Worker,
    /// Speech recognition; started by the server itself.
    #[command(hide = true)]
    Speech(offloader::speech::process::SpeechArgs),
}

/// Flags of `run`; they overrule the file.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArguments {
    /// TOML file with the tables `rtcd`, `signalling` and `offloader`, each as in that service's
    /// own file (deploy/*.toml).
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Directory of everything that is kept.
    #[arg(long, default_value = ".parley")]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    /// Where people reach the page; an address other than loopback also opens the media ports to
    /// other machines.
    #[arg(long, default_value = "127.0.0.1:8065")]
    pub(crate) listen: SocketAddr,
    /// UDP and TCP port of the media; 0 takes any free one.
    #[arg(long, default_value_t = 8443)]
    pub(crate) rtc_port: u16,
    /// Directory of the speech models; default: `models` in the data directory.
    #[arg(long)]
    pub(crate) models_dir: Option<PathBuf>,
    /// Creates three accounts to try calls with and prints their sign-ins. Not for real use.
    #[arg(long)]
    pub(crate) sample_accounts: bool,
    /// Writes addresses and sample accounts as JSON to this file once everything serves.
    #[arg(long)]
    pub(crate) ready_file: Option<PathBuf>,
}

/// Where the records of all services are.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseArguments {
    /// PostgreSQL database for all records, `postgres://user@host/database`, instead of SQLite
    /// files in the data directory.
    #[arg(long, env = "PARLEY_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// File whose first line is the password of the database's user.
    #[arg(long, env = "PARLEY_DATABASE_PASSWORD_FILE")]
    database_password_file: Option<PathBuf>,
}

impl DatabaseArguments {
    /// The server that was named, if one was.
    pub(crate) fn location(&self) -> Result<Option<Location>, LocationError> {
        let password_file = self.database_password_file.as_deref();
        Location::server(
            self.database.as_deref().unwrap_or_default(),
            password_file.unwrap_or(Path::new("")),
        )
    }
}

/// Flags of `add-account`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccountArguments {
    #[arg(long, default_value = ".parley")]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    #[arg(long)]
    pub(crate) username: String,
    /// At least 8 characters; read from the environment so that it shows in no process list.
    #[arg(long, env = "PARLEY_PASSWORD", hide_env_values = true)]
    pub(crate) password: String,
    #[arg(long, default_value = "")]
    pub(crate) first_name: String,
    #[arg(long, default_value = "")]
    pub(crate) last_name: String,
    /// May manage accounts and every channel; the first account is an administrator in any case.
    #[arg(long)]
    pub(crate) admin: bool,
}
