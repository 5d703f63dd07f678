//! The plugin as a process, ended in every way, with a command under way.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use std::path::{Path, PathBuf};

use packwire_plugin::{
    Cancellation, Exit, Stop, StreamSender,
    machine::{self, Line},
    testing::{
        Ended, Host, Process,
        process::{files, lives, until},
    },
};
use serde_json::json;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A plugin with a command under way, which has a child.
struct Busy {
    plugin: Process,
    host: Host,
    running: JoinHandle<Result<Exit, Stop>>,
    directory: PathBuf,
    child: u32,
}

async fn busy() -> Busy {
    let plugin = Process::attach(env!("CARGO_BIN_EXE_packer-communicator-local")).await.unwrap();
    let host = Host::new();
    let machine = plugin.open(&host, json!({})).await.unwrap();
    let (printed, mut lines) = mpsc::unbounded_channel();
    let running = tokio::spawn(async move {
        let never = Cancellation::local(CancellationToken::new());
        machine::run(&machine, "pwd -P; sleep 1000 & echo $!; wait", &never, |line| {
            let (Line::Stdout(line) | Line::Stderr(line)) = line;
            drop(printed.send(line));
            std::future::ready(())
        })
        .await
    });
    let directory = lines.recv().await.unwrap().into();
    let child = lines.recv().await.unwrap().parse().unwrap();
    Busy { plugin, host, running, directory, child }
}

#[tokio::test]
async fn leave_ends_the_command_and_the_directory_and_exits_with_0() {
    let Busy { plugin, host: _, running, directory, child } = busy().await;
    assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
    assert!(!lives(child) && !directory.exists());
    let answer = running.await.unwrap();
    assert_eq!(answer, Ok(Exit::Cancelled), "it came before the plugin went");
}

#[tokio::test]
async fn sigterm_and_the_end_of_the_host_do_the_same_and_the_status_is_4() {
    let terminated = busy().await;
    assert_eq!(terminated.plugin.terminate().await, Ok(Ended::Exited(4)));
    assert!(!lives(terminated.child) && !terminated.directory.exists());
    let left_alone = busy().await;
    assert_eq!(left_alone.plugin.lose_host().await, Ok(Ended::Exited(4)));
    assert!(!lives(left_alone.child));
    assert!(!left_alone.directory.exists());
}

#[tokio::test]
async fn sigint_is_the_hosts_business() {
    let Busy { plugin, host, running, directory: _, child } = busy().await;
    plugin.interrupt().unwrap();
    plugin.open(&host, json!({})).await.unwrap().close().await.unwrap();
    assert!(lives(child) && !running.is_finished());
    assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn the_command_of_a_killed_plugin_ends_with_its_session() {
    let Busy { plugin, host: _, running, directory: _, child } = busy().await;
    plugin.kill().await.unwrap();
    assert_ne!(running.await.unwrap(), Ok(Exit::Status(0)));
    assert!(!lives(child));
}

/// Two thousand bytes of an archive whose file has many more.
async fn half_a_tree(busy: &Busy, path: &Path) -> StreamSender {
    let machine = busy.plugin.open(&busy.host, json!({})).await.unwrap();
    let mut archive = machine.upload_tree(path.display().to_string()).await.unwrap();
    let mut header = vec![0; 512];
    let fields: [(usize, &[u8]); 5] =
        [(0, b"file"), (100, b"0000644"), (124, b"00000100000"), (156, b"0"), (257, b"ustar\x0000")];
    for (at, field) in fields {
        header[at..at + field.len()].copy_from_slice(field);
    }
    let sum = header.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header.resize(2000, b'x');
    archive.write(header).await.unwrap();
    archive
}

/// Waits until something has come of a tree that is not there yet.
async fn begins(directory: &Path) {
    let file = || {
        let staging = std::fs::read_dir(directory).ok()?.next()?.ok()?.path();
        staging.join("new/file").metadata().ok().filter(|file| file.len() > 0)
    };
    until(|| file().is_some()).await.unwrap();
}

#[tokio::test]
async fn half_a_tree_is_gone_when_the_plugin_has_left_or_was_terminated() {
    for (is_terminated, status) in [(false, 0), (true, 4)] {
        let directory = tempfile::tempdir().unwrap();
        let busy = busy().await;
        let _archive = half_a_tree(&busy, &directory.path().join("tree")).await;
        begins(directory.path()).await;
        let plugin = busy.plugin;
        let ended = if is_terminated { plugin.terminate().await } else { plugin.leave().await };
        assert_eq!(ended, Ok(Ended::Exited(status)));
        assert!(files(directory.path()).is_empty());
    }
}
