//! The plugin as a process: real trees, real namespaces, real archives.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test ends it")]
mod ends;
mod outputs;
mod rig;
mod tree;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::Path,
    sync::Arc,
};

use packwire_plugin::{
    Cancellation, Context, Exit, FileInfo, OnError, Outcome, RemoteCommand, RemoteCommunicator, Stop,
    machine::{self, Line},
    pipe,
    testing::{Ended, process},
};
use rig::{Building, system};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) fn place() -> Arc<tempfile::TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

pub(crate) fn with_system() -> Arc<tempfile::TempDir> {
    let place = place();
    system(&place.path().join("system"));
    place
}

pub(crate) fn never() -> Cancellation {
    Cancellation::local(CancellationToken::new())
}

pub(crate) async fn run(machine: &RemoteCommunicator, line: &str) -> Result<String, Stop> {
    machine::output(machine, line, &never()).await
}

/// The names in a tar file, each with owner and kind.
pub(crate) fn entries(path: &Path) -> BTreeMap<String, (u64, u64, tar::EntryType)> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        let owner = (header.uid().unwrap(), header.gid().unwrap(), header.entry_type());
        (entry.path().unwrap().display().to_string(), owner)
    });
    entries.collect()
}

pub(crate) fn content(path: &Path, name: &str) -> Option<String> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    archive.entries().unwrap().map(Result::unwrap).find_map(|mut entry| {
        let mut text = String::new();
        (entry.path().unwrap() == Path::new(name)).then(|| entry.read_to_string(&mut text).unwrap())?;
        Some(text)
    })
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let all = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A command line that nothing else on this machine has, and that takes long.
pub(crate) fn long(place: &Path) -> String {
    let unique: u64 = place
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(7, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()) % 100_000_000);
    format!("sleep 1{unique:09}")
}

/// Whether a process with such a command line lives.
pub(crate) fn lives(command: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ") == command
    })
}

pub(crate) async fn until(condition: impl Fn() -> bool) {
    process::until(condition).await.unwrap();
}
