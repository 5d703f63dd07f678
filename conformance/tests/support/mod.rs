//! The suite run on the `faulty` plugin, as a user runs it.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use crate::programs::{faulty, output};

/// What the suite said, and its exit code.
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) code: Option<i32>,
}

/// Runs the suite on `faulty NAME`, with these options.
pub(crate) fn conformance(options: &[&str], manner: &str) -> Said {
    run(options, &[faulty().as_os_str(), OsStr::new(manner)])
}

fn run(options: &[&str], plugin: &[&OsStr]) -> Said {
    let arguments = options.iter().copied().chain(["--"]).map(OsStr::new).chain(plugin.iter().copied());
    let output = output(Path::new(env!("CARGO_BIN_EXE_conformance")), arguments);
    Said { text: String::from_utf8_lossy(&output.stdout).into_owned(), code: output.status.code() }
}

/// The JSON report of the suite on `faulty NAME`.
pub(crate) fn report(options: &[&str], manner: &str) -> Value {
    report_on(options, &[faulty().as_os_str(), OsStr::new(manner)])
}

/// The JSON report of the suite on any plugin, a program with its arguments.
pub(crate) fn report_on(options: &[&str], plugin: &[&OsStr]) -> Value {
    let said = run(&[&["--format", "json"], options].concat(), plugin);
    serde_json::from_str(&said.text).unwrap_or_else(|error| panic!("{plugin:?}: {error} in {}", said.text))
}
