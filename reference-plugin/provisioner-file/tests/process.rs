//! The plugin as a process, ended in every way, with an upload under way.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test ends it")]
use std::{path::Path, sync::Arc, time::Duration};

use packwire_wire::{
    CommandIo, Communicator, CommunicatorInfo, Context, Diagnostic, Environment, Exit, FileInfo,
    OfferedCommunicator, OfferedEnvironment, OfferedProgress, OfferedUi, Outcome, ProvisionLent,
    RemoteCancellation, RemoteCapability, RemoteCommand, Reply, Room, StreamReceiver, StreamSender, Ui,
    process::{Attached, Ended, Launch, LogLine, LogSink, Offer, Program, inherited_environment},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const GRACE: Duration = Duration::from_secs(60);

/// A plugin that uploads what has no end.
struct Busy {
    attached: Attached,
    running: JoinHandle<Option<Outcome>>,
    cancellation: CancellationToken,
    /// How each upload ended, as the machine saw it.
    ends: mpsc::UnboundedReceiver<Seen>,
    _directory: tempfile::TempDir,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Begun,
    Aborted,
    Ended,
}

async fn busy(source: &str) -> Busy {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("tree")).unwrap();
    std::fs::File::create(directory.path().join("tree/endless")).unwrap().set_len(1 << 42).unwrap();
    let attached = attach().await;
    let (seen, mut ends) = mpsc::unbounded_channel();
    let cancellation = CancellationToken::new();
    let running = run(&attached, directory.path(), source, Machine(seen), cancellation.clone()).await;
    assert_eq!(ends.recv().await, Some(Seen::Begun));
    Busy { attached, running, cancellation, ends, _directory: directory }
}

async fn attach() -> Attached {
    let program = Program {
        executable: env!("CARGO_BIN_EXE_packer-provisioner-file").into(),
        arguments: Vec::new(),
        environment: inherited_environment::<&str>(&[]),
        directory: None,
    };
    let room = Room::open(tokio::runtime::Handle::current()).unwrap();
    let launch = Launch::new(program, Offer::of(&[1]).unwrap(), Arc::new(Unheard));
    launch.start(&room).unwrap().attach().await.unwrap()
}

/// Starts an upload; `None` is what becomes of it where its plugin is lost.
async fn run(
    attached: &Attached,
    directory: &Path,
    source: &str,
    machine: Machine,
    cancellation: CancellationToken,
) -> JoinHandle<Option<Outcome>> {
    let RemoteCapability::Provisioner(provisioner) = &attached.hello().components[0].capability else {
        panic!("it offers something else")
    };
    let context = Context { working_dir: directory.display().to_string(), ..Context::default() };
    let config = format!(r#"{{"source": "{source}", "destination": "/srv/"}}"#);
    let prepared = provisioner.prepare(config, context).await.unwrap();
    let provision = prepared.object.unwrap_or_else(|| panic!("{:?}", prepared.diagnostics));
    let lent = ProvisionLent {
        ui: OfferedUi::new(Unheard),
        communicator: Some(OfferedCommunicator::new(machine)),
        generated_data: "{}".to_owned(),
        environment: OfferedEnvironment::new(Unheard),
        cancellation,
    };
    tokio::spawn(async move { provision.run(lent).await.ok() })
}

fn signal(id: u32, signal: Signal) {
    kill_process(i32::try_from(id).ok().and_then(Pid::from_raw).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn a_cancelled_upload_is_aborted_and_the_plugin_stays() {
    for source in ["tree/endless", "tree", "tree/"] {
        let mut busy = busy(source).await;
        busy.cancellation.cancel();
        assert_eq!(busy.running.await.unwrap(), Some(Outcome::Cancelled));
        assert_eq!(busy.ends.recv().await, Some(Seen::Aborted));
        assert_eq!(busy.attached.leave(GRACE).await.ended, Ended::Exited(0));
    }
}

#[tokio::test]
async fn leave_aborts_the_upload_and_exits_with_0() {
    let mut busy = busy("tree").await;
    assert_eq!(busy.attached.leave(GRACE).await.ended, Ended::Exited(0));
    assert_eq!(
        busy.running.await.unwrap(),
        Some(Outcome::Cancelled),
        "the answer came before the plugin went"
    );
    assert_eq!(busy.ends.recv().await, Some(Seen::Aborted));
}

#[tokio::test]
async fn sigterm_aborts_the_upload_and_exits_with_4() {
    let mut busy = busy("tree").await;
    signal(busy.attached.id(), Signal::TERM);
    busy.attached.gone().cancelled().await;
    assert_eq!(busy.attached.leave(GRACE).await.ended, Ended::Exited(4));
    assert_eq!(busy.ends.recv().await, Some(Seen::Aborted));
}

#[tokio::test]
async fn the_upload_of_a_killed_plugin_is_aborted() {
    for source in ["tree/endless", "tree"] {
        let mut busy = busy(source).await;
        signal(busy.attached.id(), Signal::KILL);
        assert_eq!(busy.running.await.unwrap(), None);
        assert_eq!(busy.ends.recv().await, Some(Seen::Aborted));
    }
}

/// A machine that takes what comes and keeps nothing.
struct Machine(mpsc::UnboundedSender<Seen>);

impl Machine {
    async fn take(&self, mut content: StreamReceiver) -> Outcome {
        self.0.send(Seen::Begun).unwrap();
        loop {
            match content.next().await {
                Ok(Some(_)) => {}
                Ok(None) => break self.0.send(Seen::Ended).unwrap(),
                Err(_) => break drop(self.0.send(Seen::Aborted)),
            }
        }
        Outcome::Done
    }
}

impl Communicator for Machine {
    async fn info(&self) -> CommunicatorInfo {
        CommunicatorInfo {
            kind: "sink".to_owned(),
            features: vec!["tree".to_owned()],
            ..CommunicatorInfo::default()
        }
    }

    async fn run(&self, _: RemoteCommand, io: CommandIo) -> Exit {
        drop(tokio::join!(io.stdout.end(), io.stderr.end()));
        Exit::Status(0)
    }

    async fn upload(&self, _: String, _: FileInfo, content: StreamReceiver) -> Outcome {
        self.take(content).await
    }

    async fn upload_tree(&self, _: String, archive: StreamReceiver) -> Outcome {
        self.take(archive).await
    }

    async fn download(&self, _: String, _: StreamSender, _: RemoteCancellation) -> (Outcome, FileInfo) {
        (Outcome::failed("there is nothing"), FileInfo::default())
    }
}

/// A host that hears and gives nothing.
struct Unheard;

impl LogSink for Unheard {
    fn line(&self, _: &LogLine) {}
}

impl Environment for Unheard {
    async fn communicator(&self, _: String, _: String) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
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
        panic!("nothing here is measured")
    }
    async fn mask(&self, _: String) {}
}
