//! A plan's configurations against the schemas that the plugins gave.

use serde_json::Value;

use super::check::{Problem, SchemaError, check_config};
use super::fit::fit_config;
use super::secret::secrets_of;
use super::{Plan, PlanError, PlannedComponent};
use crate::catalog::Kind;
use crate::template::{Span, Word};

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
    /// Fits and checks every configuration; `schema_of` yields the text of a component's schema.
    ///
    /// Yields beside the plan everything that is wrong with the configurations.
    ///
    /// # Errors
    /// A schema that is none.
    pub fn checked<'s>(
        mut self,
        schema_of: impl Fn(&PlannedComponent) -> Option<&'s str>,
    ) -> Result<(Self, Vec<BadConfig>), PlanError> {
        let mut problems: Vec<BadConfig> = Vec::new();
        for component in self.components_mut() {
            let schema = schema_of(component).unwrap_or_default();
            let config = std::mem::take(&mut component.config.value);
            component.config.value = fit_config(schema, config);
            for bad in bad_configs(component, schema)? {
                if !problems.contains(&bad) {
                    problems.push(bad);
                }
            }
        }
        Ok((self, problems))
    }

    /// The plan without the components that are configured wrong, and without the builds of such builders: what can
    /// still be asked for its own opinion.
    #[must_use]
    pub fn without(mut self, problems: &[BadConfig]) -> Self {
        let sound = |component: &PlannedComponent| problems.iter().all(|bad| bad.component != component.name);
        self.builds.retain(|build| sound(&build.builder));
        for build in &mut self.builds {
            build.provisioners.retain(|provisioner| sound(&provisioner.component));
        }
        self
    }

    /// The texts that the schemas call secret, for masking.
    #[must_use]
    pub fn secrets<'s>(&self, schema_of: impl Fn(&PlannedComponent) -> Option<&'s str>) -> Vec<String> {
        let secrets =
            |component| secrets_of(schema_of(component).unwrap_or_default(), &component.config.value);
        self.components().flat_map(secrets).collect()
    }

    /// Every use of a component, build by build.
    pub fn components(&self) -> impl Iterator<Item = &PlannedComponent> {
        self.builds.iter().flat_map(|build| {
            let provisioners = build.provisioners.iter().map(|provisioner| &provisioner.component);
            std::iter::once(&build.builder).chain(provisioners)
        })
    }

    fn components_mut(&mut self) -> impl Iterator<Item = &mut PlannedComponent> {
        self.builds.iter_mut().flat_map(|build| {
            let provisioners = build.provisioners.iter_mut().map(|provisioner| &mut provisioner.component);
            std::iter::once(&mut build.builder).chain(provisioners)
        })
    }
}

fn bad_configs(component: &PlannedComponent, schema: &str) -> Result<Vec<BadConfig>, PlanError> {
    let (kind, name) = (component.kind, component.name.text.clone());
    let value: &Value = &component.config.value;
    let problems = check_config(schema, value).map_err(|SchemaError { why }| PlanError::BadSchema {
        kind,
        name: name.clone(),
        why,
    })?;
    let bad = |problem: Problem| BadConfig {
        kind,
        component: component.name.clone(),
        at: component.config.locate(&problem.pointer).unwrap_or(component.name.span),
        problem,
    };
    Ok(problems.into_iter().map(bad).collect())
}
