//! [`Plan`] → [`Ready`]: every plugin attached, every configuration checked by its schema, then by its component.
//!
//! What is wrong with the template is found here, together, before any build runs. What waits for values that only the
//! run will tell is checked by its schema as far as it is known, and prepared when it is.

mod kinds;
mod schemas;
mod used;

use std::sync::Arc;

use packwire_wire::{
    Context, Diagnostic, RemoteBuild, RemoteHook, RemotePostProcess, RemoteProvision, RemoteQuery,
};

use crate::catalog::Kind;
use crate::plan::{
    Plan, PlannedBuild, PlannedComponent, PlannedData, PlannedHook, PlannedPostProcessor, PlannedProvisioner,
};
use crate::plugins::{Plugin, PluginFailure, Plugins};
use crate::template::{Config, Data, Learned, Problem, Source, Word};
use crate::ui::BuildUi;

pub use kinds::Preparable;
pub use schemas::Schemas;
pub use used::{Taken, Use};

/// A plan that can be run.
pub struct Ready {
    /// The template.
    pub text: Source,
    /// What is looked up first: whoever asks for a value stands behind what yields it.
    pub data: Vec<ReadyData>,
    /// In the order of the template.
    pub builds: Vec<ReadyBuild>,
}

/// One look-up that can be run.
pub struct ReadyData {
    /// How `{{data}}` calls it.
    pub name: String,
    /// What runs.
    pub component: Use<RemoteQuery>,
    /// Whether a build asks for its value.
    pub is_asked_for: bool,
}

/// One build that can be run.
pub struct ReadyBuild {
    /// Unique in the plan.
    pub name: String,
    /// What makes the machine.
    pub builder: Use<RemoteBuild>,
    /// At events, in order, before what the host itself does at them.
    pub hooks: Vec<ReadyHook>,
    /// What runs on it.
    pub steps: ReadySteps,
    /// What becomes of its artifact: each begins with what the builder made.
    pub sequences: Vec<Vec<ReadyPostProcessor>>,
}

/// What runs while a builder has its machine.
pub struct ReadySteps {
    /// Once, in order.
    pub provisioners: Vec<ReadyProvisioner>,
    /// After one of them failed.
    pub cleanup: Option<ReadyProvisioner>,
}

/// One provisioner in one build.
pub struct ReadyProvisioner {
    /// What runs.
    pub component: Use<RemoteProvision>,
    /// When, how long and how often.
    pub planned: PlannedProvisioner,
}

/// One hook component at one event.
pub struct ReadyHook {
    /// When it runs.
    pub event: String,
    /// What runs: it is not prepared.
    pub component: Use<RemoteHook>,
}

/// One post-processor in one sequence.
pub struct ReadyPostProcessor {
    /// What runs.
    pub component: Use<RemotePostProcess>,
    /// Whether its input stays, where the template says so.
    pub keep_input: Option<bool>,
}

/// Why a use cannot be prepared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The configuration is wrong: at least one error, each with a JSON Pointer.
    #[error("its configuration is wrong")]
    Config(Vec<Diagnostic>),
    /// The run has not told what the configuration asks for.
    #[error("its configuration cannot be made")]
    Late(Vec<Problem>),
    /// The plugin cannot be used.
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
}

/// Something to tell about one use of a component; warnings too.
#[derive(Debug)]
pub struct Remark {
    /// What the template calls it.
    pub name: Word,
    /// Its kind.
    pub kind: Kind,
    /// The build that uses it, where one does.
    pub build: Option<String>,
    /// Its configuration, which diagnostics point into.
    pub config: Config,
    /// What there is to tell.
    pub what: Refusal,
}

/// Why a plan cannot be run; the remarks of which at least one is an error.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be built as it is", text.name())]
pub struct NotReady {
    /// The template.
    pub text: Source,
    /// What is wrong, and what else was remarked.
    pub remarks: Vec<Remark>,
}

impl Remark {
    fn new(build: Option<&str>, component: &PlannedComponent, what: Refusal) -> Self {
        let PlannedComponent { kind, name, config, .. } = component.clone();
        Self { name, kind, build: build.map(ToOwned::to_owned), config, what }
    }

    fn is_error(&self) -> bool {
        match &self.what {
            Refusal::Config(diagnostics) => diagnostics.iter().any(Diagnostic::is_error),
            Refusal::Late(_) | Refusal::Plugin(_) => true,
        }
    }
}

impl Ready {
    /// Prepares everything that is known, and yields warnings beside it.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the template.
    pub async fn of(
        plan: Plan,
        plugins: &Plugins,
        context: &Context,
    ) -> Result<(Self, Vec<Remark>), NotReady> {
        let Plan { source, plugins: commands, data, builds } = plan;
        let mut preparing = Preparing {
            commands: commands.iter().map(|command| plugins.plugin(command)).collect(),
            remarks: Vec::new(),
        };
        let mut ready = Self { text: source, data: Vec::new(), builds: Vec::new() };
        for source in data {
            ready.data.push(preparing.data(source, context).await);
        }
        for build in builds {
            ready.builds.push(preparing.build(build, context).await);
        }
        ready.unless_wrong(preparing.remarks)
    }

