//! What a run was lent, under the names that authors use.
use std::sync::Arc;

use packwire_wire::{
    CLEANUP_PROVISION, Communicator, HookLent, OfferedCommunicator, Outcome, PROVISION, RemoteCommunicator,
    RemoteHook,
};
use serde_json::Value;

use crate::{Cancellation, Environment, Stop, Ui, done};

/// What a build may use.
#[derive(Debug)]
pub struct BuildRun {
    /// Where to say what happens.
    pub ui: Ui,
    /// The host's services: communicators and more.
    pub environment: Environment,
    /// When to stop.
    pub cancellation: Cancellation,
    hook: RemoteHook,
}

impl From<packwire_wire::BuildRun> for BuildRun {
    fn from(run: packwire_wire::BuildRun) -> Self {
        let packwire_wire::BuildRun { ui, hook, environment, cancellation } = run;
        Self { ui, environment, cancellation, hook }
    }
}

impl BuildRun {
    /// Has the host open a communicator: `ssh`, `local`, … with its configuration, a JSON object.
    ///
    /// # Errors
    /// Why it could not be opened.
    pub async fn communicator(
        &self,
        kind: impl Into<String>,
        config: &Value,
    ) -> Result<RemoteCommunicator, Stop> {
        self.ui.flush().await?;
        Ok(self.environment.communicator(kind, config.to_string()).await??)
    }

    /// Has the machine provisioned, which is up now. To be called once in a run, also without a machine.
    ///
    /// Where that fails, the host's clean-up provisioner has run before this answers; taking the machine away
    /// is the builder's own task. `generated_data` is a JSON object.
    ///
    /// # Errors
    /// Why provisioning stopped.
    pub async fn provision(
        &self,
        communicator: Option<&RemoteCommunicator>,
        generated_data: &Value,
    ) -> Result<(), Stop> {
        self.provision_with(communicator.map(OfferedCommunicator::from), generated_data).await
    }

    /// The same with a communicator that the builder itself implements, and keeps.
    ///
    /// # Errors
    /// As [`BuildRun::provision`].
    pub async fn provision_own(
        &self,
        communicator: &Arc<impl Communicator>,
        generated_data: &Value,
    ) -> Result<(), Stop> {
        let lent = OfferedCommunicator::shared(communicator.clone());
        self.provision_with(Some(lent), generated_data).await
    }

    async fn provision_with(
        &self,
        communicator: Option<OfferedCommunicator>,
        generated_data: &Value,
    ) -> Result<(), Stop> {
        let provisioned = self.call_hook(PROVISION, communicator.clone(), generated_data).await?;
        if provisioned != Outcome::Done {
            // How the clean-up went changes nothing about why it was needed; the host has told the user.
            drop(self.call_hook(CLEANUP_PROVISION, communicator, generated_data).await);
        }
        done(provisioned)
    }

    async fn call_hook(
        &self,
        event: &str,
        communicator: Option<OfferedCommunicator>,
        generated_data: &Value,
    ) -> Result<Outcome, Stop> {
        let lent = HookLent {
            ui: Some((&self.ui).into()),
            communicator,
            data: generated_data.to_string(),
            environment: None,
            cancellation: self.cancellation.offer(),
        };
        // What was said before stands before what the provisioners say.
        self.ui.flush().await?;
        Ok(self.hook.run(event, lent).await?)
    }
}

/// Does `work` until it is done or to stop; what was half done is the caller's to undo.
///
/// # Errors
/// [`Stop::Cancelled`] when the work was to stop first.
pub async fn unless_cancelled<T>(
    cancellation: &Cancellation,
    work: impl Future<Output = T>,
) -> Result<T, Stop> {
    tokio::select! {
        biased;
        () = cancellation.cancelled() => Err(Stop::Cancelled),
        done = work => Ok(done),
    }
}
