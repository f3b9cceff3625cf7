//! The binary `offloader`; see `offloader::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    offloader::cli::main()
}
