//! What an operator can decide about a program: declared once, read, checked and shown in one way.
//!
//! [`settings!`] declares the keys: table, name, type, default, names in the environment, rule, and
//! the operator's manual. From that come: a struct with typed fields; reading ([`Read`]: defaults,
//! then the file, the environment, the command line); every problem at once ([`Problems`]); the
//! verbs `check-config`, `print-config` and `sample-config` ([`Ask`]); the file with the manual
//! ([`sample`]).
//!
//! Not here: what values mean together. A service checks that with a [`Check`], whose problems join
//! those of reading.
//!
//! As a test has it:
#![doc = "```ignore"]
#![doc = include_str!("../tests/mill.rs")]
#![doc = "```"]

mod ask;
mod check;
mod declare;
mod environment;
mod flags;
mod names;
mod print;
mod read;
mod rule;
mod value;

pub use ask::{Ask, answer};
pub use check::{Check, Problem, Problems};
pub use declare::{Key, Manner, Other, Settings, Spelling};
pub use environment::Environment;
pub use flags::Flags;
pub use names::{hint, nearest};
pub use print::sample;
pub use read::{FileError, Origin, Read};
pub use rule::{range, words_of};
pub use value::{Auto, Json, Link, Parsed, PerCpu, Value, Words, Written};
