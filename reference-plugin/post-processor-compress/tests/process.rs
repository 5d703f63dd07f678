//! The plugin as a process, ended in every way, while it compresses what has no end.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use std::{fs::File, path::Path};

use packwire_plugin::{
    FilesArtifact, Stop,
    testing::{
        Ended, Host, Process, Processed,
        process::{End, Running, files, until},
    },
};
use serde_json::json;

/// One of each encoder.
const OUTPUTS: [&str; 4] = ["disk.tar.gz", "disk.xz", "disk.tar.zst", "disk.zip"];

async fn attach() -> Process {
    Process::attach(env!("CARGO_BIN_EXE_packer-post-processor-compress")).await.unwrap()
}

/// A directory with a file of so many bytes.
fn place(bytes: u64) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    File::create(place.path().join("disk")).unwrap().set_len(bytes).unwrap();
    place
}

fn run(plugin: &Process, host: &Host, place: &Path, output: &str) -> Running<Processed> {
    let artifact = FilesArtifact::new("x", "7", "X", vec![place.join("disk")]);
    plugin.post_process(host, json!({"output": format!("out/{output}")}), artifact)
}

/// A plugin that writes a draft.
struct Busy {
    plugin: Process,
    host: Host,
    running: Running<Processed>,
    place: tempfile::TempDir,
}

async fn busy(output: &str) -> Busy {
    let place = place(1 << 42);
    let (plugin, host) = (attach().await, Host::new().working_in(place.path()));
    let running = run(&plugin, &host, place.path(), output);
    until(|| host.told().iter().any(|line| line.starts_with("progress: compressing"))).await.unwrap();
    assert_eq!(files(place.path()).len(), 3, "there is a draft");
    Busy { plugin, host, running, place }
}

#[tokio::test]
async fn a_run_makes_the_output() {
    let place = place(1 << 20);
    let (plugin, host) = (attach().await, Host::new().working_in(place.path()));
    let processed = run(&plugin, &host, place.path(), "disk.zst").await.unwrap();
    assert_eq!(files(place.path()), ["disk", "out", "out/disk.zst"]);
    let output = place.path().join("out/disk.zst");
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(File::open(&output).unwrap()).unwrap();
    assert_eq!(std::io::copy(&mut decoder, &mut std::io::sink()).unwrap(), 1 << 20);
    processed.finished.destroy().await.unwrap();
    assert!(!output.exists());
    assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn a_cancelled_run_leaves_nothing_and_the_plugin_stays() {
    for output in OUTPUTS {
        let busy = busy(output).await;
        busy.host.cancel();
        assert_eq!(busy.running.await.unwrap_err(), Stop::Cancelled);
        assert_eq!(files(busy.place.path()), ["disk"]);
        assert!(busy.host.remembered().is_empty());
        assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
    }
}

#[tokio::test]
async fn whatever_ends_the_session_leaves_nothing() {
    for (end, output) in End::ALL.into_iter().zip(OUTPUTS) {
        let busy = busy(output).await;
        busy.plugin.end(end).await.unwrap();
        assert_eq!(files(busy.place.path()), ["disk"], "{end:?}");
    }
}
