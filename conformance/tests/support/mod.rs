//! The suite run on the `faulty` plugin, as a user runs it.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use crate::programs::{faulty, output};

/// What the suite said, and its exit code.
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) errors: String,
    pub(crate) code: Option<i32>,
}

/// Runs the suite on `faulty NAME`, with these options.
pub(crate) fn conformance(options: &[&str], manner: &str) -> Said {
    on(options, &[faulty().as_os_str(), OsStr::new(manner)])
}

/// Runs the suite on any plugin, a program with its arguments.
pub(crate) fn on(options: &[&str], plugin: &[&OsStr]) -> Said {
    let arguments = options.iter().copied().chain(["--"]).map(OsStr::new).chain(plugin.iter().copied());
    typed(arguments)
}

/// Runs the suite with these arguments.
pub(crate) fn typed<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Said {
    let output = output(Path::new(env!("CARGO_BIN_EXE_conformance")), arguments);
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { text: read(&output.stdout), errors: read(&output.stderr), code: output.status.code() }
}

/// The JSON report of the suite on `faulty NAME`.
pub(crate) fn report(options: &[&str], manner: &str) -> Value {
    report_on(options, &[faulty().as_os_str(), OsStr::new(manner)])
}

/// The JSON report of the suite on any plugin, a program with its arguments.
pub(crate) fn report_on(options: &[&str], plugin: &[&OsStr]) -> Value {
    let said = on(&[&["--format", "json"], options].concat(), plugin);
    serde_json::from_str(&said.text).unwrap_or_else(|error| panic!("{plugin:?}: {error} in {}", said.text))
}
