//! The hook that a builder calls when its machine is up: the provisioners, in order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use packwire_wire::{
    CLEANUP_PROVISION, Diagnostic, Hook, HookRun, OfferedCommunicator, OfferedUi, Outcome, PROVISION,
    ProvisionLent, RemoteCommunicator, RemoteProvision, RemoteUi, limits,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::grace::within_grace;
use crate::prepare::ReadyProvisioner;
use crate::services::{Services, lend_on};
use crate::ui::BuildUi;

/// The provisioners of one build, and how far they came.
#[derive(Clone)]
pub(crate) struct Provisioning(Arc<State>);

struct State {
    provisioners: Vec<ReadyProvisioner>,
    ui: BuildUi,
    services: Services,
    cancelled: CancellationToken,
    progress: Mutex<Progress>,
}

/// What became of the one call for provisioning.
#[derive(Clone, Default)]
enum Progress {
    #[default]
    NotCalled,
    Called,
    Failed(Failure),
}

/// What the builder lent for provisioning.
struct Machine {
    communicator: Option<RemoteCommunicator>,
    ui: Option<RemoteUi>,
    data: String,
}

impl Provisioning {
    pub(crate) fn new(
        provisioners: Vec<ReadyProvisioner>,
        ui: BuildUi,
        services: Services,
        cancelled: CancellationToken,
    ) -> Self {
        Self(Arc::new(State { provisioners, ui, services, cancelled, progress: Mutex::default() }))
    }

    /// The failure that the builder was told of, if there was one.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &*self.progress() {
            Progress::Failed(failure) => Some(failure.clone()),
            Progress::NotCalled | Progress::Called => None,
        }
    }

    /// Whether provisioners wait in vain: the builder is done, and never called the hook.
    pub(crate) fn is_forgotten(&self) -> bool {
        !self.0.provisioners.is_empty() && matches!(*self.progress(), Progress::NotCalled)
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn provision(&self, machine: &Machine, cancelled: &CancellationToken) -> Result<(), Failure> {
        for provisioner in &self.0.provisioners {
            self.attempts(provisioner, machine, cancelled).await?;
        }
        Ok(())
    }

    /// One provisioner, with the pauses, limits and retries that the template gives it; the last failure counts.
    async fn attempts(
        &self,
        provisioner: &ReadyProvisioner,
        machine: &Machine,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut left = provisioner.planned.max_retries;
        loop {
            let failure = match self.limited(provisioner, machine, cancelled).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if left == 0 || cancelled.is_cancelled() || matches!(failure, Failure::Cancelled) {
                return Err(failure);
            }
            self.0.ui.error(&failure.to_string());
            self.0.ui.say(&format!("Trying again; attempts left: {left}"));
            left -= 1;
        }
    }

    /// One attempt; its time includes the pause, as Packer's does.
    async fn limited(
        &self,
        provisioner: &ReadyProvisioner,
        machine: &Machine,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        let stop = cancelled.child_token();
        let Some(timeout) = provisioner.planned.timeout else {
            return self.attempt(provisioner, machine, stop).await;
        };
        let mut attempt = std::pin::pin!(self.attempt(provisioner, machine, stop.clone()));
        tokio::select! {
            ended = &mut attempt => ended,
            () = tokio::time::sleep(timeout) => {
                stop.cancel();
                // It cleans up first; how that went is no news beside the time that ran out.
                drop(attempt.await);
                let after = format!("{} s", timeout.as_secs_f64());
                Err(Failure::TimedOut { who: who(provisioner), after })
            }
        }
    }

    async fn attempt(
        &self,
        provisioner: &ReadyProvisioner,
        machine: &Machine,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        pause(provisioner.planned.pause_before, &self.0.ui, &stop).await?;
        let who = who(provisioner);
        let (running, provision) =
            provisioner.component.take().await.map_err(|refusal| Failure::refused(&who, refusal))?;
        if machine.communicator.is_none() && provisioner.component.needs_communicator {
            let needs = Diagnostic::error("it needs a machine, and the builder lends no communicator");
            return Err(Failure::said(&who, vec![needs]));
        }
        let services = self.0.services.of_others(stop.clone());
        services.used_by(provisioner.component.user(&running));
        let lent = self.lent(machine, &services, stop.clone());
        let run = async { provision.run(lent).await };
        let ran = within_grace(run, &stop, limits::CLEAN_UP, self.0.ui.heard()).await;
        services.close().await;
        let outcome = match ran {
            None => return Err(Failure::Stuck { who, grace: limits::CLEAN_UP.as_secs() }),
            Some(Ok(outcome)) => outcome,
            Some(Err(broken)) => return Err(Failure::Broken { who, why: running.explain(broken).await }),
        };
        close(&provision).await;
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Failed(diagnostics) => Err(Failure::said(&who, diagnostics)),
            Outcome::Cancelled => Err(Failure::Cancelled),
        }
    }

    fn lent(&self, machine: &Machine, services: &Services, stop: CancellationToken) -> ProvisionLent {
        let Machine { communicator, ui, data } = machine;
        ProvisionLent {
            // A builder may lend a Ui of its own making; without one its build's lines are used.
            ui: ui.as_ref().map_or_else(|| self.0.ui.lend(stop.clone()), OfferedUi::from),
            communicator: communicator
                .clone()
                .map(|communicator| OfferedCommunicator::new(lend_on(communicator))),
            generated_data: data.clone(),
            environment: services.offer(),
            cancellation: stop,
        }
    }
}

