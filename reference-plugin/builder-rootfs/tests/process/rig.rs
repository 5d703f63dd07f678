//! A host for the plugin as a process: a test provisions the tree by hand, step by step.
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use packwire_plugin::testing::{Ended, Process};
use packwire_wire::{
    ArtifactInfo, BuildLent, BuildOutcome, Built, Context, Diagnostic, Environment, Hook, HookRun, Lease,
    Leased, LedgerEntry, OfferedCommunicator, OfferedEnvironment, OfferedHook, OfferedLease,
    OfferedLedgerEntry, OfferedProgress, OfferedUi, Outcome, PROVISION, Progress, RecoveryLent,
    RemoteArtifact, RemoteCapability, RemoteCommunicator, Reply, Ui,
};
use serde_json::Value;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// What a host sees and gives. Clones are the same.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) directory: Arc<tempfile::TempDir>,
    pub(crate) told: Arc<Mutex<Vec<String>>>,
    pub(crate) masked: Arc<Mutex<Vec<String>>>,
    /// What was remembered; `None` once it is settled.
    pub(crate) ledger: Arc<Mutex<Vec<Option<String>>>>,
    /// Whether the ledger answers nothing any more, and that it was asked.
    pub(crate) stalling: Arc<(AtomicBool, Notify)>,
    lent: mpsc::UnboundedSender<Provisioning>,
}

/// A tree that waits to be provisioned.
pub(crate) struct Provisioning {
    pub(crate) machine: RemoteCommunicator,
    pub(crate) data: Value,
    answer: oneshot::Sender<Outcome>,
}

impl Provisioning {
    pub(crate) fn answer(self, outcome: Outcome) {
        drop(self.answer.send(outcome));
    }
}

/// A build under way.
pub(crate) struct Building {
    pub(crate) plugin: Process,
    pub(crate) cancellation: CancellationToken,
    pub(crate) host: Host,
    pub(crate) running: JoinHandle<Result<Built<RemoteArtifact>, String>>,
    lent: mpsc::UnboundedReceiver<Provisioning>,
}

/// A build that made something.
pub(crate) struct Made {
    pub(crate) info: ArtifactInfo,
    pub(crate) data: Value,
    pub(crate) artifact: RemoteArtifact,
    pub(crate) host: Host,
    plugin: Process,
}

/// A fresh process.
async fn attached() -> Process {
    Process::attach(env!("CARGO_BIN_EXE_packer-builder-rootfs")).await.unwrap()
}

impl Building {
    pub(crate) async fn start(place: &Arc<tempfile::TempDir>, config: Value) -> Self {
        Self::start_with(place, config, Context::default()).await
    }

    pub(crate) async fn start_with(place: &Arc<tempfile::TempDir>, config: Value, context: Context) -> Self {
        let plugin = attached().await;
        let (sender, lent) = mpsc::unbounded_channel();
        let host = Host {
            directory: place.clone(),
            told: Arc::default(),
            masked: Arc::default(),
            ledger: Arc::default(),
            stalling: Arc::default(),
            lent: sender,
        };
        let RemoteCapability::Builder(builder) = &plugin.components()[0].capability else {
            panic!("it offers something else")
        };
        let context = Context { working_dir: place.path().display().to_string(), ..context };
        let prepared = builder.prepare(config.to_string(), context).await.unwrap();
        let build = prepared.object.unwrap_or_else(|| panic!("{:?}", prepared.diagnostics));
        let cancellation = CancellationToken::new();
        let given = BuildLent {
            ui: OfferedUi::new(host.clone()),
            hook: OfferedHook::new(host.clone()),
            environment: OfferedEnvironment::new(host.clone()),
            cancellation: cancellation.clone(),
        };
        let running =
            tokio::spawn(async move { build.run(given).await.map_err(|broken| broken.to_string()) });
        Self { plugin, cancellation, host, running, lent }
    }

    /// The tree, when it is lent.
    pub(crate) async fn provisioning(&mut self) -> Provisioning {
        tokio::select! {
            lent = self.lent.recv() => lent.unwrap(),
            ended = &mut self.running => panic!("{ended:?}"),
        }
    }

    /// Waits for the end.
    pub(crate) async fn outcome(&mut self) -> Result<Built<RemoteArtifact>, String> {
        (&mut self.running).await.unwrap()
    }

    /// Waits for the end, which is not an artifact.
    pub(crate) async fn failure(mut self) -> (Host, String) {
        let why = match self.outcome().await.unwrap().outcome {
            BuildOutcome::Failed(diagnostics) => diagnostics[0].summary.clone(),
            BuildOutcome::Cancelled => "cancelled".to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(self.plugin.leave().await, Ok(Ended::Exited(0)));
        (self.host, why)
    }

    /// Waits for the artifact.
    pub(crate) async fn made(mut self) -> Made {
        let Built { outcome, generated_data } = self.outcome().await.unwrap();
        let BuildOutcome::Artifact(artifact) = outcome else { panic!("{outcome:?}") };
        let info = artifact.describe().await.unwrap();
        let data = serde_json::from_str(&generated_data).unwrap();
        Made { info, data, artifact, host: self.host, plugin: self.plugin }
    }
}

impl Made {
    pub(crate) async fn destroy(&self) -> Outcome {
        let ui = OfferedUi::new(self.host.clone());
        self.artifact.destroy(Some(ui), CancellationToken::new()).await.unwrap()
    }

