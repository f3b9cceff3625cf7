//! Keys as options of the command line: `parley.data_dir` is `--data-dir`.

use std::marker::PhantomData;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::{Read, Settings};

/// What was typed of the settings `S`; each key of theirs is a global option.
#[derive(Debug, Clone)]
pub struct Flags<S> {
    typed: Vec<(&'static str, String)>,
    settings: PhantomData<S>,
}

impl<S: Settings> Flags<S> {
    /// The names of all options, as clap's ids.
    #[must_use]
    pub fn ids() -> Vec<&'static str> {
        S::keys().iter().map(|key| key.parts().1).collect()
    }

    /// Lets what was typed overrule everything else.
    pub fn overrule(&self, read: &mut Read<S>) {
        for (path, text) in &self.typed {
            read.overrule(path, text);
        }
    }
}

impl<S: Settings> Args for Flags<S> {
    fn augment_args(command: Command) -> Command {
        let defaults = S::default();
        S::keys().iter().fold(command, |command, key| {
            let name = key.parts().1;
            let doc = key.doc.split_whitespace().collect::<Vec<_>>().join(" ");
            let mut help = format!("{doc} [env: {}]", key.names().join(", "));
            let default = key.text(&defaults);
            if !default.is_empty() && !key.is_flag {
                help.push_str(&format!(" [default: {default}]"));
            }
            let option = Arg::new(name)
                .long(name.replace('_', "-"))
                .global(true)
                .help(help)
                .action(ArgAction::Set)
                // An id may be an option of a verb as well, and clap wants both of one type.
                .value_parser(clap::value_parser!(PathBuf));
            command.arg(if key.is_flag {
                option
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true")
            } else {
                option
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Settings> FromArgMatches for Flags<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = S::keys().iter().filter_map(|key| {
            let id = key.parts().1;
            let is_typed = matches.value_source(id) == Some(ValueSource::CommandLine);
            let value = matches.get_one::<PathBuf>(id).filter(|_| is_typed)?;
            Some((key.path, value.to_string_lossy().into_owned()))
        });
        Ok(Self {
            typed: typed.collect(),
            settings: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
