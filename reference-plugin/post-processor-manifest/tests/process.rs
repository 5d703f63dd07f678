//! The plugin as a process, ended in every way, while it waits for its turn to write.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use std::{fs, fs::File, path::Path};

use packwire_plugin::{
    FilesArtifact, Stop,
    testing::{
        Ended, Host, Process, Processed,
        process::{End, Running, files, until},
    },
};
use serde_json::{Value, json};

async fn attach() -> Process {
    Process::attach(env!("CARGO_BIN_EXE_packer-post-processor-manifest")).await.unwrap()
}

fn run(plugin: &Process, host: &Host) -> Running<Processed> {
    plugin.post_process(host, json!({"output": "list.json"}), FilesArtifact::new("x", "7", "X", Vec::new()))
}

/// A plugin whose draft is there, while somebody else holds the directory.
struct Busy {
    plugin: Process,
    host: Host,
    running: Running<Processed>,
    place: tempfile::TempDir,
    held: File,
}

async fn busy() -> Busy {
    let place = tempfile::tempdir().unwrap();
    let held = File::open(place.path()).unwrap();
    held.lock().unwrap();
    let (plugin, host) = (attach().await, Host::new().working_in(place.path()));
    let running = run(&plugin, &host);
    until(|| files(place.path()).len() == 1).await.unwrap();
    Busy { plugin, host, running, place, held }
}

fn list(place: &Path) -> Value {
    serde_json::from_slice(&fs::read(place.join("list.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn a_run_that_has_its_turn_adds_to_the_list() {
    let busy = busy().await;
    fs::write(busy.place.path().join("list.json"), r#"{"builds": [{"name": "other"}]}"#).unwrap();
    drop(busy.held);
    busy.running.await.unwrap();
    let list = list(busy.place.path());
    assert_eq!(
        (&list["builds"][0]["name"], &list["builds"][1]["artifact_id"]),
        (&json!("other"), &json!("7"))
    );
    assert_eq!(files(busy.place.path()), ["list.json"]);
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn a_cancelled_run_leaves_nothing_and_the_plugin_stays() {
    let busy = busy().await;
    busy.host.cancel();
    assert_eq!(busy.running.await.unwrap_err(), Stop::Cancelled);
    assert!(files(busy.place.path()).is_empty());
    assert!(busy.host.remembered().is_empty());
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn whatever_ends_the_session_leaves_nothing() {
    for end in End::ALL {
        let busy = busy().await;
        busy.plugin.end(end).await.unwrap();
        assert!(files(busy.place.path()).is_empty(), "{end:?}");
    }
}
