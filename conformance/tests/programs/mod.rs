//! The programs that tests run: built when they are asked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The plugin, called as a builder `green` is: its file name promises what it offers.
pub(crate) fn faulty() -> &'static Path {
    static FAULTY: OnceLock<PathBuf> = OnceLock::new();
    FAULTY.get_or_init(|| {
        let links = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (link, new) = (links.join("packer-builder-green"), links.join(std::process::id().to_string()));
        std::os::unix::fs::symlink(built("packwire-faulty", "faulty"), &new).expect("a link to the plugin");
        // Other tests may use the link at this moment.
        std::fs::rename(&new, &link).expect("the link takes its place");
        link
    })
}

/// A binary of another package: cargo builds those of a package's own tests only.
pub(crate) fn built(package: &str, binary: &str) -> PathBuf {
    let arguments = ["build", "--package", package, "--bins", "--message-format=json"];
    let output = output(Path::new(env!("CARGO")), arguments);
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executables.find(|path| path.ends_with(binary)).unwrap_or_else(|| panic!("cargo has not built {binary}"))
}

/// Runs a program to its end.
pub(crate) fn output<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Output {
    #[expect(clippy::disallowed_methods, reason = "it is waited for, and the suite ends what it starts")]
    let mut command = Command::new(program);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command.output().expect("the program can be started")
}
