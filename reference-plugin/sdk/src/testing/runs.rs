//! Each kind of component prepared and run as hosts do it, wherever it lives: in memory or in a process.
use packwire_wire::{
    Broken, BuildLent, BuildOutcome, Component, Components, ConnectionLent, ConnectionOutcome, HookLent,
    HostCommandLent, Kind, OfferedArtifact, OfferedCapability, OfferedCommunicator, OfferedComponents,
    OfferedEnvironment, OfferedHook, OfferedUi, PostProcessLent, PostProcessOutcome, Prepared, ProvisionLent,
    QueryLent, QueryOutcome, RecoveryLent, RemoteCapability, RemoteCommunicator, RemoteRecovery,
};
use serde_json::Value;

use super::{Finished, Host, Processed};
use crate::{Plugin, Stop, done};

impl Host {
    pub(super) async fn run_builder(
        &self,
        component: &RemoteCapability,
        config: &Value,
    ) -> Result<Finished, Stop> {
        let RemoteCapability::Builder(remote) = component else { return Err(other_kind()) };
        let build = self.prepared(remote.prepare(config.to_string(), self.context.clone()).await)?;
        let lent = BuildLent {
            ui: OfferedUi::new(self.lent()),
            hook: self.hook.clone().unwrap_or_else(|| OfferedHook::new(self.lent())),
            environment: OfferedEnvironment::new(self.lent()),
            cancellation: self.cancellation.clone(),
        };
        let built = answered(build.run(lent).await)?;
        let artifact = match built.outcome {
            BuildOutcome::Artifact(artifact) => Some(artifact),
            BuildOutcome::Nothing => None,
            BuildOutcome::Failed(diagnostics) => return Err(Stop::Failed(diagnostics)),
            BuildOutcome::Cancelled => return Err(Stop::Cancelled),
        };
        let generated_data = serde_json::from_str(&built.generated_data).unwrap_or_default();
        Ok(Finished { artifact, generated_data, host: self.clone(), _session: None })
    }

