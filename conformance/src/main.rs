//! The `conformance` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    packwire_conformance::cli::main()
}
