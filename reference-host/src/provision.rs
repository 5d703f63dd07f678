//! The hook that a builder calls when something happens to its machine: what the template names for that event, then
//! what the host does at it, which is the provisioners, in order.

mod attempt;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packwire_wire::{CLEANUP_PROVISION, Hook, HookRun, OnError, Outcome, PROVISION};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::events::{self, Events, Part, Scene};
use crate::failure::Failure;
use crate::plan::secrets_of;
use crate::prepare::{ReadyProvisioner, ReadySteps};
use crate::services::Services;
use crate::template::{Data, Learned};
use crate::ui::BuildUi;

/// What runs on the machine of one build, and how far it came.
#[derive(Clone)]
pub(crate) struct Provisioning(Arc<State>);

struct State {
    steps: ReadySteps,
    around: Around,
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

/// What all of a build's runs have in common. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) events: Events,
    pub(crate) data: Arc<Data>,
    pub(crate) on_error: OnError,
    /// The schema of what the builder generates.
    pub(crate) output_schema: Arc<str>,
    pub(crate) ui: BuildUi,
    pub(crate) services: Services,
    pub(crate) cancelled: CancellationToken,
}

impl Around {
    /// Masks what the builder calls secret of what it has generated.
    pub(crate) fn mask(&self, generated: &Map<String, Value>) {
        let secrets = secrets_of(&self.output_schema, &Value::Object(generated.clone()));
        self.ui.mask(secrets, "the builder");
    }
}

impl Provisioning {
    pub(crate) fn new(steps: ReadySteps, around: Around) -> Self {
        Self(Arc::new(State { steps, around, progress: Mutex::default() }))
    }

    /// The failure that the builder was told of, if there was one.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &*self.progress() {
            Progress::Failed(failure) => Some(failure.clone()),
            Progress::NotCalled | Progress::Called => None,
        }
    }

    /// Whether the builder has never called the hook; it has to, whatever there is to do then.
    pub(crate) fn is_forgotten(&self) -> bool {
        matches!(*self.progress(), Progress::NotCalled)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learned<'a>(&'a self, machine: &'a Scene) -> Learned<'a> {
        Learned { data: Some(&self.0.around.data), generated: Some(&machine.generated) }
    }

    /// The machine is up. What fails here is the failure of the build.
    async fn provision(&self, machine: &Scene, stop: &CancellationToken) -> Result<(), Failure> {
        if !self.begin() {
            return Err(Failure::host(format!("the event `{PROVISION}` comes once in a build")));
        }
        let provisioned = self.provision_once(machine, stop).await;
        if let Err(failure) = &provisioned {
            *self.progress() = Progress::Failed(failure.clone());
        }
        provisioned
    }

    /// Whether this is the first call.
    fn begin(&self) -> bool {
        let mut progress = self.progress();
        let is_first = matches!(*progress, Progress::NotCalled);
        if is_first {
            *progress = Progress::Called;
        }
        is_first
    }

    async fn provision_once(&self, machine: &Scene, stop: &CancellationToken) -> Result<(), Failure> {
        self.0.around.events.run(PROVISION, machine, stop).await?;
        for (index, provisioner) in self.0.steps.provisioners.iter().enumerate() {
            self.told_of(index, provisioner, machine, stop).await?;
        }
        Ok(())
    }

    async fn told_of(
        &self,
        index: usize,
        provisioner: &ReadyProvisioner,
        machine: &Scene,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let part = Part { kind: "provisioner", component: &provisioner.component.name.text, index };
        self.0.around.events.around(part, machine, self.attempts(provisioner, machine, stop)).await
    }

    /// Provisioning failed, and the machine is about to go. What failed already stays the failure of the build.
    async fn clean_up(&self, machine: &Scene, stop: &CancellationToken) -> Result<(), Failure> {
        if self.0.around.on_error == OnError::Abort {
            self.0.around.ui.say("Aborted: there is no clean-up");
            return Ok(());
        }
        let hooked = self.0.around.events.run(CLEANUP_PROVISION, machine, stop).await;
        let Some(cleanup) = &self.0.steps.cleanup else { return hooked };
        self.0.around.ui.say("Running the error-cleanup provisioner");
        let index = self.0.steps.provisioners.len();
        let cleaned = self.told_of(index, cleanup, machine, stop).await;
        hooked.and(cleaned).inspect_err(|failure| self.0.around.ui.error(&failure.to_string()))
    }

    async fn at_event(&self, event: &str, machine: &Scene, stop: &CancellationToken) -> Result<(), Failure> {
        match event {
            PROVISION => self.provision(machine, stop).await,
            CLEANUP_PROVISION => self.clean_up(machine, stop).await,
            other if self.0.around.events.has(other) && !events::OWN.contains(&other) => {
                self.0.around.events.run(other, machine, stop).await
            }
            other => Err(Failure::host(format!("this host knows no event `{other}`"))),
        }
    }
}

impl Hook for Provisioning {
    async fn run(&self, run: HookRun) -> Outcome {
        let HookRun { event, ui, communicator, data, environment: _, cancellation } = run;
        let generated = match generated_data(&data) {
            Ok(generated) => generated,
            Err(why) => return Outcome::failed(why),
        };
        self.0.around.mask(&generated);
        let machine = Scene { communicator, ui, generated };
        if event == CLEANUP_PROVISION {
            // What cancelled the build must not keep its machine from being cleaned up.
            return outcome(self.at_event(&event, &machine, &CancellationToken::new()).await);
        }
        // Whoever cancels first, the builder or the user, is heard.
        let cancelled = self.0.around.cancelled.child_token();
        let stop = cancelled.clone();
        tokio::select! {
            done = self.at_event(&event, &machine, &cancelled) => outcome(done),
            never = async { cancellation.cancelled().await; stop.cancel(); std::future::pending().await } => never,
        }
    }
}

fn outcome(done: Result<(), Failure>) -> Outcome {
    match done {
        Ok(()) => Outcome::Done,
        Err(Failure::Cancelled) => Outcome::Cancelled,
        Err(failure) => Outcome::Failed(failure.diagnostics()),
    }
}

/// A builder's generated data; what is no I-JSON object does not go further.
pub(crate) fn generated_data(text: &str) -> Result<Map<String, Value>, String> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(data)) => Ok(data),
        Ok(_) => Err("the builder's generated data is no JSON object".to_owned()),
        Err(error) => Err(format!("the builder's generated data is no JSON: {error}")),
    }
}
