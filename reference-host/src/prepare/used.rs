//! One use of a component: prepared when its configuration is known, and anew for every run.

use std::sync::Arc;

use packwire_wire::{Component, Context, Diagnostic, Prepared, RemoteCapability};

use super::{Preparable, Refusal};
use crate::catalog::Kind;
use crate::ledger::Maker;
use crate::plan::{PlannedComponent, Problem, SchemaError, check_late_config, fit_config, secrets_of};
use crate::plugins::{Plugin, PluginFailure, Running};
use crate::services::User;
use crate::template::{Config, Grants, Learned, Word};
use crate::ui::BuildUi;

/// A component with a configuration, prepared in a process that may have died since.
pub struct Use<T> {
    /// Its name as the template says it.
    pub name: Word,
    /// Whether it can do nothing without a machine.
    pub needs_communicator: bool,
    /// What it may use beyond the rest.
    pub grants: Grants,
    /// What it is given, as far as that is known.
    pub config: Config,
    plugin: Arc<Plugin>,
    kind: Kind,
    context: Context,
    prepared: tokio::sync::Mutex<Option<Unused<T>>>,
}

/// What was prepared, until it runs. Its process closes it in the end if it never does (`host.closes-prepared`).
struct Unused<T> {
    running: Arc<Running>,
    prepared: T,
    number: u64,
}

/// What runs once, and who that is.
pub struct Taken<T> {
    /// The process that it runs in.
    pub running: Arc<Running>,
    /// What was prepared in it.
    pub prepared: T,
    /// Who it is to the services that it is lent.
    pub user: User,
}

impl<T> Use<T> {
    pub(super) fn new(planned: PlannedComponent, plugin: Arc<Plugin>, context: &Context) -> Self {
        let PlannedComponent { kind, name, plugin: _, config, grants } = planned;
        let context = Context { component_type: name.text.clone(), ..context.clone() };
        let prepared = tokio::sync::Mutex::new(None);
        Self { name, needs_communicator: true, grants, config, plugin, kind, context, prepared }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its kind and name, as failures call it.
    #[must_use]
    pub fn who(&self) -> String {
        format!("{} {}", self.kind, self.name.text)
    }

    /// What its plugin offers under its name, in a process that lives.
    ///
    /// # Errors
    /// The plugin cannot be started again, or offers it no more.
    pub async fn component(&self) -> Result<(Arc<Running>, Component<RemoteCapability>), PluginFailure> {
        let running = self.plugin.running().await?;
        let component = running.component(self.kind, &self.name.text)?.clone();
        Ok((running, component))
    }

    /// The schema of what it yields; empty where its plugin tells of none, or cannot be asked.
    pub async fn output_schema(&self) -> String {
        self.component().await.map(|(_, component)| component.output_schema).unwrap_or_default()
    }

    /// Who it is while it runs in this process with this configuration.
    pub(crate) fn user(&self, running: &Arc<Running>, config: &Config) -> User {
        let Self { name, plugin, kind, context, .. } = self;
        let maker = Maker::new(context.build_name.clone(), *kind, &name.text, name.span.start, running);
        User { maker, plugin: plugin.clone(), running: running.clone(), config: config.value.to_string() }
    }

    /// Learns what the component says of itself, once.
    pub(super) async fn look(&mut self) -> Result<(), PluginFailure> {
        let (_, component) = self.component().await?;
        self.needs_communicator = component.needs_communicator;
        Ok(())
    }

    /// The configuration with what was learned in it, checked as far as it is known.
    ///
    /// A secret that cannot be masked is told on `ui`.
    fn settled(&self, schema: &str, learned: Learned<'_>, ui: &BuildUi) -> Result<Config, Refusal> {
        let mut config = self.config.settled(learned).map_err(Refusal::Late)?;
        config.value = fit_config(schema, std::mem::take(&mut config.value));
        ui.mask(secrets_of(schema, &config.value), &self.who());
        match check_late_config(schema, &config) {
            Ok(problems) if problems.is_empty() => Ok(config),
            Ok(problems) => Err(Refusal::Config(problems.into_iter().map(diagnostic).collect())),
            Err(SchemaError { why }) => Err(Refusal::Config(vec![Diagnostic::error(why)])),
        }
    }
}

impl<T: Preparable> Use<T> {
    /// Prepares for the first time what is known, and yields warnings.
    pub(super) async fn check(&mut self) -> Result<Vec<Diagnostic>, Refusal> {
        self.look().await?;
        if self.config.is_late() {
            return Ok(Vec::new());
        }
        let (running, prepared, warnings) = self.prepare(&self.config).await?;
        let number = running.keep_unused({
            let prepared = prepared.clone();
            // A plugin that does not answer this is about to be told to leave.
            async move { drop(prepared.close().await) }
        });
        *self.prepared.get_mut() = Some(Unused { running, prepared, number });
        Ok(warnings)
    }

    /// Takes in what was learned, and prepares for the first time what is known by that.
    pub(super) async fn learn(
        &mut self,
        learned: Learned<'_>,
        ui: &BuildUi,
    ) -> Result<Vec<Diagnostic>, Refusal> {
        if self.config.asks_data().is_empty() {
            return Ok(Vec::new());
        }
        let (_, component) = self.component().await?;
        self.config = self.settled(&component.config_schema, learned, ui)?;
        self.check().await
    }

    /// What runs once: as it was prepared, or prepared anew where it was used, its process has died, or its
    /// configuration is known only now.
    ///
    /// # Errors
    /// The plugin cannot be started again, or answers otherwise than before; what was learned does not suffice.
    pub async fn take(&self, learned: Learned<'_>, ui: &BuildUi) -> Result<Taken<T>, Refusal> {
        let prepared = self.prepared.lock().await.take();
        if let Some(Unused { running, prepared, number }) = prepared.filter(|one| !one.running.is_gone()) {
            running.use_kept(number);
            return Ok(self.taken(running, prepared, &self.config));
        }
        if !self.config.is_late() {
            let (running, prepared, _) = self.prepare(&self.config).await?;
            return Ok(self.taken(running, prepared, &self.config));
        }
        let (_, component) = self.component().await?;
        let config = self.settled(&component.config_schema, learned, ui)?;
        let (running, prepared, warnings) = self.prepare(&config).await?;
        for warning in warnings {
            ui.error(&format!("warning: {}: {}", self.who(), warning.summary));
        }
        Ok(self.taken(running, prepared, &config))
    }

    fn taken(&self, running: Arc<Running>, prepared: T, config: &Config) -> Taken<T> {
        let user = self.user(&running, config);
        Taken { running, prepared, user }
    }

    async fn prepare(&self, config: &Config) -> Result<(Arc<Running>, T, Vec<Diagnostic>), Refusal> {
        let (running, component) = self.component().await?;
        let config = config.value.to_string();
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

fn diagnostic(problem: Problem) -> Diagnostic {
    let Problem { pointer, message, hint, .. } = problem;
    let diagnostic = Diagnostic::error(message).at(pointer);
    match hint {
        Some(hint) => diagnostic.with_detail(hint),
        None => diagnostic,
    }
}
