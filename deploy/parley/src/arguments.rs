//! What can be typed: verbs and flags of `parley`.
//!
//! Flags count before and after the verb; one that a verb does not take is refused.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::{
    Arg, ArgMatches, Args, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
};
use service::{command_line, telemetry};
use storage::Location;
use storage::sql::LocationError;

use crate::people::PeopleCommand;

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let speaks = [
        ("rtcd", proto::rtcd::COMPATIBLE_VERSION),
        ("Calls", proto::calls::COMPATIBLE_VERSION),
        ("calls-offloader", proto::offload::COMPATIBLE_VERSION),
    ];
    command_line::version(env!("CARGO_PKG_VERSION"), &speaks)
});

/// All of Parley in one process: chat, calls, media, recordings, transcripts.
#[derive(Debug, Parser)]
#[command(version = VERSION.as_str(), about)]
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
    Run,
    /// Report every problem of the configuration at once.
    CheckConfig,
    /// Show the configuration in force, secrets hidden.
    PrintConfig,
    /// Create an account in the data directory; refused when the name is taken.
    AddAccount(AccountArguments),
    /// Who has an account and may sign in; beside a running server or without one.
    People {
        #[command(subcommand)]
        command: PeopleCommand,
    },
    /// Get, list or verify speech models.
    Models {
        #[command(subcommand)]
        command: offloader::models::ModelsCommand,
    },
    /// One job of the offloader; started by the server itself.
    #[command(hide = true)]
    Worker,
    /// Speech recognition; started by the server itself.
    #[command(hide = true)]
    Speech(offloader::speech::process::SpeechArgs),
}

/// Flags; they overrule the file.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArguments {
    /// TOML file with the tables `rtcd`, `signalling` and `offloader`, each as in that service's
    /// own file (deploy/*.toml).
    #[arg(long, global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Directory of everything that is kept.
    #[arg(long, global = true, env = "PARLEY_DATA", default_value = ".parley")]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    /// Where people reach the page; an address other than loopback also opens the media ports to
    /// other machines.
    #[arg(
        long,
        global = true,
        env = "PARLEY_LISTEN",
        default_value = "127.0.0.1:8065"
    )]
    pub(crate) listen: SocketAddr,
    /// UDP and TCP port of the media; 0 takes any free one.
    #[arg(long, global = true, default_value_t = 8443)]
    pub(crate) rtc_port: u16,
    /// Directory of the speech models; default: `models` in the data directory.
    #[arg(long, global = true, env = "PARLEY_MODELS")]
    pub(crate) models_dir: Option<PathBuf>,
    /// Creates three accounts to try calls with and prints their sign-ins. Not for real use.
    #[arg(long, global = true)]
    pub(crate) sample_accounts: bool,
    /// Writes addresses and sample accounts as JSON to this file once everything serves; for its
    /// owner only.
    #[arg(long, global = true)]
    pub(crate) ready_file: Option<PathBuf>,
}

/// Where the records of all services are.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseArguments {
    /// PostgreSQL database for all records, `postgres://user@host/database`, instead of SQLite
    /// files in the data directory.
    #[arg(long, global = true, env = "PARLEY_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// File whose first line is the password of the database's user.
    #[arg(long, global = true, env = "PARLEY_DATABASE_PASSWORD_FILE")]
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
    #[arg(long)]
    pub(crate) username: String,
    /// At least 12 characters; read from the environment so that it shows in no process list.
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

/// Names of the environment that are ours, beside those of the services: what any verb reads, and
/// what the log does.
pub(crate) fn own_names() -> Vec<String> {
    let mut names = vec![telemetry::VARIABLE.to_owned()];
    read_by(&Arguments::command(), &mut names);
    names
}

fn read_by(command: &Command, names: &mut Vec<String>) {
    let read = command.get_arguments().filter_map(Arg::get_env);
    names.extend(read.filter_map(|name| name.to_str().map(str::to_owned)));
    for verb in command.get_subcommands() {
        read_by(verb, names);
    }
}

/// Names for the scripts around this program and for its build; they mean nothing to it.
pub(crate) const OF_SCRIPTS: [&str; 5] = [
    "PARLEY_BIN",
    "PARLEY_BUILD_DATE",
    "PARLEY_BUILD_HASH",
    "PARLEY_KEEP_LOGS",
    "PARLEY_PROFILE",
];

