//! A host that remembers what it was told, and what was asked of it.
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use packwire_wire::{
    Artifact, ArtifactInfo, Context, Hook, HookRun, InputFate, OfferedArtifact, OfferedCommunicator,
    OfferedHook, OfferedUi, Outcome, RemoteArtifact, RemoteCommunicator,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Halt, Machine, halt::Halts, services::Services, session::Session};
use crate::{
    Builder, Command, Connector, DataSource, Plugin, PostProcessor, Provisioner, Recover, Stop, done,
};

/// A host for one component under test. Clones are the same host.
#[derive(Clone, Debug, Default)]
pub struct Host {
    pub(super) context: Context,
    pub(super) machines: BTreeMap<String, Machine>,
    pub(super) provisioning: Option<Outcome>,
    pub(super) hook: Option<OfferedHook>,
    pub(super) generated_data: Option<Value>,
    pub(super) cancellation: CancellationToken,
    told: Arc<Mutex<Vec<String>>>,
    pub(super) services: Services,
    halts: Halts,
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

    /// The same, on which builders call this hook.
    #[must_use]
    pub fn with_hook(self, hook: impl Hook) -> Self {
        Self { hook: Some(OfferedHook::new(hook)), ..self }
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

    /// Leaves a component without an answer to calls that are [told](Self::told) with this beginning, and with
    /// `components` to what a command asks of others, until what this answers is dropped.
    pub fn halt_at(&self, beginning: &str) -> Halt {
        self.halts.add(beginning)
    }

    /// The same for a component: the directories are not its to keep.
    pub(super) fn lent(&self) -> Self {
        Self { services: self.services.lent(), ..self.clone() }
    }

    /// What the host saw, in order: `warning: … at "/path"` of `prepare`; then `say: …`, `message: …`, `error: …` line by
    /// line, `hook: …`, and so on.
    pub fn told(&self) -> Vec<String> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, what: &str, text: &str) {
        self.locked().extend(text.lines().map(|line| format!("{what}: {line}")));
    }

    /// Notes a call, and lets it wait where the host was [halted](Self::halt_at).
    pub(super) async fn seen(&self, what: &str, text: &str) {
        self.note(what, text);
        self.halt(&format!("{what}: {text}")).await;
    }

    pub(super) async fn halt(&self, told: &str) {
        self.halts.pass(told).await;
    }

    /// Prepares and runs a builder.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why the build stopped.
    pub async fn build(&self, builder: impl Builder, config: Value) -> Result<Finished, Stop> {
        let session = Session::of(plugin().builder("under-test", builder)).await?;
        let finished = self.run_builder(session.component()?, &config).await?;
        Ok(Finished { _session: Some(session), ..finished })
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
        let machine = OfferedCommunicator::new(machine.clone());
        self.run_provisioner(session.component()?, &config, Some(machine)).await
    }

    /// Prepares and runs a provisioner that needs no machine.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why the work stopped.
    pub async fn provision_nothing(&self, provisioner: impl Provisioner, config: Value) -> Result<(), Stop> {
        let session = Session::of(plugin().provisioner("under-test", provisioner)).await?;
        self.run_provisioner(session.component()?, &config, None).await
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
        let artifact = OfferedArtifact::new(artifact);
        let Processed { finished, input } =
            self.run_post_processor(session.component()?, &config, artifact).await?;
        Ok(Processed { finished: Finished { _session: Some(session), ..finished }, input })
    }

    /// Prepares and runs a data source; answers the value.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why nothing was found.
    pub async fn query(&self, data_source: impl DataSource, config: Value) -> Result<Value, Stop> {
        let session = Session::of(plugin().data_source("under-test", data_source)).await?;
        self.run_data_source(session.component()?, &config).await
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
        self.run_host_command(session.component()?, arguments, known).await
    }

    /// Calls a hook as the host does, without a machine.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn call_hook(&self, hook: impl Hook, event: &str, data: &Value) -> Result<(), Stop> {
        let session = Session::of(plugin().hook("under-test", "Under test", hook)).await?;
        self.run_hook(session.component()?, event, data).await
    }

    /// Has what is still [remembered](Self::remembered) dealt with; what that settles is remembered no more.
    ///
    /// # Errors
    /// What could not be dealt with.
    pub async fn recover(&self, recover: impl Recover, config: Value) -> Result<(), Stop> {
        let offered = plugin().hook("under-test", "Under test", Nobody).recovering(recover);
        let session = Session::of(offered).await?;
        self.run_recovery(session.recovery(), &config).await
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
        let communicator = self.run_connector(session.component()?, &config).await?;
        Ok(Opened { communicator, session, _host: self.clone() })
    }
}

fn plugin() -> Plugin {
    Plugin::new("under-test", "0.0.0")
}

/// What a build yielded, with the session in which the artifact lives.
#[derive(Debug)]
pub struct Finished {
    /// The artifact, unless the build made nothing.
    pub artifact: Option<RemoteArtifact>,
    /// The generated data; null where there is none.
    pub generated_data: Value,
    pub(super) host: Host,
    /// Where a component in memory lives.
    pub(super) _session: Option<Session>,
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
        let ui = OfferedUi::new(self.host.lent());
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
