//! A host that remembers what it was told, and what was asked of it.
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use packwire_wire::{
    ArtifactInfo, BuildLent, BuildOutcome, ConnectionLent, ConnectionOutcome, Context, Diagnostic,
    Environment, Hook, HookRun, OfferedCommunicator, OfferedEnvironment, OfferedHook, OfferedProgress,
    OfferedUi, Outcome, Prepared, Progress, ProvisionLent, RemoteArtifact, RemoteCapability,
    RemoteCommunicator, Reply, Ui,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Machine, session::Session};
use crate::{Builder, Connector, Plugin, Provisioner, Stop, done};

/// A host for one component under test. Clones are the same host.
#[derive(Clone, Debug, Default)]
pub struct Host {
    context: Context,
    machines: BTreeMap<String, Machine>,
    provisioning: Option<Outcome>,
    cancellation: CancellationToken,
    told: Arc<Mutex<Vec<String>>>,
}

impl Host {
    /// A host without communicators, whose provisioning is done at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with this context for `prepare`.
    #[must_use]
    pub fn with_context(self, context: Context) -> Self {
        Self { context, ..self }
    }

    /// The same, working in this directory.
    #[must_use]
    pub fn working_in(mut self, directory: &Path) -> Self {
        self.context.working_dir = directory.display().to_string();
        self
    }

    /// The same, with a machine behind a communicator of this type.
    #[must_use]
    pub fn with_communicator(mut self, kind: &str, machine: &Machine) -> Self {
        drop(self.machines.insert(kind.to_owned(), machine.clone()));
        self
    }

    /// The same, whose provisioning ends in this way.
    #[must_use]
    pub fn provisioning(self, outcome: Outcome) -> Self {
        Self { provisioning: Some(outcome), ..self }
    }

    /// Cancels what runs, and what will.
    pub fn cancel(&self) {
        self.cancellation.cancel();
    }

    /// What the host saw, in order: `say: …`, `message: …`, `error: …` line by line, `hook: …`, and so on.
    pub fn told(&self) -> Vec<String> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, what: &str, text: &str) {
        self.locked().extend(text.lines().map(|line| format!("{what}: {line}")));
    }

    /// Prepares and runs a builder.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why the build stopped.
    pub async fn build(&self, builder: impl Builder, config: Value) -> Result<Finished, Stop> {
        let session = Session::of(plugin().builder("under-test", builder)).await?;
        let RemoteCapability::Builder(remote) = session.component()? else { return Err(other_kind()) };
        let build = prepared(remote.prepare(config.to_string(), self.context.clone()).await?)?;
        let lent = BuildLent {
            ui: OfferedUi::new(self.clone()),
            hook: OfferedHook::new(self.clone()),
            environment: OfferedEnvironment::new(self.clone()),
            cancellation: self.cancellation.clone(),
        };
        let built = build.run(lent).await?;
        let artifact = match built.outcome {
            BuildOutcome::Artifact(artifact) => Some(artifact),
            BuildOutcome::Nothing => None,
            BuildOutcome::Failed(diagnostics) => return Err(Stop::Failed(diagnostics)),
            BuildOutcome::Cancelled => return Err(Stop::Cancelled),
        };
        let generated_data = serde_json::from_str(&built.generated_data).unwrap_or_default();
        Ok(Finished { artifact, generated_data, host: self.clone(), _session: session })
    }

    /// Prepares and runs a provisioner on a machine.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why the work stopped.
    pub async fn provision(
        &self,
        provisioner: impl Provisioner,
        config: Value,
        machine: &Machine,
    ) -> Result<(), Stop> {
        let session = Session::of(plugin().provisioner("under-test", provisioner)).await?;
        let RemoteCapability::Provisioner(remote) = session.component()? else { return Err(other_kind()) };
        let provision = prepared(remote.prepare(config.to_string(), self.context.clone()).await?)?;
        let lent = ProvisionLent {
            ui: OfferedUi::new(self.clone()),
            communicator: Some(OfferedCommunicator::new(machine.clone())),
            generated_data: "{}".to_owned(),
            environment: OfferedEnvironment::new(self.clone()),
            cancellation: self.cancellation.clone(),
        };
        done(provision.run(lent).await?)
    }

    /// Prepares and opens a communicator.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why it could not be opened.
    pub async fn open(&self, connector: impl Connector, config: Value) -> Result<Opened, Stop> {
        let session = Session::of(plugin().communicator("under-test", connector)).await?;
        let RemoteCapability::Communicator(remote) = session.component()? else { return Err(other_kind()) };
        let connection = prepared(remote.prepare(config.to_string(), self.context.clone()).await?)?;
        let lent = ConnectionLent {
            ui: OfferedUi::new(self.clone()),
            environment: OfferedEnvironment::new(self.clone()),
            cancellation: self.cancellation.clone(),
        };
        match connection.open(lent).await? {
            ConnectionOutcome::Communicator(communicator) => Ok(Opened { communicator, session }),
            ConnectionOutcome::Failed(diagnostics) => Err(Stop::Failed(diagnostics)),
            ConnectionOutcome::Cancelled => Err(Stop::Cancelled),
        }
    }
}

