//! The verb `people`: who has an account, who may sign in, who administrates.
//!
//! In: what was typed, the configuration. Out: text to print, or why not. It acts on the records
//! themselves, so that it needs neither a password nor a server that runs; one that does looks for
//! ended logins twice a second (`messaging::embedded`) and cuts off their sockets and calls.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use clap::{Args, Subcommand};
use messaging::ChatError;
use messaging::embedded::{Account, Imported, InviteTerms, NewAccount, Outcome, Server, Session};
use proto::redact::Secret;
use signalling::Config;

/// What is asked about people, or done to one.
#[derive(Debug, Subcommand)]
pub(crate) enum PeopleCommand {
    /// Show everybody: name, role, whether shut out, how often signed in.
    List,
    /// Create an account; refused when the name is taken.
    Add {
        username: String,
        #[command(flatten)]
        password: Password,
        #[arg(long, default_value = "")]
        first_name: String,
        #[arg(long, default_value = "")]
        last_name: String,
        /// May manage accounts and every channel; the first account is an administrator in any case.
        #[arg(long)]
        admin: bool,
    },
    /// Create the accounts of a list: a CSV file whose first line names its columns, of username,
    /// email, first_name, last_name, nickname, password, role (person or administrator).
    ///
    /// With a mistake in any line nothing is done. Where the list has no password one is made up and
    /// printed. Accounts that are there stay as they are.
    Import {
        /// `-` for standard input.
        file: PathBuf,
    },
    /// Print a link by which people make their own accounts.
    Invite {
        /// For how many people it is good; 0 for any number.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// For how many days, 30 at most.
        #[arg(long, default_value_t = 7)]
        days: u64,
    },
    /// Shut somebody out: no sign-in, and sessions and calls end within a second.
    Deactivate { username: String },
    /// Let somebody in again.
    Activate { username: String },
    /// Let somebody manage accounts and every channel.
    MakeAdmin { username: String },
    /// Take that away again; sessions and calls end within a second.
    RemoveAdmin { username: String },
    /// Show where somebody is signed in.
    Sessions { username: String },
    /// Sign somebody out everywhere; sessions and calls end within a second.
    EndSessions { username: String },
    /// Give somebody a new password; sessions and calls end within a second.
    ResetPassword {
        username: String,
        #[command(flatten)]
        password: Password,
    },
}

/// A password.
#[derive(Debug, Clone, Args)]
pub(crate) struct Password {
    /// At least 12 characters; read from the environment so that it shows in no process list.
    #[arg(long, env = "PARLEY_PASSWORD", hide_env_values = true)]
    password: String,
}

impl From<Password> for Secret {
    fn from(typed: Password) -> Self {
        Self::new(typed.password)
    }
}

/// Carries out the verb; returns what is to be printed.
pub(crate) async fn carry_out(config: &Config, command: PeopleCommand) -> anyhow::Result<String> {
    if !matches!(command, PeopleCommand::Add { .. }) {
        ensure_records(config)?;
    }
    let done = signalling::with_chat(config, async |chat| act(chat, command).await);
    done.await
}

/// A wrong folder is named, not made.
pub(crate) fn ensure_records(config: &Config) -> anyhow::Result<()> {
    ensure!(
        config.database.is_some() || config.data_dir.exists(),
        "there are no records in `{}`: is `--data-dir` the one of the server?",
        config.data_dir.display()
    );
    Ok(())
}

async fn act(chat: &Server, command: PeopleCommand) -> Result<String, ChatError> {
    let text = match command {
        PeopleCommand::List => listed(&chat.accounts().await?),
        PeopleCommand::Add {
            username,
            password,
            first_name,
            last_name,
            admin,
        } => {
            let account = NewAccount {
                username,
                password: password.into(),
                first_name,
                last_name,
                is_admin: admin,
                ..NewAccount::default()
            };
            let person = chat.add_account(account).await?;
            let role = role(person.is_system_admin);
            format!("`{}` is added, as {role}", person.username)
        }
        PeopleCommand::Import { file } => imported(&chat.import_people(&text_of(&file)?).await?)?,
        PeopleCommand::Invite { uses, days } => {
            let terms = InviteTerms {
                lifetime: Duration::from_secs(days.saturating_mul(24 * 3600)),
                max_uses: uses,
            };
            chat.invite(terms).await?
        }
        PeopleCommand::EndSessions { username } => {
            let ended = chat.end_sessions_of(&username).await?;
            format!("`{username}` is signed in nowhere; sessions ended: {ended}")
        }
        PeopleCommand::Deactivate { username } => {
            chat.set_account_active(&username, false).await?;
            format!("`{username}` is shut out")
        }
        PeopleCommand::Activate { username } => {
            chat.set_account_active(&username, true).await?;
            format!("`{username}` may sign in")
        }
        PeopleCommand::MakeAdmin { username } => {
            chat.set_account_admin(&username, true).await?;
            format!("`{username}` is an administrator")
        }
        PeopleCommand::RemoveAdmin { username } => {
            chat.set_account_admin(&username, false).await?;
            format!("`{username}` is an ordinary person")
        }
        PeopleCommand::Sessions { username } => {
            sessions(&username, &chat.sessions_of(&username).await?, now_ms())
        }
        PeopleCommand::ResetPassword { username, password } => {
            chat.set_password(&username, password.into()).await?;
            format!("`{username}` has a new password, and is signed in nowhere")
        }
    };
    Ok(text)
}

