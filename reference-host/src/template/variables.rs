//! Which value each variable has: template default < given values, later ones winning.

use std::collections::BTreeMap;

use super::expression::Phrase;
use super::function::{self, Scope};
use super::given::Given;
use super::problem::{Problem, TemplateError};
use super::read::{Template, Variable, Word};
use super::resolve::RunContext;
use crate::spell;

/// Defaults that refer to one another more often than this in a row are no honest template.
const LONGEST_CHAIN: usize = 100;

/// The value of every variable of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<String, String>,
    sensitive: Vec<String>,
}

impl Variables {
    /// Settles all variables of `template`.
    ///
    /// A default may use functions and other variables; a given value is taken as it is.
    ///
    /// # Errors
    /// A given name that the template does not declare; required variables that nobody set, all at once; defaults
    /// that cannot be resolved.
    pub fn settle(template: &Template, given: &[Given], run: &RunContext) -> Result<Self, TemplateError> {
        let mut problems = unknown(template, given);
        let given: BTreeMap<&str, &str> =
            given.iter().map(|given| (given.name.as_str(), given.value.as_str())).collect();
        problems.extend(unset(template, &given));
        let mut settling = Settling { template, given, run, values: BTreeMap::new() };
        if problems.is_empty() {
            let settled = template.variables.iter().map(|variable| settling.settle(variable, 0));
            problems = settled.filter_map(Result::err).collect();
        }
        if !problems.is_empty() {
            return Err(TemplateError::Wrong { text: template.source.clone(), problems });
        }
        Ok(Self { sensitive: sensitive(template, &settling.values), values: settling.values })
    }

    /// The values, by name.
    #[must_use]
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// The values that nobody may see.
    #[must_use]
    pub fn sensitive(&self) -> &[String] {
        &self.sensitive
    }
}

fn sensitive(template: &Template, values: &BTreeMap<String, String>) -> Vec<String> {
    let sensitive = template.variables.iter().filter(|variable| variable.sensitive);
    sensitive.filter_map(|variable| values.get(&variable.name.text).cloned()).collect()
}

fn unknown(template: &Template, given: &[Given]) -> Vec<Problem> {
    let names = || template.variables.iter().map(|variable| variable.name.text.as_str());
    let unknown = given.iter().filter(|given| names().all(|name| name != given.name));
    unknown
        .map(|given| Problem::UnknownGiven {
            origin: given.origin.to_string(),
            name: given.name.clone(),
            near: spell::nearest(&given.name, names()),
            known: names().map(ToOwned::to_owned).collect(),
        })
        .collect()
}

fn unset(template: &Template, given: &BTreeMap<&str, &str>) -> Option<Problem> {
    let required = template.variables.iter().filter(|variable| variable.default.is_none());
    let names: Vec<_> = required
        .filter(|variable| !given.contains_key(variable.name.text.as_str()))
        .map(|variable| (variable.name.text.clone(), variable.name.span))
        .collect();
    (!names.is_empty()).then_some(Problem::UnsetVariables { names })
}

/// Variables on their way to their values.
struct Settling<'a> {
    template: &'a Template,
    given: BTreeMap<&'a str, &'a str>,
    run: &'a RunContext,
    values: BTreeMap<String, String>,
}

impl Settling<'_> {
    /// Settles what the variable refers to, then the variable; `depth` is how many wait for it.
    fn settle(&mut self, variable: &Variable, depth: usize) -> Result<(), Problem> {
        let name = variable.name.text.clone();
        if self.values.contains_key(&name) {
            return Ok(());
        }
        let value = match (self.given.get(name.as_str()), &variable.default) {
            (Some(given), _) => (*given).to_owned(),
            (None, Some(default)) => self.rendered(&name, default, depth)?,
            (None, None) => return Ok(()),
        };
        self.values.insert(name, value);
        Ok(())
    }

    fn rendered(&mut self, name: &str, default: &Word, depth: usize) -> Result<String, Problem> {
        let template = self.template;
        let phrase = Phrase { source: &template.source, literal: default.span, text: &default.text };
        for (needed, at) in function::references(phrase)? {
            if depth > LONGEST_CHAIN || needed == name {
                return Err(Problem::VariableCycle { at, name: name.to_owned() });
            }
            if let Some(variable) = template.variables.iter().find(|variable| variable.name.text == needed) {
                self.settle(variable, depth + 1)?;
            }
        }
        let scope = Scope { run: self.run, values: &self.values, build: None, env: true };
        function::render(phrase, scope)
    }
}
