//! The `packwire` command; everything is decided in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    packwire_host::command::main().into()
}
