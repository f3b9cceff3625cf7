//! The binary `parley`; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    parley::main()
}
