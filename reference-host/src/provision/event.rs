//! Hook components at the events that the template names.

use packwire_wire::{Diagnostic, HookLent, OfferedCancellation, Outcome, RemoteCapability, limits};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::attempt::communicator_of;
use super::{Machine, Provisioning};
use crate::failure::Failure;
use crate::grace::within_grace;
use crate::prepare::ReadyHook;

impl Provisioning {
    /// In the order of the template; the first failure ends the event.
    pub(super) async fn hooks(
        &self,
        event: &str,
        machine: &Machine,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        for hook in self.0.steps.hooks.iter().filter(|hook| hook.event == event) {
            self.hook(hook, machine, stop).await?;
        }
        Ok(())
    }

    async fn hook(
        &self,
        hook: &ReadyHook,
        machine: &Machine,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let ReadyHook { event, component } = hook;
        let who = component.who();
        let found = component.component().await;
        let (running, found) = found.map_err(|why| Failure::Broken { who: who.clone(), why })?;
        let RemoteCapability::Hook(remote) = &found.capability else {
            return Err(Failure::said(&who, vec![Diagnostic::error("the component is of another kind")]));
        };
        if machine.communicator.is_none() && found.needs_communicator {
            let needs = Diagnostic::error("it needs a machine, and the builder lends no communicator");
            return Err(Failure::said(&who, vec![needs]));
        }
        let stop = stop.child_token();
        let services = self.0.services.of_others(component.grants, stop.clone());
        services.used_by(component.user(&running, &component.config));
        let lent = HookLent {
            ui: Some(self.ui_of(machine, &stop)),
            communicator: communicator_of(machine),
            data: Value::Object(machine.generated.clone()).to_string(),
            environment: Some(services.offer()),
            cancellation: OfferedCancellation::from(stop.clone()),
        };
        let run = remote.run(event.as_str(), lent);
        let ran = within_grace(run, &stop, limits::CLEAN_UP, self.0.ui.heard()).await;
        services.close().await;
        match ran {
            None => Err(Failure::Stuck { who, grace: limits::CLEAN_UP.as_secs() }),
            Some(Ok(Outcome::Done)) => Ok(()),
            Some(Ok(Outcome::Failed(diagnostics))) => Err(Failure::said(&who, diagnostics)),
            Some(Ok(Outcome::Cancelled)) => Err(Failure::Cancelled),
            Some(Err(broken)) => Err(Failure::Broken { who, why: running.explain(broken).await }),
        }
    }
}