fn plugin() -> Plugin {
    Plugin::new("under-test", "0.0.0")
}

fn other_kind() -> Stop {
    Stop::failed("the component is of another kind")
}

fn prepared<T>(prepared: Prepared<T>) -> Result<T, Stop> {
    prepared.object.ok_or(Stop::Failed(prepared.diagnostics))
}

/// What a build yielded, with the session in which the artifact lives.
#[derive(Debug)]
pub struct Finished {
    /// The artifact, unless the build made nothing.
    pub artifact: Option<RemoteArtifact>,
    /// The generated data; null where there is none.
    pub generated_data: Value,
    host: Host,
    _session: Session,
}

impl Finished {
    /// What the artifact is.
    ///
    /// # Errors
    /// There is none, or it does not answer.
    pub async fn describe(&self) -> Result<ArtifactInfo, Stop> {
        Ok(self.required()?.describe().await?)
    }

    /// Destroys the artifact.
    ///
    /// # Errors
    /// There is none, or it is not gone.
    pub async fn destroy(&self) -> Result<(), Stop> {
        let ui = OfferedUi::new(self.host.clone());
        done(self.required()?.destroy(Some(ui), CancellationToken::new()).await?)
    }

    fn required(&self) -> Result<&RemoteArtifact, Stop> {
        self.artifact.as_ref().ok_or_else(|| Stop::failed("the build made no artifact"))
    }
}

/// An open communicator, with the session in which it lives.
#[derive(Debug)]
pub struct Opened {
    /// The communicator, as a host holds it.
    pub communicator: RemoteCommunicator,
    session: Session,
}

impl Opened {
    /// Ends the session without closing the communicator, and waits until the plugin has cleaned up.
    pub async fn leave(self) {
        self.session.leave().await;
    }
}

impl Ui for Host {
    async fn say(&self, text: String) {
        self.note("say", &text);
    }

    async fn message(&self, text: String) {
        self.note("message", &text);
    }

    async fn error(&self, text: String) {
        self.note("error", &text);
    }

    async fn machine(&self, category: String, args: Vec<String>) {
        self.note("machine", &format!("{category} {}", args.join(",")));
    }

    async fn ask(&self, query: String, _: bool) -> Reply {
        self.note("ask", &query);
        Reply::Refused("nobody is there".to_owned())
    }

    async fn progress(&self, label: String, total: u64) -> OfferedProgress {
        self.note("progress", &format!("{label}, {total} bytes"));
        OfferedProgress::new(Unseen)
    }

    async fn mask(&self, _: String) {
        self.note("mask", "a secret");
    }
}

/// Progress, which nobody looks at.
struct Unseen;

impl Progress for Unseen {
    async fn update(&self, _: u64) {}
    async fn finish(&self) {}
}

impl Hook for Host {
    async fn run(&self, run: HookRun) -> Outcome {
        let machine = if run.communicator.is_some() { "with" } else { "without" };
        self.note("hook", &format!("{} {machine} a machine, {}", run.event, run.data));
        self.provisioning.clone().unwrap_or(Outcome::Done)
    }
}

impl Environment for Host {
    async fn communicator(
        &self,
        kind: String,
        config: String,
    ) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
        self.note("communicator", &format!("{kind} {config}"));
        let machine = self.machines.get(&kind);
        let machine =
            machine.ok_or_else(|| vec![Diagnostic::error(format!("there is no communicator `{kind}`"))])?;
        Ok(OfferedCommunicator::new(machine.clone()))
    }
}