fn text_of(file: &Path) -> Result<String, ChatError> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|error| ChatError::Refused(format!("read `{}`: {error}", file.display())))
}

/// What came of each line. An error when any account could not be made: the rest is done even so.
fn imported(done: &[Imported]) -> Result<String, ChatError> {
    let mut text = format!("{:<6} {:<24} {:<8} PASSWORD", "LINE", "NAME", "OUTCOME");
    let mut has_failed = false;
    for Imported {
        line,
        username,
        outcome,
    } in done
    {
        let (word, more) = match outcome {
            Outcome::Added(Some(password)) => ("added", password.expose()),
            Outcome::Added(None) => ("added", "as listed"),
            Outcome::Exists => ("exists", "unchanged"),
            Outcome::Failed(why) => {
                has_failed = true;
                ("failed", why.as_str())
            }
        };
        // Writing to a String does not fail.
        let _written = write!(text, "\n{line:<6} {username:<24} {word:<8} {more}");
    }
    if has_failed {
        return Err(ChatError::Refused(text));
    }
    Ok(text)
}

fn listed(accounts: &[Account]) -> String {
    let mut text = format!("{:<24} {:<13} {:<9} SESSIONS", "NAME", "ROLE", "STATE");
    for account in accounts {
        let person = &account.person;
        let role = if person.is_bot {
            "bot"
        } else {
            role(person.is_system_admin)
        };
        let state = if account.is_active {
            "active"
        } else {
            "shut out"
        };
        let (name, sessions) = (&person.username, account.sessions);
        // Writing to a String does not fail.
        let _written = write!(text, "\n{name:<24} {role:<13} {state:<9} {sessions}");
    }
    text
}

fn role(is_admin: bool) -> &'static str {
    if is_admin { "administrator" } else { "person" }
}

fn sessions(username: &str, sessions: &[Session], now: i64) -> String {
    if sessions.is_empty() {
        return format!("`{username}` is signed in nowhere");
    }
    let mut text = format!(
        "{:<28} {:<16} {:<12} WITH",
        "SESSION", "BEGAN AGO", "ENDS IN"
    );
    for session in sessions {
        let began = time_span(now - session.began_at);
        let ends = session
            .ends_at
            .map_or_else(|| "never".to_owned(), |at| time_span(at - now));
        // Writing to a String does not fail.
        let _written = write!(
            text,
            "\n{:<28} {began:<16} {ends:<12} {}",
            session.id,
            with(session)
        );
    }
    text
}

/// What a session was made with, as far as it is known.
fn with(session: &Session) -> String {
    match (session.browser.as_str(), session.os.as_str()) {
        ("", "") => "-".to_owned(),
        (name, "") | ("", name) => name.to_owned(),
        (browser, os) => format!("{browser} on {os}"),
    }
}

/// A span of milliseconds in one unit.
fn time_span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..=119 => format!("{seconds} seconds"),
        120..=7199 => format!("{} minutes", seconds / 60),
        7200..=172_799 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_told_in_words() {
        let session = Session {
            id: "s".to_owned(),
            began_at: 0,
            ends_at: Some(30 * 86_400_000),
            browser: "Firefox".to_owned(),
            os: "Linux".to_owned(),
        };
        let text = sessions("anna", &[session], 3 * 3_600_000);
        let last = text.lines().last().unwrap();
        let words: Vec<&str> = last.split_whitespace().collect();
        assert_eq!(
            words,
            ["s", "3", "hours", "29", "days", "Firefox", "on", "Linux"]
        );
        assert_eq!(sessions("anna", &[], 0), "`anna` is signed in nowhere");
    }
}