    pub(super) async fn run_provisioner(
        &self,
        component: &RemoteCapability,
        config: &Value,
        communicator: Option<OfferedCommunicator>,
    ) -> Result<(), Stop> {
        let RemoteCapability::Provisioner(remote) = component else { return Err(other_kind()) };
        let provision = self.prepared(remote.prepare(config.to_string(), self.context.clone()).await)?;
        let lent = ProvisionLent {
            ui: OfferedUi::new(self.lent()),
            communicator,
            generated_data: self.generated_data.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string),
            environment: OfferedEnvironment::new(self.lent()),
            cancellation: self.cancellation.clone(),
        };
        done(answered(provision.run(lent).await)?)
    }

    pub(super) async fn run_post_processor(
        &self,
        component: &RemoteCapability,
        config: &Value,
        artifact: OfferedArtifact,
    ) -> Result<Processed, Stop> {
        let RemoteCapability::PostProcessor(remote) = component else { return Err(other_kind()) };
        let work = self.prepared(remote.prepare(config.to_string(), self.context.clone()).await)?;
        let lent = PostProcessLent {
            ui: OfferedUi::new(self.lent()),
            artifact,
            generated_data: "{}".to_owned(),
            environment: OfferedEnvironment::new(self.lent()),
            cancellation: self.cancellation.clone(),
        };
        let (artifact, input) = match answered(work.run(lent).await)? {
            PostProcessOutcome::Artifact { artifact, input } => (Some(artifact), input),
            PostProcessOutcome::Nothing { input } => (None, input),
            PostProcessOutcome::Failed(diagnostics) => return Err(Stop::Failed(diagnostics)),
            PostProcessOutcome::Cancelled => return Err(Stop::Cancelled),
        };
        let generated_data = Value::Null;
        let finished = Finished { artifact, generated_data, host: self.clone(), _session: None };
        Ok(Processed { finished, input })
    }

    pub(super) async fn run_data_source(
        &self,
        component: &RemoteCapability,
        config: &Value,
    ) -> Result<Value, Stop> {
        let RemoteCapability::DataSource(remote) = component else { return Err(other_kind()) };
        let query = self.prepared(remote.prepare(config.to_string(), self.context.clone()).await)?;
        let lent = QueryLent {
            ui: OfferedUi::new(self.lent()),
            environment: OfferedEnvironment::new(self.lent()),
            cancellation: self.cancellation.clone(),
        };
        match answered(query.run(lent).await)? {
            QueryOutcome::Value(value) => serde_json::from_str(&value)
                .map_err(|error| Stop::failed(format!("what it found is no JSON: {error}"))),
            QueryOutcome::Failed(diagnostics) => Err(Stop::Failed(diagnostics)),
            QueryOutcome::Cancelled => Err(Stop::Cancelled),
        }
    }

    pub(super) async fn run_host_command(
        &self,
        component: &RemoteCapability,
        arguments: &[&str],
        known: Plugin,
    ) -> Result<i32, Stop> {
        let RemoteCapability::Command(remote) = component else { return Err(other_kind()) };
        let components = Known { host: self.lent(), components: known.components };
        let lent = HostCommandLent {
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            ui: OfferedUi::new(self.lent()),
            environment: OfferedEnvironment::new(self.lent()),
            components: OfferedComponents::new(components),
            cancellation: self.cancellation.clone(),
        };
        answered(remote.run(lent).await)
    }

    pub(super) async fn run_hook(
        &self,
        component: &RemoteCapability,
        event: &str,
        data: &Value,
    ) -> Result<(), Stop> {
        let RemoteCapability::Hook(remote) = component else { return Err(other_kind()) };
        let lent = HookLent {
            ui: Some(OfferedUi::new(self.lent())),
            communicator: None,
            data: data.to_string(),
            environment: Some(OfferedEnvironment::new(self.lent())),
            cancellation: self.cancellation.clone().into(),
        };
        done(answered(remote.run(event, lent).await)?)
    }

    pub(super) async fn run_recovery(
        &self,
        recovery: Option<&RemoteRecovery>,
        config: &Value,
    ) -> Result<(), Stop> {
        let recovery = recovery.ok_or_else(|| Stop::failed("the component recovers nothing"))?;
        let lent = RecoveryLent {
            config: config.to_string(),
            context: self.context.clone(),
            entries: self.services.entries(&self.lent()),
            ui: OfferedUi::new(self.lent()),
            environment: OfferedEnvironment::new(self.lent()),
            cancellation: self.cancellation.clone(),
        };
        done(answered(recovery.recover(lent).await)?)
    }

    pub(super) async fn run_connector(
        &self,
        component: &RemoteCapability,
        config: &Value,
    ) -> Result<RemoteCommunicator, Stop> {
        let RemoteCapability::Communicator(remote) = component else { return Err(other_kind()) };
        let connection = self.prepared(remote.prepare(config.to_string(), self.context.clone()).await)?;
        let lent = ConnectionLent {
            ui: OfferedUi::new(self.lent()),
            environment: OfferedEnvironment::new(self.lent()),
            cancellation: self.cancellation.clone(),
        };
        match answered(connection.open(lent).await)? {
            ConnectionOutcome::Communicator(communicator) => Ok(communicator),
            ConnectionOutcome::Failed(diagnostics) => Err(Stop::Failed(diagnostics)),
            ConnectionOutcome::Cancelled => Err(Stop::Cancelled),
        }
    }
}

fn other_kind() -> Stop {
    Stop::failed("the component is of another kind")
}

/// To a host a lost link is no cancellation: nobody has answered.
fn answered<T>(answer: Result<T, Broken>) -> Result<T, Stop> {
    answer.map_err(|broken| Stop::failed(broken.to_string()))
}

impl Host {
    /// What was prepared; warnings are noted.
    fn prepared<T>(&self, answer: Result<Prepared<T>, Broken>) -> Result<T, Stop> {
        let Prepared { object, diagnostics } = answered(answer)?;
        let object = object.ok_or_else(|| Stop::Failed(diagnostics.clone()))?;
        for warning in diagnostics {
            self.note("warning", &format!("{} at {:?}", warning.summary, warning.path));
        }
        Ok(object)
    }
}

/// The components that a command may look at.
struct Known {
    host: Host,
    components: Vec<Component<OfferedCapability>>,
}

impl Components for Known {
    async fn list(&self) -> Vec<Component<OfferedCapability>> {
        self.host.halt("components").await;
        self.components.clone()
    }

    async fn find(&self, kind: Kind, name: String) -> Option<Component<OfferedCapability>> {
        self.host.halt("components").await;
        self.components.iter().find(|one| one.kind() == kind && one.name == name).cloned()
    }
}
