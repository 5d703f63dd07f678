//! The plugin as a process, ended in every way: while it reads what has no end, and while it waits for its turn to write.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use std::{fs, fs::File, path::Path};

use packwire_plugin::{
    FilesArtifact, Stop,
    testing::{
        Ended, Host, Process, Processed,
        process::{End, Running, files, until},
    },
};
use serde_json::json;

async fn attach() -> Process {
    Process::attach(env!("CARGO_BIN_EXE_packer-post-processor-checksum")).await.unwrap()
}

/// A directory with a file of so many bytes.
fn place(bytes: u64) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    File::create(place.path().join("disk")).unwrap().set_len(bytes).unwrap();
    place
}

fn run(plugin: &Process, host: &Host, place: &Path) -> Running<Processed> {
    let config = json!({"checksum_types": ["sha256"], "output": "sums/list"});
    plugin.post_process(host, config, FilesArtifact::new("x", "7", "X", vec![place.join("disk")]))
}

/// A plugin in the middle of its work.
struct Busy {
    plugin: Process,
    host: Host,
    running: Running<Processed>,
    place: tempfile::TempDir,
    /// What keeps it there.
    _held: Option<File>,
}

impl Busy {
    /// It reads what has no end.
    async fn reading() -> Self {
        let place = place(1 << 42);
        let (plugin, host) = (attach().await, Host::new().working_in(place.path()));
        let running = run(&plugin, &host, place.path());
        until(|| host.told().iter().any(|line| line.starts_with("progress: checksums"))).await.unwrap();
        Self { plugin, host, running, place, _held: None }
    }

    /// Its draft is there, and somebody else holds the directory.
    async fn waiting() -> Self {
        let place = place(3);
        fs::create_dir(place.path().join("sums")).unwrap();
        let held = File::open(place.path().join("sums")).unwrap();
        held.lock().unwrap();
        let (plugin, host) = (attach().await, Host::new().working_in(place.path()));
        let running = run(&plugin, &host, place.path());
        until(|| files(place.path()).iter().any(|file| file.ends_with(".draft"))).await.unwrap();
        Self { plugin, host, running, place, _held: Some(held) }
    }

    async fn both() -> [Self; 2] {
        [Self::reading().await, Self::waiting().await]
    }
}

fn assert_nothing_is_left(place: &Path) {
    let left: Vec<_> = files(place).into_iter().filter(|file| file != "sums").collect();
    assert_eq!(left, ["disk"]);
}

#[tokio::test]
async fn a_run_writes_the_checksums() {
    let place = place(0);
    let (plugin, host) = (attach().await, Host::new().working_in(place.path()));
    let processed = run(&plugin, &host, place.path()).await.unwrap();
    let list = place.path().join("sums/list");
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(fs::read_to_string(&list).unwrap(), format!("{empty}\tdisk\n"));
    assert_eq!(processed.finished.describe().await.unwrap().files[1], list.display().to_string());
    assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn a_cancelled_run_leaves_nothing_and_the_plugin_stays() {
    for busy in Busy::both().await {
        busy.host.cancel();
        assert_eq!(busy.running.await.unwrap_err(), Stop::Cancelled);
        assert_nothing_is_left(busy.place.path());
        assert!(busy.host.remembered().is_empty());
        assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
    }
}

#[tokio::test]
async fn whatever_ends_the_session_leaves_nothing() {
    for end in End::ALL {
        for busy in Busy::both().await {
            busy.plugin.end(end).await.unwrap();
            assert_nothing_is_left(busy.place.path());
        }
    }
}
