//! [`Plan`] → [`Ready`]: every plugin attached, every configuration checked by its schema, then by its component.
//!
//! What is wrong with the template is found here, together, before any build runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use packwire_wire::{Context, Diagnostic, Prepared, RemoteBuild, RemoteCapability, RemoteProvision};
use tokio::task::JoinSet;

use crate::catalog::Kind;
use crate::ledger::Maker;
use crate::plan::{Plan, PlannedBuild, PlannedComponent, PlannedProvisioner};
use crate::plugins::{Plugin, PluginFailure, Plugins, Running};
use crate::services::User;
use crate::template::{Config, Source, Word};

/// A component with a configuration, prepared in a process that may have died since.
pub struct Use<T> {
    /// Its name as the template says it.
    pub name: Word,
    /// Whether it can do nothing without a machine.
    pub needs_communicator: bool,
    plugin: Arc<Plugin>,
    kind: Kind,
    config: Config,
    context: Context,
    prepared: tokio::sync::Mutex<Option<(Arc<Running>, T)>>,
}

/// A plan that can be run.
pub struct Ready {
    /// In the order of the template.
    pub builds: Vec<ReadyBuild>,
}

/// One build that can be run.
pub struct ReadyBuild {
    /// Unique in the plan.
    pub name: String,
    /// What makes the machine.
    pub builder: Use<RemoteBuild>,
    /// What runs on it, in order.
    pub provisioners: Vec<ReadyProvisioner>,
}

/// One provisioner in one build.
pub struct ReadyProvisioner {
    /// What runs.
    pub component: Use<RemoteProvision>,
    /// When, how long and how often.
    pub planned: PlannedProvisioner,
}

/// Why a use cannot be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The configuration is wrong: at least one error, each with a JSON Pointer.
    #[error("its configuration is wrong")]
    Config(Vec<Diagnostic>),
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
    /// The build that uses it.
    pub build: String,
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

/// A component that is prepared and called in one way: builders and provisioners.
pub trait Preparable: Sized + Clone + Send + Sync + 'static {
    /// Asks the capability, which must be of the right kind.
    fn prepare(
        capability: &RemoteCapability,
        config: String,
        context: Context,
    ) -> impl Future<Output = Option<Result<Prepared<Self>, packwire_wire::Broken>>> + Send;
}

impl Preparable for RemoteBuild {
    async fn prepare(
        capability: &RemoteCapability,
        config: String,
        context: Context,
    ) -> Option<Result<Prepared<Self>, packwire_wire::Broken>> {
        let RemoteCapability::Builder(builder) = capability else { return None };
        Some(builder.prepare(config, context).await)
    }
}

impl Preparable for RemoteProvision {
    async fn prepare(
        capability: &RemoteCapability,
        config: String,
        context: Context,
    ) -> Option<Result<Prepared<Self>, packwire_wire::Broken>> {
        let RemoteCapability::Provisioner(provisioner) = capability else { return None };
        Some(provisioner.prepare(config, context).await)
    }
}

/// The configuration schemas of a plan's components, as their plugins gave them when they attached.
#[derive(Debug, Default)]
pub struct Schemas(BTreeMap<(Kind, String, usize), String>);

impl Schemas {
    /// Attaches every plugin of the plan and asks for what it offers.
    ///
    /// # Errors
    /// Every plugin that does not attach, and every component that its plugin does not offer.
    pub async fn of(plan: &Plan, plugins: &Plugins) -> Result<Self, NotReady> {
        start_all(plan, plugins).await;
        let (mut schemas, mut remarks) = (Self::default(), Vec::new());
        for build in &plan.builds {
            let provisioners = build.provisioners.iter().map(|provisioner| &provisioner.component);
            for component in std::iter::once(&build.builder).chain(provisioners) {
                let plugin = plugins.plugin(&plan.plugins[component.plugin]);
                match schema(&plugin, component).await {
                    Ok(schema) => drop(schemas.0.insert(key(component), schema)),
                    Err(failure) => remarks.push(Remark::new(&build.name, component, failure.into())),
                }
            }
        }
        if remarks.is_empty() { Ok(schemas) } else { Err(NotReady { text: plan.source.clone(), remarks }) }
    }

    /// The schema of one component of the plan.
    #[must_use]
    pub fn schema(&self, component: &PlannedComponent) -> Option<&str> {
        self.0.get(&key(component)).map(String::as_str)
    }
}

fn key(component: &PlannedComponent) -> (Kind, String, usize) {
    (component.kind, component.name.text.clone(), component.plugin)
}

async fn schema(plugin: &Plugin, component: &PlannedComponent) -> Result<String, PluginFailure> {
    let running = plugin.running().await?;
    Ok(running.component(component.kind, &component.name.text)?.config_schema.clone())
}

impl Remark {
    fn new(build: &str, component: &PlannedComponent, what: Refusal) -> Self {
        let PlannedComponent { kind, name, config, .. } = component.clone();
        Self { name, kind, build: build.to_owned(), config, what }
    }
}

