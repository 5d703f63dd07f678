//! A plan's configurations against the schemas that the plugins gave.

use super::check::{Problem, SchemaError, check_late_config};
use super::fit::fit_config;
use super::late;
use super::secret::secrets_of;
use super::{Plan, PlanError, PlannedBuild, PlannedComponent};
use crate::catalog::Kind;
use crate::template::{LateValue, Span, Word};

/// The texts of a component's two schemas; empty where it has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchemaTexts<'s> {
    /// Of its configuration.
    pub config: &'s str,
    /// Of what it yields.
    pub output: &'s str,
}

/// One thing that is wrong with one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadConfig {
    /// The component's kind,
    pub kind: Kind,
    /// and its name, with the place of its use.
    pub component: Word,
    /// The place in the template.
    pub at: Span,
    /// What is wrong.
    pub problem: Problem,
}

impl Plan {
    /// Fits and checks every configuration, as far as it is known; `schemas_of` yields a component's schemas.
    ///
    /// Yields beside the plan everything that is wrong with the configurations.
    ///
    /// # Errors
    /// A schema that is none.
    pub fn checked<'s>(
        mut self,
        schemas_of: impl Fn(&PlannedComponent) -> SchemaTexts<'s>,
    ) -> Result<(Self, Vec<BadConfig>), PlanError> {
        let mut problems: Vec<BadConfig> = Vec::new();
        for component in self.components_mut() {
            let schema = schemas_of(component).config;
            let config = std::mem::take(&mut component.config.value);
            component.config.value = fit_config(schema, config);
            for bad in bad_configs(component, schema)? {
                if !problems.contains(&bad) {
                    problems.push(bad);
                }
            }
        }
        for bad in self.missing(schemas_of) {
            if !problems.contains(&bad) {
                problems.push(bad);
            }
        }
        Ok((self, problems))
    }

    /// Values that configurations ask of data sources and builders which those do not have.
    fn missing<'s>(&self, schemas_of: impl Fn(&PlannedComponent) -> SchemaTexts<'s>) -> Vec<BadConfig> {
        let data_schema = |name: &str| {
            let source = self.data.iter().find(|source| source.name == name)?;
            Some(schemas_of(&source.component).output)
        };
        let mut problems = Vec::new();
        let uses = self.data.iter().map(|source| (None, &source.component));
        let of_builds = self
            .builds
            .iter()
            .flat_map(|build| build.components().map(move |component| (Some(&build.builder), component)));
        for (builder, component) in uses.chain(of_builds) {
            let missing = late::missing(component, |asked| match asked {
                LateValue::Data { name, .. } => data_schema(name),
                LateValue::Build { .. } => builder.map(|builder| schemas_of(builder).output),
            });
            problems.extend(missing.into_iter().map(|problem| BadConfig::of(component, problem)));
        }
        problems
    }

    /// The plan without the components that are configured wrong, and without the builds of such builders: what can
    /// still be asked for its own opinion.
    #[must_use]
    pub fn without(mut self, problems: &[BadConfig]) -> Self {
        let sound = |component: &PlannedComponent| problems.iter().all(|bad| bad.component != component.name);
        self.data.retain(|source| sound(&source.component));
        self.builds.retain(|build| sound(&build.builder));
        for build in &mut self.builds {
            build.provisioners.retain(|provisioner| sound(&provisioner.component));
            build.cleanup = build.cleanup.take().filter(|cleanup| sound(&cleanup.component));
            for sequence in &mut build.sequences {
                sequence.retain(|post_processor| sound(&post_processor.component));
            }
        }
        self
    }

    /// The texts that the schemas call secret, for masking.
    #[must_use]
    pub fn secrets<'s>(&self, schemas_of: impl Fn(&PlannedComponent) -> SchemaTexts<'s>) -> Vec<String> {
        let secrets = |component| secrets_of(schemas_of(component).config, &component.config.value);
        self.components().flat_map(secrets).collect()
    }

    /// Every use of a component: data sources, then build by build.
    pub fn components(&self) -> impl Iterator<Item = &PlannedComponent> {
        let data = self.data.iter().map(|source| &source.component);
        data.chain(self.builds.iter().flat_map(PlannedBuild::components))
    }

    fn components_mut(&mut self) -> impl Iterator<Item = &mut PlannedComponent> {
        let data = self.data.iter_mut().map(|source| &mut source.component);
        data.chain(self.builds.iter_mut().flat_map(PlannedBuild::components_mut))
    }
}

impl PlannedBuild {
    /// Every use of a component, in the order in which they run.
    pub fn components(&self) -> impl Iterator<Item = &PlannedComponent> {
        let hooks = self.hooks.iter().map(|hook| &hook.component);
        let provisioners = self.provisioners.iter().chain(&self.cleanup).map(|one| &one.component);
        let post_processors = self.sequences.iter().flatten().map(|one| &one.component);
        std::iter::once(&self.builder).chain(hooks).chain(provisioners).chain(post_processors)
    }

    fn components_mut(&mut self) -> impl Iterator<Item = &mut PlannedComponent> {
        let hooks = self.hooks.iter_mut().map(|hook| &mut hook.component);
        let provisioners = self.provisioners.iter_mut().chain(&mut self.cleanup);
        let provisioners = provisioners.map(|one| &mut one.component);
        let post_processors = self.sequences.iter_mut().flatten().map(|one| &mut one.component);
        std::iter::once(&mut self.builder).chain(hooks).chain(provisioners).chain(post_processors)
    }
}

impl BadConfig {
    fn of(component: &PlannedComponent, problem: Problem) -> Self {
        Self {
            kind: component.kind,
            component: component.name.clone(),
            at: component.config.locate(&problem.pointer).unwrap_or(component.name.span),
            problem,
        }
    }
}

fn bad_configs(component: &PlannedComponent, schema: &str) -> Result<Vec<BadConfig>, PlanError> {
    let problems = check_late_config(schema, &component.config);
    let problems = problems.map_err(|SchemaError { why }| PlanError::BadSchema {
        kind: component.kind,
        name: component.name.text.clone(),
        why,
    })?;
    Ok(problems.into_iter().map(|problem| BadConfig::of(component, problem)).collect())
}
