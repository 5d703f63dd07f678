//! The plugin as a process, ended in every way, with a command under way.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test ends it")]
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use packwire_wire::{
    ConnectionLent, ConnectionOutcome, Context, Environment, Exit, OfferedCancellation, OfferedCommunicator,
    OfferedEnvironment, OfferedProgress, OfferedUi, Outcome, RemoteCapability, RemoteCommand,
    RemoteCommunicator, Reply, Room, StreamReceiver, Ui, pipe,
    process::{Attached, Ended, Launch, LogLine, LogSink, Offer, Program, inherited_environment},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const GRACE: Duration = Duration::from_secs(60);

/// A plugin with a command under way, which has a child.
struct Busy {
    attached: Attached,
    running: JoinHandle<Exit>,
    child: String,
    directory: PathBuf,
}

async fn busy() -> Busy {
    let program = Program {
        executable: env!("CARGO_BIN_EXE_packer-communicator-local").into(),
        arguments: Vec::new(),
        environment: inherited_environment::<&str>(&[]),
        directory: None,
    };
    let room = Room::open(tokio::runtime::Handle::current()).unwrap();
    let launch = Launch::new(program, Offer::of(&[1]).unwrap(), Arc::new(Unheard));
    let attached = launch.start(&room).unwrap().attach().await.unwrap();
    let machine = open(&attached).await;
    let ((stdout, mut output), (stderr, errors)) = (pipe(), pipe());
    errors.finish(Outcome::Done);
    let command = RemoteCommand::new("pwd -P; sleep 1000 & echo $!; wait");
    let (process, _) = machine.command(command).await.unwrap();
    let never = OfferedCancellation::from(CancellationToken::new());
    let running = tokio::spawn(async move {
        process.run(stdout, stderr, never).await.unwrap_or_else(|broken| Exit::Lost(broken.to_string()))
    });
    let (directory, child) = two_lines(&mut output).await;
    drop(tokio::spawn(async move {
        while let Ok(Some(_)) = output.next().await {}
        output.finish(Outcome::Done);
    }));
    Busy { attached, running, child, directory: directory.into() }
}

async fn two_lines(output: &mut StreamReceiver) -> (String, String) {
    let mut text = String::new();
    while text.matches('\n').count() < 2 {
        text.push_str(std::str::from_utf8(&output.next().await.unwrap().unwrap()).unwrap());
    }
    let (one, other) = text.trim_end().split_once('\n').unwrap();
    (one.to_owned(), other.to_owned())
}

async fn open(attached: &Attached) -> RemoteCommunicator {
    let RemoteCapability::Communicator(connector) = &attached.hello().components[0].capability else {
        panic!("it offers something else")
    };
    let prepared = connector.prepare("{}".to_owned(), Context::default()).await.unwrap();
    let lent = ConnectionLent {
        ui: OfferedUi::new(Unheard),
        environment: OfferedEnvironment::new(Unheard),
        cancellation: CancellationToken::new(),
    };
    match prepared.object.unwrap().open(lent).await.unwrap() {
        ConnectionOutcome::Communicator(machine) => machine,
        other => panic!("{other:?}"),
    }
}

fn signal(id: u32, signal: Signal) {
    kill_process(i32::try_from(id).ok().and_then(Pid::from_raw).unwrap(), signal).unwrap();
}

fn lives(pid: &str) -> bool {
    std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn leave_ends_the_command_and_the_directory_and_exits_with_0() {
    let Busy { attached, running, child, directory } = busy().await;
    assert_eq!(attached.leave(GRACE).await.ended, Ended::Exited(0));
    assert!(!lives(&child) && !directory.exists());
    assert_eq!(running.await.unwrap(), Exit::Cancelled, "the answer came before the plugin went");
}

#[tokio::test]
async fn sigterm_does_the_same_and_exits_with_4() {
    let Busy { attached, running: _, child, directory } = busy().await;
    signal(attached.id(), Signal::TERM);
    attached.gone().cancelled().await;
    assert_eq!(attached.leave(GRACE).await.ended, Ended::Exited(4));
    assert!(!lives(&child) && !directory.exists());
}

#[tokio::test]
async fn sigint_is_the_hosts_business() {
    let Busy { attached, running, child, directory: _ } = busy().await;
    signal(attached.id(), Signal::INT);
    open(&attached).await.close().await.unwrap();
    assert!(lives(&child) && !running.is_finished());
    assert_eq!(attached.leave(GRACE).await.ended, Ended::Exited(0));
}

#[tokio::test]
async fn the_command_of_a_killed_plugin_ends_with_its_session() {
    let Busy { attached, running, child, directory } = busy().await;
    signal(attached.id(), Signal::KILL);
    assert!(matches!(running.await.unwrap(), Exit::Lost(_)));
    drop(attached);
    assert!(!lives(&child));
    // Nobody was left to remove it.
    std::fs::remove_dir_all(directory).unwrap();
}

/// Two thousand bytes of an archive whose file has many more.
async fn half_a_tree(attached: &Attached, path: &Path) -> packwire_wire::StreamSender {
    let mut archive = open(attached).await.upload_tree(path.display().to_string()).await.unwrap();
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
        let staging = std::fs::read_dir(directory).unwrap().next()?.unwrap().path();
        staging.join("new/file").metadata().ok().filter(|file| file.len() > 0)
    };
    let begun = async {
        while file().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(GRACE, begun).await.unwrap();
}

#[tokio::test]
async fn half_a_tree_is_gone_when_the_plugin_has_left_or_was_terminated() {
    for (stop, status) in [(None, 0), (Some(Signal::TERM), 4)] {
        let directory = tempfile::tempdir().unwrap();
        let busy = busy().await;
        let _archive = half_a_tree(&busy.attached, &directory.path().join("tree")).await;
        begins(directory.path()).await;
        if let Some(stop) = stop {
            signal(busy.attached.id(), stop);
            busy.attached.gone().cancelled().await;
        }
        assert_eq!(busy.attached.leave(GRACE).await.ended, Ended::Exited(status));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

/// A host that hears and gives nothing.
struct Unheard;

impl LogSink for Unheard {
    fn line(&self, _: &LogLine) {}
}

impl Environment for Unheard {
    async fn communicator(
        &self,
        _: String,
        _: String,
    ) -> Result<OfferedCommunicator, Vec<packwire_wire::Diagnostic>> {
        Err(Vec::new())
    }
}

impl Ui for Unheard {
    async fn say(&self, _: String) {}
    async fn message(&self, _: String) {}
    async fn error(&self, _: String) {}
    async fn machine(&self, _: String, _: Vec<String>) {}
    async fn ask(&self, _: String, _: bool) -> Reply {
        Reply::Refused("nobody is there".to_owned())
    }
    async fn progress(&self, _: String, _: u64) -> OfferedProgress {
        panic!("nothing here takes time")
    }
    async fn mask(&self, _: String) {}
}
