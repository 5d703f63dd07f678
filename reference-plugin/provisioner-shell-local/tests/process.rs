//! The plugin as a process, ended in every way, with a script under way.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test ends it")]
use std::{path::Path, sync::Arc, time::Duration};

use packwire_wire::{
    Context, Diagnostic, Environment, OfferedCommunicator, OfferedEnvironment, OfferedProgress, OfferedUi,
    Outcome, ProvisionLent, RemoteCapability, Reply, Room, Ui,
    process::{Attached, Ended, Launch, LogLine, LogSink, Offer, Program, inherited_environment},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const GRACE: Duration = Duration::from_secs(60);

/// A plugin with a script under way, which has a child.
struct Busy {
    attached: Attached,
    running: JoinHandle<Option<Outcome>>,
    cancellation: CancellationToken,
    /// The file that the script was made, and the id of its child.
    script: String,
    child: String,
}

async fn busy() -> Busy {
    let program = Program {
        executable: env!("CARGO_BIN_EXE_packer-provisioner-shell-local").into(),
        arguments: Vec::new(),
        environment: inherited_environment::<&str>(&[]),
        directory: None,
    };
    let room = Room::open(tokio::runtime::Handle::current()).unwrap();
    let launch = Launch::new(program, Offer::of(&[1]).unwrap(), Arc::new(Unheard));
    let attached = launch.start(&room).unwrap().attach().await.unwrap();
    let RemoteCapability::Provisioner(provisioner) = &attached.hello().components[0].capability else {
        panic!("it offers something else")
    };
    assert!(!attached.hello().components[0].needs_communicator);
    let context = Context { working_dir: "/".to_owned(), ..Context::default() };
    let config = r#"{"inline": ["sleep 1000 &", "echo $0 $!", "wait"]}"#.to_owned();
    let provision = provisioner.prepare(config, context).await.unwrap().object.unwrap();
    let (told, mut lines) = mpsc::unbounded_channel();
    let cancellation = CancellationToken::new();
    let lent = ProvisionLent {
        ui: OfferedUi::new(Lines(told)),
        communicator: None,
        generated_data: "{}".to_owned(),
        environment: OfferedEnvironment::new(Unheard),
        cancellation: cancellation.clone(),
    };
    let running = tokio::spawn(async move { provision.run(lent).await.ok() });
    let line: String = lines.recv().await.unwrap();
    let (script, child) = line.split_once(' ').unwrap();
    let (script, child) = (script.to_owned(), child.to_owned());
    assert!(lives(&child) && Path::new(&script).exists());
    Busy { attached, running, cancellation, script, child }
}

fn signal(id: u32, signal: Signal) {
    kill_process(i32::try_from(id).ok().and_then(Pid::from_raw).unwrap(), signal).unwrap();
}

fn lives(pid: &str) -> bool {
    std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_cancelled_script_ends_with_its_children_and_its_file() {
    let busy = busy().await;
    busy.cancellation.cancel();
    assert_eq!(busy.running.await.unwrap(), Some(Outcome::Cancelled));
    assert!(!lives(&busy.child) && !Path::new(&busy.script).exists());
    assert_eq!(busy.attached.leave(GRACE).await.ended, Ended::Exited(0));
}

#[tokio::test]
async fn leave_ends_the_script_and_exits_with_0() {
    let busy = busy().await;
    assert_eq!(busy.attached.leave(GRACE).await.ended, Ended::Exited(0));
    assert!(!lives(&busy.child) && !Path::new(&busy.script).exists());
    assert_eq!(
        busy.running.await.unwrap(),
        Some(Outcome::Cancelled),
        "the answer came before the plugin went"
    );
}

#[tokio::test]
async fn sigterm_does_the_same_and_exits_with_4() {
    let busy = busy().await;
    signal(busy.attached.id(), Signal::TERM);
    busy.attached.gone().cancelled().await;
    assert_eq!(busy.attached.leave(GRACE).await.ended, Ended::Exited(4));
    assert!(!lives(&busy.child) && !Path::new(&busy.script).exists());
}

#[tokio::test]
async fn the_script_of_a_killed_plugin_ends_with_its_session() {
    let busy = busy().await;
    signal(busy.attached.id(), Signal::KILL);
    assert_eq!(busy.running.await.unwrap(), None);
    drop(busy.attached);
    assert!(!lives(&busy.child));
    // Nobody was left to remove it.
    std::fs::remove_file(busy.script).unwrap();
}

/// A user that hands on what is shown as a detail.
struct Lines(mpsc::UnboundedSender<String>);

impl Ui for Lines {
    async fn say(&self, _: String) {}
    async fn message(&self, text: String) {
        drop(self.0.send(text));
    }
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
