//! What can be typed: verbs and flags of `parley`.
//!
//! Flags count before and after the verb; one that a verb does not take is refused.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use service::command_line;
use settings::{Ask, Flags};

use crate::admin::AdminCommand;
use crate::own::Own;
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
    #[command(flatten)]
    Ask(Ask),
    /// Create an account in the data directory; refused when the name is taken.
    AddAccount(AccountArguments),
    /// Who has an account and may sign in; beside a running server or without one.
    People {
        #[command(subcommand)]
        command: PeopleCommand,
    },
    /// People, channels, calls that run, storage and health of the server on this machine.
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Show the nodes of the cluster, as `admin nodes` does.
    Status {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Certificates and configuration for several nodes and the servers between them.
    #[cfg(feature = "cluster")]
    Cluster {
        #[command(subcommand)]
        command: cluster_nats::command::ClusterCommand,
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
    /// TOML file with the tables `parley`, and `rtcd`, `signalling` and `offloader`, each as in that
    /// service's own file (deploy/*.toml).
    #[arg(long, global = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flags: Flags<Own>,
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
        command_line::check(&Self::command(), matches, &arguments.takes(), typed)?;
        Ok(arguments)
    }

    /// The flags that mean something to the verb.
    fn takes(&self) -> Vec<&'static str> {
        match self.verb {
            None | Some(Verb::Run | Verb::Ask(Ask::CheckConfig | Ask::PrintConfig)) => {
                [Flags::<Own>::ids(), vec!["config"]].concat()
            }
            Some(Verb::AddAccount(_) | Verb::People { .. }) => {
                vec!["config", "data_dir", "database", "database_password_file"]
            }
            Some(Verb::Admin { .. } | Verb::Status { .. }) => vec![
                "config",
                "data_dir",
                "database",
                "database_password_file",
                "listen",
            ],
            Some(Verb::Models { .. }) => vec!["data_dir", "models_dir"],
            Some(Verb::Speech(_)) => vec!["models_dir"],
            Some(Verb::Worker | Verb::Ask(Ask::SampleConfig)) => Vec::new(),
            #[cfg(feature = "cluster")]
            Some(Verb::Cluster { .. }) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};
    use service::telemetry;
    use settings::{Environment, Read, Settings as _};

    use super::*;

    fn typed(line: &str) -> Result<Arguments, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let matches = Arguments::command().try_get_matches_from(&words);
        Arguments::from_matches(&matches.map_err(|error| error.to_string())?, words)
    }

    fn own(line: &str) -> Own {
        let mut read = Read::text("", &Environment::default()).unwrap();
        typed(line).unwrap().run.flags.overrule(&mut read);
        read.raw
    }

    #[test]
    fn flags_count_on_either_side_of_the_verb() {
        for line in [
            "parley --data-dir x --config y run",
            "parley run --data-dir x --config y",
            "parley --data-dir x check-config --config y",
            "parley --data-dir x --config y",
        ] {
            assert_eq!(own(line).own.data_dir, PathBuf::from("x"), "{line}");
            let config = typed(line).unwrap().run.config;
            assert_eq!(config, Some(PathBuf::from("y")), "{line}");
        }
        let pull = own("parley --data-dir x models pull base");
        assert_eq!(pull.models_dir(), PathBuf::from("x/models"));
        let chosen = own("parley models --models-dir m pull base");
        assert_eq!(chosen.models_dir(), PathBuf::from("m"));
        assert!(own("parley --sample-accounts run").own.sample_accounts);
        assert!(!own("parley run").own.sample_accounts);
    }

    /// Every name that a verb or the log reads would be refused as unknown if it were missing there.
    #[test]
    fn what_a_verb_reads_in_the_environment_is_a_known_name() {
        fn read_by(command: &Command, names: &mut Vec<String>) {
            let read = command.get_arguments().filter_map(Arg::get_env);
            names.extend(read.filter_map(|name| name.to_str().map(str::to_owned)));
            for verb in command.get_subcommands() {
                read_by(verb, names);
            }
        }
        let mut names = [telemetry::VARIABLE, telemetry::FORM]
            .map(str::to_owned)
            .to_vec();
        read_by(&Arguments::command(), &mut names);
        assert!(names.len() > 2, "{names:?}");
        let keys: Vec<String> = Own::keys().iter().flat_map(settings::Key::names).collect();
        for name in names {
            let is_other = Own::MANNER.others.iter().any(|other| other.name == name);
            assert!(is_other || keys.contains(&name), "{name}");
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
            assert_eq!(&*own(line).own.database, "postgres://u@h/d", "{line}");
        }
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
