//! Accounts from a list, as schools and companies keep them: CSV with a line of column names.
//!
//! In: the text. Out: for each line whether an account was made, with the password where the list
//! gave none. The whole list is checked first: with a mistake in any line, nothing is done.
//! Not here: rules for accounts (`accounts`).

use std::collections::HashSet;
use std::fmt::Write as _;

use proto::redact::Secret;

use super::accounts::{NewAccount, check_new_account};
use super::fault::Fault;
use super::{Server, passwords};
use crate::ChatError;

/// Most people in one list.
const MAX_PEOPLE: usize = 10_000;
/// Most mistakes that are told at once.
const MAX_TOLD: usize = 50;
/// What a list may say of a person.
const COLUMNS: [&str; 7] = [
    "username",
    "email",
    "first_name",
    "last_name",
    "nickname",
    "password",
    "role",
];

/// What came of one line.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Counted as an editor counts.
    pub line: u64,
    pub username: String,
    pub outcome: Outcome,
}

/// What came of an account to be made.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// With this password, where the list gave none.
    Added(Option<Secret>),
    /// There is such an account: it is left as it is.
    Exists,
    /// The records changed since the list was checked, or cannot be written.
    Failed(String),
}

/// A line that can become an account.
#[derive(Debug)]
struct Entry {
    line: u64,
    account: NewAccount,
    has_password: bool,
}

impl Server {
    /// Makes the accounts of a list. Whoever has one keeps it as it is.
    ///
    /// # Errors
    /// When a line breaks a rule; the text names all of them. Nothing is done then.
    pub async fn import_people(&self, list: &str) -> Result<Vec<Imported>, ChatError> {
        Ok(self.import(list, MAX_PEOPLE).await?)
    }

    /// As `import_people`, for at most so many people.
    pub(super) async fn import(&self, list: &str, most: usize) -> Result<Vec<Imported>, Fault> {
        let entries = read(list, most, self.config.min_password_chars)?;
        let mut done = Vec::new();
        for entry in entries {
            let username = entry.account.username.clone();
            let outcome = self.import_one(entry.account, entry.has_password).await?;
            done.push(Imported {
                line: entry.line,
                username,
                outcome,
            });
        }
        Ok(done)
    }

    async fn import_one(
        &self,
        mut account: NewAccount,
        has_password: bool,
    ) -> Result<Outcome, Fault> {
        if self
            .store
            .person_by_name(&account.username)
            .await?
            .is_some()
        {
            return Ok(Outcome::Exists);
        }
        let made_up = (!has_password).then(passwords::made_up);
        if let Some(password) = &made_up {
            account.password = password.clone();
        }
        Ok(match self.add_account(account).await {
            Ok(_) => Outcome::Added(made_up),
            Err(error) => Outcome::Failed(error.to_string()),
        })
    }
}

/// Reads a list and checks every line of it.
fn read(list: &str, most: usize, min_password_chars: usize) -> Result<Vec<Entry>, Fault> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        // a byte order mark, as spreadsheets write it
        .from_reader(list.trim_start_matches('\u{feff}').as_bytes());
    let broken = |error: csv::Error| refused(&[format!("this is no list of people: {error}")]);
    let columns = reader.headers().map_err(broken)?.clone();
    check_columns(&columns)?;
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                mistakes.push(unreadable(&error));
                continue;
            }
        };
        if entries.len() >= most {
            return Err(refused(&[format!("a list has at most {most} people")]));
        }
        let line = record.position().map_or(0, csv::Position::line);
        match entry(&columns, &record, line, min_password_chars) {
            Ok(entry) => {
                let account = &entry.account;
                if !names.insert(account.username.clone()) {
                    mistakes.push(format!(
                        "line {line}: `{}` is there twice",
                        account.username
                    ));
                } else if !account.email.is_empty() && !addresses.insert(account.email.clone()) {
                    mistakes.push(format!("line {line}: `{}` is there twice", account.email));
                }
                entries.push(entry);
            }
            Err(why) => mistakes.push(format!("line {line}: {why}")),
        }
    }
    if !mistakes.is_empty() {
        return Err(refused(&mistakes));
    }
    if entries.is_empty() {
        return Err(refused(&["the list has no people".to_owned()]));
    }
    Ok(entries)
}

