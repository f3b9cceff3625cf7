//! The command line that all binaries share: nothing that was typed is dropped.
//!
//! In: a command whose options are global, what was typed. Out: a refusal for an option that the verb
//! does not take, or that was typed twice. And what `--version` answers.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// What `--version` says behind the name: the product's version, and beside it the versions of the
/// reference whose protocols it `speaks`.
#[must_use]
pub fn version(product: &str, speaks: &[(&str, &str)]) -> String {
    let speaks: Vec<String> = speaks
        .iter()
        .map(|(protocol, version)| format!("{protocol} {version}"))
        .collect();
    format!("{product} (speaks {})", speaks.join(", "))
}

/// Checks that the verb takes every option that was typed. `takes` are ids of global options.
///
/// # Errors
/// The option and what the verb takes instead.
pub fn check(
    command: &Command,
    matches: &ArgMatches,
    takes: &[&str],
    typed: impl IntoIterator<Item = String>,
) -> Result<(), String> {
    let verb = matches.subcommand_name().unwrap_or("run");
    let typed: Vec<String> = typed.into_iter().collect();
    for option in command
        .get_arguments()
        .filter(|option| option.is_global_set())
    {
        let Some(name) = option.get_long().map(|name| format!("--{name}")) else {
            continue;
        };
        let id = option.get_id().as_str();
        let was_typed = matches.value_source(id) == Some(ValueSource::CommandLine);
        if was_typed && !takes.contains(&id) {
            return Err(format!(
                "`{name}` means nothing to `{verb}`{}",
                taken(command, takes)
            ));
        }
        let times = typed.iter().filter(|word| is_option(word, &name)).count();
        if times > 1 {
            return Err(format!(
                "`{name}` is given {times} times: which one counts?"
            ));
        }
    }
    Ok(())
}

fn is_option(word: &str, name: &str) -> bool {
    word.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

fn taken(command: &Command, takes: &[&str]) -> String {
    let of = |option: &&Arg| takes.contains(&option.get_id().as_str());
    let names: Vec<String> = command
        .get_arguments()
        .filter(of)
        .filter_map(|option| Some(format!("`--{}`", option.get_long()?)))
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(", which takes {}", names.join(", "))
    }
}

/// Whether what is written to standard error may have colours: a person looks at it, and has not
/// asked for none (no-color.org).
#[must_use]
pub fn colours_on_stderr() -> bool {
    use std::io::IsTerminal as _;
    wants_colours() && std::io::stderr().is_terminal()
}

/// As [`colours_on_stderr`], for standard output.
#[must_use]
pub fn colours_on_stdout() -> bool {
    use std::io::IsTerminal as _;
    wants_colours() && std::io::stdout().is_terminal()
}

fn wants_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str, takes: &[&str]) -> Result<(), String> {
        let command = Command::new("house")
            .arg(
                Arg::new("data_dir")
                    .long("data-dir")
                    .global(true)
                    .default_value("."),
            )
            .arg(Arg::new("listen").long("listen").global(true))
            .subcommand(Command::new("run"))
            .subcommand(Command::new("add"));
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let matches = command.clone().get_matches_from(&words);
        check(&command, &matches, takes, words)
    }

    #[test]
    fn an_option_counts_before_and_after_the_verb_or_is_refused() {
        let all: &[&str] = &["data_dir", "listen"];
        for line in [
            "house",
            "house --listen x run",
            "house run --listen x",
            "house --data-dir=y",
        ] {
            assert_eq!(checked(line, all), Ok(()), "{line}");
        }
        for line in ["house --listen x add", "house add --listen=x"] {
            let refused = checked(line, &["data_dir"]).unwrap_err();
            assert_eq!(
                refused,
                "`--listen` means nothing to `add`, which takes `--data-dir`"
            );
        }
        let twice = checked("house --listen x run --listen=y", all).unwrap_err();
        assert_eq!(twice, "`--listen` is given 2 times: which one counts?");
    }
}
