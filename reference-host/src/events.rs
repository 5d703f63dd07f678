//! Hook components at the events of one build: the builder's, and the host's own.

use std::sync::Arc;

use packwire_wire::{
    Diagnostic, HookLent, OfferedCancellation, OfferedCommunicator, OfferedUi, Outcome, RemoteCapability,
    RemoteCommunicator, RemoteUi,
};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::catalog::Kind;
use crate::failure::Failure;
use crate::prepare::ReadyHook;
use crate::services::{Services, lend_on};
use crate::ui::BuildUi;

/// What the host tells hooks of by itself, beside what builders call. They watch: how they end changes nothing.
pub(crate) const OWN: [&str; 6] = [
    BUILD_STARTED,
    "packwire_provisioner_started",
    "packwire_provisioner_finished",
    "packwire_post_processor_started",
    "packwire_post_processor_finished",
    BUILD_FINISHED,
];

pub(crate) const BUILD_STARTED: &str = "packwire_build_started";
pub(crate) const BUILD_FINISHED: &str = "packwire_build_finished";

/// The hooks of one build. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Events(Arc<State>);

struct State {
    hooks: Vec<ReadyHook>,
    about: Map<String, Value>,
    ui: BuildUi,
    services: Services,
    cancelled: CancellationToken,
}

/// What there is at an event.
#[derive(Default)]
pub(crate) struct Scene {
    pub(crate) communicator: Option<RemoteCommunicator>,
    /// A builder may lend a Ui of its own making; without one its build's lines are used.
    pub(crate) ui: Option<RemoteUi>,
    pub(crate) generated: Map<String, Value>,
}

/// A part of a build that begins and ends.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// `provisioner` or `post_processor`
    pub(crate) kind: &'static str,
    /// Its type.
    pub(crate) component: &'a str,
    /// Which of its kind in this build, from 0.
    pub(crate) index: usize,
}

impl Events {
    pub(crate) fn new(
        hooks: Vec<ReadyHook>,
        about: Map<String, Value>,
        ui: BuildUi,
        services: Services,
        cancelled: CancellationToken,
    ) -> Self {
        Self(Arc::new(State { hooks, about, ui, services, cancelled }))
    }

    /// Whether the template names anything for this event.
    pub(crate) fn has(&self, event: &str) -> bool {
        self.0.hooks.iter().any(|hook| hook.event == event)
    }

    /// Runs what the template names for an event, in its order; the first failure ends it.
    pub(crate) async fn run(
        &self,
        event: &str,
        scene: &Scene,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        for hook in self.0.hooks.iter().filter(|hook| hook.event == event) {
            self.hook(hook, scene, scene.generated.clone(), stop).await?;
        }
        Ok(())
    }

    /// Tells hooks that the build begins or has ended.
    pub(crate) async fn tell(&self, event: &str, outcome: Option<&str>) {
        let mut about = Map::new();
        about.extend(outcome.map(|outcome| ("Outcome".to_owned(), json!(outcome))));
        self.tell_of(event, about, &Scene::default()).await;
    }

    /// Does a part of the build, and tells hooks when it begins and how it ended.
    pub(crate) async fn around<T>(
        &self,
        part: Part<'_>,
        scene: &Scene,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let Part { kind, component, index } = part;
        let mut about =
            Map::from_iter([("Component".to_owned(), json!(component)), ("Index".to_owned(), json!(index))]);
        self.tell_of(&format!("packwire_{kind}_started"), about.clone(), scene).await;
        let done = work.await;
        about.insert("Outcome".to_owned(), json!(word(&done)));
        self.tell_of(&format!("packwire_{kind}_finished"), about, scene).await;
        done
    }

    async fn tell_of(&self, event: &str, about: Map<String, Value>, scene: &Scene) {
        for hook in self.0.hooks.iter().filter(|hook| hook.event == event) {
            let mut data = scene.generated.clone();
            data.extend(self.0.about.clone());
            data.extend(about.clone());
            match self.hook(hook, scene, data, &self.stop_of_a_watcher()).await {
                Ok(()) | Err(Failure::Cancelled) => {}
                Err(failure) => self.0.ui.error(&format!("at {event}: {failure}")),
            }
        }
    }

    /// Who watches stops with the build, and is told also of what ends by a cancellation.
    fn stop_of_a_watcher(&self) -> CancellationToken {
        match self.0.cancelled.is_cancelled() {
            true => CancellationToken::new(),
            false => self.0.cancelled.child_token(),
        }
    }

    async fn hook(
        &self,
        hook: &ReadyHook,
        scene: &Scene,
        data: Map<String, Value>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let ReadyHook { event, component } = hook;
        let who = component.who();
        let found = component.component().await;
        let (running, found) = found.map_err(|why| Failure::Broken { who: who.clone(), why })?;
        let RemoteCapability::Hook(remote) = &found.capability else {
            return Err(Failure::bug(&who, "the component is of another kind"));
        };
        if scene.communicator.is_none() && found.needs_communicator {
            let needs = Diagnostic::error("it needs a machine, and at this event there is none");
            return Err(Failure::said(&who, vec![needs]));
        }
        let stop = stop.child_token();
        let services = self.0.services.of_others(component.grants, stop.clone());
        services.used_by(component.user(&running, &component.config));
        let lent = HookLent {
            ui: Some(scene.lend_ui(&self.0.ui, &stop)),
            communicator: scene.lend_communicator(),
            data: Value::Object(data).to_string(),
            environment: Some(services.offer()),
            cancellation: OfferedCancellation::from(stop.clone()),
        };
        let run = remote.run(event.as_str(), lent);
        let ran = running.run_until(Kind::Hook, run, &stop, self.0.ui.heard()).await;
        services.close().await;
        match ran {
            None => Err(Failure::Stuck { who, grace: running.grace(Kind::Hook).as_secs() }),
            Some(Ok(Outcome::Done)) => Ok(()),
            Some(Ok(Outcome::Failed(diagnostics))) => Err(Failure::said(&who, diagnostics)),
            Some(Ok(Outcome::Cancelled)) => Err(Failure::Cancelled),
            Some(Err(broken)) => Err(Failure::Broken { who, why: running.explain(broken).await }),
        }
    }
}

impl Scene {
    /// Where a run at this event prints.
    pub(crate) fn lend_ui(&self, own: &BuildUi, stop: &CancellationToken) -> OfferedUi {
        self.ui.as_ref().map_or_else(|| own.lend(stop.clone()), OfferedUi::from)
    }

    pub(crate) fn lend_communicator(&self) -> Option<OfferedCommunicator> {
        self.communicator.clone().map(|communicator| OfferedCommunicator::new(lend_on(communicator)))
    }
}

/// How something ended, in one word.
pub(crate) fn word<T>(done: &Result<T, Failure>) -> &'static str {
    match done {
        Ok(_) => "done",
        Err(Failure::Cancelled) => "cancelled",
        Err(_) => "failed",
    }
}
