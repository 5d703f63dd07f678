//! The plugin as a process, ended in every way, while it copies what has no end.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use std::{fs::File, path::Path};

use packwire_plugin::{
    Kind, Stop,
    testing::{
        Ended, Finished, Host, Process,
        process::{End, Running, files, until},
    },
};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

/// A plugin that copies a named pipe, into which nobody writes.
struct Busy {
    plugin: Process,
    host: Host,
    running: Running<Finished>,
    directory: tempfile::TempDir,
    _writer: File,
}

async fn attach() -> Process {
    Process::attach(env!("CARGO_BIN_EXE_packer-builder-file")).await.unwrap()
}

async fn busy() -> Busy {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("endless");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let writer = File::options().read(true).write(true).open(&pipe).unwrap();
    let (plugin, host) = (attach().await, Host::new().working_in(directory.path()));
    let running = plugin.build(&host, json!({"target": "a/note", "source": "endless"}));
    // The draft.
    until(|| files(directory.path()).len() == 3).await.unwrap();
    Busy { plugin, host, running, directory, _writer: writer }
}

fn assert_nothing_is_left(directory: &Path) {
    assert_eq!(files(directory), ["endless"]);
}

#[tokio::test]
async fn a_build_makes_the_file_and_its_artifact_removes_it() {
    let directory = tempfile::tempdir().unwrap();
    let (plugin, host) = (attach().await, Host::new().working_in(directory.path()));
    let finished = plugin.build(&host, json!({"target": "a/note", "content": "hi"})).await.unwrap();
    let note = directory.path().join("a/note");
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "hi");
    assert_eq!(finished.describe().await.unwrap().files, [note.display().to_string()]);
    assert!(host.remembered().is_empty());
    finished.destroy().await.unwrap();
    assert!(!note.exists());
    assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn a_cancelled_build_leaves_nothing_and_the_plugin_stays() {
    let busy = busy().await;
    busy.host.cancel();
    assert_eq!(busy.running.await.unwrap_err(), Stop::Cancelled);
    assert_nothing_is_left(busy.directory.path());
    assert!(busy.host.remembered().is_empty());
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn whatever_ends_the_session_leaves_nothing() {
    for end in End::ALL {
        let busy = busy().await;
        busy.plugin.end(end).await.unwrap();
        assert_nothing_is_left(busy.directory.path());
        assert_eq!(busy.host.remembered().is_empty(), end != End::HostLost, "{end:?}");
    }
}

#[tokio::test]
async fn what_a_killed_plugin_left_is_recovered_by_the_next() {
    let busy = busy().await;
    busy.plugin.kill().await.unwrap();
    assert_eq!(files(busy.directory.path()).len(), 3);
    let host = Host::new().working_in(busy.directory.path()).remembering(&busy.host.remembered()[0]);
    let plugin = attach().await;
    let config = json!({"target": "a/note", "source": "endless"});
    plugin.recover(Kind::Builder, &host, config).await.unwrap();
    assert_nothing_is_left(busy.directory.path());
    assert!(host.remembered().is_empty());
    assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
}
