//! Resolved builds + [`Catalog`] → [`Plan`]: every name resolved to a plugin, one process for each plugin of a run.
//!
//! Pure: nothing is started, so a plan can be shown without running it.

use std::path::PathBuf;
use std::time::Duration;

use crate::catalog::{Catalog, Kind, PluginCommand, Unknown};
use crate::template::{
    Config, Grants, Resolved, ResolvedBuild, ResolvedData, ResolvedHook, ResolvedPostProcessor,
    ResolvedProvisioner, Source, Word,
};

mod check;
mod configs;
mod fit;
mod late;
mod secret;
mod select;
mod walk;

pub use check::{Problem, SchemaError, check_config, check_late_config};
pub use configs::{BadConfig, SchemaTexts};
pub use fit::fit_config;
pub use secret::secrets_of;
pub use select::Selection;

/// What will be run by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The template's text, which the places of all configurations point into.
    pub source: Source,
    /// Each once, however many components and builds use it.
    pub plugins: Vec<PluginCommand>,
    /// What is looked up before the builds begin: whoever asks for a value stands behind what yields it.
    pub data: Vec<PlannedData>,
    /// In the order of the template.
    pub builds: Vec<PlannedBuild>,
}

/// One look-up.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedData {
    /// How `{{data}}` calls it.
    pub name: String,
    /// What runs.
    pub component: PlannedComponent,
    /// Whether what is planned asks for its value; otherwise it is checked, and does not run.
    pub is_asked_for: bool,
}

/// One build.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedBuild {
    /// Unique in the plan.
    pub name: String,
    /// What makes the machine.
    pub builder: PlannedComponent,
    /// What runs on it, in order.
    pub provisioners: Vec<PlannedProvisioner>,
    /// What runs on it when one of them failed.
    pub cleanup: Option<PlannedProvisioner>,
    /// What else runs at events, in order.
    pub hooks: Vec<PlannedHook>,
    /// What becomes of the artifact: each begins with what the builder made.
    pub sequences: Vec<Vec<PlannedPostProcessor>>,
}

/// One provisioner in one build.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedProvisioner {
    /// What runs.
    pub component: PlannedComponent,
    /// How long to wait before it starts.
    pub pause_before: Duration,
    /// How long one attempt may take, the pause included.
    pub timeout: Option<Duration>,
    /// How often it is tried again after a failure.
    pub max_retries: u32,
}

/// One hook component at one event.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedHook {
    /// When it runs.
    pub event: String,
    /// What runs.
    pub component: PlannedComponent,
}

/// One post-processor in one sequence of one build.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedPostProcessor {
    /// What runs.
    pub component: PlannedComponent,
    /// Whether its input stays, where the template says so.
    pub keep_input: Option<bool>,
}

/// One use of a component.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedComponent {
    /// Its kind.
    pub kind: Kind,
    /// Its name as the template says it.
    pub name: Word,
    /// Which of [`Plan::plugins`] offers it.
    pub plugin: usize,
    /// What it is given.
    pub config: Config,
    /// What it may use beyond the rest.
    pub grants: Grants,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// `-only` or `-except` names what the template does not have.
    #[error("`-{flag}` names {what} `{name}`, which does not exist")]
    UnknownBuild {
        /// `only` or `except`
        flag: &'static str,
        /// What the flag can name.
        what: &'static str,
        /// What it names.
        name: String,
        /// What was probably meant.
        near: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// No build is left to run.
    #[error("`-only` and `-except` leave no build")]
    NothingLeft,
    /// The template names components that no plugin offers.
    #[error("no plugin offers some of the components that {} names", text.name())]
    UnknownComponents {
        /// The template.
        text: Source,
        /// Each with the place that names it; at least one.
        unknown: Vec<(Word, Unknown)>,
    },
    /// Configurations are not what their components' schemas want.
    #[error("some configurations of {} are wrong", text.name())]
    BadConfigs {
        /// The template.
        text: Source,
        /// At least one.
        problems: Vec<BadConfig>,
    },
    /// A component's schema cannot be used: a bug in its plugin.
    #[error("the {kind} `{name}` has a configuration schema that cannot be used")]
    BadSchema {
        /// The component's kind,
        kind: Kind,
        /// and its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Plan {
    /// Resolves the names of the selected builds.
    ///
    /// # Errors
    /// The selection names what does not exist or leaves nothing; components that no plugin offers, all at once.
    pub fn of(
        source: Source,
        resolved: Resolved,
        selection: &Selection,
        catalog: &Catalog,
    ) -> Result<Self, PlanError> {
        let Resolved { data, builds } = resolved;
        let selected = selection.of(builds)?;
        let mut planner =
            Planner { catalog, identities: Vec::new(), plugins: Vec::new(), unknown: Vec::new() };
        let data = data.into_iter().filter_map(|source| planner.data(source)).collect();
        let builds: Vec<_> = selected.into_iter().filter_map(|build| planner.build(build)).collect();
        if planner.unknown.is_empty() {
            let data = late::in_order(data, late::asked(&builds));
            return Ok(Self { source, plugins: planner.plugins, data, builds });
        }
        Err(PlanError::UnknownComponents { text: source, unknown: planner.unknown })
    }

    /// The look-ups alone, all of them asked for.
    ///
    /// # Errors
    /// Data sources that no plugin offers, all at once.
    pub fn of_data(source: Source, data: Vec<ResolvedData>, catalog: &Catalog) -> Result<Self, PlanError> {
        let mut planner =
            Planner { catalog, identities: Vec::new(), plugins: Vec::new(), unknown: Vec::new() };
        let names = data.iter().map(|source| source.name.text.clone()).collect();
        let data = data.into_iter().filter_map(|source| planner.data(source)).collect();
        let Planner { plugins, unknown, .. } = planner;
        if unknown.is_empty() {
            return Ok(Self { source, plugins, data: late::in_order(data, names), builds: Vec::new() });
        }
        Err(PlanError::UnknownComponents { text: source, unknown })
    }
}

struct Planner<'a> {
    catalog: &'a Catalog,
    /// What makes two plugins the same: the file behind all links, and the arguments.
    identities: Vec<(PathBuf, Vec<String>)>,
    plugins: Vec<PluginCommand>,
    unknown: Vec<(Word, Unknown)>,
}

