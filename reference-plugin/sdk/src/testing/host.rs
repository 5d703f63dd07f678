//! A host that remembers what it was told, and what was asked of it.
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use packwire_wire::{
    Artifact, ArtifactInfo, BuildLent, BuildOutcome, Component, Components, ConnectionLent,
    ConnectionOutcome, Context, Hook, HookLent, HookRun, HostCommandLent, InputFate, Kind, OfferedArtifact,
    OfferedCapability, OfferedCommunicator, OfferedComponents, OfferedEnvironment, OfferedHook, OfferedUi,
    Outcome, PostProcessLent, PostProcessOutcome, Prepared, ProvisionLent, QueryLent, QueryOutcome,
    RecoveryLent, RemoteArtifact, RemoteCapability, RemoteCommunicator,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Machine, services::Services, session::Session};
use crate::{
    Builder, Command, Connector, DataSource, Plugin, PostProcessor, Provisioner, Recover, Stop, done,
};

/// A host for one component under test. Clones are the same host.
#[derive(Clone, Debug, Default)]
pub struct Host {
    context: Context,
    pub(super) machines: BTreeMap<String, Machine>,
    pub(super) provisioning: Option<Outcome>,
    generated_data: Option<Value>,
    cancellation: CancellationToken,
    told: Arc<Mutex<Vec<String>>>,
    pub(super) services: Services,
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

    /// The same, whose builder says this of the machine: a JSON object.
    #[must_use]
    pub fn with_generated_data(self, generated_data: Value) -> Self {
        Self { generated_data: Some(generated_data), ..self }
    }

    /// The same, which remembers this of a run that has crashed.
    #[must_use]
    pub fn remembering(self, entry: &str) -> Self {
        self.services.remember(entry.to_owned());
        self
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

    pub(super) fn note(&self, what: &str, text: &str) {
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
        let machine = OfferedCommunicator::new(machine.clone());
        self.provision_with(provisioner, config, Some(machine)).await
    }

    /// Prepares and runs a provisioner that needs no machine.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why the work stopped.
    pub async fn provision_nothing(&self, provisioner: impl Provisioner, config: Value) -> Result<(), Stop> {
        self.provision_with(provisioner, config, None).await
    }

    async fn provision_with(
        &self,
        provisioner: impl Provisioner,
        config: Value,
        communicator: Option<OfferedCommunicator>,
    ) -> Result<(), Stop> {
        let session = Session::of(plugin().provisioner("under-test", provisioner)).await?;
        let RemoteCapability::Provisioner(remote) = session.component()? else { return Err(other_kind()) };
        let provision = prepared(remote.prepare(config.to_string(), self.context.clone()).await?)?;
        let lent = ProvisionLent {
            ui: OfferedUi::new(self.clone()),
            communicator,
            generated_data: self.generated_data.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string),
            environment: OfferedEnvironment::new(self.clone()),
            cancellation: self.cancellation.clone(),
        };
        done(provision.run(lent).await?)
    }

    /// Prepares and runs a post-processor on an artifact.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why the work stopped.
    pub async fn post_process(
        &self,
        post_processor: impl PostProcessor,
        config: Value,
        artifact: impl Artifact,
    ) -> Result<Processed, Stop> {
        let session = Session::of(plugin().post_processor("under-test", post_processor)).await?;
        let RemoteCapability::PostProcessor(remote) = session.component()? else { return Err(other_kind()) };
        let work = prepared(remote.prepare(config.to_string(), self.context.clone()).await?)?;
        let lent = PostProcessLent {
            ui: OfferedUi::new(self.clone()),
            artifact: OfferedArtifact::new(artifact),
            generated_data: "{}".to_owned(),
            environment: OfferedEnvironment::new(self.clone()),
            cancellation: self.cancellation.clone(),
        };
        let (artifact, input) = match work.run(lent).await? {
            PostProcessOutcome::Artifact { artifact, input } => (Some(artifact), input),
            PostProcessOutcome::Nothing { input } => (None, input),
            PostProcessOutcome::Failed(diagnostics) => return Err(Stop::Failed(diagnostics)),
            PostProcessOutcome::Cancelled => return Err(Stop::Cancelled),
        };
        let generated_data = Value::Null;
        let finished = Finished { artifact, generated_data, host: self.clone(), _session: session };
        Ok(Processed { finished, input })
    }

