//! A host's side of the tests: what starts the plugin, and what it left.
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use packwire_wire::{
    BuildLent, BuildOutcome, Built, Context, RemoteArtifact, RemoteBuild, RemoteCapability, Room,
    process::{Address, Attached, Departure, Ended, Launch, Launched, NotAttached, Offer, Program},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{net::UnixListener, task::JoinHandle};

use crate::{
    behaviour::{Behaviour, Task},
    rig::{LONG, Seen, lives, script},
};

/// The plugin's executable.
pub(crate) const PLUGIN: &str = env!("CARGO_BIN_EXE_packwire-wire-test-plugin");

/// The plugin, to behave like this.
pub(crate) fn plugin(behaviour: Behaviour) -> Program {
    Program { executable: PLUGIN.into(), arguments: vec![behaviour.name().into()], ..script("") }
}

/// A shell script that starts the plugin, whose path is `$0`.
pub(crate) fn wrapper(text: &str) -> Program {
    let mut program = script(text);
    program.arguments.push(PLUGIN.into());
    program
}

/// A host's RPC thread, and the log of the plugin that it starts.
pub(crate) struct Stage {
    pub(crate) room: Room,
    pub(crate) seen: Arc<Seen>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { room: Room::open(tokio::runtime::Handle::current()).unwrap(), seen: Arc::default() }
    }

    pub(crate) fn launch(&self, program: Program) -> Launch {
        Launch { within: LONG, ..Launch::new(program, Offer::of(&[1]).unwrap(), Arc::clone(&self.seen) as _) }
    }

    pub(crate) fn start(&self, behaviour: Behaviour) -> Launched {
        self.launch(plugin(behaviour)).start(&self.room).unwrap()
    }

    pub(crate) async fn attached(&self, behaviour: Behaviour) -> Attached {
        self.start(behaviour).attach().await.unwrap()
    }

    /// The same, with what it must not leave behind.
    pub(crate) async fn watched(&self, program: Program) -> (Attached, Left) {
        let launched = self.launch(program).start(&self.room).unwrap();
        let left = Left::of(&launched);
        (launched.attach().await.unwrap(), left)
    }

    /// Why the plugin could not be used. Its process, socket and directory are gone.
    pub(crate) async fn refused(&self, launch: Launch) -> NotAttached {
        let launched = launch.start(&self.room).unwrap();
        let left = Left::of(&launched);
        let refused = launched.attach().await.unwrap_err();
        left.assert_nothing();
        refused
    }

    /// Waits for a line of the log that begins with `word`, and gives the number behind it.
    pub(crate) async fn number(&self, word: &str) -> u32 {
        let find = || self.seen.texts().into_iter().find(|line| line.starts_with(word));
        crate::rig::until(word, find).await[word.len()..].trim().parse().unwrap()
    }

    /// Waits for this line of the log.
    pub(crate) async fn says(&self, line: &str) {
        crate::rig::until(line, || self.seen.texts().into_iter().find(|seen| seen == line)).await;
    }
}

/// What a plugin's process must not leave behind.
pub(crate) struct Left {
    id: u32,
    directory: Option<PathBuf>,
}

impl Left {
    pub(crate) fn of(launched: &Launched) -> Self {
        let directory = match launched.address() {
            Address::Unix(path) => Some(path.parent().unwrap().to_owned()),
            Address::Tcp(_) => None,
        };
        Self { id: launched.id(), directory }
    }

    /// The door is gone with its directory.
    pub(crate) fn assert_no_file(&self) {
        assert!(!self.directory.as_deref().is_some_and(Path::exists), "{:?} is left", self.directory);
    }

    /// So is the process, which is reaped.
    pub(crate) fn assert_nothing(&self) {
        self.assert_no_file();
        assert_eq!(crate::rig::state(self.id), None, "the process is left");
        assert!(!lives(self.id));
    }
}

pub(crate) fn signal(id: u32, signal: Signal) {
    kill_process(i32::try_from(id).ok().and_then(Pid::from_raw).unwrap(), signal).unwrap();
}

pub(crate) fn killed_by(signal: &str) -> Ended {
    Ended::Signalled { signal: signal.to_owned(), core_dumped: false }
}

/// A plugin that has started and waits until it is told to dial.
pub(crate) struct Waiting {
    pub(crate) address: Address,
    left: Left,
    gate: UnixListener,
    _directory: tempfile::TempDir,
    attaching: JoinHandle<Result<Attached, NotAttached>>,
}

impl Waiting {
    pub(crate) fn start(stage: &Stage, change: impl FnOnce(Launch) -> Launch) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gate");
        let gate = UnixListener::bind(&path).unwrap();
        let mut program = plugin(Behaviour::Waits);
        program.arguments.push(path.into());
        let launched = change(stage.launch(program)).start(&stage.room).unwrap();
        let (address, left) = (launched.address().clone(), Left::of(&launched));
        let attaching = tokio::spawn(launched.attach());
        Self { address, left, gate, _directory: directory, attaching }
    }

    /// Lets the plugin dial.
    pub(crate) async fn go_on(self) -> Result<Attached, NotAttached> {
        drop(self.gate.accept().await.unwrap());
        self.outcome().await
    }

    /// What came of it, whether the plugin may dial or not. The door is gone.
    pub(crate) async fn outcome(self) -> Result<Attached, NotAttached> {
        let outcome = self.attaching.await.unwrap();
        self.left.assert_no_file();
        outcome
    }
}

/// Has the plugin's one component prepare this task.
pub(crate) async fn prepare(attached: &Attached, task: &str) -> RemoteBuild {
    let RemoteCapability::Builder(builder) = &attached.hello().components[0].capability else {
        panic!("{:?}", attached.hello());
    };
    builder.prepare(task.to_owned(), Context::default()).await.unwrap().object.unwrap()
}

/// Has it run, on the side.
pub(crate) async fn run(attached: &Attached, task: Task, lent: BuildLent) -> Running {
    let build = prepare(attached, task.name()).await;
    tokio::spawn(async move { build.run(lent).await })
}

pub(crate) type Running = JoinHandle<Result<Built<RemoteArtifact>, packwire_wire::Broken>>;

/// The outcome, and of a failure its first line.
pub(crate) fn told(built: &Built<RemoteArtifact>) -> String {
    match &built.outcome {
        BuildOutcome::Failed(diagnostics) => diagnostics[0].summary.clone(),
        BuildOutcome::Artifact(_) => "artifact".to_owned(),
        BuildOutcome::Nothing => "nothing".to_owned(),
        BuildOutcome::Cancelled => "cancelled".to_owned(),
    }
}

pub(crate) async fn leave(attached: Attached) -> Departure {
    attached.leave(LONG).await
}