    /// Prepares what is known now that the data sources have run, and yields warnings beside it.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the template.
    pub async fn learn(mut self, data: &Data, ui: &BuildUi) -> Result<(Self, Vec<Remark>), NotReady> {
        let learned = Learned { data: Some(data), generated: None };
        let mut learning = Learning { learned, ui, build: String::new(), remarks: Vec::new() };
        for build in &mut self.builds {
            learning.build.clone_from(&build.name);
            learning.learn(&mut build.builder).await;
            for provisioner in build.steps.provisioners.iter_mut().chain(&mut build.steps.cleanup) {
                learning.learn(&mut provisioner.component).await;
            }
            for post_processor in build.sequences.iter_mut().flatten() {
                learning.learn(&mut post_processor.component).await;
            }
        }
        let remarks = learning.remarks;
        self.unless_wrong(remarks)
    }

    fn unless_wrong(self, remarks: Vec<Remark>) -> Result<(Self, Vec<Remark>), NotReady> {
        if remarks.iter().any(Remark::is_error) {
            return Err(NotReady { text: self.text, remarks });
        }
        Ok((self, remarks))
    }
}

struct Preparing {
    commands: Vec<Arc<Plugin>>,
    remarks: Vec<Remark>,
}

impl Preparing {
    async fn data(&mut self, planned: PlannedData, context: &Context) -> ReadyData {
        let PlannedData { name, component, is_asked_for } = planned;
        let component = self.component(None, component, context).await;
        ReadyData { name, component, is_asked_for }
    }

    async fn build(&mut self, build: PlannedBuild, context: &Context) -> ReadyBuild {
        let PlannedBuild { name, builder, provisioners, cleanup, hooks, sequences } = build;
        let context =
            Context { build_name: name.clone(), builder_type: builder.name.text.clone(), ..context.clone() };
        let build = Some(name.as_str());
        let builder = self.component(build, builder, &context).await;
        let mut steps = ReadySteps { provisioners: Vec::new(), cleanup: None };
        let mut ready_hooks = Vec::new();
        for planned in hooks {
            ready_hooks.push(self.hook(build, planned, &context).await);
        }
        for planned in provisioners {
            steps.provisioners.push(self.provisioner(build, planned, &context).await);
        }
        if let Some(planned) = cleanup {
            steps.cleanup = Some(self.provisioner(build, planned, &context).await);
        }
        let mut ready = Vec::new();
        for sequence in sequences {
            ready.push(self.sequence(build, sequence, &context).await);
        }
        ReadyBuild { name, builder, hooks: ready_hooks, steps, sequences: ready }
    }

    async fn hook(&mut self, build: Option<&str>, planned: PlannedHook, context: &Context) -> ReadyHook {
        let PlannedHook { event, component: planned } = planned;
        let plugin = self.commands[planned.plugin].clone();
        let mut component = Use::new(planned.clone(), plugin, context);
        if let Err(failure) = component.look().await {
            self.remarks.push(Remark::new(build, &planned, failure.into()));
        }
        ReadyHook { event, component }
    }

    async fn provisioner(
        &mut self,
        build: Option<&str>,
        planned: PlannedProvisioner,
        context: &Context,
    ) -> ReadyProvisioner {
        let component = self.component(build, planned.component.clone(), context).await;
        ReadyProvisioner { component, planned }
    }

    async fn sequence(
        &mut self,
        build: Option<&str>,
        sequence: Vec<PlannedPostProcessor>,
        context: &Context,
    ) -> Vec<ReadyPostProcessor> {
        let mut ready = Vec::new();
        for PlannedPostProcessor { component, keep_input } in sequence {
            let component = self.component(build, component, context).await;
            ready.push(ReadyPostProcessor { component, keep_input });
        }
        ready
    }

    async fn component<T: Preparable>(
        &mut self,
        build: Option<&str>,
        planned: PlannedComponent,
        context: &Context,
    ) -> Use<T> {
        let plugin = self.commands[planned.plugin].clone();
        let mut used = Use::new(planned.clone(), plugin, context);
        let what = match used.check().await {
            Ok(warnings) if warnings.is_empty() => return used,
            Ok(warnings) => Refusal::Config(warnings),
            Err(refusal) => refusal,
        };
        self.remarks.push(Remark::new(build, &planned, what));
        used
    }
}

struct Learning<'a> {
    learned: Learned<'a>,
    ui: &'a BuildUi,
    build: String,
    remarks: Vec<Remark>,
}

impl Learning<'_> {
    async fn learn<T: Preparable>(&mut self, used: &mut Use<T>) {
        let what = match used.learn(self.learned, self.ui).await {
            Ok(warnings) if warnings.is_empty() => return,
            Ok(warnings) => Refusal::Config(warnings),
            Err(refusal) => refusal,
        };
        let build = Some(self.build.clone());
        let (name, config) = (used.name.clone(), used.config.clone());
        self.remarks.push(Remark { name, kind: used.kind(), build, config, what });
    }
}