    /// Prepares and runs a data source; answers the value.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why nothing was found.
    pub async fn query(&self, data_source: impl DataSource, config: Value) -> Result<Value, Stop> {
        let session = Session::of(plugin().data_source("under-test", data_source)).await?;
        let RemoteCapability::DataSource(remote) = session.component()? else { return Err(other_kind()) };
        let query = prepared(remote.prepare(config.to_string(), self.context.clone()).await?)?;
        let lent = QueryLent {
            ui: OfferedUi::new(self.clone()),
            environment: OfferedEnvironment::new(self.clone()),
            cancellation: self.cancellation.clone(),
        };
        match query.run(lent).await? {
            QueryOutcome::Value(value) => serde_json::from_str(&value)
                .map_err(|error| Stop::failed(format!("what it found is no JSON: {error}"))),
            QueryOutcome::Failed(diagnostics) => Err(Stop::Failed(diagnostics)),
            QueryOutcome::Cancelled => Err(Stop::Cancelled),
        }
    }

    /// Runs a command with these arguments, beside the components of `known`; answers its exit status.
    ///
    /// # Errors
    /// It broke the protocol.
    pub async fn run_command(
        &self,
        command: impl Command,
        arguments: &[&str],
        known: Plugin,
    ) -> Result<i32, Stop> {
        let session = Session::of(plugin().command("under-test", command)).await?;
        let RemoteCapability::Command(remote) = session.component()? else { return Err(other_kind()) };
        let lent = HostCommandLent {
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            ui: OfferedUi::new(self.clone()),
            environment: OfferedEnvironment::new(self.clone()),
            components: OfferedComponents::new(Known(known.components)),
            cancellation: self.cancellation.clone(),
        };
        Ok(remote.run(lent).await?)
    }

    /// Calls a hook as the host does, without a machine.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn call_hook(&self, hook: impl Hook, event: &str, data: &Value) -> Result<(), Stop> {
        let session = Session::of(plugin().hook("under-test", "Under test", hook)).await?;
        let RemoteCapability::Hook(remote) = session.component()? else { return Err(other_kind()) };
        let lent = HookLent {
            ui: Some(OfferedUi::new(self.clone())),
            communicator: None,
            data: data.to_string(),
            environment: Some(OfferedEnvironment::new(self.clone())),
            cancellation: self.cancellation.clone().into(),
        };
        done(remote.run(event, lent).await?)
    }

    /// Has what is still [remembered](Self::remembered) dealt with; what that settles is remembered no more.
    ///
    /// # Errors
    /// What could not be dealt with.
    pub async fn recover(&self, recover: impl Recover, config: Value) -> Result<(), Stop> {
        let offered = plugin().hook("under-test", "Under test", Nobody).recovering(recover);
        let session = Session::of(offered).await?;
        let Some(recovery) = session.recovery() else { return Err(other_kind()) };
        let lent = RecoveryLent {
            config: config.to_string(),
            context: self.context.clone(),
            entries: self.services.entries(self),
            ui: OfferedUi::new(self.clone()),
            environment: OfferedEnvironment::new(self.clone()),
            cancellation: self.cancellation.clone(),
        };
        done(recovery.recover(lent).await?)
    }

    /// What the component said that outlives a crash, and has not settled: its last words of each.
    pub fn remembered(&self) -> Vec<String> {
        self.services.remembered()
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
            ConnectionOutcome::Communicator(communicator) => {
                Ok(Opened { communicator, session, _host: self.clone() })
            }
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

/// What a post-processor yielded.
#[derive(Debug)]
pub struct Processed {
    /// Its artifact, if it made one.
    pub finished: Finished,
    /// What shall become of its input.
    pub input: InputFate,
}

/// The components that a command may look at.
struct Known(Vec<Component<OfferedCapability>>);

impl Components for Known {
    async fn list(&self) -> Vec<Component<OfferedCapability>> {
        self.0.clone()
    }

    async fn find(&self, kind: Kind, name: String) -> Option<Component<OfferedCapability>> {
        self.0.iter().find(|one| one.kind() == kind && one.name == name).cloned()
    }
}

/// A component beside which a recovery is offered.
struct Nobody;

impl Hook for Nobody {
    async fn run(&self, _: HookRun) -> Outcome {
        Outcome::Done
    }
}

/// An open communicator, with the session in which it lives.
#[derive(Debug)]
pub struct Opened {
    /// The communicator, as a host holds it.
    pub communicator: RemoteCommunicator,
    session: Session,
    /// Its directories go with it.
    _host: Host,
}

impl Opened {
    /// Ends the session without closing the communicator, and waits until the plugin has cleaned up.
    pub async fn leave(self) {
        self.session.leave().await;
    }
}
