//! What is decided for the whole process: the table `parley`, the environment, the flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use settings::{Link, Manner, Other, Parsed};

const MANNER: Manner = Manner {
    program: "parley",
    ours: "PARLEY_",
    empty_is_unset: true,
    refuses_unknown_names: true,
    others: &[
        Other {
            name: "PARLEY_PASSWORD",
            doc: "The password for `parley add-account`.",
            is_idle: false,
        },
        Other {
            name: "PARLEY_LOG",
            doc: "What libraries log, such as `str0m=debug`.",
            is_idle: false,
        },
        Other {
            name: "PARLEY_LOG_FORMAT",
            doc: "`json`: log lines are JSON objects, as for a collector; otherwise they are `plain`, in colours only on a terminal.",
            is_idle: false,
        },
        Other {
            name: "PARLEY_MODELS_MIRROR",
            doc: "Where `parley models pull` gets models, instead of their publisher.",
            is_idle: false,
        },
        of_scripts("PARLEY_BIN"),
        of_scripts("PARLEY_BUILD_DATE"),
        of_scripts("PARLEY_BUILD_HASH"),
        of_scripts("PARLEY_KEEP_LOGS"),
        of_scripts("PARLEY_PROFILE"),
    ],
    ..Manner::PLAIN
};

const fn of_scripts(name: &'static str) -> Other {
    Other {
        name,
        doc: "For the scripts around this program and for its build; means nothing to it.",
        is_idle: false,
    }
}

settings::settings! {
    /// What concerns more than one of the services.
    pub struct Own: MANNER {
        "parley" own: RawOwn {
            /// Directory of everything that is kept.
            data_dir: PathBuf = ".parley", named ["PARLEY_DATA"];
            /// PostgreSQL database for all records, `postgres://user@host/database`, instead of
            /// SQLite files in the data directory.
            database: Link = "";
            /// File whose first line is the password of the database's user.
            database_password_file: PathBuf = "";
            /// Where people reach the page; an address other than loopback also opens the media
            /// ports to other machines.
            listen: Parsed<SocketAddr> = "127.0.0.1:8065";
            /// UDP and TCP port of the media; 0 takes any free one.
            rtc_port: u16 = 8443;
            /// Directory of the speech models; empty: `models` in the data directory.
            models_dir: PathBuf = "", named ["PARLEY_MODELS"];
            /// Creates three accounts to try calls with and prints their sign-ins. Not for real use.
            sample_accounts: bool = false;
            /// Writes addresses and sample accounts as JSON to this file once everything serves; for
            /// its owner only.
            ready_file: PathBuf = "";
        }
    }
}

impl Own {
    /// Where the speech models are.
    pub(crate) fn models_dir(&self) -> PathBuf {
        let chosen = Some(self.own.models_dir.clone()).filter(|path| !path.as_os_str().is_empty());
        chosen.unwrap_or_else(|| self.own.data_dir.join("models"))
    }
}
