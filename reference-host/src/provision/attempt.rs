//! One provisioner, with the pauses, limits and retries that the template gives it.

use std::time::Duration;

use packwire_wire::{Diagnostic, Outcome, ProvisionLent, RemoteProvision};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Provisioning;
use crate::catalog::Kind;
use crate::events::Scene;
use crate::failure::Failure;
use crate::prepare::{ReadyProvisioner, Taken};
use crate::services::Services;
use crate::ui::BuildUi;

impl Provisioning {
    /// As many attempts as it may have; the last failure counts.
    pub(super) async fn attempts(
        &self,
        provisioner: &ReadyProvisioner,
        machine: &Scene,
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
            self.0.around.ui.error(&failure.to_string());
            self.0.around.ui.say(&format!("Trying again; attempts left: {left}"));
            left -= 1;
        }
    }

    /// One attempt; its time includes the pause, as Packer's does.
    async fn limited(
        &self,
        provisioner: &ReadyProvisioner,
        machine: &Scene,
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
                Err(Failure::TimedOut { who: provisioner.component.who(), after })
            }
        }
    }

    async fn attempt(
        &self,
        provisioner: &ReadyProvisioner,
        machine: &Scene,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        let ReadyProvisioner { component, planned } = provisioner;
        pause(planned.pause_before, &self.0.around.ui, &stop).await?;
        let who = component.who();
        let taken = component.take(self.learned(machine), &self.0.around.ui).await;
        let Taken { running, prepared: provision, user } =
            taken.map_err(|refusal| Failure::refused(&who, refusal))?;
        if machine.communicator.is_none() && component.needs_communicator {
            let needs = Diagnostic::error("it needs a machine, and the builder lends no communicator");
            close(&provision).await;
            return Err(Failure::said(&who, vec![needs]));
        }
        let services = self.0.around.services.of_others(component.grants, stop.clone());
        services.used_by(user);
        let lent = self.lent(machine, &services, stop.clone());
        let run = async { provision.run(lent).await };
        let ran = running.run_until(Kind::Provisioner, run, &stop, self.0.around.ui.heard()).await;
        services.close().await;
        let outcome = match ran {
            None => return Err(Failure::Stuck { who, grace: running.grace(Kind::Provisioner).as_secs() }),
            Some(Ok(outcome)) => outcome,
            Some(Err(broken)) => {
                close(&provision).await;
                return Err(Failure::Broken { who, why: running.explain(broken).await });
            }
        };
        close(&provision).await;
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Failed(diagnostics) => Err(Failure::said(&who, diagnostics)),
            Outcome::Cancelled => Err(Failure::Cancelled),
        }
    }

    fn lent(&self, machine: &Scene, services: &Services, stop: CancellationToken) -> ProvisionLent {
        ProvisionLent {
            ui: machine.lend_ui(&self.0.around.ui, &stop),
            communicator: machine.lend_communicator(),
            generated_data: Value::Object(machine.generated.clone()).to_string(),
            environment: services.offer(),
            cancellation: stop,
        }
    }
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
