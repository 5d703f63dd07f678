//! The programs that are tried: `packwire` and the plugins of this repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// `packwire` in a directory of its own: beside it no plugins are found that a test does not want.
pub(crate) fn packwire() -> &'static Path {
    static PACKWIRE: OnceLock<PathBuf> = OnceLock::new();
    PACKWIRE.get_or_init(|| {
        let alone = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alone");
        fs::create_dir_all(&alone).unwrap();
        let (program, new) = (alone.join("packwire"), alone.join(std::process::id().to_string()));
        let built = env!("CARGO_BIN_EXE_packwire");
        fs::hard_link(built, &new).or_else(|_| fs::copy(built, &new).map(drop)).unwrap();
        // Another run of the tests may be using it at this moment.
        fs::rename(&new, &program).unwrap();
        drop(fs::remove_file(&new));
        program
    })
}

/// A plugin of this repository, or the one that is made for these tests.
pub(crate) fn plugin(name: &str) -> PathBuf {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    static STAGE: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let built = match name {
        super::STAGE => STAGE.get_or_init(|| built(&["--package", super::STAGE])),
        _ => BUILT.get_or_init(|| built(&["--workspace", "--bins"])),
    };
    built.get(name).unwrap_or_else(|| panic!("cargo has built no {name}")).clone()
}

/// Cargo builds the binaries of a package's own tests only; the lock it needs is free while tests run.
fn built(what: &[&str]) -> BTreeMap<String, PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "it is waited for")]
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .arg("build")
        .args(what)
        .arg("--message-format=json")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    let output = cargo.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo cannot build the plugins: {said}");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some((message["target"]["name"].as_str()?.to_owned(), message["executable"].as_str()?.into()))
    });
    executables.collect()
}