/// Why a line is none of the list, in our words: the library counts records, people count lines.
fn unreadable(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    if let csv::ErrorKind::UnequalLengths {
        expected_len, len, ..
    } = error.kind()
    {
        return format!("line {line}: it has {len} fields, the first line has {expected_len}");
    }
    format!("line {line}: {error}")
}

fn check_columns(columns: &csv::StringRecord) -> Result<(), Fault> {
    let unknown = columns.iter().filter(|name| !COLUMNS.contains(name));
    let mut mistakes: Vec<String> = unknown
        .map(|name| format!("line 1: there is no column `{}`", name.escape_debug()))
        .collect();
    if !columns.iter().any(|name| name == "username") {
        mistakes.push("line 1: the column `username` is missing".to_owned());
    }
    if mistakes.is_empty() {
        return Ok(());
    }
    mistakes.push(format!("the columns are {}", COLUMNS.join(", ")));
    Err(refused(&mistakes))
}

fn entry(
    columns: &csv::StringRecord,
    record: &csv::StringRecord,
    line: u64,
    min_password_chars: usize,
) -> Result<Entry, String> {
    let field = |name: &str| {
        let at = columns.iter().position(|column| column == name);
        at.and_then(|at| record.get(at)).unwrap_or_default()
    };
    let is_admin = match field("role") {
        "" | "person" => false,
        "administrator" => true,
        role => {
            return Err(format!(
                "the role `{}` must be `person` or `administrator`",
                role.escape_debug()
            ));
        }
    };
    let account = NewAccount {
        username: field("username").to_lowercase(),
        password: Secret::new(field("password")),
        email: field("email").to_lowercase(),
        first_name: field("first_name").to_owned(),
        last_name: field("last_name").to_owned(),
        nickname: field("nickname").to_owned(),
        is_admin,
    };
    let has_password = !field("password").is_empty();
    check_new_account(&account, has_password.then_some(min_password_chars))
        .map_err(|fault| fault.message)?;
    Ok(Entry {
        line,
        account,
        has_password,
    })
}

fn refused(mistakes: &[String]) -> Fault {
    let mut text = mistakes
        .iter()
        .take(MAX_TOLD)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\n");
    if mistakes.len() > MAX_TOLD {
        // Writing to a String does not fail.
        let _written = write!(text, "\nand {} more", mistakes.len() - MAX_TOLD);
    }
    Fault::invalid("api.user.import.invalid_list.app_error", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_by_the_names_of_its_columns() {
        let list = "\u{feff}email,username,last_name,role\n\
            A@example.org, Anna ,\"Berg, geb. Tal\",administrator\n,ben,,\n";
        let entries = read(list, 10, 12).unwrap();
        let anna = &entries[0].account;
        assert_eq!(
            (anna.username.as_str(), anna.email.as_str()),
            ("anna", "a@example.org")
        );
        assert_eq!(
            (anna.last_name.as_str(), anna.is_admin),
            ("Berg, geb. Tal", true)
        );
        assert_eq!((entries[0].line, entries[1].line), (2, 3));
        assert!(!entries[1].account.is_admin && !entries[1].has_password);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let list = "username,password,role\nanna,short,\nan na,,\nben,,chief\nzoe,,\nZoe,,\n";
        let told = read(list, 10, 12).unwrap_err().message;
        for line in [
            "line 2: the password",
            "line 3: a username",
            "line 4: the role `chief`",
            "line 6: `zoe`",
        ] {
            assert!(told.contains(line), "{line} in {told}");
        }
        for (list, why) in [
            ("name\nx\n", "there is no column `name`"),
            ("username\n", "no people"),
            ("username\na\nb\nc\n", "at most 2 people"),
            (
                "username,email\na\n",
                "line 2: it has 1 fields, the first line has 2",
            ),
        ] {
            let told = read(list, 2, 12).unwrap_err().message;
            assert!(told.contains(why), "{told}");
        }
    }
}
