//! The configurations of a run, made anew: what the ledger says of it, and what the user gives again.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;

use super::super::{Desk, Failed};
use crate::catalog::{Catalog, Kind};
use crate::cli::{Choice, Recover};
use crate::ledger::{Maker, RunRecord};
use crate::plan::{Plan, PlanError, check_config, fit_config, secrets_of};
use crate::report::Report;
use crate::template::{Config, Resolved, ResolvedBuild, ResolvedData, RunContext, Source, Word};

/// A template, resolved as it was for the run.
pub(super) struct Anew {
    pub(super) catalog: Arc<Catalog>,
    pub(super) template_dir: String,
    /// Names of variables that no plugin inherits.
    pub(super) withheld: BTreeSet<String>,
    text: Source,
    data: Vec<ResolvedData>,
    builds: Vec<ResolvedBuild>,
}

/// The configuration of one component.
pub(super) struct Configured {
    pub(super) text: String,
    pub(super) secrets: Vec<String>,
}

impl Desk {
    /// Reads and resolves a run's template again; what is wrong with it is told.
    pub(super) fn anew(&self, record: &RunRecord, recover: &Recover) -> Result<Anew, Failed> {
        self.all_given(record, recover)?;
        let files = record.variable_files.iter().chain(&recover.variable_files);
        let choice = Choice {
            template: record.template.clone(),
            variables: recover.variables.clone(),
            variable_files: files.cloned().collect(),
            only: Vec::new(),
            except: Vec::new(),
        };
        let template = self.template(&choice.template)?;
        let run = self.run_of(record);
        let variables = self.variables(&template, &choice, &run)?;
        let Resolved { data, builds } = self.told(template.resolve(&variables, &run))?;
        Ok(Anew {
            catalog: Arc::new(self.catalog()?),
            template_dir: run.template_dir,
            withheld: variables.hidden_environment().clone(),
            text: template.source,
            data,
            builds,
        })
    }

    /// What was given on the command line is not on disk: it may be secret.
    fn all_given(&self, record: &RunRecord, recover: &Recover) -> Result<(), Failed> {
        let given = |name: &&String| recover.variables.iter().any(|given| given.name == **name);
        let missing: BTreeSet<_> = record.variables.iter().filter(|name| !given(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("run {} was given values for {}", record.run, names.join(", "));
        let again: Vec<_> = missing.iter().map(|name| format!("-var {name}=VALUE")).collect();
        let hint = format!("they are not on disk; give them again: {}", again.join(" "));
        self.show(Report::new(&message).with_hint(Some(hint)));
        Err(Failed)
    }

    /// What functions of the template say is what they said then.
    fn run_of(&self, record: &RunRecord) -> RunContext {
        let today = self.invocation.run_context(&record.template);
        let began = OffsetDateTime::from_unix_timestamp_nanos(record.began.into());
        RunContext {
            started: began.unwrap_or(today.started),
            pwd: record.directory.to_string_lossy().into_owned(),
            ..today
        }
    }
}

impl Configured {
    /// A configuration as its schema wants it.
    pub(super) fn of(config: Config, schema: &str) -> Result<Self, String> {
        if config.is_late() {
            return Err(
                "its configuration takes values of the builder, which nobody knows any more".to_owned()
            );
        }
        let value = fit_config(schema, config.value);
        let problems = check_config(schema, &value).map_err(|error| error.to_string())?;
        if let Some(problem) = problems.first() {
            return Err(format!("its configuration is not what it was: {}", problem.message));
        }
        Ok(Self { secrets: secrets_of(schema, &value), text: value.to_string() })
    }
}

impl Anew {
    /// The look-ups that configurations may ask.
    pub(super) fn look_ups(&self) -> Result<Plan, PlanError> {
        Plan::of_data(self.text.clone(), self.data.clone(), &self.catalog)
    }

    /// The builder of a build; empty for one that is not in the template.
    pub(super) fn builder_type(&self, build: &str) -> String {
        let build = self.builds.iter().find(|known| known.name == build);
        build.map(|build| build.component.text.clone()).unwrap_or_default()
    }

    /// The use of the component where the template had it; where the text has moved, the only one of its name.
    pub(super) fn found(&self, maker: &Maker) -> Result<&Config, String> {
        let named: Vec<_> = self.uses(maker).filter(|(word, _)| word.text == maker.component).collect();
        let there = named.iter().find(|(word, _)| word.span.start == maker.at);
        match (there, &named[..]) {
            (Some((_, config)), _) | (None, [(_, config)]) => Ok(config),
            (None, []) => Err(format!("the template has no {maker} any more")),
            (None, _) => Err(format!("the template has changed: nobody can tell which {maker} it was")),
        }
    }

    fn uses(&self, maker: &Maker) -> Box<dyn Iterator<Item = (&Word, &Config)> + '_> {
        let builds = self.builds.iter();
        let build = maker.build.clone();
        let of_build = builds.filter(move |known| known.name == build);
        match maker.kind {
            Kind::Builder => Box::new(of_build.map(|build| (&build.component, &build.config))),
            Kind::Provisioner => {
                let all = of_build.flat_map(|build| build.provisioners.iter().chain(&build.cleanup));
                Box::new(all.map(|provisioner| (&provisioner.component, &provisioner.config)))
            }
            Kind::PostProcessor => {
                let all = of_build.flat_map(|build| build.sequences.iter().flatten());
                Box::new(all.map(|post_processor| (&post_processor.component, &post_processor.config)))
            }
            Kind::Hook => {
                let all = of_build.flat_map(|build| &build.hooks);
                Box::new(all.map(|hook| (&hook.component, &hook.config)))
            }
            Kind::DataSource => Box::new(self.data.iter().map(|source| (&source.component, &source.config))),
            // What they make is not remembered: no template configures them.
            Kind::Command | Kind::Communicator => Box::new(std::iter::empty()),
        }
    }
}