impl Planner<'_> {
    fn data(&mut self, source: ResolvedData) -> Option<PlannedData> {
        let ResolvedData { name, component, config, grants } = source;
        let component = self.component(Kind::DataSource, component, config, grants)?;
        Some(PlannedData { name: name.text, component, is_asked_for: false })
    }

    /// Everything is looked at, also behind what is unknown: all of that is told at once.
    fn build(&mut self, build: ResolvedBuild) -> Option<PlannedBuild> {
        let ResolvedBuild { name, component, config, provisioners, cleanup, hooks, sequences } = build;
        let builder = self.component(Kind::Builder, component, config, Grants { communicator: true });
        let provisioners: Vec<_> = provisioners.into_iter().map(|one| self.provisioner(one)).collect();
        let cleanup = cleanup.map(|one| self.provisioner(one));
        let hooks: Vec<_> = hooks.into_iter().map(|hook| self.hook(hook)).collect();
        let sequences: Vec<_> = sequences.into_iter().map(|sequence| self.sequence(sequence)).collect();
        Some(PlannedBuild {
            name,
            builder: builder?,
            provisioners: provisioners.into_iter().collect::<Option<_>>()?,
            cleanup: cleanup.map_or(Some(None), |planned| planned.map(Some))?,
            hooks: hooks.into_iter().collect::<Option<_>>()?,
            sequences: sequences.into_iter().collect::<Option<_>>()?,
        })
    }

    fn provisioner(&mut self, provisioner: ResolvedProvisioner) -> Option<PlannedProvisioner> {
        let ResolvedProvisioner { component, config, pause_before, timeout, max_retries, grants } =
            provisioner;
        let component = self.component(Kind::Provisioner, component, config, grants)?;
        Some(PlannedProvisioner { component, pause_before, timeout, max_retries })
    }

    fn hook(&mut self, hook: ResolvedHook) -> Option<PlannedHook> {
        let ResolvedHook { event, component, config, grants } = hook;
        let component = self.component(Kind::Hook, component, config, grants)?;
        Some(PlannedHook { event, component })
    }

    fn sequence(&mut self, sequence: Vec<ResolvedPostProcessor>) -> Option<Vec<PlannedPostProcessor>> {
        let planned: Vec<_> = sequence.into_iter().map(|one| self.post_processor(one)).collect();
        planned.into_iter().collect()
    }

    fn post_processor(&mut self, one: ResolvedPostProcessor) -> Option<PlannedPostProcessor> {
        let ResolvedPostProcessor { component, name: _, config, keep_input, grants } = one;
        let component = self.component(Kind::PostProcessor, component, config, grants)?;
        Some(PlannedPostProcessor { component, keep_input })
    }

    fn component(
        &mut self,
        kind: Kind,
        name: Word,
        config: Config,
        grants: Grants,
    ) -> Option<PlannedComponent> {
        match self.catalog.plugin(kind, &name.text) {
            Ok(candidate) => {
                let plugin = self.plugin(&candidate.command);
                Some(PlannedComponent { kind, name, plugin, config, grants })
            }
            Err(unknown) => {
                if self.unknown.iter().all(|(word, _)| *word != name) {
                    self.unknown.push((name, unknown));
                }
                None
            }
        }
    }

    fn plugin(&mut self, command: &PluginCommand) -> usize {
        let program = command.program.canonicalize().unwrap_or_else(|_| command.program.clone());
        let identity = (program, command.arguments.clone());
        if let Some(index) = self.identities.iter().position(|known| *known == identity) {
            return index;
        }
        self.identities.push(identity);
        self.plugins.push(command.clone());
        self.plugins.len() - 1
    }
}