impl Arguments {
    /// Reads the command line; help and what clap refuses end the process.
    ///
    /// # Errors
    /// A flag that the verb does not take.
    pub(crate) fn typed() -> Result<Self, String> {
        let typed: Vec<String> = std::env::args().collect();
        Self::from_matches(&Self::command().get_matches(), typed)
    }

    fn from_matches(matches: &ArgMatches, typed: Vec<String>) -> Result<Self, String> {
        let arguments = Self::from_arg_matches(matches).map_err(|error| error.to_string())?;
        command_line::check(&Self::command(), matches, arguments.takes(), typed)?;
        Ok(arguments)
    }

    /// The flags that mean something to the verb.
    fn takes(&self) -> &'static [&'static str] {
        match self.verb {
            None | Some(Verb::Run | Verb::CheckConfig | Verb::PrintConfig) => &[
                "config",
                "data_dir",
                "database",
                "database_password_file",
                "listen",
                "rtc_port",
                "models_dir",
                "sample_accounts",
                "ready_file",
            ],
            Some(Verb::AddAccount(_) | Verb::People { .. }) => {
                &["config", "data_dir", "database", "database_password_file"]
            }
            Some(Verb::Models { .. }) => &["data_dir", "models_dir"],
            Some(Verb::Speech(_)) => &["models_dir"],
            Some(Verb::Worker) => &[],
        }
    }
}

impl RunArguments {
    /// Where the speech models are.
    pub(crate) fn models_dir(&self) -> PathBuf {
        self.models_dir
            .clone()
            .unwrap_or_else(|| self.data_dir.join("models"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Result<Arguments, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let matches = Arguments::command().try_get_matches_from(&words);
        Arguments::from_matches(&matches.map_err(|error| error.to_string())?, words)
    }

    #[test]
    fn flags_count_on_either_side_of_the_verb() {
        for line in [
            "parley --data-dir x --config y run",
            "parley run --data-dir x --config y",
            "parley --data-dir x check-config --config y",
            "parley --data-dir x --config y",
        ] {
            let arguments = typed(line).unwrap().run;
            assert_eq!(arguments.data_dir, PathBuf::from("x"), "{line}");
            assert_eq!(arguments.config, Some(PathBuf::from("y")), "{line}");
        }
        let pull = typed("parley --data-dir x models pull base").unwrap().run;
        let chosen = typed("parley models --models-dir m pull base").unwrap().run;
        assert_eq!(chosen.models_dir(), PathBuf::from("m"));
        if std::env::var_os("PARLEY_MODELS").is_none() {
            assert_eq!(pull.models_dir(), PathBuf::from("x/models"));
        }
    }

    #[test]
    fn the_version_is_ours_and_beside_it_stands_what_is_spoken() {
        let said = Arguments::command().render_version();
        let ours = env!("CARGO_PKG_VERSION");
        assert_eq!(
            said,
            format!("parley {ours} (speaks rtcd 1.3.0, Calls 1.12.2, calls-offloader 0.9.5)\n")
        );
    }

    #[test]
    fn records_may_be_elsewhere_for_the_server_and_for_accounts() {
        for line in [
            "parley --database postgres://u@h/d run",
            "parley add-account --username a --password b --database postgres://u@h/d",
        ] {
            let location = typed(line).unwrap().run.database.location().unwrap();
            assert_eq!(location.unwrap().to_string(), "postgres://u@h/d", "{line}");
        }
        let nowhere = typed("parley --database mysql://u@h/d").unwrap().run;
        assert!(nowhere.database.location().is_err());
    }

    #[test]
    fn a_flag_that_means_nothing_to_the_verb_is_refused() {
        for (line, flag) in [
            ("parley --listen 127.0.0.1:1 models list", "--listen"),
            (
                "parley --ready-file r add-account --username a --password b",
                "--ready-file",
            ),
            (
                "parley add-account --username a --password b --rtc-port 1",
                "--rtc-port",
            ),
            ("parley --sample-accounts worker", "--sample-accounts"),
            ("parley --database x models list", "--database"),
            ("parley --data-dir x run --data-dir y", "--data-dir"),
        ] {
            let refused = typed(line).unwrap_err();
            assert!(refused.contains(flag), "{line}: {refused}");
        }
    }

    #[test]
    fn the_speech_process_gets_its_own_models_folder() {
        let arguments = typed("parley speech --socket s --models-dir m").unwrap();
        let Some(Verb::Speech(speech)) = arguments.verb else {
            panic!("{arguments:?}");
        };
        assert_eq!(speech.models_dir, PathBuf::from("m"));
    }
}
