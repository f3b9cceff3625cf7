//! `parley` as the operator sees it: a process with a command line, an environment, files, exit codes.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, the helpers too may fail by panic"
)]

mod admin;
mod command_line;
mod ends;
mod house;
mod nodes;
mod people;
mod proxy;
