//! Resolved builds + [`Catalog`] → [`Plan`]: every name resolved to a plugin, one process for each plugin of a run.
//!
//! Pure: nothing is started, so a plan can be shown without running it.

use std::path::PathBuf;
use std::time::Duration;

use crate::catalog::{Catalog, Kind, PluginCommand, Unknown};
use crate::spell;
use crate::template::{Config, ResolvedBuild, ResolvedProvisioner, Source, Word};

mod check;
mod configs;
mod fit;
mod secret;
mod walk;

pub use check::{Problem, SchemaError, check_config};
pub use configs::BadConfig;
pub use fit::fit_config;
pub use secret::secrets_of;

/// What will be run by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The template's text, which the places of all configurations point into.
    pub source: Source,
    /// Each once, however many components and builds use it.
    pub plugins: Vec<PluginCommand>,
    /// In the order of the template.
    pub builds: Vec<PlannedBuild>,
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
}

/// Which builds the user wants: `-only` and `-except`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These alone; empty means all.
    pub only: Vec<String>,
    /// All but these.
    pub except: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// `-only` or `-except` names builds that the template does not have.
    #[error("`-{flag}` names build `{name}`, which does not exist")]
    UnknownBuild {
        /// `only` or `except`
        flag: &'static str,
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
        builds: Vec<ResolvedBuild>,
        selection: &Selection,
        catalog: &Catalog,
    ) -> Result<Self, PlanError> {
        let selected = selection.of(builds)?;
        let mut planner =
            Planner { catalog, identities: Vec::new(), plugins: Vec::new(), unknown: Vec::new() };
        let builds = selected.into_iter().filter_map(|build| planner.build(build)).collect();
        if planner.unknown.is_empty() {
            return Ok(Self { source, plugins: planner.plugins, builds });
        }
        Err(PlanError::UnknownComponents { text: source, unknown: planner.unknown })
    }
}

impl Selection {
    fn of(&self, builds: Vec<ResolvedBuild>) -> Result<Vec<ResolvedBuild>, PlanError> {
        known("only", &self.only, &builds)?;
        known("except", &self.except, &builds)?;
        let wanted = |build: &ResolvedBuild| {
            (self.only.is_empty() || self.only.contains(&build.name)) && !self.except.contains(&build.name)
        };
        let selected: Vec<_> = builds.into_iter().filter(wanted).collect();
        if selected.is_empty() { Err(PlanError::NothingLeft) } else { Ok(selected) }
    }
}

fn known(flag: &'static str, names: &[String], builds: &[ResolvedBuild]) -> Result<(), PlanError> {
    let known = || builds.iter().map(|build| build.name.as_str());
    match names.iter().find(|name| known().all(|known| known != *name)) {
        None => Ok(()),
        Some(name) => Err(PlanError::UnknownBuild {
            flag,
            name: name.clone(),
            near: spell::nearest(name, known()),
            known: known().map(ToOwned::to_owned).collect(),
        }),
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
    fn build(&mut self, build: ResolvedBuild) -> Option<PlannedBuild> {
        let ResolvedBuild { name, component, config, provisioners } = build;
        let builder = self.component(Kind::Builder, component, config);
        let provisioners: Vec<_> =
            provisioners.into_iter().map(|provisioner| self.provisioner(provisioner)).collect();
        Some(PlannedBuild {
            name,
            builder: builder?,
            provisioners: provisioners.into_iter().collect::<Option<_>>()?,
        })
    }

    fn provisioner(&mut self, provisioner: ResolvedProvisioner) -> Option<PlannedProvisioner> {
        let ResolvedProvisioner { component, config, pause_before, timeout, max_retries } = provisioner;
        let component = self.component(Kind::Provisioner, component, config)?;
        Some(PlannedProvisioner { component, pause_before, timeout, max_retries })
    }

    fn component(&mut self, kind: Kind, name: Word, config: Config) -> Option<PlannedComponent> {
        match self.catalog.plugin(kind, &name.text) {
            Ok(candidate) => {
                let plugin = self.plugin(&candidate.command);
                Some(PlannedComponent { kind, name, plugin, config })
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