    pub(crate) async fn leave(self) {
        assert_eq!(self.plugin.leave().await, Ok(Ended::Exited(0)));
    }
}

impl Host {
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    fn note(&self, text: &str) {
        self.told.lock().unwrap().extend(text.lines().map(ToOwned::to_owned));
    }

    /// Where its temporary directories are.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.directory.path().join("host-temporary")
    }
}

impl Host {
    /// Has a fresh process remove what the ledger still has.
    pub(crate) async fn recover(&self, config: Value) -> Outcome {
        let plugin = attached().await;
        let recovery = plugin.components()[0].recovery.clone().unwrap();
        let left: Vec<_> = self.ledger.lock().unwrap().iter().cloned().enumerate().collect();
        let entry = |at| OfferedLedgerEntry::new(Entry { host: self.clone(), at });
        let lent = RecoveryLent {
            config: config.to_string(),
            context: Context {
                working_dir: self.directory.path().display().to_string(),
                ..Context::default()
            },
            entries: left.into_iter().filter_map(|(at, text)| Some((text?, entry(at)))).collect(),
            ui: OfferedUi::new(self.clone()),
            environment: OfferedEnvironment::new(self.clone()),
            cancellation: CancellationToken::new(),
        };
        let outcome = recovery.recover(lent).await.unwrap();
        assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
        outcome
    }
}

impl Hook for Host {
    async fn run(&self, run: HookRun) -> Outcome {
        if run.event != PROVISION {
            return Outcome::Done;
        }
        let (answer, answered) = oneshot::channel();
        let machine = run.communicator.unwrap();
        let data = serde_json::from_str(&run.data).unwrap();
        drop(self.lent.send(Provisioning { machine, data, answer }));
        tokio::select! {
            outcome = answered => outcome.unwrap_or(Outcome::Done),
            () = run.cancellation.cancelled() => Outcome::Cancelled,
        }
    }
}

impl Environment for Host {
    async fn communicator(&self, _: String, _: String) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
        Err(vec![Diagnostic::error("there is none")])
    }

    async fn temp_dir(&self) -> Result<Leased<String>, Vec<Diagnostic>> {
        std::fs::create_dir(self.temporary()).unwrap();
        let given = self.temporary().display().to_string();
        Ok(Leased { given, lease: OfferedLease::new(Temporary(self.temporary())) })
    }

    async fn remember(&self, entry: String) -> Result<OfferedLedgerEntry, Vec<Diagnostic>> {
        let mut ledger = self.ledger.lock().unwrap();
        ledger.push(Some(entry));
        Ok(OfferedLedgerEntry::new(Entry { host: self.clone(), at: ledger.len() - 1 }))
    }
}

struct Temporary(PathBuf);

impl Lease for Temporary {
    async fn close(&self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

struct Entry {
    host: Host,
    at: usize,
}

impl LedgerEntry for Entry {
    async fn update(&self, entry: String) -> Result<(), Vec<Diagnostic>> {
        self.host.ledger.lock().unwrap()[self.at] = Some(entry);
        let (stalls, asked) = &*self.host.stalling;
        if stalls.load(Ordering::Relaxed) {
            asked.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), String> {
        self.host.ledger.lock().unwrap()[self.at] = None;
        Ok(())
    }
}

impl Ui for Host {
    async fn say(&self, text: String) {
        self.note(&text);
    }
    async fn message(&self, text: String) {
        self.note(&text);
    }
    async fn error(&self, text: String) {
        self.note(&text);
    }
    async fn machine(&self, _: String, _: Vec<String>) {}
    async fn ask(&self, _: String, _: bool) -> Reply {
        Reply::Refused("nobody is there".to_owned())
    }
    async fn progress(&self, _: String, _: u64) -> OfferedProgress {
        OfferedProgress::new(Unheard)
    }
    async fn mask(&self, secret: String) {
        self.masked.lock().unwrap().push(secret);
    }
}

/// Nobody listens.
struct Unheard;

impl Progress for Unheard {
    async fn update(&self, _: u64) {}
    async fn finish(&self) {}
}

/// Makes a system of a shell and a few programs, with the libraries that they need.
pub(crate) fn system(tree: &Path) {
    for program in ["sh", "cat", "id", "ls", "sleep"] {
        copy_program(tree, program);
    }
    for directory in ["etc", "tmp", "root"] {
        std::fs::create_dir_all(tree.join(directory)).unwrap();
    }
}

fn copy_program(tree: &Path, name: &str) {
    let from = ["/bin", "/usr/bin"].map(|directory| Path::new(directory).join(name));
    let from = from.iter().find(|path| path.exists());
    let from = from.unwrap_or_else(|| panic!("there is no {name}: apt-get install coreutils dash"));
    copy(from, &tree.join("bin").join(name));
    for library in libraries(from) {
        copy(&library, &tree.join(library.strip_prefix("/").unwrap()));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
}

/// What a program is linked with; a static one, with nothing.
#[expect(clippy::disallowed_methods, reason = "a tool that tells something, and is waited for")]
fn libraries(program: &Path) -> Vec<PathBuf> {
    let told = std::process::Command::new("ldd").arg(program).output();
    let told = told.unwrap_or_else(|error| panic!("ldd: {error}: apt-get install libc-bin"));
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}