impl Ready {
    /// Prepares everything, and yields warnings beside it.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the template.
    pub async fn of(
        plan: Plan,
        plugins: &Plugins,
        context: &Context,
    ) -> Result<(Self, Vec<Remark>), NotReady> {
        let Plan { source, plugins: commands, builds } = plan;
        let mut preparing = Preparing {
            commands: commands.iter().map(|command| plugins.plugin(command)).collect(),
            remarks: Vec::new(),
        };
        let mut ready = Vec::new();
        for build in builds {
            ready.push(preparing.build(build, context).await);
        }
        let Preparing { remarks, .. } = preparing;
        let wrong = |remark: &Remark| match &remark.what {
            Refusal::Config(diagnostics) => diagnostics.iter().any(Diagnostic::is_error),
            Refusal::Plugin(_) => true,
        };
        if remarks.iter().any(wrong) {
            return Err(NotReady { text: source, remarks });
        }
        Ok((Self { builds: ready }, remarks))
    }
}

/// Starts the processes side by side; who fails is asked again when it is used, and tells then.
async fn start_all(plan: &Plan, plugins: &Plugins) {
    let mut starting = JoinSet::new();
    for command in &plan.plugins {
        let plugin = plugins.plugin(command);
        let _handle = starting.spawn(async move { plugin.running().await.is_ok() });
    }
    drop(starting.join_all().await);
}

struct Preparing {
    commands: Vec<Arc<Plugin>>,
    remarks: Vec<Remark>,
}

impl Preparing {
    async fn build(&mut self, build: PlannedBuild, context: &Context) -> ReadyBuild {
        let PlannedBuild { name, builder, provisioners } = build;
        let context =
            Context { build_name: name.clone(), builder_type: builder.name.text.clone(), ..context.clone() };
        let builder = self.component(&name, builder, &context).await;
        let mut ready = Vec::new();
        for planned in provisioners {
            let component = self.component(&name, planned.component.clone(), &context).await;
            ready.push(ReadyProvisioner { component, planned });
        }
        ReadyBuild { name, builder, provisioners: ready }
    }

    async fn component<T: Preparable>(
        &mut self,
        build: &str,
        planned: PlannedComponent,
        context: &Context,
    ) -> Use<T> {
        let context = Context { component_type: planned.name.text.clone(), ..context.clone() };
        let mut used = Use {
            name: planned.name.clone(),
            needs_communicator: true,
            plugin: self.commands[planned.plugin].clone(),
            kind: planned.kind,
            config: planned.config.clone(),
            context,
            prepared: tokio::sync::Mutex::new(None),
        };
        let what = match used.check().await {
            Ok(warnings) if warnings.is_empty() => return used,
            Ok(warnings) => Refusal::Config(warnings),
            Err(refusal) => refusal,
        };
        self.remarks.push(Remark::new(build, &planned, what));
        used
    }
}

impl<T> Use<T> {
    /// Who it is while it runs in this process.
    pub(crate) fn user(&self, running: &Arc<Running>) -> User {
        let Self { name, plugin, kind, config, context, .. } = self;
        let maker = Maker::new(context.build_name.clone(), *kind, &name.text, name.span.start, running);
        User { maker, plugin: plugin.clone(), running: running.clone(), config: config.value.to_string() }
    }
}

impl<T: Preparable> Use<T> {
    /// Prepares for the first time, and yields warnings.
    async fn check(&mut self) -> Result<Vec<Diagnostic>, Refusal> {
        let (running, prepared, warnings) = self.prepare().await?;
        self.needs_communicator = running.component(self.kind, &self.name.text)?.needs_communicator;
        *self.prepared.get_mut() = Some((running, prepared));
        Ok(warnings)
    }

    /// What runs once: as it was prepared, or prepared anew where it was used or its process has died.
    ///
    /// # Errors
    /// The plugin cannot be started again, or answers otherwise than before.
    pub async fn take(&self) -> Result<(Arc<Running>, T), Refusal> {
        let prepared = self.prepared.lock().await.take();
        match prepared.filter(|(running, _)| !running.is_gone()) {
            Some(prepared) => Ok(prepared),
            None => self.prepare().await.map(|(running, prepared, _)| (running, prepared)),
        }
    }

    async fn prepare(&self) -> Result<(Arc<Running>, T, Vec<Diagnostic>), Refusal> {
        let running = self.plugin.running().await?;
        let component = running.component(self.kind, &self.name.text)?;
        let config = self.config.value.to_string();
        let Some(answer) = T::prepare(&component.capability, config, self.context.clone()).await else {
            return Err(Refusal::Config(vec![Diagnostic::error("the component is of another kind")]));
        };
        match answer {
            Err(broken) => Err(running.explain(broken).await.into()),
            Ok(Prepared { diagnostics, object: Some(object) }) => Ok((running, object, diagnostics)),
            Ok(Prepared { diagnostics, object: None }) => Err(Refusal::Config(diagnostics)),
        }
    }
}