impl Hook for Provisioning {
    async fn run(&self, run: HookRun) -> Outcome {
        let HookRun { event, ui, communicator, data, environment: _, cancellation } = run;
        match event.as_str() {
            PROVISION => {}
            // There is no clean-up provisioner yet; a builder calls this event all the same.
            CLEANUP_PROVISION => return Outcome::Done,
            other => return Outcome::failed(format!("this host knows no event `{other}`")),
        }
        if !matches!(std::mem::replace(&mut *self.progress(), Progress::Called), Progress::NotCalled) {
            return Outcome::failed(format!("the event `{PROVISION}` comes once in a build"));
        }
        let data = match generated_data(&data) {
            Ok(data) => data,
            Err(why) => return Outcome::failed(why),
        };
        // Whoever cancels first, the builder or the user, is heard.
        let cancelled = self.0.cancelled.child_token();
        let stop = cancelled.clone();
        let machine = Machine { communicator, ui, data };
        let provisioned = tokio::select! {
            provisioned = self.provision(&machine, &cancelled) => provisioned,
            () = async { cancellation.cancelled().await; stop.cancel(); std::future::pending().await } => Ok(()),
        };
        let Err(failure) = provisioned else { return Outcome::Done };
        *self.progress() = Progress::Failed(failure.clone());
        match failure {
            Failure::Cancelled => Outcome::Cancelled,
            failure => Outcome::Failed(failure.diagnostics()),
        }
    }
}

fn who(provisioner: &ReadyProvisioner) -> String {
    format!("provisioner {}", provisioner.component.name.text)
}

async fn pause(length: Duration, ui: &BuildUi, stop: &CancellationToken) -> Result<(), Failure> {
    if length.is_zero() {
        return Ok(());
    }
    ui.say(&format!("Pausing {} s before the next provisioner", length.as_secs_f64()));
    tokio::select! {
        () = tokio::time::sleep(length) => Ok(()),
        () = stop.cancelled() => Err(Failure::Cancelled),
    }
}

async fn close(provision: &RemoteProvision) {
    // A plugin that does not answer this is noticed by the next call that matters.
    drop(provision.close().await);
}

/// A builder's generated data, read and written again: what is no I-JSON object does not go further.
pub(crate) fn generated_data(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok("{}".to_owned());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(data)) => Ok(Value::Object(data).to_string()),
        Ok(_) => Err("the builder's generated data is no JSON object".to_owned()),
        Err(error) => Err(format!("the builder's generated data is no JSON: {error}")),
    }
}
